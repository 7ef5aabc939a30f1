// SPDX-License-Identifier: Apache-2.0
// Few files include the JSON library, because its header compiles slowly.
#include "events/recorded_event.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "events/json_fields.h"
#include "policy/bpf_names.h"
#include "policy/enum_names.h"

namespace holdfast::policy {
namespace {

using Json = nlohmann::ordered_json;

// Reads fields one by one. Keeps the first error; after it every read returns 0.
class Reader {
 public:
  explicit Reader(const Compiled& policy) : policy_(policy) {}

  [[nodiscard]] const std::string& mistake() const { return mistake_; }

  void fail(std::string_view key, std::string_view what) {
    if (mistake_.empty()) mistake_ = fmt::format("{}: {}", key, what);
  }

  template <typename T>
  void number(const Json& json, const char* key, T& out) {
    const Json* value = find(json, key);
    if (value != nullptr)
      out = static_cast<T>(as_number(*value, key, std::numeric_limits<T>::max()));
  }

  template <typename T>
  void word(const Json& json, const char* key, Names names, T& out) {
    const Json* value = find(json, key);
    if (value == nullptr) return;
    if (!value->is_string()) {
      out = static_cast<T>(as_number(*value, key, std::numeric_limits<T>::max()));
      return;
    }
    const auto found = value_of(names, value->get_ref<const std::string&>());
    if (!found)
      return fail(key, fmt::format("unknown word '{}'", value->get_ref<const std::string&>()));
    out = static_cast<T>(*found);
  }

  template <typename T>
  void mask(const Json& json, const char* key, Names names, T& out) {
    const Json* value = find(json, key);
    if (value == nullptr) return;
    if (!value->is_string()) return fail(key, "not a string");
    std::string_view rest = value->get_ref<const std::string&>();
    std::uint32_t bits = 0;
    while (!rest.empty()) {
      const std::string_view one = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      bits |= mask_word(key, names, one);
    }
    if (bits > std::numeric_limits<T>::max()) return fail(key, "out of range");
    out = static_cast<T>(bits);
  }

  void profile(const Json& json, const char* key, __u16& out) {
    const Json* value = find(json, key);
    if (value != nullptr) out = as_profile(*value, key);
  }

  void chain(const Json& json, const char* key, __u16 (&out)[HF_MAX_NEST]) {
    const Json* value = find(json, key);
    if (value == nullptr) return;
    if (!value->is_array() || value->size() > HF_MAX_NEST) return fail(key, "not a short list");
    for (std::size_t i = 0; i < value->size(); i++) out[i] = as_profile((*value)[i], key);
  }

  void labels(const Json& json, const char* key, __u32 (&out)[HF_MAX_LABEL_NAMES]) {
    const Json* value = find(json, key);
    if (value == nullptr) return;
    if (!value->is_object()) return fail(key, "not an object");
    for (const auto& [name, label] : value->items()) label_value(key, name, label, out);
  }

  void task(const Json& json, hf_task& out) {
    number(json, "pid", out.tgid);
    number(json, "tid", out.pid);
    number(json, "uid", out.uid);
    const Json* comm = find(json, "comm");
    if (comm == nullptr) return;
    if (!comm->is_string()) return fail("comm", "not a string");
    const std::string& text = comm->get_ref<const std::string&>();
    std::memcpy(out.comm, text.data(), std::min(text.size(), sizeof(out.comm) - 1));
  }

  [[nodiscard]] const Json* find(const Json& json, const char* key) {
    if (!mistake_.empty() || !json.is_object()) return nullptr;
    const auto at = json.find(key);
    return at == json.end() ? nullptr : &*at;
  }

 private:
  std::uint64_t as_number(const Json& value, std::string_view key, std::uint64_t most) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) {
      fail(key, "not a number in range");
      return 0;
    }
    return value.get<std::uint64_t>();
  }

  std::uint32_t mask_word(std::string_view key, Names names, std::string_view word) {
    if (const auto bit = value_of(names, word)) return *bit;
    std::uint32_t bits = 0;
    if (!word.starts_with("0x") || word.size() > 10) {
      fail(key, fmt::format("unknown word '{}'", word));
      return 0;
    }
    for (const char c : word.substr(2)) {
      const std::size_t digit = std::string_view("0123456789abcdef").find(c);
      if (digit == std::string_view::npos) fail(key, "bad number");
      bits = bits << 4 | static_cast<std::uint32_t>(digit & 0xf);
    }
    return bits;
  }

  // A profile that this policy does not have becomes "no profile", as for a task without one.
  std::uint16_t as_profile(const Json& value, std::string_view key) {
    if (!value.is_string())
      return static_cast<std::uint16_t>(as_number(value, key, std::numeric_limits<__u16>::max()));
    return policy_.find_profile(value.get_ref<const std::string&>()).value_or(HF_NO_PROFILE);
  }

  // No rule of this policy depends on a label that it does not name, and requests have no field for
  // it.
  void label_value(const char* key, const std::string& name, const Json& label,
                   __u32 (&out)[HF_MAX_LABEL_NAMES]) {
    std::size_t index = 0;
    const auto& names = policy_.label_names;
    if (name.starts_with('#')) {
      index = name.size() > 3 ? HF_MAX_LABEL_NAMES : std::strtoul(name.c_str() + 1, nullptr, 10);
    } else {
      index = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
      if (index == names.size()) return;
    }
    if (index >= HF_MAX_LABEL_NAMES) return fail(key, "label out of range");
    if (label.is_boolean()) {
      out[index] = label.get<bool>() ? HF_LABEL_ID_OTHER : HF_LABEL_ID_ABSENT;
    } else if (label.is_string()) {
      const auto& values = policy_.label_values;
      const auto at =
          std::find(values.begin() + 1, values.end(), label.get_ref<const std::string&>());
      out[index] = at == values.end() ? HF_LABEL_ID_OTHER : static_cast<__u32>(at - values.begin());
    } else {
      out[index] = static_cast<__u32>(as_number(label, key, std::numeric_limits<__u32>::max()));
    }
  }

  const Compiled& policy_;
  std::string mistake_;
};

void read_request(Reader& in, const Json& json, hf_request& r) {
  in.word(json, "hook", kOpNames, r.op);
  in.word(json, "way", kViaNames, r.via);
  in.mask(json, "flags", kRequestFlagNames, r.flags);
  in.profile(json, "subject", r.subject);
  in.profile(json, "object", r.object);
  in.profile(json, "held_owner", r.held_owner);
  in.profile(json, "target_owner", r.target_owner);
  in.number(json, "subject_set", r.subject_set);
  in.number(json, "held_set", r.held_set);
  in.number(json, "target_set", r.target_set);
  in.mask(json, "held_types", kNsTypeNames, r.held_types);
  in.mask(json, "ns_types", kNsTypeNames, r.ns_types);
  in.chain(json, "src_chain", r.src_chain);
  in.chain(json, "dst_chain", r.dst_chain);
  in.mask(json, "sock_op", kSocketOpNames, r.sock_op);
  in.mask(json, "sock_family", kFamilyNames, r.sock_family);
  in.word(json, "bpf_value", bpf_names(r.via), r.bpf_value);
  in.labels(json, "own_labels", r.own_labels);
  in.labels(json, "peer_labels", r.peer_labels);
}

void read_verdict(Reader& in, const Json& json, hf_verdict& v) {
  in.word(json, "verdict", kVerdictNames, v.action);
  in.word(json, "reason", kReasonNames, v.reason);
  in.profile(json, "profile", v.profile);
  in.number(json, "set", v.set);
  if (const Json* enforced = in.find(json, "enforced"); enforced != nullptr) {
    if (!enforced->is_boolean()) return in.fail("enforced", "not true or false");
    v.mode = enforced->get<bool>() ? HF_MODE_ENFORCE : HF_MODE_AUDIT;
  }
  if (const Json* log = in.find(json, "log"); log != nullptr)
    v.log = log->is_boolean() && log->get<bool>();
  if (const Json* rule = in.find(json, "rule"); rule != nullptr) in.number(*rule, "id", v.rule);
  if (const Json* error = in.find(json, "errno"); error != nullptr)
    v.error = *error == "EPERM" ? EPERM : *error == "EAGAIN" ? EAGAIN : 0;
}

Error not_an_event(std::string detail) { return {EINVAL, "read event", "", std::move(detail)}; }

constexpr const char* kSets[] = {"subject_set", "held_set", "target_set"};

}  // namespace

struct RecordedEvent::Parsed {
  Json json;
};

RecordedEvent::RecordedEvent(std::unique_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
RecordedEvent::RecordedEvent(RecordedEvent&& other) noexcept = default;
RecordedEvent& RecordedEvent::operator=(RecordedEvent&& other) noexcept = default;
RecordedEvent::~RecordedEvent() = default;

Result<RecordedEvent> RecordedEvent::parse(std::string_view line) {
  auto parsed = std::make_unique<Parsed>();
  parsed->json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!parsed->json.is_object()) return not_an_event("not a JSON object");
  return RecordedEvent(std::move(parsed));
}

Result<hf_event> RecordedEvent::event(const Compiled& policy) const {
  const Json& json = parsed_->json;
  hf_event event{};
  Reader in(policy);
  in.number(json, "version", event.version);
  if (event.version != HF_ABI_VERSION) return not_an_event("not a holdfast event of version 1");
  event.length = sizeof(event);
  in.number(json, "id", event.id);
  in.number(json, "time_ns", event.time_ns);
  in.number(json, "generation", event.generation);
  in.number(json, "repeats", event.repeats);
  if (json.value("repeats_differ", Json()) == true) event.repeats |= HF_REPEATS_DIFFER;
  in.number(json, "source", event.source);
  in.number(json, "target", event.target);
  in.task(json, event.actor);
  if (const Json* object = in.find(json, "object"); object != nullptr)
    in.task(*object, event.object);
  read_verdict(in, json, event.verdict);
  const Json* request = in.find(json, "request");
  if (request == nullptr || !request->is_object()) in.fail("request", "missing");
  if (request != nullptr) read_request(in, *request, event.request);
  if (!in.mistake().empty()) return not_an_event(in.mistake());
  return event;
}

std::optional<std::uint64_t> RecordedEvent::id() const {
  const auto id = parsed_->json.find("id");
  if (id == parsed_->json.end() || !id->is_number_unsigned()) return std::nullopt;
  return id->get<std::uint64_t>();
}

EventOrigin RecordedEvent::origin() const {
  return {number_in<std::uint64_t>(parsed_->json, "generation"), text_in(parsed_->json, "policy")};
}

std::optional<Rule> RecordedEvent::rule() const {
  const Json& json = parsed_->json;
  const auto at = json.find("rule");
  if (at == json.end() || !at->is_object()) return std::nullopt;
  Rule rule{{text_in(*at, "file"), number_in<std::uint32_t>(*at, "line"),
             number_in<std::uint32_t>(*at, "column"), 0},
            text_in(json, "profile"),
            text_in(*at, "key"),
            text_in(*at, "text")};
  if (rule.where.file.empty()) return std::nullopt;
  return rule;
}

EventPaths RecordedEvent::paths() const {
  return {text_in(parsed_->json, "source_path"), text_in(parsed_->json, "target_path")};
}

void RecordedEvent::collect_names(EventNames& names) const {
  const auto request_at = parsed_->json.find("request");
  if (request_at == parsed_->json.end() || !request_at->is_object()) return;
  const Json& request = *request_at;
  const auto add = [](const Json& value, std::set<std::string>& to) {
    if (value.is_string() && !value.get_ref<const std::string&>().empty())
      to.insert(value.get<std::string>());
  };
  for (const char* key : {"subject", "object", "held_owner", "target_owner"})
    if (request.contains(key)) add(request[key], names.profiles);
  for (const char* key : {"src_chain", "dst_chain"})
    if (request.contains(key) && request[key].is_array())
      for (const Json& profile : request[key]) add(profile, names.profiles);
  for (const char* key : {"own_labels", "peer_labels"}) {
    if (!request.contains(key) || !request[key].is_object()) continue;
    for (const auto& [name, value] : request[key].items()) {
      if (!name.starts_with('#')) names.label_names.insert(name);
      if (value.is_string()) names.label_values.insert(value.get<std::string>());
    }
  }
}

std::string RecordedEvent::facts() const {
  const auto at = parsed_->json.find("request");
  if (at == parsed_->json.end() || !at->is_object()) return "";
  Json request = *at;
  std::vector<Json> sets;
  for (const char* key : kSets) {
    const auto set = request.find(key);
    if (set == request.end() || *set == 0) continue;
    const auto known = std::ranges::find(sets, *set);
    const auto number = static_cast<std::size_t>(known - sets.begin()) + 1;
    if (known == sets.end()) sets.push_back(*set);
    *set = number;
  }
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Compiled RecordedEvent::recorded_policy() const {
  constexpr std::uint64_t kMaxRules = 1u << 20;  // the line may come from an untrusted source
  EventNames names;
  collect_names(names);
  const auto decided_by = rule();
  if (decided_by) names.profiles.insert(decided_by->profile);
  names.profiles.erase("");
  names.label_values.erase("");
  Compiled policy;
  policy.profiles.emplace_back();
  policy.profiles.insert(policy.profiles.end(), names.profiles.begin(), names.profiles.end());
  policy.label_names.assign(names.label_names.begin(), names.label_names.end());
  policy.label_values.emplace_back();
  policy.label_values.insert(policy.label_values.end(), names.label_values.begin(),
                             names.label_values.end());
  policy.rules.emplace_back();
  if (!decided_by) return policy;
  const Json id = parsed_->json["rule"].value("id", Json());
  if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMaxRules) return policy;
  policy.rules.resize(std::max<std::size_t>(1, id.get<std::size_t>() + 1));
  policy.rules[id.get<std::size_t>()] = *decided_by;
  return policy;
}

hf_request with_plain_sets(hf_request request) {
  const hf_request was = request;
  std::uint64_t last = HF_NO_SET;
  const auto number = [&](std::uint64_t set, std::initializer_list<std::pair<__u64, __u64>> known) {
    if (set == HF_NO_SET) return std::uint64_t{HF_NO_SET};
    for (const auto& [old, plain] : known)
      if (old == set) return std::uint64_t{plain};
    return ++last;
  };
  request.subject_set = number(was.subject_set, {});
  request.held_set = number(was.held_set, {{was.subject_set, request.subject_set}});
  request.target_set = number(
      was.target_set, {{was.subject_set, request.subject_set}, {was.held_set, request.held_set}});
  return request;
}

}  // namespace holdfast::policy
