// SPDX-License-Identifier: Apache-2.0
// A program is attached to every function that replaces its hook, four times each. The kernel skips
// a tracing program when another task on the CPU was preempted inside the same program. With four
// copies a call usually finds a free one. If it finds none, there is no verdict and the call is
// refused. The first copy runs the program. The other copies find its verdict and exit, so its side
// effects happen once.
//
// All copies are loaded when libbpf loads the program, so that every error is reported by the load.
// libbpf itself gets a stand-in, which does nothing and cannot be attached. So a loader that attaches
// libbpf's program past this library gets an error, and no copy that enforces nothing.
#include "hooks/adapter.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "bpf/bridge/hooks_verdict.h"

namespace holdfast::hooks {
namespace {

constexpr int kLogBytes = 64 * 1024;

// The last line of the verifier's log, without its statistics.
std::string last_line(std::string_view log) {
  while (!log.empty()) {
    while (log.ends_with('\n')) log.remove_suffix(1);
    const std::size_t start = log.rfind('\n') + 1;  // npos + 1 is 0
    const std::string_view line = log.substr(start);
    if (!line.starts_with("processed ") && !line.starts_with("verification time") &&
        !line.starts_with("stack depth")) {
      return std::string(line);
    }
    log = log.substr(0, start);
  }
  return "";
}

Result<Fd> load_program(bpf_prog_type type, const std::string& name, const Instructions& insns,
                        bpf_prog_load_opts options) {
  std::string log(kLogBytes, '\0');
  options.log_buf = log.data();
  options.log_size = kLogBytes;
  options.log_level = 1;
  int fd = bpf_prog_load(type, name.c_str(), "GPL", insns.data(), insns.size(), &options);
  if (fd == -ENOSPC) {  // the log was too long: load again without a log
    options.log_buf = nullptr;
    options.log_size = 0;
    options.log_level = 0;
    fd = bpf_prog_load(type, name.c_str(), "GPL", insns.data(), insns.size(), &options);
  }
  if (fd < 0) return Error{-fd, "load", name, last_line(log.c_str())};
  return Fd(fd);
}

bool is_alloc(Hook hook) { return hook == Hook::kAlloc || hook == Hook::kInit; }

Refusal refusal_at(Hook hook, AllocRefusal alloc) {
  if (hook == Hook::kFree) return Refusal::kIgnored;  // the hook returns nothing
  if (!is_alloc(hook)) return Refusal::kEnforced;
  return alloc == AllocRefusal::kKill ? Refusal::kKilled : Refusal::kIgnored;
}

}  // namespace

Adapter::Adapter(Hook hook, const Offer& offer, std::string name, Instructions insns)
    : hook_(hook), offer_(offer), name_(std::move(name)), unrelocated_(std::move(insns)) {}

Result<void> Adapter::prepare(bpf_program* program, bpf_prog_load_opts& options,
                              const Choices& choices) {
  copies_.clear();
  enforcer_.reset();
  asking_.reset();
  body_.assign(bpf_program__insns(program),
               bpf_program__insns(program) + bpf_program__insn_cnt(program));
  HF_TRY_ASSIGN(context_, check_instructions(body_, offer_, hook_));
  refusal_ = refusal_at(hook_, choices.alloc_refusal);
  const bool may_be_wrong = refusal_ == Refusal::kEnforced && uses_task_storage(body_);
  storage_ = may_be_wrong ? offer_.storage : StorageDefect{};
  HF_TRY(make_maps());
  HF_TRY(make_scope(choices.scope_cgroup_fd));
  HF_TRY_ASSIGN(debug_, patch_debug_info(options));
  complete_ = false;
  HF_TRY_ASSIGN(const std::optional<Failed> failed, load_all(options, choices));
  if (failed) return hand_over_failed(*failed, program, options);
  HF_TRY(make_enforcer());
  HF_TRY(hand_over_stand_in(program, options));
  complete_ = true;
  return {};
}

// Without enforcement an entry only prevents a second run by another copy. It may be lost, so an
// LRU map is sufficient.
Result<void> Adapter::make_maps() {
  const bool enforced = refusal_ == Refusal::kEnforced;
  verdicts_.reset(bpf_map_create(enforced ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_LRU_HASH,
                                 "hf_verdicts", sizeof(std::uint64_t), sizeof(hf_hook_verdict),
                                 HF_OP_CALLS, nullptr));
  if (!verdicts_) return Error{errno, "create map", "hf_verdicts", ""};
  if (hook_ != Hook::kCgroupAttach) return {};
  HF_TRY_ASSIGN(tasks_, make_task_map());
  return {};
}

// The scope of a cgroup_attach program is about the moved task, not the task that moves it. The
// enforcer checks the cgroup of the moved task when it records it.
Result<void> Adapter::make_scope(int cgroup_fd) {
  scope_.reset();
  scope_id_ = 0;
  if (cgroup_fd < 0) return {};
  struct stat status {};
  if (fstat(cgroup_fd, &status) < 0) return Error{errno, "limit to a cgroup", name_, ""};
  scope_id_ = status.st_ino;
  if (hook_ == Hook::kCgroupAttach) return {};
  scope_.reset(bpf_map_create(BPF_MAP_TYPE_CGROUP_ARRAY, "hf_scope", sizeof(std::uint32_t),
                              sizeof(std::uint32_t), 1, nullptr));
  if (!scope_) return Error{errno, "create map", "hf_scope", ""};
  const std::uint32_t key = 0;
  if (bpf_map_update_elem(scope_.get(), &key, &cgroup_fd, BPF_ANY) < 0) {
    return Error{errno, "limit to a cgroup", name_, ""};
  }
  return {};
}

Result<void> Adapter::make_enforcer() {
  if (refusal_ != Refusal::kEnforced) return {};
  HF_TRY_ASSIGN(enforcer_, Enforcer::create(hook_, {.verdicts_fd = verdicts_.get(),
                                                    .scope_fd = scope_.get(),
                                                    .tasks_fd = tasks_.get(),
                                                    .scope_id = scope_id_}));
  return {};
}

Wrapping Adapter::wrapping(const Site& site, int copy) const {
  return {.site = &site,
          .verdicts_fd = verdicts_.get(),
          .scope_fd = scope_.get(),
          .tasks_fd = tasks_.get(),
          .copy = copy,
          .refusal = refusal_,
          .context = context_,
          .storage = storage_};
}

Instructions Adapter::whole(const Site& site, int copy) const {
  Instructions insns = wrapper(wrapping(site, copy));
  Instructions body = body_;
  if (!offer_.has_ns_type) repair_ns_type(body, unrelocated_, site, debug_.ns_type_offset);
  insns.insert(insns.end(), body.begin(), body.end());
  return insns;
}

Result<std::optional<Adapter::Failed>> Adapter::load_all(const bpf_prog_load_opts& options,
                                                         const Choices& choices) {
  return is_alloc(hook_) ? load_alloc(options, choices) : load_copies(options);
}

// A program that always returns 0 runs once, when the namespace is made. Whether it does is known
// only when it is loaded for every type: where the kernel lacks ns_type, the type is a constant.
Result<std::optional<Adapter::Failed>> Adapter::load_alloc(const bpf_prog_load_opts& options,
                                                           const Choices& choices) {
  const bool asks = choices.alloc_refusal == AllocRefusal::kAsk ||
                    choices.alloc_refusal == AllocRefusal::kAskAndTell;
  if (!asks) return load_copies(options);
  const Refusal chosen = std::exchange(refusal_, Refusal::kNone);
  if (auto loaded = load_copies(options); loaded && !*loaded) return loaded;
  copies_.clear();
  refusal_ = chosen;
  // What does not verify is reported as for other hooks.
  if (!verifies(options)) return load_copies(options);
  HF_TRY(load_asking(options));
  if (choices.alloc_refusal == AllocRefusal::kAsk) return std::optional<Failed>();
  return load_copies(options);
}

Result<void> Adapter::load_asking(const bpf_prog_load_opts& options) {
  Instructions body = body_;
  if (!offer_.has_ns_type)
    repair_ns_type_by_offset(body, unrelocated_, offer_.ns_type_offset, debug_.ns_type_offset);
  const auto load = [&](const Instructions& before, std::uint32_t attach_id) {
    Instructions insns = before;
    insns.insert(insns.end(), body.begin(), body.end());
    bpf_prog_load_opts own = options;
    std::vector<bpf_func_info> functions;
    std::vector<bpf_line_info> lines;
    debug_.apply_to(own, static_cast<std::uint32_t>(before.size()), functions, lines);
    own.attach_btf_id = attach_id;
    own.expected_attach_type = BPF_LSM_MAC;
    return wrap(load_program(BPF_PROG_TYPE_LSM, name_, insns, own),
                "asked before a namespace is made");
  };
  const bool watch_storage = offer_.storage.busy_id != 0 && uses_task_storage(body);
  HF_TRY_ASSIGN(asking_, Asking::create({.bytes = offer_.ns_common_bytes,
                                         .ns_type_offset = offer_.ns_type_offset},
                                        scope_.get(), watch_storage, load));
  return {};
}

// If a copy at the first site does not verify, libbpf gets it to load, and reports it as the object's
// owner configured. So this function reports only failures at other sites.
Result<std::optional<Adapter::Failed>> Adapter::load_copies(const bpf_prog_load_opts& options) {
  const Site* first = offer_.sites.data();
  for (const Site& site : offer_.sites) {
    if (refusal_ == Refusal::kEnforced) {
      HF_TRY(load_verdict_cleaner(site));
    }
    for (int copy = 0; copy < site.copies; copy++) {
      Result<void> loaded = load_copy(site, copy, options);
      if (loaded) continue;
      if (&site == first) return std::optional(Failed{&site, copy});
      return wrap(std::move(loaded).error(), site.function);
    }
  }
  return std::optional<Failed>();
}

bool Adapter::verifies(const bpf_prog_load_opts& options) {
  const bool loaded = static_cast<bool>(load_copy(offer_.sites.front(), 0, options));
  copies_.clear();
  return loaded;
}

Result<void> Adapter::load_copy(const Site& site, int copy, const bpf_prog_load_opts& options) {
  const Instructions insns = whole(site, copy);
  bpf_prog_load_opts own = options;
  std::vector<bpf_func_info> functions;
  std::vector<bpf_line_info> lines;
  debug_.apply_to(own, static_cast<std::uint32_t>(insns.size() - body_.size()), functions, lines);
  own.attach_btf_id = site.function_id;
  own.expected_attach_type = site.attach;
  HF_TRY_ASSIGN(Fd program, load_program(BPF_PROG_TYPE_TRACING, name_, insns, own));
  copies_.push_back({std::move(program), site.attach});
  return {};
}

Result<void> Adapter::load_verdict_cleaner(const Site& site) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.attach_btf_id = site.function_id;
  options.expected_attach_type = BPF_TRACE_FEXIT;
  HF_TRY_ASSIGN(Fd program, wrap(load_program(BPF_PROG_TYPE_TRACING, "hf_forget",
                                              verdict_cleaner(verdicts_.get()), options),
                                 site.function));
  copies_.push_back({std::move(program), BPF_TRACE_FEXIT});
  return {};
}

Result<void> Adapter::hand_over(const Instructions& insns, std::uint32_t function_id,
                                bpf_attach_type attach, bpf_program* program,
                                bpf_prog_load_opts& options) {
  // libbpf copies the instructions.
  if (const int error =
          bpf_program__set_insns(program, const_cast<bpf_insn*>(insns.data()), insns.size());
      error < 0) {
    return Error{-error, "replace the instructions of", name_, ""};
  }
  options.attach_btf_id = function_id;
  // libbpf 1.5 and later read it here. Earlier ones read it from the program after prepare() has
  // returned.
  options.expected_attach_type = attach;
  bpf_program__set_expected_attach_type(program, attach);
  return {};
}

Result<void> Adapter::hand_over_failed(const Failed& failed, bpf_program* program,
                                       bpf_prog_load_opts& options) {
  const Instructions insns = whole(*failed.site, failed.copy);
  debug_.apply_to(options, static_cast<std::uint32_t>(insns.size() - body_.size()), functions_,
                  lines_);
  return hand_over(insns, failed.site->function_id, failed.site->attach, program, options);
}

// Without the author's functions and lines, of which it has none.
Result<void> Adapter::hand_over_stand_in(bpf_program* program, bpf_prog_load_opts& options) {
  options.func_info_cnt = 0;
  options.line_info_cnt = 0;
  return hand_over(stand_in(), offer_.stand_in_id, BPF_TRACE_ITER, program, options);
}

Result<bpf_link*> Adapter::attach(const bpf_program* program) {
  if (!complete_) return Error{EINVAL, "attach", name_, "it is not loaded"};
  bpf_prog_info info{};
  __u32 info_bytes = sizeof info;
  // The functions for programs and for types alone are of libbpf 1.2.
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &info_bytes) < 0) {
    return Error{errno, "describe", name_, ""};
  }
  if (!info.gpl_compatible) {
    return Error{EINVAL, "attach", name_, "LSM programs must have a GPL compatible license"};
  }
  auto attachment = std::make_shared<Attachment>();
  const auto link = [&](int program_fd, bpf_attach_type type) -> Result<void> {
    Fd fd(bpf_link_create(program_fd, 0, type, nullptr));
    if (!fd) return Error{errno, "attach", name_, ""};
    attachment->links.push_back(std::move(fd));
    return {};
  };
  for (const Copy& copy : copies_) {
    HF_TRY(link(copy.program.get(), copy.attach));
  }
  std::vector<Fd> own;
  if (enforcer_) {
    HF_TRY_ASSIGN(own, enforcer_->attach());
  } else if (asking_) {
    HF_TRY_ASSIGN(own, asking_->attach());
  }
  attachment->links.insert(attachment->links.begin(), std::make_move_iterator(own.begin()),
                           std::make_move_iterator(own.end()));
  return make_link(std::move(attachment));
}

}  // namespace holdfast::hooks
