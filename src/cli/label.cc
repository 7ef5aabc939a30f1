// SPDX-License-Identifier: Apache-2.0
// `holdfast label`: the labels of one socket.
#include <fmt/core.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "kernel/sockets.h"
#include "label/access.h"
#include "label/target.h"
#include "policy/event_text.h"

namespace holdfast::cli {
namespace {

using Action = LabelOptions::Action;
using Json = nlohmann::ordered_json;

int complain(const Error& error) {
  std::string hint;
  int status = kExitFailed;
  if (error.code == EINVAL) status = kExitUsage;
  if (error.code == EPERM && !kernel::has_socket_attributes()) {
    hint = ": this kernel's sockets keep no labels (Linux 7.1); under `holdfast run` they do";
    status = kExitImpossible;
  }
  fmt::print(stderr, "holdfast: {}{}\n", error.message(), hint);
  return status;
}

void print_json(const LabelOptions& options, const Json& labels) {
  const Json object = {{"target", options.target}, {"labels", labels}};
  fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace));
}

int get(const label::Target& target, const LabelOptions& options) {
  const auto value = target.get(options.name);
  if (!value) return complain(value.error());
  if (options.json)
    print_json(options, {{options.name, *value}});
  else
    fmt::print("{}\n", policy::escape(*value));
  return kExitOk;
}

int list(const label::Target& target, const LabelOptions& options) {
  const auto names = target.list();
  if (!names) return complain(names.error());
  Json labels = Json::object();
  for (const std::string& name : *names) {
    const auto value = target.get(name);
    if (!value && value.error().code == ENODATA) continue;  // removed meanwhile
    if (!value) return complain(value.error());
    labels[name] = *value;
    if (!options.json) fmt::print("{}={}\n", policy::escape(name), policy::escape(*value));
  }
  if (options.json) print_json(options, labels);
  return kExitOk;
}

int change(const label::Target& target, const LabelOptions& options) {
  const bool sets = options.action == Action::set;
  const auto done = sets ? target.set(options.name, options.value) : target.remove(options.name);
  if (!done) return complain(done.error());
  if (options.json)
    print_json(options, sets ? Json{{options.name, options.value}} : Json::object());
  return kExitOk;
}

}  // namespace

int label(const LabelOptions& options) {
  if (options.action != Action::list && !label::is_label_name(options.name)) {
    fmt::print(stderr, "holdfast: '{}' is not a label: labels are named user.NAME\n",
               policy::escape(options.name));
    return kExitUsage;
  }
  const auto target = label::Target::open(options.target);
  if (!target) return complain(target.error());
  switch (options.action) {
    case Action::get:
      return get(*target, options);
    case Action::list:
      return list(*target, options);
    default:
      return change(*target, options);
  }
}

}  // namespace holdfast::cli
