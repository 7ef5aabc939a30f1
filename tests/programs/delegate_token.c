// SPDX-License-Identifier: Apache-2.0
// delegate_token BPFFS COMMAND...: uses a token of a BPF filesystem, with nothing between it and
// the kernel. Each COMMAND prints one line, "COMMAND: ok" or "COMMAND: ERRNO"; exits 0 unless a
// command is unknown.
//
//   token                 makes a token (the others need it)
//   map:TYPE              makes a map of that number; entries by what the type needs
//   prog:TYPE:ATTACH      loads "return 0" as a program of that type for that attach type
//   bare-map:TYPE         the same without a token
//   bare-prog:TYPE:ATTACH
//   wait:PATH             until there is such a file
//   sleep                 until killed, with "sleep: ok" said before
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int token_fd = -1;

static long bpf(int command, union bpf_attr* attr) {
  return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static long make_token(const char* path) {
  union bpf_attr attr;
  int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return -1;
  memset(&attr, 0, sizeof(attr));
  attr.token_create.bpffs_fd = (uint32_t)root;
  token_fd = (int)bpf(BPF_TOKEN_CREATE, &attr);
  return token_fd;
}

static long make_map(unsigned type, int with_token) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.map_type = type;
  attr.key_size = type == BPF_MAP_TYPE_RINGBUF ? 0 : 4;
  attr.value_size = type == BPF_MAP_TYPE_RINGBUF ? 0 : 4;
  attr.max_entries = type == BPF_MAP_TYPE_RINGBUF ? 4096 : 1;
  if (with_token) {
    attr.map_flags = BPF_F_TOKEN_FD;
    attr.map_token_fd = token_fd;
  }
  return bpf(BPF_MAP_CREATE, &attr);
}

static long load_program(unsigned type, unsigned attach, int with_token) {
  // r0 = 0; exit
  const struct bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
                                     {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.prog_type = type;
  attr.expected_attach_type = attach;
  attr.insns = (uint64_t)(uintptr_t)program;
  attr.insn_cnt = 2;
  attr.license = (uint64_t)(uintptr_t) "GPL";
  if (with_token) {
    attr.prog_flags = BPF_F_TOKEN_FD;
    attr.prog_token_fd = token_fd;
  }
  return bpf(BPF_PROG_LOAD, &attr);
}

int main(int argc, char** argv) {
  for (int i = 2; i < argc; i++) {
    unsigned type, attach;
    long result = 0;
    if (strcmp(argv[i], "token") == 0) {
      result = make_token(argv[1]);
    } else if (sscanf(argv[i], "map:%u", &type) == 1) {
      result = make_map(type, 1);
    } else if (sscanf(argv[i], "bare-map:%u", &type) == 1) {
      result = make_map(type, 0);
    } else if (sscanf(argv[i], "prog:%u:%u", &type, &attach) == 2) {
      result = load_program(type, attach, 1);
    } else if (sscanf(argv[i], "bare-prog:%u:%u", &type, &attach) == 2) {
      result = load_program(type, attach, 0);
    } else if (strncmp(argv[i], "wait:", 5) == 0) {
      fflush(stdout);
      while (access(argv[i] + 5, F_OK) != 0) usleep(100000);
    } else if (strcmp(argv[i], "sleep") == 0) {
      printf("sleep: ok\n");
      fflush(stdout);
      pause();
      return 0;
    } else {
      return 2;
    }
    printf("%s: %s\n", argv[i], result >= 0 ? "ok" : strerrorname_np(errno));
    fflush(stdout);
  }
  return 0;
}
