/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libholdfast in C: decides and explains a request, and counts the refusals of an event file.
 *
 *   cc decide.c $(pkg-config --cflags --libs holdfast)
 *   ./a.out web.toml "profile=web way=setns type=net target=host" [events.jsonl]
 */
#include <holdfast/holdfast.h>
#include <inttypes.h>
#include <stdio.h>

struct counts {
  uint64_t events;
  uint64_t refused;
};

static int count(const holdfast_event* event, void* context) {
  struct counts* counts = context;
  counts->events++;
  if (event->decision.verdict == HOLDFAST_DENY) counts->refused += event->decisions;
  return 0;
}

static int fail(char* mistake) {
  fputs(mistake ? mistake : "out of memory", stderr);
  fputc('\n', stderr);
  holdfast_free(mistake);
  return 2;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s POLICY REQUEST [EVENTS]\n", argv[0]);
    return 2;
  }
  char* mistake = NULL;
  const char* paths[] = {argv[1]};
  holdfast_policy* policy = holdfast_policy_load(paths, 1, &mistake);
  if (!policy) return fail(mistake);
  holdfast_decision decision = HOLDFAST_DECISION_INIT;
  int status = holdfast_decide(policy, argv[2], &decision, &mistake);
  if (status == 0) {
    char* text = holdfast_explain(policy, argv[2], NULL);
    printf("%s by line %" PRIu32 "\n%s", decision.verdict == HOLDFAST_DENY ? "refused" : "allowed",
           decision.line, text);
    holdfast_free(text);
  }
  struct counts counts = {0, 0};
  if (status == 0 && argc > 3) {
    status = holdfast_events_read(argv[3], count, &counts, &mistake);
    if (status == 0)
      printf("%" PRIu64 " events, %" PRIu64 " refusals\n", counts.events, counts.refused);
  }
  if (status != 0) fail(mistake);
  holdfast_policy_free(policy);
  return status == 0 ? 0 : 2;
}
