// SPDX-License-Identifier: Apache-2.0
// The kernel permits each step only in one place:
//   1. Open the context inside the user namespace, which thereby owns the file system.
//   2. Configure and create it in the initial user namespace, since only its root may delegate.
//   3. Mount it inside the user namespace.
// Masks are written as numbers, because a kernel without type information accepts no names.
#include "delegate/grant.h"

#include <fmt/core.h>

#include <cerrno>

#include "delegate/mounts.h"
#include "kernel/bpf/bpffs.h"
#include "kernel/proc/open_files.h"
#include "kernel/process/namespaced_call.h"
#include "kernel/process/namespaces.h"

namespace holdfast::delegate {
namespace {

// USER_NS_INIT_INO of linux/nsfs.h: fixed since the first namespaces had numbers.
constexpr kernel::NamespaceInode kInitialUserNamespace = 0xeffffffd;

constexpr const char* kNeededRight = "it needs CAP_SYS_ADMIN in the initial user namespace";

struct Namespaces {
  Fd user;
  Fd mount;  // empty: the caller's mount namespace
};

Result<kernel::NamespaceObject> identify(const Fd& file) {
  return kernel::identify_namespace(file.get());
}

// Delegation works only in the initial user namespace. Elsewhere the kernel's own error would not
// explain that.
Result<void> check_caller() {
  HF_TRY_ASSIGN(const auto own, kernel::open_unchecked_namespace("/proc/self/ns/user"));
  HF_TRY_ASSIGN(const auto identity, identify(own));
  if (identity.inode == kInitialUserNamespace) return {};
  return Error{EPERM, "delegate", "", kNeededRight};
}

Result<Namespaces> open_namespaces(const Grant& what) {
  Namespaces found;
  if (!what.at.starts_with('/')) return Error{EINVAL, "mount on", what.at, "not an absolute path"};
  if (what.pid != 0) {
    HF_TRY_ASSIGN(auto of_process, kernel::process_namespaces(what.pid));
    found.user = std::move(of_process.user);
    found.mount = std::move(of_process.mount);
  } else {
    HF_TRY_ASSIGN(found.user, kernel::open_unchecked_namespace(what.user_ns));
  }
  const std::string name = what.pid != 0 ? fmt::format("process {}", what.pid) : what.user_ns;
  const auto identity = identify(found.user);
  if (!identity || identity->type != kernel::kUserNamespace)
    return Error{EINVAL, "not a user namespace:", name,
                 "give a pid or a file such as /proc/PID/ns/user"};
  if (identity->inode == kInitialUserNamespace)
    return Error{EOPNOTSUPP, "delegate to", name,
                 "it is in the initial user namespace, where tokens do not exist"};
  return found;
}

Result<void> check_set(const Set& set, const Vocabulary& vocabulary) {
  if (set.empty()) return Error{EINVAL, "nothing to delegate", "", ""};
  for (const Kind kind : kKinds) {
    const std::uint64_t mask = set[kind];
    if (mask == ~std::uint64_t{0} || (mask & ~vocabulary.of(kind).any) == 0) continue;
    return Error{EINVAL,
                 fmt::format("{:#x} is no {} of this kernel", mask & ~vocabulary.of(kind).any,
                             noun_of(kind)),
                 "", ""};
  }
  return {};
}

std::vector<kernel::FsOption> options_for(const Set& set) {
  std::vector<kernel::FsOption> options = {{"source", "bpf"}};
  for (const Kind kind : kKinds) {
    if (set[kind] != 0)
      options.push_back({std::string(option_of(kind)), fmt::format("{:#x}", set[kind])});
  }
  return options;
}

Result<Fd> mount_at(int context_fd, const Grant& what) {
  HF_TRY_ASSIGN(auto mount, kernel::mount_bpffs(context_fd));
  HF_TRY(kernel::attach_mount(mount.get(), what.root, what.at));
  return mount;
}

Result<Mount> find_mount(const Grant& what, int mount_fd, const Vocabulary& vocabulary) {
  HF_TRY_ASSIGN(const auto id, kernel::mount_id(fmt::format("/proc/self/fd/{}", mount_fd)));
  HF_TRY_ASSIGN(const auto mounts,
                what.pid != 0 ? mounts_of(what.pid, vocabulary) : mounts_here(vocabulary));
  for (const Mount& mount : mounts) {
    if (mount.id == id) return mount;
  }
  return Error{ENOENT, "find the new mount of", what.at, ""};
}

}  // namespace

Result<std::string> grant(const Grant& what, const Vocabulary& vocabulary) {
  HF_TRY(kernel::probe_bpf_tokens());
  HF_TRY(check_caller());
  HF_TRY(check_set(what.set, vocabulary));
  HF_TRY_ASSIGN(const auto namespaces, open_namespaces(what));
  const kernel::NamespacesToJoin inside{namespaces.user.get(), namespaces.mount.get()};

  HF_TRY_ASSIGN(const auto context, kernel::call_in_namespaces(inside, kernel::open_bpffs_context));
  auto created = kernel::create_bpffs(context.get(), options_for(what.set));
  if (!created && created.error().code == EPERM) {
    Error error = std::move(created).error();
    error.detail = kNeededRight;
    return error;
  }
  if (!created) return std::move(created).error();

  const auto mount = [&] { return mount_at(context.get(), what); };
  const auto unmount = [&]() -> Result<Fd> {
    HF_TRY(kernel::detach_mount(what.root + what.at));
    return Fd();
  };
  HF_TRY_ASSIGN(const auto mounted,
                namespaces.mount ? kernel::call_in_namespaces(inside, mount) : mount());

  auto found = find_mount(what, mounted.get(), vocabulary);
  if (found && print(found->set, vocabulary) == print(what.set, vocabulary))
    return print(found->set, vocabulary);
  const auto undone = namespaces.mount ? kernel::call_in_namespaces(inside, unmount) : unmount();
  if (!found) return std::move(found).error();
  return Error{EINVAL, "the kernel mounted", found->options, "which differs from the request"};
}

}  // namespace holdfast::delegate
