// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reads labels of the socket that a task connects: by the kernel's function, where it has it, and by its list
 * (bpf/bridge/label_walk.bpf.h). For tests that both agree, and for the costs of each.
 */
#include "bpf/bridge/label_walk.bpf.h"

#include <bpf/bpf_tracing.h>

#define READERS 2
#define READS 32 /* of each label in one call */

extern int bpf_sock_read_xattr(struct socket* sock, const char* name,
                               struct bpf_dynptr* value) __ksym __weak;

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u32 monitored[READERS] = {}; /* process ids */
char texts[READERS][16] = {};
__u64 reads = 0; /* of each label */
__u64 wrong = 0; /* answers that no state of the socket explains */
__u64 differs =
    0; /* answers about labels that nobody changes that the kernel's function does not give */
__s32 last_wrong = 0;
__s32 last_length = 0;

static __noinline int walk(struct socket* sock, const char* name, struct bpf_dynptr* value) {
  return read_label(sock, name, value);
}

struct reading {
  struct socket* sock;
  __u32 reader;
};

/* -1: this task is not a reader. */
static __always_inline int reader(void) {
  __u32 pid = bpf_get_current_pid_tgid() >> 32;
  return pid == monitored[0] ? 0 : pid == monitored[1] ? 1 : -1;
}

/* The values that the other tasks set: "aaaa" and "bbbbbbbbbbbb". */
static __always_inline int is_value(const char* text, int length) {
  if (length == 4) return text[0] == 'a' && text[3] == 'a';
  return length == 12 && text[0] == 'b' && text[11] == 'b';
}

static __always_inline void expect(int met, int answer) {
  if (met) return;
  __sync_fetch_and_add(&wrong, 1);
  last_wrong = answer;
}

/* "user.stay" is "here" all the time, "user.flips" changes its value, and "user.none" is not there. */
static long compare_once(__u32 i, struct reading* reading) {
  char* text = texts[reading->reader & 1];
  struct socket* sock = reading->sock;
  struct bpf_dynptr value;
  int stays, flips, none;
  if (bpf_dynptr_from_mem(text, sizeof(texts[0]), 0, &value)) return 1;
  stays = walk(sock, "user.stay", &value);
  expect(stays == 4 && text[0] == 'h' && text[3] == 'e', stays);
  flips = walk(sock, "user.flips", &value);
  expect(is_value(text, flips), flips);
  none = walk(sock, "user.none", &value);
  expect(none == -ENODATA, none);
  __sync_fetch_and_add(&reads, 1);
  if (!bpf_ksym_exists(bpf_sock_read_xattr)) return 0;
  if (bpf_sock_read_xattr(sock, "user.stay", &value) != stays ||
      bpf_sock_read_xattr(sock, "user.none", &value) != none)
    __sync_fetch_and_add(&differs, 1);
  return 0;
}

static __always_inline int compare_all(struct socket* sock) {
  struct reading reading = {.sock = sock};
  int number = reader();
  if (number < 0) return 0;
  reading.reader = number;
  bpf_loop(READS, compare_once, &reading, 0);
  return 0;
}

SEC("?lsm/socket_connect")
int BPF_PROG(compare, struct socket* sock, struct sockaddr* address, int length) {
  return compare_all(sock);
}

SEC("?lsm.s/socket_connect")
int BPF_PROG(compare_sleepable, struct socket* sock, struct sockaddr* address, int length) {
  return compare_all(sock);
}

/* ---- costs ----------------------------------------------------------------------------------------------- */

SEC("?lsm/socket_connect")
int BPF_PROG(no_read, struct socket* sock, struct sockaddr* address, int length) {
  struct bpf_dynptr value;
  if (bpf_dynptr_from_mem(texts[0], sizeof(texts[0]), 0, &value)) return -EPERM;
  last_length = bpf_dynptr_is_null___hf(&value);
  return 0;
}

SEC("?lsm/socket_connect")
int BPF_PROG(by_walk, struct socket* sock, struct sockaddr* address, int length) {
  struct bpf_dynptr value;
  if (bpf_dynptr_from_mem(texts[0], sizeof(texts[0]), 0, &value)) return -EPERM;
  last_length = walk(sock, "user.varlink", &value);
  return 0;
}

SEC("?lsm/socket_connect")
int BPF_PROG(by_kernel, struct socket* sock, struct sockaddr* address, int length) {
  struct bpf_dynptr value;
  if (bpf_dynptr_from_mem(texts[0], sizeof(texts[0]), 0, &value)) return -EPERM;
  last_length = bpf_sock_read_xattr(sock, "user.varlink", &value);
  return 0;
}
