// SPDX-License-Identifier: Apache-2.0
// hf_decide() is safe with any tables, since it checks every index and refuses invalid values. This
// check rejects corrupt tables as a whole, which could otherwise decide single requests at random.
#include "policy/tables.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "policy/keys.h"

namespace holdfast::policy {
namespace {

// Whichever members pad0 and pad1 the structure has.
template <typename T>
bool has_zero_padding(const T& of) {
  bool zero = true;
  if constexpr (requires { of.pad0; }) zero = of.pad0 == 0;
  if constexpr (requires { of.pad1; }) zero = zero && of.pad1 == 0;
  return zero;
}

class Validator {
 public:
  explicit Validator(const hf_tables& tables) : t_(tables) {}

  // The first error; "": none.
  std::string mistake() {
    check_header();
    if (!mistake_.empty()) return mistake_;
    check_no_profile();
    for (std::uint32_t i = 0; i < t_.profile_count; i++) check_profile(i, t_.profiles[i]);
    for (std::uint32_t i = 0; i < t_.mover_set_count; i++) check_mover_set(i, t_.mover_sets[i]);
    for (std::uint32_t i = 0; i < t_.socket_rule_count; i++) check_socket(i, t_.socket_rules[i]);
    check_flags();
    return mistake_;
  }

 private:
  template <typename... Args>
  void require(bool holds, fmt::string_view what, const Args&... args) {
    if (!holds && mistake_.empty()) mistake_ = fmt::vformat(what, fmt::make_format_args(args...));
  }

  void check_header() {
    require(t_.magic == HF_TABLES_MAGIC, "wrong magic {:#x}", t_.magic);
    require(t_.version == HF_ABI_VERSION, "version {} instead of {}", t_.version, HF_ABI_VERSION);
    require(t_.length == sizeof(hf_tables), "length {} instead of {}", t_.length,
            sizeof(hf_tables));
    require(t_.profile_count >= 1 && t_.profile_count <= HF_PROFILE_SLOTS, "{} profiles",
            t_.profile_count);
    require(t_.mover_set_count <= HF_MAX_MOVER_SETS, "{} mover sets", t_.mover_set_count);
    require(t_.socket_rule_count <= HF_MAX_SOCKET_RULES, "{} socket rules", t_.socket_rule_count);
    require(t_.label_name_count <= HF_MAX_LABEL_NAMES, "{} label names", t_.label_name_count);
    require(t_.label_value_count <= HF_MAX_LABEL_VALUES + 1, "{} label values",
            t_.label_value_count);
  }

  // Tasks without a profile are not restricted. Tables that restrict them could stop the machine.
  void check_no_profile() {
    hf_profile free{};
    free.ns_create = HF_NS_ALL;
    hf_profile slot = t_.profiles[HF_NO_PROFILE];
    slot.mode = free.mode;
    slot.log = free.log;
    require(std::memcmp(&slot, &free, sizeof(free)) == 0,
            "slot 0 restricts tasks without a profile");
  }

  // Is what the key became within its range?
  [[nodiscard]] bool is_sound(const Key& key, const hf_profile& p) const {
    return std::visit(
        ByType{
            [&](const WordKey& t) { return !name_of(t.words, p.*t.field).empty(); },
            [&](const TypesKey& t) { return (p.*t.field & ~HF_NS_ALL) == 0; },
            [&](const FlagKey& t) { return p.*t.field <= 1; },
            [&](const LabelFlagKey& t) { return p.*t.field <= 1; },
            [&](const MoversKey& t) {
              return p.*t.field == HF_MOVERS_ANY ||
                     (p.*t.field == HF_MOVERS_LIST && p.*t.set < t_.mover_set_count);
            },
            [&](const InsideKey& t) {
              return p.*t.field == HF_INSIDE_ANY ||
                     (p.*t.field <= HF_INSIDE_DELEGATED && p.*t.set < t_.mover_set_count);
            },
            [](const auto&) { return true; },
        },
        key.type);
  }

  void check_profile(std::uint32_t number, const hf_profile& p) {
    for (const Key& key : kKeys) require(is_sound(key, p), "profile {}: {}", number, key.name);
    require(has_zero_padding(p), "profile {}: padding", number);
    require(p.socket_count <= HF_MAX_PROFILE_SOCKET_RULES &&
                p.socket_first <= t_.socket_rule_count &&
                p.socket_count <= t_.socket_rule_count - p.socket_first,
            "profile {}: socket rules", number);
    require(p.bpf_ruled <= 1, "profile {}: bpf settings", number);
    require(p.label_ruled <= 1 && (p.label_ruled || p.label_rule == 0),
            "profile {}: label settings", number);
  }

  void check_mover_set(std::uint32_t number, const hf_mover_set& set) {
    for (std::uint32_t bit = t_.profile_count; bit < HF_MOVER_WORDS * 64; bit++)
      require((set.bits[bit / 64] >> (bit % 64) & 1) == 0, "mover set {}: profile {}", number, bit);
    require((set.bits[0] & 1) == 0, "mover set {}: names tasks without a profile", number);
  }

  void check_match(std::uint32_t number, const hf_label_match& match) {
    require(match.name < t_.label_name_count && match.kind <= HF_LABEL_ABSENT,
            "socket rule {}: label", number);
    require(match.kind != HF_LABEL_VALUE || (match.value > 0 && match.value < t_.label_value_count),
            "socket rule {}: label value", number);
  }

  void check_socket(std::uint32_t number, const hf_socket_rule& rule) {
    require((rule.ops & ~HF_SOCK_OPS_ALL) == 0 && (rule.families & ~HF_FAMILIES_ALL) == 0,
            "socket rule {}: operations or families", number);
    require(rule.verdict <= HF_SOCK_RATE, "socket rule {}: verdict", number);
    require(rule.verdict != HF_SOCK_RATE ||
                (rule.rate_tokens > 0 && rule.rate_period_ns > 0 && rule.rate_burst > 0),
            "socket rule {}: rate", number);
    require(rule.own_count <= HF_MAX_LABEL_MATCHES && rule.peer_count <= HF_MAX_LABEL_MATCHES,
            "socket rule {}: label count", number);
    require(has_zero_padding(rule), "socket rule {}: padding", number);
    for (std::uint32_t i = 0; i < rule.own_count && i < HF_MAX_LABEL_MATCHES; i++)
      check_match(number, rule.own[i]);
    for (std::uint32_t i = 0; i < rule.peer_count && i < HF_MAX_LABEL_MATCHES; i++)
      check_match(number, rule.peer[i]);
  }

  // Backends skip whole hooks if these flags are off. So a flag must not be off while a rule needs
  // it.
  void check_flags() {
    for (std::uint32_t i = 0; i < t_.profile_count; i++) {
      const hf_profile& p = t_.profiles[i];
      const std::uint8_t some = p.mode == HF_MODE_ENFORCE ? HF_SOME_ENFORCE : HF_SOME_AUDIT;
      require(p.ns_visitors != HF_VISITORS_DENY || t_.any_visitors_deny >= some,
              "any_visitors_deny is too low");
      require(p.ns_visitors == HF_VISITORS_ALLOW || t_.any_visitors_hold >= some,
              "any_visitors_hold is too low");
      require((p.cg_leave == 0 && p.cg_join == 0 && p.cg_inside == 0) || t_.any_cgroup_rules,
              "any_cgroup_rules is off");
      require(p.socket_count == 0 || t_.any_socket_rules, "any_socket_rules is off");
    }
  }

  const hf_tables& t_;
  std::string mistake_;
};

}  // namespace

Result<void> validate_tables(const void* bytes, std::size_t size) {
  const auto invalid = [](std::string detail) {
    return Error{EINVAL, "validate policy tables", "", std::move(detail)};
  };
  if (size != sizeof(hf_tables))
    return invalid(fmt::format("{} bytes instead of {}", size, sizeof(hf_tables)));
  const auto tables = std::make_unique<hf_tables>();
  std::memcpy(tables.get(), bytes, size);
  std::string mistake = Validator(*tables).mistake();
  if (!mistake.empty()) return invalid(std::move(mistake));
  return {};
}

}  // namespace holdfast::policy
