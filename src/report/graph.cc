// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/abi.h"
#include "policy/enum_names.h"
#include "policy/stated.h"
#include "report/html.h"

namespace holdfast::report {
namespace {

constexpr double kWidth = 1120;
constexpr double kBoxHeight = 52;
constexpr double kRow = 70;
constexpr double kTop = 34;
// The left edges and the widths of the three columns.
constexpr double kMovers = 8, kMoverWidth = 220;
constexpr double kProfiles = 420, kProfileWidth = 300;
constexpr double kSandboxes = 880, kSandboxWidth = 232;
constexpr std::size_t kMaxBoxes = 60;  // in one column
constexpr std::size_t kMaxCharacters = 34;
constexpr char kNoProfile[] = "tasks without a profile";

std::size_t index_of(Outcome outcome) { return static_cast<std::size_t>(outcome); }

// At most kMaxCharacters bytes, and no cut in a character.
std::string shortened(const std::string& text) {
  if (text.size() <= kMaxCharacters) return text;
  std::size_t end = kMaxCharacters - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) end--;
  return text.substr(0, end) + "\u2026";
}

class Graph {
 public:
  explicit Graph(const Input& in) : in_(in) {
    for (const policy::Profile& profile : in.model->profiles) place(profile);
    for (const policy::Profile& profile : in.model->profiles) movers(profile);
    for (const auto& [relation, counts] : in.events.relations) relate(relation, counts);
  }

  std::string svg() {
    const std::size_t rows =
        std::max({mover_rows_.size(), profile_rows_.size(), sandbox_rows_.size()});
    std::string out = fmt::format(
        "<svg id=\"graph\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"profiles, movers and "
        "sandboxes\">\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
        "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"arrow\" "
        "d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
        kWidth, kTop + static_cast<double>(rows) * kRow);
    const std::pair<double, const char*> kTitles[] = {
        {kMovers, "movers"}, {kProfiles, "profiles"}, {kSandboxes, "sandboxes"}};
    for (const auto& [x, title] : kTitles)
      out += fmt::format("<text class=\"soft\" x=\"{}\" y=\"18\">{}</text>\n", x, title);
    out += edges_ + boxes_ + "</svg>\n";
    if (left_out_ != 0) out += fmt::format("<p>{} more are not drawn.</p>\n", left_out_);
    return out;
  }

 private:
  using Rows = std::map<std::string, double>;  // the middle of each box

  // The middle of the box of that name, which may be new. Empty: there is no room.
  std::optional<double> row(Rows& rows, const std::string& name, bool& is_new) {
    const auto at = rows.find(name);
    is_new = at == rows.end();
    if (!is_new) return at->second;
    if (rows.size() == kMaxBoxes) {
      left_out_++;
      return std::nullopt;
    }
    return rows[name] = kTop + static_cast<double>(rows.size()) * kRow + kBoxHeight / 2;
  }

  void box(double x, double width, double middle, const std::string& name, const std::string& below,
           const std::string& title) {
    boxes_ += fmt::format(
        "<g><title>{}</title><rect class=\"box\" x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" "
        "rx=\"7\"/><text class=\"name\" x=\"{}\" y=\"{:.1f}\">{}</text><text class=\"soft\" "
        "x=\"{}\" y=\"{:.1f}\">{}</text></g>\n",
        html_text(title), x, middle - kBoxHeight / 2, width, kBoxHeight, x + 12, middle - 5,
        html_text(shortened(name)), x + 12, middle + 14, html_text(shortened(below)));
  }

  void edge(double x1, double y1, double x2, double y2, std::string_view of,
            const std::string& title) {
    const double bend = (x1 + x2) / 2;
    edges_ += fmt::format(
        "<path class=\"edge {}\" marker-end=\"url(#tip)\" d=\"M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} "
        "{:.1f} {:.1f} {:.1f}\"><title>{}</title></path>\n",
        of, x1, y1, bend, y1, bend, y2, x2, y2, html_text(title));
  }

  void place(const policy::Profile& profile) {
    bool is_new = false;
    const auto middle = row(profile_rows_, profile.name, is_new);
    if (!middle) return;
    const auto number = in_.policy->find_profile(profile.name).value_or(0);
    const auto rules = policy::stated_rules(*in_.policy, number);
    std::string title = profile.name;
    for (const policy::StatedRule& rule : rules)
      if (rule.kind != "trace") title += fmt::format("; {} = {}", rule.key, rule.text);
    const auto cgroups = policy::bound_cgroups(profile);
    box(kProfiles, kProfileWidth, *middle, profile.name,
        fmt::format("{}{}",
                    policy::name_of(policy::kModeNames, in_.policy->tables->profiles[number].mode),
                    cgroups.empty() ? ", runs" : ", " + cgroups[0]->value),
        title);
    if (profile.ns_track && profile.ns_track->value) sandbox(profile, *middle);
  }

  void sandbox(const policy::Profile& profile, double of) {
    bool is_new = false;
    const auto middle = row(sandbox_rows_, profile.name, is_new);
    if (!middle) return;
    const auto seen = in_.events.sandboxes.find(profile.name);
    const std::size_t count = seen == in_.events.sandboxes.end() ? 0 : seen->second.size();
    const std::string visitors =
        profile.ns_visitors
            ? std::string(policy::name_of(policy::kVisitorsNames, profile.ns_visitors->value))
            : "allow";
    box(kSandboxes, kSandboxWidth, *middle, "of " + profile.name,
        fmt::format("visitors: {}, {}{} seen", visitors, count,
                    count == kMaxSandboxes ? " or more" : ""),
        "the namespaces that members of " + profile.name + " make");
    edge(kProfiles + kProfileWidth, of, kSandboxes, *middle, "", profile.name + " makes them");
  }

  void mover(const std::string& name, double to, double shift, const std::string& what) {
    bool is_new = false;
    const auto middle = row(mover_rows_, name, is_new);
    if (!middle) return;
    if (is_new) box(kMovers, kMoverWidth, *middle, name, "", name);
    edge(kMovers + kMoverWidth, *middle + shift, kProfiles, to + shift, "",
         fmt::format("{} may {}", name, what));
  }

  void movers(const policy::Profile& profile) {
    const auto at = profile_rows_.find(profile.name);
    if (at == profile_rows_.end()) return;
    const auto all = [&](const std::vector<policy::ProfileName>& names, double shift,
                         const std::string& what) {
      for (const policy::ProfileName& name : names) mover(name.name, at->second, shift, what);
    };
    if (profile.cg_leave && !profile.cg_leave->value.any)
      all(profile.cg_leave->value.names, -12, "take tasks out of " + profile.name);
    if (profile.cg_join && !profile.cg_join->value.any)
      all(profile.cg_join->value.names, 0, "bring tasks into " + profile.name);
    if (profile.cg_inside && profile.cg_inside->value.kind != HF_INSIDE_ANY)
      all(profile.cg_inside->value.names, 12, "move tasks within " + profile.name);
  }

  // What was refused or locked between two of them.
  void relate(const Relation& relation, const Counts& counts) {
    const std::uint64_t denied =
        counts[index_of(Outcome::denied)] + counts[index_of(Outcome::reported)];
    const std::uint64_t locked = counts[index_of(Outcome::locked)];
    if (denied + locked == 0) return;
    const std::string from = relation.from.empty() ? kNoProfile : relation.from;
    const Rows& targets = relation.is_move ? profile_rows_ : sandbox_rows_;
    const auto to = targets.find(relation.to);
    if (to == targets.end()) return;
    const std::string title =
        fmt::format("{} -> {}: {} refused, {} locked in", from, relation.to, denied, locked);
    const std::string_view of = denied != 0 ? "denied dashed" : "locked dashed";
    const auto own = profile_rows_.find(relation.from);
    if (!relation.is_move && own != profile_rows_.end()) {
      edge(kProfiles + kProfileWidth, own->second + 10, kSandboxes, to->second + 10, of, title);
      return;
    }
    bool is_new = false;
    const auto middle = row(mover_rows_, from, is_new);
    if (!middle) return;
    if (is_new) box(kMovers, kMoverWidth, *middle, from, "", from);
    edge(kMovers + kMoverWidth, *middle + 18, relation.is_move ? kProfiles : kSandboxes,
         to->second + 18, of, title);
  }

  const Input& in_;
  Rows mover_rows_;
  Rows profile_rows_;
  Rows sandbox_rows_;
  std::size_t left_out_ = 0;
  std::string boxes_;
  std::string edges_;
};

}  // namespace

std::string graph_svg(const Input& input) { return Graph(input).svg(); }

}  // namespace holdfast::report
