#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The help of every command, what is said about mistakes on the command line, and what is completed.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
holdfast=$HOLDFAST_BUILD/holdfast
printf 'version = 1\n[profile.web]\n[profile.db]\n' >"$folder/p.toml"

complete() { "$holdfast" __complete "$@" | cut -f1 | paste -sd' '; }
commands=$(complete "")
like "the commands" "$commands" "*run*check*policy*help*version*"
for command in "" $commands "policy "{list,show,diff,edit,enable,disable} "label "{set,get,list,remove} \
  "hooks "{status,load,unload} "delegate "{parse,explain,mount}; do
  # shellcheck disable=SC2086  # two words
  help=$("$holdfast" $command --help)
  is "holdfast $command --help has no line of more than 80 columns" "$(echo "$help" | grep -E '.{81}')" ""
  [ -z "$command" ] || like "holdfast $command --help has an example" "$help" "*Example*  holdfast $command*"
  # shellcheck disable=SC2086
  is "holdfast help $command is the same" "$("$holdfast" help $command)" "$help"
done
like "commands are in groups" "$("$holdfast" help)" "*Policies:*  run *The policy of this machine:*  policy *About *"
is "version" "$("$holdfast" version)" "$("$holdfast" --version)"

# wrong PATTERN WORD...: exit status 2, nothing on standard output, and the message.
wrong() {
  local pattern=$1
  shift
  out=$("$holdfast" "$@" 2>"$folder/err" </dev/null)
  is "holdfast $*: status" "$? $out" "2 "
  like "holdfast $*: said" "$(cat "$folder/err")" "$pattern"
}
wrong "holdfast: there is no command 'rnu'; did you mean 'run'?*Usage: *See holdfast --help." rnu
wrong "holdfast: a command is missing: run, *"
wrong "holdfast run: there is no option '--bakend'; did you mean '--backend'?*" run --bakend lsm -- true
wrong "holdfast run: CMD is missing*" run
wrong "holdfast check: FILE is missing*" check
wrong "holdfast policy: there is no command 'lst'; did you mean 'list'?*" policy lst
wrong "holdfast policy: a command is missing: list, *" policy
wrong "holdfast policy edit: POLICY is missing*" policy edit
wrong "holdfast run: *--backend*not in*" run --backend lms -- true
wrong "holdfast: there is no command 'rnu'; did you mean 'run'?*" help rnu
like "a request may be several words" "$("$holdfast" why -p "$folder/p.toml" profile=web way=unshare type=net)" "*allow*"
like "why as JSON" "$("$holdfast" why --json -p "$folder/p.toml" profile=web way=unshare type=net)" '{*"verdict":"allow"*'
check "check as JSON" sh -c "'$holdfast' check --json '$folder/p.toml' | python3 -m json.tool"
like "hooks names what is missing" "$("$holdfast" hooks load /nonexistent.o 2>&1)" "*/nonexistent.o*"
like "oci-hook says its name" "$("$holdfast" oci-hook </dev/null 2>&1)" "holdfast oci-hook: *"
hook() { # ANNOTATIONS OPTION...
  state='{"pid": 4194000, "bundle": "/nowhere", "annotations": {'$1'}}'
  shift
  echo "$state" | "$holdfast" oci-hook --socket /nowhere/socket "$@" 2>&1
  echo "status $?"
}
is "oci-hook leaves a container alone that asks for nothing" "$(hook '"org.example": "x"')" "status 0"
like "but not with --require" "$(hook '"org.example": "x"' --require)" "*no annotation io.holdfast.**status 1"
like "nor one that asks for a profile without holdfastd" "$(hook '"io.holdfast.profile": "shop"')" \
  "*profile 'shop': *is holdfastd running?*status 1"
like "nor one with a mistyped annotation" "$(hook '"io.holdfast.profil": "shop"')" "*did you mean 'io.holdfast.profile'*status 2"
like "nor one that runs without a program" "$(hook '"io.holdfast.profile": "shop", "run.oci.handler": "wasm"')" \
  "*profile 'shop': *run.oci.handler*status 1"

is "commands below commands" "$(complete policy "")" "list show diff edit enable disable"
is "values of an option" "$(complete run --backend "")" "auto lsm supervisor"
is "values after =" "$(complete run --backend=l)" "lsm"
is "types, also after a comma" "$(complete run --unshare uts,n)" "uts,net"
is "profiles of a file" "$(complete run -p "$folder/p.toml" --profile "")" "db web"
is "files" "$(complete replay "")" ":files"
is "a command line after --" "$(complete run -- l)" ":commands"
is "and further on" "$(complete run -p x -- ls --c)" ":commands"
like "options" "$(complete run --b)" "--backend"
is "modes" "$(complete mode web "")" "audit enforce policy"
tap_end
