// SPDX-License-Identifier: Apache-2.0
#include "policy/enum_names.h"

#include <fmt/core.h>

#include <cstring>

namespace holdfast::policy {

std::string mask_text(Names names, std::uint32_t mask, std::string_view separator) {
  std::string text;
  auto append = [&](std::string_view word) {
    if (!text.empty()) text += separator;
    text += word;
  };
  for (const Name& name : names) {
    if ((mask & name.value) == 0) continue;
    append(name.text);
    mask &= ~name.value;
  }
  if (mask != 0) append(fmt::format("{:#x}", mask));
  return text;
}

std::string list_of(Names names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); i++) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i].text;
  }
  return text;
}

std::string_view describe_reason(std::uint32_t reason) {
  switch (reason) {
    case HF_REASON_DEFAULT:
      return "nothing forbids it";
    case HF_REASON_RULE:
      return "a rule allows it";
    case HF_REASON_CREATE:
      return "may not make namespaces of this type";
    case HF_REASON_ENTER_NONE:
      return "may not enter any namespace";
    case HF_REASON_NOT_OWN:
      return "may enter only namespaces of its own sandbox";
    case HF_REASON_LOCKED:
      return "locked into this sandbox";
    case HF_REASON_ANCHOR:
      return "would leave the sandbox it is locked into by making new namespaces";
    case HF_REASON_VISITORS_DENY:
      return "this sandbox refuses visitors";
    case HF_REASON_LOCK_ON_ENTRY:
      return "locked into the sandbox on entry";
    case HF_REASON_TARGET_UNKNOWN:
      return "a rule depends on the target, and the target is not known";
    case HF_REASON_TRACE_OUTSIDE:
      return "may not trace a task that is not confined with it";
    case HF_REASON_LEAVE:
      return "this mover may not take tasks out of the profile's cgroup";
    case HF_REASON_JOIN:
      return "this mover may not bring tasks into the profile's cgroup";
    case HF_REASON_INSIDE:
      return "this move inside the profile's cgroup is not allowed";
    case HF_REASON_SAME_CGROUP:
      return "source and destination are the same cgroup";
    case HF_REASON_SOCKET_DENY:
      return "a socket rule refuses it";
    case HF_REASON_SOCKET_RATE:
      return "a socket rule limits its rate";
    case HF_REASON_BPF_DELEGATE:
      return "not among the delegated BPF privileges";
    case HF_REASON_BPF_ATTACH_TO:
      return "could have effects outside of its own cgroup";
    case HF_REASON_BPF_QUOTA:
      return "the profile's quota is used up";
    case HF_REASON_BPF_FOREIGN:
      return "BPF objects neither enter nor leave this profile";
    case HF_REASON_BAD_REQUEST:
      return "the facts or the tables are invalid: refused";
    case HF_REASON_LABEL_SET:
      return "may not set or remove this label";
    case HF_REASON_MARK:
      return "may not change the mark of this profile, or control a file or task that has it";
    case HF_REASON_FACTS_MISSING:
      return "a fact that the decision needs could not be read: refused";
    default:
      return "unknown reason";
  }
}

std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : fmt::format("errno {}", error);
}

}  // namespace holdfast::policy
