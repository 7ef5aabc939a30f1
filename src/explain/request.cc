// SPDX-License-Identifier: Apache-2.0
#include "explain/request.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>

#include "policy/bpf_names.h"
#include "policy/cgroup_path.h"
#include "policy/suggest.h"

namespace holdfast::policy {
namespace {

constexpr std::uint32_t kMaxSandbox = 1'000'000;

constexpr std::string_view kKeys[] = {
    "profile",    "mover",   "hook",    "way",    "type",  "target", "held",
    "held_types", "sandbox", "object",  "src",    "dst",   "op",     "family",
    "command",    "map",     "program", "attach", "flags", "name",
};

// 0: no operation has this way.
std::uint32_t op_of_via(std::uint32_t via) {
  switch (via) {
#define HF_VIA(name, number, word, operation) \
  case HF_VIA_##name:                         \
    return HF_OP_##operation;
#include "core/enums.def"
    default:
      return 0;
  }
}

// The way of a request that has only a hook: the most common one.
std::uint32_t usual_way(std::uint32_t hook) {
  switch (hook) {
#define HF_OP(name, number, word, way) \
  case HF_OP_##name:                   \
    return HF_VIA_##way;
#include "core/enums.def"
    default:
      return HF_VIA_NONE;
  }
}

class Parser {
 public:
  explicit Parser(const Compiled& policy) : policy_(policy) {}

  Result<hf_request> parse(std::string_view text) {
    split(text);
    check_known();
    task();
    operation();
    namespaces();
    cgroups();
    socket();
    label_name();
    mark();
    bpf();
    flags();
    check_used();
    if (!mistake_.empty()) return Error{EINVAL, "read request", "", mistake_};
    return r_;
  }

 private:
  void fail(std::string mistake, const std::string& hint = "") {
    if (!mistake_.empty()) return;
    mistake_ = std::move(mistake);
    if (!hint.empty()) mistake_ += "; " + hint;
  }

  void split(std::string_view text) {
    std::size_t at = 0;
    while ((at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
      const std::size_t equals = text.find_first_of("= \t\n", at);
      if (equals == std::string_view::npos || text[equals] != '=')
        return fail(fmt::format("'{}' is not key=value", text.substr(at, equals - at)));
      const std::string key(text.substr(at, equals - at));
      at = equals + 1;
      const bool quoted = at < text.size() && text[at] == '"';
      if (quoted) at++;
      const std::size_t end =
          quoted ? text.find('"', at) : std::min(text.find_first_of(" \t\n", at), text.size());
      if (end == std::string_view::npos) return fail(fmt::format("'{}' has no closing quote", key));
      add(key, text.substr(at, end - at));
      at = end + (quoted ? 1 : 0);
    }
    if (fields_.empty())
      fail("the request is empty",
           "an example: profile=web hook=namespace_install type=net target=host");
  }

  void add(const std::string& key, std::string_view value) {
    if (!fields_.try_emplace(key, value).second) fail(fmt::format("'{}' is given twice", key));
  }

  // The value of a key, which is then marked as used. Null: the key is absent.
  const std::string* take(std::string_view key) {
    const auto at = fields_.find(key);
    if (at == fields_.end()) return nullptr;
    used_.push_back(key);
    return &at->second;
  }

  std::uint32_t word(std::string_view key, Names names) {
    const std::string* value = take(key);
    if (value == nullptr) return 0;
    const auto found = value_of(names, *value);
    if (!found)
      fail(fmt::format("{}={}: not {}", key, *value, list_of(names)), suggest(*value, names));
    return found.value_or(0);
  }

  std::uint32_t mask(std::string_view key, Names names) {
    const std::string* value = take(key);
    std::uint32_t bits = 0;
    std::string_view rest = value == nullptr ? std::string_view() : *value;
    while (!rest.empty()) {
      const std::string_view one = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      const auto bit = value_of(names, one);
      if (!bit)
        return fail(fmt::format("{}={}: not {}", key, one, list_of(names)), suggest(one, names)), 0;
      bits |= *bit;
    }
    return bits;
  }

  std::uint16_t profile(std::string_view key, std::string_view name) {
    if (name == "none") return HF_NO_PROFILE;
    if (const auto found = policy_.find_profile(name); found && !name.empty()) return *found;
    std::vector<std::string_view> names(policy_.profiles.begin() + 1, policy_.profiles.end());
    names.emplace_back("none");
    fail(fmt::format("{}={}: the policy has no profile '{}'", key, name, name),
         suggest(name, names));
    return HF_NO_PROFILE;
  }

  std::uint32_t number(std::string_view key, std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 ||
        value > kMaxSandbox)
      fail(fmt::format("{}={}: not a number from 1 to {}", key, text, kMaxSandbox));
    return value;
  }

  void task() {
    const std::string* subject = take("profile");
    const std::string* mover = take("mover");
    if (subject != nullptr && mover != nullptr) fail("profile and mover both name the acting task");
    if (subject == nullptr) subject = mover;
    if (subject != nullptr) r_.subject = profile("profile", *subject);
    const std::string* sandbox = take("sandbox");
    if (r_.subject != HF_NO_PROFILE && (sandbox == nullptr || *sandbox != "none"))
      r_.subject_set = sandbox_id(r_.subject, sandbox == nullptr ? 1 : number("sandbox", *sandbox));
    if (const std::string* object = take("object"); object != nullptr)
      r_.object = profile("object", *object);
  }

  void operation() {
    r_.op = static_cast<__u16>(word("hook", kOpNames));
    r_.via = static_cast<__u16>(word("way", kViaNames));
    r_.sock_op = static_cast<__u16>(word("op", kSocketOpNames));
    if (r_.via == HF_VIA_NONE && r_.sock_op != 0)
      r_.via =
          static_cast<__u16>(value_of(kViaNames, name_of(kSocketOpNames, r_.sock_op)).value_or(0));
    for (const auto& [key, way] : kBpfKeys) {
      if (fields_.contains(key)) r_.via = static_cast<__u16>(way);
    }
    const std::uint32_t implied = op_of_via(r_.via);
    if (r_.op == 0) r_.op = static_cast<__u16>(implied);
    if (r_.via == HF_VIA_NONE) r_.via = static_cast<__u16>(usual_way(r_.op));
    if (r_.op == 0)
      return fail(fmt::format("the operation is missing: hook={}", list_of(kOpNames)));
    if (implied != 0 && implied != r_.op)
      fail(fmt::format("{} is not a way of {}", name_of(kViaNames, r_.via),
                       name_of(kOpNames, r_.op)));
  }

  // Parses "NAME#2" or "NAME" to an owner and a set.
  void sandbox(std::string_view key, std::string_view text, __u16& owner, __u64& set) {
    const std::size_t hash = text.find('#');
    owner = text == "own" ? r_.subject : profile(key, text.substr(0, hash));
    if (owner == HF_NO_PROFILE) return fail(fmt::format("{}={}: not a profile", key, text));
    if (text == "own") {
      set = r_.subject_set;
    } else {
      set = sandbox_id(owner,
                       hash == std::string_view::npos ? 1 : number(key, text.substr(hash + 1)));
    }
  }

  void namespaces() {
    const bool install = r_.op == HF_OP_NAMESPACE_INSTALL;
    const bool alloc = r_.op == HF_OP_NAMESPACE_ALLOC;
    if (install || alloc) {
      r_.ns_types = mask("type", kNsTypeNames);
      if (r_.ns_types == 0)
        fail(fmt::format("the type of the namespace is missing: type={}", list_of(kNsTypeNames)));
    }
    if (install) target();
    if (!install && !alloc && r_.op != HF_OP_TRACE) return;
    const std::string* held = take("held");
    if (held == nullptr || *held == "none") return;
    sandbox("held", *held, r_.held_owner, r_.held_set);
    r_.held_types = fields_.contains("held_types") ? mask("held_types", kNsTypeNames) : HF_NS_ALL;
    if (r_.held_types & (HF_NS_PID | HF_NS_USER)) r_.flags |= HF_REQ_HELD_ANCHORED;
  }

  void target() {
    const std::string* target = take("target");
    if (target == nullptr)
      return fail("the owner of the namespace is missing: target=host, own, PROFILE or unknown");
    if (*target == "unknown") return;
    r_.flags |= HF_REQ_TARGET_KNOWN;
    if (*target != "host") sandbox("target", *target, r_.target_owner, r_.target_set);
  }

  void chain(std::string_view key, __u16 (&chain)[HF_MAX_NEST]) {
    const std::string* path = take(key);
    if (path == nullptr) return fail(fmt::format("a cgroup is missing: {}=/PATH", key));
    const std::string mistake = cgroup_path_mistake(*path);
    if (!mistake.empty()) return fail(fmt::format("{}={}: {}", key, *path, mistake));
    const auto profiles = profiles_of_cgroup(policy_, *path);
    if (profiles.size() > HF_MAX_NEST)
      return fail(fmt::format("{}={}: lies in too many bound cgroups", key, *path));
    std::copy(profiles.begin(), profiles.end(), chain);
  }

  void cgroups() {
    if (r_.op != HF_OP_CGROUP_ATTACH) return;
    chain("src", r_.src_chain);
    chain("dst", r_.dst_chain);
    if (!mistake_.empty()) return;
    if (fields_.at("src") == fields_.at("dst")) r_.flags |= HF_REQ_SAME_CGROUP;
    if (!fields_.contains("object")) r_.object = r_.src_chain[0];
  }

  void socket() {
    if (r_.op != HF_OP_SOCKET) return;
    if (r_.sock_op == 0)
      r_.sock_op =
          static_cast<__u16>(value_of(kSocketOpNames, name_of(kViaNames, r_.via)).value_or(0));
    if (r_.sock_op == 0)
      fail(fmt::format("the operation is missing: op={}", list_of(kSocketOpNames)));
    r_.sock_family = static_cast<__u16>(word("family", kFamilyNames));
    if (r_.sock_family == 0)
      fail(fmt::format("the family is missing: family={}", list_of(kFamilyNames)));
    for (const auto& [key, value] : fields_) {
      if (key.starts_with("label.")) label(key, key.substr(6), value, r_.own_labels);
      if (key.starts_with("peer.")) label(key, key.substr(5), value, r_.peer_labels);
    }
  }

  // No rule depends on a label that the policy does not name.
  void label(std::string_view key, std::string_view name, const std::string& value,
             __u32 (&labels)[HF_MAX_LABEL_NAMES]) {
    used_.push_back(key);
    if (!name.starts_with("user.")) return fail(fmt::format("{}: labels are named user.NAME", key));
    const auto& names = policy_.label_names;
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) return;
    const auto& values = policy_.label_values;
    const auto found = std::find(values.begin() + 1, values.end(), value);
    labels[at - names.begin()] =
        found == values.end() ? HF_LABEL_ID_OTHER : static_cast<__u32>(found - values.begin());
  }

  void label_name() {
    if (r_.op != HF_OP_LABEL) return;
    const std::string* name = take("name");
    if (name == nullptr) return fail("the label is missing: name=user.NAME");
    const auto& listed = policy_.label_rights[r_.subject].set;
    if (std::find(listed.begin(), listed.end(), *name) != listed.end())
      r_.flags |= HF_REQ_LABEL_LISTED;
  }

  void mark() {
    if (r_.op == HF_OP_MARK && r_.object == HF_NO_PROFILE)
      fail("the profile of the mark is missing: object=PROFILE");
  }

  void bpf() {
    if (r_.op != HF_OP_BPF) return;
    std::string_view wanted;
    for (const auto& [key, way] : kBpfKeys) {
      if (way == r_.via) wanted = key;
    }
    if (wanted.empty() || !fields_.contains(wanted))
      return fail("the BPF privilege is missing: command=, map=, program= or attach=");
    const std::string* value = take(wanted);
    const Names names = bpf_names(r_.via);
    const auto found = value_of(names, *value);
    if (!found)
      return fail(fmt::format("{}={}: the kernel has no such name", wanted, *value),
                  suggest(*value, names));
    r_.bpf_value = *found;
  }

  void flags() { r_.flags |= mask("flags", kRequestFlagNames); }

  void check_known() {
    const std::vector<std::string_view> keys(std::begin(kKeys), std::end(kKeys));
    for (const auto& [key, value] : fields_) {
      if (key.starts_with("label.") || key.starts_with("peer.")) continue;
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        fail(fmt::format("unknown key '{}'", key), suggest(key, keys));
    }
  }

  void check_used() {
    for (const auto& [key, value] : fields_) {
      if (std::find(used_.begin(), used_.end(), key) == used_.end())
        fail(fmt::format("{} is not a part of a request for {}", key, name_of(kOpNames, r_.op)));
    }
  }

  static constexpr std::array<std::pair<std::string_view, std::uint32_t>, 4> kBpfKeys = {{
      {"command", HF_VIA_BPF_COMMAND},
      {"map", HF_VIA_BPF_MAP},
      {"program", HF_VIA_BPF_PROGRAM},
      {"attach", HF_VIA_BPF_ATTACH},
  }};

  const Compiled& policy_;
  std::map<std::string, std::string, std::less<>> fields_;
  std::vector<std::string_view> used_;
  hf_request r_{};
  std::string mistake_;
};

}  // namespace

std::uint64_t sandbox_id(std::uint16_t profile, std::uint32_t number) {
  return std::uint64_t{profile} << 32 | number;
}

Result<hf_request> parse_request(std::string_view text, const Compiled& policy) {
  return Parser(policy).parse(text);
}

}  // namespace holdfast::policy
