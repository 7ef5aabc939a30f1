#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Who from outside is taken for a task of the run: nobody. As root.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "$(id -u)" -ne 0 ]; then
  echo "1..0 # SKIP root: not root"
  exit 0
fi
exec sh tests/escape/visitor.sh "$HOLDFAST_BUILD/holdfast" "$HOLDFAST_BUILD/tests/bin"
