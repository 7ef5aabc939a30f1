// SPDX-License-Identifier: Apache-2.0
// `holdfast hooks`: shows which hooks the bridge offers on this kernel, and loads BPF objects of
// other projects through it.
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/hook_state.h"
#include "holdfast/hooks.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLoaded = "/sys/fs/bpf/holdfast/hooks";
constexpr const char* kMaps = "maps";  // beside one directory for each program
constexpr long kBpffsMagic = 0xcafe4a11;

int failed(const std::string& what, int code, const std::string& detail = "") {
  fmt::print(stderr, "holdfast: {}: {}{}\n", what, strerrordesc_np(code),
             detail.empty() ? "" : " (" + detail + ")");
  return code == EPERM || code == EACCES || code == EOPNOTSUPP ? kExitImpossible : kExitFailed;
}

// The file name up to its first dot: "lock" for lock.bpf.o.
std::string object_name(const std::string& path) {
  const std::string file = fs::path(path).filename();
  return file.substr(0, file.find('.'));
}

bool on_bpffs(const fs::path& directory) {
  struct statfs status {};
  return statfs(directory.c_str(), &status) == 0 && status.f_type == kBpffsMagic;
}

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, CloseObject>;

// 0 or a negative errno.
int attach_and_pin(bpf_program* program, const fs::path& directory) {
  bpf_link* link = bpf_program__attach(program);
  if (link == nullptr) return -errno;
  std::error_code error;
  int result = 0;
  if (bpf_link__fd(link) >= 0) {  // libbpf itself attached the program
    result = bpf_link__pin(link, (directory / bpf_program__name(program)).c_str());
  } else {
    const fs::path links = directory / bpf_program__name(program);
    fs::create_directory(links, error);
    result = error ? -error.value() : holdfast_hooks_pin(link, links.c_str());
  }
  bpf_link__destroy(link);
  return result;
}

int load_into(const HooksLoadOptions& options, const fs::path& directory) {
  const Object object(bpf_object__open_file(options.object.c_str(), nullptr));
  if (!object) return failed("open " + options.object, errno);
  if (const int error = bpf_object__load(object.get()); error < 0) {
    return failed("load " + options.object, -error, holdfast_hooks_error());
  }
  std::error_code made;
  fs::create_directory(directory / kMaps, made);
  if (made) return failed("make " + (directory / kMaps).string(), made.value());
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    if (!bpf_program__autoload(program)) continue;
    if (const int error = attach_and_pin(program, directory); error < 0) {
      return failed(std::string("attach ") + bpf_program__name(program), -error,
                    holdfast_hooks_error());
    }
  }
  if (const int error = bpf_object__pin_maps(object.get(), (directory / kMaps).c_str());
      error < 0) {
    return failed("pin the maps of " + options.object, -error);
  }
  return kExitOk;
}

// Removes the pinned links in the order of their names. The enforcer of a program has the first
// one.
void remove_in_order(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    if (fs::is_directory(file, error)) {
      remove_in_order(file);
    } else {
      fs::remove(file, error);
    }
  }
  fs::remove(directory, error);
}

nlohmann::ordered_json as_json(const holdfast_hook_status& status) {
  return {{"name", status.hook}, {"state", hook_state_word(status.state)}, {"how", status.how}};
}

void print_json(const holdfast_hook_status (&hooks)[HOLDFAST_HOOKS],
                const holdfast_hook_status& labels) {
  nlohmann::ordered_json json = {{"hooks", nlohmann::ordered_json::array()},
                                 {"labels", as_json(labels)},
                                 {"loaded", nlohmann::ordered_json::array()}};
  for (const holdfast_hook_status& hook : hooks) json["hooks"].push_back(as_json(hook));
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(kLoaded, error))
    json["loaded"].push_back(entry.path().filename().string());
  fmt::print("{}\n", json.dump());
}

holdfast_alloc_refusal alloc_refusal(const std::string& word) {
  if (word == "kill") return HOLDFAST_ALLOC_KILL;
  if (word == "ignore") return HOLDFAST_ALLOC_IGNORE;
  return word == "ask-and-tell" ? HOLDFAST_ALLOC_ASK_AND_TELL : HOLDFAST_ALLOC_ASK;
}

}  // namespace

int hooks_status(const HooksStatusOptions& options) {
  holdfast_hook_status hooks[HOLDFAST_HOOKS];
  const int count = holdfast_hooks_status(hooks, HOLDFAST_HOOKS);
  if (count < 0) return failed("read /sys/kernel/btf/vmlinux", -count);
  holdfast_hook_status labels = {};
  if (const int error = holdfast_hooks_label_status(&labels); error < 0)
    return failed("read /sys/kernel/btf/vmlinux", -error);
  if (options.json) {
    print_json(hooks, labels);
    return kExitOk;
  }
  const auto print = [](const holdfast_hook_status& status) {
    fmt::print("{:<20} {:<8} {}\n", status.hook, hook_state_word(status.state), status.how);
  };
  for (const holdfast_hook_status& hook : hooks) print(hook);
  print(labels);
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(kLoaded, error)) {
    fmt::print("loaded: {}\n", entry.path().filename().string());
  }
  return kExitOk;
}

int hooks_load(const HooksLoadOptions& options) {
  if (const int error = holdfast_hooks_enable(); error < 0)
    return failed("enable the hooks", -error);
  Fd cgroup;
  if (!options.cgroup.empty()) {
    cgroup.reset(open(options.cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup) return failed("open cgroup " + options.cgroup, errno);
    holdfast_hooks_limit_to_cgroup(cgroup.get());
  }
  holdfast_hooks_alloc_refusal(alloc_refusal(options.alloc_refusal));
  const fs::path directory =
      options.pin.empty() ? fs::path(kLoaded) / object_name(options.object) : fs::path(options.pin);
  std::error_code error;
  if (fs::exists(directory, error))
    return failed("load into " + directory.string(), EEXIST, "unload it first");
  // Before the directory is made.
  if (!fs::is_regular_file(options.object, error))
    return failed("open " + options.object, error ? error.value() : ENOENT);
  fs::create_directories(directory, error);
  if (error) return failed("make " + directory.string(), error.value());
  int status = kExitFailed;
  if (on_bpffs(directory)) {
    status = load_into(options, directory);
  } else {
    fmt::print(stderr, "holdfast: {} is not on a BPF filesystem\n", directory.string());
  }
  if (status != kExitOk) remove_in_order(directory);
  return status;
}

int hooks_unload(const HooksUnloadOptions& options) {
  const fs::path directory = options.what.find('/') == std::string::npos
                                 ? fs::path(kLoaded) / options.what
                                 : fs::path(options.what);
  std::error_code error;
  // Only directories that load_into() made contain kMaps. Do not remove others.
  if (!fs::is_directory(directory / kMaps, error) || !on_bpffs(directory)) {
    fmt::print(stderr, "holdfast: nothing is loaded as {}\n", directory.string());
    return kExitFailed;
  }
  remove_in_order(directory);
  if (fs::exists(directory, error)) return failed("unload " + directory.string(), EBUSY);
  return kExitOk;
}

}  // namespace holdfast::cli
