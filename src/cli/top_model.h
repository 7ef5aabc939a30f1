// SPDX-License-Identifier: Apache-2.0
// What `holdfast top` counts, and its screen as text. No I/O.
#ifndef HOLDFAST_CLI_TOP_MODEL_H
#define HOLDFAST_CLI_TOP_MODEL_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

// What the rows are about.
enum class TopBy { profile, rule, unit };

// A refusal. Texts are printable.
struct TopEvent {
  std::string profile;  // whose rule decided; "": none
  std::string rule;     // "web.toml:5:1 namespaces.enter = \"none\""; "": none
  std::string unit;     // of the acting task: "nginx.service"
  std::string line;     // the event as JSON
  bool enforced = true;
  std::uint64_t decisions = 1;
};

// Refusals in each of the last seconds.
class Rate {
 public:
  static constexpr std::size_t kSeconds = 30;

  void add(std::uint64_t second, std::uint64_t decisions);
  // The mean of the last `seconds` seconds that are over, at most kSeconds - 1.
  [[nodiscard]] double mean(std::uint64_t now, std::size_t seconds) const;
  // The counts of the last `seconds` seconds that are over, the oldest first.
  [[nodiscard]] std::vector<std::uint64_t> history(std::uint64_t now, std::size_t seconds) const;

 private:
  [[nodiscard]] std::uint64_t at(std::uint64_t second) const;

  std::array<std::uint64_t, kSeconds> counts_{};
  std::uint64_t last_ = 0;  // the newest second that has a count
};

struct TopRow {
  std::string name;
  std::string profile;
  Rate rate;
  std::uint64_t denied = 0;
  std::uint64_t reported = 0;  // in audit
  std::uint64_t last_second = 0;
  std::string last_line;  // the last event
};

class TopModel {
 public:
  static constexpr std::size_t kMaxRows = 500;  // of each sort; the one without news goes first

  void add(const TopEvent& event, std::uint64_t second);
  // The rows, those with the highest rate first.
  [[nodiscard]] std::vector<const TopRow*> rows(TopBy by, std::uint64_t second) const;
  [[nodiscard]] const Rate& all() const { return all_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  using Rows = std::map<std::string, TopRow>;
  static void add_to(Rows& rows, const std::string& name, const TopEvent& event,
                     std::uint64_t second);

  std::array<Rows, 3> rows_;
  Rate all_;
  std::uint64_t total_ = 0;
};

// What the screen shows besides the model.
struct TopView {
  TopBy by = TopBy::profile;
  std::size_t selected = 0;
  std::string message;      // the last line but one; may be empty
  bool has_unicode = true;  // bars of block characters
  bool has_colour = true;
  unsigned rows = 24;
  unsigned columns = 80;
};

// The whole screen, of exactly `rows` lines that have at most `columns` characters. `selected` is
// moved into the rows.
[[nodiscard]] std::string top_screen(const TopModel& model, TopView& view, std::uint64_t second);

// A page of text with a line of help, cut to the screen.
[[nodiscard]] std::string top_page(std::string_view text, const TopView& view);

// At most `columns` characters, with spaces up to exactly `columns` if it is padded. `text` is
// printable UTF-8.
enum class Pad { no, yes };
[[nodiscard]] std::string cut_to(std::string_view text, std::size_t columns, Pad pad);

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_TOP_MODEL_H
