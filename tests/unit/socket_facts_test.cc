// SPDX-License-Identifier: Apache-2.0
//
// Which socket operations no rule can refuse, and how duplicates of the tree's sockets are closed.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>

#include "backend/calls/foreign_fd.h"
#include "backend/calls/socket_facts.h"
#include "policy/load.h"
#include "run/choice.h"

namespace {

using namespace holdfast;
using namespace holdfast::backend::calls;

class SocketRules {
 public:
  explicit SocketRules(const std::string& rules,
                       SocketAttributes kernel = SocketAttributes::emulated)
      : policy_(policy::load({{"p.toml", "version = 1\n[profile.a]\n" + rules}}).policy),
        labels_(run::label_words(*policy_, 1), kernel) {}

  bool may_be_refused(std::uint32_t operations) const { return calls_may_be_refused(operations); }
  PossibleLabels& labels() { return labels_; }

 private:
  bool calls_may_be_refused(std::uint32_t operations) const {
    return backend::calls::may_be_refused(*policy_->tables, policy_->tables->profiles[1],
                                          operations, labels_);
  }
  std::unique_ptr<const policy::Compiled> policy_;
  PossibleLabels labels_;
};

constexpr const char* kLabelled = R"([[profile.a.socket]]
on = ["send"]
label = { "user.x" = "1" }
verdict = "deny"
)";

TEST(MayBeRefused, NotByALabelThatWasNeverSet) {
  SocketRules rules(kLabelled);
  EXPECT_FALSE(rules.may_be_refused(HF_SOCK_SEND));
  rules.labels().note("user.x", "2");
  rules.labels().note("user.y", "1");
  EXPECT_FALSE(rules.may_be_refused(HF_SOCK_SEND));
  rules.labels().note("user.x", "1");
  EXPECT_TRUE(rules.may_be_refused(HF_SOCK_SEND));
  EXPECT_FALSE(rules.may_be_refused(HF_SOCK_CONNECT)) << "no rule is about it";
}

TEST(MayBeRefused, ByAnyLabelWhereTheKernelKeepsThem) {
  EXPECT_TRUE(SocketRules(kLabelled, SocketAttributes::native).may_be_refused(HF_SOCK_SEND));
}

TEST(MayBeRefused, ByAnotherFamily) {
  SocketRules rules(
      "[[profile.a.socket]]\non = [\"send\"]\nfamily = [\"inet\"]\nverdict = \"deny\"\n");
  EXPECT_TRUE(rules.may_be_refused(HF_SOCK_SEND)) << "such a socket could be swapped in";
}

TEST(MayBeRefused, NotByWhatAnEarlierRuleAllows) {
  const std::string allow =
      "[[profile.a.socket]]\non = [\"send\"]\nfamily = [\"inet\"]\n"
      "label = { \"user.x\" = false }\nverdict = \"allow\"\n";
  const std::string deny =
      "[[profile.a.socket]]\non = [\"send\"]\nfamily = [\"inet\"]\nverdict = \"deny\"\n";
  SocketRules rules(allow + deny);
  EXPECT_FALSE(rules.may_be_refused(HF_SOCK_SEND));
  rules.labels().note("user.x", "1");
  EXPECT_TRUE(rules.may_be_refused(HF_SOCK_SEND));
}

TEST(MayBeRefused, ByTheLabelOfAPeer) {
  SocketRules rules(
      "[[profile.a.socket]]\non = [\"connect\"]\nfamily = [\"unix\"]\n"
      "peer = { \"user.x\" = \"1\" }\nverdict = \"deny\"\n");
  EXPECT_FALSE(rules.may_be_refused(HF_SOCK_CONNECT));
  rules.labels().note("user.x", "1");
  EXPECT_TRUE(rules.may_be_refused(HF_SOCK_CONNECT));
}

TEST(MayBeRefused, ByARate) {
  SocketRules rules("[[profile.a.socket]]\non = [\"send\"]\nrate = \"1/s burst 1\"\n");
  EXPECT_TRUE(rules.may_be_refused(HF_SOCK_SEND));
}

// The receiver reads nothing, so the socket has data that cannot be sent.
TEST(ForeignFd, DoesNotWaitForALingeringSocket) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int small = 2048;
  ::setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(at);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &length), 0);
  const int sender = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::connect(sender, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  const linger long_time = {1, 30};
  ASSERT_EQ(::setsockopt(sender, SOL_SOCKET, SO_LINGER, &long_time, sizeof(long_time)), 0);
  const std::string data(65536, 'x');
  while (::send(sender, data.data(), data.size(), MSG_DONTWAIT) > 0) continue;
  const auto begin = std::chrono::steady_clock::now();
  { const ForeignFd fd{Fd(sender)}; }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
