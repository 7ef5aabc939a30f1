#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A kernel that tools/kernel-7.4 built serves until Debian has that series, and then Debian's takes its place. The archive
# is a fake: programs named apt-get and apt-cache, with a package of our own.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
release=7.4.2+deb13-cloud-amd64
export HOLDFAST_CACHE=$work/cache ARCHIVE=$work/archive
export PATH=$work/bin:$PATH
mkdir -p "$work/bin" "$ARCHIVE" "$HOLDFAST_CACHE/kernels/7.4"

cat > "$work/bin/apt-cache" << 'END'
#!/bin/sh
# pkgnames PREFIX, madison PACKAGE, show PACKAGE; options come first
while [ $# -gt 2 ]; do shift; done
cd "$ARCHIVE" || exit 1
case $1 in
  pkgnames) ls | sed -n "/^$2/s/\.deb$//p" ;;
  madison) [ ! -e "$2.deb" ] || echo " $2 | 7.4.2-1 | fake" ;;
  show) [ ! -e "$2.deb" ] || echo "Size: 100" ;;
esac
END
cat > "$work/bin/apt-get" << 'END'
#!/bin/sh
echo "$*" >> "$ARCHIVE/../asked"
for last; do
  case $last in
    update) touch "$HOLDFAST_CACHE/apt/lists/fake_Packages" ;;
    linux-*=7.4.2-1) cp "$ARCHIVE/${last%=*}.deb" . ;;
  esac
done
END
chmod +x "$work/bin/apt-cache" "$work/bin/apt-get"

package() { # NAME: $work/NAME holds the files
  mkdir -p "$work/$1/DEBIAN"
  printf 'Package: %s\nVersion: 7.4.2-1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: none\n' \
    "$(echo "$1" | tr -d +)" > "$work/$1/DEBIAN/control"
  dpkg-deb -b "$work/$1" "$ARCHIVE/$1.deb" > /dev/null
}
fetch() { tools/vm --fetch 7.4 > "$work/out" 2>&1; echo $?; }
there() { cat "$HOLDFAST_CACHE/kernels/7.4/release"; }

echo 7.3.4-7.4 > "$HOLDFAST_CACHE/kernels/7.4/release"
: > "$HOLDFAST_CACHE/kernels/7.4/built"
is "Debian has none: that is said" "$(fetch)" 2
like "with the series" "$(cat "$work/out")" "*no 7.4 kernel of flavour cloud-amd64*"
is "and the built one stays" "$(there)" 7.3.4-7.4
is "which tools/kernel-7.4 does not build again" "$(tools/kernel-7.4 2>&1)" ""

mkdir -p "$work/linux-binary-$release/usr/lib/modules/$release" \
  "$work/linux-modules-$release/usr/lib/modules/$release/kernel"
echo image > "$work/linux-binary-$release/usr/lib/modules/$release/vmlinuz"
: > "$work/linux-modules-$release/usr/lib/modules/$release/modules.builtin"
package "linux-binary-$release"
package "linux-modules-$release"
is "Debian has one: it is fetched" "$(fetch)" 0
is "in place of the built one" "$(there)" $release
check "with its image" grep -q image "$HOLDFAST_CACHE/kernels/7.4/vmlinuz"
check "and not as a built one" test ! -e "$HOLDFAST_CACHE/kernels/7.4/built"
: > "$work/asked"
is "a second time there is nothing to do" "$(fetch)" 0
is "and nothing is asked" "$(cat "$work/asked")" ""

rm -rf "$HOLDFAST_CACHE/kernels/7.4"
tools/kernel-7.4 > "$work/out" 2>&1
is "tools/kernel-7.4 fetches it, too, instead of building" "$? $(there)" "0 $release"
tap_end
