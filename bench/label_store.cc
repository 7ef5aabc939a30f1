// SPDX-License-Identifier: Apache-2.0
//
// Reading labels: the store of src/label against an ordered map under a reader-writer lock, doing
// the same work (find a label of a socket, look at each byte of its value), with one and two
// threads, without and with a writer that replaces a label every 100 microseconds. Prints
// nanoseconds a read, the least of several rounds in turn.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "label/store.h"

namespace {

using Clock = std::chrono::steady_clock;
using Key = std::pair<std::uint64_t, std::string>;

constexpr std::uint64_t kSockets = 10'000;
constexpr int kRounds = 7;
constexpr auto kRound = std::chrono::milliseconds(150);
constexpr char kName[] = "user.varlink";

std::size_t use(std::string_view value) {
  std::size_t sum = 0;
  for (const char c : value) sum += static_cast<unsigned char>(c);
  return sum;
}

class LockedMap {
 public:
  LockedMap() { pthread_rwlock_init(&lock_, nullptr); }
  void set(std::uint64_t socket, const std::string& value) {
    pthread_rwlock_wrlock(&lock_);
    values_[{socket, kName}] = value;
    pthread_rwlock_unlock(&lock_);
  }
  std::size_t read(std::uint64_t socket) {
    pthread_rwlock_rdlock(&lock_);
    const auto at = values_.find(wanted_type{socket, kName});
    const std::size_t sum = at == values_.end() ? 0 : use(at->second);
    pthread_rwlock_unlock(&lock_);
    return sum;
  }

 private:
  using wanted_type = std::pair<std::uint64_t, std::string_view>;
  struct Less {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return a.first != b.first ? a.first < b.first
                                : std::string_view(a.second) < std::string_view(b.second);
    }
  };
  pthread_rwlock_t lock_;
  std::map<Key, std::string, Less> values_;
};

class OurStore {
 public:
  void set(std::uint64_t socket, const std::string& value) {
    (void)store_.set(socket, kName, value, 0);
  }
  std::size_t read(std::uint64_t socket) const {
    std::size_t sum = 0;
    store_.read(socket, kName, [&](std::string_view value) { sum = use(value); });
    return sum;
  }

 private:
  holdfast::label::Store store_;
};

enum class Writer { none, busy };

template <typename T>
double read_ns(T& store, int threads, Writer writer) {
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> reads = 0;
  std::vector<std::thread> running;
  for (int thread = 0; thread < threads; thread++)
    running.emplace_back([&, thread] {
      std::uint64_t socket = static_cast<std::uint64_t>(thread) * 7919, done = 0;
      std::size_t sum = 0;
      while (!stop.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 64; i++) {
          socket = (socket * 6364136223846793005u + 1442695040888963407u);
          sum += store.read((socket >> 33) % kSockets);
        }
        done += 64;
      }
      reads += done + (sum == 1 ? 1 : 0);
    });
  if (writer == Writer::busy)
    running.emplace_back([&] {
      for (std::uint64_t i = 0; !stop; i++) {
        store.set(i % kSockets, "server");
        ::usleep(100);
      }
    });
  const auto begin = Clock::now();
  std::this_thread::sleep_for(kRound);
  stop = true;
  const auto took = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
  for (std::thread& thread : running) thread.join();
  return took / static_cast<double>(reads);
}

}  // namespace

int main() {
  OurStore ours;
  LockedMap locked;
  for (std::uint64_t socket = 0; socket < kSockets; socket++) {
    ours.set(socket, "server");
    locked.set(socket, "server");
  }
  std::printf("%-28s %12s %12s %8s\n", "ns a read", "store", "locked map", "ratio");
  for (const Writer writer : {Writer::none, Writer::busy})
    for (const int threads : {1, 2}) {
      double best_ours = 1e9, best_locked = 1e9;
      for (int round = 0; round < kRounds; round++) {
        best_ours = std::min(best_ours, read_ns(ours, threads, writer));
        best_locked = std::min(best_locked, read_ns(locked, threads, writer));
      }
      std::printf("%d thread%s%-18s %12.1f %12.1f %8.2f\n", threads, threads == 1 ? "" : "s",
                  writer == Writer::busy ? ", and a writer" : "", best_ours, best_locked,
                  best_locked / best_ours);
    }
  return 0;
}
