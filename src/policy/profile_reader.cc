// SPDX-License-Identifier: Apache-2.0
// Reads a document into the model: the top level, and the settings of a profile about namespaces,
// cgroups and marks.
#include <fmt/core.h>

#include <algorithm>

#include "policy/reader.h"

namespace holdfast::policy {
namespace {

constexpr std::size_t kMaxProfileNameBytes = 64;

void check_version(const Value& root, Reader& in) {
  const Entry* version = root.find("version");
  if (version == nullptr)
    return in.error(root.where, "'version' is missing", "start the file with: version = 1");
  if (!in.expect(*version, Kind::integer, "an integer") || version->value.integer == 1) return;
  in.error(version->value.where, fmt::format("version {} is not supported", version->value.integer),
           "this holdfast reads version 1");
}

// Words with another meaning in requests. A request could not name a profile with such a name.
bool is_reserved(std::string_view name) {
  return name == "any" || name == "none" || name == "own" || name == "host" || name == "unknown" ||
         name == "delegated";
}

bool check_name(const Entry& entry, Reader& in) {
  const std::string& name = entry.key;
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '@' || c == ':';
  });
  if (name.empty() || name.size() > kMaxProfileNameBytes || !plain) {
    in.error(entry.key_where, "a profile's name is 1 to 64 letters, digits and . _ - @ :");
    return false;
  }
  if (is_reserved(name)) {
    in.error(entry.key_where,
             fmt::format("'{}' is a reserved word and cannot name a profile", name));
    return false;
  }
  return true;
}

Setting<Movers> read_movers(const Entry* entry, Reader& in) {
  if (entry == nullptr) return std::nullopt;
  const Value& value = entry->value;
  Movers movers;
  if (value.kind == Kind::string && value.string == "any") return stated(*entry, std::move(movers));
  movers.any = false;
  if (value.kind == Kind::string && value.string == "none")
    return stated(*entry, std::move(movers));
  if (value.kind == Kind::string) {
    in.error(value.where, fmt::format("'{}' must be any, none or a list of profiles", entry->key),
             fmt::format("write [\"{}\"]", value.string));
    return std::nullopt;
  }
  if (!in.expect(*entry, Kind::array, "any, none or a list of profiles")) return std::nullopt;
  for (Stated<std::string>& name : in.strings(*entry, Reader::Single::refused))
    movers.names.push_back({std::move(name.value), name.value_where});
  return stated(*entry, std::move(movers));
}

Setting<Inside> read_inside(const Entry* entry, Reader& in) {
  if (entry != nullptr && entry->value.kind == Kind::string && entry->value.string == "delegated")
    return stated(*entry, Inside{HF_INSIDE_DELEGATED, {}});
  Setting<Movers> movers = read_movers(entry, in);
  if (!movers) return std::nullopt;
  std::uint8_t kind = movers->value.any ? HF_INSIDE_ANY : HF_INSIDE_LIST;
  const auto is_delegated = [](const ProfileName& mover) { return mover.name == "delegated"; };
  if (std::erase_if(movers->value.names, is_delegated) > 0) kind = HF_INSIDE_DELEGATED;
  return stated(*entry, Inside{kind, std::move(movers->value.names)});
}

void read_sockets(const Entry& entry, Profile& profile, Reader& in) {
  if (!in.expect(entry, Kind::array, "a list of tables: [[profile.NAME.socket]]")) return;
  for (const Value& item : entry.value.items) {
    if (item.kind == Kind::table) {
      profile.sockets.push_back(read_socket_rule(item, in));
    } else {
      in.error(item.where,
               fmt::format("a socket rule must be a table, not {}", to_string(item.kind)));
    }
  }
}

void read_namespaces(const Value& table, Profile& profile, Reader& in) {
  in.only_keys(table, {"create", "enter", "track", "visitors"}, "namespaces");
  profile.ns_create = in.mask(table.find("create"), kNsTypeNames, HF_NS_ALL);
  profile.ns_enter = in.word(table.find("enter"), kEnterNames);
  profile.ns_track = in.boolean(table.find("track"));
  profile.ns_visitors = in.word(table.find("visitors"), kVisitorsNames);
}

void read_cgroups(const Value& table, Profile& profile, Reader& in) {
  in.only_keys(table, {"leave", "join", "inside"}, "cgroups");
  profile.cg_leave = read_movers(table.find("leave"), in);
  profile.cg_join = read_movers(table.find("join"), in);
  profile.cg_inside = read_inside(table.find("inside"), in);
}

Profile read_profile(const Entry& entry, Reader& in) {
  const Value& table = entry.value;
  Profile profile;
  profile.name = entry.key;
  profile.where = entry.key_where;
  in.only_keys(table,
               {"cgroup", "mark", "mark_by", "mode", "log", "namespaces", "cgroups", "socket",
                "bpf", "label"},
               fmt::format("[profile.{}]", entry.key));
  if (const Entry* cgroup = table.find("cgroup"); cgroup != nullptr) {
    profile.cgroups = in.strings(*cgroup, Reader::Single::allowed);
    if (cgroup->value.kind == Kind::array && cgroup->value.items.empty())
      in.error(cgroup->value.where, "'cgroup' names no cgroup", "leave it out");
  }
  profile.mark = in.string(table.find("mark"));
  profile.mark_by = read_movers(table.find("mark_by"), in);
  profile.mode = in.word(table.find("mode"), kModeNames);
  profile.log = in.word(table.find("log"), kLogNames);
  if (const Value* section = in.table(table, "namespaces"); section != nullptr)
    read_namespaces(*section, profile, in);
  if (const Value* section = in.table(table, "cgroups"); section != nullptr)
    read_cgroups(*section, profile, in);
  if (const Entry* sockets = table.find("socket"); sockets != nullptr)
    read_sockets(*sockets, profile, in);
  if (const Entry* bpf = table.find("bpf"); bpf != nullptr && in.table(table, "bpf") != nullptr)
    profile.bpf = read_bpf(*bpf, in);
  if (const Value* section = in.table(table, "label"); section != nullptr)
    profile.labels = read_labels(*section, in);
  return profile;
}

}  // namespace

void read_model(const Value& root, Model& model, std::vector<Diagnostic>& diagnostics) {
  Reader in(diagnostics);
  check_version(root, in);
  in.only_keys(root, {"version", "mode", "log", "profile"}, "the policy");
  const Setting<std::uint8_t> mode = in.word(root.find("mode"), kModeNames);
  const Setting<std::uint8_t> log = in.word(root.find("log"), kLogNames);
  const Value* profiles = in.table(root, "profile");
  if (profiles == nullptr) return;
  for (const Entry& entry : profiles->entries) {
    if (!check_name(entry, in) || !in.expect(entry, Kind::table, "a table")) continue;
    Profile profile = read_profile(entry, in);
    if (!profile.mode) profile.mode = mode;
    if (!profile.log) profile.log = log;
    model.profiles.push_back(std::move(profile));
  }
}

}  // namespace holdfast::policy
