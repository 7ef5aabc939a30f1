// SPDX-License-Identifier: Apache-2.0
// What the kernel's prog_tests/token.c needs of test_progs, which it is a part of: a subtest is one
// line of TAP. As there, what fails in a child counts when the child exits so; the lines before say
// what it was.
#include "test_progs.h"

struct test_env env;
int env_verbosity;

static const char* current;
static int started, failures, skipped, failed;

static void end_subtest(void) {
  if (current == NULL) return;
  printf("%s %d - %s%s\n", failures > 0 ? "not ok" : "ok", started, current,
         skipped ? " # SKIP" : "");
  failed += failures > 0;
  current = NULL;
}

bool test__start_subtest(const char* name) {
  end_subtest();
  current = name;
  started++;
  failures = skipped = 0;
  return true;
}

void test__fail(void) { failures++; }
void test__skip(void) { skipped = 1; }

void serial_test_token(void);
void holdfast_mounts(void);

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  holdfast_mounts();
  serial_test_token();
  end_subtest();
  printf("1..%d\n", started);
  return failed > 0;
}
