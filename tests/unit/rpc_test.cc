// SPDX-License-Identifier: Apache-2.0
// io.holdfast's server against whoever may connect.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "kernel/local_socket.h"
#include "rpc/message.h"
#include "rpc/server.h"

namespace holdfast::rpc {
namespace {

constexpr std::size_t kAtOnce = 16384;  // what a socket takes without waiting for its reader

class RpcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/holdfast-rpc-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    auto server = Server::create(directory_ + "/socket", {"test.Echo", "interface test.Echo"},
                                 [](const Call& call) {
                                   return Answer{"", call.parameters, false};
                                 },
                                 no_helpers(), {.root_uid = geteuid()});
    ASSERT_TRUE(server);
    server_ = *std::move(server);
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  Fd connect() {
    auto fd = kernel::connect_to(directory_ + "/socket" + kRootSuffix);
    EXPECT_TRUE(fd);
    return *std::move(fd);
  }

  // Sends all of it, and returns what came back; "closed" when the server closed.
  std::string ask(const Fd& fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = kernel::send_some(fd.get(), bytes.substr(0, kAtOnce));
      if (!sent) return "closed";
      bytes.remove_prefix(*sent);
      server_->dispatch();
    }
    server_->dispatch();
    std::string answer;
    const auto open = kernel::receive_some(fd.get(), answer, kernel::Wait::no);
    return !open || (!*open && answer.empty()) ? "closed" : answer;
  }

  static std::string call(const std::string& parameters) {
    std::string text = R"({"method":"test.Echo.Do","parameters":)" + parameters + "}";
    text += '\0';
    return text;
  }

  std::string directory_;
  std::unique_ptr<Server> server_;
};

TEST_F(RpcTest, AnswersACall) {
  const Fd fd = connect();
  EXPECT_EQ(ask(fd, call(R"({"a":[1,{}]})")), std::string("{\"parameters\":{\"a\":[1,{}]}}\0", 28));
}

// Each level would take a frame of the stack where the value is copied.
TEST_F(RpcTest, DeepNestingIsNoMessage) {
  const std::size_t depth = 400000;
  const Fd bad = connect(), good = connect();
  const std::string deep = std::string(depth, '[') + std::string(depth, ']');
  EXPECT_EQ(ask(bad, call("{\"a\":" + deep + "}")), "closed");
  EXPECT_NE(ask(good, call("{}")), "closed");
}

TEST_F(RpcTest, DepthIsThatOfJson) {
  const std::string most = std::string(kMostNesting, '[') + std::string(kMostNesting, ']');
  EXPECT_FALSE(parse_message(most).is_discarded());
  EXPECT_TRUE(parse_message("[" + most + "]").is_discarded());
  const std::string quoted =
      "[\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"]";
  EXPECT_FALSE(parse_message(quoted).is_discarded());
}

TEST_F(RpcTest, WhatIsNoCallIsDisconnected) {
  for (const char* text : {"", "[]", "{}", "{\"method\":7}", "\xff", "{\"method\":\"x\""}) {
    const Fd fd = connect();
    EXPECT_EQ(ask(fd, std::string(text) + '\0'), "closed") << text;
  }
}

// One byte more than it reads without finding an end.
TEST_F(RpcTest, AnEndlessCallIsDisconnected) {
  const Fd fd = connect();
  EXPECT_EQ(ask(fd, std::string((std::size_t{1} << 20) + 1, ' ')), "closed");
}

}  // namespace
}  // namespace holdfast::rpc
