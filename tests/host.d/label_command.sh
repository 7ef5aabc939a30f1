#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `holdfast label` and `holdfast sockets`, and include/holdfast/label.h in C and C++: within a `holdfast run`, which keeps
# labels on every kernel.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
holdfast=$HOLDFAST_BUILD/holdfast

cat >"$folder/serve.py" <<'EOF'
import os, socket, subprocess, sys, time
holdfast = sys.argv[1]
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind("\0holdfast-label-test-%d" % os.getpid())
server.listen()
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
pid = os.getpid()

def run(*words):
    fds = (server.fileno(), other.fileno())
    done = subprocess.run([holdfast, *words], capture_output=True, text=True, pass_fds=fds)
    print(f"{done.returncode} {done.stdout.strip()}".strip(), flush=True)

at = f"{pid}:{server.fileno()}"
run("label", "set", at, "user.varlink", "listen")
run("label", "get", at, "user.varlink")
run("label", "get", f"fd:{server.fileno()}", "user.varlink")
run("label", "set", f"fd:{server.fileno()}", "user.b", "two words")
run("label", "list", at)
run("label", "get", at, "user.varlink", "--json")
run("label", "remove", at, "user.b")
run("label", "get", at, "user.b")
cookie = int.from_bytes(server.getsockopt(socket.SOL_SOCKET, 57, 8), "little")
run("label", "get", str(cookie), "user.varlink")
run("label", "set", at, "varlink", "x")
run("label", "get", "nonsense", "user.a")
run("label", "set", f"{pid}:{other.fileno()}", "user.other", "1")
out = subprocess.run([holdfast, "sockets", "--label", "user.varlink=listen"], capture_output=True, text=True).stdout
print(*out.splitlines()[1].split()[:2], *out.splitlines()[1].split()[3:5], out.splitlines()[1].split()[-2])
import json
rows = [json.loads(line) for line in
        subprocess.run([holdfast, "sockets", "--json"], capture_output=True, text=True).stdout.splitlines()]
print([(row["family"], row["state"], row["labels"], row.get("varlink")) for row in rows if row["pid"] == pid])
watch = subprocess.Popen([holdfast, "sockets", "--watch", "--json", "--interval", "50", "-l", "user.come"],
                         stdout=subprocess.PIPE, text=True)
time.sleep(0.5)
late = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
run("label", "set", f"{pid}:{late.fileno()}", "user.come", "x")
print(json.loads(watch.stdout.readline())["event"])
late.close()
print(json.loads(watch.stdout.readline())["event"])
watch.kill()
EOF
"$holdfast" run -q --backend supervisor -- python3 "$folder/serve.py" "$holdfast" >"$folder/out" 2>"$folder/err"
sed 's/^/# /' "$folder/err"
# line NUMBER NAME WANTED
line() { is "$2" "$(sed -n "$1p" "$folder/out")" "$3"; }
line 1 "set by pid and descriptor" 0
line 2 "get" "0 listen"
line 3 "get by an inherited descriptor" "0 listen"
line 4 "set by an inherited descriptor" 0
is "list" "$(sed -n 5,6p "$folder/out")" "0 user.varlink=listen
user.b=two words"
like "get as JSON" "$(sed -n 7p "$folder/out")" '0 {"target":"*","labels":{"user.varlink":"listen"}}'
line 8 "remove" 0
line 9 "it is gone" 1
line 10 "get by cookie" "0 listen"
line 11 "a name that is no label's" 2
line 12 "a target that is none" 2
line 13 "another socket" 0
like "sockets with one label" "$(sed -n 14p "$folder/out")" "* python3 user.varlink=listen unix listening"
line 15 "sockets as JSON" "[('unix', 'listening', {'user.varlink': 'listen'}, 'listen'), ('inet', 'open', {'user.other': '1'}, None)]"
line 16 "a socket is labelled while a program watches" 0
line 17 "it comes" come
line 18 "and goes" gone

cat >"$folder/use.c" <<'EOF'
#include <holdfast/label.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
  char value[8];
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("%d ", holdfast_label_supported(fd));
  printf("%d ", holdfast_label_set(fd, "user.varlink", "server"));
  printf("%d %s ", (int)holdfast_label_get(fd, "user.varlink", value, sizeof value), value);
  printf("%d ", (int)holdfast_label_get(fd, "user.varlink", value, 4) == -ERANGE);
  printf("%d ", holdfast_label_remove(fd, "user.varlink"));
  printf("%d ", holdfast_label_remove(fd, "user.varlink") == -ENODATA);
  printf("%d\n", holdfast_label_supported(-1) == -EBADF);
  return 0;
}
EOF
cp "$folder/use.c" "$folder/use.cc"
for language in c cc; do
  compiler=cc
  [ $language = c ] || compiler=c++
  check "label.h compiles as $language" $compiler -Wall -Wextra -Werror -Iinclude -o "$folder/use" "$folder/use.$language"
  is "and works, as $language" "$("$holdfast" run -q --backend supervisor -- "$folder/use" 2>&1)" "1 0 6 server 1 0 1 1"
done
tap_end
