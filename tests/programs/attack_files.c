// SPDX-License-Identifier: Apache-2.0
/*
 * attack_files WAY FILE [READY]: changes FILE in a way that a shell has no command for. Exits with
 * 0 when the change was made, with 1 and the errno's name when it was refused.
 *
 * - held: opened for writing and mapped before; waits until READY exists, then writes both ways.
 *   Refused here means that FILE, by its name, is another file by now.
 * - uring: opened by an io_uring
 * - handle: opened by its handle, after the kernel forgot its name
 * - flags: made append-only, as chattr(1) does
 * - setattr: the same by file_setattr(2); exits with 77 where there is none
 * - truncate: cut by truncate(2)
 * - reopen: opened for reading before, and for writing through /proc/self/fd
 * - exchange: exchanged with another file, READY
 * - mounted: a file system mounted on FILE, a directory, by fsmount(2) and move_mount(2)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_SETATTR 469 /* file_setattr(2), Linux 6.17 */
#define MARK "# changed by somebody else\n"

static int refused(const char* what) {
  printf("%s: %s\n", what, strerrorname_np(errno));
  return 1;
}

static int write_mark(int fd, const char* what) {
  if (fd < 0) return refused(what);
  return write(fd, MARK, strlen(MARK)) == (ssize_t)strlen(MARK) ? 0 : refused("write");
}

static int held(const char* file, const char* ready) {
  int fd = open(file, O_RDWR);
  char* mapped = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0);
  struct stat before, after;
  if (mapped == MAP_FAILED || fstat(fd, &before) != 0) return refused("open");
  printf("ready\n");
  fflush(stdout);
  while (access(ready, F_OK) != 0) usleep(100000);
  mapped[0] = '#';
  if (pwrite(fd, MARK, strlen(MARK), 0) < 0) return refused("write");
  if (stat(file, &after) != 0) return refused("stat");
  if (before.st_ino == after.st_ino && before.st_dev == after.st_dev) return 0;
  printf("it is another file\n");
  return 1;
}

/* One openat through a ring of one entry. */
static int open_by_uring(const char* file) {
  struct io_uring_params p = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 1, &p);
  if (ring < 0) return -1;
  size_t sq_bytes = p.sq_off.array + p.sq_entries * sizeof(unsigned);
  size_t cq_bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
  char* sq = mmap(NULL, sq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  char* cq = mmap(NULL, cq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
  struct io_uring_sqe* sqe =
      mmap(NULL, sizeof *sqe, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  if (sq == MAP_FAILED || cq == MAP_FAILED || (void*)sqe == MAP_FAILED) return -1;
  memset(sqe, 0, sizeof *sqe);
  sqe->opcode = IORING_OP_OPENAT;
  sqe->flags = IOSQE_ASYNC; /* a worker opens it */
  sqe->fd = AT_FDCWD;
  sqe->addr = (unsigned long)file;
  sqe->open_flags = O_WRONLY;
  ((unsigned*)(sq + p.sq_off.array))[0] = 0;
  __atomic_store_n((unsigned*)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) return -1;
  int result = ((struct io_uring_cqe*)(cq + p.cq_off.cqes))[0].res;
  if (result < 0) errno = -result;
  return result < 0 ? -1 : result;
}

static int open_by_handle(const char* file) {
  struct file_handle* handle = malloc(sizeof *handle + MAX_HANDLE_SZ);
  int mount_id = 0, root = open("/", O_RDONLY | O_DIRECTORY);
  handle->handle_bytes = MAX_HANDLE_SZ;
  if (name_to_handle_at(AT_FDCWD, file, handle, &mount_id, 0) != 0) return -1;
  sync();
  int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
  if (drop < 0 || write(drop, "3", 1) != 1) return -1;
  return open_by_handle_at(root, handle, O_WRONLY);
}

static int set_flags(const char* file) {
  int flags = 0, fd = open(file, O_RDONLY);
  if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return refused("read flags");
  flags |= FS_APPEND_FL;
  return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0 ? 0 : refused("set flags");
}

static int set_attributes(const char* file) {
  struct {
    unsigned long long flags;
    unsigned extent, extents, project, cow;
  } attributes = {FS_XFLAG_APPEND, 0, 0, 0, 0};
  if (syscall(FILE_SETATTR, AT_FDCWD, file, &attributes, sizeof attributes, 0) == 0) return 0;
  if (errno == ENOSYS) return 77;
  return refused("file_setattr");
}

static int mount_on(const char* directory) {
  int context = (int)syscall(SYS_fsopen, "tmpfs", 0);
  if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
    return refused("fsopen");
  int made = (int)syscall(SYS_fsmount, context, 0, 0);
  if (made < 0) return refused("fsmount");
  if (syscall(SYS_move_mount, made, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH) == 0)
    return 0;
  return refused("move_mount");
}

static int reopen(const char* file) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", open(file, O_RDONLY));
  return write_mark(open(path, O_WRONLY), "open");
}

int main(int argc, char** argv) {
  const char* way = argc > 2 ? argv[1] : "";
  const char* file = argc > 2 ? argv[2] : "";
  const char* other = argc > 3 ? argv[3] : "";
  if (strcmp(way, "held") == 0) return held(file, other);
  if (strcmp(way, "uring") == 0) return write_mark(open_by_uring(file), "io_uring open");
  if (strcmp(way, "handle") == 0) return write_mark(open_by_handle(file), "open by handle");
  if (strcmp(way, "flags") == 0) return set_flags(file);
  if (strcmp(way, "setattr") == 0) return set_attributes(file);
  if (strcmp(way, "truncate") == 0) return truncate(file, 0) == 0 ? 0 : refused("truncate");
  if (strcmp(way, "reopen") == 0) return reopen(file);
  if (strcmp(way, "exchange") == 0)
    return renameat2(AT_FDCWD, other, AT_FDCWD, file, RENAME_EXCHANGE) == 0 ? 0
                                                                            : refused("exchange");
  if (strcmp(way, "mounted") == 0) return mount_on(file);
  fprintf(stderr, "usage: attack_files WAY FILE [READY]\n");
  return 2;
}
