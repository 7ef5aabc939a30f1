// SPDX-License-Identifier: Apache-2.0
// io.holdfast's server against clients of every kind.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <vector>

#include "kernel/sockets/local_socket.h"
#include "rpc/message.h"
#include "rpc/server.h"

namespace holdfast::rpc {
namespace {

constexpr std::size_t kAtOnce = 16384;  // what a socket takes without waiting for its reader

// What is at a path that a server was told to listen at.
TEST(LocalSocket, ReplacesOnlyAStreamSocketThatNobodyServes) {
  char name[] = "/tmp/holdfast-socket-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string directory = name;
  namespace fs = std::filesystem;

  const std::string file = directory + "/file";
  std::ofstream(file) << "text";
  const std::string link = directory + "/link";
  fs::create_symlink(file, link);
  const std::string pipe = directory + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {file, link, pipe, directory + "/."}) {
    EXPECT_FALSE(kernel::listen_at(path, 0600)) << path;
    EXPECT_TRUE(fs::exists(fs::symlink_status(path))) << path;
    EXPECT_FALSE(kernel::remove_socket(path)) << path;
    EXPECT_TRUE(fs::exists(fs::symlink_status(path))) << path;
  }

  const std::string path = directory + "/socket";
  auto first = kernel::listen_at(path, 0600);
  ASSERT_TRUE(first);
  const auto second = kernel::listen_at(path, 0600);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  // A full queue does not make it wait, and counts as a listener.
  std::vector<Fd> waiting;
  for (int i = 0; i < 100; i++) {
    Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) break;
    waiting.push_back(std::move(fd));
  }
  EXPECT_LT(waiting.size(), 100u);
  EXPECT_EQ(kernel::listen_at(path, 0600).error().code, EADDRINUSE);
  first->reset();
  EXPECT_TRUE(kernel::listen_at(path, 0600));  // what was left is replaced
  EXPECT_TRUE(kernel::remove_socket(path));
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(kernel::remove_socket(path));  // nothing is there
  fs::remove_all(directory);
}

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
  const std::string most = std::string(kMaxNesting, '[') + std::string(kMaxNesting, ']');
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
