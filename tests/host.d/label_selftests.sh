#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The kernel's own tests of attributes on sockets, and ours, under `holdfast run`: as root and as an ordinary
# user.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d /tmp/label.XXXXXX)
trap 'rm -rf "$folder"' EXIT
cp "$HOLDFAST_BUILD"/holdfast "$HOLDFAST_BUILD"/tests/selftests/* "$HOLDFAST_BUILD"/tests/bin/label_xattr "$folder/"
chmod -R a+rX "$folder"
cd "$folder" || exit 1

# Without rules about labels, a path to a descriptor sets no labels. It never reads them (docs/labels.md).
printf 'version = 1\n[[profile.labels.socket]]\non = ["listen"]\nlabel = { "user.none" = "1" }\nverdict = "deny"\n' >labels.toml
chmod a+r labels.toml
policy=()

# counts NAME PROGRAM WANTED COMMAND...: how many of the program's tests pass, fail and are skipped
counts() {
  local name=$1 program=$2 wanted=$3 output arguments=()
  shift 3
  [ "$program" != label_xattr ] || arguments=(no-reads-by-path)
  output=$("$@" ./holdfast run -q --backend supervisor "${policy[@]}" -- "./$program" "${arguments[@]}" 2>&1)
  is "$name" "$(grep -c '^ok' <<<"$output") passed, $(grep -c '^not ok' <<<"$output") failed, $(
    grep -c '^ok .* # SKIP' <<<"$output") skipped" "$wanted"
  grep '^not ok' <<<"$output" | sed 's/^/# /'
}

if [ "$(id -u)" -eq 0 ]; then
  counts "xattr_sockfs_test as root" xattr_sockfs_test "14 passed, 0 failed, 0 skipped"
  counts "xattr_socket_types_test as root" xattr_socket_types_test "5 passed, 0 failed, 0 skipped"
  policy=(--policy labels.toml)
  counts "ours as root" label_xattr "84 passed, 0 failed, 0 skipped"
  policy=()
  user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
else
  user=()
fi
counts "xattr_sockfs_test" xattr_sockfs_test "14 passed, 0 failed, 0 skipped" "${user[@]}"
# An ordinary user may not have a packet socket.
counts "xattr_socket_types_test" xattr_socket_types_test "5 passed, 0 failed, 1 skipped" "${user[@]}"
policy=(--policy labels.toml)
counts "ours" label_xattr "84 passed, 0 failed, 0 skipped" "${user[@]}"
tap_end
