// SPDX-License-Identifier: Apache-2.0
// A policy as written: its profiles, and the settings of each with their places.
//
// An empty optional means that the policy does not have the setting. compile.cc gives it the
// permissive default. Integer values are those of core/abi.h.
#ifndef HOLDFAST_POLICY_MODEL_H
#define HOLDFAST_POLICY_MODEL_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/compiled.h"

namespace holdfast::policy {

template <typename T>
struct Stated {
  T value{};
  Span where;        // the place of the whole statement
  std::string text;  // the value as TOML
  Span value_where;  // the place of the value, for diagnostics
};

template <typename T>
using Setting = std::optional<Stated<T>>;

struct ProfileName {
  std::string name;
  Span where;
};

// Which tasks may move others: any task, or the members of the named profiles.
struct Movers {
  bool any = true;
  std::vector<ProfileName> names;  // with any == false; empty: no task
};

struct Inside {
  std::uint8_t kind = 0;           // HF_INSIDE_*
  std::vector<ProfileName> names;  // unless HF_INSIDE_ANY
};

struct LabelCondition {
  std::string name;
  std::uint8_t kind = 0;  // HF_LABEL_*
  std::string value;      // with HF_LABEL_VALUE
};

// `tokens` operations in each `period_ns`; the bucket holds `burst` tokens.
struct Rate {
  std::uint32_t tokens = 0;
  std::uint64_t period_ns = 0;
  std::uint32_t burst = 0;
};

struct SocketRule {
  bool sound = true;           // false: some part has an error and is left out
  Span where;                  // of the rule's header
  bool drop_in = false;        // from a drop-in: it may cover rules of the file
  std::string text;            // `on = ["connect"] … verdict = "deny"`
  std::uint16_t ops = 0;       // HF_SOCK_* mask
  std::uint16_t families = 0;  // HF_FAMILY_* mask
  std::uint8_t verdict = 0;    // HF_SOCK_ALLOW, _DENY, _RATE
  Rate rate;                   // with HF_SOCK_RATE
  std::vector<LabelCondition> own;
  std::vector<LabelCondition> peer;
};

// A mask whose bit numbers are the kernel's enum values.
struct BpfMask {
  std::uint64_t low = 0;
  std::uint64_t high = 0;  // values 64 to 127: only attach types
};

// What a setting of each type in policy/keys.def holds.
namespace setting {

using Word = std::uint8_t;    // the number of core/abi.h
using Types = std::uint32_t;  // HF_NS_* mask
using Flag = bool;
using policy::BpfMask;
using policy::Inside;
using policy::Movers;
using Count = std::uint64_t;
using Bytes = std::uint64_t;
using LabelNames = std::vector<std::string>;  // "user.varlink"
using LabelFlag = bool;
using MarkName = std::string;  // "trusted.manager"
using Runtimes = AskedBy;

}  // namespace setting

// Each row HF_KEY of policy/keys.def is a member: Setting<std::uint8_t> ns_enter; and so on. `mode`
// and `log` are the profile's, or else its file's (policy/merge.h).
struct Profile {
  std::string name;
  Span where;
  std::vector<Stated<std::string>> cgroups;
  std::vector<Stated<std::string>> units;  // the cgroups of units; `text` has the names as written
  std::vector<SocketRule> sockets;         // those of drop-ins first
  std::optional<Span> socket_where;        // where `socket` is stated, also as an empty list
  std::optional<Span> bpf;  // where [profile.NAME.bpf] or its `delegate` is; a profile without is
                            // not restricted
#define HF_KEY(type, field, ...) Setting<setting::type> field;
#include "policy/keys.def"
};

// The cgroups of a profile: those of `cgroup`, then those of `unit`. Borrowed from the profile.
[[nodiscard]] std::vector<const Stated<std::string>*> bound_cgroups(const Profile& profile);

// One [[test]]: the expected decision about requests (explain/policy_test.h).
struct PolicyTest {
  Span where;
  std::string name;                           // may be empty
  std::vector<Stated<std::string>> requests;  // not empty
  Setting<std::string> expect;                // "allow", "deny", "lock", "limit"
  Setting<std::string> line;                  // the key of the rule that decides: "cgroups.leave"
};

// The table [sessions] (policy/sessions_table.h).
struct SessionsModel {
  Setting<std::vector<SessionUser>> users;
  Setting<std::uint64_t> sessions;
  Setting<std::uint64_t> members;
  Setting<std::uint64_t> namespaces;
  Setting<std::uint64_t> policies;
  Setting<std::uint64_t> rules;
};

// What one file states.
struct FileModel {
  std::vector<Profile> profiles;  // each name once
  Setting<std::uint8_t> mode;     // at the top
  Setting<std::uint8_t> log;
  SessionsModel sessions;
  std::vector<PolicyTest> tests;
  bool drop_in = false;
};

struct Model {
  std::vector<Profile> profiles;  // in the order of the sources
  SessionsModel sessions;
  std::vector<PolicyTest> tests;
  bool complete = true;  // false: a source has a syntax error, so profiles may be missing
};

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_MODEL_H
