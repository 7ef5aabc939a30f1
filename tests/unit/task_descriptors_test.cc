// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "kernel/proc/proc.h"

namespace holdfast {
namespace {

class TaskDescriptors : public ::testing::Test {
 protected:
  void SetUp() override {
    auto proc = kernel::Proc::open();
    ASSERT_TRUE(proc);
    auto self = proc->task(::getpid());
    ASSERT_TRUE(self);
    self_.emplace(std::move(*self));
  }
  int error_of(const Fd& fd) const {
    const auto found = self_->descriptor_namespace(fd.get());
    return found ? 0 : found.error().code;
  }
  std::optional<kernel::TaskDirectory> self_;
};

TEST_F(TaskDescriptors, TellsNamespacesByTheirLink) {
  for (unsigned type = 0; type < kernel::kNamespaceTypeCount; type++) {
    const std::string path = "/proc/self/ns/" + std::string(kernel::kNamespaceTypes[type].name);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) continue;  // the kernel lacks the type
    const auto told = self_->descriptor_namespace(fd.get());
    const auto asked = kernel::identify_namespace(fd.get());
    ASSERT_TRUE(told && asked) << path;
    EXPECT_EQ(told->type, asked->type) << path;
    EXPECT_EQ(told->inode, asked->inode) << path;
  }
}

TEST_F(TaskDescriptors, TakesNothingElseForANamespace) {
  EXPECT_EQ(error_of(Fd(::open("/proc/self/ns/uts", O_PATH | O_CLOEXEC))), EBADF);
  EXPECT_EQ(error_of(Fd(::open("/", O_RDONLY | O_CLOEXEC))), ENOTTY);
  EXPECT_EQ(error_of(Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))), ENOTTY);
  EXPECT_EQ(error_of(Fd()), ENOENT);
  char folder[] = "/tmp/task_descriptors.XXXXXX";
  ASSERT_TRUE(::mkdtemp(folder));
  const std::string name = std::string(folder) + "/uts:[4026531838]";
  EXPECT_EQ(error_of(Fd(::open(name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600))), ENOTTY);
  ASSERT_EQ(::chdir(folder), 0);
  EXPECT_EQ(error_of(Fd(::open("uts:[4026531838]", O_RDONLY | O_CLOEXEC))), ENOTTY);
  ASSERT_EQ(::chdir("/"), 0);
  ::unlink(name.c_str());
  ::rmdir(folder);
}

TEST_F(TaskDescriptors, KnowWhetherThereIsRoom) {
  rlimit limits = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limits), 0);
  const rlimit few = {64, limits.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto before = self_->receiver(::getpid());
  ASSERT_TRUE(before);
  EXPECT_TRUE(before->has_room);
  EXPECT_EQ(before->credentials.uid, ::geteuid());
  std::vector<Fd> held;
  for (;;) {
    Fd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!one) break;
    held.push_back(std::move(one));
  }
  EXPECT_EQ(errno, EMFILE);
  // What reads needs a descriptor itself, so the limit is looked at from the other side.
  const rlimit more = {128, limits.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &more), 0);
  EXPECT_TRUE(self_->receiver(::getpid())->has_room);
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit full = {64, limits.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &full);
    for (;;) ::pause();
  }
  rlimit of_child = {};
  while (::prlimit(child, RLIMIT_NOFILE, nullptr, &of_child) == 0 && of_child.rlim_cur != 64)
    ::usleep(1000);
  const auto proc = kernel::Proc::open();
  const auto task = proc->task(child);
  ASSERT_TRUE(task);
  const auto full = task->receiver(child);
  ::kill(child, SIGKILL);
  ASSERT_TRUE(full);
  EXPECT_FALSE(full->has_room);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limits), 0);
}

}  // namespace
}  // namespace holdfast
