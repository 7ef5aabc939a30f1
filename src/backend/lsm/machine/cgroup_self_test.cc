// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/cgroup_self_test.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "kernel/cgroup/cgroup.h"

namespace holdfast::backend::lsm {

namespace {

constexpr std::uint16_t kSelfTestProfile = 1;

std::unique_ptr<hf_tables> self_test_tables() {
  auto tables = std::make_unique<hf_tables>();
  tables->magic = HF_TABLES_MAGIC;
  tables->version = HF_ABI_VERSION;
  tables->length = sizeof(hf_tables);
  tables->profile_count = kSelfTestProfile + 1;
  tables->mover_set_count = 1;  // set 0: nobody
  tables->any_cgroup_rules = 1;
  for (hf_profile& profile : tables->profiles) profile.ns_create = HF_NS_ALL;
  hf_profile& self_test = tables->profiles[kSelfTestProfile];
  self_test.cg_join = HF_MOVERS_LIST;
  self_test.cg_leave = HF_MOVERS_LIST;
  return tables;
}

// Each must be refused with the hook's EPERM.
Result<void> must_be_refused(const Result<void>& attempt, const char* way,
                             const std::string& where) {
  if (attempt)
    return Error{EPERM, "self-test", where,
                 std::string(way) + " was not refused: nothing is enforced here"};
  if (attempt.error().code != EPERM) return wrap(attempt.error(), "self-test");
  return {};
}

}  // namespace

CgroupSelfTest::CgroupSelfTest(std::string directory, kernel::CgroupId id,
                               std::unique_ptr<hf_tables> tables, MachineSpec spec)
    : directory_(std::move(directory)),
      tables_(std::move(tables)),
      spec_(std::move(spec)),
      id_(id) {}

CgroupSelfTest::~CgroupSelfTest() {
  // An error leaves an empty cgroup behind, which the next start does not mind.
  if (auto removed = kernel::remove_cgroup(directory_); !removed) return;
}

Result<std::unique_ptr<CgroupSelfTest>> CgroupSelfTest::create(const std::string& cgroup_root) {
  const std::string name = "/holdfast-self-test-" + std::to_string(getpid());
  auto made = kernel::make_cgroup(cgroup_root + name);
  if (!made && made.error().code != EEXIST) return std::move(made).error();
  HF_TRY_ASSIGN(const auto id, kernel::cgroup_id(cgroup_root + name));
  auto tables = self_test_tables();
  MachineSpec spec;
  spec.tables = tables.get();
  spec.bindings = {{name, kSelfTestProfile}};
  spec.cgroup_root = cgroup_root;
  return std::unique_ptr<CgroupSelfTest>(
      new CgroupSelfTest(cgroup_root + name, id, std::move(tables), std::move(spec)));
}

Result<void> CgroupSelfTest::attempt() {
  HF_TRY_ASSIGN(const auto child, kernel::IdleChild::fork());
  HF_TRY(must_be_refused(kernel::move_process(directory_, child.pid()), "a write to cgroup.procs",
                         directory_));
  const auto cloned = kernel::IdleChild::fork_into(directory_);
  return must_be_refused(cloned ? Result<void>() : Result<void>(cloned.error()),
                         "clone3 into a cgroup", directory_);
}

Result<void> CgroupSelfTest::move_in() {
  HF_TRY_ASSIGN(const auto child, kernel::IdleChild::fork());
  auto moved = kernel::move_process(directory_, child.pid());
  if (!moved && moved.error().code != EPERM) return moved;
  return {};
}

void CgroupSelfTest::see(const hf_event& event) {
  if (event.actor.tgid != static_cast<std::uint32_t>(getpid())) return;
  if (event.verdict.reason != HF_REASON_JOIN || event.target != id_) return;
  if (event.request.via == HF_VIA_CGROUP_PROCS) ++write_events_;
  if (event.request.via == HF_VIA_CLONE_INTO_CGROUP) ++clone_events_;
}

Result<void> CgroupSelfTest::conclude() const {
  if (write_events_ == 1 && clone_events_ == 1) return {};
  return Error{EPERM, "self-test", directory_,
               "refused, but not by the programs that were attached"};
}

}  // namespace holdfast::backend::lsm
