# SPDX-License-Identifier: Apache-2.0
# Asks `holdfastd` itself, so that it never lags behind.
complete -c holdfastd -a "(holdfastd --help 2>/dev/null | string match -rag '(--[a-z-]+)')"
