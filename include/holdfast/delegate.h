// SPDX-License-Identifier: Apache-2.0
// BPF delegation sets: read, written, explained, and mounted for a user namespace. C++17.
//
//     using namespace holdfast::delegation;
//     const auto set = parse_options("delegate_cmds=map_create:prog_load,delegate_maps=array");
//     if (!set) return fail(set.error().message);
//     const auto mounted = mount(pid, *set);             // at /sys/fs/bpf of that process
//     if (!mounted && mounted.error().code == ENOSYS) ...  // a kernel before 6.9
//
// Words are those of the running kernel, read from its type information; of the one that this
// library was built with, where it has none. A delegation reaches further than its holder: see
// Explanation::reaches, and docs/delegation.md.
//
// Link with `pkg-config --static --libs holdfast-delegate`. Nothing throws but std::bad_alloc. Any
// thread, but for mount().
#ifndef HOLDFAST_DELEGATE_H
#define HOLDFAST_DELEGATE_H

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast::delegation {

struct Error {
  int code = 0;         // an errno
  std::string message;  // for a reader: what was attempted, on what, and why it failed
};

// A value or an error. Reading the one that is not there is a mistake of the caller's.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : is_(std::move(value)) {}
  Result(Error error) : is_(std::move(error)) {}

  explicit operator bool() const { return is_.index() == 0; }
  const T& operator*() const { return *std::get_if<0>(&is_); }
  const T* operator->() const { return std::get_if<0>(&is_); }
  [[nodiscard]] const Error& error() const { return *std::get_if<1>(&is_); }

 private:
  std::variant<T, Error> is_;
};

// What can be delegated, in the order in which the kernel prints it.
enum class Kind : std::size_t { commands, maps, programs, attachments };

// Bit n: the value n of the kernel's enum is delegated.
struct Set {
  std::array<std::uint64_t, 4> masks{};

  std::uint64_t& operator[](Kind kind) { return masks[static_cast<std::size_t>(kind)]; }
  std::uint64_t operator[](Kind kind) const { return masks[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] bool empty() const { return masks == std::array<std::uint64_t, 4>{}; }
};

// One option's value as the kernel takes it: words without prefix, "any", numbers, joined by ':'. A
// number replaces what stands before it. Errors: EINVAL: a word that the kernel does not have,
// which the message names.
[[nodiscard]] Result<std::uint64_t> parse(Kind kind, std::string_view value);

// The delegate_* among comma-separated mount options, as in mountinfo; other options are passed
// over. Errors: as parse().
[[nodiscard]] Result<Set> parse_options(std::string_view options);

// As mountinfo of this kernel shows the set:
// "delegate_cmds=map_create:prog_load,delegate_maps=array".
[[nodiscard]] std::string print(const Set& set);

struct Explanation {
  std::vector<std::string> may;      // "load cgroup_skb and socket_filter programs"
  std::vector<std::string> may_not;  // "load programs of the other 31 types"
  std::vector<std::string> lacking;  // why what is delegated cannot be used as it is
  std::vector<std::string> reaches;  // beyond its holder, where nothing but the kernel holds it
};
[[nodiscard]] Explanation explain(const Set& set);

// Mounts a BPF filesystem that delegates the set, at `path` in the mount namespace of the process,
// owned by its user namespace. Returns what the kernel printed for it, which is what was asked for:
// anything else is unmounted again. Errors: ENOSYS the kernel has no tokens; ESRCH no such process;
// EOPNOTSUPP it is in the initial user namespace; EINVAL an empty set, or bits that the kernel does
// not know; EPERM without CAP_SYS_ADMIN in the initial user namespace; those of mounting. Forks a
// short-lived child: the caller has one thread.
[[nodiscard]] Result<std::string> mount(pid_t pid, const Set& set,
                                        const std::string& path = "/sys/fs/bpf");

// The same for a file that is a user namespace, such as /proc/PID/ns/user; `path` is in the
// caller's mount namespace.
[[nodiscard]] Result<std::string> mount_for(const std::string& user_namespace, const Set& set,
                                            const std::string& path);

// What the BPF filesystem at the path delegates. Errors: those of open(2); EINVAL: not on one.
[[nodiscard]] Result<Set> of_path(const std::string& path);

// What a token allows. Errors: EBADF; EINVAL: not a token.
[[nodiscard]] Result<Set> of_token(int token_fd);

}  // namespace holdfast::delegation

#endif  // HOLDFAST_DELEGATE_H
