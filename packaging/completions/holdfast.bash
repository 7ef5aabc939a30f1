# SPDX-License-Identifier: Apache-2.0
# Asks `holdfast` itself, so that it is always up to date.
_holdfast() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} help
  case $previous in
    --policy | -p | --events) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --format) mapfile -t COMPREPLY < <(compgen -W "pretty json" -- "$word") && return ;;
    --backend) mapfile -t COMPREPLY < <(compgen -W "auto lsm supervisor" -- "$word") && return ;;
    --mode) mapfile -t COMPREPLY < <(compgen -W "enforce audit" -- "$word") && return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    help=$(holdfast --help 2> /dev/null | sed -n '/^Subcommands:/,$s/^  \([a-z-]*\) .*/\1/p')
  else
    help=$(holdfast "${COMP_WORDS[1]}" --help 2> /dev/null | grep -o -- '--[a-z-]*')
  fi
  mapfile -t COMPREPLY < <(compgen -W "$help" -- "$word")
  [ "$COMP_CWORD" -gt 1 ] && mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _holdfast holdfast
