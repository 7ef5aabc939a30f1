#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The attacks against the supervisor backend, as root.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "$(id -u)" -ne 0 ]; then
  echo "1..0 # SKIP root: not root"
  exit 0
fi
exec "$HOLDFAST_BUILD/tests/bin/conform" --holdfast "$HOLDFAST_BUILD/holdfast" --backend supervisor \
  tests/escape/attacks.txt
