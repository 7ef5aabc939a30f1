#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The cost of a decision and of compiling a policy; nothing here needs a privilege or another kernel.
exec "$HOLDFAST_BUILD/bench/decide_bench"
