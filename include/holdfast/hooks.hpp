// SPDX-License-Identifier: Apache-2.0
// C++ wrappers of holdfast/hooks.h: header only, C++17. Throws only std::bad_alloc. Link as for C.
//
//     holdfast::HookScope scope(cgroup_fd);                    // optional
//     auto stay = holdfast::HookedSkeleton<stay_bpf>::load();  // stay.skel.h, by bpftool
//     if (!stay) std::cerr << stay.message() << '\n';
//     stay->bss->…                                             // attached until `stay` is
//     destroyed
//
// Threads: as in holdfast/hooks.h.
#ifndef HOLDFAST_HOOKS_HPP
#define HOLDFAST_HOOKS_HPP

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "holdfast/hooks.h"

namespace holdfast {

// Calls holdfast_hooks_enable().
inline std::error_code enable_hooks() noexcept {
  const int error = holdfast_hooks_enable();
  return {error < 0 ? -error : 0, std::generic_category()};
}

// The status of each hook on this kernel. Empty: the kernel has no type information.
inline std::vector<holdfast_hook_status> hook_status() {
  std::vector<holdfast_hook_status> hooks(HOLDFAST_HOOKS);
  const int count = holdfast_hooks_status(hooks.data(), hooks.size());
  hooks.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return hooks;
}

// While it lives, newly loaded programs apply only to tasks in the subtree of this cgroup. The
// descriptor is borrowed. At most one object at a time: the destructor restores the default.
class HookScope {
 public:
  explicit HookScope(int cgroup_fd) noexcept { holdfast_hooks_limit_to_cgroup(cgroup_fd); }
  ~HookScope() { holdfast_hooks_limit_to_cgroup(-1); }
  HookScope(const HookScope&) = delete;
  HookScope& operator=(const HookScope&) = delete;
};

// While it lives, sets the effect of a refusal by a newly loaded namespace_alloc program. At most
// one object at a time: the destructor restores the default.
class AllocRefusal {
 public:
  explicit AllocRefusal(holdfast_alloc_refusal refusal) noexcept {
    holdfast_hooks_alloc_refusal(refusal);
  }
  ~AllocRefusal() { holdfast_hooks_alloc_refusal(HOLDFAST_ALLOC_ASK); }
  AllocRefusal(const AllocRefusal&) = delete;
  AllocRefusal& operator=(const AllocRefusal&) = delete;
};

// Owns a skeleton made by `bpftool gen skeleton`. It is open, loaded and attached; the destructor
// destroys it. Skeleton is the generated struct.
template <typename Skeleton>
class HookedSkeleton {
 public:
  // Calls enable_hooks(), then opens, loads and attaches the skeleton. `prepare` is called with the
  // open skeleton before the load, to set constants and sizes. On failure the result is false.
  template <typename Prepare>
  [[nodiscard]] static HookedSkeleton load(Prepare&& prepare) {
    if (const std::error_code error = enable_hooks()) return failed(error.value());
    HookedSkeleton made;
    made.skeleton_ = Skeleton::open();
    if (made.skeleton_ == nullptr) return failed(errno);
    std::forward<Prepare>(prepare)(*made.skeleton_);
    if (const int error = Skeleton::load(made.skeleton_); error != 0) return failed(-error);
    if (const int error = Skeleton::attach(made.skeleton_); error != 0) return failed(-error);
    return made;
  }
  [[nodiscard]] static HookedSkeleton load() {
    return load([](Skeleton&) {});
  }

  ~HookedSkeleton() { reset(); }
  HookedSkeleton(HookedSkeleton&& other) noexcept
      : skeleton_(std::exchange(other.skeleton_, nullptr)),
        error_(other.error_),
        message_(std::move(other.message_)) {}
  HookedSkeleton& operator=(HookedSkeleton&& other) noexcept {
    if (this == &other) return *this;
    reset();
    skeleton_ = std::exchange(other.skeleton_, nullptr);
    error_ = other.error_;
    message_ = std::move(other.message_);
    return *this;
  }
  HookedSkeleton(const HookedSkeleton&) = delete;
  HookedSkeleton& operator=(const HookedSkeleton&) = delete;

  explicit operator bool() const noexcept { return skeleton_ != nullptr; }
  Skeleton* operator->() const noexcept { return skeleton_; }
  Skeleton& operator*() const noexcept { return *skeleton_; }

  // The reason of the failure; no error and "" on success.
  [[nodiscard]] std::error_code error() const noexcept { return {error_, std::generic_category()}; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

  // Destroys the skeleton, which detaches its programs, except pinned links.
  void reset() noexcept {
    if (skeleton_ != nullptr) Skeleton::destroy(std::exchange(skeleton_, nullptr));
  }

 private:
  HookedSkeleton() = default;
  static HookedSkeleton failed(int error) {
    HookedSkeleton none;
    none.error_ = error;
    none.message_ = holdfast_hooks_error();
    if (none.message_.empty()) none.message_ = none.error().message();
    return none;
  }

  Skeleton* skeleton_ = nullptr;
  int error_ = 0;
  std::string message_;
};

}  // namespace holdfast

#endif  // HOLDFAST_HOOKS_HPP
