// SPDX-License-Identifier: Apache-2.0
/*
 * socket_rate TOKENS SENDERS SECONDS: sends as fast as it can under a rule of TOKENS a second, and
 * says whether as many messages went through as that gives, to the token: "exact", or what else;
 * "too slow" when it cannot send that fast at all.
 *
 * It sends until it is refused: there is less than a token then. What goes through from there on
 * until it is refused again is what was added meanwhile. When exactly the two refusals were decided
 * is not known, but each lies between two looks at the clock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { patience_s = 10 };
static int sender;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int sent(void) {
  for (;;) {
    if (send(sender, "x", 1, 0) == 1) return 1;
    if (errno == EAGAIN) return 0;
    if (errno != ECONNREFUSED && errno != ENOBUFS) {
      perror("send");
      exit(2);
    }
    return 1; /* let through; the network had no use for it */
  }
}

/* Until refused; the looks at the clock around that. */
static long drain(double* before, double* after) {
  const double start = now();
  long total = 0;
  for (;;) {
    *before = now();
    if (!sent()) break;
    total++;
    if (*before > start + patience_s) {
      puts("too slow");
      exit(0);
    }
  }
  *after = now();
  return total;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const double tokens = atof(argv[1]), seconds = atof(argv[3]);
  const int senders = atoi(argv[2]);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int sink = socket(AF_INET, SOCK_DGRAM, 0);
  bind(sink, (void*)&address, sizeof address);
  getsockname(sink, (void*)&address, &length);
  sender = socket(AF_INET, SOCK_DGRAM, 0);
  connect(sender, (void*)&address, length);
  long* counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  double before_first, after_first, before_last, after_last;
  drain(&before_first, &after_first);
  for (int i = 0; i < senders; i++)
    if (fork() == 0) {
      while (now() < after_first + seconds) {
        if (sent())
          counts[i]++;
        else
          usleep(200);
      }
      _exit(0);
    }
  while (wait(NULL) > 0) continue;
  long total = drain(&before_last, &after_last);
  for (int i = 0; i < senders; i++) total += counts[i];
  const double least = tokens * (before_last - after_first) - 1,
               most = tokens * (after_last - before_first) + 1;
  if ((double)total >= least && (double)total <= most)
    puts("exact");
  else
    printf("%ld sent, from %.1f to %.1f wanted\n", total, least, most);
  fprintf(stderr, "# %ld sent, %.1f to %.1f\n", total, least, most);
  return 0;
}
