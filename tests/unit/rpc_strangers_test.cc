// SPDX-License-Identifier: Apache-2.0
// io.holdfast's server against clients that keep root, or each other, from being answered.
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "kernel/event_loop.h"
#include "kernel/process/process.h"
#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/passed_descriptors.h"
#include "rpc/inbox.h"
#include "rpc/server.h"

namespace holdfast::rpc {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

std::string call(const std::string& method) {
  std::string text = R"({"method":"test.It.)" + method + "\"}";
  text += '\0';
  return text;
}

// The reading end of a pipe tells when the last of the writing ends was closed.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends;
    EXPECT_EQ(pipe(ends.data()), 0);
    reads.reset(ends[0]);
    writes.reset(ends[1]);
  }
  [[nodiscard]] bool is_held() const {
    pollfd look = {reads.get(), POLLIN, 0};
    return poll(&look, 1, 0) == 0;
  }
  Fd reads, writes;
};

void send_with(const Fd& to, std::string_view bytes, int descriptor, int flags = 0) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  iovec data = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(part), &descriptor, sizeof(int));
  ASSERT_EQ(sendmsg(to.get(), &message, flags), static_cast<ssize_t>(bytes.size()));
}

// Each client of the socket for all users is a stranger, and each of the other one is root.
class StrangersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/holdfast-rpc-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    limits_.root_uid = geteuid() + 1;
    limits_.root = 4;
    limits_.strangers = 6;
    limits_.grace_ns = 0;
    limits_.slice_ns = 1000 * kMs;
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  void serve(Helpers helpers = no_helpers()) {
    auto server = Server::create(
        directory_ + "/socket", {"test.It", "interface test.It"},
        [this](const Call& asked) {
          answered_++;
          if (answer_us_ > 0) kernel::sleep_us(answer_us_);
          return Answer{"", {{"text", std::string(answer_bytes_, 'a')}}, asked.more};
        },
        std::move(helpers), limits_);
    ASSERT_TRUE(server);
    server_ = *std::move(server);
  }

  Fd connect(const char* suffix = "") {
    auto fd = kernel::connect_to(directory_ + "/socket" + suffix);
    EXPECT_TRUE(fd);
    return fd ? *std::move(fd) : Fd();
  }
  Fd connect_root() { return connect(kRootSuffix); }

  static void send(const Fd& fd, std::string_view bytes) {
    const auto sent = kernel::send_some(fd.get(), bytes);
    ASSERT_TRUE(sent);
    ASSERT_EQ(*sent, bytes.size());
  }

  // Answers that have come; -1: closed before one came.
  static int answers(const Fd& fd) {
    std::string bytes;
    for (;;) {
      const std::size_t before = bytes.size();
      const auto open = kernel::receive_some(fd.get(), bytes, kernel::Wait::no);
      if (!open || (!*open && bytes.empty())) return -1;
      if (bytes.size() == before) break;
    }
    return static_cast<int>(std::ranges::count(bytes, '\0'));
  }

  static bool is_closed(const Fd& fd) { return answers(fd) < 0; }

  // For that long, and that often: on a busy machine the time may be over after one round.
  void dispatch_for(unsigned ms) {
    const std::uint64_t end = kernel::boottime_ns() + ms * kMs;
    for (unsigned rounds = 0; rounds < ms || kernel::boottime_ns() < end; rounds++) {
      server_->dispatch();
      kernel::sleep_us(500);
    }
  }

  std::string directory_;
  Limits limits_;
  std::unique_ptr<Server> server_;
  int answered_ = 0;
  unsigned answer_us_ = 0;
  std::size_t answer_bytes_ = 10;
};

TEST_F(StrangersTest, OnlyTheOwnerMayConnectToRootsSocket) {
  serve();
  struct stat about;
  ASSERT_EQ(stat((directory_ + "/socket.root").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/socket.root"));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/socket"));
}

TEST_F(StrangersTest, RootHasSlotsOfItsOwn) {
  serve();
  std::vector<Fd> held;
  for (int i = 0; i < 40; i++) held.push_back(connect());
  for (int i = 0; i < 10; i++) server_->dispatch();
  const Fd root = connect_root();
  send(root, call("Ask"));
  server_->dispatch();
  EXPECT_EQ(answers(root), 1);
}

TEST_F(StrangersTest, AnIdleOneMakesRoomForTheNext) {
  serve();
  std::vector<Fd> held;
  for (int i = 0; i < 20; i++) {
    held.push_back(connect());
    dispatch_for(2);
  }
  const Fd next = connect();
  send(next, call("Ask"));
  dispatch_for(20);
  EXPECT_EQ(answers(next), 1);
  int open = 0;
  for (const Fd& fd : held) open += is_closed(fd) ? 0 : 1;
  EXPECT_EQ(open, 5);
  EXPECT_TRUE(is_closed(held[0]));
  EXPECT_FALSE(is_closed(held[19]));
}

TEST_F(StrangersTest, EachHasTimeToAsk) {
  limits_.grace_ns = 100 * kMs;
  serve();
  std::vector<Fd> held;
  for (int i = 0; i < 6; i++) held.push_back(connect());
  const Fd next = connect();
  send(next, call("Ask"));
  server_->dispatch();
  for (const Fd& fd : held) EXPECT_FALSE(is_closed(fd));
  EXPECT_EQ(answers(next), 0);
  EXPECT_LE(server_->interest().due_ns, kernel::boottime_ns() + 100 * kMs);
  dispatch_for(200);
  EXPECT_EQ(answers(next), 1);
}

TEST_F(StrangersTest, IdleHalfSentAndUnreadAreDropped) {
  limits_.idle_ns = 100 * kMs;
  answer_bytes_ = std::size_t{1} << 20;  // more than a socket takes
  serve();
  const Fd idle = connect(), half = connect(), slow = connect(), root = connect_root();
  send(half, "{\"method\":");
  send(slow, call("Ask") + call("Ask") + call("Ask"));
  server_->dispatch();
  for (const Fd* fd : {&idle, &half, &root}) EXPECT_FALSE(is_closed(*fd));
  dispatch_for(200);
  EXPECT_TRUE(is_closed(idle));
  EXPECT_TRUE(is_closed(half));
  // It gets what the socket held, and never a whole answer.
  EXPECT_EQ(answers(slow), 0);
  EXPECT_FALSE(kernel::send_some(slow.get(), "x"));
  EXPECT_EQ(answered_, 1);  // nobody is answered ahead of what he reads
  EXPECT_FALSE(is_closed(root));
}

TEST_F(StrangersTest, PipelinedCallsAreAnsweredInTurns) {
  serve();
  const Fd greedy = connect(), modest = connect();
  std::string many;
  for (int i = 0; i < 400; i++) many += call("Ask");
  send(greedy, many);
  send(modest, call("Ask"));
  server_->dispatch();
  EXPECT_EQ(answers(modest), 1);
  EXPECT_EQ(answered_, 2);
  EXPECT_LE(server_->interest().due_ns, kernel::boottime_ns() + 20 * kMs);
  dispatch_for(100);
  EXPECT_GT(answered_, 10);
}

// As holdfastd waits: whatever the moment, nobody is forgotten.
TEST_F(StrangersTest, NobodyIsForgotten) {
  limits_.slice_ns = 1 * kMs;
  answer_us_ = 300;
  serve();
  std::uint64_t end_ns = kNever;
  kernel::EventLoop loop;
  loop.add_source([&] { return server_->interest(); },
                  [&]() -> Result<void> {
                    server_->dispatch();
                    return {};
                  });
  loop.add_timer([&] { return end_ns; }, [] {});
  for (int i = 0; i < 200; i++) {
    const Fd fd = connect();
    send(fd, call("Ask"));
    end_ns = kernel::boottime_ns() + 1000 * kMs;
    while (answers(fd) == 0) {
      ASSERT_TRUE(loop.turn());
      ASSERT_LT(kernel::boottime_ns(), end_ns) << i;
    }
  }
}

// Calls without an answer are not free either.
TEST_F(StrangersTest, StrangersHaveAQuarterOfTheTime) {
  limits_.slice_ns = 5 * kMs;
  answer_us_ = 1000;
  serve();
  std::vector<Fd> flood;
  std::string many;
  for (int i = 0; i < 400; i++)
    many += R"({"method":"test.It.Ask","oneway":true})" + std::string(1, '\0');
  for (int i = 0; i < 6; i++) {
    flood.push_back(connect());
    send(flood.back(), many);
  }
  const std::uint64_t begin = kernel::boottime_ns();
  std::uint64_t longest = 0, total = 0;
  while (kernel::boottime_ns() < begin + 400 * kMs) {
    const std::uint64_t before = kernel::boottime_ns();
    server_->dispatch();
    const std::uint64_t took = kernel::boottime_ns() - before;
    longest = std::max(longest, took);
    total += took;
    kernel::sleep_us(200);
  }
  EXPECT_LE(answered_, 120);
  EXPECT_GT(answered_, 10);
  // Root does not wait for them to have their rest.
  const Fd root = connect_root();
  send(root, call("Ask"));
  server_->dispatch();
  EXPECT_EQ(answers(root), 1);
}

TEST_F(StrangersTest, ALargeCallIsAStrangersNoMore) {
  serve();
  const Fd stranger = connect(), root = connect_root();
  const std::string large =
      "{\"method\":\"test.It.Ask\",\"parameters\":{\"a\":\"" + std::string(70000, 'a');
  send(stranger, large);
  send(root, large);
  dispatch_for(20);
  EXPECT_TRUE(is_closed(stranger));
  send(root, "\"}}" + std::string(1, '\0'));
  dispatch_for(20);
  EXPECT_EQ(answers(root), 1);
}

TEST_F(StrangersTest, WhoHasSentAllIsAnswered) {
  serve();
  const Fd fd = connect();
  send(fd, call("Ask") + call("Ask"));
  shutdown(fd.get(), SHUT_WR);
  dispatch_for(20);
  EXPECT_EQ(answers(fd), 2);
  EXPECT_TRUE(is_closed(fd));
}

// A relay is started for who sends descriptors, and for nobody else.
TEST_F(StrangersTest, DescriptorsTakeARelay) {
  int relays = 0;
  Helpers helpers;
  helpers.relay = [&relays](Fd& client) {
    relays++;
    return no_relay(client);
  };
  helpers.closer = [] { return Result<ServerEnd>(Error{EAGAIN, "start", {}, {}}); };
  serve(std::move(helpers));
  const Fd plain = connect(), with = connect(), root = connect_root();
  const Pipe pipe;
  send(plain, call("Ask"));
  send_with(with, call("Ask"), pipe.reads.get());
  send_with(root, call("Ask"), pipe.reads.get());
  dispatch_for(20);
  EXPECT_EQ(answers(plain), 1);
  EXPECT_EQ(answers(with), 1);
  EXPECT_EQ(answers(root), 1);
  EXPECT_EQ(relays, 2);
}

TEST_F(StrangersTest, RelaysAreFew) {
  int relays = 0;
  Helpers helpers;
  helpers.relay = [&relays](Fd& client) {
    relays++;
    return no_relay(client);
  };
  int closers = 0;
  helpers.closer = [&closers] {
    closers++;
    return Result<ServerEnd>(Error{EAGAIN, "start", {}, {}});
  };
  limits_.strangers = 40;
  limits_.relays_at_once = 3;
  limits_.idle_ns = 100 * kMs;
  limits_.relay_every_ns = 1000'000 * kMs;
  serve(std::move(helpers));
  Pipe pipe;
  std::vector<Fd> flood;
  for (int i = 0; i < 20; i++) {
    flood.push_back(connect());
    send_with(flood.back(), call("Ask"), pipe.writes.get());
  }
  pipe.writes.reset();
  dispatch_for(50);
  EXPECT_LE(relays, 3);
  // Those that got none are dropped, but nobody here is the last to hold what they sent.
  dispatch_for(200);
  for (const Fd& fd : flood) EXPECT_FALSE(kernel::send_some(fd.get(), "x"));
  EXPECT_GT(closers, 0);
  EXPECT_TRUE(pipe.is_held());
}

TEST(PlainTest, TakesNoByteThatADescriptorCameWith) {
  auto ends = kernel::make_stream();
  ASSERT_TRUE(ends);
  auto& [ours, theirs] = *ends;
  ASSERT_TRUE(kernel::prepare_plain(ours.get()));
  Pipe pipe;
  std::string bytes;
  EXPECT_EQ(*kernel::read_plain(ours.get(), bytes, 100), kernel::Plain::nothing);
  ASSERT_TRUE(kernel::send_some(theirs.get(), "abc"));
  EXPECT_EQ(*kernel::read_plain(ours.get(), bytes, 2), kernel::Plain::bytes);
  EXPECT_EQ(*kernel::read_plain(ours.get(), bytes, 100), kernel::Plain::bytes);
  EXPECT_EQ(bytes, "abc");
  ASSERT_TRUE(kernel::send_some(theirs.get(), "de"));
  send_with(theirs, "fg", pipe.writes.get());
  pipe.writes.reset();
  for (int i = 0; i < 3; i++)
    EXPECT_EQ(*kernel::read_plain(ours.get(), bytes, 100), kernel::Plain::descriptors);
  // A peek looks one byte further, so not even what is before it.
  EXPECT_EQ(*kernel::read_plain(ours.get(), bytes, 2), kernel::Plain::descriptors);
  theirs.reset();
  EXPECT_EQ(*kernel::read_plain(ours.get(), bytes, 1), kernel::Plain::descriptors);
  EXPECT_TRUE(pipe.is_held());
  std::vector<Fd> descriptors;
  ASSERT_TRUE(kernel::receive_with_descriptors(ours.get(), bytes, descriptors));
  EXPECT_EQ(bytes, "abcdefg");
  EXPECT_EQ(descriptors.size(), 1u);
  EXPECT_EQ(*kernel::read_plain(ours.get(), bytes, 100), kernel::Plain::ended);
  descriptors.clear();
  EXPECT_FALSE(pipe.is_held());
}

// A read that comes upon a byte out of band discards it, with what came along.
TEST(PlainTest, NorOneSentOutOfBand) {
  auto ends = kernel::make_stream();
  ASSERT_TRUE(ends);
  auto& [ours, theirs] = *ends;
  ASSERT_TRUE(kernel::prepare_plain(ours.get()));
  Pipe pipe;
  send_with(theirs, "x", pipe.writes.get(), MSG_OOB);
  pipe.writes.reset();
  ASSERT_TRUE(kernel::send_some(theirs.get(), "after"));
  std::string bytes;
  for (int i = 0; i < 3; i++)
    EXPECT_EQ(*kernel::read_plain(ours.get(), bytes, 100), kernel::Plain::descriptors);
  EXPECT_EQ(bytes, "");
  EXPECT_TRUE(pipe.is_held());
}

TEST(PlainTest, OutOfBandWithoutDescriptorsAreBytes) {
  auto ends = kernel::make_stream();
  ASSERT_TRUE(ends);
  auto& [ours, theirs] = *ends;
  ASSERT_TRUE(kernel::prepare_plain(ours.get()));
  ASSERT_TRUE(kernel::send_some(theirs.get(), "ab"));
  ASSERT_EQ(::send(theirs.get(), "c", 1, MSG_OOB), 1);
  ASSERT_TRUE(kernel::send_some(theirs.get(), "de"));
  std::string bytes;
  while (*kernel::read_plain(ours.get(), bytes, 100) == kernel::Plain::bytes) {
  }
  EXPECT_EQ(bytes, "abcde");
}

TEST(CloserTest, KeepsWhatItMayNotClose) {
  auto ends = kernel::make_stream();
  ASSERT_TRUE(ends);
  auto& [ours, theirs] = *ends;
  Pipe pipe;
  int started = 0;
  auto process = kernel::make_stream();
  ASSERT_TRUE(process);
  Closer closer([&] {
    started++;
    return Result<ServerEnd>(ServerEnd{std::move((*process)[0]), Fd()});
  });
  auto harmless = kernel::make_stream();
  ASSERT_TRUE(harmless);
  ASSERT_TRUE(kernel::send_some((*harmless)[1].get(), std::string(100000, 'x')));
  closer.close(std::move((*harmless)[0]), 0);
  EXPECT_EQ(started, 0);
  ASSERT_TRUE(kernel::send_some(theirs.get(), "unread"));
  send_with(theirs, "x", pipe.writes.get());
  pipe.writes.reset();
  closer.close(std::move(ours), 0);
  EXPECT_EQ(started, 1);
  EXPECT_EQ(closer.waiting(), 0u);
  EXPECT_TRUE(pipe.is_held());
  EXPECT_FALSE(kernel::send_some(theirs.get(), "more"));
  // The process may close it when it is not held here any more.
  std::string bytes;
  std::vector<Fd> came;
  ASSERT_TRUE(kernel::receive_with_descriptors((*process)[1].get(), bytes, came));
  EXPECT_EQ(bytes, "c");
  EXPECT_EQ(came.size(), 1u);
  ASSERT_TRUE(kernel::receive_with_descriptors((*process)[1].get(), bytes, came));
  EXPECT_EQ(bytes, "cx");
  EXPECT_TRUE(pipe.is_held());
  came.clear();
  EXPECT_FALSE(pipe.is_held());
}

TEST(InboxTest, HoweverItIsCut) {
  const std::string text("one\0\0three\0four", 15);
  for (std::size_t step = 1; step <= text.size(); step++) {
    Inbox inbox;
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < text.size(); at += step) {
      inbox.bytes() += text.substr(at, step);
      while (const auto message = inbox.take()) messages.push_back(*message);
    }
    EXPECT_EQ(messages, (std::vector<std::string>{"one", "", "three"})) << step;
    EXPECT_EQ(inbox.size(), 4u);
  }
  Inbox all;
  all.bytes() += text;
  EXPECT_TRUE(all.has_message());
  EXPECT_EQ(*all.take(), "one");
  EXPECT_EQ(*all.take(), "");
  EXPECT_EQ(*all.take(), "three");
  EXPECT_FALSE(all.take());
}

}  // namespace
}  // namespace holdfast::rpc
