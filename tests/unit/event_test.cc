// SPDX-License-Identifier: Apache-2.0
// Events as JSON and as text.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/decide.h"
#include "events/event_file.h"
#include "events/event_json.h"
#include "events/event_text.h"
#include "events/guard_event.h"
#include "events/recorded_event.h"
#include "policy/load.h"
#include "policy/policy_text.h"

namespace holdfast::policy {
namespace {

std::unique_ptr<const Compiled> make(const char* text) {
  LoadResult result = load({{"policy.toml", text}});
  EXPECT_TRUE(result.diagnostics.empty());
  return std::move(result.policy);
}

const Compiled& policy() {
  static const auto made = make(R"(version = 1
[profile.box]
namespaces.enter = "lock"
namespaces.track = true
[[profile.box.socket]]
on = ["connect"]
label = { "user.x" = "" , "user.y" = "v" }
verdict = "deny"
)");
  return *made;
}

hf_event refused_setns() {
  hf_event e{};
  e.version = HF_ABI_VERSION;
  e.length = sizeof(e);
  e.id = 3;
  e.time_ns = 17;
  e.actor.pid = 1235;
  e.actor.tgid = 1234;
  e.actor.uid = 1000;
  std::strcpy(e.actor.comm, "nsenter");
  e.request.op = HF_OP_NAMESPACE_INSTALL;
  e.request.via = HF_VIA_SETNS;
  e.request.ns_types = HF_NS_NET;
  e.request.subject = 1;
  e.request.held_owner = 1;
  e.request.held_set = 0xffffffffffffffffu;
  e.request.flags = HF_REQ_TARGET_KNOWN;
  hf_decide(policy().tables.get(), &e.request, &e.verdict);
  return e;
}

TEST(EventText, IsOneLineWithThePlace) {
  EXPECT_EQ(event_text(refused_setns(), policy(), Colour::off),
            "denied  setns(net) by nsenter[1235]: locked into this sandbox   policy.toml:3:1 "
            "namespaces.enter = "
            "\"lock\"  (event 3)");
}

TEST(EventText, SaysWhatAuditWouldDo) {
  hf_event e = refused_setns();
  e.verdict.mode = HF_MODE_AUDIT;
  e.repeats = 4;
  const std::string text = event_text(e, policy(), Colour::off);
  EXPECT_TRUE(text.starts_with("would deny  setns(net)")) << text;
  EXPECT_TRUE(text.ends_with("(event 3, 4 more like it)")) << text;
}

TEST(EventText, IsSafeOnATerminal) {
  hf_event e = refused_setns();
  std::memcpy(e.actor.comm, "\x1b[2J\n\x9b\xc2\x9b\\\xff\xc3\xa9", 13);
  const std::string text = event_text(e, policy(), Colour::off);
  EXPECT_NE(text.find("by \\x1b[2J\\x0a\\x9b\\xc2\\x9b\\x5c\\xff\xc3\xa9["), std::string::npos)
      << text;
  EXPECT_NE(event_text(e, policy(), Colour::on).find("\x1b[31mdenied\x1b[0m"), std::string::npos);
}

TEST(EventJson, HasTheDocumentedFields) {
  EXPECT_EQ(
      event_json(refused_setns(), policy()),
      R"({"version":1,"id":3,"time_ns":17,"generation":0,"policy":")" +
          digest_text(policy().digest) +
          R"(","hook":"namespace_install","way":"setns","type":"net",)"
          R"("verdict":"deny","enforced":true,"errno":"EPERM","reason":"locked","profile":"box",)"
          R"("rule":{"id":2,"file":"policy.toml","line":3,"column":1,"key":"namespaces.enter","text":"\"lock\""},)"
          R"("log":true,"pid":1234,"tid":1235,"uid":1000,"comm":"nsenter","source":0,"target":0,"repeats":0,)"
          R"("request":{"hook":"namespace_install","way":"setns","flags":"target-known","subject":"box",)"
          R"("held_owner":"box","held_set":18446744073709551615,"ns_types":"net"}})");
}

TEST(EventJson, ComesBackExactly) {
  hf_event e = refused_setns();
  e.request.own_labels[0] = 1;  // the empty value, not "no label"
  e.request.own_labels[1] = HF_LABEL_ID_OTHER;
  e.request.peer_labels[1] = 2;
  e.request.src_chain[0] = 1;
  e.request.dst_chain[2] = 1;
  const auto back = event_from_json(event_json(e, policy()), policy());
  ASSERT_TRUE(static_cast<bool>(back)) << back.error().message();
  EXPECT_EQ(std::memcmp(&*back, &e, sizeof(e)), 0);
}

// Another policy has other numbers: the names are what counts.
TEST(EventJson, IsReadUnderAnotherPolicy) {
  const auto other = make("version = 1\n[profile.first]\n[profile.box]\n");
  const auto back = event_from_json(event_json(refused_setns(), policy()), *other);
  ASSERT_TRUE(static_cast<bool>(back));
  EXPECT_EQ(back->request.subject, 2);
  const auto without = make("version = 1\n[profile.first]\n");
  EXPECT_EQ(event_from_json(event_json(refused_setns(), policy()), *without)->request.subject,
            HF_NO_PROFILE);
}

TEST(EventJson, RefusesWhatIsNoEvent) {
  for (const char* line :
       {"", "{", "[]", "1", "{}", R"({"version":2})", R"({"version":1})",
        R"({"version":1,"request":3})", R"({"version":1,"request":{"hook":"frob"}})",
        R"({"version":1,"request":{"subject":70000}})", R"({"version":1,"request":{"flags":7}})",
        R"({"version":1,"request":{"sock_op":"0xfffff"}})",
        R"({"version":1,"request":{"src_chain":[1,2,3,4,5,6,7,8,9]}})",
        R"({"version":1,"request":{"own_labels":{"#16":1}}})",
        R"({"version":1,"id":-1,"request":{}})"}) {
    const auto event = event_from_json(line, policy());
    EXPECT_FALSE(static_cast<bool>(event)) << line;
    if (!event) {
      EXPECT_EQ(event.error().code, EINVAL);
    }
  }
  EXPECT_FALSE(static_cast<bool>(event_from_json(std::string(1'000'000, '['), policy())));
}

TEST(EventJson, KnowsItsIdAndOriginAlone) {
  const std::string line = event_json(refused_setns(), policy());
  EXPECT_EQ(RecordedEvent::parse(line)->id(), 3u);
  EXPECT_EQ(static_cast<bool>(RecordedEvent::parse("no")), false);
  EXPECT_EQ(RecordedEvent::parse(line)->origin().digest, digest_text(policy().digest));
  EXPECT_EQ(RecordedEvent::parse(R"({"generation":7})")->origin().generation, 7u);
  EXPECT_EQ(RecordedEvent::parse("{}")->origin().digest, "");
  const auto rule = RecordedEvent::parse(line)->rule();
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->where.place(), "policy.toml:3:1");
  EXPECT_EQ(rule->text, "\"lock\"");
  EXPECT_FALSE(RecordedEvent::parse("{}")->rule());
}

// Whatever became of its policy.
TEST(EventJson, TellsItselfAsItWasRecorded) {
  const hf_event e = refused_setns();
  const std::string line = event_json(e, policy());
  const Compiled recorded = RecordedEvent::parse(line)->recorded_policy();
  const auto back = event_from_json(line, recorded);
  ASSERT_TRUE(static_cast<bool>(back));
  EXPECT_EQ(event_text(*back, recorded, Colour::off), event_text(e, policy(), Colour::off));
  for (const char* odd : {"{}", R"({"rule":{"id":4294967295,"file":"x"}})", R"({"rule":3})",
                          R"({"rule":{"id":"x","file":"x"}})"})
    EXPECT_LE(RecordedEvent::parse(odd)->recorded_policy().rules.size(), 1u) << odd;
  EXPECT_FALSE(static_cast<bool>(RecordedEvent::parse("")));
}

TEST(PolicyText, ComesBackExactly) {
  const PolicyText text{
      {{"a.toml", "version = 1\n[profile.a]\n"}, {"b \"x\".toml", "version = 1\n"}},
      {{"a", HF_MODE_AUDIT}}};
  const std::string line = policy_line(text);
  EXPECT_TRUE(line.starts_with(kPolicyLine));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto same = [&](const std::optional<PolicyText>& back) {
    ASSERT_TRUE(back);
    ASSERT_EQ(back->sources.size(), 2u);
    EXPECT_EQ(back->sources[1].name, text.sources[1].name);
    EXPECT_EQ(back->sources[1].text, text.sources[1].text);
    EXPECT_EQ(back->modes, text.modes);
  };
  same(policy_from_line(line));
  same(generation_from_json(generation_json(7, text), 7));
  EXPECT_FALSE(generation_from_json(generation_json(7, text), 8));
  EXPECT_FALSE(policy_from_line(event_json(refused_setns(), policy())));
  EXPECT_FALSE(policy_from_line(R"({"version":1,"policy":{"sources":[3]}})"));
  const ReadPolicy read = read_policy(text);
  ASSERT_TRUE(read.compiled);
  EXPECT_EQ(read.compiled->tables->profiles[1].mode, HF_MODE_AUDIT);
  EXPECT_EQ(read.compiled->digest, text_digest(text.sources));
}

TEST(EventFile, HasWhatWasRotatedAwayAndTellsWhatALineIs) {
  const std::string path = testing::TempDir() + "rotated.events";
  const auto write = [](const std::string& to, const std::string& text) {
    std::ofstream(to) << text;
  };
  write(path + ".1", R"({"version":1,"id":1})"
                     "\n");
  write(path, policy_line({{{"p.toml", ""}}, {}}) +
                  "\n"
                  R"({"version":1,"guard":"x"})"
                  "\n"
                  R"({"version":1,"id":2})"
                  "\n"
                  R"({"version":1,"id":3)");
  const auto read = [&path] {
    std::vector<std::pair<LineKind, std::string>> lines;
    auto file = EventFileReader::open(path);
    EXPECT_TRUE(file);
    EXPECT_TRUE(file->read([&lines](const EventLine& line) -> Result<void> {
      lines.emplace_back(line.kind, line.text);
      return {};
    }));
    EXPECT_TRUE(file->was_cut_off());
    return lines;
  };
  const auto lines = read();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], std::pair(LineKind::decision, std::string(R"({"version":1,"id":1})")));
  EXPECT_EQ(lines[1].first, LineKind::policy);
  EXPECT_EQ(lines[2].first, LineKind::guard);
  EXPECT_EQ(lines[3], std::pair(LineKind::decision, std::string(R"({"version":1,"id":2})")));
  std::filesystem::remove(path + ".1");
  EXPECT_EQ(read().size(), 3u);
  std::filesystem::remove(path);
}

TEST(EventFile, KeepsTheSmallestIdsAndCountsAll) {
  EventIds ids;
  EXPECT_EQ(event_list(ids), "");
  for (std::uint64_t id = 200; id > 0; id--) ids.add(id);
  EventIds others{0, 201};
  others.add(ids);
  EXPECT_EQ(others.count(), 202u);
  EXPECT_EQ(others.smallest().size(), EventIds::kKept);
  EXPECT_EQ(event_list(others), "events 0, 1, 2, 3, 4 and 197 more");
  EXPECT_EQ(event_list({7}), "event 7");
}

// A decision depends on which sandboxes are equal, not on their numbers.
TEST(RecordedEvent, TellsFactsWithoutTheNumbersOfSandboxes) {
  const auto facts = [](std::uint64_t subject, std::uint64_t held, std::uint64_t target) {
    hf_event e = refused_setns();
    e.request.subject_set = subject;
    e.request.held_set = held;
    e.request.target_set = target;
    const hf_request plain = with_plain_sets(e.request);
    EXPECT_EQ(plain.subject_set == plain.held_set, subject == held);
    EXPECT_EQ(plain.subject_set == plain.target_set, subject == target);
    EXPECT_EQ(plain.held_set == plain.target_set, held == target);
    EXPECT_EQ(plain.held_set == HF_NO_SET, held == HF_NO_SET);
    hf_event again = e;
    again.request = plain;
    const std::string text = RecordedEvent::parse(event_json(e, policy()))->facts();
    EXPECT_EQ(RecordedEvent::parse(event_json(again, policy()))->facts(), text);
    return text;
  };
  EXPECT_EQ(facts(4, 9, 4), facts(70, 1, 70));
  EXPECT_EQ(facts(0, 9, 9), facts(0, 4, 4));
  std::set<std::string> different = {facts(1, 1, 1), facts(1, 1, 2), facts(1, 2, 1),
                                     facts(1, 2, 2), facts(1, 2, 3), facts(0, 1, 1),
                                     facts(0, 1, 2), facts(1, 0, 1), facts(1, 0, 2)};
  EXPECT_EQ(different.size(), 9u);
}

hf_guard_event refused_signal() {
  hf_guard_event e{};
  e.what = HF_GUARD_SIGNAL;
  e.detail = 9;
  e.id = 4;
  e.time_ns = 21;
  e.actor.pid = 1235;
  e.actor.tgid = 1234;
  std::strcpy(e.actor.comm, "kill");
  return e;
}

TEST(Refusal, IsOneLineWithoutARule) {
  hf_guard_event e = refused_signal();
  EXPECT_EQ(guard_event_text(e, Colour::off),
            "denied  a signal to holdfast (9) by kill[1235]  (event 4)");
  e.repeats = 2;
  EXPECT_EQ(guard_event_text(e, Colour::off),
            "denied  a signal to holdfast (9) by kill[1235]  (event 4, 2 more like it)");
  EXPECT_NE(guard_event_text(e, Colour::on).find("\x1b[31mdenied"), std::string::npos);
}

TEST(Refusal, IsReadBackAsItWas) {
  for (std::uint32_t what = 0; what < HF_GUARD_COUNT; what++) {
    hf_guard_event e = refused_signal();
    e.what = what;
    e.actor.uid = 7;
    e.repeats = 3;
    e.audited = what % 2;
    const std::string line = guard_event_json(e);
    EXPECT_TRUE(is_guard_event(line)) << line;
    const auto back = guard_event_from_json(line);
    ASSERT_TRUE(back) << line;
    EXPECT_EQ(std::memcmp(&*back, &e, sizeof(e)), 0) << line;
    EXPECT_EQ(RecordedEvent::parse(line)->id(), 4u);
    EXPECT_NE(explain_guard_event(e).find("no statement of a policy would change that"),
              std::string::npos);
  }
}

TEST(Refusal, NamesThePrograms) {
  hf_guard_event e = refused_signal();
  e.what = HF_GUARD_HELPER;
  std::set<std::string> words;
  for (e.detail = 1; e.detail < HF_HELPER_COUNT; e.detail++) words.insert(guard_event_json(e));
  EXPECT_EQ(words.size(), HF_HELPER_COUNT - 1);
  e.detail = HF_HELPER_RELEASE_AGENT;
  EXPECT_EQ(guard_event_text(e, Colour::off),
            "denied  making the kernel start a program (release_agent) by kill[1235]  (event 4)");
  EXPECT_NE(guard_event_json(e).find("\"helper\":\"release_agent\""), std::string::npos);
  e.audited = 1;
  EXPECT_EQ(
      guard_event_text(e, Colour::off),
      "would deny  making the kernel start a program (release_agent) by kill[1235]  (event 4)");
  EXPECT_NE(explain_guard_event(e).find("only audited"), std::string::npos);
  EXPECT_NE(guard_event_json(e).find("\"enforced\":false"), std::string::npos);
}

TEST(Refusal, OfAnotherVersionIsAnAttemptOfNoKind) {
  EXPECT_FALSE(is_guard_event(event_json(refused_setns(), policy())));
  EXPECT_FALSE(guard_event_from_json(event_json(refused_setns(), policy())));
  EXPECT_FALSE(guard_event_from_json("{"));
  const auto later = guard_event_from_json(R"({"version":1,"guard":"telepathy","id":-1,"comm":7})");
  ASSERT_TRUE(later);
  EXPECT_EQ(later->what, 0u);
  EXPECT_EQ(later->id, 0u);
}

}  // namespace
}  // namespace holdfast::policy
