// SPDX-License-Identifier: Apache-2.0
#ifndef HOLDFAST_TESTS_PROGRAMS_SECONDS_H
#define HOLDFAST_TESTS_PROGRAMS_SECONDS_H

#include <time.h>

/* Since whenever; they do not jump. */
static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif
