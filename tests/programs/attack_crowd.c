// SPDX-License-Identifier: Apache-2.0
/*
 * Crowds of ordinary tasks, and tasks that do not keep still. attack_crowd MODE ARGUMENTS:
 *
 *   unshare TASKS TRIES FILE PROCS
 *       TASKS tasks of the idle class, user 65534, in the cgroup whose cgroup.procs is PROCS, loop
 *       in unshare() and setxattr(FILE); this one does the same TRIES times and forks:
 *       "refused N of M"
 *   move TRIES
 *       a task sends in a loop while it is moved between the cgroups /aN, whose profile may not
 *       send, and /bN, which is nobody's: "wrong N of M"
 *   meet TASKS
 *       TASKS threads begin to connect to a unix socket and stay until standard input ends:
 *       "met N, failed N"
 *   relabel TASKS
 *       TASKS tasks give a socket of their own another label in a loop, for ever
 *   exchange A B
 *       renameat2(RENAME_EXCHANGE)
 *   listen SOCKET, connect SOCKET
 *       the two ends of a unix stream
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void must(bool done, const char* what) {
  if (done) return;
  perror(what);
  exit(2);
}

static void* shared(size_t bytes) {
  void* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(memory != MAP_FAILED, "mmap");
  return memory;
}

/* ---- unshare
 * ------------------------------------------------------------------------------------ */

struct crowd {
  atomic_int standing; /* tasks that have begun */
  atomic_long rounds;
  atomic_long refused;
};

static void move(const char* procs, pid_t pid) {
  char text[16];
  int fd = open(procs, O_WRONLY | O_CLOEXEC);
  must(fd >= 0, procs);
  int length = snprintf(text, sizeof text, "%d", pid);
  must(write(fd, text, length) == length, "move");
  close(fd);
}

static void loiter(struct crowd* crowd, const char* file, const char* procs) {
  const struct sched_param none = {0};
  move(procs, getpid());
  sched_setscheduler(0, SCHED_IDLE, &none);
  /* In a user namespace of its own it may unshare others. */
  if (setgid(65534) || setuid(65534) || unshare(CLONE_NEWUSER)) _exit(2);
  atomic_fetch_add(&crowd->standing, 1);
  for (;;) {
    if (unshare(CLONE_NEWUTS)) atomic_fetch_add(&crowd->refused, 1); /* and it goes on */
    if (setxattr(file, "user.other", "x", 1, 0) && errno == EPERM)
      atomic_fetch_add(&crowd->refused, 1);
    atomic_fetch_add(&crowd->rounds, 1);
  }
}

static int crowd_unshare(int tasks, int tries, const char* file, const char* procs) {
  struct crowd* crowd = shared(sizeof *crowd);
  pid_t* loiterers = calloc(tasks, sizeof *loiterers);
  int refused = 0, error = 0;
  must(loiterers != NULL, "calloc");
  for (int i = 0; i < tasks; i++) {
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) loiter(crowd, file, procs);
    loiterers[i] = pid;
  }
  for (int waited = 0; atomic_load(&crowd->standing) < tasks && waited < 600; waited++)
    usleep(100000);
  if (atomic_load(&crowd->standing) < tasks) {
    printf("the crowd did not come together: %d\n", atomic_load(&crowd->standing));
    tries = 0;
  }
  for (int i = 0; i < tries; i++) {
    if (unshare(CLONE_NEWUTS)) refused++, error = errno;
    if (setxattr(file, "trusted.other", "y", 1, 0)) refused++, error = errno;
    pid_t pid = fork();
    if (pid < 0) refused++, error = errno;
    if (pid == 0) _exit(unshare(CLONE_NEWUSER) ? 1 : 0);
    int status = 0;
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0)) refused++, error = EPERM;
    usleep(1000); /* the crowd runs, and is put aside wherever it is */
  }
  printf("refused %d of %d%s%s\n", refused, 4 * tries, refused ? ": " : "",
         refused ? strerror(error) : "");
  fprintf(stderr, "the crowd: refused %ld of %ld\n", atomic_load(&crowd->refused),
          atomic_load(&crowd->rounds));
  fflush(stdout);
  for (int i = 0; i < tasks; i++) kill(loiterers[i], SIGKILL);
  for (int i = 0; i < tasks; i++) waitpid(loiterers[i], NULL, 0);
  return refused != 0;
}

/* ---- move
 * --------------------------------------------------------------------------------------- */

struct sender {
  atomic_ulong sends;
  atomic_int error; /* of the last */
};

static void send_on(struct sender* sender) {
  int ends[2];
  char byte = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)) _exit(2);
  for (;;) {
    ssize_t sent = send(ends[0], &byte, 1, MSG_DONTWAIT);
    atomic_store(&sender->error, sent == 1 ? 0 : errno);
    atomic_fetch_add(&sender->sends, 1);
    if (sent == 1) recv(ends[1], &byte, 1, MSG_DONTWAIT);
  }
}

/* The error of sends that began after this. */
static int error_from_now_on(struct sender* sender) {
  unsigned long now = atomic_load(&sender->sends);
  while (atomic_load(&sender->sends) < now + 3) sched_yield();
  return atomic_load(&sender->error);
}

static int crowd_move(int tries) {
  struct sender* sender = shared(sizeof *sender);
  char held[64], open_[64], held_procs[96], open_procs[96];
  int wrong = 0;
  pid_t pid = fork();
  must(pid >= 0, "fork");
  if (pid == 0) send_on(sender);
  for (int i = 0; i < tries; i++) {
    snprintf(held, sizeof held, "/sys/fs/cgroup/a%d", i);
    snprintf(open_, sizeof open_, "/sys/fs/cgroup/b%d", i);
    snprintf(held_procs, sizeof held_procs, "%s/cgroup.procs", held);
    snprintf(open_procs, sizeof open_procs, "%s/cgroup.procs", open_);
    must(
        (mkdir(held, 0755) == 0 || errno == EEXIST) && (mkdir(open_, 0755) == 0 || errno == EEXIST),
        "mkdir");
    for (int turn = 0; turn < 4; turn++) {
      move(held_procs, pid);
      move(open_procs, pid);
    }
    move(held_procs, pid);
    if (error_from_now_on(sender) != EPERM) wrong++;
    move(open_procs, pid);
    if (error_from_now_on(sender) != 0) wrong++;
    move("/sys/fs/cgroup/cgroup.procs", pid);
    rmdir(held);
    rmdir(open_);
  }
  kill(pid, SIGKILL);
  printf("wrong %d of %d\n", wrong, 2 * tries);
  return wrong != 0;
}

/* ---- meet, listen
 * ------------------------------------------------------------------------------- */

static atomic_int met, failed;

static struct sockaddr_un address_of(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return address;
}

/* Stays, with what it has begun still noted: it asked to meet a peer that is not there. */
static void* meet_and_stay(void* unused) {
  const struct sockaddr_un nobody = address_of("/nobody-listens-here");
  (void)unused;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr*)&nobody, sizeof nobody) == 0 || errno != ENOENT)
    atomic_fetch_add(&failed, 1);
  if (fd >= 0) close(fd);
  atomic_fetch_add(&met, 1);
  for (;;) pause();
  return NULL;
}

static int crowd_meet(int tasks) {
  pthread_attr_t small;
  pthread_t thread;
  int made = 0;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 16384);
  while (made < tasks && pthread_create(&thread, &small, meet_and_stay, NULL) == 0) made++;
  while (atomic_load(&met) < made) usleep(10000);
  printf("met %d, failed %d\n", made, atomic_load(&failed));
  fflush(stdout);
  while (getchar() != EOF) continue;
  return 0;
}

static int crowd_listen(const char* path) {
  const struct sockaddr_un address = address_of(path);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  unlink(path);
  must(listener >= 0 && bind(listener, (const struct sockaddr*)&address, sizeof address) == 0 &&
           listen(listener, 64) == 0,
       "listen");
  puts("listens");
  fflush(stdout);
  for (;;) close(accept(listener, NULL, NULL));
  return 0;
}

static int connect_to(const char* path) {
  const struct sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  must(fd >= 0, "socket");
  if (connect(fd, (const struct sockaddr*)&address, sizeof address) != 0) {
    printf("%s\n", strerror(errno));
    return 1;
  }
  puts("connected");
  return 0;
}

/* ---- relabel
 * ------------------------------------------------------------------------------------ */

static int crowd_relabel(int tasks) {
  for (int i = 1; i < tasks; i++)
    if (fork() == 0) break;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  must(fd >= 0, "socket");
  for (unsigned long round = 0;; round++) {
    char value[32];
    int length = snprintf(value, sizeof value, "%lu", round);
    if (fsetxattr(fd, "user.crowd", value, length, 0)) _exit(3);
  }
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "unshare") && argc == 6)
    return crowd_unshare(atoi(argv[2]), atoi(argv[3]), argv[4], argv[5]);
  if (!strcmp(what, "move") && argc == 3) return crowd_move(atoi(argv[2]));
  if (!strcmp(what, "meet") && argc == 3) return crowd_meet(atoi(argv[2]));
  if (!strcmp(what, "listen") && argc == 3) return crowd_listen(argv[2]);
  if (!strcmp(what, "connect") && argc == 3) return connect_to(argv[2]);
  if (!strcmp(what, "relabel") && argc == 3) return crowd_relabel(atoi(argv[2]));
  if (!strcmp(what, "exchange") && argc == 4)
    return renameat2(AT_FDCWD, argv[2], AT_FDCWD, argv[3], RENAME_EXCHANGE) != 0;
  fputs("usage: see the source\n", stderr);
  return 2;
}
