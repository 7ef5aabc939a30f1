# SPDX-License-Identifier: Apache-2.0
#
# Lines "SITUATION CALL NS" as a table of instructions (2 ns each): the call with no program, and what each other
# situation adds to it, beside the ratio. columns: the names of the situations, by comma.
{
  cost[$1, $2] = $3 / 2
  if (!seen[$2]++) order[++count] = $2
}
function added(situation, call,   base) {
  base = cost["none", call]
  return sprintf("%+8d %6.2f", cost[situation, call] - base, cost[situation, call] / base)
}
END {
  column_count = split(columns, column, ",")
  printf "%-10s %10s", "call", "no program"
  for (c = 1; c <= column_count; c++) printf "  %16s", column[c]
  print ""
  for (i = 1; i <= count; i++) {
    call = order[i]
    line = sprintf("%-10s %10d", call, cost["none", call])
    for (c = 1; c <= column_count; c++) {
      if (!((column[c], call) in cost)) { line = call ": not measured with " column[c]; bad = 1; break }
      line = line sprintf("  %16s", added(column[c], call))
    }
    print line
  }
  exit bad || count == 0
}
