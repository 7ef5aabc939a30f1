#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The Debian package: what is in it, lintian, and the unit where systemd can tell how exposed it is. Installs nothing.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
package=$HOLDFAST_BUILD/tests/holdfast.deb

check "it is a package" dpkg-deb --info "$package"
dpkg-deb -x "$package" "$folder/files"
dpkg-deb -e "$package" "$folder/control"
doc=$folder/files/usr/share/doc/holdfast
for file in copyright changelog.gz CHANGELOG.md.gz README.md docs/policy.md docs/profiles.md examples/web.toml \
  examples/container.toml; do
  check "$file is there" test -s "$doc/$file"
done
for file in usr/share/holdfast/profiles/nginx.toml usr/lib/holdfast/policy.d/systemd.toml usr/share/man/man1/holdfast-run.1.gz \
  usr/share/man/man5/holdfast-policy.5.gz usr/share/man/man8/holdfastd.8.gz etc/default/holdfastd \
  usr/share/containers/oci/hooks.d/holdfast.json; do
  check "$file is there" test -s "$folder/files/$file"
done
is "the configuration file is a conffile" "$(cat "$folder/control/conffiles")" /etc/default/holdfastd
check "the copyright has each licence" grep -q 'GPL-2.0-only or BSD-2-Clause' "$doc/copyright"
check "and the text that is in no common place" grep -q 'Redistribution and use in source and binary forms' "$doc/copyright"
check "the version of the changelog is that of the package" sh -c \
  'zcat "$1/changelog.gz" | head -1 | grep -q "($(dpkg-deb -f "$2" Version))"' - "$doc" "$package"
for example in "$doc"/examples/*.toml; do
  check "$(basename "$example") is a policy" "$HOLDFAST_BUILD/holdfast" check "$example"
done

if command -v lintian >/dev/null; then
  # As an ordinary user would: errors and warnings count, with the overrides that the package states.
  said=$(lintian --allow-root --fail-on error,warning "$package" 2>&1)
  is "lintian has no error and no warning" "$(printf '%s\n' "$said" | grep -E '^[EW]:')" ""
else
  skip "lintian has no error and no warning" lintian "it is not installed"
fi

unit=$folder/holdfastd.service
cp "$folder/files/usr/lib/systemd/system/holdfastd.service" "$unit"
like "where it cannot enforce it is not started again" "$(cat "$unit")" "*RestartPreventExitStatus=77*holdfast doctor --fix*"
if systemd-analyze security --help 2>/dev/null | grep -q -- --offline; then
  exposure=$(systemd-analyze security --offline=true --no-pager "$unit" | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
  # 3.0 would need a mount namespace of its own or no clone3(2): the unit says why it has neither.
  check "systemd calls it less exposed than before (6.4): $exposure" awk -v e="$exposure" 'BEGIN { exit !(e > 0 && e <= 5.0) }'
  said=$(systemd-analyze verify "$unit" 2>&1 | grep "^$unit")
  is "systemd knows all of its settings" "$said" ""
else
  skip "systemd calls it less exposed than before" systemd_analyze "it is not here, or too old"
fi
tap_end
