// SPDX-License-Identifier: Apache-2.0
// The keys of a profile as data: policy/keys.def, typed.
//
// A key's `type` says how its value is written, where the model keeps it and where the tables do.
// A step of the work on a policy is one std::visit() for each key.
#ifndef HOLDFAST_POLICY_KEYS_H
#define HOLDFAST_POLICY_KEYS_H

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/abi.h"
#include "policy/bpf_names.h"
#include "policy/enum_names.h"
#include "policy/model.h"

namespace holdfast::policy {

// Key::rule of a key that no verdict names.
inline constexpr std::uint32_t HF_NO_RULE = HF_RULE_KINDS;

// Which requests a key can matter to, and whose key it is then.
enum class About {
  nothing,   // none: what else the profile says depends on it
  mode,      // all of them
  members,   // namespaces: the key of the acting task's profile
  visitors,  // namespaces: the key of the profile whose sandbox the task is in, or enters
  moves,     // moves between cgroups: the key of each profile that the move concerns
  sockets,   // socket operations: the acting task's profile
  bpf,       // uses of a delegated BPF privilege: the acting task's profile
  labels,    // labels of sockets: the acting task's profile
  marks,     // changes of marks: the profile that the mark confers
};

// Without what a key can never apply.
enum class Needs {
  nothing,
  tracking,  // namespaces.track = true
  cgroup,    // a cgroup or a mark
  mark,
};

// One of a few words.
struct WordKey {
  Setting<std::uint8_t> Profile::*setting;
  __u8 hf_profile::*field;
  Names words;
  // The numbers of all words, the strictest first.
  std::array<std::uint8_t, 4> order;

  [[nodiscard]] constexpr std::uint8_t loosest() const { return order[words.size() - 1]; }
};

// Types of namespaces: "any", "none" or a list.
struct TypesKey {
  Setting<std::uint32_t> Profile::*setting;
  __u32 hf_profile::*field;
};

struct FlagKey {
  Setting<bool> Profile::*setting;
  __u8 hf_profile::*field;
};

// Profiles: "any", "none" or a list.
struct MoversKey {
  Setting<Movers> Profile::*setting;
  __u8 hf_profile::*field;  // HF_MOVERS_*
  __u16 hf_profile::*set;
};

// The same with "delegated".
struct InsideKey {
  Setting<Inside> Profile::*setting;
  __u8 hf_profile::*field;  // HF_INSIDE_*
  __u16 hf_profile::*set;
};

// Names of the kernel's: "any" or a list.
struct BpfMaskKey {
  Setting<BpfMask> Profile::*setting;
  void (*store)(hf_profile& slot, const BpfMask& mask);
  std::uint32_t way;  // HF_VIA_BPF_*
  Names names;
};

// A limit of what there is at one time.
struct QuotaKey {
  Setting<std::uint64_t> Profile::*setting;
  void (*store)(hf_profile& slot, std::uint64_t limit);
  std::uint32_t quota;  // HF_QUOTA_*
};
struct CountKey : QuotaKey {};
struct BytesKey : QuotaKey {};  // also written as "16M"

// Names of labels. The tables keep whether it is stated, not the names.
struct LabelNamesKey {
  Setting<std::vector<std::string>> Profile::*setting;
};

// A flag whose line LabelRights keeps.
struct LabelFlagKey {
  Setting<bool> Profile::*setting;
  __u8 hf_profile::*field;
};

// The name of an extended attribute. The tables keep nothing of it.
struct MarkNameKey {
  Setting<std::string> Profile::*setting;
};

// Who may ask for the profile by an annotation: true, false, or a list of runtimes. The tables keep
// nothing of it.
struct RuntimesKey {
  Setting<AskedBy> Profile::*setting;
};

// Profile::cgroups, and Profile::units.
struct PathsKey {};
struct UnitsKey {};

// Profile::sockets, and the keys of one rule.
struct SocketRulesKey {};
struct SocketWordsKey {
  Names words;
};
struct SocketLabelsKey {};
struct SocketWordKey {
  Names words;
};
struct SocketRateKey {};

struct Key {
  std::string_view name;  // "namespaces.enter"
  About about;
  Needs needs;
  std::uint32_t rule;         // HF_RULE_*, or HF_NO_RULE
  std::string_view kind;      // of rules, as strength reports name it; "": none
  std::string_view fallback;  // the value when it is left out; "": there is none
  std::variant<WordKey, TypesKey, FlagKey, MoversKey, InsideKey, BpfMaskKey, CountKey, BytesKey,
               LabelNamesKey, LabelFlagKey, MarkNameKey, RuntimesKey, PathsKey, UnitsKey,
               SocketRulesKey, SocketWordsKey, SocketLabelsKey, SocketWordKey, SocketRateKey>
      type;
};

namespace keys_detail {

constexpr void store(__u64& field, const BpfMask& mask) { field = mask.low; }
constexpr void store(__u64 (&field)[2], const BpfMask& mask) {
  field[0] = mask.low;
  field[1] = mask.high;
}

}  // namespace keys_detail

#define HF_WordKey(field, names, ...)                           \
  WordKey {                                                     \
    &Profile::field, &hf_profile::field, names, { __VA_ARGS__ } \
  }
#define HF_TypesKey(field) \
  TypesKey { &Profile::field, &hf_profile::field }
#define HF_FlagKey(field) \
  FlagKey { &Profile::field, &hf_profile::field }
#define HF_MoversKey(field, set) \
  MoversKey { &Profile::field, &hf_profile::field, &hf_profile::set }
#define HF_InsideKey(field, set) \
  InsideKey { &Profile::field, &hf_profile::field, &hf_profile::set }
#define HF_BpfMaskKey(field, way, names)                                                          \
  BpfMaskKey {                                                                                    \
    &Profile::field,                                                                              \
        [](hf_profile& slot, const BpfMask& mask) { keys_detail::store(slot.field, mask); }, way, \
        names                                                                                     \
  }
#define HF_QUOTA(field, quota)                                   \
  {                                                              \
    &Profile::field,                                             \
        [](hf_profile& slot, std::uint64_t limit) {              \
          slot.field = static_cast<decltype(slot.field)>(limit); \
        },                                                       \
        quota                                                    \
  }
#define HF_CountKey(field, quota) \
  CountKey { HF_QUOTA(field, quota) }
#define HF_BytesKey(field, quota) \
  BytesKey { HF_QUOTA(field, quota) }
#define HF_LabelNamesKey(field) \
  LabelNamesKey { &Profile::field }
#define HF_LabelFlagKey(field) \
  LabelFlagKey { &Profile::field, &hf_profile::field }
#define HF_MarkNameKey(field) \
  MarkNameKey { &Profile::field }

#define HF_RuntimesKey(field) \
  RuntimesKey { &Profile::field }

inline constexpr Key kKeys[] = {
#define HF_KEY(type, field, key, decides, needs, rule, kind, fallback, ...) \
  {key,                                                                     \
   About::decides,                                                          \
   Needs::needs,                                                            \
   rule,                                                                    \
   kind,                                                                    \
   fallback,                                                                \
   HF_##type##Key(field __VA_OPT__(, ) __VA_ARGS__)},
#define HF_OWN_KEY(type, key, decides, kind, fallback, ...) \
  {key, About::decides, Needs::nothing, HF_NO_RULE, kind, fallback, type##Key{__VA_ARGS__}},
#include "policy/keys.def"
};

#undef HF_WordKey
#undef HF_TypesKey
#undef HF_FlagKey
#undef HF_MoversKey
#undef HF_InsideKey
#undef HF_BpfMaskKey
#undef HF_QUOTA
#undef HF_CountKey
#undef HF_BytesKey
#undef HF_LabelNamesKey
#undef HF_LabelFlagKey
#undef HF_MarkNameKey
#undef HF_RuntimesKey

// The visitor of a std::visit(): one function for each type.
template <typename... Functions>
struct ByType : Functions... {
  using Functions::operator()...;
};
// clang-tidy 14 deduces none for an aggregate.
template <typename... Functions>
ByType(Functions...) -> ByType<Functions...>;

// Null: the language has no such key.
[[nodiscard]] const Key* find_key(std::string_view name);

// The next parts of the keys below `path` ("", "bpf", "socket"), in order and each once.
[[nodiscard]] std::vector<std::string_view> parts_below(std::string_view path);

// The place of a setting, or null when the profile does not state it. Null for a key whose value
// is no setting.
[[nodiscard]] const Span* place_of(const Key& key, const Profile& profile);

// Does the profile that `slot` was made from restrict anything by this key? False for keys that no
// rule of the tables is for, and for namespaces.track.
[[nodiscard]] bool restricts(const Key& key, const hf_profile& slot);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_KEYS_H
