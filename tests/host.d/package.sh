#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What an installation consists of, and that its scripts and completions are sound. Installs nothing here.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

check "it installs" cmake --install "$HOLDFAST_BUILD" --prefix "$folder"
for file in bin/holdfast sbin/holdfastd lib/systemd/system/holdfastd.service lib/tmpfiles.d/holdfast.conf \
  share/holdfast/io.holdfast.Control.varlink share/bash-completion/completions/holdfast; do
  check "$file is there" test -s "$folder/$file"
done
unit=$(cat "$folder/lib/systemd/system/holdfastd.service")
like "the unit starts the daemon" "$unit" "*Type=notify*ExecStart=/*/holdfastd *"
check "and gives it no mount namespace" \
  sh -c "! grep -E '^(Protect(System|Home|Kernel|Control|Proc)|Private(Tmp|Devices|Mounts)|ReadOnly|Inaccessible|Bind)' \
  '$folder/lib/systemd/system/holdfastd.service'"
for script in postinst prerm postrm; do
  check "$script is sound" sh -n "packaging/debian/$script"
done
# prerm with programs that only say that they were called. SEALED: what the daemon answers.
mkdir "$folder/fake"
for program in holdfastd systemctl; do
  cat > "$folder/fake/$program" << 'END'
#!/bin/sh
echo "${0##*/} $*" >> "$CALLS"
[ "$1" != --is-sealed ] || exit "$SEALED"
END
  chmod +x "$folder/fake/$program"
done
prerm() {
  : > "$folder/calls"
  CALLS=$folder/calls SEALED=$1 PATH=$folder/fake:$PATH sh packaging/debian/prerm "$2" 2> "$folder/said"
  echo "$? $(grep -v -e --is-sealed "$folder/calls" | paste -sd,)"
}
for step in remove upgrade deconfigure failed-upgrade; do
  is "sealed, $step fails and calls nothing" "$(prerm 0 $step)" "1 "
  like "and says why" "$(cat "$folder/said")" "*sealed*--unseal*"
done
is "an upgrade changes nothing" "$(prerm 1 upgrade)" "0 "
like "a removal ends what is enforced" "$(prerm 1 remove)" "0 *holdfastd --stop-enforcing*"

completed=$(PATH="$folder/bin:$PATH" bash -c '
  . "'"$folder"'/share/bash-completion/completions/holdfast"
  COMP_WORDS=(holdfast repl); COMP_CWORD=1; _holdfast; echo "${COMPREPLY[@]}"
  COMP_WORDS=(holdfast replay --for); COMP_CWORD=2; _holdfast; echo "${COMPREPLY[@]}"
  COMP_WORDS=(holdfast policy en); COMP_CWORD=2; _holdfast; echo "${COMPREPLY[@]}"
  COMP_WORDS=(holdfast run --backend = l); COMP_CWORD=4; _holdfast; echo "${COMPREPLY[@]}"
  COMP_WORDS=(holdfast check /etc/host); COMP_CWORD=2; _holdfast; echo "${COMPREPLY[@]}"')
like "commands, options, values and files are completed" "$completed" "replay
--format
enable
lsm
*/etc/hosts*"
completed=$(PATH="$folder/sbin:$PATH" bash -c '
  . "'"$folder"'/share/bash-completion/completions/holdfastd"
  COMP_WORDS=(holdfastd --prot); COMP_CWORD=1; _holdfastd; echo "${COMPREPLY[@]}"
  COMP_WORDS=(holdfastd --format j); COMP_CWORD=2; _holdfastd; echo "${COMPREPLY[@]}"')
is "the daemon's, too" "$completed" "--protect-policy
json journal"
for unit in holdfast-metrics.socket holdfast-metrics@.service; do
  check "$unit is there" test -s "$folder/lib/systemd/system/$unit"
done
like "and runs what is installed" "$(cat "$folder/lib/systemd/system/holdfast-metrics@.service")" "*ExecStart=-/*/holdfast metrics --http*"
tap_end
