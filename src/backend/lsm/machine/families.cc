// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/families.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "backend/lsm/machine/socket_policy.h"
#include "bpf/lib/decision_points.h"

namespace holdfast::backend::lsm {

namespace {

// The programs that record what others need come before those that decide. cgroup_capture decides a
// move and finds the moved task only if the other programs of its family are attached.
struct NamedProgram {
  std::string_view name;
  Families families;
};
constexpr NamedProgram kPrograms[] = {
    {"machine_probe", kAllFamilies},
    {"ns_native_free", kTracking},
    {"label_will_be_set", kLabels},
    {"label_was_set", kLabels},
    {"label_was_removed", kLabels},
    {"label_will_be_removed", kLabels},
    {"machine_cgroup_removed", kSockets},
    {"session_task_end", kSessions},
    {"session_fork", kSessions},
    {"session_exec", kSessions},
    {"session_trace", kSessions},
    {"session_bpf", kSessions},
    {"session_perf", kSessions},
    {"session_write", kSessions},
    {"machine_task_exit", kMarks | kPeers | kNamespaces | kSessions},
    {"machine_socket_end", kPeers},
    {"machine_meet", kPeers},
    {"machine_meet_datagram", kPeers},
    {"machine_bind", kBind},
    {"machine_connect", kConnect},
    {"machine_listen", kListen},
    {"machine_dead_send", kAcceptPeers},
    {"machine_dead_receive", kAcceptPeers},
    {"machine_dead_file", kAcceptPeers},
    {"machine_graft", kAcceptPeers},
    {"machine_accept", kAccept},
    {"machine_send", kSend},
    {"machine_fastopen", kConnect},
    {"machine_pages", kSend},
    {"machine_sctp", kBind | kConnect},
    {"cgroup_removed", kMoves | kMarks},
    {"cgroup_set_xattr", kMoves},
    {"cgroup_remove_xattr", kMoves},
    {"cgroup_forget", kMoves},
    {"cgroup_clone", kMoves},
    {"cgroup_named", kMoves},
    {"cgroup_enforce", kMoves},
    {"cgroup_release", kMoves},
    {"cgroup_capture", kMoves},
    {"machine_call_end", kNamespaces},
    {"ns_native_alloc", kNamespaces},
    {"ns_native_init", kNamespaces},
    {"ns_native_install", kNamespaces},
    {"ns_capable", kNamespaces},
    {"machine_clone", kNamespaces},
    {"ns_userns_create", kNamespaces},
    {"machine_trace", kNamespaces},
    {"machine_traceme", kNamespaces},
    {"helper_fork", kHelpers},
    {"helper_asked_1", kHelpers},
    {"helper_asked_2", kHelpers},
    {"helper_asked_3", kHelpers},
    {"helper_asked_4", kHelpers},
    {"helper_write", kHelpers},
    {"helper_option", kHelpers},
    {"helper_key", kHelpers},
    {"helper_module", kHelpers},
    {"terminal_ioctl", kHelpers},
    {"terminal_ioctl_compat", kHelpers},
    {"bpf_map_gone", kBpf},
    {"bpf_program_gone", kBpf},
    {"bpf_token_gone", kBpf},
    {"bpf_map_made", kBpf},
    {"bpf_program_made", kBpf},
    {"bpf_token_made", kBpf},
    {"bpf_open_map", kBpf},
    {"bpf_open_program", kBpf},
    {"bpf_file_received", kBpf},
    {"bpf_token_used", kBpf},
    {"bpf_file_ioctl", kBpf},
    {"bpf_file_ioctl_compat", kBpf},
    {"bpf_command", kBpf},
    {"mark_task_end", kMarks},
    {"mark_unmount", kMarks},
    {"mark_file_gone", kMarks},
    {"mark_set_xattr", kMarks},
    {"mark_was_removed", kMarks},
    {"mark_remove_xattr", kMarks},
    {"mark_get_xattr", kMarks},
    {"mark_write", kMarks},
    {"mark_trace", kMarks},
    {"mark_fork", kMarks},
    {"mark_prepare_exec", kMarks},
    {"mark_exec", kMarks},
};

constexpr FamilyMap kMaps[] = {
    {"cgroup_delegated", kMoves}, {"cgroup_clones", kMoves},    {"marked_files", kMarks},
    {"marked_cgroups", kMarks},   {"marked_tasks", kMarks},     {"machine_labels", kLabels},
    {"peer_calls", kPeers},       {"calls", kNamespaces},       {"tracked", kTracking},
    {"tracked_uses", kTracking},  {"session_tasks", kSessions}, {"bpf_objects", kBpf},
    {"bpf_usage", kBpf},
};

// The programs of bpf/namespaces/captures.bpf.h and records.bpf.h, which are named by the functions
// that they are attached to: copies, since the kernel can skip one.
std::vector<FamilyProgram> programs_by_function() {
  std::vector<FamilyProgram> programs;
  const auto add = [&](const char* function, Families families) {
    for (unsigned copy = 1; copy <= HF_COPIES; copy++)
      programs.push_back({"ns_" + std::string(function) + std::to_string(copy), families});
  };
  for (const char* function : {"common_free", "proc_free_inum", "common_init"})
    add(function, kTracking);
#define HF_POINT_PROGRAMS(proc, TYPE, install, questions, how, make, kind) \
  add(#make, kTracking);                                                   \
  add(#install, kTargets);                                                 \
  programs.push_back({"ns_" #install "_end1", kTargets});
  HF_NAMESPACE_POINTS(HF_POINT_PROGRAMS)
#undef HF_POINT_PROGRAMS
  return programs;
}

std::vector<FamilyProgram> all_programs() {
  // Before the programs that decide by what they record.
  std::vector<FamilyProgram> all = programs_by_function();
  for (const NamedProgram& program : kPrograms)
    all.push_back({std::string(program.name), program.families});
  return all;
}

constexpr std::pair<Families, std::uint16_t> kOperations[] = {{kBind, HF_SOCK_BIND},
                                                              {kConnect, HF_SOCK_CONNECT},
                                                              {kListen, HF_SOCK_LISTEN},
                                                              {kAccept, HF_SOCK_ACCEPT},
                                                              {kSend, HF_SOCK_SEND}};

template <typename Predicate>
bool any_profile(const hf_tables& tables, Predicate predicate) {
  return std::ranges::any_of(std::span(tables.profiles, tables.profile_count), predicate);
}

// What is allowed is reported as well.
bool logs_all(const hf_tables& tables) {
  return std::ranges::any_of(std::span(tables.profiles, tables.profile_count).subspan(1),
                             [](const hf_profile& profile) { return profile.log == HF_LOG_ALL; });
}

}  // namespace

std::span<const FamilyProgram> family_programs() {
  static const std::vector<FamilyProgram> all = all_programs();
  return all;
}

std::span<const FamilyMap> family_maps() { return kMaps; }

bool decides_namespaces(const hf_tables& tables) {
  return restricts_namespaces(tables) || logs_all(tables);
}

bool restricts_namespaces(const hf_tables& tables) {
  return any_profile(tables, [](const hf_profile& profile) {
    return profile.ns_create != HF_NS_ALL || profile.ns_enter != HF_ENTER_ANY ||
           profile.ns_visitors != HF_VISITORS_ALLOW || profile.ns_track != 0;
  });
}

// Rules about the namespace that is entered, and rules by which a task is held in one.
bool holds(const hf_profile& profile) {
  return profile.ns_enter == HF_ENTER_LOCK || profile.ns_visitors != HF_VISITORS_ALLOW;
}
bool namespaces_need_targets(const hf_tables& tables) {
  return logs_all(tables) || any_profile(tables, [](const hf_profile& profile) {
           return holds(profile) || profile.ns_enter != HF_ENTER_ANY;
         });
}
bool tracks_namespaces(const hf_tables& tables) {
  return any_profile(
      tables, [](const hf_profile& profile) { return holds(profile) || profile.ns_track != 0; });
}

bool keeps_tasks(const hf_tables& tables) {
  return restricts_namespaces(tables) || any_profile(tables, [](const hf_profile& profile) {
           return profile.cg_leave != HF_MOVERS_ANY;
         });
}

bool rules_bpf(const hf_tables& tables) {
  return any_profile(tables, [](const hf_profile& profile) { return profile.bpf_ruled != 0; });
}

bool restricts_moves(const hf_tables& tables) {
  return any_profile(tables, [](const hf_profile& profile) {
    return profile.cg_leave != HF_MOVERS_ANY || profile.cg_join != HF_MOVERS_ANY ||
           profile.cg_inside != HF_INSIDE_ANY;
  });
}

bool delegates(const hf_tables& tables) {
  return any_profile(
      tables, [](const hf_profile& profile) { return profile.cg_inside == HF_INSIDE_DELEGATED; });
}

Families families_of(const hf_tables& tables, const SocketPolicy& sockets, bool marks) {
  Families needed = 0;
  if (restricts_moves(tables) || logs_all(tables)) needed |= kMoves;
  if (decides_namespaces(tables)) needed |= kNamespaces;
  if (namespaces_need_targets(tables)) needed |= kTargets;
  if (tracks_namespaces(tables)) needed |= kTracking;
  if (keeps_tasks(tables)) needed |= kHelpers;
  if (marks) needed |= kMarks;
  if (rules_bpf(tables)) needed |= kBpf;
  for (const auto& [family, operation] : kOperations)
    if ((sockets.operations & operation) != 0) needed |= family;
  if (sockets.peers) needed |= kPeers;
  if (sockets.accept_peers) needed |= kAcceptPeers;
  if (sockets.inherits) needed |= kAccept;
  if (sockets.ruled_labels || (needed & kSockets) != 0) needed |= kLabels;
  return needed;
}

}  // namespace holdfast::backend::lsm
