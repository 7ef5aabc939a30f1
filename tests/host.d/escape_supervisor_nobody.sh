#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The attacks against the supervisor backend, by an ordinary user who is root of a user namespace.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/nobody.sh
"${as_nobody[@]}" "$bin/conform" --holdfast "$holdfast" --backend supervisor --userns tests/escape/attacks.txt
