// SPDX-License-Identifier: Apache-2.0
// The lsm backend: what it needs, what it promises.
#include <cerrno>
#include <string>

#include "backend/backend.h"
#include "backend/lsm/selection.h"
#include "backend/lsm/session.h"
#include "kernel/btf.h"
#include "kernel/probe.h"

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
  const auto active = kernel::is_lsm_active("bpf");
  if (!active) return active.error();
  if (!*active)
    return Error{ENOTSUP,
                 "use BPF LSM",
                 {},
                 "\"bpf\" is not among the active security modules (lsm= at boot)"};
  if (!kernel::may_load_bpf())
    return Error{
        EPERM, "use BPF LSM", {}, "needs root: CAP_SYS_ADMIN in the initial user namespace"};
  return {};
}

constexpr char kNoLabels[] = "this kernel has no way to read a socket's labels (Linux 7.3)";

bool labels_can_be_read() {
  const auto types = kernel::KernelTypes::load();
  return types && types->has_function(std::string(lsm::kLabelReader));
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
      labels_can_be_read()
          ? Promise{RuleKind::socket, enforced, "what depends on a unix socket's peer is refused"}
          : Promise{RuleKind::socket, none, kNoLabels},
      labels_can_be_read()
          ? Promise{RuleKind::label, Strength::best_effort,
                    "who may set labels is enforced; accepted sockets do not inherit any"}
          : Promise{RuleKind::label, none, kNoLabels},
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
