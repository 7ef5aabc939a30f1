// SPDX-License-Identifier: Apache-2.0
//
// Which file a descriptor names, as /proc says it and as unix_diag does.
#include "kernel/files/bound_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/fd.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"
#include "kernel/sockets/unix_diag.h"

namespace {

using namespace holdfast;

constexpr char kInfo[] = "pos:\t0\nflags:\t012000000\nmnt_id:\t31\nino:\t4711\n";
constexpr char kMounts[] =
    "30 1 254:1 / / rw - ext4 /dev/vda rw\n31 30 0:29 / /tmp rw - tmpfs tmpfs rw\n";

TEST(BoundFile, IsTheInodeAndTheDeviceOfItsMount) {
  const auto file = kernel::parse_bound_file(kInfo, kMounts);
  ASSERT_TRUE(file);
  EXPECT_EQ(*file, (kernel::BoundFile{4711, 29}));
}

TEST(BoundFile, CountsTheMajorNumber) {
  const auto file = kernel::parse_bound_file("mnt_id:\t30\nino:\t5\n", kMounts);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->device, (254u << 20) | 1u);
}

TEST(BoundFile, IsNotKnownWithoutItsMount) {
  const auto file = kernel::parse_bound_file("mnt_id:\t99\nino:\t5\n", kMounts);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ENOENT);
}

TEST(BoundFile, RefusesOtherTexts) {
  EXPECT_FALSE(kernel::parse_bound_file("mnt_id:\t30\n", kMounts));  // before Linux 5.19
  EXPECT_FALSE(kernel::parse_bound_file("ino:\t5\nxmnt_id:\t30\n", kMounts));
  EXPECT_FALSE(kernel::parse_bound_file("ino:\t-5\nmnt_id:\t30\n", kMounts));
  EXPECT_FALSE(kernel::parse_bound_file(kInfo, "31 30 0:29:1 / /tmp rw - tmpfs tmpfs rw\n"));
  EXPECT_FALSE(kernel::parse_bound_file(kInfo, "31 30 0:1048576 / /tmp rw - tmpfs tmpfs rw\n"));
}

class Bound : public testing::Test {
 protected:
  Bound() {
    char folder[] = "/tmp/bound.XXXXXX";
    folder_ = ::mkdtemp(folder);
    address_.sun_family = AF_UNIX;
    std::strcpy(address_.sun_path, (folder_ + "/socket").c_str());
  }
  ~Bound() override {
    ::unlink(address_.sun_path);
    ::rmdir(folder_.c_str());
  }
  Fd bind_socket(int type) {
    Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    EXPECT_EQ(0, ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_)));
    return fd;
  }
  Result<std::vector<kernel::UnixSocket>> find(const std::string& path) {
    const auto proc = kernel::Proc::open();
    const Fd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    const auto self = proc->task(kernel::own_pid());
    const auto facts = kernel::bound_file(*proc, file.get(), *self);
    if (!facts) return facts.error();
    auto diag = kernel::UnixDiag::open();
    return diag->bound_to(*facts);
  }

  std::string folder_;
  sockaddr_un address_ = {};
};

TEST_F(Bound, IsTheListenerAndNotWhatItAccepted) {
  const Fd listener = bind_socket(SOCK_STREAM);
  ASSERT_EQ(0, ::listen(listener.get(), 5));
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(0, ::connect(client.get(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_)));
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));
  const auto found = find(address_.sun_path);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().cookie, *kernel::socket_cookie(listener.get()));
  EXPECT_EQ(found->front().type, SOCK_STREAM);
}

TEST_F(Bound, IsADatagramSocketThatIsConnectedToo) {
  const Fd first = bind_socket(SOCK_DGRAM);
  ASSERT_EQ(0, ::connect(first.get(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_)));
  const auto found = find(address_.sun_path);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().type, SOCK_DGRAM);
}

TEST_F(Bound, GoesByTheFileAndNotByItsName) {
  const Fd old = bind_socket(SOCK_STREAM);
  const std::string moved = folder_ + "/moved";
  ASSERT_EQ(0, ::rename(address_.sun_path, moved.c_str()));
  const Fd now = bind_socket(SOCK_STREAM);
  const auto at_old = find(moved);
  const auto at_new = find(address_.sun_path);
  ::unlink(moved.c_str());
  ASSERT_TRUE(at_old && at_new);
  ASSERT_EQ(at_old->size(), 1u);
  ASSERT_EQ(at_new->size(), 1u);
  EXPECT_EQ(at_old->front().cookie, *kernel::socket_cookie(old.get()));
  EXPECT_EQ(at_new->front().cookie, *kernel::socket_cookie(now.get()));
}

}  // namespace
