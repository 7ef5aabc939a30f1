# SPDX-License-Identifier: Apache-2.0
# Asks `holdfast` itself, so that it is always up to date.
function __holdfast_complete
    set -l words (commandline -opc)[2..-1]
    for line in (holdfast __complete $words "$(commandline -ct)" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :directories
                __fish_complete_directories (commandline -ct)
            case :commands
                set -l after (contains -i -- -- $words)
                if test -n "$after"
                    complete -C (string join ' ' -- (string escape -- $words[(math $after + 1)..-1]) (commandline -ct))
                else
                    complete -C (commandline -ct)
                end
            case '*'
                echo $line
        end
    end
end
complete -c holdfast -f -a '(__holdfast_complete)'
