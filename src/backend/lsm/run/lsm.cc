// SPDX-License-Identifier: Apache-2.0
// The lsm backend: what it needs, what it promises.
#include <cerrno>
#include <string>

#include "backend/backend.h"
#include "backend/lsm/run/session.h"
#include "backend/lsm/selection.h"
#include "kernel/bpf/btf.h"
#include "kernel/probe.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend {

namespace {

class LsmBackend : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "lsm"; }
  [[nodiscard]] Result<void> available() const override;
  [[nodiscard]] std::vector<Promise> promises() const override;
  Result<std::unique_ptr<Session>> open(const SessionSpec& spec) override {
    return lsm::LsmSession::open(spec);
  }
};

Result<void> LsmBackend::available() const {
  if (!kernel::has_kernel_types())
    return Error{
        ENOTSUP, "use BPF LSM", {}, "the kernel has no type information (CONFIG_DEBUG_INFO_BTF)"};
  HF_TRY_ASSIGN(const auto active, kernel::is_lsm_active("bpf"));
  if (!active)
    return Error{ENOTSUP,
                 "use BPF LSM",
                 {},
                 "\"bpf\" is not among the active security modules (lsm= at boot)"};
  if (!kernel::may_load_bpf())
    return Error{
        EPERM, "use BPF LSM", {}, "needs root: CAP_SYS_ADMIN in the initial user namespace"};
  return {};
}

// Sockets keep labels from Linux 7.1 on; before, the xattr calls of the members are answered here.
std::string label_reservation() {
  return kernel::has_socket_attributes()
             ? "what a ring or a 32-bit program accepts does not show the labels it inherits"
             : "a 32-bit program cannot label its sockets";
}

bool bpf_can_be_decided() {
  const auto types = kernel::KernelTypes::load();
  return types && types->has_function(std::string(lsm::kTokenHook));
}

std::vector<Promise> LsmBackend::promises() const {
  constexpr auto enforced = Strength::enforced;
  constexpr auto none = Strength::none;
  const std::string later = "not enforced by this version for a run";
  return {
      {RuleKind::namespaces_create, enforced, {}},
      {RuleKind::namespaces_enter, enforced, {}},
      {RuleKind::namespaces_visitors, enforced, {}},
      {RuleKind::trace, enforced, {}},
      {RuleKind::cgroups_leave, none, later},
      {RuleKind::cgroups_join, none, later},
      {RuleKind::cgroups_inside, none, later},
      {RuleKind::mark, none, later},
      {RuleKind::socket, enforced,
       "a ring's or a 32-bit program's accept that depends on the peer's label is refused"},
      {RuleKind::label, enforced, label_reservation()},
      bpf_can_be_decided()
          ? Promise{RuleKind::bpf_delegate, enforced,
                    "confined to its own cgroup, a process that has or had threads attaches "
                    "nothing"}
          : Promise{RuleKind::bpf_delegate, none, "this kernel has no BPF tokens (Linux 6.9)"},
  };
}

}  // namespace

std::unique_ptr<Backend> make_lsm_backend() { return std::make_unique<LsmBackend>(); }

}  // namespace holdfast::backend
