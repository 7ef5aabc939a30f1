// SPDX-License-Identifier: Apache-2.0
// delegate_escape ACT...: what a holder of delegated BPF privileges could try, with nothing between
// it and the kernel. Each ACT prints one line, "ACT: ok" or "ACT: ERRNO". Exits 0 unless an act is
// unknown.
//
//   token                  from /sys/fs/bpf; needed first
//   program                loads a cgroup_skb program for egress
//   map                    creates an array
//   link:DIR  attach:DIR   attaches the program to a cgroup: with a link, without
//   detach:DIR
//   kind:TYPE              a link of another attach type to /sys/fs/cgroup
//   tracepoint             BPF_RAW_TRACEPOINT_OPEN
//   iterator               BPF_ITER_CREATE of an inherited link, descriptor 9
//   perf                   PERF_EVENT_IOC_SET_BPF
//   update  unlink         BPF_LINK_UPDATE, BPF_LINK_DETACH of an inherited link, descriptor 9
//   bind                   BPF_PROG_BIND_MAP of program and map
//   open:PATH  pin:PATH    BPF_OBJ_GET; BPF_OBJ_PIN of the program
//   id:program id:map id:link   the first one of the machine, by its id
//   send:PATH  sendtoken:PATH   the program's or token's descriptor to a unix socket
//   receive:PATH           the other end: says what arrived
//   netlink                XDP on lo by RTM_SETLINK
//   thread                 starts a thread that does nothing; from here on descriptors are shared
//   ring                   an io_uring with a thread of the kernel, which shares them too
//   swap:OWN:OTHER:N       a task that shares the descriptors swaps the target under N attachments
//   quota:N:MAX            N threads create maps until each fails: how many there are
//   move:DIR               writes itself into a cgroup
//   sleep:S
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kInheritedLink = 9, kMaxThreads = 64 };

static int token_fd = -1;
static int program_fd = -1;
static int map_fd = -1;
static char note[96];  // said instead of "ok"

static long bpf(int command, union bpf_attr* attr) {
  return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static long make_token(void) {
  union bpf_attr attr;
  int root = open("/sys/fs/bpf", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return -1;
  memset(&attr, 0, sizeof(attr));
  attr.token_create.bpffs_fd = (uint32_t)root;
  return token_fd = (int)bpf(BPF_TOKEN_CREATE, &attr);
}

static long make_map(void) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = 4;
  attr.max_entries = 1;
  if (token_fd >= 0) {
    attr.map_flags = BPF_F_TOKEN_FD;
    attr.map_token_fd = token_fd;
  }
  return bpf(BPF_MAP_CREATE, &attr);
}

static long load_program(void) {
  // r0 = 1; exit: lets every packet pass
  const struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
                                  {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_type = BPF_PROG_TYPE_CGROUP_SKB;
  attr.expected_attach_type = BPF_CGROUP_INET_EGRESS;
  attr.insns = (uint64_t)(uintptr_t)code;
  attr.insn_cnt = 2;
  attr.license = (uint64_t)(uintptr_t) "GPL";
  if (token_fd >= 0) {
    attr.prog_flags = BPF_F_TOKEN_FD;
    attr.prog_token_fd = token_fd;
  }
  return program_fd = (int)bpf(BPF_PROG_LOAD, &attr);
}

static long create_link(int target, unsigned type) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.link_create.prog_fd = (uint32_t)program_fd;
  attr.link_create.target_fd = (uint32_t)target;
  attr.link_create.attach_type = type;
  return bpf(BPF_LINK_CREATE, &attr);
}

static int open_cgroup(const char* path) { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

static long attach(const char* path, int command) {
  union bpf_attr attr;
  int target = open_cgroup(path);
  long result;
  if (target < 0) return -1;
  memset(&attr, 0, sizeof(attr));
  attr.target_fd = (uint32_t)target;
  attr.attach_bpf_fd = (uint32_t)program_fd;
  attr.attach_type = BPF_CGROUP_INET_EGRESS;
  if (command == BPF_PROG_ATTACH) attr.attach_flags = BPF_F_ALLOW_MULTI;
  result = bpf(command, &attr);
  close(target);
  return result;
}

static long link_to(const char* path) {
  int target = open_cgroup(path);
  return target < 0 ? -1 : create_link(target, BPF_CGROUP_INET_EGRESS);
}

static long on_link(int command) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.link_update.link_fd = kInheritedLink;  // the first field for all three
  if (command == BPF_LINK_UPDATE) attr.link_update.new_prog_fd = (uint32_t)program_fd;
  return bpf(command, &attr);
}

static long raw_tracepoint(void) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.raw_tracepoint.prog_fd = (uint32_t)program_fd;
  attr.raw_tracepoint.name = (uint64_t)(uintptr_t) "sys_enter";
  return bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

static long perf(void) {
  struct perf_event_attr event;
  int fd;
  memset(&event, 0, sizeof(event));
  event.size = sizeof(event);
  event.type = PERF_TYPE_SOFTWARE;
  event.config = PERF_COUNT_SW_CPU_CLOCK;
  event.exclude_kernel = 1;
  fd = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
  if (fd < 0) fd = open("/dev/null", O_RDONLY | O_CLOEXEC);  // refused by the number alone
  return ioctl(fd, PERF_EVENT_IOC_SET_BPF, program_fd);
}

static long bind_map(void) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_bind_map.prog_fd = (uint32_t)program_fd;
  attr.prog_bind_map.map_fd = (uint32_t)map_fd;
  return bpf(BPF_PROG_BIND_MAP, &attr);
}

static long by_path(const char* path, int command) {
  union bpf_attr attr;
  long result;
  memset(&attr, 0, sizeof(attr));
  attr.pathname = (uint64_t)(uintptr_t)path;
  if (command == BPF_OBJ_PIN) attr.bpf_fd = (uint32_t)program_fd;
  result = bpf(command, &attr);
  if (command == BPF_OBJ_GET && result >= 0) program_fd = (int)result;
  return result;
}

static long by_id(const char* kind) {
  const int command = strcmp(kind, "program") == 0 ? BPF_PROG_GET_FD_BY_ID
                      : strcmp(kind, "map") == 0   ? BPF_MAP_GET_FD_BY_ID
                                                   : BPF_LINK_GET_FD_BY_ID;
  long result = -1;
  for (uint32_t id = 1; id < 400 && result < 0; id++) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.prog_id = id;
    result = bpf(command, &attr);
    if (result < 0 && errno != ENOENT) return result;
  }
  return result;
}

static int unix_socket(const char* path, struct sockaddr_un* address) {
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  strncpy(address->sun_path, path, sizeof(address->sun_path) - 1);
  return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static long send_fd(const char* path, int fd) {
  struct sockaddr_un to;
  int socket_fd = unix_socket(path, &to);
  char byte = 'x';
  struct iovec data = {&byte, 1};
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t)))) = {0};
  struct msghdr message = {.msg_name = &to,
                           .msg_namelen = sizeof(to),
                           .msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return sendmsg(socket_fd, &message, 0);
}

static long receive_fd(const char* path) {
  struct sockaddr_un here;
  int socket_fd = unix_socket(path, &here);
  char byte;
  struct iovec data = {&byte, 1};
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t)))) = {0};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  unlink(path);
  if (bind(socket_fd, (struct sockaddr*)&here, sizeof(here)) != 0) return -1;
  if (recvmsg(socket_fd, &message, 0) < 0) return -1;
  if (CMSG_FIRSTHDR(&message) == NULL) {
    strcpy(note, "nothing arrived");
    return 0;
  }
  memcpy(&program_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
  return 0;
}

static long xdp_by_netlink(void) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg info;
    struct nlattr xdp;
    struct nlattr fd;
    uint32_t value;
  } request = {0};
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[256];
  } answer;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_SETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.info.ifi_index = 1;
  request.xdp.nla_len = sizeof(request.xdp) + sizeof(request.fd) + sizeof(request.value);
  request.xdp.nla_type = IFLA_XDP | NLA_F_NESTED;
  request.fd.nla_len = sizeof(request.fd) + sizeof(request.value);
  request.fd.nla_type = IFLA_XDP_FD;
  request.value = (uint32_t)program_fd;
  if (send(fd, &request, sizeof(request), 0) < 0) return -1;
  if (recv(fd, &answer, sizeof(answer), 0) < 0) return -1;
  errno = -answer.error.error;
  return answer.error.error == 0 ? 0 : -1;
}

static void* idle(void* unused) {
  pause();
  return unused;
}

static long start_thread(void) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, idle, NULL);
  return errno == 0 ? 0 : -1;
}

static long start_ring(void) {
  struct io_uring_params params;
  memset(&params, 0, sizeof(params));
  params.flags = IORING_SETUP_SQPOLL;
  return syscall(SYS_io_uring_setup, 4, &params);
}

// ---- the race on the target ---------------------------------------------------------------------

struct swap {
  int slot, own, other;
  atomic_int stop;
};

// Shares nothing but the descriptors and this page, and is gone when it likes to be.
static int swapper(void* argument) {
  struct swap* s = argument;
  for (unsigned i = 0; i < 3000 && !atomic_load(&s->stop); i++)
    dup3((i & 1) != 0 ? s->own : s->other, s->slot, O_CLOEXEC);
  return 0;
}

// Does the link belong to another cgroup than the one that was looked at?
static int is_astray(int link, int own) {
  struct bpf_link_info info;
  union bpf_attr attr;
  struct stat directory;
  memset(&info, 0, sizeof(info));
  memset(&attr, 0, sizeof(attr));
  attr.info.bpf_fd = (uint32_t)link;
  attr.info.info_len = sizeof(info);
  attr.info.info = (uint64_t)(uintptr_t)&info;
  if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) != 0 || fstat(own, &directory) != 0) return 1;
  return info.cgroup.cgroup_id != directory.st_ino;
}

static long race(const char* own, const char* other, unsigned attempts) {
  struct swap* s =
      mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  static char stack[65536] __attribute__((aligned(64)));
  unsigned attached = 0, astray = 0, refused = 0, failed = 0, shared = 0;
  s->own = open_cgroup(own);
  s->other = open_cgroup(other);
  s->slot = fcntl(s->own, F_DUPFD_CLOEXEC, 50);
  if (s->own < 0 || s->other < 0 || s->slot < 0) return -1;
  for (unsigned i = 0; i < attempts; i++) {
    pid_t child = 0;
    long link;
    if (i % 16 == 0) {
      atomic_store(&s->stop, 0);
      child = clone(swapper, stack + sizeof(stack), CLONE_FILES | CLONE_VM | SIGCHLD, s);
      shared += child > 0;
    }
    link = create_link(s->slot, BPF_CGROUP_INET_EGRESS);
    if (link >= 0) {
      attached++;
      astray += is_astray((int)link, s->own);
      close((int)link);
    } else if (errno == EPERM) {
      refused++;
    } else {
      failed++;
    }
    if (i % 16 == 15) {
      atomic_store(&s->stop, 1);
      while (waitpid(-1, NULL, 0) > 0) {
      }
    }
  }
  snprintf(note, sizeof(note), "%u attached %u astray %u refused %u failed, %s", attached, astray,
           refused, failed, shared > 0 ? "shared" : "never shared");
  return 0;
}

// ---- the race on the quota ----------------------------------------------------------------------

static atomic_uint made;
static atomic_uint strange;

static void* make_many(void* argument) {
  const unsigned tries = *(unsigned*)argument;
  for (unsigned i = 0; i < tries; i++) {
    if (make_map() >= 0)
      atomic_fetch_add(&made, 1);
    else if (errno != EPERM)
      atomic_fetch_add(&strange, 1);
  }
  return NULL;
}

static long quota(unsigned threads, unsigned tries) {
  pthread_t all[kMaxThreads];
  if (threads > kMaxThreads) return -1;
  for (unsigned i = 0; i < threads; i++)
    if (pthread_create(&all[i], NULL, make_many, &tries) != 0) return -1;
  for (unsigned i = 0; i < threads; i++) pthread_join(all[i], NULL);
  snprintf(note, sizeof(note), "%u maps, %u other errors", atomic_load(&made),
           atomic_load(&strange));
  return 0;
}

static long move_to(const char* path) {
  char file[256];
  int fd;
  snprintf(file, sizeof(file), "%s/cgroup.procs", path);
  fd = open(file, O_WRONLY | O_CLOEXEC);
  return fd < 0 ? -1 : write(fd, "0", 1);
}

static const char* behind(const char* act, const char* word) {
  const size_t length = strlen(word);
  return strncmp(act, word, length) == 0 && act[length] == ':' ? act + length + 1 : NULL;
}

static int perform(const char* act, long* result) {
  const char* with;
  char own[128], other[128];
  unsigned a, b;
  if (strcmp(act, "token") == 0) return *result = make_token(), 1;
  if (strcmp(act, "program") == 0) return *result = load_program(), 1;
  if (strcmp(act, "map") == 0) return *result = map_fd = (int)make_map(), 1;
  if (strcmp(act, "tracepoint") == 0) return *result = raw_tracepoint(), 1;
  if (strcmp(act, "iterator") == 0) return *result = on_link(BPF_ITER_CREATE), 1;
  if (strcmp(act, "update") == 0) return *result = on_link(BPF_LINK_UPDATE), 1;
  if (strcmp(act, "unlink") == 0) return *result = on_link(BPF_LINK_DETACH), 1;
  if (strcmp(act, "perf") == 0) return *result = perf(), 1;
  if (strcmp(act, "bind") == 0) return *result = bind_map(), 1;
  if (strcmp(act, "netlink") == 0) return *result = xdp_by_netlink(), 1;
  if (strcmp(act, "thread") == 0) return *result = start_thread(), 1;
  if (strcmp(act, "ring") == 0) return *result = start_ring(), 1;
  if ((with = behind(act, "link"))) return *result = link_to(with), 1;
  if ((with = behind(act, "attach"))) return *result = attach(with, BPF_PROG_ATTACH), 1;
  if ((with = behind(act, "detach"))) return *result = attach(with, BPF_PROG_DETACH), 1;
  if ((with = behind(act, "kind")))
    return *result = create_link(open_cgroup("/sys/fs/cgroup"), (unsigned)atoi(with)), 1;
  if ((with = behind(act, "open"))) return *result = by_path(with, BPF_OBJ_GET), 1;
  if ((with = behind(act, "pin"))) return *result = by_path(with, BPF_OBJ_PIN), 1;
  if ((with = behind(act, "id"))) return *result = by_id(with), 1;
  if ((with = behind(act, "send"))) return *result = send_fd(with, program_fd), 1;
  if ((with = behind(act, "sendtoken"))) return *result = send_fd(with, token_fd), 1;
  if ((with = behind(act, "receive"))) return *result = receive_fd(with), 1;
  if ((with = behind(act, "move"))) return *result = move_to(with), 1;
  if ((with = behind(act, "sleep"))) return *result = sleep((unsigned)atoi(with)), 1;
  if (sscanf(act, "swap:%127[^:]:%127[^:]:%u", own, other, &a) == 3)
    return *result = race(own, other, a), 1;
  if (sscanf(act, "quota:%u:%u", &a, &b) == 2) return *result = quota(a, b), 1;
  return 0;
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    long result = -1;
    note[0] = 0;
    if (!perform(argv[i], &result)) return 2;
    printf("%s: %s\n", argv[i], result < 0 ? strerrorname_np(errno) : note[0] ? note : "ok");
    fflush(stdout);
  }
  return 0;
}
