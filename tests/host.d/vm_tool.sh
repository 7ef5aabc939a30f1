#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/vm: what goes in and comes out of a guest is exact, and each way to fail has its own status.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

status_of() { "$@" > "$work/out" 2> "$work/err"; echo $?; }

# One boot answers several questions: the script below prints what it was given.
cat > "$work/probe" <<'EOF'
#!/bin/sh
printf '<%s>' "$@" "$COLOUR"
printf '[%s]' "$(cat)" "$(cat "$(dirname "$0")/data dir/file")" "$PWD"
printf 'a\r\n\0\377\003\004\021\023\177'
echo to stderr >&2
printf end
exit 41
EOF
chmod +x "$work/probe"
mkdir "$work/data dir"
echo 'some data' > "$work/data dir/file"
# shellcheck disable=SC2016  # not to be expanded is the point
arguments=('two words' "it's \"quoted\"" $'line\nbreak' '' '$HOME `id` \n *' '--kernel' 'é')
is "the exit status passes through" "$(status_of tools/vm --env "COLOUR=dark 'blue'" \
  --file "$work/data dir" -- "$work/probe" "${arguments[@]}" < /etc/passwd)" 41
{
  printf '<%s>' "${arguments[@]}" "dark 'blue'"
  printf '[%s]' '' 'some data' "$PWD"
  printf 'a\r\n\0\377\003\004\021\023\177to stderr\nend'
} > "$work/wanted"
check "arguments, environment, files and output are exact" cmp "$work/out" "$work/wanted"
is "nothing else is printed" "$(cat "$work/err")" ""

# shellcheck disable=SC2016  # the guest's shell expands it
tools/vm --kernel 6.1 --file /usr/bin/od --file tests/tap.sh -- sh -c '
  . tests/tap.sh
  check "BPF is an active security module" grep -qw bpf /sys/kernel/security/lsm
  check "the kernel has type information" test -s /sys/kernel/btf/vmlinux
  for place in "cgroup2 /sys/fs/cgroup" "bpf /sys/fs/bpf" "tmpfs /tmp" "tmpfs /run" \
    "tracefs /sys/kernel/tracing" "securityfs /sys/kernel/security"; do
    check "mounted: $place" grep -q " ${place#* } ${place% *} " /proc/mounts
  done
  check "the loopback is up" ping -c1 -W1 127.0.0.1
  check "the root can be left by pivot_root" unshare -m sh -c "mkdir /new && mount -t tmpfs t /new &&
    mkdir /new/old && pivot_root /new /new/old"
  like "a copied program wins over busybox" "$(timeout 5 od --version)" "od (GNU*"
  is "an ordinary user exists" "$(su user -c "id -u")" 1000
' < /dev/null > "$work/out" 2>&1
sed -n 's/^ok [0-9]* - //p' "$work/out" > "$work/passed"
is "a guest has what a booted system has, and nothing fails" \
  "$(grep -c . "$work/passed") $(grep -v '^ok' "$work/out")" "12 "

is "a system that is not known is named" "$(tools/vm --root debian1 -- true 2>&1; echo $?)" \
  "tools/vm: no root 'debian1': there are debian12 and debian13
2"

tools/vm -- sh -c 'seq 1 30000' < /dev/null > "$work/out" 2>&1
is "a long output is complete" "$(md5sum < "$work/out")" "$(seq 1 30000 | md5sum)"

is "with standard input closed" "$(status_of tools/vm -- cat <&-)" 0
is "a command that is not there" "$(status_of tools/vm -- nonesuch)" 127

is "a crash is 125" "$(status_of tools/vm -- sh -c 'echo before; echo c > /proc/sysrq-trigger')" 125
is "what was printed before the crash is there" "$(cat "$work/out")" before
like "the console explains the crash" "$(cat "$work/err")" "*Kernel panic*sysrq triggered crash*"

is "a crash at boot is 125" "$(status_of tools/vm --append 'rdinit=/none init=/none' -- true)" 125
is "after a second try" "$(grep -c 'crashed while it booted; once more' "$work/err")" 1

# What the kernel prints when it runs into a breakpoint; the byte before <..> is the one it ran into.
breakpoint() {
  echo "echo '<0>Oops: int3: 0000 [#1] SMP' > /dev/kmsg
    echo '<0>Code: 90 0f 1e fa $1 <f7> 37 a2' > /dev/kmsg
    echo c > /proc/sysrq-trigger"
}
is "a breakpoint that is not in memory is the emulator's fault, 123" \
  "$(status_of tools/vm -- sh -c "$(breakpoint e9)")" 123
like "and it says so" "$(cat "$work/err")" "*the emulator ran code that the kernel had patched away*"
is "one that is there is a crash" "$(status_of tools/vm -- sh -c "$(breakpoint cc)")" 125

is "a hang is 124" "$(status_of tools/vm --timeout $((8 * wait_factor)) -- sh -c 'echo before; sleep 1000')" 124
is "what was printed before the hang is there" "$(cat "$work/out")" before

is "a kernel that is not cached is 2" "$(status_of tools/vm --kernel 5.4 -- true)" 2
like "and says how to get it" "$(cat "$work/err")" "*run tools/vm --fetch 5.4*"
is "a file that is not there is 2" "$(status_of tools/vm --file /nonesuch -- true)" 2
is "an unknown option is 2" "$(status_of tools/vm --nonesuch -- true)" 2
is "no command is 2" "$(status_of tools/vm)" 2
tap_end
