// SPDX-License-Identifier: Apache-2.0
#include "cli/live_policy.h"

#include <fmt/core.h>

#include <filesystem>
#include <system_error>

#include "cli/find_policy.h"
#include "policy/enum_names.h"
#include "policy/load.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"

namespace holdfast::cli {
namespace {

using nlohmann::json;

constexpr char kPins[] = "/sys/fs/bpf/holdfast/machine";
constexpr char kGenerations[] = "/var/lib/holdfast/generations";
constexpr std::size_t kMaxGenerationBytes = std::size_t{1} << 30;

std::string text_in(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

LivePolicy from_reply(const json& reply) {
  LivePolicy live;
  live.by_daemon = true;
  live.generation = reply.value("generation", std::uint64_t{0});
  for (const json& source : reply.value("sources", json::array()))
    live.text.sources.push_back(
        {text_in(source, "name"), text_in(source, "text"), source.value("drop_in", false)});
  for (const json& set : reply.value("modes", json::array()))
    if (const auto mode = policy::value_of(policy::kModeNames, text_in(set, "mode")))
      live.text.modes[text_in(set, "profile")] = static_cast<std::uint8_t>(*mode);
  for (const json& directory : reply.value("directories", json::array()))
    if (directory.is_string()) live.directories.push_back(directory.get<std::string>());
  for (const json& bad : reply.value("bad_files", json::array()))
    live.faults.push_back({text_in(bad, "path"), text_in(bad, "fate"), text_in(bad, "mistakes")});
  return live;
}

std::optional<LivePolicy> from_disk() {
  std::error_code failed;
  if (std::filesystem::is_empty(kPins, failed) || failed) return std::nullopt;
  const auto record = policy::read_file(fmt::format("{}/life.json", kGenerations), "read", 1 << 20);
  if (!record) return std::nullopt;
  const json life = json::parse(*record, nullptr, /*allow_exceptions=*/false);
  if (!life.is_object() || !life.value("now", json::object()).is_object()) return std::nullopt;
  LivePolicy live;
  live.generation = life.value("now", json::object()).value("live", std::uint64_t{0});
  const auto text = policy::read_file(fmt::format("{}/{}.json", kGenerations, live.generation),
                                      "read", kMaxGenerationBytes);
  auto read = text ? policy::generation_from_json(*text, live.generation) : std::nullopt;
  if (!read) return std::nullopt;
  live.text = *std::move(read);
  return live;
}

}  // namespace

std::optional<LivePolicy> live_policy(const std::string& socket, std::string& why) {
  auto client = rpc::Client::connect(socket);
  if (client) {
    const auto reply =
        client->call(fmt::format("{}.Policy", rpc::kControlInterface), json::object());
    if (reply && reply->error.empty()) return from_reply(reply->parameters);
    why = reply && reply->error == "org.varlink.service.PermissionDenied"
              ? "only root may ask holdfastd which text is in force"
              : "holdfastd does not say which text is in force";
    return std::nullopt;
  }
  auto live = from_disk();
  if (!live) why = "holdfastd does not run";
  return live;
}

policy_dirs::PolicyDirs directories_for(const std::vector<std::string>& named,
                                        const std::optional<LivePolicy>& live) {
  if (!named.empty() || !live || live->directories.empty()) return policy_dirs_of(named);
  policy_dirs::PolicyDirs dirs;
  dirs.paths = live->directories;
  return dirs;
}

}  // namespace holdfast::cli
