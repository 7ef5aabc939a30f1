// SPDX-License-Identifier: Apache-2.0
// Reads the labels of a socket from the kernel's list of them, beside the kernel's own function.
//
//     label_walk SECONDS [sleepable]   while other tasks change labels, of this socket and of others
//     label_walk --cost                instructions of a connect, as lines "SITUATION LABELS NS"
//
// With tools/vm --icount 2 ns are one instruction.
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <memory>

#include "bpf/label_walk.skel.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

constexpr int kBatches = 20;
constexpr int kCalls = 100;

struct Destroy {
  void operator()(label_walk_bpf* skeleton) const { label_walk_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<label_walk_bpf, Destroy>;

// Null: it does not load or attach.
Skeleton attach(const char* program) {
  Skeleton skeleton(label_walk_bpf__open());
  if (!skeleton) return nullptr;
  bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton->obj, program), true);
  if (label_walk_bpf__load(skeleton.get()) != 0 || label_walk_bpf__attach(skeleton.get()) != 0)
    return nullptr;
  return skeleton;
}

bool set_label(int fd, const std::string& name, const std::string& value) {
  return fsetxattr(fd, ("user." + name).c_str(), value.data(), value.size(), 0) == 0;
}

// Nobody listens there.
bool try_connect(int fd) {
  const sockaddr_un nobody{.sun_family = AF_UNIX, .sun_path = "/nobody"};
  return connect(fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) != 0 &&
         errno == ENOENT;
}

// ---- races ---------------------------------------------------------------------------------------

// Runs `act` until it is killed.
pid_t spawn(const std::function<void(unsigned)>& act) {
  const pid_t child = fork();
  if (child != 0) return child;
  for (unsigned i = 0;; i++) act(i);
}

// Before and behind those that stay, and some of those that come and go.
void change_others(int fd, unsigned i) {
  const std::string name = "user.other." + std::to_string(i % 40);
  if (i / 40 % 2 == 0)
    fsetxattr(fd, name.c_str(), "x", 1, 0);
  else
    fremovexattr(fd, name.c_str());
}

void label_another(unsigned i) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  set_label(fd, "stay", "gone");
  set_label(fd, i % 2 == 0 ? "none" : "flips", "there");
  close(fd);
}

int race(int seconds, const char* program) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  for (int i = 0; i < 20; i++) set_label(fd, "other." + std::to_string(i), "x");
  if (!check(set_label(fd, "stay", "here") && set_label(fd, "flips", "aaaa"),
             "a socket has labels"))
    return tap_end();
  for (int i = 20; i < 40; i++) set_label(fd, "other." + std::to_string(i), "x");
  const Skeleton skeleton = attach(program);
  if (!check(skeleton != nullptr, "the programs load")) return tap_end();
  const pid_t tasks[] = {
      spawn([&](unsigned i) { set_label(fd, "flips", i % 2 == 0 ? "bbbbbbbbbbbb" : "aaaa"); }),
      spawn([&](unsigned i) { change_others(fd, i); }),
      spawn([&](unsigned i) { change_others(fd, 17 * i); }),
      spawn(label_another),
      spawn([&](unsigned) { try_connect(fd); }),
      spawn([&](unsigned) { try_connect(fd); })};
  skeleton->bss->monitored[0] = static_cast<unsigned>(tasks[4]);
  skeleton->bss->monitored[1] = static_cast<unsigned>(tasks[5]);
  sleep(static_cast<unsigned>(seconds));
  for (const pid_t task : tasks) kill(task, SIGKILL);
  while (wait(nullptr) > 0) {
  }
  const auto* counts = skeleton->bss;
  check(counts->reads > 1000, "labels were read");
  is(static_cast<long long>(counts->wrong), 0, "no answer was wrong");
  if (counts->wrong != 0) std::printf("# the last wrong answer: %d\n", counts->last_wrong);
  if (kernel_has("bpf_sock_read_xattr"))
    is(static_cast<long long>(counts->differs), 0, "none differed from the kernel's");
  std::printf("# %llu reads of three labels\n", static_cast<unsigned long long>(counts->reads));
  close(fd);
  return tap_end();
}

// ---- costs ---------------------------------------------------------------------------------------

long now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

// The least of the batches: the others were interrupted.
long least_ns(int fd) {
  long least = 0;
  for (int batch = 0; batch < kBatches; batch++) {
    const long start = now_ns();
    for (int i = 0; i < kCalls; i++)
      if (!try_connect(fd)) std::exit(1);
    const long taken = (now_ns() - start) / kCalls;
    least = least == 0 ? taken : std::min(least, taken);
  }
  return least;
}

// A socket with so many labels, the one that is read at the end.
int labelled_socket(int labels, const std::string& others) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  for (int i = 1; i < labels; i++)
    if (!set_label(fd, others + std::to_string(100 + i), "other")) std::exit(1);
  if (labels > 0 && !set_label(fd, "varlink", "server")) std::exit(1);
  return fd;
}

void measure(const char* program, int labels, const std::string& others, const char* name) {
  const int fd = labelled_socket(labels, others);
  const Skeleton skeleton = program == nullptr ? nullptr : attach(program);
  if (program != nullptr && !skeleton) return;
  std::printf("%s %d %ld\n", name, labels, least_ns(fd));
  if (skeleton && program != std::string_view("no_read") &&
      skeleton->bss->last_length != (labels == 0 ? -ENODATA : 6))
    std::exit(1);
  std::fflush(stdout);
  close(fd);
}

int cost() {
  measure(nullptr, 0, "", "none");
  measure("no_read", 0, "", "no_read");
  for (const int labels : {0, 1, 8, 32, 127}) {
    measure("by_kernel", labels, "other.", "by_kernel");
    measure("by_walk", labels, "other.", "by_walk");
  }
  // Names that begin like the one that is read.
  measure("by_walk", 8, "varlink.", "by_walk_alike");
  measure("by_kernel", 8, "varlink.", "by_kernel_alike");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && argv[1] == std::string_view("--cost")) return cost();
  const bool sleepable = argc > 2 && argv[2] == std::string_view("sleepable");
  return race(argc > 1 ? std::atoi(argv[1]) : 5, sleepable ? "compare_sleepable" : "compare");
}
