// SPDX-License-Identifier: Apache-2.0
// Loads stay.bpf.o for one cgroup through its skeleton, and prints every second what was refused.
//
//     stay /sys/fs/cgroup/web SECONDS
//
// Two calls are holdfast's. Without the second, the program keeps every task of the machine.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <holdfast/hooks.h>

#include "stay.skel.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: stay CGROUP SECONDS\n");
    return 2;
  }
  const int cgroup = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cgroup < 0) {
    perror(argv[1]);
    return 1;
  }
  if (holdfast_hooks_enable() < 0) {
    fprintf(stderr, "stay: %s\n", holdfast_hooks_error());
    return 1;
  }
  holdfast_hooks_limit_to_cgroup(cgroup);
  struct stay_bpf* skeleton = stay_bpf__open_and_load();
  if (skeleton == NULL || stay_bpf__attach(skeleton) != 0) {
    fprintf(stderr, "stay: %s\n", holdfast_hooks_error());
    return 1;
  }
  puts("attached");
  for (int second = 0; second < atoi(argv[2]); second++) {
    fflush(stdout);
    sleep(1);
    printf("refused %llu, last pid %u\n", (unsigned long long)skeleton->bss->refused,
           skeleton->bss->last_pid);
  }
  stay_bpf__destroy(skeleton);
  return 0;
}
