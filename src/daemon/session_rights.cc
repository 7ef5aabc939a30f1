// SPDX-License-Identifier: Apache-2.0
#include "daemon/session_rights.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/layers.h"
#include "kernel/files/plain_file.h"
#include "kernel/proc/proc.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"

namespace holdfast::daemon {

namespace {

constexpr char kUsers[] = "/etc/passwd";
constexpr char kGroups[] = "/etc/group";
constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
constexpr std::size_t kUserNs = 3;  // bit number of HF_NS_USER
static_assert(HF_NS_USER == 1u << kUserNs);

Error refused(int code, std::string why) { return Error{code, "open session", {}, std::move(why)}; }

// The number in the third field of the line that begins with the name: passwd(5), group(5).
std::optional<std::uint32_t> number_of_name(const char* file, const std::string& name) {
  const auto text = kernel::read_plain_file(file, kMaxBytes);
  if (!text) return std::nullopt;
  const std::string_view all = *text;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    const std::string_view line = all.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with(name + ":")) continue;
    const std::size_t password_end = line.find(':', name.size() + 1);
    if (password_end == std::string_view::npos) continue;
    std::uint64_t number = 0;
    std::size_t digits = 0;
    for (const char c : line.substr(password_end + 1)) {
      if (c < '0' || c > '9' || ++digits > 10) break;
      number = 10 * number + static_cast<unsigned>(c - '0');
    }
    if (digits > 0 && number < HF_NO_UID) return static_cast<std::uint32_t>(number);
  }
  return std::nullopt;
}

struct Caller {
  std::uint32_t uid = 0;
  std::vector<std::uint32_t> groups;
};

// The facts are the caller's own: it is alive after they were read, so it had its number throughout.
Result<Caller> caller_of(const rpc::Call& call) {
  const Error gone = refused(ESRCH, "the caller has ended, or is in another pid namespace");
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  const auto pid = call.peer_fd < 0 ? Result<pid_t>(gone) : proc.process_of_pidfd(call.peer_fd);
  if (!pid || *pid <= 0) return gone;
  HF_TRY_ASSIGN(const auto task, proc.task(*pid));
  HF_TRY_ASSIGN(const auto credentials, task.credentials());
  HF_TRY_ASSIGN(const auto namespaces, task.namespaces());
  HF_TRY_ASSIGN(const auto own, proc.task(kernel::own_pid()));
  HF_TRY_ASSIGN(const auto own_namespaces, own.namespaces());
  const auto still = proc.process_of_pidfd(call.peer_fd);
  if (!still || *still != *pid) return gone;
  if (namespaces.link[kUserNs] != own_namespaces.link[kUserNs])
    return refused(ENOTSUP, "the caller is in a user namespace of its own");
  const bool alone = std::ranges::all_of(credentials.uids,
                                         [&](std::uint32_t uid) { return uid == call.peer.uid; });
  if (!alone) return refused(EPERM, "the caller has the ids of several users");
  Caller caller = {call.peer.uid, credentials.groups};
  caller.groups.insert(caller.groups.end(), credentials.gids.begin(), credentials.gids.end());
  return caller;
}

bool names_caller(const policy::SessionUser& user, const Caller& caller) {
  using Kind = policy::SessionUser::Kind;
  if (user.kind == Kind::any) return true;
  const bool is_group = user.kind == Kind::group;
  const auto number =
      user.number ? user.number : number_of_name(is_group ? kGroups : kUsers, user.name);
  if (!number) return false;
  if (!is_group) return *number == caller.uid;
  return std::ranges::find(caller.groups, *number) != caller.groups.end();
}

// Keys by which a session would give something, or would decide about tasks of others.
bool is_for_root(std::string_view key) {
  return key.starts_with("bpf.") || key.starts_with("cgroups.") || key == "label.inherit";
}

std::size_t rules_of(const policy::Compiled& policy) {
  std::size_t rules = policy.tables->socket_rule_count + policy.profiles.size() - 1 +
                      policy.label_names.size() + policy.label_values.size();
  for (const policy::LabelRights& rights : policy.label_rights) rules += rights.set.size();
  return rules;
}

}  // namespace

Result<backend::UserLimits> limits_of_caller(const policy::SessionRules& rules,
                                             const rpc::Call& call) {
  if (rules.users.empty()) return refused(EPERM, "it holds runs of root only");
  HF_TRY_ASSIGN(const auto caller, caller_of(call));
  const bool named = std::ranges::any_of(
      rules.users, [&](const policy::SessionUser& user) { return names_caller(user, caller); });
  if (!named) return refused(EPERM, "it holds no runs of this user");
  return backend::UserLimits{rules.sessions, rules.members, rules.namespaces, rules.policies,
                             rules.rules};
}

// In any profile: entries of the kernel's maps are made for all of them.
Result<void> check_user_policy(const policy::Compiled& policy, const backend::UserLimits& limits) {
  for (const policy::Rule& rule : policy.rules)
    if (is_for_root(rule.key))
      return refused(EPERM,
                     fmt::format("{}: '{}' is for root's runs", rule.where.place(), rule.key));
  // What has no line of its own.
  for (std::uint32_t i = 0; i < policy.tables->profile_count; i++)
    if (policy.tables->profiles[i].bpf_ruled != 0)
      return refused(EPERM, "[bpf] is for root's runs");
  if (const std::size_t rules = rules_of(policy); rules > limits.rules)
    return refused(EDQUOT, fmt::format("the policy has {} rules, and this user's quota is {}",
                                       rules, limits.rules));
  return {};
}

}  // namespace holdfast::daemon
