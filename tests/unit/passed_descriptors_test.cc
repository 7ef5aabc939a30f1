// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "kernel/process/process.h"
#include "kernel/sockets/passed_descriptors.h"

namespace {

using holdfast::Fd;
using namespace holdfast::kernel;

std::array<Fd, 2> channel() {
  auto ends = make_channel();
  EXPECT_TRUE(ends);
  return *std::move(ends);
}

ino_t inode(int fd) {
  struct stat facts = {};
  EXPECT_EQ(fstat(fd, &facts), 0);
  return facts.st_ino;
}

TEST(Packet, BringsBytesAndDescriptors) {
  const auto ends = channel();
  ASSERT_TRUE(send_packet(ends[0].get(), "ab", {ends[0].get(), ends[1].get()}));
  std::vector<Fd> descriptors;
  const auto packet = receive_packet(ends[1].get(), 2, descriptors);
  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ(**packet, "ab");
  ASSERT_EQ(descriptors.size(), 2u);
  EXPECT_EQ(inode(descriptors[0].get()), inode(ends[0].get()));
  EXPECT_EQ(inode(descriptors[1].get()), inode(ends[1].get()));
}

TEST(Packet, EndsWhenTheOtherSideCloses) {
  auto ends = channel();
  ends[0].reset();
  std::vector<Fd> descriptors;
  const auto packet = receive_packet(ends[1].get(), 2, descriptors);
  ASSERT_TRUE(packet);
  EXPECT_FALSE(*packet);
}

TEST(Packet, MayBeTooLarge) {
  const auto ends = channel();
  ASSERT_TRUE(send_packet(ends[0].get(), "abc", {}));
  std::vector<Fd> descriptors;
  const auto packet = receive_packet(ends[1].get(), 2, descriptors);
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error().code, EPROTO);
}

TEST(Packet, NeedsRoomForItsDescriptors) {
  const auto ends = channel();
  ASSERT_TRUE(send_packet(ends[0].get(), "a", {ends[0].get()}));
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {static_cast<rlim_t>(ends[1].get()), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  std::vector<Fd> descriptors;
  const auto packet = receive_packet(ends[1].get(), 1, descriptors);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(packet);
  EXPECT_EQ(packet.error().code, EMFILE);
  EXPECT_TRUE(descriptors.empty());
}

TEST(Packet, RefusesMoreDescriptorsThanItCanBring) {
  const auto ends = channel();
  const std::vector<int> many(kMaxPacketDescriptors + 1, ends[0].get());
  const auto sent = send_packet(ends[0].get(), "a", many);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, EINVAL);
}

}  // namespace
