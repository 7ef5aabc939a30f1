# SPDX-License-Identifier: Apache-2.0
# Asks `holdfast` itself, so that it is always up to date.
function __holdfast_commands
    holdfast --help 2>/dev/null | string match -rg '^  ([a-z-]+) '
end
function __holdfast_options
    holdfast (commandline -opc)[2] --help 2>/dev/null | string match -rag '(--[a-z-]+)'
end
complete -c holdfast -n __fish_use_subcommand -f -a '(__holdfast_commands)'
complete -c holdfast -n 'not __fish_use_subcommand' -a '(__holdfast_options)'
