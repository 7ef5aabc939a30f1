// SPDX-License-Identifier: Apache-2.0
#include "cli/fleet_events.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <tuple>

#include "kernel/process/subprocess.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxLine = 1u << 20;  // bytes
constexpr int kTimeoutMs = 600'000;         // for the first block of a large query
constexpr std::string_view kGuard = R"({"version":1,"guard")";

bool is_digits(std::string_view text, std::string_view shape) {
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < text.size(); i++) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool letter = text[i] >= 'a' && text[i] <= 'f';
    if (shape[i] == 'd' ? !digit : shape[i] == 'x' ? !digit && !letter : text[i] != shape[i])
      return false;
  }
  return true;
}

Error wrong(std::string_view option, const std::string& value) {
  return Error{EINVAL, fmt::format("{} '{}'", option, value), "",
               "a day is YYYY-MM-DD, and a machine has 32 hexadecimal digits"};
}

// The arguments were checked, so they can be part of the text.
Result<std::string> query_of(const FleetEvents& wanted) {
  std::string where = "true";
  if (!wanted.machine.empty()) {
    if (!is_digits(wanted.machine, std::string(32, 'x'))) return wrong("--machine", wanted.machine);
    where += fmt::format(" AND machine = '{}'", wanted.machine);
  }
  for (const auto& [day, option, comparison] :
       {std::tuple(wanted.since, "--since", ">="), std::tuple(wanted.until, "--until", "<=")}) {
    if (day.empty()) continue;
    if (!is_digits(day, "dddd-dd-dd")) return wrong(option, day);
    where += fmt::format(" AND day {} '{}'", comparison, day);
  }
  return fmt::format(
      "SELECT body FROM holdfast.events WHERE {} ORDER BY day, machine, boot, sequence", where);
}

}  // namespace

Result<void> read_fleet_events(const FleetEvents& wanted, Progress& progress,
                               const policy::LineSink& sink) {
  if (!wanted.database.starts_with("postgresql://") && !wanted.database.starts_with("postgres://"))
    return Error{EINVAL, "--from", wanted.database, "it is no postgresql://…"};
  HF_TRY_ASSIGN(const auto query, query_of(wanted));
  // A cursor, so that psql does not keep the whole answer.
  HF_TRY_ASSIGN(auto psql, kernel::Subprocess::start(
                               {"psql", "--no-psqlrc", "--no-password", "--quiet", "--tuples-only",
                                "--no-align", "--set=ON_ERROR_STOP=1", "--set=FETCH_COUNT=5000",
                                "--command=" + query, wanted.database}));
  std::string text;
  std::uint64_t read = 0;
  while (true) {
    HF_TRY_ASSIGN(const auto some, psql.read_some(kTimeoutMs));
    if (some.empty()) break;
    read += some.size();
    text += some;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const std::string_view line = std::string_view(text).substr(begin, end - begin);
      if (line.empty()) continue;
      HF_TRY(sink(
          {line.starts_with(kGuard) ? policy::LineKind::guard : policy::LineKind::decision, line}));
    }
    text.erase(0, begin);
    if (text.size() > kMaxLine) return Error{EFBIG, "read events", wanted.database, "a long line"};
    progress.show(read, 0);
  }
  HF_TRY_ASSIGN(const auto status, psql.wait());
  if (status != 0 || !text.empty())
    return Error{EIO, "read events", wanted.database, fmt::format("psql ended with {}", status)};
  return {};
}

}  // namespace holdfast::cli
