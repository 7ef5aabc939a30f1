// SPDX-License-Identifier: Apache-2.0
// `holdfast label`: sets, gets, lists and removes the labels of one socket.
#include <fmt/core.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/kept_labels.h"
#include "events/event_text.h"
#include "kernel/sockets/sockets.h"
#include "label/access.h"
#include "label/target.h"

namespace holdfast::cli {
namespace {

using Action = LabelOptions::Action;
using Json = nlohmann::ordered_json;

int complain(const Error& error) {
  std::string hint;
  int status = kExitFailed;
  if (error.code == EINVAL) status = kExitUsage;
  if (error.code == ENOTSUP && !kernel::has_socket_attributes()) {
    hint =
        "\nholdfast: this kernel's sockets keep no labels (Linux 7.1 does); holdfastd keeps them, "
        "and `holdfast run` for its own command";
    status = kExitImpossible;
  }
  fmt::print(stderr, "holdfast: {}{}\n", error.message(), hint);
  return status;
}

// The labels of one socket or path, kept by the kernel or by holdfastd.
class Labels {
 public:
  static Result<Labels> open(const LabelOptions& options) {
    HF_TRY_ASSIGN(auto target, label::Target::open(options.target));
    Labels labels(std::move(target));
    if (labels.target_.socket_fd() < 0 || kernel::has_socket_attributes()) return labels;
    HF_TRY_ASSIGN(labels.kept_, KeptLabels::open(options.socket));
    return labels;
  }

  Result<std::string> get(const std::string& name) {
    return kept_ ? kept_->get(fd(), name) : target_.get(name);
  }
  Result<void> set(const std::string& name, std::string_view value) {
    return kept_ ? kept_->set(fd(), name, value) : target_.set(name, value);
  }
  Result<void> remove(const std::string& name) {
    return kept_ ? kept_->remove(fd(), name) : target_.remove(name);
  }
  Result<KeptLabels::Labels> list() {
    if (kept_) return kept_->list(fd());
    HF_TRY_ASSIGN(const auto names, target_.list());
    KeptLabels::Labels labels;
    for (const std::string& name : names) {
      auto value = target_.get(name);
      if (!value && value.error().code == ENODATA) continue;  // removed meanwhile
      if (!value) return value.error();
      labels.emplace_back(name, *std::move(value));
    }
    return labels;
  }

 private:
  explicit Labels(label::Target target) : target_(std::move(target)) {}
  [[nodiscard]] int fd() const { return target_.socket_fd(); }
  label::Target target_;
  std::optional<KeptLabels> kept_;
};

void print_json(const LabelOptions& options, const Json& labels) {
  const Json object = {{"target", options.target}, {"labels", labels}};
  fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace));
}

int get(Labels& labels, const LabelOptions& options) {
  const auto value = labels.get(options.name);
  if (!value) return complain(value.error());
  if (options.json)
    print_json(options, {{options.name, *value}});
  else
    fmt::print("{}\n", escape(*value));
  return kExitOk;
}

int list(Labels& labels, const LabelOptions& options) {
  const auto all = labels.list();
  if (!all) return complain(all.error());
  Json json = Json::object();
  for (const auto& [name, value] : *all) {
    json[name] = value;
    if (!options.json) fmt::print("{}={}\n", escape(name), escape(value));
  }
  if (options.json) print_json(options, json);
  return kExitOk;
}

int change(Labels& labels, const LabelOptions& options) {
  const bool sets = options.action == Action::set;
  const auto done = sets ? labels.set(options.name, options.value) : labels.remove(options.name);
  if (!done) return complain(done.error());
  if (options.json)
    print_json(options, sets ? Json{{options.name, options.value}} : Json::object());
  return kExitOk;
}

}  // namespace

int label(const LabelOptions& options) {
  if (options.action != Action::list && !label::is_label_name(options.name)) {
    fmt::print(stderr, "holdfast: '{}' is not a label: labels are named user.NAME\n",
               escape(options.name));
    return kExitUsage;
  }
  auto labels = Labels::open(options);
  if (!labels) return complain(labels.error());
  switch (options.action) {
    case Action::get:
      return get(*labels, options);
    case Action::list:
      return list(*labels, options);
    default:
      return change(*labels, options);
  }
}

}  // namespace holdfast::cli
