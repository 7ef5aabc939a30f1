// SPDX-License-Identifier: Apache-2.0
// A program is attached to every function that stands in for its hook, four times each: the kernel
// skips a tracing program when another task on the CPU was preempted inside the same one, and with
// four the call always finds one that is free, or else is refused for want of a verdict. Whichever
// copy comes first runs the program, the others see its verdict and leave, so that its side effects
// happen once.
//
// Everything is loaded when libbpf loads the program, so that what cannot work fails there.
#include "hooks/adapter.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "bpf/bridge/hooks_verdict.h"

namespace holdfast::hooks {
namespace {

constexpr int kLogBytes = 64 * 1024;

// The verifier's last words, without its statistics.
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

Result<Fd> load_program(const std::string& name, const Instructions& insns,
                        bpf_prog_load_opts options) {
  std::string log(kLogBytes, '\0');
  options.log_buf = log.data();
  options.log_size = kLogBytes;
  options.log_level = 1;
  int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, name.c_str(), "GPL", insns.data(), insns.size(),
                         &options);
  if (fd == -ENOSPC) {  // the log did not fit: what matters is whether it loads
    options.log_buf = nullptr;
    options.log_size = 0;
    options.log_level = 0;
    fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, name.c_str(), "GPL", insns.data(), insns.size(),
                       &options);
  }
  if (fd < 0) return Error{-fd, "load", name, last_line(log.c_str())};
  return Fd(fd);
}

Refusal refusal_at(Hook hook, const Choices& choices) {
  switch (hook) {
    case Hook::kAlloc:
      return choices.alloc_refusal;
    case Hook::kFree:
      return Refusal::kIgnored;  // the hook returns nothing
    case Hook::kInstall:
    case Hook::kCgroupAttach:
      break;
  }
  return Refusal::kEnforced;
}

}  // namespace

Adapter::Adapter(Hook hook, const Offer& offer, std::string name, Instructions insns)
    : hook_(hook), offer_(offer), name_(std::move(name)), unrelocated_(std::move(insns)) {}

Result<void> Adapter::prepare(bpf_program* program, bpf_prog_load_opts& options,
                              const Choices& choices) {
  copies_.clear();
  enforcer_.reset();
  body_.assign(bpf_program__insns(program),
               bpf_program__insns(program) + bpf_program__insn_cnt(program));
  HF_TRY_ASSIGN(context_, check_instructions(body_, offer_, hook_));
  refusal_ = refusal_at(hook_, choices);
  const bool may_be_wrong = refusal_ == Refusal::kEnforced && uses_task_storage(body_);
  storage_ = may_be_wrong ? offer_.storage : StorageDefect{};
  HF_TRY(make_maps());
  HF_TRY(make_scope(choices.scope_cgroup_fd));
  HF_TRY_ASSIGN(debug_, patch_debug_info(options));
  HF_TRY(load_copies(options));
  HF_TRY(make_enforcer());
  return hand_first_copy_to_libbpf(program, options);
}

// Where nothing is enforced, an entry only keeps the copies from repeating each other, and may be
// lost.
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

// The tasks that a cgroup_attach program is for are those that move, not those that move them:
// their cgroup is looked at where they are found.
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

// The first copy at the first site is libbpf's. When one there does not verify, libbpf's will not
// either, and it reports that the way the object's owner asked for; only what fails elsewhere is
// reported here.
Result<void> Adapter::load_copies(const bpf_prog_load_opts& options) {
  if (refuses_in_vain(options)) {
    return Error{
        EOPNOTSUPP, "bridge " + std::string(hook_name(hook_)), name_,
        "it may return something other than 0, and this kernel cannot undo a namespace that "
        "exists: let it kill the task, or ignore what it returns "
        "(holdfast_hooks_alloc_refusal)"};
  }
  const Site* first = offer_.sites.data();
  for (const Site& site : offer_.sites) {
    if (refusal_ == Refusal::kEnforced) {
      HF_TRY(load_forgetter(site));
    }
    for (int copy = &site == first ? 1 : 0; copy < site.copies; copy++) {
      Result<void> loaded = load_copy(site, copy, options);
      if (loaded) continue;
      if (&site == first) return {};
      return wrap(std::move(loaded).error(), site.function);
    }
  }
  return {};
}

// Whether the program verifies but for what it returns.
bool Adapter::refuses_in_vain(const bpf_prog_load_opts& options) {
  if (refusal_ != Refusal::kNeverAsked) return false;
  const Site& site = offer_.sites.front();
  bool in_vain = false;
  if (!load_copy(site, 0, options)) {
    refusal_ = Refusal::kIgnored;
    in_vain = static_cast<bool>(load_copy(site, 0, options));
    refusal_ = Refusal::kNeverAsked;
  }
  copies_.clear();
  return in_vain;
}

Result<void> Adapter::load_copy(const Site& site, int copy, const bpf_prog_load_opts& options) {
  const Instructions insns = whole(site, copy);
  bpf_prog_load_opts own = options;
  std::vector<bpf_func_info> functions;
  std::vector<bpf_line_info> lines;
  debug_.put_into(own, static_cast<std::uint32_t>(insns.size() - body_.size()), functions, lines);
  own.attach_btf_id = site.function_id;
  own.expected_attach_type = site.attach;
  HF_TRY_ASSIGN(Fd program, load_program(name_, insns, own));
  copies_.push_back({std::move(program), site.attach});
  return {};
}

Result<void> Adapter::load_forgetter(const Site& site) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.attach_btf_id = site.function_id;
  options.expected_attach_type = BPF_TRACE_FEXIT;
  HF_TRY_ASSIGN(
      Fd program,
      wrap(load_program("hf_forget", forget_verdict(verdicts_.get()), options), site.function));
  copies_.push_back({std::move(program), BPF_TRACE_FEXIT});
  return {};
}

Result<void> Adapter::hand_first_copy_to_libbpf(bpf_program* program, bpf_prog_load_opts& options) {
  const Site& site = offer_.sites.front();
  Instructions insns = whole(site, 0);
  if (const int error = bpf_program__set_insns(program, insns.data(), insns.size()); error < 0) {
    return Error{-error, "replace the instructions of", name_, ""};
  }
  debug_.put_into(options, static_cast<std::uint32_t>(insns.size() - body_.size()), functions_,
                  lines_);
  options.attach_btf_id = site.function_id;
  // libbpf takes this one from the program, once this function has returned.
  bpf_program__set_expected_attach_type(program, site.attach);
  return {};
}

Result<bpf_link*> Adapter::attach(const bpf_program* program) {
  if (!verdicts_) return Error{EINVAL, "attach", name_, "it is not loaded"};
  bpf_prog_info info{};
  __u32 info_bytes = sizeof info;
  if (bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &info_bytes) < 0) {
    return Error{errno, "look at", name_, ""};
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
  HF_TRY(link(bpf_program__fd(program), offer_.sites.front().attach));
  for (const Copy& copy : copies_) {
    HF_TRY(link(copy.program.get(), copy.attach));
  }
  if (enforcer_) {
    HF_TRY_ASSIGN(std::vector<Fd> enforcing, enforcer_->attach());
    attachment->links.insert(attachment->links.begin(), std::make_move_iterator(enforcing.begin()),
                             std::make_move_iterator(enforcing.end()));
  }
  return make_link(std::move(attachment));
}

}  // namespace holdfast::hooks
