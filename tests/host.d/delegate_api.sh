#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# holdfast/delegate.h as it is installed: the example builds with what pkg-config says, and nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

DESTDIR=$folder cmake --install "$HOLDFAST_BUILD" >/dev/null || echo "Bail out! it does not install"
pc=$(find "$folder" -name holdfast-delegate.pc)
flags() { PKG_CONFIG_PATH=$(dirname "$pc") pkg-config "$@" holdfast-delegate; }
# shellcheck disable=SC2046  # words
check "the example builds as C++17 with what is installed" c++ -std=c++17 -Wall -Wextra -Werror -o "$folder/handout" \
  examples/delegate/handout.cc $(flags --cflags) -static $(flags --static --libs)
said=$("$folder/handout" 1 delegate_cmds=prog_laod 2>&1)
is "an unknown word" $? 2
like "is named" "$said" "*unknown BPF command prog_laod*"
"$folder/handout" 1 >/dev/null 2>&1
is "too few arguments" $? 2
said=$("$folder/handout" 1 delegate_cmds=prog_load,delegate_progs=cgroup_skb,delegate_attachs=cgroup_inet_egress 2>&1)
status=$?
like "it explains" "$said" "*may: load cgroup_skb programs*reaches beyond its holder: cgroup_skb*root cgroup included*"
check "and mounts nothing for the initial user namespace" test $status -eq 1 -o $status -eq 77
tap_end
