// SPDX-License-Identifier: Apache-2.0
// A report as one HTML file. It has no script, loads nothing, and forbids both by a content security
// policy. Every text from events and policies is escaped.
#ifndef HOLDFAST_REPORT_HTML_H
#define HOLDFAST_REPORT_HTML_H

#include <string>
#include <string_view>
#include <vector>

#include "policy/compiled.h"
#include "policy/model.h"
#include "report/collect.h"

namespace holdfast::report {

// How strongly rules are enforced on this machine: a row for each kind of rule.
struct StrengthTable {
  struct Cell {
    std::string strength;  // "enforced", "best-effort", "none"; "": the policy has no such rule
    std::string why;       // may be empty
  };
  struct Row {
    std::string kind;
    std::vector<Cell> cells;
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;
};

struct Input {
  std::string title;               // the name of the event file
  const Collected& events;         // borrowed, as is the rest
  const policy::Model* model;      // null: the policy is not known
  const policy::Compiled* policy;  // of the same text; null with `model`
  std::string policy_from;         // "the run's, as it was"; or why it is not known
  StrengthTable strengths;         // no rows: not shown
};

// The text as HTML: control characters and invalid UTF-8 become \xNN, and characters of markup become
// character references. It may stand in an element or in an attribute in double quotes.
[[nodiscard]] std::string html_text(std::string_view text);

[[nodiscard]] std::string html_report(const Input& input);

// The graph of profiles, movers and sandboxes, as an SVG element.
[[nodiscard]] std::string graph_svg(const Input& input);

}  // namespace holdfast::report

#endif  // HOLDFAST_REPORT_HTML_H
