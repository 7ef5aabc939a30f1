// SPDX-License-Identifier: Apache-2.0
// `holdfast sockets`: lists the labelled sockets of the machine.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/kept_labels.h"
#include "events/event_text.h"
#include "kernel/process/process.h"
#include "kernel/sockets/sockets.h"
#include "label/survey.h"

namespace holdfast::cli {
namespace {

using Json = nlohmann::ordered_json;
using label::LabelledSocket;

constexpr unsigned kUsPerMs = 1000;

// The values by which systemd 262 labels the sockets of Varlink connections.
constexpr std::string_view kVarlinkLabel = "user.varlink";
constexpr std::string_view kVarlinkRoles[] = {"entrypoint", "listen", "server", "client"};

// The label of the socket itself, or else the one of its path. Null: neither has it.
const std::string* find_label(const LabelledSocket& socket, const std::string& name) {
  for (const auto* labels : {&socket.labels, &socket.path_labels})
    if (const auto at = labels->find(name); at != labels->end()) return &at->second;
  return nullptr;
}

bool is_wanted(const LabelledSocket& socket, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& condition) {
    const std::size_t equals = condition.find('=');
    const std::string* value = find_label(socket, condition.substr(0, equals));
    if (value == nullptr) return false;
    return equals == std::string::npos || *value == condition.substr(equals + 1);
  });
}

std::string varlink_role(const LabelledSocket& socket) {
  const std::string* value = find_label(socket, std::string(kVarlinkLabel));
  if (value == nullptr) return {};
  return std::find(std::begin(kVarlinkRoles), std::end(kVarlinkRoles), *value) !=
                 std::end(kVarlinkRoles)
             ? *value
             : std::string();
}

std::string labels_text(const LabelledSocket& socket) {
  std::string text;
  const auto append = [&](const auto& labels, std::string_view mark) {
    for (const auto& [name, value] : labels)
      text += fmt::format("{}{}={}{}", text.empty() ? "" : ",", escape(name), escape(value), mark);
  };
  append(socket.labels, "");
  append(socket.path_labels, " (path)");
  return text;
}

Json to_json(const LabelledSocket& socket) {
  Json json = {{"pid", socket.pid},         {"fd", socket.fd},         {"cookie", socket.cookie},
               {"command", socket.command}, {"cgroup", socket.cgroup}, {"unit", socket.unit},
               {"family", socket.family},   {"state", socket.state},   {"address", socket.address},
               {"labels", socket.labels}};
  if (!socket.path_labels.empty()) json["path_labels"] = socket.path_labels;
  if (const std::string role = varlink_role(socket); !role.empty()) json["varlink"] = role;
  return json;
}

void print_line(const Json& json) {
  fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void print_row(std::string_view mark, const LabelledSocket& s) {
  const std::string where = s.unit.empty() ? s.cgroup : s.unit;
  fmt::print("{}{:<8} {:<16} {:<24} {:<32} {:<8} {:<10} {}\n", mark, s.pid, escape(s.command),
             escape(where), labels_text(s), s.family, s.state, escape(s.address));
}

void print_head(std::string_view indent) {
  fmt::print("{}{:<8} {:<16} {:<24} {:<32} {:<8} {:<10} {}\n", indent, "PID", "COMMAND",
             "UNIT OR CGROUP", "LABEL", "FAMILY", "STATE", "ADDRESS");
}

struct Look {
  std::map<std::uint64_t, LabelledSocket> sockets;  // by cookie
  std::vector<std::uint64_t> order;
  std::size_t unreadable_processes = 0;
};

// On kernels that keep no labels, reads them from holdfastd if it runs.
label::LabelSource label_source(const SocketsOptions& options) {
  if (kernel::has_socket_attributes()) return label::own_labels;
  auto kept = KeptLabels::open(options.socket);
  if (!kept) return label::own_labels;
  return [kept = std::make_shared<KeptLabels>(*std::move(kept))](int socket_fd) {
    const auto labels = kept->list(socket_fd);
    return labels ? label::LabelMap(labels->begin(), labels->end()) : label::LabelMap();
  };
}

Result<Look> look(const std::vector<std::string>& wanted, const label::LabelSource& source) {
  HF_TRY_ASSIGN(auto survey, label::survey_sockets(source));
  Look found;
  found.unreadable_processes = survey.unreadable_processes;
  for (LabelledSocket& socket : survey.sockets) {
    if (!is_wanted(socket, wanted)) continue;
    found.order.push_back(socket.cookie);
    found.sockets.emplace(socket.cookie, std::move(socket));
  }
  return found;
}

void show_change(const SocketsOptions& options, const char* what, std::string_view mark,
                 const LabelledSocket& socket) {
  if (!options.json) return print_row(mark, socket);
  Json json = {{"event", what}};
  json.update(to_json(socket));
  print_line(json);
}

bool looks_same(const LabelledSocket& a, const LabelledSocket& b) {
  return a.labels == b.labels && a.path_labels == b.path_labels && a.state == b.state &&
         a.address == b.address;
}

int watch(const SocketsOptions& options, const label::LabelSource& source, Look before) {
  for (;;) {
    (void)std::fflush(stdout);
    if (std::ferror(stdout)) return kExitOk;  // the reader has closed the pipe
    kernel::sleep_us(options.interval_ms * kUsPerMs);
    auto now = look(options.labels, source);
    if (!now) return kExitFailed;
    for (const auto& [cookie, socket] : before.sockets)
      if (!now->sockets.contains(cookie)) show_change(options, "gone", "- ", socket);
    for (const std::uint64_t cookie : now->order) {
      const LabelledSocket& socket = now->sockets.at(cookie);
      const auto known = before.sockets.find(cookie);
      if (known == before.sockets.end())
        show_change(options, "come", "+ ", socket);
      else if (!looks_same(known->second, socket))
        show_change(options, "changed", "* ", socket);
    }
    before = std::move(*now);
  }
}

}  // namespace

int sockets(const SocketsOptions& options) {
  const label::LabelSource source = label_source(options);
  auto found = look(options.labels, source);
  if (!found) {
    fmt::print(stderr, "holdfast: {}\n", found.error().message());
    return kExitFailed;
  }
  const std::string_view indent = options.watch ? "  " : "";
  if (!options.json) print_head(indent);
  for (const std::uint64_t cookie : found->order) {
    const LabelledSocket& socket = found->sockets.at(cookie);
    if (options.watch)
      show_change(options, "there", indent, socket);
    else if (options.json)
      print_line(to_json(socket));
    else
      print_row("", socket);
  }
  if (found->unreadable_processes > 0)
    fmt::print(stderr, "holdfast: {} processes could not be inspected (needs root)\n",
               found->unreadable_processes);
  if (!kernel::has_socket_attributes())
    fmt::print(
        stderr,
        "holdfast: this kernel's sockets keep no labels (Linux 7.1 does); labels that holdfastd "
        "keeps are shown; labels of a `holdfast run` are shown only inside of it\n");
  return options.watch ? watch(options, source, std::move(*found)) : kExitOk;
}

}  // namespace holdfast::cli
