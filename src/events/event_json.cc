// SPDX-License-Identifier: Apache-2.0
// Few files include the JSON library, because its header compiles slowly.
#include "events/event_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "events/event_text.h"
#include "events/json_fields.h"
#include "policy/bpf_names.h"
#include "policy/enum_names.h"
#include "policy/load.h"

namespace holdfast::policy {
namespace {

using Json = nlohmann::ordered_json;

// The name of a value, or its number if it has none. A corrupt event has to be written unchanged.
Json word_or_number(Names names, std::uint32_t value) {
  const std::string_view word = name_of(names, value);
  return word.empty() ? Json(value) : Json(word);
}

Json profile_json(const Compiled& policy, std::uint16_t profile) {
  return profile < policy.profiles.size() ? Json(policy.profiles[profile]) : Json(profile);
}

Json task_json(const hf_task& task) {
  return {{"pid", task.tgid}, {"tid", task.pid}, {"uid", task.uid}, {"comm", comm_of(task)}};
}

Json chain_json(const Compiled& policy, const __u16 (&chain)[HF_MAX_NEST]) {
  std::size_t length = HF_MAX_NEST;
  while (length > 0 && chain[length - 1] == HF_NO_PROFILE) length--;
  Json json = Json::array();
  for (std::size_t i = 0; i < length; i++) json.push_back(profile_json(policy, chain[i]));
  return json;
}

// {"user.varlink": "client"}. The value is `true` if no rule names it. The key is a number if the
// policy does not have the name.
Json labels_json(const Compiled& policy, const __u32 (&labels)[HF_MAX_LABEL_NAMES]) {
  Json json = Json::object();
  for (std::size_t i = 0; i < HF_MAX_LABEL_NAMES; i++) {
    const std::uint32_t value = labels[i];
    if (value == HF_LABEL_ID_ABSENT) continue;
    const std::string name =
        i < policy.label_names.size() ? policy.label_names[i] : fmt::format("#{}", i);
    if (value == HF_LABEL_ID_OTHER) {
      json[name] = true;
    } else if (value < policy.label_values.size()) {
      json[name] = policy.label_values[value];
    } else {
      json[name] = value;
    }
  }
  return json;
}

Json bpf_value_json(const hf_request& r) { return word_or_number(bpf_names(r.via), r.bpf_value); }

Json request_json(const hf_request& r, const Compiled& policy) {
  Json json = Json::object();
  auto put = [&](const char* key, std::uint64_t value, Json written) {
    if (value != 0) json[key] = std::move(written);
  };
  put("hook", r.op, word_or_number(kOpNames, r.op));
  put("way", r.via, word_or_number(kViaNames, r.via));
  put("flags", r.flags, mask_text(kRequestFlagNames, r.flags));
  put("subject", r.subject, profile_json(policy, r.subject));
  put("object", r.object, profile_json(policy, r.object));
  put("held_owner", r.held_owner, profile_json(policy, r.held_owner));
  put("target_owner", r.target_owner, profile_json(policy, r.target_owner));
  put("subject_set", r.subject_set, r.subject_set);
  put("held_set", r.held_set, r.held_set);
  put("target_set", r.target_set, r.target_set);
  put("held_types", r.held_types, mask_text(kNsTypeNames, r.held_types));
  put("ns_types", r.ns_types, mask_text(kNsTypeNames, r.ns_types));
  const Json src = chain_json(policy, r.src_chain);
  const Json dst = chain_json(policy, r.dst_chain);
  put("src_chain", src.size(), src);
  put("dst_chain", dst.size(), dst);
  put("sock_op", r.sock_op, mask_text(kSocketOpNames, r.sock_op));
  put("sock_family", r.sock_family, mask_text(kFamilyNames, r.sock_family));
  put("bpf_value", r.bpf_value, bpf_value_json(r));
  const Json own = labels_json(policy, r.own_labels);
  const Json peer = labels_json(policy, r.peer_labels);
  put("own_labels", own.size(), own);
  put("peer_labels", peer.size(), peer);
  return json;
}

void put_rule(Json& json, const Rule& rule) {
  json["file"] = rule.where.file;
  json["line"] = rule.where.line;
  json["column"] = rule.where.column;
  json["key"] = rule.key;
  json["text"] = rule.text;
}

Json rule_json(const hf_verdict& verdict, const Compiled& policy) {
  Json json = {{"id", verdict.rule}};
  if (verdict.rule >= policy.rules.size()) return json;
  put_rule(json, policy.rules[verdict.rule]);
  return json;
}

void put_verdict(Json& json, const hf_verdict& v, const Compiled& policy) {
  json["verdict"] = word_or_number(kVerdictNames, v.action);
  json["enforced"] = v.mode == HF_MODE_ENFORCE;
  if (v.error != 0) json["errno"] = errno_name(v.error);
  json["reason"] = word_or_number(kReasonNames, v.reason);
  if (v.profile != HF_NO_PROFILE) json["profile"] = profile_json(policy, v.profile);
  if (v.rule != HF_RULE_DEFAULT) json["rule"] = rule_json(v, policy);
  if (v.set != HF_NO_SET) json["set"] = v.set;
  json["log"] = v.log != 0;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

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

}  // namespace

namespace {

Json event_object(const hf_event& event, const Compiled& policy) {
  const hf_request& request = event.request;
  Json json = {{"version", event.version}, {"id", event.id}, {"time_ns", event.time_ns}};
  json["generation"] = event.generation;
  if (policy.digest != 0) json["policy"] = digest_text(policy.digest);
  json["hook"] = word_or_number(kOpNames, request.op);
  json["way"] = word_or_number(kViaNames, request.via);
  if (request.ns_types != 0) json["type"] = mask_text(kNsTypeNames, request.ns_types);
  put_verdict(json, event.verdict, policy);
  json.update(task_json(event.actor));
  if (event.object.pid != 0) json["object"] = task_json(event.object);
  json["source"] = event.source;
  json["target"] = event.target;
  json["repeats"] = event.repeats & ~HF_REPEATS_DIFFER;
  if (event.repeats & HF_REPEATS_DIFFER) json["repeats_differ"] = true;
  json["request"] = request_json(request, policy);
  return json;
}

std::string one_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string event_json(const hf_event& event, const Compiled& policy) {
  return one_line(event_object(event, policy));
}

std::string event_json(const hf_event& event, const Compiled& policy, const EventPaths& paths) {
  Json json = event_object(event, policy);
  if (event.request.op == HF_OP_CGROUP_ATTACH) {
    json["source_path"] = paths.source.empty() ? Json() : Json(paths.source);
    json["target_path"] = paths.target.empty() ? Json() : Json(paths.target);
  }
  return one_line(json);
}

std::string rule_json(const Rule& rule) {
  Json json = Json::object();
  put_rule(json, rule);
  return one_line(json);
}

Result<hf_event> event_from_json(std::string_view line, const Compiled& policy) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return not_an_event("not a JSON object");
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

std::optional<std::uint64_t> event_id(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  const auto id = json.find("id");
  if (id == json.end() || !id->is_number_unsigned()) return std::nullopt;
  return id->get<std::uint64_t>();
}

void collect_names(std::string_view line, EventNames& names) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("request")) return;
  const Json& request = json["request"];
  if (!request.is_object()) return;
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

EventPaths event_paths(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return {};
  return {text_in(json, "source_path"), text_in(json, "target_path")};
}

}  // namespace holdfast::policy
