// SPDX-License-Identifier: Apache-2.0
// Requests in words, and what would change a verdict.
#include "explain/why.h"

#include <gtest/gtest.h>

#include <memory>

#include "core/decide.h"
#include "explain/request.h"
#include "policy/compile.h"
#include "policy/parse.h"
#include "reference/random_case.h"

namespace holdfast::policy {
namespace {

constexpr const char* kPolicy = R"(version = 1
[profile.web]
cgroup = "/web"
namespaces.create = ["user", "net"]
namespaces.enter = "none"
namespaces.track = true
cgroups.leave = ["manager"]
bpf.delegate.maps = ["hash"]
[[profile.web.socket]]
on = ["connect"]
label = { "user.x" = "y" }
verdict = "deny"
[profile.box]
namespaces.track = true
namespaces.visitors = "deny"
[profile.manager]
cgroup = "/init.scope"
[profile.other]
)";

struct Policy {
  Model model;
  std::unique_ptr<const Compiled> compiled;
};

Policy make(const std::string& text) {
  ParseResult parsed = parse({{"p.toml", text}});
  EXPECT_TRUE(parsed.diagnostics.empty());
  auto compiled = compile(parsed.model);
  return {std::move(parsed.model), std::move(compiled)};
}

const Policy& policy() {
  static const Policy made = make(kPolicy);
  return made;
}

std::string refusal(const std::string& text) {
  const auto request = parse_request(text, *policy().compiled);
  EXPECT_FALSE(static_cast<bool>(request)) << text;
  return request ? "" : request.error().detail;
}

// "profile key = value" of the change that flips the verdict.
std::string flip(const std::string& text) {
  const auto request = parse_request(text, *policy().compiled);
  EXPECT_TRUE(static_cast<bool>(request)) << request.error().detail;
  const auto change = find_flip(policy().model, *policy().compiled, *request);
  if (!change) return "none";
  return change->profile + " " + change->key + " = " + change->value;
}

TEST(Request, SaysWhatIsWrong) {
  EXPECT_EQ(
      refusal(""),
      "the request is empty; an example: profile=web hook=namespace_install type=net target=host");
  EXPECT_EQ(refusal("profile"), "'profile' is not key=value");
  EXPECT_EQ(refusal("profle=web hook=trace"), "unknown key 'profle'; did you mean 'profile'?");
  EXPECT_EQ(refusal("profile=wbe hook=trace"),
            "profile=wbe: the policy has no profile 'wbe'; did you mean 'web'?");
  EXPECT_EQ(refusal("hook=namespace_alloc type=nett"),
            "type=nett: not mnt, uts, ipc, user, pid, net, cgroup or time; did you mean 'net'?");
  EXPECT_EQ(refusal("hook=namespace_install type=net"),
            "the owner of the namespace is missing: target=host, own, PROFILE or unknown");
  EXPECT_EQ(refusal("hook=trace op=connect"), "connect is not a way of trace");
  EXPECT_EQ(refusal("hook=trace src=/a"), "src is not a part of a request for trace");
  EXPECT_EQ(refusal("hook=trace hook=bpf"), "'hook' is given twice");
  EXPECT_EQ(refusal("hook=cgroup_attach src=a dst=/b"),
            "src=a: it must start with '/', the root of the cgroup hierarchy");
  EXPECT_EQ(refusal("map=hsh"), "map=hsh: the kernel has no such name; did you mean 'hash'?");
  EXPECT_EQ(refusal("op=connect"),
            "the family is missing: family=unix, inet, inet6, netlink, packet or vsock");
  EXPECT_EQ(refusal("op=connect family=inet label.x=1"), "label.x: labels are named user.NAME");
  EXPECT_EQ(refusal("hook=namespace_install type=net target=own"), "target=own: not a profile");
  EXPECT_EQ(refusal("hook=trace held=web#0"), "held=0: not a number from 1 to 1000000");
  EXPECT_EQ(refusal("profile=\"web"), "'profile' has no closing quote");
}

TEST(Flip, LoosensAsLittleAsPossible) {
  EXPECT_EQ(flip("profile=web hook=namespace_install type=net target=own"),
            "web namespaces.enter = \"own\"");
  EXPECT_EQ(flip("profile=web hook=namespace_install type=net target=host"),
            "web namespaces.enter = \"lock\"");
  EXPECT_EQ(flip("profile=web hook=namespace_alloc type=mnt"),
            "web namespaces.create = [\"user\", \"net\", \"mnt\"]");
  EXPECT_EQ(flip("hook=namespace_install type=net target=box"),
            "box namespaces.visitors = \"lock\"");
  EXPECT_EQ(flip("mover=other hook=cgroup_attach src=/web dst=/x"),
            "web cgroups.leave = [\"manager\", \"other\"]");
  EXPECT_EQ(flip("hook=cgroup_attach src=/web dst=/x"), "web cgroups.leave = \"any\"");
  EXPECT_EQ(flip("profile=web map=array"), "web bpf.delegate.maps = [\"hash\", \"array\"]");
  EXPECT_EQ(flip("profile=web op=connect family=inet label.user.x=y"), "web socket[1] = \"allow\"");
}

TEST(Flip, TightensAsLittleAsPossible) {
  EXPECT_EQ(flip("profile=web hook=namespace_alloc type=net"),
            "web namespaces.create = [\"user\"]");
  EXPECT_EQ(flip("profile=web hook=namespace_alloc type=user,net"), "web namespaces.create = []");
  EXPECT_EQ(flip("profile=other hook=namespace_install type=net target=host"),
            "other namespaces.enter = \"own\"");
  EXPECT_EQ(flip("mover=manager hook=cgroup_attach src=/web dst=/x"), "web cgroups.leave = []");
  EXPECT_EQ(flip("mover=manager hook=cgroup_attach src=/x dst=/web"), "web cgroups.join = []");
  EXPECT_EQ(flip("profile=web map=hash"), "web bpf.delegate.maps = []");
  EXPECT_EQ(flip("profile=other op=connect family=inet"),
            "other socket[1] = { on = [\"connect\"], family = [\"inet\"], verdict = \"deny\" }");
}

TEST(Flip, SaysSoWhenNothingWould) {
  EXPECT_EQ(flip("hook=namespace_install type=net target=host"), "none");
  EXPECT_EQ(flip("profile=web hook=namespace_alloc type=net flags=facts-missing"), "none");
}

// Whatever is suggested does flip it, and is decided in earnest.
TEST(Flip, IsTrueForRandomPolicies) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 80; seed++) {
    reference::Random random(seed);
    const Policy made = make(random_policy(random));
    for (int i = 0; i < 5; i++) {
      const hf_request request = random_request(random, *made.compiled);
      hf_verdict verdict;
      hf_decide(made.compiled->tables.get(), &request, &verdict);
      const auto change = find_flip(made.model, *made.compiled, request);
      if (!change) continue;
      found++;
      EXPECT_NE(goes_through(change->verdict), goes_through(verdict));
    }
  }
  EXPECT_GT(found, 100);
}

TEST(Explain, NamesTheLineAndTheChange) {
  const auto request =
      parse_request("profile=web hook=namespace_install type=net target=host", *policy().compiled);
  ASSERT_TRUE(static_cast<bool>(request));
  EXPECT_EQ(
      explain(policy().model, *policy().compiled, *request),
      "setns(net) by a task of profile web\n"
      "deny (EPERM): may not enter any namespace\n"
      "  rule    p.toml:5:1  namespaces.enter = \"none\"  (profile web)\n"
      "  change  p.toml:5:1  namespaces.enter = \"lock\" in profile web would let it through\n");
}

}  // namespace
}  // namespace holdfast::policy
