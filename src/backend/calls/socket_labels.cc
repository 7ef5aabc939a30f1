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

void insert_labels(std::vector<std::string>& names, const std::vector<std::string>& labels) {
  const auto position = std::ranges::find_if_not(
      names, [](const std::string& name) { return name.starts_with("security."); });
  names.insert(position, labels.begin(), labels.end());
}

Result<std::optional<std::string>> SocketLabels::get(int socket_fd, label::Cookie cookie,
                                                     const std::string& name) {
  if (kernel_ == SocketAttributes::emulated) return store_->get(cookie, name);
  auto value = kernel::get_attribute(socket_fd, name);
  if (value) return std::optional(std::move(*value));
  if (value.error().code == ENODATA) return std::optional<std::string>();
  return value.error();
}

Result<std::vector<std::string>> SocketLabels::list(int socket_fd, label::Cookie cookie) {
  auto names = kernel::list_attributes(socket_fd);
  if (!names || kernel_ == SocketAttributes::native) return names;
  insert_labels(*names, store_->list(cookie));
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

Result<void> SocketLabels::set(int socket_fd, label::Cookie cookie, const std::string& name,
                               std::string_view value, int flags) {
  if (kernel_ == SocketAttributes::native)
    return kernel::set_attribute(socket_fd, name, value, flags);
  if (observer_) observer_(name, value);
  HF_TRY(watch(socket_fd, cookie));
  auto done = store_->set(cookie, name, value, flags);
  if (done || done.error().code != ENOSPC) return done;
  collect();  // sockets that are gone may fill the store
  return store_->set(cookie, name, value, flags);
}

Result<void> SocketLabels::remove(int socket_fd, label::Cookie cookie, const std::string& name) {
  if (kernel_ == SocketAttributes::native) return kernel::remove_attribute(socket_fd, name);
  return store_->remove(cookie, name);
}

Result<void> SocketLabels::copy(int from_fd, label::Cookie from, int to_fd, label::Cookie to) {
  if (kernel_ == SocketAttributes::emulated) {
    if (!store_->has(from)) return {};
    HF_TRY(watch(to_fd, to));
    return store_->copy(from, to);
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
