// SPDX-License-Identifier: Apache-2.0
// Delegation is not confined to the container. A token limits which programs may be loaded. The
// kernel does not limit where they are attached: BPF_LINK_CREATE checks no token. A directory
// descriptor of the root cgroup, or a hook of the whole kernel, is sufficient. The table below
// lists, for each program type and its attach types, what the holder of the token can reach.
#include "delegate/explain.h"

#include <fmt/core.h>

#include <bit>
#include <span>
#include <string_view>

#include "base/bpf_names.h"

namespace holdfast::delegate {
namespace {

using std::string_view;

struct Reach {
  std::vector<string_view> programs;
  std::vector<string_view> attachments;  // at least one must be delegated; empty: none is needed
  string_view what;
};

const std::vector<Reach>& reaches() {
  static const std::vector<Reach> kReaches = {
      {{"lsm"},
       {"lsm_mac"},
       "run for every task of this machine, and can refuse what any of them does"},
      {{"lsm"},
       {"lsm_cgroup"},
       "run for every task of any cgroup whose directory the holder can open, the root cgroup "
       "included"},
      {{"cgroup_skb", "cgroup_sock", "cgroup_sock_addr", "cgroup_sockopt", "cgroup_sysctl",
        "cgroup_device", "sock_ops"},
       {"cgroup_inet_ingress",
        "cgroup_inet_egress",
        "cgroup_inet_sock_create",
        "cgroup_inet_sock_release",
        "cgroup_sock_ops",
        "cgroup_device",
        "cgroup_inet4_bind",
        "cgroup_inet6_bind",
        "cgroup_inet4_connect",
        "cgroup_inet6_connect",
        "cgroup_unix_connect",
        "cgroup_inet4_post_bind",
        "cgroup_inet6_post_bind",
        "cgroup_udp4_sendmsg",
        "cgroup_udp6_sendmsg",
        "cgroup_unix_sendmsg",
        "cgroup_sysctl",
        "cgroup_udp4_recvmsg",
        "cgroup_udp6_recvmsg",
        "cgroup_unix_recvmsg",
        "cgroup_getsockopt",
        "cgroup_setsockopt",
        "cgroup_inet4_getpeername",
        "cgroup_inet6_getpeername",
        "cgroup_unix_getpeername",
        "cgroup_inet4_getsockname",
        "cgroup_inet6_getsockname",
        "cgroup_unix_getsockname"},
       "can be attached to any cgroup whose directory the holder can open, the root cgroup "
       "included: "
       "they then see, change or drop what every process of this machine does there"},
      {{"tracing"},
       {"trace_fentry", "trace_fexit", "trace_fsession", "trace_fentry_multi", "trace_fexit_multi",
        "trace_fsession_multi", "trace_raw_tp", "trace_iter"},
       "watch functions of the whole kernel and read its memory, and so every task's"},
      {{"tracing"},
       {"modify_return"},
       "change what functions of the kernel return, for every task"},
      {{"kprobe", "tracepoint", "raw_tracepoint", "raw_tracepoint_writable", "perf_event"},
       {},
       "watch the whole kernel and read its memory, and so every task's"},
      {{"xdp", "sched_cls", "sched_act", "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local",
        "netfilter", "flow_dissector", "sk_lookup"},
       {},
       "see, change or drop every packet of the holder's network namespace: of the machine, "
       "when the container shares the machine's network"},
      {{"struct_ops"},
       {},
       "replace parts of the kernel, such as TCP congestion control or the scheduler, for the "
       "whole machine"},
      {{"ext"}, {}, "replace functions of other programs that the holder can get a descriptor of"},
  };
  return kReaches;
}

std::string join(const std::vector<string_view>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); i++) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

// The rights of a set's holder. Queries use the built-in names (base/bpf_names.h), because the
// meaning of a value never changes.
class Holder {
 public:
  Holder(const Set& set, const Vocabulary& vocabulary) : set_(set), vocabulary_(vocabulary) {}

  [[nodiscard]] bool command(string_view word) const {
    return has(Kind::kCommands, kBpfCommandNames, word);
  }
  [[nodiscard]] bool program(string_view word) const {
    return has(Kind::kPrograms, kBpfProgramNames, word);
  }
  [[nodiscard]] bool attachment(string_view word) const {
    return has(Kind::kAttachments, kBpfAttachNames, word);
  }
  [[nodiscard]] std::uint64_t known(Kind kind) const {
    return set_[kind] & vocabulary_.of(kind).any;
  }
  [[nodiscard]] bool all(Kind kind) const { return known(kind) == vocabulary_.of(kind).any; }
  [[nodiscard]] int count(Kind kind) const { return std::popcount(known(kind)); }
  [[nodiscard]] int missing(Kind kind) const {
    return std::popcount(vocabulary_.of(kind).any) - count(kind);
  }

  // "array, hash and ringbuf"
  [[nodiscard]] std::string list(Kind kind) const {
    std::vector<string_view> words;
    for (std::uint32_t value = 0; value < 64; value++) {
      if ((known(kind) >> value & 1) == 0) continue;
      const string_view word = vocabulary_.word(kind, value);
      words.push_back(word.empty() ? "(unnamed)" : word);
    }
    return join(words);
  }

 private:
  [[nodiscard]] bool has(Kind kind, Names names, string_view word) const {
    const auto value = value_of(names, word);
    return value && *value < 64 && (known(kind) >> *value & 1) != 0;
  }

  const Set& set_;
  const Vocabulary& vocabulary_;
};

void add_grants(const Holder& holder, Explanation& out) {
  if (holder.command("prog_load") && holder.count(Kind::kPrograms) > 0)
    out.may.push_back(holder.all(Kind::kPrograms)
                          ? "load programs of every type"
                          : fmt::format("load {} programs", holder.list(Kind::kPrograms)));
  if (holder.command("map_create") && holder.count(Kind::kMaps) > 0)
    out.may.push_back(holder.all(Kind::kMaps)
                          ? "create maps of every type"
                          : fmt::format("create {} maps", holder.list(Kind::kMaps)));
  if (holder.command("prog_load") && holder.count(Kind::kAttachments) > 0)
    out.may.push_back(holder.all(Kind::kAttachments)
                          ? "load them for every attach type"
                          : fmt::format("load them for {}", holder.list(Kind::kAttachments)));
  if (holder.count(Kind::kCommands) > 0)
    out.may.push_back(holder.all(Kind::kCommands)
                          ? "use a token with every command"
                          : fmt::format("use a token with {}", holder.list(Kind::kCommands)));
}

void add_refusals(const Holder& holder, Explanation& out) {
  struct Line {
    Kind kind;
    string_view command;  // needed to make any object of this kind
    string_view verb;
    string_view noun;
  };
  constexpr std::array<Line, 2> kLines = {{{Kind::kPrograms, "prog_load", "load", "programs"},
                                           {Kind::kMaps, "map_create", "create", "maps"}}};
  for (const Line& line : kLines) {
    if (!holder.command(line.command) || holder.count(line.kind) == 0)
      out.may_not.push_back(fmt::format("{} any {}", line.verb, line.noun));
    else if (holder.missing(line.kind) > 0)
      out.may_not.push_back(fmt::format("{} {} of the other {} types", line.verb, line.noun,
                                        holder.missing(line.kind)));
  }
  if (holder.missing(Kind::kAttachments) > 0 && holder.count(Kind::kAttachments) > 0)
    out.may_not.push_back(fmt::format("load programs for the other {} attach types",
                                      holder.missing(Kind::kAttachments)));
}

void add_reach(const Holder& holder, Explanation& out) {
  if (!holder.command("prog_load")) return;
  for (const Reach& reach : reaches()) {
    std::vector<string_view> programs;
    for (const string_view word : reach.programs) {
      if (holder.program(word)) programs.push_back(word);
    }
    bool attachable = reach.attachments.empty();
    for (const string_view word : reach.attachments) attachable |= holder.attachment(word);
    if (!programs.empty() && attachable)
      out.warnings.push_back(fmt::format("{} programs {}", join(programs), reach.what));
  }
}

void add_missing_rights(const Holder& holder, Explanation& out) {
  const auto lack = [&](bool lacks, string_view text) {
    if (lacks) out.lacking.emplace_back(text);
  };
  const bool programs = holder.count(Kind::kPrograms) > 0;
  const bool maps = holder.count(Kind::kMaps) > 0;
  lack(programs && !holder.command("prog_load"),
       "the command prog_load, without which no program can be loaded");
  lack(maps && !holder.command("map_create"),
       "the command map_create, without which no map can be created");
  lack(programs && !holder.attachment("cgroup_inet_ingress"),
       "the attach type cgroup_inet_ingress: it is number 0, which every program without an attach "
       "type has");
  lack(programs && !holder.program("socket_filter"),
       "the program type socket_filter, with which libbpf probes the kernel");
  lack(programs && !holder.command("btf_load"),
       "the command btf_load, with which libbpf loads type information");
  lack(programs && maps && (holder.known(Kind::kMaps) >> 2 & 1) == 0,
       "the map type array, which libbpf uses for global variables and probes with");
}

}  // namespace

Explanation explain(const Set& set, const Vocabulary& vocabulary) {
  const Holder holder(set, vocabulary);
  Explanation out;
  add_grants(holder, out);
  add_refusals(holder, out);
  add_reach(holder, out);
  add_missing_rights(holder, out);
  return out;
}

}  // namespace holdfast::delegate
