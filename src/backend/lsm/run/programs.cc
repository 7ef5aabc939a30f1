// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/run/programs.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "bpf/run.skel.h"
#include "core/map_room.h"
#include "kernel/proc/sysctl.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

namespace {

hf_label_words words_of(const SessionSpec& spec, const Selection& selection) {
  hf_label_words words = {};
  const hf_profile& profile = spec.tables->profiles[spec.profile];
  words.label_ruled = profile.label_ruled;
  words.inherit = profile.label_inherit;
  words.mirrored = selection.mirrored();
  words.count =
      static_cast<__u32>(std::min<std::size_t>(spec.labels.names.size(), HF_MAX_LABEL_NAMES));
  for (__u32 i = 0; i < words.count; i++)
    spec.labels.names[i].copy(words.names[i], HF_LABEL_TEXT - 1);
  for (__u32 i = 0; i < profile.socket_count; i++) {
    const hf_socket_rule& rule = spec.tables->socket_rules[profile.socket_first + i];
    words.operations |= rule.ops;
    if (rule.peer_count > 0 && (rule.families & HF_FAMILY_UNIX)) words.peer_operations |= rule.ops;
  }
  return words;
}

Result<void> put_text(int map_fd, const std::string& text, __u32 id) {
  hf_label_text key = {};
  if (text.size() >= sizeof(key.text)) return Error{E2BIG, "name a label", text, {}};
  key.length = static_cast<__u32>(text.size());
  text.copy(key.text, sizeof(key.text));
  if (bpf_map_update_elem(map_fd, &key, &id, BPF_ANY) != 0)
    return kernel::system_error("fill BPF map", "labels");
  return {};
}

}  // namespace

Result<void> Programs::name_labels(const LabelNames& words) const {
  if (!decide_sockets_) return {};
  for (std::size_t id = 1; id < words.values.size(); id++) {
    HF_TRY(put_text(object_.map_fd("label_values"), words.values[id], static_cast<__u32>(id)));
  }
  std::map<std::string, __u32> names;
  for (std::size_t i = 0; i < words.names.size(); i++)
    names[words.names[i]] = static_cast<__u32>(i + 1);
  for (const std::string& name : words.may_set) names[name] |= HF_LABEL_MAY_SET;
  for (const auto& [name, known] : names) {
    HF_TRY(put_text(object_.map_fd("label_names"), name, known));
  }
  return {};
}

Result<std::unique_ptr<Programs>> Programs::load(const Needs& needs, const SessionSpec& spec) {
  HF_TRY_ASSIGN(const auto selection, Selection::choose(needs));
  std::size_t bytes = 0;
  const void* data = run_bpf::elf_bytes(&bytes);
  HF_TRY_ASSIGN(auto object,
                kernel::BpfObject::open({static_cast<const std::byte*>(data), bytes}, "run"));
  object.select_programs([&selection](const bpf_program* program) {
    return selection.wants(bpf_program__section_name(program), bpf_program__name(program));
  });
  const hf_label_words words = words_of(spec, selection);
  HF_TRY(object.set_initial_value(".rodata.labels", &words, sizeof(words)));
  HF_TRY_ASSIGN(const auto tasks, kernel::max_tasks());
  HF_TRY(object.set_max_entries("calls", hf_task_room(tasks)));
  HF_TRY(object.load(selection.types()));

  std::unique_ptr<Programs> programs(new Programs(std::move(object)));
  programs->decide_sockets_ = selection.sockets();
  programs->kernel_labels_ = selection.kernel_labels();
  programs->mirrored_ = selection.sockets() && selection.mirrored();
  HF_TRY(programs->name_labels(spec.labels));
  HF_TRY_ASSIGN(auto record, SessionRecord::map(programs->object_.map_fd("session")));
  programs->record_ = std::make_unique<SessionRecord>(std::move(record));
  return programs;
}

Result<void> Programs::publish(std::uint32_t slot, const hf_tables& tables) const {
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.map_flags = BPF_F_RDONLY_PROG;
  const Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "hf_policy", sizeof(__u32), sizeof(hf_tables), 1,
                              &options));
  if (!map) return kernel::system_error("create BPF map", "policy");
  const __u32 zero = 0;
  if (bpf_map_update_elem(map.get(), &zero, &tables, BPF_ANY) != 0)
    return kernel::system_error("fill BPF map", "policy");
  if (bpf_map_freeze(map.get()) != 0) return kernel::system_error("freeze BPF map", "policy");
  const int fd = map.get();
  if (bpf_map_update_elem(object_.map_fd("tables"), &slot, &fd, BPF_ANY) != 0)
    return kernel::system_error("publish policy", "tables");
  return {};
}

Result<void> Programs::withdraw(std::uint32_t slot) const {
  if (bpf_map_delete_elem(object_.map_fd("tables"), &slot) != 0)
    return kernel::system_error("withdraw policy", "tables");
  return {};
}

Result<void> Programs::attach() {
  HF_TRY(object_.attach(links_));
  return attach_sysctl_guard();
}

Result<void> Programs::attach_sysctl_guard() {
  HF_TRY_ASSIGN(const auto root, kernel::open_whole_cgroup_hierarchy());
  HF_TRY_ASSIGN(auto link, kernel::attach_to_cgroup(object_.program("hf_sysctl"), root.get()));
  links_.push_back(std::move(link));
  return {};
}

Result<void> Programs::arm(const hf_member& as) const {
  record_->fields().armed = as;
  return kernel::run_bpf_program(object_.program_fd("hf_arm"), "hf_arm");
}

bool Programs::take_token(std::uint16_t profile, std::uint32_t rule, std::uint64_t cgroup) const {
  hf_take_token_args request = {};
  request.slot = HF_TABLES_POLICY;
  request.subject = profile;
  request.rule = rule;
  request.cgroup = cgroup;
  const auto taken =
      kernel::test_run_bpf_program(object_.program_fd("hf_take_for"), &request, sizeof(request));
  return taken && *taken == 1;
}

Result<void> Programs::protect_caller() const {
  return kernel::run_bpf_program(object_.program_fd("hf_protect"), "hf_protect");
}

Result<void> Programs::adopt(pid_t tid, const std::array<std::uint32_t, HF_NS_COUNT>& inodes,
                             std::uint64_t set, std::uint16_t owner) const {
  hf_session& fields = record_->fields();
  std::uint32_t wanted = 0;
  for (std::size_t bit = 0; bit < inodes.size(); bit++) {
    fields.adopt_inum[bit] = inodes[bit];
    if (inodes[bit] != 0) wanted |= 1u << bit;
  }
  fields.adopt_set = set;
  fields.adopt_owner = owner;
  fields.adopt_found = 0;
  HF_TRY_ASSIGN(std::ignore, kernel::read_task_iterator(object_.program("hf_adopt_child"), tid));
  const std::uint32_t found = SessionRecord::at(fields.adopt_found).load();
  std::memset(fields.adopt_inum, 0, sizeof(fields.adopt_inum));
  if (found != wanted)
    return Error{ESRCH, "track namespaces", {}, "the child is not in all of them"};
  return {};
}

Result<std::vector<pid_t>> Programs::members() const {
  HF_TRY_ASSIGN(auto bytes, kernel::read_task_iterator(object_.program("hf_list_members"), 0));
  std::vector<pid_t> pids(bytes.size() / sizeof(__u32));
  std::memcpy(pids.data(), bytes.data(), pids.size() * sizeof(__u32));
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

}  // namespace holdfast::backend::lsm
