// SPDX-License-Identifier: Apache-2.0
#include "cli/top_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

namespace holdfast::cli {
namespace {

constexpr std::size_t kHistory = 20;
constexpr std::size_t kNumbers = 36;  // columns of the numbers after a name
constexpr std::string_view kHelp =
    "p profile  r rule  u unit  up/down  w why  a audit  e enforce  q quit";

std::string bars(const std::vector<std::uint64_t>& counts, bool has_unicode) {
  constexpr std::string_view kBlocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                                          "\u2585", "\u2586", "\u2587", "\u2588"};
  constexpr std::string_view kPlain[] = {" ", ".", ".", ":", ":", "|", "|", "#", "#"};
  const std::uint64_t most = std::max<std::uint64_t>(1, *std::ranges::max_element(counts));
  std::string text;
  for (const std::uint64_t count : counts) {
    const std::size_t height = count == 0 ? 0 : 1 + static_cast<std::size_t>(count * 7 / most);
    text += has_unicode ? kBlocks[height] : kPlain[height];
  }
  return text;
}

std::string_view title_of(TopBy by) {
  if (by == TopBy::profile) return "PROFILE";
  return by == TopBy::rule ? "RULE" : "UNIT";
}

std::string inverse(const std::string& line, bool has_colour, bool wanted) {
  if (!wanted) return line;
  return has_colour ? "\x1b[7m" + line + "\x1b[0m" : line;
}

}  // namespace

void Rate::add(std::uint64_t second, std::uint64_t decisions) {
  if (second + kSeconds <= last_) return;
  while (last_ < second) {
    last_ = std::max(last_ + 1, second >= kSeconds ? second - kSeconds + 1 : 0);
    counts_[last_ % kSeconds] = 0;
  }
  counts_[second % kSeconds] += decisions;
}

std::uint64_t Rate::at(std::uint64_t second) const {
  return second > last_ || second + kSeconds <= last_ ? 0 : counts_[second % kSeconds];
}

std::vector<std::uint64_t> Rate::history(std::uint64_t now, std::size_t seconds) const {
  std::vector<std::uint64_t> counts;
  for (std::size_t ago = seconds; ago >= 1; ago--) counts.push_back(now < ago ? 0 : at(now - ago));
  return counts;
}

double Rate::mean(std::uint64_t now, std::size_t seconds) const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : history(now, seconds)) sum += count;
  return static_cast<double>(sum) / static_cast<double>(seconds);
}

void TopModel::add_to(Rows& rows, const std::string& name, const TopEvent& event,
                      std::uint64_t second) {
  if (!rows.contains(name) && rows.size() == kMaxRows)
    rows.erase(std::ranges::min_element(
        rows, {}, [](const auto& entry) { return entry.second.last_second; }));
  TopRow& row = rows[name];
  row.name = name;
  row.profile = event.profile;
  row.rate.add(second, event.decisions);
  (event.enforced ? row.denied : row.reported) += event.decisions;
  row.last_second = second;
  row.last_line = event.line;
}

void TopModel::add(const TopEvent& event, std::uint64_t second) {
  total_ += event.decisions;
  all_.add(second, event.decisions);
  const auto named = [](const std::string& name) { return name.empty() ? "(none)" : name; };
  add_to(rows_[0], named(event.profile), event, second);
  add_to(rows_[1], named(event.rule), event, second);
  add_to(rows_[2], named(event.unit), event, second);
}

std::vector<const TopRow*> TopModel::rows(TopBy by, std::uint64_t second) const {
  std::vector<const TopRow*> sorted;
  for (const auto& [name, row] : rows_[static_cast<std::size_t>(by)]) sorted.push_back(&row);
  std::ranges::stable_sort(sorted, std::greater(), [second](const TopRow* row) {
    return std::tuple(row->rate.mean(second, 10), row->denied + row->reported);
  });
  return sorted;
}

std::string cut_to(std::string_view text, std::size_t columns, Pad pad) {
  std::size_t used = 0;
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size(); i++) {
    const bool continues = (static_cast<unsigned char>(text[i]) & 0xc0u) == 0x80u;
    if (!continues && used == columns) break;
    used += continues ? 0 : 1;
    end = i + 1;
  }
  std::string cut(text.substr(0, end));
  if (pad == Pad::yes) cut.append(columns - used, ' ');
  return cut;
}

std::string top_screen(const TopModel& model, TopView& view, std::uint64_t second) {
  const auto rows = model.rows(view.by, second);
  if (!rows.empty()) view.selected = std::min(view.selected, rows.size() - 1);
  const std::size_t history = view.columns > kNumbers + kHistory + 20 ? kHistory : 0;
  const std::size_t width =
      view.columns > kNumbers + history ? view.columns - kNumbers - history : 1;
  std::vector<std::string> lines;
  lines.push_back(cut_to(fmt::format("holdfast top   {:.1f} refusals a second, {} since the start",
                                     model.all().mean(second, 10), model.total()),
                         view.columns, Pad::no));
  lines.emplace_back();
  lines.push_back(inverse(
      cut_to(
          fmt::format("{} {:>8} {:>8} {:>8} {:>8} {}", cut_to(title_of(view.by), width, Pad::yes),
                      "1 s", "10 s", "denied", "audit", history == 0 ? "" : "last 20 s"),
          view.columns, Pad::yes),
      view.has_colour, true));
  const std::size_t room = view.rows > 6 ? view.rows - 6 : 0;
  const std::size_t first = view.selected < room || room == 0 ? 0 : view.selected - room + 1;
  for (std::size_t i = first; i < rows.size() && i < first + room; i++) {
    const TopRow& row = *rows[i];
    std::string line =
        fmt::format("{} {:>8.0f} {:>8.1f} {:>8} {:>8} ", cut_to(row.name, width, Pad::yes),
                    row.rate.mean(second, 1), row.rate.mean(second, 10), row.denied, row.reported);
    if (history != 0) line += bars(row.rate.history(second, kHistory), view.has_unicode);
    if (!view.has_colour && i == view.selected) line[line.size() - 1] = '<';
    lines.push_back(
        inverse(cut_to(line, view.columns, Pad::yes), view.has_colour, i == view.selected));
  }
  if (rows.empty() && room != 0)
    lines.push_back(cut_to("Nothing has been refused since the start.", view.columns, Pad::no));
  while (lines.size() + 2 < view.rows) lines.emplace_back();
  lines.push_back(cut_to(view.message, view.columns, Pad::no));
  lines.push_back(cut_to(kHelp, view.columns, Pad::no));
  lines.resize(std::min<std::size_t>(lines.size(), view.rows));
  std::string text;
  for (std::size_t i = 0; i < lines.size(); i++)
    text += "\x1b[K" + lines[i] + (i + 1 < lines.size() ? "\r\n" : "");
  return text;
}

std::string top_page(std::string_view text, const TopView& view) {
  std::string page;
  std::size_t row = 0;
  while (!text.empty() && row + 2 < view.rows) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    do {  // long lines are wrapped
      const std::string part = cut_to(line, view.columns, Pad::no);
      page += "\x1b[K" + part + "\r\n";
      line.remove_prefix(part.size());
      row++;
    } while (!line.empty() && row + 2 < view.rows);
  }
  for (; row + 1 < view.rows; row++) page += "\x1b[K\r\n";
  return page + "\x1b[K" + cut_to("any key goes back", view.columns, Pad::no);
}

}  // namespace holdfast::cli
