// SPDX-License-Identifier: Apache-2.0
#include "report/html.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "base/printable.h"
#include "core/abi.h"
#include "policy/enum_names.h"
#include "policy/stated.h"

namespace holdfast::report {
namespace {

constexpr std::array<std::string_view, kOutcomeCount> kOutcomeNames = {
    "denied", "would deny", "limited", "locked", "allowed"};
constexpr std::array<std::string_view, kOutcomeCount> kOutcomeClasses = {
    "denied", "reported", "limited", "locked", "allowed"};
constexpr std::size_t kMaxRows = 500;

constexpr std::string_view kStyle = R"(
:root{--ink:#1c2126;--soft:#5f6b76;--line:#d9dee3;--ground:#fff;--raised:#f6f8fa;
--denied:#c22f2f;--reported:#d98613;--limited:#8250c4;--locked:#2b6cb0;--allowed:#4f9a5b}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa6b2;--line:#333c45;--ground:#14181c;
--raised:#1d2329;--denied:#ef6a6a;--reported:#eba94a;--limited:#b794ef;--locked:#6aa9e6;--allowed:#79c285}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:2rem 1.5rem 4rem;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.6rem 0 .6rem}
p{margin:.4rem 0;color:var(--soft)}
code,td.code{font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}
.tiles{display:flex;flex-wrap:wrap;gap:.8rem;margin:1.4rem 0}
.tile{flex:1 1 8rem;padding:.8rem 1rem;border:1px solid var(--line);border-radius:8px;background:var(--raised)}
.tile b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft)}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600;color:var(--soft);font-size:13px}
th,td{padding:.45rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td.kind{white-space:nowrap}td.code{min-width:15rem}td.code.kind{min-width:0}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{overflow-x:auto}
svg{width:100%;height:auto;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg text.soft{fill:var(--soft)}
svg text.name{font-weight:600}
.denied{color:var(--denied);fill:var(--denied)}.reported{color:var(--reported);fill:var(--reported)}
.limited{color:var(--limited);fill:var(--limited)}.locked{color:var(--locked);fill:var(--locked)}
.allowed{color:var(--allowed);fill:var(--allowed)}
.box{fill:var(--raised);stroke:var(--line)}.grid{stroke:var(--line)}
.edge{fill:none;stroke:var(--soft);stroke-width:1.3}.edge.denied{stroke:var(--denied)}
.edge.locked{stroke:var(--locked)}.edge.dashed{stroke-dasharray:5 4}
.arrow{fill:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:1.2rem;margin:.3rem 0;color:var(--soft);font-size:13px}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em;background:currentColor}
.none{color:var(--denied)}.best-effort{color:var(--reported)}.enforced{color:var(--allowed)}
.open{color:var(--soft)}
)";

std::string number_text(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, "\u202f");
  return text;
}

std::string duration_text(std::uint64_t ns) {
  const std::uint64_t seconds = ns / 1'000'000'000;
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / 86400, seconds / 3600 % 24);
}

std::uint64_t sum(const Counts& counts) {
  std::uint64_t all = 0;
  for (const std::uint64_t one : counts) all += one;
  return all;
}

std::string counts_text(const Counts& counts) {
  std::string text;
  for (std::size_t i = 0; i < kOutcomeCount; i++)
    if (counts[i] != 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number_text(counts[i]),
                          kOutcomeNames[i]);
  return text;
}

void tile(std::string& out, std::uint64_t number, std::string_view what, std::string_view of) {
  out += fmt::format("<div class=\"tile\"><b class=\"{}\">{}</b><span>{}</span></div>\n", of,
                     number_text(number), what);
}

void head(std::string& out, const Input& in) {
  const std::string title = html_text(in.title);
  out += fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta name=\"generator\" content=\"holdfast {}\">\n"
      "<title>holdfast: {}</title>\n<style>{}</style></head>\n<body>\n<h1>{}</h1>\n",
      HOLDFAST_VERSION, title, kStyle, title);
  const Collected& c = in.events;
  if (c.events == 0) {
    out += "<p>There are no events in this file.</p>\n";
    return;
  }
  if (c.decisions != 0)
    out += fmt::format("<p>{} events about {} decisions in {}</p>\n", number_text(c.events),
                       number_text(c.decisions), duration_text(c.last_ns - c.first_ns));
  out += "<div class=\"tiles\">\n";
  for (std::size_t i = 0; i < kOutcomeCount; i++)
    tile(out, c.totals[i], kOutcomeNames[i], kOutcomeClasses[i]);
  std::uint64_t attacks = 0;
  for (const auto& [what, count] : c.guard) attacks += count;
  if (attacks != 0) tile(out, attacks, "attempts on the enforcement", "denied");
  out += "</div>\n";
}

void legend(std::string& out, const Counts& totals) {
  out += "<div class=\"legend\">";
  for (std::size_t i = 0; i < kOutcomeCount; i++)
    if (totals[i] != 0)
      out +=
          fmt::format("<span><i class=\"{}\"></i>{}</span>", kOutcomeClasses[i], kOutcomeNames[i]);
  out += "</div>\n";
}

void timeline(std::string& out, const Collected& c) {
  constexpr double kWidth = 1120, kHeight = 180, kBottom = 24, kLeft = 44;
  const auto& bars = c.timeline.bars();
  if (bars.empty()) return;
  const std::uint64_t first = bars.begin()->first;
  const std::uint64_t last = bars.rbegin()->first;
  std::uint64_t most = 1;
  for (const auto& [at, counts] : bars) most = std::max(most, sum(counts));
  const double slot =
      (kWidth - kLeft) / static_cast<double>(std::max<std::uint64_t>(last - first + 1, 12));
  const double high = kHeight - kBottom - 8;
  out += fmt::format("<h2>Over time</h2>\n<p>Decisions in each {}, from the first event on</p>\n",
                     duration_text(c.timeline.width_ns()));
  legend(out, c.totals);
  out += fmt::format(
      "<svg id=\"timeline\" viewBox=\"0 0 {} {}\" role=\"img\" "
      "aria-label=\"decisions over time\">\n",
      kWidth, kHeight);
  for (const double part : {0.0, 0.5, 1.0}) {
    const double y = 8 + high * (1 - part);
    out += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\"/>"
        "<text class=\"soft\" x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        kLeft, y, kWidth, kLeft - 6, y + 4,
        number_text(static_cast<std::uint64_t>(static_cast<double>(most) * part)));
  }
  for (const auto& [at, counts] : bars) {
    double y = 8 + high;
    const double x = kLeft + static_cast<double>(at - first) * slot;
    out += fmt::format("<g><title>{} after the first event: {}</title>\n",
                       duration_text((at - first) * c.timeline.width_ns()), counts_text(counts));
    for (std::size_t i = 0; i < kOutcomeCount; i++) {
      if (counts[i] == 0) continue;
      const double part = high * static_cast<double>(counts[i]) / static_cast<double>(most);
      y -= part;
      out += fmt::format(
          "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
          "height=\"{:.1f}\"/>",
          kOutcomeClasses[i], x + slot * 0.08, y, slot * 0.84, std::max(part, 1.0));
    }
    out += "</g>\n";
  }
  const std::uint64_t slots = std::max<std::uint64_t>(last - first + 1, 12);
  for (int i = 0; i <= 4; i++)
    out += fmt::format("<text class=\"soft\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n",
                       kLeft + (kWidth - kLeft) * i / 4, kHeight - 4,
                       i == 0   ? "start"
                       : i == 4 ? "end"
                                : "middle",
                       duration_text(slots * c.timeline.width_ns() * static_cast<unsigned>(i) / 4));
  out += "</svg>\n";
}

std::string or_dash(const std::string& text) { return text.empty() ? "\u2014" : html_text(text); }

void refusals(std::string& out, const Collected& c) {
  out += "<h2>Who was refused what, by which line</h2>\n";
  if (c.refusals.empty()) {
    out += "<p>Nothing was refused.</p>\n";
    return;
  }
  out +=
      "<div class=\"wide\"><table id=\"refusals\"><thead><tr><th class=\"n\">denied</th>"
      "<th class=\"n\">would deny</th><th>task</th><th>operation</th><th>profile</th>"
      "<th>line</th><th>events</th></tr></thead><tbody>\n";
  std::uint64_t more = c.other_refusals;
  for (std::size_t i = 0; i < c.refusals.size(); i++) {
    const Refusal& one = c.refusals[i];
    if (i >= kMaxRows) {
      more += one.denied + one.reported;
      continue;
    }
    const std::string of = one.object.empty() ? "" : " of " + html_text(one.object);
    out += fmt::format(
        "<tr><td class=\"n denied\">{}</td><td class=\"n reported\">{}</td><td>{}</td>"
        "<td>{}{}<br><span class=\"open\">{}</span></td><td>{}</td>"
        "<td class=\"code\">{}<br>{}</td><td>{}</td></tr>\n",
        one.denied == 0 ? "" : number_text(one.denied),
        one.reported == 0 ? "" : number_text(one.reported), or_dash(one.who),
        html_text(one.operation), of, html_text(one.reason), or_dash(one.profile),
        or_dash(one.place), html_text(one.rule), html_text(policy::event_list(one.ids)));
  }
  out += "</tbody></table></div>\n";
  if (more != 0)
    out += fmt::format("<p>{} more refusals are of kinds that are not listed.</p>\n",
                       number_text(more));
}

void guard(std::string& out, const Collected& c) {
  if (c.guard.empty()) return;
  out += "<h2>Attempts on the enforcement itself</h2>\n<table><tbody>\n";
  for (const auto& [what, count] : c.guard)
    out += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td></tr>\n", html_text(what),
                       number_text(count));
  out += "</tbody></table>\n";
}

void graph(std::string& out, const Input& in) {
  out += "<h2>Profiles, movers and sandboxes</h2>\n";
  out += fmt::format("<p>The policy: {}</p>\n", html_text(in.policy_from));
  if (in.model == nullptr || in.model->profiles.empty()) return;
  out +=
      "<p>An arrow from a mover says whose tasks it may take out, bring in or move within. A red "
      "arrow is what was refused between them, a blue one what was locked in.</p>\n";
  out += graph_svg(in);
}

void strengths(std::string& out, const StrengthTable& table) {
  if (table.rows.empty()) return;
  out +=
      "<h2>How strongly the rules are enforced</h2>\n<p>On the machine and by the user that made "
      "this report</p>\n<table id=\"strengths\"><thead><tr><th></th>";
  for (const std::string& column : table.columns)
    out += fmt::format("<th>{}</th>", html_text(column));
  out += "</tr></thead><tbody>\n";
  for (const StrengthTable::Row& row : table.rows) {
    out += fmt::format("<tr><td class=\"code kind\">{}</td>", html_text(row.kind));
    for (const StrengthTable::Cell& cell : row.cells)
      out += fmt::format("<td><span class=\"{0}\">{0}</span>{1}</td>", html_text(cell.strength),
                         cell.why.empty() ? ""
                                          : fmt::format("<br><span class=\"open\">{}</span>",
                                                        html_text(cell.why)));
    out += "</tr>\n";
  }
  out += "</tbody></table>\n";
}

// What a profile can restrict, by the kinds of policy/stated.h.
struct Subject {
  std::string_view title;
  std::string_view kind;  // the start of the names of the kinds
};
constexpr Subject kSubjects[] = {{"make namespaces", "namespaces.create"},
                                 {"enter namespaces", "namespaces.enter"},
                                 {"visitors", "namespaces.visitors"},
                                 {"be moved out", "cgroups.leave"},
                                 {"be joined", "cgroups.join"},
                                 {"moves within", "cgroups.inside"},
                                 {"sockets", "socket"},
                                 {"BPF", "bpf.delegate"}};

void coverage(std::string& out, const Input& in) {
  if (in.policy == nullptr || in.policy->profiles.size() < 2) return;
  out +=
      "<p>What each profile leaves open:</p>\n<div class=\"wide\"><table id=\"coverage\"><thead>"
      "<tr><th>profile</th><th>mode</th>";
  for (const Subject& subject : kSubjects) out += fmt::format("<th>{}</th>", subject.title);
  out += "</tr></thead><tbody>\n";
  for (std::uint16_t i = 1; i < in.policy->profiles.size() && i <= kMaxRows; i++) {
    const auto rules = policy::stated_rules(*in.policy, i);
    out += fmt::format("<tr><td>{}</td><td>{}</td>", html_text(in.policy->profiles[i]),
                       policy::name_of(policy::kModeNames, in.policy->tables->profiles[i].mode));
    for (const Subject& subject : kSubjects) {
      const auto rule = std::ranges::find_if(
          rules, [&](const policy::StatedRule& one) { return one.kind.starts_with(subject.kind); });
      out += rule == rules.end()
                 ? "<td class=\"open\">open</td>"
                 : fmt::format("<td class=\"code\">{}</td>",
                               subject.kind == "socket" ? "rules" : html_text(rule->text));
    }
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
}

void without_profile(std::string& out, const Input& in) {
  const Collected& c = in.events;
  out += "<h2>What no profile holds</h2>\n";
  coverage(out, in);
  if (c.unprofiled.empty()) {
    out += "<p>Every recorded task has a profile.</p>\n";
    return;
  }
  out +=
      "<p>Tasks without a profile, whose requests were decided for the sake of others:</p>\n"
      "<table id=\"unprofiled\"><thead><tr><th>task</th><th>operation</th><th>decisions</th></tr>"
      "</thead><tbody>\n";
  std::uint64_t more = c.other_unprofiled;
  for (std::size_t i = 0; i < c.unprofiled.size(); i++) {
    const Unprofiled& one = c.unprofiled[i];
    if (i < kMaxRows)
      out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", or_dash(one.who),
                         html_text(one.operation), counts_text(one.counts));
    else
      more += sum(one.counts);
  }
  out += "</tbody></table>\n";
  if (more != 0)
    out += fmt::format("<p>{} more decisions are of kinds that are not listed.</p>\n",
                       number_text(more));
}

// U+202A to U+202E and U+2066 to U+2069 in UTF-8: they change the direction of what follows.
std::size_t direction_sequence(std::string_view text) {
  const bool embeds =
      text.starts_with("\xe2\x80") && text.size() > 2 && text[2] >= '\xaa' && text[2] <= '\xae';
  const bool isolates =
      text.starts_with("\xe2\x81") && text.size() > 2 && text[2] >= '\xa6' && text[2] <= '\xa9';
  return embeds || isolates ? 3 : 0;
}

}  // namespace

std::string html_text(std::string_view text) {
  const std::string printable = escape(text);
  std::string out;
  for (std::size_t i = 0; i < printable.size(); i++) {
    const char c = printable[i];
    const std::string_view rest = std::string_view(printable).substr(i);
    if (const std::size_t length = direction_sequence(rest); length != 0) {
      const unsigned high = (static_cast<unsigned char>(rest[1]) & 0x3fu) << 6;
      out +=
          fmt::format("\\u{:04x}", 0x2000u | high | (static_cast<unsigned char>(rest[2]) & 0x3fu));
      i += length - 1;
      continue;
    }
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

std::string html_report(const Input& in) {
  std::string out;
  head(out, in);
  timeline(out, in.events);
  refusals(out, in.events);
  guard(out, in.events);
  graph(out, in);
  strengths(out, in.strengths);
  without_profile(out, in);
  out +=
      fmt::format("<p>Made by holdfast {}. Times count from the first event.</p>\n</body></html>\n",
                  HOLDFAST_VERSION);
  return out;
}

}  // namespace holdfast::report
