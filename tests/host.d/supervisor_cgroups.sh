#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Moves between cgroups in a run on this machine, three times: as root with the files of FUSE that are given out for
# cgroup.procs, as root without FUSE (then short writes are notified), and as an ordinary user with FUSE.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${HELD_IN:-}" = "" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "1..0 # SKIP root: not root"
    exit 0
  fi
  if ! grep -q '^nodev.cgroup2$' /proc/filesystems || ! [ -c /dev/fuse ]; then
    echo "1..0 # SKIP fuse: no unified hierarchy, or no /dev/fuse"
    exit 0
  fi
  HELD_IN=mounts exec unshare -m --propagation private "$0"
fi
. tests/tap.sh
. tests/nobody.sh
cp "$HOLDFAST_BUILD/tests/bin/cgroup_supervised" "$bin/"

cgroups=/sys/fs/cgroup
mount -t cgroup2 cgroup2 $cgroups
place=/holdfast-test-$$
work=$(mktemp -d /tmp/supervisor-cgroups.XXXXXX)
chmod 755 "$work"
home=$(sed -n 's/^0:://p' /proc/self/cgroup)
mkdir -p "$cgroups$place/web/sub" "$cgroups$place/free"
clean() {
  kill "$outside" 2> /dev/null
  echo $$ > "$cgroups$home/cgroup.procs"
  for _ in $(seq 50); do
    rmdir "$cgroups$place/web/sub" "$cgroups$place/web" "$cgroups$place/free" "$cgroups$place" 2> /dev/null
    [ -e "$cgroups$place" ] || break
    sleep 0.1
  done
  rm -rf "$work" "$nobody_folder"
}
sleep 1000 &
outside=$!
trap clean EXIT
echo $outside > "$cgroups$place/free/cgroup.procs"
cat > "$work/web.toml" << POLICY
version = 1
[profile.web]
cgroup = "$place/web"
cgroups.leave = []
cgroups.join = []
POLICY
mknod "$work/fuse" c 10 229
chmod 666 "$work/fuse"

cat > "$work/late.py" << 'PYTHON'
import os, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY)
with open(sys.argv[2] + "/ready", "w") as file:
    file.write("ready")
while not os.path.exists(sys.argv[2] + "/dead"):
    time.sleep(0.05)
try:
    os.write(fd, b"0")
    print("moved")
except OSError as error:
    print("errno", error.errno)
PYTHON

as=()
# into COMMAND...: runs it held, in the profile's cgroup. Its output is in $work/out, its events in $work/events.
into() {
  rm -f "$work/events"
  (
    echo 0 > "$cgroups$place/web/cgroup.procs"
    cd "$work" || exit 1
    PATH=$bin:$PATH exec "${as[@]}" "$holdfast" run --kill-tree --backend supervisor --policy "$work/web.toml" --profile web \
      --events "$work/user/events" -- "$@"
  ) > "$work/out" 2> "$work/err" < /dev/null
}
# moves OUTCOME WAY...: the output has exactly these ways with this outcome
moves() {
  local wanted=$1 way
  shift
  for way; do
    is "$way" "$(grep "^$way " "$work/out")" "$way $wanted"
  done
}
events() { grep -c "$1" "$work/user/events"; }
# fresh: no events of an earlier run
fresh() {
  rm -rf "$work/user"
  mkdir "$work/user"
  chmod 777 "$work/user"
}
in_free() { cat "$cgroups$place/free/cgroup.procs"; }

# Each write of these arrives as one request of FUSE.
usual="pid directory relative openat2 creat rdwr reopened writev stream"
beyond="padded 40-bytes page many-parts pwrite pwritev pwritev2 sendfile splice aio child sibling thread own-name appended"

# with_fuse: what is the same for root and for an ordinary user
with_fuse() {
  fresh
  # shellcheck disable=SC2086
  into sh -c "sleep 100 & cgroup_supervised $place/free \$! $usual $beyond; kill %1"
  # shellcheck disable=SC2086
  moves EPERM $usual $beyond
  is "each is one event with its line" "$(events '"reason":"leave".*"line":4')" 24
  is "nothing moved" "$(in_free)" "$outside"
  diag "$(cat "$work/err")"

  fresh
  into sh -c "sleep 100 & cgroup_supervised $place/free \$! mapped own-name-to-read own-handle own-directory exclusive high-bits parts-high-bits copy; kill %1"
  moves ENODEV mapped
  moves EACCES own-name-to-read
  moves EEXIST exclusive
  is "by a handle" "$(grep -c '^own-\(handle\|directory\) E' "$work/out")" 2
  is "lengths with high bits" "$(grep -c '^\(parts-\)\?high-bits E' "$work/out")" 2
  is "a copy" "$(grep -c '^copy E' "$work/out")" 1
  is "nothing moved by these either" "$(in_free)" "$outside"
  into sh -c "sleep 100 & for race in race race-by-descriptor; do cgroup_supervised \$race $place/free \$!; done; kill %1"
  is "a path and a descriptor that change meanwhile" "$(cat "$work/out")" "race moved 0 refused 1
descriptor race moved 0 refused 1"
  before=$(cat /proc/self/mounts)
  into sh -c "mount -t cgroup2 none /mnt; unshare -m mount -t cgroup2 none /mnt; umount $cgroups; true"
  is "no hierarchy is mounted" "$(grep -c 'permission denied\|not permitted\|must be superuser' "$work/err")" 3
  is "and none is gone" "$(cat /proc/self/mounts)" "$before"
  # Whoever is killed while it waits leaves, and the others are served.
  into sh -c "for i in \$(seq 40); do cgroup_supervised $place/web/sub 0 pid child thread > /dev/null & kill -9 \$!; done; wait; cgroup_supervised $place/web/sub 0 pid"
  moves moved pid

  fresh
  # shellcheck disable=SC2086
  into sh -c "sleep 100 & cgroup_supervised $place/web/sub \$! $usual $beyond; grep 0:: /proc/\$!/cgroup; cat $cgroups$place/web/sub/cgroup.procs | wc -l; kill %1"
  # shellcheck disable=SC2086
  moves moved $usual $beyond
  is "inside, it is there" "$(tail -n 2 "$work/out" | tr '\n' ' ')" "0::$place/web/sub 1 "
  is "and nothing is refused" "$(events '"verdict":"deny"')" 0

  into sh -c "cgroup_supervised $place/web/sub 0 nonsense nobody-there; sleep 100 & echo \$! >> $cgroups$place/web/sub/cgroup.procs && sed \"s/^\$!\$/it/\" <> $cgroups$place/web/sub/cgroup.procs; kill %1"
  moves EINVAL nonsense
  moves ESRCH nobody-there
  is "a shell moves a task, and reads the file it may also write" "$(tail -n 1 "$work/out")" it
  into sh -c "exec 5>$cgroups$place/web/sub/cgroup.procs; echo 0 >&5; cat /proc/self/cgroup; echo again > /dev/fd/5; stat -L -c '%F %a %s' /dev/fd/5; ls -l /proc/self/fd > ls 2>&1; echo 0 >/dev/fd/5 && echo by-name"
  like "redirections work" "$(cat "$work/out")" "*0::$place/web/sub*regular*empty*file 600 0*by-name*"

  into sh -c 'cd user && echo a > file && echo b >> file && dd if=/dev/zero of=/dev/null bs=1 count=1000 2>/dev/null && cat file'
  is "other files are written" "$(cat "$work/out")" "a
b"

  fresh
  python3 - "$work" "$place" "$holdfast" "$bin/cgroup_supervised" "${as[*]}" << 'PYTHON' > "$work/door" 2>&1
import os, socket, subprocess, sys
work, place, holdfast, program, become = sys.argv[1:]
ours, theirs = socket.socketpair()
with open(f"/sys/fs/cgroup{place}/web/cgroup.procs", "w") as file:
    file.write("0")
inside = f"exec 7<&{theirs.fileno()}; {program} {place}/web/sub 0 handed-out"
held = subprocess.Popen([*become.split(), holdfast, "run", "--backend", "supervisor", "--policy", f"{work}/web.toml", "--profile", "web",
                         "--events", f"{work}/user/events", "--", "bash", "-c", inside], pass_fds=[theirs.fileno()])
taker = subprocess.run([*become.split(), program, "door", str(ours.fileno()), str(os.getppid())], pass_fds=[ours.fileno()], check=True)
held.wait(60)
PYTHON
  like "a task outside that is handed the descriptor moves nobody" "$(grep -E '^(door|handed-out) ' "$work/door" | sort | tr '\n' ' ')" "door EPERM handed-out EPERM "
  is "which is an event" "$(events '"reason":"facts-missing"')" 1

  # The supervisor dies while a member has the descriptor.
  fresh
  (
    echo 0 > "$cgroups$place/web/cgroup.procs"
    cd "$work" || exit 1
    PATH=$bin:$PATH exec "${as[@]}" "$holdfast" run --wait-tree --backend supervisor --policy "$work/web.toml" --profile web \
      -- sh -c "python3 '$work/late.py' '$cgroups$place/web/sub/cgroup.procs' '$work/user' & wait"
  ) > "$work/out" 2> "$work/err" &
  run=$!
  for _ in $(seq $((100 * wait_factor))); do
    [ -s "$work/user/ready" ] && break
    sleep 0.1
  done
  kill -9 $run
  : > "$work/user/dead"
  for _ in $(seq $((100 * wait_factor))); do
    [ -s "$work/out" ] && break
    sleep 0.1
  done
  like "when the supervisor is dead, nothing is moved" "$(cat "$work/out")" "errno *"
}

diag "root, with FUSE"
with_fuse

diag "an ordinary user, with FUSE"
chown -R 65534 "$cgroups$place/web"
mount --bind "$work/fuse" /dev/fuse
as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
chown 65534 "$cgroups$place/free" "$cgroups$place/free/cgroup.procs"
with_fuse
chown -R 0 "$cgroups$place/web" "$cgroups$place/free"
as=()

diag "root, without FUSE"
mount --bind /dev/null /dev/fuse
fresh
# shellcheck disable=SC2086
into sh -c "sleep 100 & cgroup_supervised $place/free \$! $usual padded; cgroup_supervised $place/web/sub \$! $usual; grep 0:: /proc/\$!/cgroup; kill %1"
# shellcheck disable=SC2086
for way in $usual; do
  is "$way" "$(grep "^$way " "$work/out" | tr '\n' ' ')" "$way EPERM $way moved "
done
moves EBADF padded
is "nothing moved" "$(in_free)" "$outside"
umount /dev/fuse
tap_end
