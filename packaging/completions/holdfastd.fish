# SPDX-License-Identifier: Apache-2.0
# Asks `holdfastd` itself, so that it is always up to date.
complete -c holdfastd -a "(holdfastd --help 2>/dev/null | string match -rag '(--[a-z-]+)')"
