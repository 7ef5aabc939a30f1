// SPDX-License-Identifier: Apache-2.0
// Parses, prints and explains BPF delegation sets, and mounts them for a user namespace. C++17.
//
//     using namespace holdfast::delegation;
//     const auto set = parse_options("delegate_cmds=map_create:prog_load,delegate_maps=array");
//     if (!set) return fail(set.error().message);
//     const auto mounted = mount(pid, *set);             // at /sys/fs/bpf of that process
//     if (!mounted && mounted.error().code == ENOSYS) ...  // a kernel before 6.9
//
// Names are those of the running kernel, from its type information. If the kernel has none, they
// are the names that were compiled into this library. The effects of a delegation are not confined
// to its holder: see Explanation::reaches and docs/delegation.md.
//
// Link with `pkg-config --static --libs holdfast-delegate`. No function throws, except
// std::bad_alloc. Any thread may call all functions except mount() and mount_for(), which need a
// process with one thread.
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
  int code = 0;         // errno, positive; 0: no system call failed
  std::string message;  // one line: the operation, its object and the reason
};

// A value or an error. Access to the one that it does not hold is undefined.
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

// The kinds of rights that can be delegated, in the order in which the kernel prints them.
enum class Kind : std::size_t { commands, maps, programs, attachments };

// Bit n: the value n of the kernel's enum is delegated.
struct Set {
  std::array<std::uint64_t, 4> masks{};

  std::uint64_t& operator[](Kind kind) { return masks[static_cast<std::size_t>(kind)]; }
  std::uint64_t operator[](Kind kind) const { return masks[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] bool empty() const { return masks == std::array<std::uint64_t, 4>{}; }
};

// Parses the value of one mount option as the kernel does. It consists of parts joined by ':'. A
// part is a word without prefix, "any", or a number. A number replaces the parts before it. Errors:
// EINVAL, an unknown word, which the message contains.
[[nodiscard]] Result<std::uint64_t> parse(Kind kind, std::string_view value);

// Parses the delegate_* options among comma-separated mount options, as in mountinfo. Ignores other
// options. Errors: as parse().
[[nodiscard]] Result<Set> parse_options(std::string_view options);

// The set as this kernel shows it in mountinfo:
// "delegate_cmds=map_create:prog_load,delegate_maps=array".
[[nodiscard]] std::string print(const Set& set);

struct Explanation {
  std::vector<std::string> may;      // "load cgroup_skb and socket_filter programs"
  std::vector<std::string> may_not;  // "load programs of the other 31 types"
  std::vector<std::string> lacking;  // missing rights without which the set is not usable
  std::vector<std::string> reaches;  // effects beyond the holder's container
};
// Does not fail.
[[nodiscard]] Explanation explain(const Set& set);

// Mounts a BPF file system that delegates the set. The user namespace of the process owns it, and
// it is mounted at `path` in the mount namespace of the process. `path` is absolute and an existing
// directory. Returns the delegation options that the kernel shows for it. If they differ from the
// request, or on any other error, nothing stays mounted. Errors: ENOSYS, the kernel has no tokens;
// ESRCH, no such process; EOPNOTSUPP, the process is in the initial user namespace; EINVAL, an
// empty set, bits that the kernel does not know, a relative path, or the mounted options differ;
// EPERM, the caller lacks CAP_SYS_ADMIN in the initial user namespace; of fsopen(2), fsmount(2),
// move_mount(2). Forks short-lived children: the caller must have one thread.
[[nodiscard]] Result<std::string> mount(pid_t pid, const Set& set,
                                        const std::string& path = "/sys/fs/bpf");

// As mount(), for a user namespace file such as /proc/PID/ns/user. `path` is in the caller's mount
// namespace. Errors: as mount(); EINVAL, not a user namespace; of open(2).
[[nodiscard]] Result<std::string> mount_for(const std::string& user_namespace, const Set& set,
                                            const std::string& path);

// The set that the BPF file system at `path` delegates. Errors: of statx(2); EINVAL, `path` is not
// on a BPF file system.
[[nodiscard]] Result<Set> of_path(const std::string& path);

// The set that a token allows; the descriptor is borrowed. Errors: ENOENT, not an open descriptor;
// EINVAL, not a token.
[[nodiscard]] Result<Set> of_token(int token_fd);

}  // namespace holdfast::delegation

#endif  // HOLDFAST_DELEGATE_H
