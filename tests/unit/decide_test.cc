// SPDX-License-Identifier: Apache-2.0
// The decision: cases as data, and the compiled core against the naive reference.
#include "core/decide.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <set>

#include "events/event_json.h"
#include "policy/compile.h"
#include "policy/enum_names.h"
#include "policy/parse.h"
#include "policy/tables.h"
#include "reference/cases.h"
#include "reference/facts.h"
#include "reference/random_case.h"

namespace holdfast {
namespace {

using reference::CaseFile;
using reference::outcome_of;
using reference::to_string;

const CaseFile& cases() {
  static const auto file = reference::load_cases(HOLDFAST_SOURCE_DIR "/tests/cases");
  static const CaseFile none;
  EXPECT_TRUE(static_cast<bool>(file)) << file.error().message();
  return file ? *file : none;
}

hf_verdict decide(const hf_tables& tables, const hf_request& request) {
  hf_verdict verdict;
  std::memset(&verdict, 0xa5, sizeof(verdict));  // all of it must be written
  hf_decide(&tables, &request, &verdict);
  return verdict;
}

TEST(Cases, AreEnough) { EXPECT_GE(cases().cases.size(), 150u); }

TEST(Cases, HoldForTheCompiledCore) {
  for (const reference::Case& c : cases().cases) {
    const auto& policy = *cases().policies[c.policy].compiled;
    EXPECT_EQ(mismatch(c, decide(*policy.tables, c.request), policy), "");
  }
}

TEST(Cases, HoldForTheReference) {
  for (const reference::Case& c : cases().cases) {
    const auto& policy = cases().policies[c.policy];
    const auto facts = reference::facts_of(c.request, *policy.compiled);
    const auto got = outcome_of(decide(*policy.compiled->tables, c.request), *policy.compiled);
    EXPECT_EQ(to_string(reference::decide(policy.model, facts)), to_string(got)) << c.place;
  }
}

// Every reason that a policy can give, and both modes, have a case.
TEST(Cases, CoverEveryReason) {
  std::set<std::string> seen;
  for (const reference::Case& c : cases().cases) {
    seen.insert(c.reason);
    seen.insert(c.verdict);
  }
  for (const Name& reason : policy::kReasonNames) {
    if (reason.value == HF_REASON_BAD_REQUEST) continue;  // no request in words can be one
    EXPECT_TRUE(seen.contains(std::string(reason.text))) << reason.text;
  }
  for (const char* verdict :
       {"allow", "deny", "lock", "limit", "deny/audit", "lock/audit", "limit/audit"})
    EXPECT_TRUE(seen.contains(verdict)) << verdict;
}

struct RandomPolicy {
  policy::Model model;
  std::unique_ptr<const policy::Compiled> compiled;
};

RandomPolicy make_policy(reference::Random& random) {
  policy::ParseResult parsed = policy::parse({{"random.toml", random_policy(random)}});
  RC_ASSERT(parsed.diagnostics.empty());
  auto compiled = policy::compile(parsed.model);
  return {std::move(parsed.model), std::move(compiled)};
}

TEST(Property, TheCompiledCoreAgreesWithTheReference) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    reference::Random random(seed);
    const RandomPolicy policy = make_policy(random);
    for (int i = 0; i < 50; i++) {
      const hf_request request = random_request(random, *policy.compiled);
      const auto got = outcome_of(decide(*policy.compiled->tables, request), *policy.compiled);
      const auto want =
          reference::decide(policy.model, reference::facts_of(request, *policy.compiled));
      RC_ASSERT(to_string(got) == to_string(want));
    }
  }));
}

TEST(Property, CompilingAgainGivesTheSameValidTables) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    reference::Random random(seed);
    const RandomPolicy policy = make_policy(random);
    const auto again = policy::compile(policy.model);
    RC_ASSERT(std::memcmp(again->tables.get(), policy.compiled->tables.get(), sizeof(hf_tables)) ==
              0);
    RC_ASSERT(static_cast<bool>(policy::validate_tables(again->tables.get(), sizeof(hf_tables))));
  }));
}

// In audit, no rule stops anything: only what could not be decided at all does.
TEST(Property, AuditStopsNothing) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    reference::Random random(seed);
    const RandomPolicy policy = make_policy(random);
    auto tables = std::make_unique<hf_tables>(*policy.compiled->tables);
    policy::set_mode(*tables, HF_MODE_AUDIT);
    for (int i = 0; i < 50; i++) {
      const hf_request request = random_request(random, *policy.compiled);
      const hf_verdict verdict = decide(*tables, request);
      const bool undecidable =
          verdict.reason == HF_REASON_BAD_REQUEST || verdict.reason == HF_REASON_FACTS_MISSING;
      // A type bit that no kernel has is refused to every task.
      if (undecidable || (request.ns_types & ~HF_NS_ALL) != 0) continue;
      RC_ASSERT(hf_enforced_error(&verdict) == 0);
    }
  }));
}

// Another profile that audits can never turn an enforced refusal into an audited one.
TEST(Property, AuditNeverHidesAnEnforcedRefusal) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    reference::Random random(seed);
    const RandomPolicy policy = make_policy(random);
    for (int i = 0; i < 50; i++) {
      const hf_request request = random_request(random, *policy.compiled);
      const hf_verdict all = decide(*policy.compiled->tables, request);
      for (std::uint32_t p = 1; p < policy.compiled->tables->profile_count; p++) {
        auto tables = std::make_unique<hf_tables>(*policy.compiled->tables);
        if (tables->profiles[p].mode != HF_MODE_AUDIT) continue;
        hf_profile silent{};  // as if that profile said nothing
        silent.mode = HF_MODE_AUDIT;
        silent.ns_create = HF_NS_ALL;
        tables->profiles[p] = silent;
        const hf_verdict without = decide(*tables, request);
        if (hf_enforced_error(&without) != 0) RC_ASSERT(hf_enforced_error(&all) != 0);
      }
    }
  }));
}

TEST(Property, EventsSurviveJson) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    reference::Random random(seed);
    const RandomPolicy policy = make_policy(random);
    hf_event event{};
    event.version = HF_ABI_VERSION;
    event.length = sizeof(event);
    event.id = random.next();
    event.time_ns = random.next();
    event.generation = random.next();
    event.repeats = random.next();
    event.source = random.next();
    event.target = random.next();
    event.actor.pid = static_cast<__u32>(random.next());
    event.actor.tgid = static_cast<__u32>(random.next());
    event.actor.uid = static_cast<__u32>(random.next());
    std::strcpy(event.actor.comm, "we\"ird\n");
    event.request = random_request(random, *policy.compiled);
    event.verdict = decide(*policy.compiled->tables, event.request);
    const std::string line = policy::event_json(event, *policy.compiled);
    RC_ASSERT(line.find('\n') == std::string::npos);
    const auto back = policy::event_from_json(line, *policy.compiled);
    RC_ASSERT(static_cast<bool>(back));
    RC_ASSERT(std::memcmp(&*back, &event, sizeof(event)) == 0);
  }));
}

}  // namespace
}  // namespace holdfast
