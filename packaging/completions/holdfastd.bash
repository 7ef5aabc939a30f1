# SPDX-License-Identifier: Apache-2.0
# Asks `holdfastd` itself, so that it is always up to date.
_holdfastd() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  case $previous in
    --format) mapfile -t COMPREPLY < <(compgen -W "pretty json journal" -- "$word") && return ;;
    --policy-dir | --pin-dir | --state-dir | --socket | --install-policy | --apply-bundle | --trust)
      mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$(holdfastd --help 2> /dev/null | grep -o -- '--[a-z-]*')" -- "$word")
}
complete -o filenames -F _holdfastd holdfastd
