#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# libholdfast-hooks as others find it when it is installed: the example is built by its own Makefile against a copy
# elsewhere, shared and static, in C and in C++. Whether it enforces, a guest shows (vm/hooks_example).
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

check "it installs" cmake --install "$HOLDFAST_BUILD" --prefix "$folder/prefix"
pc=$(find "$folder/prefix" -name holdfast-hooks.pc)
check "its pkg-config file is there" test -s "$pc"
library=$(dirname "$pc")/..
for file in libholdfast-hooks.a libholdfast-hooks.so libholdfast-hooks.so.0; do
  check "$file is there" test -s "$library/$file"
done
exported=$(nm -D --defined-only "$library/libholdfast-hooks.so" | awk '{ print $3 }' | grep -v '^holdfast_hooks_' | sort | tr '\n' ' ')
is "it exports nothing else but what stands before libbpf's" "$exported" \
  "bpf_link__pin bpf_link__unpin bpf_object__load bpf_object__load_skeleton bpf_object__open bpf_object__open_file \
bpf_object__open_mem bpf_object__open_skeleton bpf_program__attach_lsm "

newest=$(objdump -T "$library/libholdfast-hooks.so" | grep -oE 'LIBBPF_[0-9.]+' | sort -uV | tail -1)
is "it needs nothing that came after libbpf 1.0" "$newest" LIBBPF_1.0.0

sed -i "s|^prefix=.*|prefix=$folder/prefix|" "$pc" # wherever it was to be installed
export PKG_CONFIG_PATH=${pc%/*}
cp -r examples/hooks "$folder/stay"
check "the example's Makefile builds it" make -s -C "$folder/stay"
stay() {
  "$1" / 1 2>&1
  echo "status $?"
}
is "linked with the copy" "$(ldd "$folder/stay/stay" 2>&1 | grep -c 'libholdfast-hooks.so.0')" 1
# Without privilege to load, it comes as far as that; what matters here is why it ends.
ended=$(LD_LIBRARY_PATH=$library stay "$folder/stay/stay")
like "it gets to loading" "$ended" "*status 1"
case $ended in
*"found first"*) fail "the library is found before libbpf" "$ended" ;;
*) pass "the library is found before libbpf" ;;
esac

# shellcheck disable=SC2046
check "libbpf first: it links" cc -o "$folder/late" -I"$folder/stay" "$folder/stay/stay.c" \
  $(pkg-config --cflags holdfast-hooks) -lbpf $(pkg-config --libs holdfast-hooks)
like "and is refused when it runs" "$(LD_LIBRARY_PATH=$library stay "$folder/late")" \
  "*libbpf is found first*status 1"

# shellcheck disable=SC2046
check "static: it links" cc -static -o "$folder/static" -I"$folder/stay" "$folder/stay/stay.c" \
  $(pkg-config --static --cflags --libs holdfast-hooks)
ended=$(stay "$folder/static")
like "and gets to loading" "$ended" "*status 1"
case $ended in
*"found first"*) fail "with its own functions before libbpf's" "$ended" ;;
*) pass "with its own functions before libbpf's" ;;
esac
# shellcheck disable=SC2046
check "static without pkg-config's options: it links" cc -static -o "$folder/bare" -I"$folder/stay" "$folder/stay/stay.c" \
  $(pkg-config --static --cflags --libs holdfast-hooks | tr ' ' '\n' | grep -v wrap)
like "and is refused when it runs" "$(stay "$folder/bare")" "*libbpf is found first*status 1"

printf '#include <holdfast/hooks.hpp>\n#include <bpf/libbpf.h>\n#include "stay.skel.h"\nint main() {
  auto stay = holdfast::HookedSkeleton<stay_bpf>::load();\n  return stay ? 0 : 3;\n}\n' > "$folder/stay.cc"
# shellcheck disable=SC2046
check "C++17: it links" c++ -std=c++17 -Wall -Wextra -Werror -o "$folder/cpp" -isystem "$folder/stay" "$folder/stay.cc" \
  $(pkg-config --cflags --libs holdfast-hooks) -lbpf
tap_end
