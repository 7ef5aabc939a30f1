// SPDX-License-Identifier: Apache-2.0
// Reads [[profile.NAME.socket]], and the names of labels.
#include <fmt/core.h>

#include "policy/keys.h"
#include "policy/rate.h"
#include "policy/reader.h"

namespace holdfast::policy {
namespace {

// The kernel's limit, XATTR_NAME_MAX.
constexpr std::size_t kMaxLabelNameBytes = 255;
// The kernel's limit for a value, XATTR_SIZE_MAX, is 64 KiB. A policy does not need such long
// values.
constexpr std::size_t kMaxLabelValueBytes = 255;
constexpr std::string_view kUserPrefix = "user.";

bool check_label_name(std::string_view name, const Span& where, Reader& in) {
  if (!name.starts_with(kUserPrefix) || name.size() == kUserPrefix.size()) {
    in.error(where, fmt::format("'{}' is not a label: labels are named user.NAME", name),
             name.empty() || name.starts_with(kUserPrefix)
                 ? ""
                 : fmt::format("did you mean 'user.{}'?", name));
    return false;
  }
  if (name.size() <= kMaxLabelNameBytes && name.find('\0') == std::string_view::npos) return true;
  in.error(where,
           fmt::format("a label's name has at most {} bytes and no NUL", kMaxLabelNameBytes));
  return false;
}

std::optional<LabelCondition> read_condition(const Entry& entry, Reader& in) {
  if (!check_label_name(entry.key, entry.key_where, in)) return std::nullopt;
  const Value& value = entry.value;
  if (value.kind == Kind::boolean && !value.boolean)
    return LabelCondition{entry.key, HF_LABEL_ABSENT, ""};
  if (value.kind != Kind::string) {
    in.error(value.where,
             fmt::format("'{}' must be a value, \"*\" for any value or false for no label, not {}",
                         entry.key, value.kind == Kind::boolean ? "true" : to_string(value.kind)));
    return std::nullopt;
  }
  if (value.string == "*") return LabelCondition{entry.key, HF_LABEL_ANY, ""};
  if (value.string.size() > kMaxLabelValueBytes) {
    in.error(value.where,
             fmt::format("a label's value has at most {} bytes here", kMaxLabelValueBytes));
    return std::nullopt;
  }
  return LabelCondition{entry.key, HF_LABEL_VALUE, value.string};
}

std::vector<LabelCondition> read_conditions(const Value& rule, std::string_view key, Reader& in) {
  std::vector<LabelCondition> conditions;
  const Value* table = in.table(rule, key);
  if (table == nullptr) return conditions;
  for (const Entry& entry : table->entries) {
    if (auto condition = read_condition(entry, in)) conditions.push_back(std::move(*condition));
  }
  if (conditions.size() > HF_MAX_LABEL_MATCHES)
    in.error(table->where,
             fmt::format("'{}' has more than {} conditions", key, HF_MAX_LABEL_MATCHES));
  return conditions;
}

void read_outcome(const Value& table, SocketRule& rule, Reader& in) {
  const Entry* verdict = table.find("verdict");
  const Entry* rate = table.find("rate");
  if (verdict != nullptr && rate != nullptr)
    return in.error(rate->key_where, "a socket rule has a verdict or a rate, not both");
  if (verdict == nullptr && rate == nullptr)
    return in.error(table.where, "a socket rule needs a verdict or a rate",
                    "verdict = \"deny\", or rate = \"20/s burst 40\"");
  if (const auto word = in.word(verdict, kSocketVerdictNames)) {
    rule.verdict = word->value;
    rule.text = word->text;
  }
  if (const auto text = in.string(rate)) {
    const auto parsed = parse_rate(text->value);
    rule.verdict = HF_SOCK_RATE;
    rule.text = text->text;
    if (parsed) {
      rule.rate = *parsed;
    } else {
      in.error(text->value_where, fmt::format("'{}' is not a rate", text->value),
               fmt::format("a rate is \"N/s\", \"N/min\" or \"N/h\", then maybe \"burst M\", each "
                           "number 1 to {}",
                           kMaxRateTokens));
    }
  }
}

}  // namespace

SocketRule read_socket_rule(const Value& table, Reader& in) {
  SocketRule rule;
  rule.where = table.where;
  const std::size_t mistakes = in.mistakes();
  in.only_keys(table, parts_below("socket"), "a socket rule");
  if (const Entry* on = table.find("on"); on != nullptr) {
    rule.ops = in.match_mask(*on, kSocketOpNames);
  } else {
    in.error(table.where, "a socket rule needs 'on'", "on = [\"connect\"]");
  }
  rule.families = HF_FAMILIES_ALL;
  if (const Entry* family = table.find("family"); family != nullptr)
    rule.families = in.match_mask(*family, kFamilyNames);
  rule.own = read_conditions(table, "label", in);
  rule.peer = read_conditions(table, "peer", in);
  read_outcome(table, rule, in);
  rule.sound = in.mistakes() == mistakes;
  return rule;
}

Setting<std::vector<std::string>> read_label_names(const Entry* entry, Reader& in) {
  if (entry == nullptr) return std::nullopt;
  std::vector<std::string> names;
  for (const Stated<std::string>& name : in.strings(*entry, Reader::Single::refused)) {
    if (check_label_name(name.value, name.value_where, in)) names.push_back(name.value);
  }
  return stated(*entry, std::move(names));
}

}  // namespace holdfast::policy
