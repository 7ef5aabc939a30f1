#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The death of the supervisor, as root and as an ordinary user.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/nobody.sh
"${as_nobody[@]}" sh tests/escape/orphaned.sh "$holdfast" supervisor "$bin" 5 --userns
