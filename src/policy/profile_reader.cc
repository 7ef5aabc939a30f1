// SPDX-License-Identifier: Apache-2.0
// Reads a document into the model: the top level, and the tables of a profile.
#include <fmt/core.h>

#include <algorithm>

#include "policy/keys.h"
#include "policy/reader.h"
#include "policy/sessions_table.h"
#include "policy/suggest.h"
#include "policy/unit_name.h"

namespace holdfast::policy {
namespace {

void check_version(const Value& root, Reader& in) {
  const Entry* version = root.find("version");
  if (version == nullptr)
    return in.error(root.where, "'version' is missing", "start the file with: version = 1");
  if (!in.expect(*version, Kind::integer, "an integer") || version->value.integer == 1) return;
  in.error(version->value.where, fmt::format("version {} is not supported", version->value.integer),
           "this holdfast reads version 1");
}

bool is_reserved(std::string_view name) {
  return std::ranges::find(kReservedProfileNames, name) != std::end(kReservedProfileNames);
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

std::vector<SocketRule> read_sockets(const Entry* entry, Reader& in) {
  std::vector<SocketRule> rules;
  if (entry == nullptr ||
      !in.expect(*entry, Kind::array, "a list of tables: [[profile.NAME.socket]]"))
    return rules;
  for (const Value& item : entry->value.items) {
    if (item.kind == Kind::table) {
      rules.push_back(read_socket_rule(item, in));
    } else {
      in.error(item.where,
               fmt::format("a socket rule must be a table, not {}", to_string(item.kind)));
    }
  }
  return rules;
}

std::vector<Stated<std::string>> read_paths(const Entry* entry, Reader& in) {
  if (entry == nullptr) return {};
  if (entry->value.kind == Kind::array && entry->value.items.empty())
    in.error(entry->value.where,
             fmt::format("'{}' names no {}", entry->key, entry->key == "unit" ? "unit" : "cgroup"),
             "leave it out");
  return in.strings(*entry, Reader::Single::allowed);
}

// true, false, or a list of the names of runtimes.
Setting<AskedBy> read_runtimes(const Entry* entry, Reader& in) {
  if (entry == nullptr) return std::nullopt;
  AskedBy asked;
  if (entry->value.kind == Kind::boolean) {
    asked.any = entry->value.boolean;
    return stated(*entry, std::move(asked));
  }
  if (!in.expect(*entry, Kind::array, "true, false or a list of runtimes")) return std::nullopt;
  if (entry->value.items.empty())
    in.error(entry->value.where, "'annotation' names no runtime", "write false, or leave it out");
  for (Stated<std::string>& name : in.strings(*entry, Reader::Single::refused)) {
    if (name.value.empty() || name.value.find('/') != std::string::npos)
      in.error(name.value_where, "a runtime is the name of its program, not a path",
               "annotation = [\"crun\"]");
    asked.runtimes.push_back(std::move(name.value));
  }
  return stated(*entry, std::move(asked));
}

// The words of [[test]] expect.
constexpr std::string_view kExpectedWords[] = {"allow", "deny", "lock", "limit"};

// `entry`: null when the profile does not state the key.
void read_key(const Key& key, const Entry* entry, Profile& p, Reader& in) {
  std::visit(ByType{
                 [&](const WordKey& t) { p.*t.setting = in.word(entry, t.words); },
                 [&](const TypesKey& t) { p.*t.setting = in.mask(entry, kNsTypeNames, HF_NS_ALL); },
                 [&](const FlagKey& t) { p.*t.setting = in.boolean(entry); },
                 [&](const MoversKey& t) { p.*t.setting = read_movers(entry, in); },
                 [&](const InsideKey& t) { p.*t.setting = read_inside(entry, in); },
                 [&](const BpfMaskKey& t) { p.*t.setting = read_bpf_names(entry, t.names, in); },
                 [&](const CountKey& t) { p.*t.setting = read_count(entry, in); },
                 [&](const BytesKey& t) { p.*t.setting = read_bytes(entry, in); },
                 [&](const LabelNamesKey& t) { p.*t.setting = read_label_names(entry, in); },
                 [&](const LabelFlagKey& t) { p.*t.setting = in.boolean(entry); },
                 [&](const MarkNameKey& t) { p.*t.setting = in.string(entry); },
                 [&](const RuntimesKey& t) { p.*t.setting = read_runtimes(entry, in); },
                 [&](const PathsKey&) { p.cgroups = read_paths(entry, in); },
                 [&](const UnitsKey&) { p.units = read_units(entry, in); },
                 [&](const SocketRulesKey&) {
                   p.sockets = read_sockets(entry, in);
                   if (entry != nullptr) p.socket_where = entry->key_where;
                 },
                 [](const auto&) { /* a key of one socket rule: read_socket_rule() */ },
             },
             key.type);
}

// The keys below `path`, and the tables that hold more of them. `of` names this table in messages.
void read_table(const Value& table, std::string_view path, std::string_view of, Profile& profile,
                Reader& in) {
  const std::vector<std::string_view> parts = parts_below(path);
  in.only_keys(table, parts, of);
  for (const std::string_view part : parts) {
    const std::string name = path.empty() ? std::string(part) : fmt::format("{}.{}", path, part);
    const Entry* entry = table.find(part);
    if (const Key* key = find_key(name); key != nullptr) {
      read_key(*key, entry, profile, in);
    } else if (const Value* below = in.table(table, part); below != nullptr) {
      if (name == "bpf" || name == "bpf.delegate") profile.bpf = entry->where;
      read_table(*below, name, name, profile, in);
    }
  }
}

Profile read_profile(const Entry& entry, Reader& in) {
  Profile profile;
  profile.name = entry.key;
  profile.where = entry.key_where;
  read_table(entry.value, "", fmt::format("[profile.{}]", entry.key), profile, in);
  return profile;
}

PolicyTest read_test(const Value& table, Reader& in) {
  PolicyTest test;
  test.where = table.where;
  in.only_keys(table, {"name", "request", "expect", "line"}, "a test");
  if (const auto name = in.string(table.find("name"))) test.name = name->value;
  if (const Entry* request = table.find("request"); request != nullptr)
    test.requests = in.strings(*request, Reader::Single::allowed);
  else
    in.error(table.where, "a test needs 'request'",
             "request = \"profile=web hook=namespace_install type=net target=host\"");
  test.expect = in.string(table.find("expect"));
  if (table.find("expect") == nullptr)
    in.error(table.where, "a test needs 'expect'", "expect = \"deny\"");
  else if (test.expect &&
           std::ranges::find(kExpectedWords, test.expect->value) == std::end(kExpectedWords))
    in.error(
        test.expect->value_where,
        fmt::format("'expect' must be allow, deny, lock or limit, not '{}'", test.expect->value),
        suggest(test.expect->value, {std::begin(kExpectedWords), std::end(kExpectedWords)}));
  test.line = in.string(table.find("line"));
  return test;
}

std::vector<PolicyTest> read_tests(const Entry* entry, Reader& in) {
  std::vector<PolicyTest> tests;
  if (entry == nullptr || !in.expect(*entry, Kind::array, "a list of tables: [[test]]"))
    return tests;
  for (const Value& item : entry->value.items) {
    if (item.kind == Kind::table)
      tests.push_back(read_test(item, in));
    else
      in.error(item.where, fmt::format("a test must be a table, not {}", to_string(item.kind)));
  }
  return tests;
}

}  // namespace

std::vector<Stated<std::string>> read_units(const Entry* entry, Reader& in) {
  std::vector<Stated<std::string>> units = read_paths(entry, in);
  for (Stated<std::string>& unit : units) {
    const UnitCgroup cgroup = cgroup_of_unit(unit.value);
    if (!cgroup.mistake.empty())
      in.error(unit.value_where, fmt::format("'{}' is not a unit: {}", unit.value, cgroup.mistake));
    unit.value = cgroup.path;
  }
  std::erase_if(units, [](const Stated<std::string>& unit) { return unit.value.empty(); });
  return units;
}

FileModel read_file_model(const Value& root, std::vector<Diagnostic>& diagnostics) {
  FileModel file;
  Reader in(diagnostics);
  check_version(root, in);
  in.only_keys(root, {"version", "mode", "log", "sessions", "profile", "test"}, "the policy");
  file.mode = in.word(root.find("mode"), kModeNames);
  file.log = in.word(root.find("log"), kLogNames);
  file.sessions = read_sessions(root, in);
  file.tests = read_tests(root.find("test"), in);
  const Value* profiles = in.table(root, "profile");
  if (profiles == nullptr) return file;
  for (const Entry& entry : profiles->entries) {
    if (!check_name(entry, in) || !in.expect(entry, Kind::table, "a table")) continue;
    file.profiles.push_back(read_profile(entry, in));
  }
  return file;
}

}  // namespace holdfast::policy
