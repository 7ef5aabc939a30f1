// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/machine_labels.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <tuple>

#include "kernel/proc/proc.h"
#include "kernel/random.h"
#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/sockets.h"
#include "kernel/system_error.h"
#include "label/access.h"
#include "label/stable_copy.h"
#include "label/survey.h"

namespace holdfast::backend::lsm {

namespace {

// Of all sockets whose labels this process keeps.
constexpr std::size_t kMaxLongBytes = std::size_t{16} << 20;

// Texts one after the other. False: they do not fit.
bool put_texts(const Labels& labels, hf_label_store& store) {
  std::size_t at = 0;
  for (const auto& [name, value] : labels) {
    const std::size_t bytes = sizeof(hf_stored_label) + name.size() + value.size();
    if (at + bytes > sizeof(store.texts)) return false;
    const hf_stored_label head = {static_cast<__u16>(name.size()),
                                  static_cast<__u16>(value.size())};
    char* to = store.texts + at;
    std::memcpy(to, &head, sizeof(head));
    std::ranges::copy(value, std::ranges::copy(name, to + sizeof(head)).out);
    at += bytes;
  }
  store.length = static_cast<__u32>(at);
  return true;
}

// Errors: EIO what is there makes no sense.
Result<Labels> texts_in(const hf_label_store& store) {
  const Error torn = {EIO, "read labels", {}, "what is kept of this socket makes no sense"};
  Labels labels;
  std::size_t at = 0;
  if (store.length > sizeof(store.texts)) return torn;
  while (at < store.length) {
    hf_stored_label head = {};
    if (at + sizeof(head) > store.length) return torn;
    std::memcpy(&head, store.texts + at, sizeof(head));
    at += sizeof(head);
    if (at + head.name_bytes + head.value_bytes > store.length) return torn;
    labels.emplace_back(std::string(store.texts + at, head.name_bytes),
                        std::string(store.texts + at + head.name_bytes, head.value_bytes));
    at += std::size_t{head.name_bytes} + head.value_bytes;
  }
  return labels;
}

// Nothing: the socket never had a label.
Result<std::unique_ptr<hf_label_store>> read_store(int map_fd, int socket_fd) {
  auto store = std::make_unique<hf_label_store>();
  if (bpf_map_lookup_elem(map_fd, &socket_fd, store.get()) == 0) return store;
  auto error = kernel::system_error("read BPF map", "label_store");
  if (error.code == ENOENT) return std::unique_ptr<hf_label_store>();
  return error;
}

Result<void> put(int map_fd, int socket_fd, const void* value) {
  if (bpf_map_update_elem(map_fd, &socket_fd, value, BPF_ANY) != 0)
    return kernel::system_error("fill BPF map", "labels");
  return {};
}

// As the kernel has them. A label that goes away meanwhile is none.
Labels attributes_of(int socket_fd) {
  Labels labels;
  const auto names = kernel::list_attributes(socket_fd);
  if (!names) return labels;
  for (const std::string& name : *names)
    if (label::is_label_name(name))
      if (auto value = kernel::get_attribute(socket_fd, name))
        labels.emplace_back(name, std::move(*value));
  return labels;
}

Error not_kept_here() {
  return {ENOTSUP, "labels", {}, "this kernel's sockets have labels of their own"};
}

}  // namespace

// ---- texts that do not fit -----------------------------------------------------------------------

std::size_t LongLabels::bytes() const {
  std::size_t bytes = 0;
  for (const auto& [cookie, labels] : labels_)
    for (const auto& [name, value] : labels) bytes += name.size() + value.size();
  return bytes;
}

Result<void> LongLabels::collect() {
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  HF_TRY_ASSIGN(const auto alive, watch_->numbers(proc));
  const std::set<std::uint64_t> open(alive.begin(), alive.end());
  std::erase_if(labels_, [&](const auto& entry) { return !open.contains(entry.first); });
  after_collecting_ = labels_.size();
  return {};
}

Result<void> LongLabels::put(int socket_fd, std::uint64_t cookie, const Labels& labels) {
  constexpr std::size_t kFew = 64;
  if (!watch_) {
    HF_TRY_ASSIGN(watch_, kernel::OpenFileWatch::create());
  }
  if (labels_.size() > 2 * after_collecting_ + kFew) HF_TRY(collect());
  const auto before = labels_.find(cookie);
  std::optional<Labels> old;
  if (before != labels_.end()) old = before->second;
  if (auto watched = watch_->watch(socket_fd, cookie); !watched && watched.error().code != EEXIST)
    return watched;
  labels_[cookie] = labels;
  if (bytes() <= kMaxLongBytes) return {};
  HF_TRY(collect());
  if (bytes() <= kMaxLongBytes) return {};
  if (old)
    labels_[cookie] = *std::move(old);
  else
    labels_.erase(cookie);
  return Error{ENOSPC, "set labels", {}, "holdfastd keeps too many long labels"};
}

const Labels* LongLabels::of(std::uint64_t cookie) const {
  const auto at = labels_.find(cookie);
  return at == labels_.end() ? nullptr : &at->second;
}

void LongLabels::forget(std::uint64_t cookie) { labels_.erase(cookie); }

// ---- all labels ----------------------------------------------------------------------------------

std::uint64_t label_hash(const hf_sip_key& key, std::string_view text) {
  if (text.size() >= HF_SIP_BYTES) return HF_LABEL_HASH_LONG;
  hf_sip_text padded = {};
  padded.length = static_cast<__u32>(text.size());
  std::memcpy(padded.words, text.data(), text.size());
  return hf_kept_hash(hf_siphash(&key, &padded));
}

Result<MachineLabels> MachineLabels::open(const LabelMaps& maps) {
  const __u32 zero = 0;
  hf_sip_key key = {};
  if (bpf_map_lookup_elem(maps.key_fd, &zero, &key) != 0)
    return kernel::system_error("read BPF map", "label_key");
  if (key.k0 != 0 || key.k1 != 0) return MachineLabels(maps, key);
  HF_TRY(kernel::fill_random(&key, sizeof(key)));
  key.k0 |= 1;  // 0 is no key
  if (bpf_map_update_elem(maps.key_fd, &zero, &key, BPF_ANY) != 0)
    return kernel::system_error("fill BPF map", "label_key");
  return MachineLabels(maps, key);
}

Result<hf_machine_labels> MachineLabels::hashed(const Labels& labels) const {
  hf_machine_labels all = {};
  std::set<std::string_view> names;
  for (const auto& [name, value] : labels) {
    if (!label::is_label_name(name) || name.size() > label::kMaxNameBytes ||
        name.find('\0') != std::string::npos || !names.insert(name).second)
      return Error{EINVAL, "set labels", name, "not the name of a label, or twice"};
    if (all.used == HF_MACHINE_LABELS)
      all.unknown = 1;
    else
      all.labels[all.used++] = {label_hash(key_, name), label_hash(key_, value)};
  }
  return all;
}

Result<Labels> MachineLabels::labels_of(int socket_fd) const {
  if (maps_.kernel_labels) return not_kept_here();
  HF_TRY_ASSIGN(const auto cookie, kernel::socket_cookie(socket_fd));
  HF_TRY_ASSIGN(auto store, read_store(maps_.store_fd, socket_fd));
  if (!store) return Labels();
  if (store->length != HF_LABEL_TEXTS_ELSEWHERE) return texts_in(*store);
  if (const Labels* labels = long_.of(cookie)) return *labels;
  return Error{
      EIO, "read labels", {}, "long labels are lost when holdfastd ends, or not inherited"};
}

// The texts that this process keeps are there before the store says so, and go after it.
Result<void> MachineLabels::set_labels(int socket_fd, const Labels& labels) {
  if (maps_.kernel_labels) return not_kept_here();
  HF_TRY_ASSIGN(const auto cookie, kernel::socket_cookie(socket_fd));
  HF_TRY_ASSIGN(const auto all, hashed(labels));
  auto store = std::make_unique<hf_label_store>();
  store->hashed = all;
  const bool fits = put_texts(labels, *store);
  if (!fits) {
    HF_TRY(long_.put(socket_fd, cookie, labels));
    store->length = HF_LABEL_TEXTS_ELSEWHERE;
  }
  HF_TRY(put(maps_.store_fd, socket_fd, store.get()));
  if (fits) long_.forget(cookie);
  return {};
}

// A task may change a label meanwhile. The kernel has changed it before a program hears of it, so
// what was written over in between is seen by the second look. A name that went away in between has
// no place any more, which is what it would have as well. The labels of a socket that does not keep
// still are not known: what would need them is refused.
Result<void> MachineLabels::learn_socket(int socket_fd) const {
  hf_machine_labels known = {};
  const auto look = [&] { return attributes_of(socket_fd); };
  const auto write = [&](const Labels& found) -> Result<void> {
    HF_TRY_ASSIGN(known, hashed(found));
    return put(maps_.hashed_fd, socket_fd, &known);
  };
  HF_TRY_ASSIGN(const auto stability, label::copy_until_stable(look, write));
  if (stability == label::Stability::stable) return {};
  known.unknown = 1;
  return put(maps_.hashed_fd, socket_fd, &known);
}

Result<void> MachineLabels::learn(int store_before_fd) {
  Result<void> learned;
  const auto keep_error = [&](Result<void> one) {
    if (!one) learned = std::move(one);
  };
  const auto visit = [&](int socket_fd) {
    if (maps_.kernel_labels) return keep_error(learn_socket(socket_fd));
    if (store_before_fd < 0) return;
    const auto before = read_store(store_before_fd, socket_fd);
    if (!before) return keep_error(before.error());
    if (!*before) return;
    // The process that has the texts ends. What they were is still decided by.
    if ((*before)->length == HF_LABEL_TEXTS_ELSEWHERE)
      return keep_error(put(maps_.store_fd, socket_fd, before->get()));
    const auto labels = texts_in(**before);
    keep_error(labels ? set_labels(socket_fd, *labels) : labels.error());
  };
  HF_TRY_ASSIGN(std::ignore, label::visit_sockets(visit));
  return learned;
}

Result<void> MachineLabels::prove() const {
  if (!maps_.kernel_labels) return {};
  const std::string name = "user.holdfast", value = "self-test";
  HF_TRY_ASSIGN(const auto socket, kernel::make_unix_datagram_socket());
  HF_TRY(kernel::set_attribute(socket.get(), name, value, 0));
  hf_machine_labels known = {};
  const int fd = socket.get();
  if (bpf_map_lookup_elem(maps_.hashed_fd, &fd, &known) == 0 && known.used == 1 &&
      known.labels[0].name == label_hash(key_, name) &&
      known.labels[0].value == label_hash(key_, value))
    return {};
  return Error{EPERM, "prove enforcement", "labels", "a label that was set did not arrive"};
}

}  // namespace holdfast::backend::lsm
