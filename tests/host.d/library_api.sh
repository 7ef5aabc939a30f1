#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# libholdfast as others find it when it is installed: the example is built by gcc and clang, as C and as C++, with CMake
# and with pkg-config, shared and static, and says what holdfast says.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix
holdfast=$HOLDFAST_BUILD/holdfast

check "it installs" cmake --install "$HOLDFAST_BUILD" --prefix "$prefix"
pc=$(find "$prefix" -name holdfast.pc)
library=$(dirname "$pc")/..
is "the shared library exports its interface only" \
  "$(nm -D --defined-only "$library/libholdfast.so" | awk '$2 != "A" { print $3 }' | grep -v '^holdfast_' | tr '\n' ' ')" ""
is "which is all that the header declares" \
  "$(nm -D --defined-only "$library/libholdfast.so" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort | tr '\n' ' ')" \
  "$(grep -oE '\bholdfast_[a-z_]+\(' include/holdfast/holdfast.h | tr -d '(' | sort -u |
    grep -vx holdfast_event_function | tr '\n' ' ')"
is "and needs only the C library" "$(readelf -d "$library/libholdfast.so" | grep NEEDED |
  grep -vE 'lib(c|m)\.so|ld-linux' | tr '\n' ' ')" ""

cat >"$folder/web.toml" <<'POLICY'
version = 1
[profile.web]
cgroup = "/web"
namespaces.create = ["user"]
namespaces.enter = "none"
POLICY
sed 's/\["user"\]/["user", "net"]/' "$folder/web.toml" >"$folder/looser.toml"
"$holdfast" run -q --backend supervisor -p "$folder/web.toml" --events "$folder/events" -- \
  sh -c 'unshare -n true; unshare -i true; true' 2>/dev/null
request="profile=web way=setns type=net target=host"
wanted="refused by line 5
$("$holdfast" why "$request" -p "$folder/web.toml")"

# consumer NAME PROGRAM: what a built example says about the policy, its events and its mistakes.
consumer() {
  local said
  said=$(LD_LIBRARY_PATH=$library "$2" "$folder/web.toml" "$request" 2>&1)
  is "$1: it says what holdfast why says" "$said" "$wanted"
  said=$(LD_LIBRARY_PATH=$library "$2" "$folder/web.toml" "$request" "$folder/events" 2>&1)
  like "$1: it reads events" "$said" "*2 events, 2 refusals*"
  said=$(LD_LIBRARY_PATH=$library "$2" "$folder/web.toml" "profile=web way=setns tpye=net" 2>&1)
  is "$1: a wrong request ends with 2" $? 2
  like "$1: and is explained" "$said" "*unknown key 'tpye'; did you mean 'type'?*"
  sed 's/none/nine/' "$folder/web.toml" >"$folder/bad.toml"
  said=$(LD_LIBRARY_PATH=$library "$2" "$folder/bad.toml" "$request" 2>&1)
  like "$1: so is a wrong policy" "$said" "*bad.toml:5:20: error: *'nine'*"
  said=$(LD_LIBRARY_PATH=$library "$2" "$folder/none.toml" "$request" 2>&1)
  like "$1: and a missing one" "$said" "*none.toml: No such file or directory*"
  said=$(LD_LIBRARY_PATH=$library "$2" "$folder/web.toml" "$request" "$folder/web.toml" 2>&1)
  like "$1: and what is no event" "$said" "*web.toml: line 1: *not a JSON object*"
}

for compilers in "gcc g++" "clang clang++"; do
  read -r cc cxx <<<"$compilers"
  # shellcheck disable=SC2086
  check "$cc: find_package builds the example" sh -c \
    "cmake -S examples/library -B $folder/$cc -DCMAKE_C_COMPILER=$cc -DCMAKE_CXX_COMPILER=$cxx \
      -DCMAKE_PREFIX_PATH=$prefix && cmake --build $folder/$cc"
  consumer "$cc, C" "$folder/$cc/decide_c"
  consumer "$cxx, C++" "$folder/$cc/decide_cc"
  consumer "$cc, static" "$folder/$cc/decide_static"
  is "$cc: the static one needs no libholdfast" "$(ldd "$folder/$cc/decide_static" | grep -c holdfast)" 0
done
said=$(LD_LIBRARY_PATH=$library "$folder/gcc/decide_cc" "$folder/looser.toml" "$request" "$folder/events")
like "another policy decides the events again" "$said" "*1 would be decided otherwise*"

flags() { PKG_CONFIG_PATH=$(dirname "$pc") pkg-config "$@" holdfast; }
warnings="-Wall -Wextra -Wpedantic -Wconversion -Werror"
for standard in c99 c11 c17; do
  # shellcheck disable=SC2046,SC2086
  check "the header is $standard" gcc -std=$standard $warnings -o "$folder/c" examples/library/decide.c $(flags --cflags --libs)
done
for compiler in g++ clang++; do
  for standard in c++17 c++20 c++2b; do
    # shellcheck disable=SC2046,SC2086
    check "the header is $standard for $compiler" $compiler -std=$standard $warnings -o "$folder/cc" examples/library/decide.cc \
      $(flags --cflags --libs)
  done
done
consumer "pkg-config" "$folder/cc"
# shellcheck disable=SC2046
check "pkg-config --static" gcc -static -o "$folder/static" examples/library/decide.c $(flags --cflags) $(flags --static --libs)
consumer "pkg-config --static" "$folder/static"

# Texts are the caller's, and no wrong argument of a file leaks or crashes.
cat >"$folder/leaks.c" <<'C'
#include <holdfast/holdfast.h>
#include <string.h>
static int stop(const holdfast_event *event, void *context) { (void)event; (void)context; return 7; }
int main(int argc, char **argv) {
  char *mistake = NULL;
  if (argc != 4 || holdfast_policy_load((const char *const *)argv + 2, 1, NULL)) return 1;
  if (holdfast_policy_parse("x", "a\0b", 3, &mistake) || !mistake) return 2;
  holdfast_free(mistake);
  holdfast_policy *policy = holdfast_policy_load((const char *const *)argv + 1, 1, &mistake);
  if (!policy || mistake || holdfast_policy_profile_count(policy) != 1) return 3;
  if (strcmp(holdfast_policy_profile(policy, 0), "web") || holdfast_policy_profile(policy, 1)) return 4;
  if (strcmp(holdfast_policy_profile_of_cgroup(policy, "/web/x"), "web")) return 5;
  if (holdfast_policy_profile_of_cgroup(policy, "/else")) return 6;
  holdfast_decision decision = HOLDFAST_DECISION_INIT;
  if (holdfast_decide(policy, "", &decision, NULL) != -1 || decision.reason) return 7;
  if (holdfast_decide_event(policy, "{", &decision, &mistake) != -1 || !mistake) return 8;
  holdfast_free(mistake);
  if (holdfast_events_read(argv[3], stop, NULL, &mistake) != 7 || mistake) return 9;
  /* A caller with an older, shorter structure. */
  struct { holdfast_decision decision; char after[8]; } old;
  memset(&old, 'x', sizeof(old));
  old.decision.size = offsetof(holdfast_decision, reason);
  if (holdfast_decide(policy, "profile=web way=setns type=net target=host", &old.decision, NULL)) return 10;
  const char *reason;
  memcpy(&reason, &old.decision.reason, sizeof(reason));
  char untouched[sizeof(reason)];
  memset(untouched, 'x', sizeof(untouched));
  if (old.decision.verdict != HOLDFAST_DENY || memcmp(&reason, untouched, sizeof(reason))) return 11;
  holdfast_policy_free(policy);
  holdfast_policy_free(NULL);
  holdfast_free(NULL);
  return 0;
}
C
# shellcheck disable=SC2046
check "a program with the address sanitizer builds" gcc -g -fsanitize=address,undefined -fno-sanitize-recover=all \
  -o "$folder/leaks" "$folder/leaks.c" $(flags --cflags --libs)
check "and finds nothing to complain about" env LD_LIBRARY_PATH="$library" "$folder/leaks" "$folder/web.toml" \
  "$folder/bad.toml" "$folder/events"
tap_end
