// SPDX-License-Identifier: Apache-2.0
#include "backend/lsm/machine/sessions.h"

#include <bpf/bpf.h>
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>
#include <tuple>
#include <utility>

#include "backend/decided.h"
#include "backend/lsm/machine/machine_labels.h"
#include "core/bpf_objects.h"
#include "core/decide.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/bpf/map_keys.h"
#include "kernel/proc/proc.h"
#include "kernel/process/process.h"
#include "kernel/system_error.h"

namespace holdfast::backend::lsm {

namespace {

// No number of a machine's policy has this bit.
constexpr std::uint64_t kGenerations = std::uint64_t{1} << 62;
constexpr std::uint32_t kAllUsers = 0;  // its number counts for all ordinary users
constexpr char kAdopter[] = "session_adopt_task";
constexpr char kFinder[] = "session_find_task";

Error bpf_failed(int code, std::string operation, std::string object = {}) {
  return Error{-code, std::move(operation), std::move(object), {}};
}

// HF_NS_* of inode numbers by bit number.
std::uint32_t types_of(std::span<const std::uint32_t, HF_NS_COUNT> inodes) {
  std::uint32_t types = 0;
  for (std::size_t bit = 0; bit < HF_NS_COUNT; bit++)
    if (inodes[bit] != 0) types |= 1u << bit;
  return types;
}

template <typename Value>
std::atomic_ref<Value> shared(Value& value) {
  return std::atomic_ref<Value>(value);
}

// The map of a slot. No descriptor: the slot is free.
Result<Fd> tables_in(int outer_fd, std::uint32_t slot, std::uint32_t* id) {
  if (bpf_map_lookup_elem(outer_fd, &slot, id) != 0) return Fd();
  Fd inner(bpf_map_get_fd_by_id(*id));
  if (!inner) return kernel::system_error("open session's policy");
  return inner;
}

// The map may be of another build, and the kernel writes as much as its values have.
Result<std::unique_ptr<hf_tables>> read_tables(int fd) {
  const Error other = {EPROTO, "read session's policy", {}, "it is of another version"};
  HF_TRY_ASSIGN(const auto shape, kernel::map_shape(fd));
  if (shape.value_bytes != sizeof(hf_tables)) return other;
  auto tables = std::make_unique<hf_tables>();
  const std::uint32_t zero = 0;
  if (const int code = bpf_map_lookup_elem(fd, &zero, tables.get()); code != 0)
    return bpf_failed(code, "read session's policy");
  if (tables->magic != HF_TABLES_MAGIC || tables->version != HF_ABI_VERSION) return other;
  return tables;
}

// The entries of one generation, which comes first in each key.
template <typename Entry>
Result<std::vector<Entry>> entries_of(int map_fd, std::uint64_t generation) {
  std::vector<Entry> entries;
  decltype(Entry::key) key = {};
  for (kernel::MapKeys keys(map_fd, sizeof(key)); keys.next(&key);) {
    if (key.generation != generation) continue;
    Entry entry = {key, {}};
    if (bpf_map_lookup_elem(map_fd, &key, &entry.value) != 0)
      return kernel::system_error("read session's policy", "sockets");
    entries.push_back(entry);
  }
  return entries;
}

// Members are kept from programs that the kernel starts, and from terminals, whatever the rules are.
PolicyNeeds session_needs(const hf_tables& tables, const SocketPolicy& sockets) {
  PolicyNeeds needs = needs_of(tables, sockets, false);
  needs.profiles = false;
  needs.families |= kHelpers;
  // Every task in the user namespace of the sandbox can use its tokens.
  if (needs.bpf) needs.families |= kNamespaces | kTracking;
  needs.helpers = true;
  return needs;
}

// What the maps say of sockets and labels under a generation.
Result<SocketPolicy> read_sockets(const SocketMaps& maps, std::uint64_t generation) {
  SocketPolicy policy;
  HF_TRY_ASSIGN(policy.ids,
                entries_of<typename decltype(policy.ids)::value_type>(maps.ids, generation));
  HF_TRY_ASSIGN(policy.profiles, entries_of<typename decltype(policy.profiles)::value_type>(
                                     maps.profiles, generation));
  HF_TRY_ASSIGN(policy.rates,
                entries_of<typename decltype(policy.rates)::value_type>(maps.rates, generation));
  for (const auto& profile : policy.profiles) add_rules(policy, profile.value);
  return policy;
}

// The maps of what a policy says beside its tables. Borrowed descriptors.
struct RuleMaps {
  SocketMaps sockets;
  int names = -1;  // of cgroups
  int globs = -1;
};

// A policy that the maps have already.
Result<std::shared_ptr<const SessionPolicy>> read_policy(Fd tables_map, const RuleMaps& maps) {
  HF_TRY_ASSIGN(const auto tables, read_tables(tables_map.get()));
  auto policy = std::make_shared<SessionPolicy>();
  policy->generation = tables->generation;
  policy->tables = std::move(tables_map);
  HF_TRY_ASSIGN(policy->sockets, read_sockets(maps.sockets, policy->generation));
  HF_TRY_ASSIGN(policy->paths.names, entries_of<CgroupPaths::Name>(maps.names, policy->generation));
  HF_TRY_ASSIGN(policy->paths.globs, entries_of<CgroupPaths::Glob>(maps.globs, policy->generation));
  policy->needs = session_needs(*tables, policy->sockets);
  return std::shared_ptr<const SessionPolicy>(std::move(policy));
}

}  // namespace

Result<std::unique_ptr<MachineSessions>> MachineSessions::find(MachinePrograms& programs) {
  HF_TRY_ASSIGN(auto states, kernel::MappedValue::map(programs.map_fd("session_states"),
                                                      HF_LAYER_SLOTS * sizeof(hf_session_state)));
  HF_TRY_ASSIGN(auto users, kernel::MappedValue::map(programs.map_fd("session_users"),
                                                     HF_USER_SLOTS * sizeof(hf_session_user)));
  std::unique_ptr<MachineSessions> sessions(
      new MachineSessions(programs, std::move(states), std::move(users)));
  sessions->user(kAllUsers).members_most = HF_USER_TASKS;
  sessions->next_generation_ = kGenerations + 1;
  HF_TRY(sessions->find_open());
  return sessions;
}

hf_session_state& MachineSessions::state(std::uint32_t slot) const {
  return static_cast<hf_session_state*>(states_.data())[slot];
}

hf_session_user& MachineSessions::user(std::uint32_t number) const {
  return static_cast<hf_session_user*>(users_.data())[number % HF_USER_SLOTS];
}

void MachineSessions::know(const SessionPolicy& policy) {
  next_generation_ = std::max(next_generation_, policy.generation + 1);
  programs_.keep_generation(policy.generation);
}

Result<void> MachineSessions::find_open() {
  std::map<std::uint32_t, std::shared_ptr<const SessionPolicy>> by_map;
  for (std::uint32_t slot = 1; slot < HF_LAYER_SLOTS; slot++) {
    const std::uint64_t session = state(slot).id;
    if (session == 0) continue;
    std::uint32_t id = 0;
    HF_TRY_ASSIGN(auto inner, tables_in(programs_.map_fd("session_tables"), slot, &id));
    auto& policy = by_map[id];
    if (inner && !policy) {
      HF_TRY_ASSIGN(policy, read_policy(std::move(inner),
                                        {programs_.socket_maps(), programs_.map_fd("cgroup_names"),
                                         programs_.map_fd("cgroup_globs")}));
      know(*policy);
    }
    // Without a policy: a process ended before it was there. Its members are refused everything.
    sessions_[session] = {slot, policy};
  }
  changed();
  return {};
}

Result<std::shared_ptr<const SessionPolicy>> MachineSessions::prepare(const MachineSpec& spec,
                                                                      const std::string& key,
                                                                      const hf_sip_key& labels) {
  if (auto known = by_key_[key].lock()) return known;
  std::erase_if(by_key_, [](const auto& entry) { return entry.second.expired(); });
  auto policy = std::make_shared<SessionPolicy>();
  policy->generation = next_generation_++;
  auto tables = std::make_unique<hf_tables>(*spec.tables);
  tables->generation = policy->generation;
  HF_TRY_ASSIGN(policy->sockets, socket_policy(spec, policy->generation, labels));
  if (restricts_moves(*tables)) {
    HF_TRY_ASSIGN(policy->paths, build_cgroup_paths(spec.bindings, policy->generation));
  }
  policy->needs = session_needs(*tables, policy->sockets);
  HF_TRY_ASSIGN(policy->tables, frozen_tables(*tables));
  by_key_[key] = policy;
  return std::shared_ptr<const SessionPolicy>(std::move(policy));
}

std::optional<std::uint32_t> MachineSessions::free_slot() const {
  std::set<std::uint32_t> used;
  for (const auto& [id, session] : sessions_) used.insert(session.slot);
  for (std::uint32_t slot = 1; slot < HF_LAYER_SLOTS; slot++)
    if (!used.contains(slot)) return slot;
  return std::nullopt;
}

namespace {

std::size_t entries_of(const SocketPolicy& policy) {
  return policy.ids.size() + policy.profiles.size() + policy.rates.size();
}

Error quota_reached(const char* what, std::uint64_t most) {
  return Error{
      EDQUOT, "open session", {}, fmt::format("this user's quota of {} is {}", what, most)};
}

Error users_have_all(const char* what) {
  return Error{ENOSPC, "open session", {}, fmt::format("ordinary users have too many {}", what)};
}

}  // namespace

// What users may have together leaves root's share free. Namespaces are set aside as a whole.
Result<std::uint32_t> MachineSessions::admit(const SessionPolicy& policy,
                                             const SessionOpening& opening) const {
  const UserLimits& limits = *opening.user;
  std::size_t own_sessions = 0, all_sessions = 0, namespaces = 0, entries = 0;
  std::uint32_t number = 0;
  std::set<const SessionPolicy*> own_policies = {&policy}, all_policies = {&policy};
  std::set<std::uint32_t> taken;
  for (const auto& [id, session] : sessions_) {
    const hf_session_state& other = state(session.slot);
    if (other.user == 0) continue;
    taken.insert(other.user);
    all_sessions++;
    namespaces += other.tracked_share;
    if (session.policy) all_policies.insert(session.policy.get());
    if (other.owner != opening.owner) continue;
    number = other.user;
    own_sessions++;
    if (session.policy) own_policies.insert(session.policy.get());
  }
  for (const SessionPolicy* one : all_policies) entries += entries_of(one->sockets);
  if (own_sessions >= limits.sessions) return quota_reached("sessions", limits.sessions);
  if (own_policies.size() > limits.policies) return quota_reached("policies", limits.policies);
  if (number != 0 && shared(user(number).members).load() >= limits.members)
    return quota_reached("members", limits.members);
  if (all_sessions >= HF_USER_SESSIONS) return users_have_all("sessions");
  if (all_policies.size() > HF_USER_POLICIES) return users_have_all("policies");
  if (entries > HF_USER_ENTRIES) return users_have_all("rules");
  if (namespaces + limits.namespaces > HF_USER_TRACKED) return users_have_all("namespaces");
  if (number != 0) return number;
  for (number = 1; number < HF_USER_SLOTS; number++)
    if (!taken.contains(number)) return number;
  return Error{ENOSPC, "open session", {}, "too many users have sessions"};
}

Result<std::uint64_t> MachineSessions::open(std::shared_ptr<const SessionPolicy> policy,
                                            const SessionOpening& opening) {
  const auto slot = free_slot();
  if (!slot) return Error{ENOSPC, "open session", {}, "there are too many"};
  std::uint32_t number = 0;
  if (opening.user) {
    HF_TRY_ASSIGN(number, admit(*policy, opening));
  }
  // Slot 0 is the machine's, and keeps the last id that was given.
  const std::uint64_t id = shared(state(HF_LAYER_MACHINE).id).fetch_add(1) + 1;
  const Session session = {*slot, policy};
  const bool is_new = std::ranges::none_of(
      sessions_, [&](const auto& other) { return other.second.policy == policy; });
  if (is_new) {
    programs_.keep_generation(policy->generation);
    auto inserted = insert(programs_.socket_maps(), policy->sockets);
    if (inserted) inserted = programs_.bind_paths(policy->paths);
    if (!inserted) {
      programs_.drop_generation(policy->generation);
      return inserted.error();
    }
  }
  sessions_[id] = session;
  // What the programs read of the user is there before they meet the session.
  if (number != 0) {
    user(number).uid = opening.owner;
    user(number).members_most = opening.user->members;
  }
  const auto begin = [&]() -> Result<void> {
    hf_session_state& fresh = state(*slot);
    fresh = {};
    fresh.owner = opening.owner;
    fresh.profile = opening.profile;
    fresh.moves = (policy->needs.families & kMoves) != 0;
    fresh.channel = opening.channel_cookie;
    fresh.user = number;
    if (opening.user) fresh.tracked_share = opening.user->namespaces;
    fresh.asked = opening.container_of;
    fresh.setup = opening.container_of != 0 ? 1 : 0;
    shared(fresh.id).store(id);
    changed();
    const int tables_fd = policy->tables.get();
    if (const int code =
            bpf_map_update_elem(programs_.map_fd("session_tables"), &*slot, &tables_fd, BPF_ANY);
        code != 0)
      return bpf_failed(code, "open session");
    hf_adoption adoption = {};
    adoption.layer = {HF_SET_OF_SESSION | id, *slot, opening.profile, 0};
    adoption.owner = opening.user && opening.container_of == 0 ? opening.owner : HF_NO_UID;
    std::ranges::copy(opening.namespaces, adoption.inum);
    adoption.own = HF_NS_ALL;
    if (opening.container_of == 0) {
      HF_TRY_ASSIGN(std::ignore, adopt(adoption, opening.tid));
      return {};
    }
    adoption.layer.setup = HF_SETUP_FIRST;
    adoption.own = without_others(opening);
    adoption.wanted = types_of(opening.namespaces);
    return adopt_threads(adoption, opening.tid);
  };
  auto begun = begin();
  if (begun) return id;
  // A task that has joined stays held until it ends, and the slot stays its session's.
  if (shared(state(*slot).members).load() == 0) {
    sessions_.erase(id);
    take_down(id, session);
  }
  return begun.error();
}

namespace {

Error not_joined(std::uint32_t refused) {
  const auto error = [](int code, const char* why) { return Error{code, "join session", {}, why}; };
  switch (refused) {
    case HF_ADOPTION_PRIVILEGES:
      return error(EPERM, "the task may gain privileges: it has not set no_new_privs");
    case HF_ADOPTION_OTHERS:
      return error(EPERM, "the task is not this user's alone, or it has privileges");
    default:
      return error(EPERM, "a namespace of the sandbox was not made by this user");
  }
}

}  // namespace

// Of the namespaces of a container, those that no other sandbox of a session has: containers of a pod
// share some.
std::uint32_t MachineSessions::without_others(const SessionOpening& opening) const {
  std::uint32_t own = opening.own;
  for (std::size_t bit = 0; bit < HF_NS_COUNT; bit++) {
    const __u32 inum = opening.namespaces[bit];
    hf_tracked record = {};
    if (inum == 0 || bpf_map_lookup_elem(programs_.map_fd("tracked"), &inum, &record) != 0)
      continue;
    if (std::ranges::any_of(record.of, [](const hf_owner& owner) {
          return (owner.owner & HF_OWNER_IN_SESSION) != 0;
        }))
      own &= ~(1u << bit);
  }
  return own;
}

// A thread is a member if the thread that made it is one. So none is left when all that are there
// were members before they were looked for. The kernel's list may leave one out while others end,
// so their number has to be the right one as well, twice.
Result<void> MachineSessions::adopt_threads(const hf_adoption& adoption, pid_t pid) {
  constexpr unsigned kRounds = 64;
  constexpr unsigned kSettled = 2;
  HF_TRY_ASSIGN(const auto proc, kernel::Proc::open());
  HF_TRY_ASSIGN(const auto process, proc.task(pid));
  HF_TRY_ASSIGN(std::ignore, adopt(adoption, pid));
  // Each thread may have namespaces of its own, but for this type.
  hf_adoption threads = adoption;
  threads.wanted &= HF_NS_USER;
  unsigned settled = 0;
  for (unsigned round = 0; round < kRounds && settled < kSettled; round++) {
    const std::vector<pid_t> all = process.threads();
    bool fresh = false;
    for (const pid_t thread : all) {
      const auto joined = adopt(threads, thread);
      if (!joined && joined.error().code != ESRCH) return joined.error();
      fresh = fresh || !joined || *joined;
    }
    HF_TRY_ASSIGN(const auto status, process.status());
    settled = fresh || status.threads != all.size() ? 0 : settled + 1;
  }
  if (settled == kSettled) return {};
  return Error{EAGAIN, "join session", {}, "the process makes threads all the time"};
}

Result<bool> MachineSessions::adopt(const hf_adoption& adoption, pid_t tid) {
  if (!adopter_) {
    HF_TRY_ASSIGN(adopter_, wrap(programs_.load_alone(kAdopter), "load the iterator of sessions"));
  }
  hf_adoption& asked = programs_.globals().session_adoption;
  asked = adoption;
  HF_TRY_ASSIGN(std::ignore, kernel::read_task_iterator(adopter_->program(kAdopter), tid));
  const std::uint32_t wanted =
      adoption.layer.setup != 0 ? adoption.wanted : types_of(adoption.inum);
  const std::uint32_t joined = shared(asked.joined).load();
  const std::uint32_t found = shared(asked.found).load();
  if (asked.refused != 0) return not_joined(asked.refused);
  if (joined == HF_JOINED_NOT)
    return Error{ESRCH, "join session", {}, "the task is gone, or in other namespaces"};
  if (joined == HF_JOINED_FULL)
    return Error{ELOOP,
                 "join session",
                 {},
                 "the task is in as many sessions as can be, or its user has too many members"};
  // It waits, and its session is taken down: what it does then is refused.
  if ((found & wanted) != wanted)
    return Error{ESRCH, "track namespaces", {}, "the task is not in all of them"};
  return joined == HF_JOINED_NOW;
}

std::vector<std::uint64_t> MachineSessions::ids() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, session] : sessions_) ids.push_back(id);
  return ids;
}

Result<SessionCounts> MachineSessions::counts(std::uint64_t id) const {
  const auto session = sessions_.find(id);
  if (session == sessions_.end()) return Error{ENOENT, "find session", std::to_string(id), {}};
  hf_session_state& found = state(session->second.slot);
  SessionCounts counts;
  counts.totals = Totals(hf_read_counters(&found.decisions));
  counts.totals.lost = shared(found.lost).load();
  counts.totals.guarded = shared(found.guarded).load();
  counts.events = shared(found.events).load() - counts.totals.lost;
  counts.members = shared(found.members).load();
  counts.owner = found.owner;
  counts.forks_refused = shared(found.forks_refused).load();
  counts.container_of = found.asked;
  counts.profile = static_cast<std::uint16_t>(found.profile);
  if (session->second.policy && session->second.policy->needs.bpf)
    counts.totals.bpf = bpf_usage(HF_SET_OF_SESSION | id);
  return counts;
}

BpfUsage MachineSessions::bpf_usage(std::uint64_t set) const {
  struct {
    __u32 lock;
    __u32 pad0;
    hf_bpf_usage usage;
  } value = {};
  // Without an entry nothing was made.
  (void)bpf_map_lookup_elem(programs_.map_fd("bpf_usage"), &set, &value);
  const hf_bpf_usage& u = value.usage;
  return BpfUsage{u.tokens_made, u.maps_made,     u.programs_made, u.attached,
                  u.most_maps,   u.most_programs, u.most_memory};
}

// ---- what user space is asked to decide -----------------------------------------------------------

Result<hf_layers> MachineSessions::layers_of(pid_t tid) {
  if (!finder_) {
    HF_TRY_ASSIGN(finder_, wrap(programs_.load_alone(kFinder), "load the iterator of sessions"));
  }
  Globals& globals = programs_.globals();
  globals.session_found = {};
  shared(globals.session_task_seen).store(0);
  HF_TRY_ASSIGN(std::ignore, kernel::read_task_iterator(finder_->program(kFinder), tid));
  if (shared(globals.session_task_seen).load() == 0)
    return Error{ESRCH, "find task", std::to_string(tid), {}};
  hf_layers found = globals.session_found;
  if (found.count > HF_LAYERS_NESTED) return Error{EPROTO, "find task", std::to_string(tid), {}};
  return found;
}

Result<std::vector<Membership>> MachineSessions::of_task(pid_t tid) {
  HF_TRY_ASSIGN(const auto layers, layers_of(tid));
  std::vector<Membership> members;
  for (const hf_layer& layer : std::span(layers.layer, layers.count))
    members.push_back({layer.set & ~HF_SET_OF_SESSION, layer.profile});
  std::ranges::sort(members, {}, &Membership::session);
  return members;
}

int MachineSessions::decide_label_in(const Membership& member, const LabelChange& change,
                                     const hf_sip_key& labels, const EventSink& sink) {
  const auto session = sessions_.find(member.session);
  // Without a policy its members are refused everything.
  if (session == sessions_.end() || !session->second.policy) return EPERM;
  const SessionPolicy& policy = *session->second.policy;
  const auto tables = read_tables(policy.tables.get());
  if (!tables || member.profile >= HF_PROFILE_SLOTS) return EPERM;
  if ((*tables)->profiles[member.profile].label_ruled == 0) return 0;
  hf_request request = {};
  request.op = HF_OP_LABEL;
  request.via = change.way;
  request.subject = member.profile;
  request.subject_set = HF_SET_OF_SESSION | member.session;
  hf_label_id_key key = {};
  key.generation = policy.generation;
  key.hash = label_hash(labels, change.name);
  key.kind = HF_LABEL_MAY_BE_SET;
  key.profile = member.profile;
  __u32 listed = 0;
  if (bpf_map_lookup_elem(programs_.map_fd("label_ids"), &key, &listed) == 0)
    request.flags |= HF_REQ_LABEL_LISTED;
  hf_verdict verdict;
  hf_decide(tables->get(), &request, &verdict);
  hf_session_state& in = state(session->second.slot);
  hf_count_decision(&in.decisions, &verdict);
  if (verdict.log) {
    hf_event event =
        decided(request, verdict, change.actor, policy.generation, kernel::boottime_ns());
    event.id = shared(in.events).fetch_add(1) + 1;
    event.session = member.session;
    event.target = change.socket;
    sink(event);
  }
  return -hf_enforced_error(&verdict);
}

int MachineSessions::decide_label(const LabelChange& change, const hf_sip_key& labels,
                                  const EventSink& sink) {
  int refused = 0;
  for (const Membership& member : change.members)
    if (const int code = decide_label_in(member, change, labels, sink); code != 0) refused = code;
  return refused;
}

void MachineSessions::count_into(MachineStats& stats) const {
  stats.sessions = sessions_.size();
  stats.sessions_opened = shared(state(HF_LAYER_MACHINE).id).load();
  for (const auto& [id, session] : sessions_)
    stats.session_tasks += shared(state(session.slot).members).load();
}

Result<void> MachineSessions::close(std::uint64_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return Error{ENOENT, "find session", std::to_string(id), {}};
  if (shared(state(found->second.slot).members).load() != 0)
    return Error{EBUSY, "close session", std::to_string(id), "it has members"};
  const Session session = found->second;
  sessions_.erase(found);
  take_down(id, session);
  return {};
}

// The records go before the slot, which may be another session's then.
void MachineSessions::take_down(std::uint64_t id, const Session& session) {
  forget_namespaces(HF_SET_OF_SESSION | id);
  drop_buckets_of(programs_.socket_maps(), HF_SET_OF_SESSION | id);
  const std::uint64_t set = HF_SET_OF_SESSION | id;
  bpf_map_delete_elem(programs_.map_fd("bpf_usage"), &set);
  bpf_map_delete_elem(programs_.map_fd("session_tables"), &session.slot);
  const std::uint32_t number = user_of(session);
  state(session.slot) = {};
  const bool last_of_user = number != 0 && std::ranges::none_of(sessions_, [&](const auto& other) {
                              return user_of(other.second) == number;
                            });
  if (last_of_user) user(number) = {};
  const bool unused = std::ranges::none_of(
      sessions_, [&](const auto& other) { return other.second.policy == session.policy; });
  if (unused && session.policy) programs_.drop_generation(session.policy->generation);
  changed();
}

namespace {

bool same_record(const hf_tracked& one, const hf_tracked& other) {
  return std::memcmp(&one, &other, sizeof(one)) == 0;
}

// The number of a namespace that goes meanwhile may be another one's, whose record has to stay.
void forget_namespace(int tracked_fd, __u32 inum, const hf_tracked& was, std::uint64_t set) {
  hf_tracked rest = was;
  const auto others =
      std::ranges::remove_if(rest.of, [set](const hf_owner& owner) { return owner.set == set; });
  for (hf_owner& owner : others) owner = {};
  hf_tracked now = {};
  if (bpf_map_lookup_elem(tracked_fd, &inum, &now) != 0 || !same_record(now, was)) return;
  if (rest.of[0].owner != 0) {
    bpf_map_update_elem(tracked_fd, &inum, &rest, BPF_EXIST);
  } else if (bpf_map_lookup_and_delete_elem(tracked_fd, &inum, &now) == 0 &&
             !same_record(now, was)) {
    bpf_map_update_elem(tracked_fd, &inum, &now, BPF_NOEXIST);
  }
}

}  // namespace

// What belongs to other sandboxes besides stays tracked.
void MachineSessions::forget_namespaces(std::uint64_t set) const {
  const int tracked = programs_.map_fd("tracked");
  std::vector<std::pair<__u32, hf_tracked>> records;
  __u32 key = 0;
  for (kernel::MapKeys keys(tracked, sizeof(key)); keys.next(&key);) {
    hf_tracked record = {};
    if (bpf_map_lookup_elem(tracked, &key, &record) != 0) continue;
    if (std::ranges::any_of(record.of, [set](const hf_owner& owner) { return owner.set == set; }))
      records.emplace_back(key, record);
  }
  for (auto& [inum, was] : records) forget_namespace(tracked, inum, was, set);
  bpf_map_delete_elem(programs_.map_fd("tracked_uses"), &set);
}

PolicyNeeds MachineSessions::needs() const {
  PolicyNeeds needs;
  for (const auto& [id, session] : sessions_)
    if (session.policy) needs.add(session.policy->needs);
  if (!sessions_.empty()) needs.families |= kSessions;
  return needs;
}

void MachineSessions::changed() {
  std::set<std::uint64_t> rates;
  for (const auto& [id, session] : sessions_) {
    if (!session.policy) continue;
    const auto of_policy = rate_digests(session.policy->sockets);
    rates.insert(of_policy.begin(), of_policy.end());
  }
  programs_.set_session_rates(std::move(rates));
  programs_.need_for_sessions(needs());
  shared(programs_.globals().sessions_live).store(static_cast<__u32>(sessions_.size()));
  const auto of_users = std::ranges::count_if(
      sessions_, [&](const auto& session) { return user_of(session.second) != 0; });
  shared(programs_.globals().user_sessions_live).store(static_cast<__u32>(of_users));
}

// ---- another instance ----------------------------------------------------------------------------

namespace {

// A pinned map of the other instance, and whether its keys and values are those of this build.
struct OtherMap {
  Fd fd;  // no descriptor: the other instance has no such map
  bool readable = false;
};

Result<OtherMap> other_map(const std::string& directory, const char* name, int ours) {
  auto map = kernel::open_pinned(directory + "/map_" + name);
  if (!map) return map.error().code == ENOENT ? Result<OtherMap>(OtherMap()) : map.error();
  HF_TRY_ASSIGN(const auto theirs, kernel::map_shape(map->get()));
  HF_TRY_ASSIGN(const auto wanted, kernel::map_shape(ours));
  const bool same =
      theirs.key_bytes == wanted.key_bytes && theirs.value_bytes == wanted.value_bytes;
  return OtherMap{*std::move(map), same};
}

// Members whose records this build cannot read would be let loose.
Error members_of_another_layout() {
  return Error{EPROTO, "take over", "sessions",
               "another build of holdfastd holds sessions in a way that this one does not know; it "
               "stays in force. This one can start when they have ended"};
}

bool is_empty(int map_fd) { return kernel::MapKeys(map_fd, sizeof(__u64)).done(); }

}  // namespace

void MachineSessions::count(const hf_layers& layers, std::int64_t by) const {
  const auto add = [by](__u64& members) { shared(members).fetch_add(static_cast<__u64>(by)); };
  for (std::uint32_t i = 0; i < std::min(layers.count, HF_LAYERS_NESTED); i++) {
    hf_session_state& session = state(layers.layer[i].slot % HF_LAYER_SLOTS);
    add(session.members);
    if (session.user == 0) continue;
    add(user(session.user).members);
    add(user(kAllUsers).members);
  }
}

// Until a pass finds no member that is not known here: a child of one that is known is one by these
// programs, which are attached. So in the last pass there is none left.
Result<void> MachineSessions::copy_members(int from_fd) {
  const int to_fd = programs_.map_fd("session_tasks");
  for (bool found = true; found;) {
    found = false;
    __u64 key = 0;
    for (kernel::MapKeys keys(from_fd, sizeof(key)); keys.next(&key);) {
      hf_layers layers = {};
      if (bpf_map_lookup_elem(from_fd, &key, &layers) != 0) continue;  // it has ended
      const int code = bpf_map_update_elem(to_fd, &key, &layers, BPF_NOEXIST);
      if (code == -EEXIST) continue;
      if (code != 0) return bpf_failed(code, "take over", "members of sessions");
      found = true;
      count(layers, 1);
      // It may have ended before it was here, and its address may become another task's.
      hf_layers now = {};
      if (bpf_map_lookup_elem(from_fd, &key, &now) != 0) {
        if (bpf_map_delete_elem(to_fd, &key) == 0) count(layers, -1);
      } else if (std::memcmp(&now, &layers, sizeof(now)) != 0) {
        // It has executed a program meanwhile, and is a container's.
        bpf_map_update_elem(to_fd, &key, &now, BPF_EXIST);
      }
    }
  }
  return {};
}

Result<void> MachineSessions::take_over(const std::string& directory, const Attach& attach) {
  bool readable = true;
  const auto map = [&](const char* name) -> Result<Fd> {
    HF_TRY_ASSIGN(auto other, other_map(directory, name, programs_.map_fd(name)));
    readable = readable && other.readable;
    return std::move(other.fd);
  };
  HF_TRY_ASSIGN(const auto members, map("session_tasks"));
  // A build that knows no sessions, or none that is open.
  if (!members || (!readable && is_empty(members.get()))) return {};
  HF_TRY_ASSIGN(const auto states, map("session_states"));
  HF_TRY_ASSIGN(const auto users, map("session_users"));
  HF_TRY_ASSIGN(const auto ids, map("label_ids"));
  HF_TRY_ASSIGN(const auto profiles, map("socket_profiles"));
  HF_TRY_ASSIGN(const auto rates, map("socket_rates"));
  HF_TRY_ASSIGN(const auto names, map("cgroup_names"));
  HF_TRY_ASSIGN(const auto globs, map("cgroup_globs"));
  const auto tables = kernel::open_pinned(directory + "/map_session_tables");
  if (!readable || !tables)
    return is_empty(members.get()) ? Result<void>() : members_of_another_layout();
  hf_session_state last = {};
  const std::uint32_t first_slot = HF_LAYER_MACHINE;
  if (bpf_map_lookup_elem(states.get(), &first_slot, &last) == 0)
    shared(state(HF_LAYER_MACHINE).id).store(last.id);
  const RuleMaps theirs = {
      {ids.get(), profiles.get(), rates.get(), -1, -1}, names.get(), globs.get()};
  std::map<std::uint32_t, std::shared_ptr<const SessionPolicy>> by_map;
  std::vector<std::pair<std::uint32_t, hf_session_state>> found;
  for (std::uint32_t slot = 1; slot < HF_LAYER_SLOTS; slot++) {
    hf_session_state state = {};
    if (bpf_map_lookup_elem(states.get(), &slot, &state) != 0 || state.id == 0) continue;
    std::uint32_t id = 0;
    HF_TRY_ASSIGN(auto inner, tables_in(tables->get(), slot, &id));
    if (!inner) continue;
    auto& policy = by_map[id];
    if (!policy) {
      // The map is frozen, so both instances can use it.
      HF_TRY_ASSIGN(policy, read_policy(std::move(inner), theirs));
      HF_TRY(insert(programs_.socket_maps(), policy->sockets));
      HF_TRY(programs_.bind_paths(policy->paths));
      know(*policy);
    }
    sessions_[state.id] = {slot, policy};
    found.emplace_back(slot, state);
  }
  if (found.empty()) return {};
  HF_TRY(attach(needs().families));
  for (const auto& [slot, state] : found) {
    const int tables_fd = sessions_[state.id].policy->tables.get();
    hf_session_state& ours = this->state(slot);
    ours = state;
    ours.members = 0;
    if (hf_session_user known = {};
        state.user != 0 && bpf_map_lookup_elem(users.get(), &state.user, &known) == 0) {
      known.members = 0;  // counted with the members
      user(state.user) = known;
    }
    if (const int code =
            bpf_map_update_elem(programs_.map_fd("session_tables"), &slot, &tables_fd, BPF_ANY);
        code != 0)
      return bpf_failed(code, "take over", "sessions");
  }
  changed();
  HF_TRY(copy_members(members.get()));
  // A container's program that was executed before its first task was here.
  for (const auto& [slot, state] : found) {
    hf_session_state now = {};
    if (bpf_map_lookup_elem(states.get(), &slot, &now) == 0 && now.id == state.id && now.setup == 0)
      shared(this->state(slot).setup).store(0);
  }
  return {};
}

}  // namespace holdfast::backend::lsm
