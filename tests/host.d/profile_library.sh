#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The profiles that are shipped: each is a policy with the shared definitions, its tests pass and reach every rule, all of
# them fit together, and `holdfast policy enable` puts one in force.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
holdfast=$HOLDFAST_BUILD/holdfast
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cp -r library/policy.d "$folder/vendor"
chmod -R go-w "$folder/vendor"
mkdir -m 755 "$folder/etc"

for name in nginx apache2 postgresql mariadb redis sshd cron docker podman containerd systemd-nspawn libvirt \
  github-runner slurm chromium; do
  check "$name is shipped" test -f "library/profiles/$name.toml"
done
for file in library/profiles/*.toml; do
  name=$(basename "$file" .toml)
  with=()
  [ "$name" != slurm ] || with=(library/profiles/sshd.toml) # it says so
  check "$name: every test passes, and every rule has one" \
    "$holdfast" test --all-rules --policy-dir "$folder/vendor" "$file" "${with[@]}"
  check "$name: has a comment that says what it is for" \
    awk 'NR == 2 && !/^# .*[a-z]/ { exit 1 } /^# /{ n++ } END { exit n < 5 }' "$file"
  # A test that cannot fail: without the rules of the profile, each profile's tests do.
  grep -v -E '^(namespaces|cgroups|mark_by)' "$file" | sed '/socket\]\]/,/^$/d' >"$folder/open.toml"
  "$holdfast" test "$folder"/vendor/*.toml "$folder/open.toml" "${with[@]}" >"$folder/out" 2>&1
  is "$name: its tests fail without its rules" $? 1
done
check "all of them fit together" "$holdfast" check "$folder"/vendor/*.toml library/profiles/*.toml
check "and so do their tests" "$holdfast" test "$folder"/vendor/*.toml library/profiles/*.toml
is "the shared definitions restrict nothing" "$("$holdfast" check "$folder"/vendor/*.toml | grep -vc ' 0 restrictions')" 0
for profile in systemd logind docker containerd package-managers; do
  is "$profile is defined once" "$(grep -l "^\[profile.$profile\]" library/policy.d/*.toml | wc -l)" 1
done

policy() {
  local action=$1
  shift
  "$holdfast" policy "$action" --policy-dir "$folder/vendor" --policy-dir "$folder/etc" --socket "$folder/none" "$@"
}
profiles=$(mktemp -d "$folder/profiles.XXXX")
chmod 755 "$profiles"
install -m 644 library/profiles/*.toml "$profiles"
for name in nginx docker slurm; do
  [ "$name" != slurm ] || {
    policy enable --profiles "$profiles" slurm >"$folder/out" 2>&1
    is "slurm needs sshd" $? 2
    like "and that is said" "$(cat "$folder/out")" "*slurm.toml:*'sshd'*nothing was changed*"
    check "sshd is enabled" policy enable --profiles "$profiles" sshd
  }
  check "$name is enabled" policy enable --profiles "$profiles" "$name"
  like "$name is listed" "$(policy list)" "*$folder/etc/$name.toml*"
done
like "the rules of nginx are in the policy" "$(policy show nginx)" '*namespaces.enter = "none"*etc/nginx.toml*'
like "a misspelt name has a suggestion" "$(policy enable --profiles "$profiles" ngnix 2>&1)" "*did you mean 'nginx'*"
check "nginx is disabled" policy disable nginx
like "and gone from the policy" "$(policy show nginx 2>&1)" "*no *nginx*"

# A file may define a shared profile itself, as before there were any.
printf 'version = 1\n[profile.systemd]\ncgroup = "/init.scope"\ncgroups.join = ["systemd"]\n' >"$folder/etc/own.toml"
chmod 644 "$folder/etc/own.toml"
like "a file may define systemd too" "$(policy show systemd 2>&1)" '*cgroups.join = \["systemd"\]*'
tap_end
