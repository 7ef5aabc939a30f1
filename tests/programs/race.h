// SPDX-License-Identifier: Apache-2.0
/*
 * How long an attack races. `seen` is whether what the race is about has happened yet: an escape, or a refusal. The
 * rounds that the attack was asked for say how hard it is tried. On a busy machine the other side may not have run in
 * any of them: then more are run until it has been seen, or for as long as is worth waiting. And where rounds take very
 * long, they are fewer once it has been seen. A quarter of the rounds is enough where the tests are not run in full
 * (HOLDFAST_FULL): make test-full tries hard, make test tries.
 *
 *   struct race race = {.rounds = 1000};
 *   while (race_goes_on(&race, through || refusals)) one_round();
 */
#ifndef HOLDFAST_TESTS_PROGRAMS_RACE_H
#define HOLDFAST_TESTS_PROGRAMS_RACE_H

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "seconds.h"

struct race {
  long rounds;
  long begun;            /* rounds, this one included */
  double since, over_at; /* seconds: the first round, and when the overtime ends */
};

static inline bool is_overtime(const struct race* race) { return race->begun > race->rounds; }

static inline bool race_goes_on(struct race* race, bool seen) {
  const double enough_s = 30, overtime_s = 15;
  const double at = now();
  if (race->begun++ == 0) {
    race->since = at;
    if (!getenv("HOLDFAST_FULL")) race->rounds = (race->rounds + 3) / 4;
  }
  if (!is_overtime(race)) return !seen || at < race->since + enough_s;
  if (race->begun == race->rounds + 1) race->over_at = at + overtime_s;
  if (seen || at > race->over_at) return false;
  usleep((unsigned)(race->begun % 16) *
         100); /* so the other side runs, for another while in each */
  return true;
}

#endif  // HOLDFAST_TESTS_PROGRAMS_RACE_H
