// SPDX-License-Identifier: Apache-2.0
#include "delegate/mounts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/text.h"
#include "kernel/files/text_file.h"
#include "kernel/proc/mount_table.h"
#include "kernel/proc/open_files.h"

namespace holdfast::delegate {
namespace {

Result<std::vector<Mount>> delegating(const Result<std::vector<kernel::MountEntry>>& entries,
                                      const Vocabulary& vocabulary) {
  if (!entries) return entries.error();
  std::vector<Mount> mounts;
  for (const kernel::MountEntry& entry : *entries) {
    if (entry.type != "bpf") continue;
    HF_TRY_ASSIGN(auto set, parse_options(entry.options, vocabulary));
    mounts.push_back({entry.id, entry.point, entry.options, set});
  }
  return mounts;
}

Result<std::vector<Mount>> read_mounts(const std::string& mountinfo, const Vocabulary& vocabulary) {
  return delegating(kernel::mount_table(mountinfo), vocabulary);
}

// The mountinfo file that lists the mount containing `path`.
std::string mountinfo_for(const std::string& path) {
  const auto parts = split(path, '/');
  if (parts.size() > 3 && parts[1] == "proc" && parts[3] == "root" && number<pid_t>(parts[2]))
    return fmt::format("/proc/{}/mountinfo", parts[2]);
  return "/proc/self/mountinfo";
}

}  // namespace

Result<std::vector<Mount>> parse_mountinfo(std::string_view text, const Vocabulary& vocabulary) {
  return delegating(kernel::parse_mount_table(text), vocabulary);
}

Result<std::vector<Mount>> mounts_of(pid_t pid, const Vocabulary& vocabulary) {
  return read_mounts(fmt::format("/proc/{}/mountinfo", pid), vocabulary);
}

Result<std::vector<Mount>> mounts_here(const Vocabulary& vocabulary) {
  return read_mounts("/proc/self/mountinfo", vocabulary);
}

Result<Mount> mount_of(const std::string& path, const Vocabulary& vocabulary) {
  HF_TRY_ASSIGN(auto id, kernel::mount_id(path));
  HF_TRY_ASSIGN(auto mounts, read_mounts(mountinfo_for(path), vocabulary));
  const auto found = std::ranges::find(mounts, id, &Mount::id);
  if (found == mounts.end())
    return Error{EINVAL, "find the BPF filesystem of", path, "it is not on one"};
  return *found;
}

Result<Set> parse_token_fdinfo(std::string_view text) {
  constexpr std::array<std::string_view, kKinds.size()> kKeys = {
      "allowed_cmds:", "allowed_maps:", "allowed_progs:", "allowed_attachs:"};
  Set set;
  std::size_t seen = 0;
  for (const std::string_view line : split(text, '\n')) {
    for (std::size_t i = 0; i < kKeys.size(); i++) {
      if (!line.starts_with(kKeys[i])) continue;
      std::string_view value = line.substr(kKeys[i].size());
      value.remove_prefix(std::min(value.find_first_not_of("\t "), value.size()));
      // kernel/bpf/token.c: "any" or 0x…
      const auto mask = value == "any"            ? std::optional(~std::uint64_t{0})
                        : value.starts_with("0x") ? number<std::uint64_t>(value.substr(2), 16)
                                                  : std::nullopt;
      if (!mask) return Error{EINVAL, "read token line", std::string(line), ""};
      set.masks[i] = *mask;
      seen++;
    }
  }
  if (seen != kKeys.size()) return Error{EINVAL, "not a BPF token", "", ""};
  return set;
}

Result<Token> token_of(const std::string& path) {
  HF_TRY_ASSIGN(auto text, kernel::read_text_file(kernel::fdinfo_path(path)));
  auto set = parse_token_fdinfo(text);
  if (!set) {
    Error error = std::move(set).error();
    error.object = path;
    return error;
  }
  return Token{path, *set};
}

Result<std::vector<Token>> tokens_of(pid_t pid) {
  HF_TRY_ASSIGN(auto files, kernel::open_files(pid));
  std::vector<Token> tokens;
  for (const kernel::OpenFile& file : files) {
    // The link is "/bpf-token (deleted)" on 6.18. Other files may have this name, so fdinfo
    // decides.
    if (file.target.find("bpf-token") == std::string::npos) continue;
    auto token = token_of(file.path);
    if (token) tokens.push_back(*std::move(token));
  }
  return tokens;
}

}  // namespace holdfast::delegate
