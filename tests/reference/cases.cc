// SPDX-License-Identifier: Apache-2.0
#include "reference/cases.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "explain/request.h"
#include "policy/compile.h"
#include "policy/parse.h"
#include "reference/facts.h"

namespace holdfast::reference {
namespace {

class FileReader {
 public:
  FileReader(std::string name, CaseFile& out) : name_(std::move(name)), out_(out) {}

  Result<void> read(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    while (std::getline(lines, line)) {
      number_++;
      if (line == "== policy") {
        in_policy_ = true;
        policy_text_.clear();
      } else if (line == "== cases") {
        in_policy_ = false;
        if (auto added = add_policy(); !added) return added;
      } else if (in_policy_) {
        policy_text_ += line + "\n";
      } else if (!line.empty() && line[0] != '#') {
        if (auto added = add_case(line); !added) return added;
      }
    }
    return {};
  }

 private:
  Error wrong(std::string detail) const {
    return {EINVAL, "read case", fmt::format("{}:{}", name_, number_), std::move(detail)};
  }

  Result<void> add_policy() {
    policy::ParseResult parsed = policy::parse({{name_, policy_text_}});
    if (!parsed.diagnostics.empty()) return wrong(policy::render(parsed.diagnostics[0]));
    auto compiled = policy::compile(parsed.model);
    out_.policies.push_back({std::move(parsed.model), std::move(compiled)});
    return {};
  }

  Result<void> add_case(const std::string& line) {
    const std::size_t arrow = line.find("=>");
    if (arrow == std::string::npos || out_.policies.empty())
      return wrong("no '=>', or no policy before it");
    Case added;
    added.place = fmt::format("{}:{}", name_, number_);
    added.text = line;
    added.policy = out_.policies.size() - 1;
    const auto request =
        policy::parse_request(line.substr(0, arrow), *out_.policies.back().compiled);
    if (!request) return wrong(request.error().detail);
    added.request = *request;
    std::istringstream expected(line.substr(arrow + 2));
    std::string place;
    if (!(expected >> added.verdict >> added.reason >> place))
      return wrong("verdict, reason and line expected");
    if (place != "-" &&
        std::from_chars(place.data(), place.data() + place.size(), added.line).ec != std::errc())
      return wrong("the line is not a number");
    out_.cases.push_back(std::move(added));
    return {};
  }

  std::string name_;
  CaseFile& out_;
  std::string policy_text_;
  bool in_policy_ = false;
  int number_ = 0;
};

}  // namespace

Result<CaseFile> load_cases(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".cases") paths.push_back(entry.path().string());
  }
  if (error || paths.empty())
    return Error{error ? error.value() : ENOENT, "read cases", directory, ""};
  std::sort(paths.begin(), paths.end());
  CaseFile file;
  for (const std::string& path : paths) {
    const auto source = policy::read_source(path);
    if (!source) return source.error();
    const auto read =
        FileReader(std::filesystem::path(path).filename().string(), file).read(source->text);
    if (!read) return read.error();
  }
  return file;
}

std::string mismatch(const Case& expected, const hf_verdict& verdict,
                     const policy::Compiled& policy) {
  const Outcome got = outcome_of(verdict, policy);
  const std::string got_verdict =
      got.verdict + (got.mode == "audit" && got.verdict != "allow" ? "/audit" : "");
  if (got_verdict == expected.verdict && got.reason == expected.reason && got.line == expected.line)
    return "";
  return fmt::format("{}: {}\n  got {} {} {}", expected.place, expected.text, got_verdict,
                     got.reason, got.line == 0 ? "-" : fmt::format("{}", got.line));
}

}  // namespace holdfast::reference
