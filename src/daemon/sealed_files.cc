// SPDX-License-Identifier: Apache-2.0
#include "daemon/sealed_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

namespace holdfast::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kName = "holdfastd";
constexpr const char* kDefaults = "/etc/default";
constexpr const char* kSystemdRuns = "/run/systemd/system";

// In order of precedence. Without the directories of generators, which write at each reload.
constexpr std::array kUnitDirectories = {
    "/etc/systemd/system.control",  "/run/systemd/system.control",   "/run/systemd/transient",
    "/etc/systemd/system",          "/etc/systemd/system.attached",  "/run/systemd/system",
    "/run/systemd/system.attached", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
    "/lib/systemd/system"};
// The directories that systemd itself makes.
constexpr std::array kMade = {"/etc/systemd/system.control", "/run/systemd/system.control",
                              "/run/systemd/transient"};

// Directories with links to the units that another unit starts.
bool holds_links(const std::string& name) {
  constexpr std::array<std::string_view, 3> kEndings = {".wants", ".requires", ".upholds"};
  return std::ranges::any_of(kEndings, [&](std::string_view end) { return name.ends_with(end); });
}

void add(std::vector<std::string>& list, const fs::path& path) {
  if (std::ranges::find(list, path.string()) == list.end()) list.push_back(path.string());
}

// The files of holdfastd's name in the directory, and in its directories of links.
Result<void> gather(const fs::path& directory, backend::SealedFiles& found) {
  std::error_code failed;
  add(found.places, directory);
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, failed)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    const bool is_directory = entry.symlink_status(ignored).type() == fs::file_type::directory;
    if (name.starts_with(kName)) add(found.files, entry.path());
    if (!is_directory) continue;
    if (name.starts_with(kName))
      for (const fs::directory_entry& drop_in : fs::directory_iterator(entry.path(), failed))
        add(found.files, drop_in.path());
    if (holds_links(name)) HF_TRY(gather(entry.path(), found));
  }
  if (failed) return Error{failed.value(), "read directory", directory.string(), {}};
  return {};
}

}  // namespace

Result<backend::SealedFiles> sealed_files() {
  backend::SealedFiles found;
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  if (failed) return Error{failed.value(), "read", "/proc/self/exe", {}};
  found.files.push_back(program.string());
  if (fs::is_directory(kDefaults, failed)) HF_TRY(gather(kDefaults, found));
  if (fs::is_directory(kSystemdRuns, failed))
    for (const char* directory : kMade) fs::create_directory(directory, failed);
  for (const char* directory : kUnitDirectories) {
    // A directory may be a symbolic link to another one in the list.
    const fs::path real = fs::canonical(directory, failed);
    if (failed) continue;
    HF_TRY(gather(real, found));
  }
  return found;
}

}  // namespace holdfast::daemon
