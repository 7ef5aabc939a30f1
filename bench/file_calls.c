// SPDX-License-Identifier: Apache-2.0
//
// The time of one call about a file: file_calls WHAT [ROUNDS], WHAT one of read (an open for
// reading), write (an open for writing), short (a write of one byte), long (of 4096). Opens count
// their close().
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char what = argc > 1 ? argv[1][0] : 'w';
  const int rounds = argc > 2 ? atoi(argv[2]) : 20000;
  static char bytes[4096];
  struct timespec begin, end;
  const int sink = open("/dev/null", O_WRONLY);
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < rounds; i++) {
    if (what == 'r' || what == 'w') close(open("/dev/null", what == 'r' ? O_RDONLY : O_WRONLY));
    if (what == 's' || what == 'l') (void)!write(sink, bytes, what == 's' ? 1 : sizeof bytes);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf(
      "%.0f\n",
      ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / rounds);
  return 0;
}
