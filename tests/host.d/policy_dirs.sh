#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `holdfast policy`, `holdfast test`, policies by name, and `holdfastd --check`, on directories without a daemon.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
umask 022
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
holdfast=$HOLDFAST_BUILD/holdfast
vendor=$folder/usr own=$folder/etc shipped=$folder/share
mkdir -p "$vendor" "$own" "$shipped" "$folder/config/holdfast/profiles"
dirs=(--policy-dir "$vendor" --policy-dir "$own")
export XDG_CONFIG_HOME=$folder/config

run_it() {
  "$@" >"$folder/out" 2>"$folder/err" </dev/null
  status=$?
  out=$(cat "$folder/out")
  err=$(cat "$folder/err")
}
policy() {
  local action=$1
  shift
  run_it "$holdfast" policy "$action" "${dirs[@]}" "$@"
}

printf 'version = 1\n[profile.web]\nunit = "web.service"\nnamespaces.enter = "none"\n' >"$vendor/web.toml"
printf 'version = 1\n[profile.db]\ncgroup = "/db"\n' >"$vendor/db.toml"
printf 'version = 1\n[profile.old]\ncgroup = "/old"\n' >"$vendor/old.toml"
ln -s /dev/null "$own/old.toml"
cp "$vendor/db.toml" "$own/db.toml"
mkdir "$own/web.toml.d"
printf 'version = 1\n[profile.web]\nmode = "audit"\nnamespaces.enter = "own"\n' >"$own/web.toml.d/local.toml"

policy list --files
is "list: status" "$status" 0
like "list: hidden, masked, and what a drop-in adds to" "$out" \
  "*hidden *$vendor/db.toml*$own/db.toml  \[db\]*hidden *$vendor/old.toml*masked *$own/old.toml*$vendor/web.toml  \[web\]*+ $own/web.toml.d/local.toml*"
policy list --files --json
check "list as JSON" python3 -c "
import json
files = {file['path']: file for file in json.load(open('$folder/out'))['files']}
assert files['$own/old.toml']['state'] == 'masked'
assert files['$own/web.toml.d/local.toml']['drop_in']"

policy show --files web
is "show: status" "$status" 0
like "show: each key with the file that states it" "$out" \
  '*\[profile.web\]*mode = "audit"  # *etc/web.toml.d/local.toml:3:1*unit = "web.service"  # *usr/web.toml:3:1*enter = "own"  # *local.toml:4:1'
policy show --files --text web
like "show --text: the files" "$out" "# $vendor/web.toml*enter = \"none\"*# $own/web.toml.d/local.toml*enter = \"own\"*"
policy show --files wbe
is "show of nothing: status" "$status" 1
like "show of nothing: what is like it" "$err" "*no profile and no file 'wbe'; did you mean 'web'?*"
policy diff --vendor
is "diff: status" "$status" 1
like "diff: what the last directory changes" "$out" \
  '*- \[profile.old\]*- \[profile.web\] namespaces.enter = "none"*+ \[profile.web\] namespaces.enter = "own"*'
check "the whole is valid for the daemon" "$HOLDFAST_BUILD/holdfastd" --check --allow-unenforced "${dirs[@]}"

# edit
printf '#!/bin/sh\nprintf %%s "$ADD" >> "$1"\n' >"$folder/editor"
chmod +x "$folder/editor"
edit() {
  VISUAL=$folder/editor ADD=$1 policy edit "$2" "${@:3}"
}
edit $'[profile.db]\nnamespaces.enter = "none"\n' db
is "edit of one's own file: status" "$status" 2
like "edit of one's own file: a mistake is named" "$err" "*$own/db.toml:4:*nothing was changed"
edit $'namespaces.enter = "none"\n' db
is "edit of one's own file without a mistake" "$status" 0
is "it is written" "$(tail -1 "$own/db.toml")" 'namespaces.enter = "none"'
edit $'[profile.new]\ncgroup = "/new"\n' new
is "edit of a new file" "$status" 0
check "is there" grep -q new "$own/new.toml"
rm -r "$own/web.toml.d"
edit $'[profile.web]\nlog = "al"\n' web
is "a drop-in with a mistake: status" "$status" 2
check "a drop-in with a mistake leaves nothing" test ! -e "$own/web.toml.d"
edit $'[profile.web]\nlog = "all"\n' web
is "a drop-in: status" "$status" 0
check "a drop-in is there" grep -q 'log = "all"' "$own/web.toml.d/override.toml"
edit '' web
like "nothing is nothing" "$err" "*nothing was changed"
edit $'[profile.web]\n' ../web
is "a path is no name" "$status" 2
is "no temporary file is left" "$(find "$folder" -name '*.edit')" ""

# enable and disable
printf 'version = 1\n[profile.nginx]\nunit = "nginx.service"\ncgroups.leave = ["web"]\n' >"$shipped/nginx.toml"
policy enable --profiles "$shipped" ngin
is "enable of nothing: status" "$status" 1
like "enable of nothing: what is like it" "$err" "*did you mean 'nginx'?*"
policy enable --profiles "$shipped" nginx
is "enable: status" "$status" 0
is "enable links" "$(readlink "$own/nginx.toml")" "$shipped/nginx.toml"
policy enable --profiles "$shipped" nginx
like "enable again" "$out" "nginx is enabled*"
policy disable web
is "disable of what is needed: status" "$status" 2
like "disable of what is needed: why" "$err" "*profile 'web' is not defined*nothing was changed"
policy disable nginx
is "disable: status" "$status" 0
check "disable removes the link" test ! -e "$own/nginx.toml"
policy disable web
is "disable masks a vendor's file" "$(readlink "$own/web.toml")" /dev/null
policy enable web
check "enable removes the mask" test ! -L "$own/web.toml"
policy disable db
is "disable of one's own file: status" "$status" 1

# What cannot be read is named, and not waited for.
mkfifo "$own/pipe.toml"
mkdir "$own/dir.toml"
printf 'version = 1\n' >"$own/open.toml"
chmod 666 "$own/open.toml"
run_it timeout 20 "$HOLDFAST_BUILD/holdfastd" --check "${dirs[@]}"
is "holdfastd --check with strange files: status" "$status" 2
like "each is named" "$err" "*dir.toml:1:1: error: refused: it is a directory*open.toml*others may write*pipe.toml:1:1: error: refused: it is a FIFO*"
policy list --files
is "list says so: status" "$status" 1
like "list says so" "$out" "*refused *dir.toml*(it is a directory)*"
rm -r "$own/pipe.toml" "$own/dir.toml" "$own/open.toml"

# tests of policies
cat >"$folder/tested.toml" <<'POLICY'
version = 1
[profile.web]
namespaces.enter = "none"
namespaces.create = ["net"]
[[test]]
request = "profile=web way=setns type=net target=host"
expect = "deny"
line = "enter"
POLICY
run_it "$holdfast" test "$folder/tested.toml"
is "test: status" "$status" 0
like "test: what no test reaches" "$out" "no test reaches 1 of 2 rules:*tested.toml:4:1*create*1 test, 0 failed"
run_it "$holdfast" test --all-rules "$folder/tested.toml"
is "test --all-rules: status" "$status" 1
printf 'version = 1\n[[test]]\nrequest = "profile=web way=unshare type=net"\nexpect = "deny"\n' >"$folder/tested.test.toml"
run_it "$holdfast" test "$folder/tested.toml"
is "a test that fails, in the file beside: status" "$status" 1
like "a test that fails: why" "$out" "FAIL  *tested.test.toml:3:11*expected deny, got allow: *2 tests, 1 failed"
run_it "$holdfast" test --json "$folder/tested.toml"
check "test as JSON" python3 -c "
import json
report = json.load(open('$folder/out'))
assert [test['passed'] for test in report['tests']] == [True, False] and report['rules'] == 2"
sed -i 's/way=unshare/way=unshar/' "$folder/tested.test.toml"
run_it "$holdfast" test "$folder/tested.toml"
is "a wrong request: status" "$status" 2
run_it "$holdfast" test "$vendor/db.toml"
is "no tests: status" "$status" 1

for example in $(grep -l '^\[\[test\]\]' examples/*.toml); do
  check "the tests of $example pass and reach every rule" "$holdfast" test --all-rules "$example"
done

# policies by name
cp "$folder/tested.toml" "$folder/config/holdfast/profiles/held.toml"
run_it "$holdfast" check held
is "check by name" "$out" "profile web: enforce, 2 restrictions, members: commands of holdfast run"
run_it "$holdfast" check hled
is "check by a wrong name: status" "$status" 2
like "check by a wrong name: what is like it" "$err" "*hled*did you mean 'held'?*"
run_it "$holdfast" run --backend supervisor -p held -- sh -c 'unshare --user true'
like "run by name" "$err" "*held.toml:4:1*"
printf 'version = 1\n[profile.tight]\nnamespaces.create = []\n' >"$folder/config/holdfast/profiles/tight.toml"
run_it "$holdfast" run --backend supervisor --profile tight -- sh -c 'unshare --user true'
like "run by the name of a profile" "$err" "*tight.toml:3:1*"
tap_end
