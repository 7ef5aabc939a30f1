// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "kernel/bpf/prototype.h"

namespace holdfast::kernel {

namespace {

// The last line of libbpf's first warning since the start of the operation: the detail of its
// error. libbpf has one print callback per process.
std::string last_warning;

int capture_warning(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 2048> line;
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  std::string_view text(line.data(),
                        std::min<std::size_t>(length < 0 ? 0 : length, line.size() - 1));
  while (text.ends_with('\n')) text.remove_suffix(1);
  // The verifier's log is one message. Its last line has the reason.
  if (!text.empty() && last_warning.empty()) last_warning = text.substr(text.rfind('\n') + 1);
  return length;
}

void capture_libbpf_warnings() {
  static const bool done = [] {
    libbpf_set_print(capture_warning);
    return true;
  }();
  static_cast<void>(done);
  last_warning.clear();
}

// libbpf returns a negative errno.
Error bpf_error(int code, std::string operation, std::string object) {
  return Error{-code, std::move(operation), std::move(object), std::exchange(last_warning, {})};
}

}  // namespace

Result<BpfObject> BpfObject::open(std::span<const std::byte> bytes, std::string name) {
  capture_libbpf_warnings();
  LIBBPF_OPTS(bpf_object_open_opts, options);
  options.object_name = name.c_str();
  bpf_object* object = bpf_object__open_mem(bytes.data(), bytes.size(), &options);
  if (object == nullptr) return bpf_error(-errno, "open BPF object", name);
  return BpfObject(object, std::move(name));
}

void BpfObject::select_programs(const std::function<bool(const bpf_program*)>& wanted) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    const std::string_view name = bpf_program__name(program);
    bpf_program__set_autoload(program, name == name_without_variant(name) && wanted(program));
  }
}

void BpfObject::leave_unattached(const std::function<bool(const bpf_program*)>& skipped) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    const std::string_view name = bpf_program__name(program);
    if (name == name_without_variant(name) && skipped(program))
      bpf_program__set_autoattach(program, false);
  }
}

Result<void> BpfObject::set_initial_value(const char* map, const void* value, std::size_t bytes) {
  bpf_map* found = bpf_object__find_map_by_name(object_.get(), map);
  const int error = found ? bpf_map__set_initial_value(found, value, bytes) : -ENOENT;
  if (error != 0) return Error{-error, "fill BPF data", map, name_};
  return {};
}

Result<void> BpfObject::allocate_on_demand(const char* map) {
  bpf_map* found = bpf_object__find_map_by_name(object_.get(), map);
  const int error =
      found ? bpf_map__set_map_flags(found, bpf_map__map_flags(found) | BPF_F_NO_PREALLOC)
            : -EINVAL;
  if (error != 0) return Error{-error, "size BPF map", map, name_};
  return {};
}

std::span<std::byte> BpfObject::initial_value(const char* map) const {
  const bpf_map* found = bpf_object__find_map_by_name(object_.get(), map);
  std::size_t bytes = 0;
  void* value = found ? bpf_map__initial_value(const_cast<bpf_map*>(found), &bytes) : nullptr;
  return {static_cast<std::byte*>(value), value ? bytes : 0};
}

Result<void> BpfObject::reuse_map(const char* map, int fd) {
  bpf_map* found = bpf_object__find_map_by_name(object_.get(), map);
  const int error = found ? bpf_map__reuse_fd(found, fd) : -EINVAL;
  if (error != 0) return Error{-error, "use BPF map", map, name_};
  return {};
}

std::vector<std::string> BpfObject::map_names() const {
  std::vector<std::string> names;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) names.emplace_back(bpf_map__name(map));
  return names;
}

MapShape BpfObject::map_shape(const char* name) const {
  const bpf_map* map = bpf_object__find_map_by_name(object_.get(), name);
  if (map == nullptr) return {};
  return {static_cast<std::uint32_t>(bpf_map__type(map)), bpf_map__key_size(map),
          bpf_map__value_size(map), bpf_map__max_entries(map)};
}

Result<void> BpfObject::set_max_entries(const char* map, std::uint32_t entries) {
  bpf_map* found = bpf_object__find_map_by_name(object_.get(), map);
  const int error = found ? bpf_map__set_max_entries(found, entries) : -EINVAL;
  if (error != 0) return Error{-error, "size BPF map", map, name_};
  return {};
}

Result<void> BpfObject::load() {
  if (!reads_arguments(object_.get())) return load_fitted();
  HF_TRY_ASSIGN(const auto types, KernelTypes::load());
  return load(types);
}

Result<void> BpfObject::load(const KernelTypes& types) {
  HF_TRY(wrap(fit_programs(object_.get(), types.get()), name_));
  return load_fitted();
}

Result<void> BpfObject::load_fitted() {
  capture_libbpf_warnings();
  if (const int code = bpf_object__load(object_.get()); code != 0)
    return bpf_error(code, "load BPF object", name_);
  return {};
}

Result<void> BpfObject::attach(std::vector<BpfLink>& links) const {
  capture_libbpf_warnings();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    const bpf_prog_type type = bpf_program__type(program);
    if (!bpf_program__autoload(program) || !bpf_program__autoattach(program)) continue;
    if (type != BPF_PROG_TYPE_LSM && type != BPF_PROG_TYPE_TRACING) continue;
    if (bpf_program__expected_attach_type(program) == BPF_TRACE_ITER) continue;
    BpfLink link(bpf_program__attach(program));
    if (!link) return bpf_error(-errno, "attach BPF program", bpf_program__name(program));
    links.push_back(std::move(link));
  }
  return {};
}

Result<BpfLink> BpfObject::attach_program(const char* name) const {
  capture_libbpf_warnings();
  const bpf_program* found = program(name);
  if (found == nullptr) return Error{ENOENT, "attach BPF program", name, "there is none"};
  BpfLink link(bpf_program__attach(found));
  if (!link) return bpf_error(-errno, "attach BPF program", name);
  return link;
}

int BpfObject::map_fd(const char* map) const {
  return bpf_object__find_map_fd_by_name(object_.get(), map);
}

bpf_program* BpfObject::program(const char* name) const {
  bpf_program* found = bpf_object__find_program_by_name(object_.get(), name);
  if (found == nullptr || bpf_program__autoload(found)) return found;
  bpf_program* variant = nullptr;
  bpf_object__for_each_program(variant, object_.get()) {
    const std::string_view text = bpf_program__name(variant);
    if (text != name && name_without_variant(text) == name && bpf_program__autoload(variant))
      return variant;
  }
  return found;
}

int BpfObject::program_fd(const char* name) const {
  const bpf_program* found = program(name);
  return found == nullptr ? -1 : bpf_program__fd(found);
}

namespace {

bool is_printed(bpf_map_type type) {
  constexpr bpf_map_type kPrinted[] = {
      BPF_MAP_TYPE_HASH,        BPF_MAP_TYPE_LRU_HASH,        BPF_MAP_TYPE_ARRAY,
      BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY};
  return std::ranges::find(kPrinted, type) != std::end(kPrinted);
}

// Of a map's value: does the verifier need to find a lock in it?
bool has_lock(const bpf_object* object, const bpf_map* map) {
  const btf* types = bpf_object__btf(object);
  const btf_type* value = btf__type_by_id(types, bpf_map__btf_value_type_id(map));
  if (value == nullptr || !btf_is_struct(value)) return false;
  const btf_member* members = btf_members(value);
  for (int i = 0; i < btf_vlen(value); i++) {
    const btf_type* member = btf__type_by_id(types, members[i].type);
    if (member != nullptr &&
        btf__name_by_offset(types, member->name_off) == std::string_view("bpf_spin_lock"))
      return true;
  }
  return false;
}

}  // namespace

Result<void> make_maps_unprintable(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const bpf_map_type type = bpf_map__type(map);
    if (bpf_map__is_internal(map) || !is_printed(type) || has_lock(object, map)) continue;
    LIBBPF_OPTS(bpf_map_create_opts, options);
    options.map_flags = bpf_map__map_flags(map);
    const std::string name = std::string(bpf_map__name(map)).substr(0, BPF_OBJ_NAME_LEN - 1);
    const Fd fd(bpf_map_create(type, name.c_str(), bpf_map__key_size(map), bpf_map__value_size(map),
                               bpf_map__max_entries(map), &options));
    if (!fd) return Error{errno, "create BPF map", name, {}};
    if (const int code = bpf_map__reuse_fd(map, fd.get()); code != 0)
      return Error{-code, "use BPF map", name, {}};
  }
  return {};
}

Result<void> BpfObject::make_maps_unprintable() {
  return kernel::make_maps_unprintable(object_.get());
}

Result<BpfLink> attach_to_cgroup(bpf_program* program, int cgroup_fd) {
  capture_libbpf_warnings();
  BpfLink link(bpf_program__attach_cgroup(program, cgroup_fd));
  if (!link) return bpf_error(-errno, "attach BPF program", bpf_program__name(program));
  return link;
}

Result<void> run_bpf_program(int program_fd, std::string_view name) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  if (const int code = bpf_prog_test_run_opts(program_fd, &options); code != 0)
    return bpf_error(code, "run BPF program", std::string(name));
  if (options.retval != 0) return Error{EIO, "run BPF program", std::string(name), {}};
  return {};
}

Result<std::uint32_t> test_run_bpf_program(int program_fd, const void* packet, std::size_t bytes) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = packet;
  options.data_size_in = static_cast<__u32>(bytes);
  options.repeat = 1;
  if (const int code = bpf_prog_test_run_opts(program_fd, &options); code != 0)
    return bpf_error(code, "run BPF program", {});
  return options.retval;
}

Result<std::vector<std::byte>> read_task_iterator(bpf_program* iterator, pid_t tid) {
  capture_libbpf_warnings();
  bpf_iter_link_info info{};
  info.task.tid = static_cast<__u32>(tid);
  LIBBPF_OPTS(bpf_iter_attach_opts, options);
  options.link_info = &info;
  options.link_info_len = sizeof(info);
  const BpfLink link(bpf_program__attach_iter(iterator, &options));
  if (!link) return bpf_error(-errno, "attach BPF iterator", bpf_program__name(iterator));
  const Fd stream(bpf_iter_create(bpf_link__fd(link.get())));
  if (!stream) return bpf_error(-errno, "open BPF iterator", bpf_program__name(iterator));
  std::vector<std::byte> out;
  std::array<std::byte, 4096> part;
  for (;;) {
    const ssize_t bytes = read(stream.get(), part.data(), part.size());
    if (bytes == 0) return out;
    if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (bytes < 0) return bpf_error(-errno, "read BPF iterator", bpf_program__name(iterator));
    out.insert(out.end(), part.begin(), part.begin() + bytes);
  }
}

Result<std::unique_ptr<BpfRing>> BpfRing::create(int map_fd, Sink sink) {
  capture_libbpf_warnings();
  std::unique_ptr<BpfRing> ring(new BpfRing(std::move(sink)));
  ring->ring_ = ring_buffer__new(map_fd, deliver, ring.get(), nullptr);
  if (ring->ring_ == nullptr) return bpf_error(-errno, "open event ring", {});
  return ring;
}

BpfRing::~BpfRing() { ring_buffer__free(ring_); }

int BpfRing::poll_fd() const { return ring_buffer__epoll_fd(ring_); }

Result<void> BpfRing::consume() {
  const int code = ring_buffer__consume(ring_);
  if (code < 0) return bpf_error(code, "read event ring", {});
  return {};
}

int BpfRing::deliver(void* self, void* data, std::size_t bytes) {
  static_cast<BpfRing*>(self)->sink_({static_cast<const std::byte*>(data), bytes});
  return 0;
}

}  // namespace holdfast::kernel
