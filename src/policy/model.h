// SPDX-License-Identifier: Apache-2.0
// A policy as its author wrote it: profiles with what each states, every statement with its place.
//
// What is absent was not said; compile.cc turns absence into the permissive default. Values that
// are plain numbers are those of core/abi.h.
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
  Span where;        // of the statement: where the rule is
  std::string text;  // the value, as a reader would write it
  Span value_where;  // where to point when the value is wrong
};

template <typename T>
using Setting = std::optional<Stated<T>>;

struct ProfileName {
  std::string name;
  Span where;
};

// Who may move tasks: anybody, or the named profiles.
struct Movers {
  bool any = true;
  std::vector<ProfileName> names;  // with any == false; empty: nobody
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

struct Rate {
  std::uint32_t tokens = 0;
  std::uint64_t period_ns = 0;
  std::uint32_t burst = 0;
};

struct SocketRule {
  bool sound = true;           // false: a part of it was wrong and is left out
  Span where;                  // of the rule's header
  std::string text;            // `on = ["connect"] … verdict = "deny"`
  std::uint16_t ops = 0;       // HF_SOCK_* mask
  std::uint16_t families = 0;  // HF_FAMILY_* mask
  std::uint8_t verdict = 0;    // HF_SOCK_ALLOW, _DENY, _RATE
  Rate rate;                   // with HF_SOCK_RATE
  std::vector<LabelCondition> own;
  std::vector<LabelCondition> peer;
};

// Bits are the kernel's enum values; one mask each.
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

}  // namespace setting

// Each row HF_KEY of policy/keys.def is a member: Setting<std::uint8_t> ns_enter; and so on. `mode`
// and `log` are the profile's, or else its file's.
struct Profile {
  std::string name;
  Span where;
  std::vector<Stated<std::string>> cgroups;
  std::vector<SocketRule> sockets;
  std::optional<Span> bpf;  // where [profile.NAME.bpf] or its `delegate` is; a profile without is
                            // not restricted
#define HF_KEY(type, field, ...) Setting<setting::type> field;
#include "policy/keys.def"
};

struct Model {
  std::vector<Profile> profiles;  // in order of the sources
  bool complete = true;           // false: a source could not be read, so a profile may be missing
};

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_MODEL_H
