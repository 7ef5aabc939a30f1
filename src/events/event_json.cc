// SPDX-License-Identifier: Apache-2.0
// Few files include the JSON library, because its header compiles slowly.
#include "events/event_json.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "events/event_text.h"
#include "events/recorded_event.h"
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
  HF_TRY_ASSIGN(const auto recorded, RecordedEvent::parse(line));
  return recorded.event(policy);
}

}  // namespace holdfast::policy
