// SPDX-License-Identifier: Apache-2.0
// replay and learn: what another policy changes, and the policy that changes nothing that was seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/decide.h"
#include "events/event_json.h"
#include "explain/learn.h"
#include "explain/replay.h"
#include "policy/load.h"
#include "policy/parse.h"
#include "reference/random_case.h"

namespace holdfast::policy {
namespace {

Result<Replay> replay(const std::vector<std::string>& lines, const Compiled& policy) {
  return policy::replay(lines_of(lines), policy);
}

Result<Learned> learn(const std::vector<std::string>& lines, const Model& base,
                      const std::vector<Model>& recorders = {}) {
  HF_TRY_ASSIGN(const auto recording, read_recording(lines_of(lines)));
  return policy::learn(recording, base, recorders);
}

std::unique_ptr<const Compiled> make(const std::string& text) {
  LoadResult result = load({{"policy.toml", text}});
  for (const Diagnostic& diagnostic : result.diagnostics) ADD_FAILURE() << render(diagnostic);
  return std::move(result.policy);
}

hf_event event_of(const hf_request& request, std::uint64_t id, const Compiled& policy) {
  hf_event event{};
  event.version = HF_ABI_VERSION;
  event.length = sizeof(event);
  event.id = id;
  event.actor.pid = event.actor.tgid = 17;
  std::strcpy(event.actor.comm, "cat");
  event.request = request;
  hf_decide(policy.tables.get(), &request, &event.verdict);
  return event;
}

hf_request makes(std::uint32_t types) {
  hf_request r{};
  r.op = HF_OP_NAMESPACE_ALLOC;
  r.via = HF_VIA_UNSHARE;
  r.subject = 1;
  r.ns_types = types;
  return r;
}

TEST(Replay, ListsWhatDiffersAndCounts) {
  const auto was = make("version = 1\n[profile.web]\nnamespaces.create = []\n");
  const auto now = make("version = 1\n[profile.web]\nnamespaces.create = [\"net\"]\n");
  hf_event folded = event_of(makes(HF_NS_NET), 1, *was);
  folded.repeats = 4;
  const std::vector<std::string> lines = {event_json(folded, *was),
                                          event_json(event_of(makes(HF_NS_IPC), 2, *was), *was),
                                          event_json(event_of(makes(HF_NS_NET), 3, *was), *was)};
  const auto replayed = replay(lines, *now);
  ASSERT_TRUE(static_cast<bool>(replayed));
  EXPECT_EQ(replayed->decisions, 7u);
  EXPECT_EQ(replayed->differing, 6u);
  ASSERT_EQ(replayed->different.size(), 1u);
  EXPECT_EQ(replayed_text(replayed->different[0], *now),
            "denied -> allowed  unshare(net) by cat[17]: a rule allows it   policy.toml:3:1 "
            "namespaces.create = [\"net\"]  events 1, 3 (6 decisions)   was policy.toml:3:1 "
            "namespaces.create = []");
  EXPECT_TRUE(replay(lines, *was)->different.empty());
}

TEST(Replay, LooksCgroupsUpAnew) {
  const auto was = make("version = 1\n[profile.web]\ncgroup = \"/web\"\ncgroups.leave = []\n");
  const auto now = make(
      "version = 1\n[profile.all]\ncgroup = \"/\"\n[profile.db]\ncgroup = \"/db\"\n"
      "cgroups.join = []\n");
  hf_request r{};
  r.op = HF_OP_CGROUP_ATTACH;
  r.via = HF_VIA_CGROUP_PROCS;
  r.object = 1;
  r.src_chain[0] = 1;
  std::string line = event_json(event_of(r, 1, *was), *was);
  line.pop_back();
  line += R"(,"source_path":"/web/a","target_path":"/db/b"})";
  const auto replayed = replay({line}, *now);
  ASSERT_TRUE(static_cast<bool>(replayed));
  ASSERT_EQ(replayed->different.size(), 0u);  // denied by leave then, by join now
  const auto loose = make("version = 1\n[profile.db]\ncgroup = \"/db\"\n");
  EXPECT_EQ(replay({line}, *loose)->different.size(), 1u);
}

TEST(Replay, SaysWhichLineIsNoEvent) {
  const auto policy = make("version = 1\n");
  const auto bad = replay({event_json(event_of(makes(1), 1, *policy), *policy), "{}"}, *policy);
  ASSERT_FALSE(static_cast<bool>(bad));
  EXPECT_EQ(bad.error().code, EINVAL);
  EXPECT_NE(bad.error().message().find("line 2"), std::string::npos);
}

TEST(Learn, ListsJustWhatWasSeen) {
  const auto audited =
      make("version = 1\nmode = \"audit\"\n[profile.web]\nnamespaces.create = []\n");
  const auto learned =
      learn({event_json(event_of(makes(HF_NS_NET), 4, *audited), *audited),
             event_json(event_of(makes(HF_NS_NET | HF_NS_UTS), 9, *audited), *audited)},
            Model());
  ASSERT_TRUE(static_cast<bool>(learned)) << learned.error().message();
  EXPECT_EQ(learned->toml,
            "version = 1\n\n[profile.web]\nnamespaces.create = [\n  \"uts\",  # event 9\n"
            "  \"net\",  # events 4, 9\n]\nnamespaces.enter = \"none\"  # no event needs more\n");
}

TEST(Learn, KeepsBindingsOfTheBase) {
  const auto parsed = parse({{"base.toml",
                              "version = 1\n[profile.web]\ncgroup = \"/web\"\ncgroups.leave = []\n"
                              "[profile.manager]\ncgroup = \"/init\"\n"}});
  const auto base = make(
      "version = 1\n[profile.web]\ncgroup = \"/web\"\ncgroups.leave = []\n"
      "[profile.manager]\ncgroup = \"/init\"\n");
  hf_request r{};
  r.op = HF_OP_CGROUP_ATTACH;
  r.via = HF_VIA_CGROUP_PROCS;
  r.subject = 2;
  r.object = 1;
  r.src_chain[0] = 1;
  const auto learned = learn({event_json(event_of(r, 3, *base), *base)}, parsed.model);
  ASSERT_TRUE(static_cast<bool>(learned)) << learned.error().message();
  EXPECT_NE(learned->toml.find("cgroup = [\"/web\"]  # from base.toml:3:1\n"
                               "cgroups.leave = [\n  \"manager\",  # event 3\n]\n"
                               "cgroups.join = []  # no event needs more\n"),
            std::string::npos)
      << learned->toml;
}

TEST(Learn, SaysWhatNoPolicyAllows) {
  const auto policy = make("version = 1\n[profile.web]\n");
  hf_request r = makes(HF_NS_NET);
  r.flags = HF_REQ_FACTS_MISSING;
  const auto learned = learn({event_json(event_of(r, 8, *policy), *policy)}, Model());
  ASSERT_TRUE(static_cast<bool>(learned));
  EXPECT_EQ(learned->never, EventIds{8});
}

Result<Learned> learned_from(const std::vector<hf_event>& events, const Compiled& policy,
                             const std::string& recorder) {
  std::vector<std::string> lines;
  for (const hf_event& event : events) lines.push_back(event_json(event, policy));
  const ParseResult parsed = parse({{"audit.toml", recorder}});
  return learn(lines, parsed.model, {parsed.model});
}

hf_request uses_socket(std::uint16_t op, std::uint16_t family) {
  hf_request r{};
  r.op = HF_OP_SOCKET;
  r.via = op == HF_SOCK_CONNECT ? HF_VIA_CONNECT : HF_VIA_BIND;
  r.subject = 1;
  r.sock_op = op;
  r.sock_family = family;
  return r;
}

// log = "denials": what the recorder allowed is not in the events.
TEST(Learn, AllowsWhatTheRecorderAllowedWithoutAnEvent) {
  const std::string audit =
      "version = 1\nmode = \"audit\"\n[profile.web]\nnamespaces.create = [\"net\", \"ipc\"]\n"
      "namespaces.enter = \"own\"\n";
  const auto policy = make(audit);
  const auto learned = learned_from({event_of(makes(HF_NS_UTS), 7, *policy)}, *policy, audit);
  ASSERT_TRUE(static_cast<bool>(learned)) << learned.error().message();
  EXPECT_EQ(learned->toml,
            "version = 1\n\n[profile.web]\nnamespaces.create = [\n  \"uts\",  # event 7\n"
            "  \"ipc\",  # the policy that recorded allows it, and did not report that\n"
            "  \"net\",  # the policy that recorded allows it, and did not report that\n]\n"
            "namespaces.enter = \"own\"  # the policy that recorded allows it, and did not report "
            "that\n");
  ASSERT_EQ(learned->notes.size(), 1u);
  EXPECT_NE(learned->notes[0].find("without log = \"all\""), std::string::npos);
}

TEST(Learn, ProposesNothingThatWasNotRecorded) {
  const std::string audit =
      "version = 1\nmode = \"audit\"\nlog = \"all\"\n[profile.web]\nnamespaces.create = []\n"
      "[[profile.web.socket]]\non = [\"connect\"]\nverdict = \"deny\"\n";
  const auto policy = make(audit);
  const auto learned =
      learned_from({event_of(makes(HF_NS_UTS), 1, *policy),
                    event_of(uses_socket(HF_SOCK_CONNECT, HF_FAMILY_UNIX), 2, *policy)},
                   *policy, audit);
  ASSERT_TRUE(static_cast<bool>(learned)) << learned.error().message();
  EXPECT_EQ(learned->toml,
            "version = 1\n\n[profile.web]\nnamespaces.create = [\n  \"uts\",  # event 1\n]\n\n"
            "[[profile.web.socket]]\non = [\"connect\"]  # event 2\nfamily = [\"unix\"]\n"
            "verdict = \"allow\"\n\n[[profile.web.socket]]\non = [\"connect\"]  # no event needs "
            "anything else\nverdict = \"deny\"\n");
  EXPECT_EQ(learned->notes.size(), 2u);
}

// A rule of the recorder that a learned rule covers would be a mistake of the proposal.
TEST(Learn, KeepsTheRecordersSocketRulesWhereItDidNotReportAll) {
  const std::string audit =
      "version = 1\nmode = \"audit\"\n[profile.web]\n"
      "[[profile.web.socket]]\non = [\"connect\"]\nfamily = [\"inet\"]\nverdict = \"deny\"\n"
      "[[profile.web.socket]]\non = [\"bind\"]\nfamily = [\"inet\"]\nverdict = \"deny\"\n";
  const auto policy = make(audit);
  const auto learned = learned_from(
      {event_of(uses_socket(HF_SOCK_CONNECT, HF_FAMILY_INET), 2, *policy)}, *policy, audit);
  ASSERT_TRUE(static_cast<bool>(learned)) << learned.error().message();
  EXPECT_EQ(
      learned->toml,
      "version = 1\n\n[profile.web]\n\n[[profile.web.socket]]\non = [\"connect\"]  # event 2\n"
      "family = [\"inet\"]\nverdict = \"allow\"\n\n"
      "[[profile.web.socket]]  # from audit.toml:8:1\non = [\"bind\"]\nfamily = [\"inet\"]\n"
      "verdict = \"deny\"\n");
}

// holdfastd holds no task in a sandbox.
TEST(Learn, ProposesNoSandboxForCgroups) {
  const std::string audit =
      "version = 1\nmode = \"audit\"\nlog = \"all\"\n[profile.web]\ncgroup = \"/web\"\n"
      "namespaces.enter = \"none\"\n";
  const auto policy = make(audit);
  hf_request r = makes(HF_NS_NET);
  r.op = HF_OP_NAMESPACE_INSTALL;
  r.via = HF_VIA_SETNS;
  r.flags = HF_REQ_TARGET_KNOWN;
  const auto learned = learned_from({event_of(r, 4, *policy)}, *policy, audit);
  ASSERT_TRUE(static_cast<bool>(learned)) << learned.error().message();
  EXPECT_EQ(learned->toml.find("enter"), std::string::npos) << learned->toml;
}

TEST(Learn, AnyValueStandsForManyValuesOfALabel) {
  std::string audit = "version = 1\nmode = \"audit\"\nlog = \"all\"\n";
  for (int i = 0; i < 12; i++)
    audit +=
        "[[profile.web.socket]]\non = [\"bind\", \"connect\", \"listen\", \"accept\", "
        "\"send\"]\nlabel = { \"user.session\" = \"s" +
        std::to_string(i) + "\" }\nverdict = \"deny\"\n";
  const auto policy = make(audit);
  std::vector<hf_event> events;
  for (std::uint32_t i = 1; i <= 12; i++) {
    hf_request r = uses_socket(HF_SOCK_CONNECT, HF_FAMILY_UNIX);
    r.own_labels[0] = i;
    events.push_back(event_of(r, i, *policy));
  }
  const auto learned = learned_from(events, *policy, audit);
  ASSERT_TRUE(static_cast<bool>(learned)) << learned.error().message();
  EXPECT_NE(learned->toml.find("label = { \"user.session\" = \"*\" }"), std::string::npos)
      << learned->toml;
  EXPECT_EQ(learned->toml.find("\"s1\""), std::string::npos);
}

// The promise: replayed over the same events, what was learned denies none of them. And no setting
// is looser than need be, as far as a random walk can tell: something is refused by most policies.
TEST(Learn, DeniesNothingThatWasSeen) {
  reference::Random random(20);
  int refused_elsewhere = 0;
  for (int round = 0; round < 300; round++) {
    const std::string text = reference::random_policy(random);
    const auto policy = make(text);
    const auto parsed = parse({{"policy.toml", text}});
    std::vector<std::string> lines;
    for (std::uint64_t id = 1; id <= 12; id++)
      lines.push_back(
          event_json(event_of(reference::random_request(random, *policy), id, *policy), *policy));
    for (const Model& base : {Model(), parsed.model}) {
      const auto learned = learn(lines, base);
      ASSERT_TRUE(static_cast<bool>(learned)) << learned.error().message() << text;
      const auto proposed = make(learned->toml);
      ASSERT_TRUE(proposed) << learned->toml;
      const auto replayed = replay(lines, *proposed);
      ASSERT_TRUE(static_cast<bool>(replayed));
      for (const Replayed& one : replayed->different) {
        if (one.now.action != HF_DENY) continue;
        for (const std::uint64_t id : one.ids.smallest())
          EXPECT_TRUE(std::ranges::binary_search(learned->never.smallest(), id))
              << learned->toml << lines[id - 1];
      }
      for (int i = 0; i < 12; i++) {
        const hf_request other = reference::random_request(random, *proposed);
        hf_verdict verdict;
        hf_decide(proposed->tables.get(), &other, &verdict);
        refused_elsewhere += verdict.action == HF_DENY;
      }
    }
  }
  EXPECT_GT(refused_elsewhere, 1000);
}

}  // namespace
}  // namespace holdfast::policy
