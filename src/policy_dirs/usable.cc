// SPDX-License-Identifier: Apache-2.0
#include "policy_dirs/usable.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace holdfast::policy_dirs {
namespace {

using policy::Diagnostic;
using policy::Source;

std::string name_of_path(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The sources of one unit in a policy.
std::vector<Source> unit_in(const std::vector<Source>& sources, const std::string& name) {
  std::vector<Source> found;
  for (const Source& source : sources) {
    const bool starts = !source.drop_in && name_of_path(source.name) == name;
    const bool continues = source.drop_in && !found.empty();
    if (starts || continues)
      found.push_back(source);
    else if (!found.empty())
      break;
  }
  return found;
}

bool same_text(const std::vector<Source>& a, const std::vector<Source>& b) {
  return std::ranges::equal(a, b, [](const Source& x, const Source& y) {
    return x.name == y.name && x.text == y.text && x.drop_in == y.drop_in;
  });
}

// An empty profile for each name.
Source profiles_without_members(const std::set<std::string>& names) {
  std::string text =
      "version = 1\n# Other files name these profiles. The files that define them are "
      "left out.\n";
  for (const std::string& name : names) text += "[profile.\"" + name + "\"]\n";
  return {kMissingProfiles, std::move(text), false};
}

class Repair {
 public:
  Repair(const std::vector<PolicyUnit>& units, const std::vector<Source>& earlier,
         const Check& check)
      : earlier_(earlier), check_(check) {
    for (const PolicyUnit& unit : units) parts_.push_back({unit.name, unit.sources(), false});
  }

  Usable make(const std::vector<Diagnostic>& refused) {
    blame(refused);
    // Each round changes a part for the worse, or adds a missing profile.
    while (true) {
      const std::vector<Source> sources = assembled();
      if (sources.empty()) return {{}, take_bad(), false};
      const Checked checked = check_(sources);
      if (checked.diagnostics.empty()) return {sources, take_bad(), loses_earlier_};
      const bool new_name = std::ranges::any_of(
          checked.undefined, [&](const std::string& name) { return !missing_.contains(name); });
      if (left_out_ && new_name) {
        missing_.insert(checked.undefined.begin(), checked.undefined.end());
        continue;
      }
      if (!blame(checked.diagnostics)) return {{}, take_bad(), false};
    }
  }

 private:
  struct Part {
    std::string name;
    std::vector<Source> sources;
    bool tried_earlier = false;
  };

  [[nodiscard]] std::vector<Source> assembled() const {
    std::vector<Source> all;
    for (const Part& part : parts_) std::ranges::copy(part.sources, std::back_inserter(all));
    if (!missing_.empty() && !all.empty()) all.push_back(profiles_without_members(missing_));
    return all;
  }

  // Whether anything changed.
  bool blame(const std::vector<Diagnostic>& diagnostics) {
    bool changed = false;
    for (BadFile& bad : bad_files(diagnostics, Fate::left_out))
      for (Part& part : parts_)
        if (belongs(bad.path, part)) {
          changed = replace(part, bad) || changed;
          break;
        }
    return changed;
  }

  // A file of the unit, whatever its directory; of a drop-in the directory of drop-ins is.
  static bool belongs(const std::string& path, const Part& part) {
    if (name_of_path(path) == part.name) return true;
    if (name_of_path(path) == part.name + ".d") return true;
    const std::string above = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    return name_of_path(above) == part.name + ".d";
  }

  bool replace(Part& part, BadFile& bad) {
    const std::string path = bad.path;
    if (!part.tried_earlier) {
      part.tried_earlier = true;
      std::vector<Source> before = unit_in(earlier_, part.name);
      if (!before.empty() && !same_text(before, part.sources)) {
        present_[part.name] = part.sources;
        part.sources = std::move(before);
        bad.fate = Fate::earlier_text;
        note(std::move(bad));
        return true;
      }
    } else if (const auto at = present_.find(part.name); at != present_.end()) {
      // The earlier text does not fit the other files either.
      part.sources = at->second;
      present_.erase(at);
      loses_earlier_ = true;
      for (BadFile& known : bad_)
        if (known.fate == Fate::earlier_text && belongs(known.path, part)) drop(part, known);
      left_out_ = true;
      return true;
    }
    const std::size_t before = part.sources.size();
    bad.fate = Fate::left_out;
    drop(part, bad);
    if (part.sources.size() == before) part.sources.clear();  // of another directory
    left_out_ = true;
    note(std::move(bad));
    return before > 0;
  }

  // Without its file there is nothing for drop-ins to add to.
  static void drop(Part& part, BadFile& bad) {
    bad.fate = Fate::left_out;
    const bool is_main = name_of_path(bad.path) == part.name;
    if (is_main)
      part.sources.clear();
    else
      std::erase_if(part.sources, [&](const Source& source) { return source.name == bad.path; });
  }

  void note(BadFile bad) {
    const auto known = std::ranges::find(bad_, bad.path, &BadFile::path);
    if (known == bad_.end()) return bad_.push_back(std::move(bad));
    known->fate = bad.fate;
    if (known->mistakes.find(bad.mistakes) == std::string::npos) known->mistakes += bad.mistakes;
  }

  [[nodiscard]] std::vector<BadFile> take_bad() { return std::move(bad_); }

  const std::vector<Source>& earlier_;
  const Check& check_;
  std::vector<Part> parts_;
  std::map<std::string, std::vector<Source>> present_;  // of parts that have their earlier text
  std::set<std::string> missing_;
  bool left_out_ = false;
  bool loses_earlier_ = false;
  std::vector<BadFile> bad_;
};

}  // namespace

std::string_view to_string(Fate fate) {
  switch (fate) {
    case Fate::not_live:
      return "not-live";
    case Fate::earlier_text:
      return "earlier-text";
    case Fate::left_out:
      break;
  }
  return "left-out";
}

Usable usable_sources(const std::vector<PolicyUnit>& units, const std::vector<Source>& earlier,
                      const Check& check) {
  return Repair(units, earlier, check).make(refusals(units));
}

std::vector<BadFile> bad_files(const std::vector<Diagnostic>& diagnostics, Fate fate) {
  std::vector<BadFile> found;
  for (const Diagnostic& diagnostic : diagnostics) {
    const std::string& path = diagnostic.where.file;
    auto at = std::ranges::find(found, path, &BadFile::path);
    if (at == found.end()) at = found.insert(found.end(), {path, fate, ""});
    at->mistakes += policy::render(diagnostic);
  }
  return found;
}

}  // namespace holdfast::policy_dirs
