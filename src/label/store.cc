// SPDX-License-Identifier: Apache-2.0
#include "label/store.h"

#include <algorithm>
#include <atomic>
#include <cerrno>

// The "bulletproof" flavour of liburcu registers each thread at its first read.
#include <urcu/urcu-bp.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#include "label/access.h"

namespace holdfast::label {
namespace {

// ThreadSanitizer does not see the ordering of a grace period, because liburcu is not instrumented.
// These annotations state it: a read section happens before the code after the grace period.
#ifdef __SANITIZE_THREAD__
char readers;
void reader_ends() { __tsan_release(&readers); }
void readers_have_ended() { __tsan_acquire(&readers); }
#else
void reader_ends() {}
void readers_have_ended() {}
#endif

constexpr std::size_t kBuckets = 1u << 16;  // a pointer each; untouched ones cost no memory
constexpr std::size_t kMaxOld = 256;        // replaced lists, or removed entries, before a reclaim

std::size_t bucket_of(Cookie socket) {
  return (socket * 0x9e3779b97f4a7c15u) >> 48;  // Fibonacci hashing: cookies count up
}
static_assert(kBuckets == std::size_t{1} << (64 - 48));

}  // namespace

// One label. Successive lists of a socket share the value.
struct Label {
  std::string name;
  std::shared_ptr<const std::string> value;
};

// All labels of one socket: immutable once published.
struct Store::Labels {
  std::vector<Label> all;
  std::size_t value_bytes = 0;

  [[nodiscard]] const Label* find(std::string_view name) const {
    const auto at = std::find_if(all.begin(), all.end(),
                                 [&](const Label& label) { return label.name == name; });
    return at == all.end() ? nullptr : &*at;
  }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t total = value_bytes;
    for (const Label& label : all) total += label.name.size();
    return total;
  }
};

struct Store::Entry {
  Cookie socket;
  std::atomic<const Labels*> labels{nullptr};
  std::atomic<Entry*> next{nullptr};
};

// A chain is changed only under the lock. A removed entry keeps its `next`, so a reader that holds
// it still reaches the end of the chain.
struct Store::Table {
  std::unique_ptr<std::atomic<Entry*>[]> heads { new std::atomic<Entry*>[ kBuckets ]() };
};

Store::Reading::Reading() { urcu_bp_read_lock(); }
Store::Reading::~Reading() {
  reader_ends();
  urcu_bp_read_unlock();
}

Store::Store(Limits limits) : limits_(limits), table_(std::make_unique<Table>()) {}

Store::~Store() {
  for (const Cookie socket : sockets()) forget(socket);
  reclaim();
}

Store::Entry* Store::find(Cookie socket) const {
  Entry* entry = table_->heads[bucket_of(socket)].load(std::memory_order_acquire);
  while (entry != nullptr && entry->socket != socket)
    entry = entry->next.load(std::memory_order_acquire);
  return entry;
}

const std::string* Store::find_value(Cookie socket, std::string_view name) const {
  const Entry* entry = find(socket);
  if (entry == nullptr) return nullptr;
  const Labels* labels = entry->labels.load(std::memory_order_acquire);
  const Label* label = labels == nullptr ? nullptr : labels->find(name);
  return label == nullptr ? nullptr : label->value.get();
}

std::optional<std::string> Store::get(Cookie socket, std::string_view name) const {
  std::optional<std::string> value;
  read(socket, name, [&](std::string_view bytes) { value.emplace(bytes); });
  return value;
}

std::vector<std::string> Store::list(Cookie socket) const {
  std::vector<std::string> names;
  const Reading reading;
  const Entry* entry = find(socket);
  const Labels* labels = entry == nullptr ? nullptr : entry->labels.load(std::memory_order_acquire);
  if (labels == nullptr) return names;
  for (const Label& label : labels->all) names.push_back(label.name);
  return names;
}

Result<Store::Entry*> Store::find_or_add(Cookie socket) {
  if (Entry* known = find(socket)) return known;
  if (sockets_ >= limits_.sockets) return Error{ENOSPC, "label a socket", {}, {}};
  auto entry = std::make_unique<Entry>();
  entry->socket = socket;
  std::atomic<Entry*>& head = table_->heads[bucket_of(socket)];
  entry->next.store(head.load(std::memory_order_relaxed), std::memory_order_relaxed);
  Entry* added = entry.release();
  head.store(added, std::memory_order_release);
  sockets_++;
  return added;
}

void Store::publish(Entry* entry, std::unique_ptr<Labels> labels) {
  bytes_ += labels->bytes();
  std::unique_ptr<const Labels> old(
      entry->labels.exchange(labels.release(), std::memory_order_acq_rel));
  if (!old) return;
  bytes_ -= old->bytes();
  old_labels_.push_back(std::move(old));
  if (old_labels_.size() >= kMaxOld) reclaim_locked();
}

Result<void> Store::set(Cookie socket, std::string_view name, std::string_view value, int flags) {
  const std::lock_guard lock(changing_);
  const Entry* known = find(socket);
  const Labels* now = known == nullptr ? nullptr : known->labels.load(std::memory_order_relaxed);
  const Label* old = now == nullptr ? nullptr : now->find(name);
  Present present;
  if (now != nullptr) present = {now->all.size(), now->value_bytes, old != nullptr};
  if (const int code = check_set(present, value.size(), flags); code != 0)
    return Error{code, "set label", std::string(name), {}};
  if (bytes_ + name.size() + value.size() > limits_.bytes)
    return Error{ENOSPC, "set label", std::string(name), {}};

  auto labels = now == nullptr ? std::make_unique<Labels>() : std::make_unique<Labels>(*now);
  auto shared = std::make_shared<const std::string>(value);
  labels->value_bytes += value.size();
  if (old == nullptr) {
    labels->all.push_back({std::string(name), std::move(shared)});
  } else {
    Label& replaced = labels->all[static_cast<std::size_t>(old - now->all.data())];
    labels->value_bytes -= replaced.value->size();
    replaced.value = std::move(shared);
  }
  HF_TRY_ASSIGN(auto entry, find_or_add(socket));
  publish(entry, std::move(labels));
  return {};
}

Result<void> Store::remove(Cookie socket, std::string_view name) {
  const std::lock_guard lock(changing_);
  Entry* entry = find(socket);
  const Labels* now = entry == nullptr ? nullptr : entry->labels.load(std::memory_order_relaxed);
  const Label* old = now == nullptr ? nullptr : now->find(name);
  if (old == nullptr) return Error{ENODATA, "remove label", std::string(name), {}};
  if (now->all.size() == 1) {
    remove_entry(entry);
    return {};
  }
  auto labels = std::make_unique<Labels>(*now);
  labels->value_bytes -= old->value->size();
  labels->all.erase(labels->all.begin() + (old - now->all.data()));
  publish(entry, std::move(labels));
  return {};
}

Result<void> Store::copy(Cookie from, Cookie to) {
  const std::lock_guard lock(changing_);
  const Entry* source = find(from);
  const Labels* labels =
      source == nullptr ? nullptr : source->labels.load(std::memory_order_relaxed);
  if (labels == nullptr || from == to) return {};
  if (bytes_ + labels->bytes() > limits_.bytes) return Error{ENOSPC, "copy labels", {}, {}};
  HF_TRY_ASSIGN(auto entry, find_or_add(to));
  publish(entry, std::make_unique<Labels>(*labels));
  return {};
}

void Store::remove_entry(Entry* entry) {
  std::atomic<Entry*>* link = &table_->heads[bucket_of(entry->socket)];
  while (link->load(std::memory_order_relaxed) != entry)
    link = &link->load(std::memory_order_relaxed)->next;
  link->store(entry->next.load(std::memory_order_relaxed), std::memory_order_release);
  std::unique_ptr<const Labels> labels(entry->labels.load(std::memory_order_relaxed));
  if (labels) bytes_ -= labels->bytes();
  sockets_--;
  old_labels_.push_back(std::move(labels));
  old_entries_.emplace_back(entry);
  if (old_entries_.size() >= kMaxOld) reclaim_locked();
}

void Store::forget(Cookie socket) {
  const std::lock_guard lock(changing_);
  if (Entry* entry = find(socket)) remove_entry(entry);
}

bool Store::has(Cookie socket) const {
  const Reading reading;
  return find(socket) != nullptr;
}

std::vector<Cookie> Store::sockets() const {
  const std::lock_guard lock(changing_);
  std::vector<Cookie> found;
  found.reserve(sockets_);
  for (std::size_t bucket = 0; bucket < kBuckets && found.size() < sockets_; bucket++)
    for (const Entry* entry = table_->heads[bucket].load(std::memory_order_relaxed);
         entry != nullptr; entry = entry->next.load(std::memory_order_relaxed))
      found.push_back(entry->socket);
  return found;
}

std::size_t Store::socket_count() const {
  const std::lock_guard lock(changing_);
  return sockets_;
}

std::size_t Store::byte_count() const {
  const std::lock_guard lock(changing_);
  return bytes_;
}

// Waits for a grace period with the lock held. That is safe: readers do not take the lock.
void Store::reclaim_locked() {
  if (old_labels_.empty() && old_entries_.empty()) return;
  urcu_bp_synchronize_rcu();
  readers_have_ended();
  old_labels_.clear();
  old_entries_.clear();
}

void Store::reclaim() {
  const std::lock_guard lock(changing_);
  reclaim_locked();
}

}  // namespace holdfast::label
