// SPDX-License-Identifier: Apache-2.0
#include "kernel/proc/mount_table.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/text.h"
#include "kernel/files/text_file.h"

namespace holdfast::kernel {
namespace {

// The kernel writes space, tab, newline and backslash as \040 and so on (fs/seq_file.c,
// mangle_path()).
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++) {
    const auto code = text[i] == '\\' ? number<unsigned>(text.substr(i + 1, 3), 8) : std::nullopt;
    if (!code || i + 3 >= text.size()) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(*code);
    i += 3;
  }
  return out;
}

// "98:0"
std::optional<std::uint64_t> device_number(std::string_view text) {
  constexpr unsigned kMinorBits = 20;
  const auto parts = split(text, ':');
  if (parts.size() != 2) return std::nullopt;
  const auto major = number<std::uint32_t>(parts[0]);
  const auto minor = number<std::uint32_t>(parts[1]);
  if (!major || !minor || *minor >> kMinorBits) return std::nullopt;
  return std::uint64_t{*major} << kMinorBits | *minor;
}

// 36 35 98:0 / /sys/fs/bpf rw,nosuid shared:1 - bpf bpf rw,delegate_cmds=any
Result<MountEntry> parse_line(std::string_view line) {
  const auto fields = split(line, ' ');
  const auto dash = std::ranges::find(fields, "-");
  const auto id = number<std::uint64_t>(fields[0], 10);
  const auto device = fields.size() < 9 ? std::nullopt : device_number(fields[2]);
  if (fields.size() < 9 || fields.end() - dash < 4 || !id || !device)
    return Error{EINVAL, "read mountinfo line", std::string(line), ""};
  return MountEntry{*id,
                    *device,
                    unescape(fields[3]),
                    unescape(fields[4]),
                    std::string(dash[1]),
                    std::string(dash[3])};
}

}  // namespace

Result<std::vector<MountEntry>> parse_mount_table(std::string_view text) {
  std::vector<MountEntry> entries;
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    HF_TRY_ASSIGN(auto entry, parse_line(line));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<MountEntry>> mount_table(const std::string& mountinfo) {
  HF_TRY_ASSIGN(const auto text, read_text_file(mountinfo));
  return parse_mount_table(text);
}

}  // namespace holdfast::kernel
