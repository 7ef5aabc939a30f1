# SPDX-License-Identifier: Apache-2.0
# Asks `holdfast` itself, so that it is always up to date.
_holdfast() {
  local word=${COMP_WORDS[COMP_CWORD]} line rest=() start=0 i
  COMPREPLY=()
  # readline splits words at '='.
  if [ "$word" = = ]; then word=; fi
  local words=("${COMP_WORDS[@]:1:COMP_CWORD-1}" "$word")
  if [ "$COMP_CWORD" -ge 2 ] && [ "${COMP_WORDS[COMP_CWORD - 1]}" = = ]; then
    words=("${COMP_WORDS[@]:1:COMP_CWORD-3}" "${COMP_WORDS[COMP_CWORD - 2]}" "$word")
  fi
  while IFS= read -r line; do
    case $line in
      :files) rest+=(-f) ;;
      :directories) rest+=(-d) ;;
      :commands)
        for ((i = 1; i < COMP_CWORD; i++)); do
          if [ "${COMP_WORDS[i]}" = -- ]; then start=$((i + 1)); fi
        done
        if [ "$start" -eq 0 ] || [ "$start" -eq "$COMP_CWORD" ]; then
          rest+=(-c)
        elif declare -F _command_offset > /dev/null; then
          _command_offset "$start"
          return
        else
          rest+=(-f)
        fi
        ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2> /dev/null)
  if [ "${#rest[@]}" -gt 0 ]; then
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "${rest[@]}" -- "$word")
  fi
  # After the comma of a list another word follows.
  if [ "${#COMPREPLY[@]}" -gt 0 ] && [[ ${COMPREPLY[0]} == *,* ]]; then compopt -o nospace 2> /dev/null; fi
}
complete -o filenames -F _holdfast holdfast
