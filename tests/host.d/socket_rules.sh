#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Socket rules under the supervisor backend: what they mean, attacks on them, rates to the token, calls that
# block, and the memory that labels leave behind; as root and as an ordinary user.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/nobody.sh
. tests/nobody.sh
cp "$HOLDFAST_BUILD"/tests/bin/{socket_act,socket_rate,socket_block,socket_accept,socket_connect,label_churn} "$bin/" 2>/dev/null
chmod a+rx "$bin"/*

# table NAME COMMAND...: a test for each line of TAP
table() {
  local name=$1 line
  shift
  while IFS= read -r line; do
    case $line in
      "ok "*) pass "${line#* - }, $name" ;;
      "not ok "*) fail "${line#* - }, $name" ;;
      "#"*) echo "$line" ;;
    esac
  done < <("$@" "$bin/conform" --holdfast "$holdfast" --backend supervisor "${options[@]}" \
    tests/conformance/sockets.txt tests/escape/sockets.txt)
}
options=()
if [ "$(id -u)" -eq 0 ]; then table "as root" env; fi
options=(--userns)
table "as an ordinary user" "${as_nobody[@]}"

policy=$(mktemp /tmp/socket-rate.XXXXXX.toml)
for rate in "1 2" "100 50" "10000 5000"; do
  read -r tokens burst <<<"$rate"
  printf 'version = 1\n[profile.box]\nlog = "none"\n[[profile.box.socket]]\non = ["send"]\nfamily = ["inet"]\n' >"$policy"
  printf 'rate = "%s/s burst %s"\n' "$tokens" "$burst" >>"$policy"
  for senders in 1 8; do
    for _ in 1 2 3; do # a machine that stands still while a bucket runs over has lost what ran over
      said=$("$holdfast" run -q --backend supervisor --policy "$policy" -- "$bin/socket_rate" "$tokens" "$senders" 2 2>/dev/null)
      case $said in exact) break ;; esac
    done
    case $said in
      "too slow") skip "$tokens a second, $senders senders" slow_machine "it sends less than that" ;;
      *) like "$tokens a second, $senders senders" "$said" exact ;;
    esac
  done
done

printf 'version = 1\n[[profile.box.socket]]\non = ["connect"]\nlabel = { "user.varlink" = "client" }\nverdict = "deny"\n' \
  >"$policy"
is "a connect that blocks" "$(timeout 60 "$holdfast" run -q --backend supervisor --policy "$policy" -- "$bin/socket_block" 2>/dev/null)" \
  "100 of 100 others connected, while one was blocked
a signal ends it: EINTR"
printf 'version = 1\n[profile.box.label]\ninherit = true\n[[profile.box.socket]]\non = ["accept"]\n' >"$policy"
printf 'peer = { "user.varlink" = "client" }\nverdict = "deny"\n' >>"$policy"
for family in unix inet; do
  "$bin/socket_accept" $family >"$policy.bare"
  is "accept, $family: all that the kernel does ($(wc -l <"$policy.bare") points)" \
    "$("$holdfast" run -q --backend supervisor --policy "$policy" -- "$bin/socket_accept" $family 2>/dev/null)" \
    "$(cat "$policy.bare")"
done
"$holdfast" run -q --backend supervisor --policy "$policy" -- "$bin/socket_accept" orphan "$policy.orphan" 2>/dev/null &
runner=$!
for _ in $(seq 100); do [ ! -e "$policy.orphan" ] || break; sleep 0.05; done
sleep 0.3 # until it waits
kill -KILL $runner
wait $runner 2>/dev/null
for _ in $(seq 100); do [ ! -s "$policy.orphan" ] || break; sleep 0.05; done
is "whose accept waits when the supervisor dies" "$(cat "$policy.orphan")" ENOSYS
printf 'version = 1\n[[profile.box.socket]]\non = ["connect"]\nfamily = ["unix"]\n' >"$policy"
printf 'peer = { "user.varlink" = "server" }\nverdict = "deny"\n' >>"$policy"
chmod a+r "$policy"
connects() { # NAME HOW...: what the kernel does, and what is done for it; HOW begins with who
  local name=$1 said
  shift
  "$@" "$bin/socket_connect" >"$policy.bare"
  for options in "" "--unshare user,mnt,pid,net"; do
    # shellcheck disable=SC2086
    said=$("$@" "$holdfast" run -q --backend supervisor --policy "$policy" $options -- "$bin/socket_connect" 2>/dev/null)
    is "connect by path, $name $options: all that the kernel does ($(wc -l <"$policy.bare") points)" \
      "$said" "$(cat "$policy.bare")"
  done
}
if [ "$(id -u)" -eq 0 ]; then connects "as root" env; fi
connects "as an ordinary user" "${as_nobody[@]}"
is "100000 labelled sockets, opened and closed" \
  "$("$holdfast" run -q --backend supervisor -- "$bin/label_churn" 100000 2>/dev/null)" "back to its start"
rm -f "$policy" "$policy.bare" "$policy.orphan"
tap_end
