#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The namespace rules under the supervisor backend, as an ordinary user in a user namespace of its own.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/nobody.sh
"${as_nobody[@]}" "$bin/conform" --holdfast "$holdfast" --backend supervisor --userns \
  tests/conformance/namespaces.txt
