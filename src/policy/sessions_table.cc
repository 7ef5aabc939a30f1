// SPDX-License-Identifier: Apache-2.0
#include "policy/sessions_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace holdfast::policy {
namespace {

constexpr std::string_view kUsers = "users";
constexpr char kAnyUser[] = "any";
// No user has the uid 2^32 - 1, which is no uid for the kernel.
constexpr std::int64_t kMaxId = 0xfffffffe;
// In names of /etc/passwd and /etc/group.
constexpr std::string_view kNotInNames = ":@/\n\t ";

std::optional<std::uint32_t> number_in(std::string_view text) {
  if (text.empty() || text.size() > 10 ||
      !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  const auto value = std::stoll(std::string(text));
  return value <= kMaxId ? std::optional(static_cast<std::uint32_t>(value)) : std::nullopt;
}

std::optional<SessionUser> user_by_number(const Value& item, Reader& in) {
  using Kind = SessionUser::Kind;
  if (item.integer >= 1 && item.integer <= kMaxId)
    return SessionUser{Kind::user, {}, static_cast<std::uint32_t>(item.integer)};
  in.error(item.where, fmt::format("{} is not the uid of an ordinary user", item.integer),
           item.integer == 0 ? "root may always open sessions" : "");
  return std::nullopt;
}

std::optional<SessionUser> user_by_text(const Value& item, Reader& in) {
  using Kind = SessionUser::Kind;
  if (item.string == kAnyUser) return SessionUser{Kind::any, {}, std::nullopt};
  const bool is_group = item.string.starts_with('@');
  const std::string name = item.string.substr(is_group ? 1 : 0);
  if (name.empty() || name.find_first_of(kNotInNames) != std::string::npos) {
    in.error(item.where, fmt::format("'{}' names no user", item.string),
             R"(a user is "alice", 1000, "@GROUP" for the members of a group, or "any")");
    return std::nullopt;
  }
  const auto number = number_in(name);
  if (number && !is_group) {
    in.error(item.where, fmt::format("'{}' is no name", item.string),
             fmt::format("write {}, without quotes", *number));
    return std::nullopt;
  }
  return SessionUser{is_group ? Kind::group : Kind::user, number ? std::string() : name, number};
}

Setting<std::vector<SessionUser>> read_users(const Entry* entry, Reader& in) {
  if (entry == nullptr) return std::nullopt;
  if (!in.expect(*entry, Kind::array, "a list of users")) return std::nullopt;
  std::vector<SessionUser> users;
  for (const Value& item : entry->value.items) {
    std::optional<SessionUser> user;
    if (item.kind == Kind::integer)
      user = user_by_number(item, in);
    else if (item.kind == Kind::string)
      user = user_by_text(item, in);
    else
      in.error(item.where, fmt::format("a user is a name or a uid, not {}", to_string(item.kind)));
    if (user) users.push_back(*std::move(user));
  }
  return stated(*entry, std::move(users));
}

Setting<std::uint64_t> read_quota(const Entry* entry, const SessionQuota& quota, Reader& in) {
  auto read = read_count(entry, in);
  if (!read || (read->value >= 1 && read->value <= quota.most)) return read;
  in.error(read->value_where, fmt::format("{} is not from 1 to {}", read->value, quota.most));
  return std::nullopt;
}

// Calls `use` with the name of each key and its setting in both models.
void for_each_setting(SessionsModel& one, SessionsModel& other, const auto& use) {
  use(kUsers, one.users, other.users);
  for (const SessionQuota& quota : kSessionQuotas)
    use(quota.name, one.*quota.setting, other.*quota.setting);
}

}  // namespace

SessionsModel read_sessions(const Value& root, Reader& in) {
  SessionsModel model;
  const Value* table = in.table(root, "sessions");
  if (table == nullptr) return model;
  std::vector<std::string_view> known = {kUsers};
  for (const SessionQuota& quota : kSessionQuotas) known.push_back(quota.name);
  in.only_keys(*table, known, "[sessions]");
  model.users = read_users(table->find(kUsers), in);
  for (const SessionQuota& quota : kSessionQuotas)
    model.*quota.setting = read_quota(table->find(quota.name), quota, in);
  return model;
}

void override_sessions(SessionsModel& model, SessionsModel with) {
  for_each_setting(model, with, [](std::string_view, auto& to, auto& from) {
    if (from) to = std::move(from);
  });
}

void add_sessions(SessionsModel& model, SessionsModel more, std::vector<Diagnostic>& diagnostics) {
  for_each_setting(model, more, [&](std::string_view key, auto& to, auto& from) {
    if (to && from)
      diagnostics.push_back({from->where,
                             fmt::format("'{}' of [sessions] is stated in two files", key),
                             fmt::format("first at {}; only a drop-in of that file may override it",
                                         to->where.place()),
                             ""});
    else if (from)
      to = std::move(from);
  });
}

SessionRules session_rules(const SessionsModel& model) {
  SessionRules rules;
  if (model.users) rules.users = model.users->value;
  for (const SessionQuota& quota : kSessionQuotas)
    if (const auto& setting = model.*quota.setting)
      rules.*quota.value = static_cast<std::uint32_t>(setting->value);
  return rules;
}

}  // namespace holdfast::policy
