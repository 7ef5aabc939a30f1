// SPDX-License-Identifier: Apache-2.0
// The lsm backend: what it needs, and what its promises depend on.
#include <cerrno>
#include <string>

#include "backend/backend.h"
#include "backend/lsm/selection.h"
#include "kernel/bpf/btf.h"
#include "kernel/probe.h"
#include "kernel/sockets/sockets.h"

namespace holdfast::backend {

namespace {

bool bpf_can_be_decided() {
  const auto types = kernel::KernelTypes::load();
  return types && types->has_function(std::string(lsm::kTokenHook));
}

class LsmBackend : public Backend {
 public:
  [[nodiscard]] Enforcer enforcer() const override { return Enforcer::lsm; }
  [[nodiscard]] Result<void> available() const override;
  [[nodiscard]] Conditions conditions() const override;
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

Conditions LsmBackend::conditions() const {
  Conditions holding;
  if (kernel::has_socket_attributes()) holding.add(Condition::socket_attributes);
  if (!bpf_can_be_decided()) holding.add(Condition::no_bpf_tokens);
  if (const auto types = kernel::KernelTypes::load(); types && lsm::asks_natively(*types))
    holding.add(Condition::native_hooks);
  return holding;
}

}  // namespace

std::unique_ptr<Backend> make_lsm_backend() { return std::make_unique<LsmBackend>(); }

}  // namespace holdfast::backend
