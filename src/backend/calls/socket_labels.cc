// SPDX-License-Identifier: Apache-2.0
#include "backend/calls/socket_labels.h"

#include <algorithm>
#include <cerrno>

#include "kernel/memory.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"
#include "kernel/timer.h"
#include "label/access.h"

namespace holdfast::backend::calls {
namespace {

constexpr std::uint64_t kCollectMs = 1000;
constexpr std::uint64_t kCollectShare = 50;  // collect() uses at most 1/50 of the time
constexpr std::size_t kManyForgotten = 1024;
constexpr std::uint64_t kNsPerMs = 1'000'000;

}  // namespace

SocketAttributes socket_attributes() {
  return kernel::has_socket_attributes() ? SocketAttributes::native : SocketAttributes::emulated;
}

SocketLabels::SocketLabels(const kernel::Proc& proc, SocketAttributes kernel, Fd timer,
                           kernel::OpenFileWatch live)
    : proc_(proc),
      kernel_(kernel),
      timer_(std::move(timer)),
      watch_(std::move(live)),
      store_(std::make_unique<label::Store>()) {}

Result<SocketLabels> SocketLabels::create(const kernel::Proc& proc, SocketAttributes kernel) {
  HF_TRY_ASSIGN(auto timer, kernel::make_timer());
  HF_TRY_ASSIGN(auto live, kernel::OpenFileWatch::create());
  return SocketLabels(proc, kernel, std::move(timer), std::move(live));
}

Result<std::optional<std::string>> SocketLabels::get(int socket_fd, label::Cookie cookie,
                                                     const std::string& name) {
  if (kernel_ == SocketAttributes::emulated) {
    HF_TRY(take_over(socket_fd, cookie));
    return store_->get(cookie, name);
  }
  auto value = kernel::get_attribute(socket_fd, name);
  if (value) return std::optional(std::move(*value));
  if (value.error().code == ENODATA) return std::optional<std::string>();
  return value.error();
}

Result<std::vector<std::string>> SocketLabels::list(int socket_fd, label::Cookie cookie) {
  auto names = kernel::list_attributes(socket_fd);
  if (!names || kernel_ == SocketAttributes::native) return names;
  HF_TRY(take_over(socket_fd, cookie));
  // The order of sockfs_listxattr() of Linux 7.3: labels of security modules, labels of users, the
  // protocol's name.
  const auto position = std::find_if(names->begin(), names->end(), [](const std::string& name) {
    return !name.starts_with("security.");
  });
  const auto own = store_->list(cookie);
  names->insert(position, own.begin(), own.end());
  return names;
}

Result<void> SocketLabels::watch(int socket_fd, label::Cookie cookie) {
  const std::lock_guard lock(*watching_);
  if (store_->has(cookie)) return {};
  auto watched = watch_.watch(socket_fd, cookie);
  if (!watched && watched.error().code != EEXIST) return watched;  // EEXIST: watched already
  if (timer_armed_) return {};
  timer_armed_ = true;
  return kernel::arm_timer(timer_.get(), kCollectMs);
}

// BPF programs give an accepted socket its labels, so only the mirror has them at first. Copies
// them into the store.
Result<void> SocketLabels::take_over(int socket_fd, label::Cookie cookie) {
  if (mirror_ == nullptr) return {};
  const label::Cookie listener = mirror_->inherited_from(socket_fd);
  if (listener == 0) return {};
  if (store_->has(listener) && !store_->has(cookie)) {
    HF_TRY(watch(socket_fd, cookie));
    HF_TRY(store_->copy(listener, cookie));
  }
  return mirror_->take_over(socket_fd);
}

Result<void> SocketLabels::update_mirror(int socket_fd, label::Cookie cookie) {
  if (mirror_ == nullptr) return {};
  return mirror_->write(socket_fd,
                        [&](const std::string& name) { return store_->get(cookie, name); });
}

Result<void> SocketLabels::set(int socket_fd, label::Cookie cookie, const std::string& name,
                               std::string_view value, int flags) {
  if (kernel_ == SocketAttributes::native)
    return kernel::set_attribute(socket_fd, name, value, flags);
  if (observer_) observer_(name, value);
  HF_TRY(take_over(socket_fd, cookie));
  HF_TRY(watch(socket_fd, cookie));
  const auto before = store_->get(cookie, name);
  auto done = store_->set(cookie, name, value, flags);
  if (!done && done.error().code == ENOSPC) {
    collect();  // sockets that are gone may fill the store
    done = store_->set(cookie, name, value, flags);
  }
  if (!done) return done;
  auto mirrored = update_mirror(socket_fd, cookie);
  if (mirrored) return {};
  // Undo: rules would not apply to a label that the mirror lacks.
  (void)(before ? store_->set(cookie, name, *before, 0) : store_->remove(cookie, name));
  return mirrored;
}

Result<void> SocketLabels::remove(int socket_fd, label::Cookie cookie, const std::string& name) {
  if (kernel_ == SocketAttributes::native) return kernel::remove_attribute(socket_fd, name);
  HF_TRY(take_over(socket_fd, cookie));
  const auto before = store_->get(cookie, name);
  HF_TRY(store_->remove(cookie, name));
  auto mirrored = update_mirror(socket_fd, cookie);
  if (!mirrored && before) (void)store_->set(cookie, name, *before, 0);
  return mirrored;
}

Result<void> SocketLabels::copy(int from_fd, label::Cookie from, int to_fd, label::Cookie to) {
  if (kernel_ == SocketAttributes::emulated) {
    HF_TRY(take_over(from_fd, from));
    if (!store_->has(from)) return {};
    HF_TRY(watch(to_fd, to));
    HF_TRY(store_->copy(from, to));
    return update_mirror(to_fd, to);
  }
  HF_TRY_ASSIGN(const auto names, kernel::list_attributes(from_fd));
  for (const std::string& name : names) {
    if (!label::is_label_name(name)) continue;
    const auto value = kernel::get_attribute(from_fd, name);
    if (!value && value.error().code == ENODATA) continue;  // removed meanwhile
    if (!value) return value.error();
    HF_TRY(kernel::set_attribute(to_fd, name, *value, 0));
  }
  return {};
}

void SocketLabels::collect() {
  const std::lock_guard lock(*watching_);
  (void)kernel::timer_expired(timer_.get());
  const std::uint64_t began_ns = kernel::boottime_ns();
  // List the labelled sockets before the open ones. A socket that is labelled in between is then in
  // neither list, and is kept.
  const std::vector<label::Cookie> known = store_->sockets();
  auto alive = watch_.numbers(proc_);
  timer_armed_ = false;
  if (alive) {
    std::sort(alive->begin(), alive->end());
    std::size_t forgotten = 0;
    for (const label::Cookie cookie : known) {
      if (std::binary_search(alive->begin(), alive->end(), cookie)) continue;
      store_->forget(cookie);
      forgotten++;
    }
    store_->reclaim();
    alive->clear();
    alive->shrink_to_fit();
    if (forgotten >= kManyForgotten) kernel::trim_memory();
  }
  if (store_->socket_count() == 0) return;
  const std::uint64_t took_ms = (kernel::boottime_ns() - began_ns) / kNsPerMs;
  timer_armed_ =
      bool(kernel::arm_timer(timer_.get(), std::max(kCollectMs, took_ms * kCollectShare)));
}

}  // namespace holdfast::backend::calls
