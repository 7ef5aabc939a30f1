// SPDX-License-Identifier: Apache-2.0
// libholdfast: the functions of include/holdfast/holdfast.h. No exception leaves one of them.
#include <fmt/core.h>
#include <holdfast/holdfast.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/decide.h"
#include "events/event_file.h"
#include "events/event_text.h"
#include "events/recorded_event.h"
#include "explain/replay.h"
#include "explain/request.h"
#include "explain/why.h"
#include "policy/cgroup_path.h"
#include "policy/enum_names.h"
#include "policy/policy_text.h"

struct holdfast_policy {
  holdfast::policy::ReadPolicy read;
};

namespace holdfast::library {
namespace {

static_assert(HOLDFAST_ALLOW == HF_ALLOW && HOLDFAST_DENY == HF_DENY && HOLDFAST_LOCK == HF_LOCK &&
              HOLDFAST_LIMIT == HF_LIMIT);

char* copy(std::string_view text) {
  char* to = static_cast<char*>(std::malloc(text.size() + 1));
  if (to == nullptr) return nullptr;
  std::memcpy(to, text.data(), text.size());
  to[text.size()] = '\0';
  return to;
}

void tell(char** mistake, std::string_view text) {
  if (mistake != nullptr) *mistake = copy(text);
}

// Calls `work`, and returns `failed` if it throws, as std::bad_alloc does.
template <typename Value, typename Work>
Value guarded(char** mistake, Value failed, Work work) {
  if (mistake != nullptr) *mistake = nullptr;
  try {
    return work();
  } catch (const std::exception& error) {
    tell(mistake, error.what());
    return failed;
  }
}

holdfast_policy* made(std::vector<policy::Source> sources, char** mistake) {
  auto made = std::make_unique<holdfast_policy>(
      holdfast_policy{policy::read_policy({std::move(sources), {}})});
  if (made->read.compiled) return made.release();
  std::string text;
  for (const policy::Diagnostic& diagnostic : made->read.diagnostics)
    text += policy::render(diagnostic);
  tell(mistake, text);
  return nullptr;
}

// The texts are those of `policy`, or static. All names of enums end with a NUL byte.
holdfast_decision described(const hf_verdict& verdict, const policy::Compiled& policy) {
  holdfast_decision d = HOLDFAST_DECISION_INIT;
  d.verdict = verdict.action;
  d.enforced = verdict.mode == HF_MODE_ENFORCE ? 1 : 0;
  d.error = verdict.error;
  d.reason = policy::describe_reason(verdict.reason).data();
  d.profile =
      verdict.profile < policy.profiles.size() ? policy.profiles[verdict.profile].c_str() : "";
  d.key = d.value = d.file = "";
  if (verdict.rule == HF_RULE_DEFAULT || verdict.rule >= policy.rules.size()) return d;
  const policy::Rule& rule = policy.rules[verdict.rule];
  d.key = rule.key.c_str();
  d.value = rule.text.c_str();
  d.file = rule.where.file.c_str();
  d.line = rule.where.line;
  d.column = rule.where.column;
  return d;
}

// A caller that was compiled with an older header has a shorter structure.
void put(holdfast_decision* to, holdfast_decision from) {
  const std::size_t size = to->size;
  from.size = size;
  std::memcpy(to, &from, std::min(size, sizeof(from)));
}

int decide(const policy::Compiled& policy, const hf_request& request, holdfast_decision* decision) {
  hf_verdict verdict;
  hf_decide(policy.tables.get(), &request, &verdict);
  put(decision, described(verdict, policy));
  return 0;
}

using Explain = std::string (*)(const policy::Model&, const policy::Compiled&, const hf_request&);

char* explained(const holdfast_policy* policy, const char* request, char** mistake,
                Explain explain) {
  return guarded(mistake, static_cast<char*>(nullptr), [&]() -> char* {
    const auto parsed = policy::parse_request(request, *policy->read.compiled);
    if (parsed) return copy(explain(policy->read.model, *policy->read.compiled, *parsed));
    tell(mistake, parsed.error().detail);
    return nullptr;
  });
}

// Passes a line on. Returns what `each` returns.
Result<int> pass(const policy::EventLine& line, holdfast_event_function* each, void* context) {
  HF_TRY_ASSIGN(const auto recorded, policy::RecordedEvent::parse(line.text));
  const policy::Compiled names = recorded.recorded_policy();
  HF_TRY_ASSIGN(const auto read, recorded.event(names));
  const std::string json(line.text);
  const std::string command(policy::comm_of(read.actor));
  const std::string operation = policy::describe_operation(read.request);
  const std::string text = policy::event_text(read, names, policy::Colour::off, recorded.paths());
  holdfast_event event{};
  event.size = sizeof(event);
  event.id = read.id;
  event.time_ns = read.time_ns;
  event.pid = read.actor.tgid;
  event.tid = read.actor.pid;
  event.uid = read.actor.uid;
  event.decisions = (read.repeats & ~HF_REPEATS_DIFFER) + 1;
  event.command = command.c_str();
  event.operation = operation.c_str();
  event.text = text.c_str();
  event.json = json.c_str();
  event.decision = described(read.verdict, names);
  return each(&event, context);
}

}  // namespace
}  // namespace holdfast::library

using namespace holdfast;
using namespace holdfast::library;

extern "C" {

const char* holdfast_version(void) { return HOLDFAST_VERSION; }

void holdfast_free(char* text) { std::free(text); }

holdfast_policy* holdfast_policy_load(const char* const* paths, size_t count, char** mistake) {
  return guarded(mistake, static_cast<holdfast_policy*>(nullptr), [&]() -> holdfast_policy* {
    std::vector<policy::Source> sources;
    for (std::size_t i = 0; i < count; i++) {
      auto source = policy::read_source(paths[i]);
      if (!source) {
        tell(mistake, source.error().message() + "\n");
        return nullptr;
      }
      sources.push_back(*std::move(source));
    }
    return made(std::move(sources), mistake);
  });
}

holdfast_policy* holdfast_policy_parse(const char* name, const char* text, size_t length,
                                       char** mistake) {
  return guarded(mistake, static_cast<holdfast_policy*>(nullptr), [&] {
    return made({policy::Source{name, std::string(text, length), false}}, mistake);
  });
}

void holdfast_policy_free(holdfast_policy* policy) { delete policy; }

size_t holdfast_policy_profile_count(const holdfast_policy* policy) {
  return policy->read.compiled->profiles.size() - 1;
}

const char* holdfast_policy_profile(const holdfast_policy* policy, size_t number) {
  const auto& names = policy->read.compiled->profiles;
  return number + 1 < names.size() ? names[number + 1].c_str() : nullptr;
}

const char* holdfast_policy_profile_of_cgroup(const holdfast_policy* policy, const char* cgroup) {
  return guarded(nullptr, static_cast<const char*>(nullptr), [&]() -> const char* {
    const auto profiles = policy::profiles_of_cgroup(*policy->read.compiled, cgroup);
    return profiles.empty() ? nullptr : policy->read.compiled->profiles[profiles[0]].c_str();
  });
}

int holdfast_decide(const holdfast_policy* policy, const char* request, holdfast_decision* decision,
                    char** mistake) {
  return guarded(mistake, -1, [&] {
    const auto parsed = policy::parse_request(request, *policy->read.compiled);
    if (parsed) return decide(*policy->read.compiled, *parsed, decision);
    tell(mistake, parsed.error().detail);
    return -1;
  });
}

int holdfast_decide_event(const holdfast_policy* policy, const char* json,
                          holdfast_decision* decision, char** mistake) {
  return guarded(mistake, -1, [&] {
    const auto recorded = policy::RecordedEvent::parse(json);
    const auto event = recorded ? policy::event_under(*recorded, *policy->read.compiled)
                                : Result<hf_event>(recorded.error());
    if (event) return decide(*policy->read.compiled, event->request, decision);
    tell(mistake, event.error().message());
    return -1;
  });
}

char* holdfast_explain(const holdfast_policy* policy, const char* request, char** mistake) {
  return explained(policy, request, mistake, policy::explain);
}

char* holdfast_explain_json(const holdfast_policy* policy, const char* request, char** mistake) {
  return explained(policy, request, mistake, policy::explain_json);
}

int holdfast_events_read(const char* path, holdfast_event_function* each, void* context,
                         char** mistake) {
  return guarded(mistake, -1, [&] {
    int stopped = 0;
    auto file = policy::EventFileReader::open(path);
    const auto read =
        !file ? Result<void>(file.error())
              : file->read([&](const policy::EventLine& line) -> Result<void> {
                  if (line.kind != policy::LineKind::decision) return {};
                  HF_TRY_ASSIGN(stopped, pass(line, each, context));
                  return stopped == 0 ? Result<void>() : Result<void>(Error{0, "", "", ""});
                });
    if (stopped != 0 || read) return stopped;
    tell(mistake, read.error().message());
    return -1;
  });
}

}  // extern "C"
