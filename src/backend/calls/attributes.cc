// SPDX-License-Identifier: Apache-2.0
//
// Another thread may change the caller's descriptors and memory at any time. So this file takes one
// duplicate of the descriptor, reads each name and value once, judges those and acts on those.
//
// CONTINUE makes the kernel read descriptors and memory again. If its sockets keep no attributes
// that is safe: the kernel then labels no socket, whichever one the call names. If they do,
// CONTINUE is used only for calls that cannot name a socket. One case is a descriptor of another
// file in a table that is not shared; the other is a path whose last link is not followed.
#include "backend/calls/attributes.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "backend/calls/caller.h"
#include "backend/calls/descriptor_path.h"
#include "kernel/sockets/sockets.h"
#include "label/access.h"

namespace holdfast::backend::calls {
namespace {

constexpr std::size_t kPathBytes = 4096;
constexpr std::uint64_t kArgumentsBytes = 16;  // XATTR_ARGS_SIZE_VER0
constexpr std::uint64_t kArgumentsMostBytes = 4096;

enum class Operation { set, get, list, remove };

struct Decoded {
  Operation operation;
  int fd = -1;  // the object if by_fd, else the directory where a relative path starts
  bool by_fd = false;
  std::uint64_t path = 0;
  std::uint32_t at_flags = 0;
  std::uint64_t name = 0;
  std::uint64_t value = 0;  // address of the value or the list
  std::uint64_t size = 0;
  std::uint32_t flags = 0;
  std::uint64_t arguments = 0;  // struct xattr_args, in the caller's memory
  std::uint64_t arguments_bytes = 0;
  bool has_arguments = false;
};

Decoded decode(const seccomp_data& data) {
  const auto& a = data.args;
  const int first = static_cast<int>(a[0]);
  const auto flags = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  Decoded d{};
  switch (data.nr) {
    case SYS_fsetxattr:
    case SYS_setxattr:
      d.operation = Operation::set, d.name = a[1], d.value = a[2], d.size = a[3];
      d.flags = flags(a[4]);
      break;
    case SYS_fgetxattr:
    case SYS_getxattr:
      d.operation = Operation::get, d.name = a[1], d.value = a[2], d.size = a[3];
      break;
    case SYS_flistxattr:
    case SYS_listxattr:
      d.operation = Operation::list, d.value = a[1], d.size = a[2];
      break;
    case SYS_fremovexattr:
    case SYS_removexattr:
      d.operation = Operation::remove, d.name = a[1];
      break;
    case kSetxattratNumber:
    case kGetxattratNumber:
      d.operation = data.nr == kSetxattratNumber ? Operation::set : Operation::get;
      d.name = a[3], d.arguments = a[4], d.arguments_bytes = a[5], d.has_arguments = true;
      break;
    case kListxattratNumber:
      d.operation = Operation::list, d.value = a[3], d.size = a[4];
      break;
    default:
      d.operation = Operation::remove, d.name = a[3];
      break;
  }
  d.fd = AT_FDCWD;
  switch (data.nr) {
    case SYS_fsetxattr:
    case SYS_fgetxattr:
    case SYS_flistxattr:
    case SYS_fremovexattr:
      d.fd = first, d.by_fd = true;
      break;
    case SYS_setxattr:
    case SYS_getxattr:
    case SYS_listxattr:
    case SYS_removexattr:
      d.path = a[0];
      break;
    default:
      d.fd = first, d.path = a[1], d.at_flags = flags(a[2]);
      break;
  }
  return d;
}

// struct xattr_args.
void take_arguments(Decoded& call, const std::string& raw) {
  std::uint32_t size = 0;
  std::memcpy(&call.value, raw.data(), sizeof(call.value));
  std::memcpy(&size, raw.data() + 8, sizeof(size));
  std::memcpy(&call.flags, raw.data() + 12, sizeof(call.flags));
  call.size = size;
}

AttributeMemory::Part part_of(Result<std::string> read, int too_long) {
  if (read) return {0, std::move(*read)};
  return {read.error().code == E2BIG ? too_long : EFAULT, {}};
}

// Empty: go on. Otherwise this is the answer, and the call is done.
using Stop = std::optional<Answer>;

Stop stop(int error) { return Answer::error(error); }

class Attempt {
 public:
  Attempt(LabelAccess& labels, const AttributeCaller& caller, const AttributeMemory* memory)
      : labels_(labels), caller_(caller), memory_(memory), call_(decode(caller.call.data)) {}

  AttributeAnswer run() {
    Answer answer = decide();
    return {std::move(answer), std::move(output_), call_.value};
  }

 private:
  Answer decide();
  Stop find_target();
  Stop target_by_path();
  Stop take_descriptor(int remote_fd, bool by_number);
  Answer leave_to_kernel(bool cannot_be_socket);
  Stop read_arguments();
  Stop read_name();
  Stop check_target();
  Stop may(label::Access access);
  Stop ask();
  Answer set();
  Answer get();
  Answer list();
  Answer remove();
  Answer give(std::string_view bytes, std::size_t most, std::uint64_t limit);

  [[nodiscard]] bool native() const { return labels_.kernel() == SocketAttributes::native; }
  [[nodiscard]] hf_request change() const {
    hf_request request = {};
    request.op = HF_OP_LABEL;
    request.via = call_.operation == Operation::set ? HF_VIA_LABEL_SET : HF_VIA_LABEL_REMOVE;
    return request;
  }

  LabelAccess& labels_;
  const AttributeCaller& caller_;
  const AttributeMemory* memory_;
  Decoded call_;
  std::string output_;
  ForeignFd socket_;  // invalid: the number names no descriptor
  kernel::FileFacts file_ = {};
  label::Cookie cookie_ = 0;
  std::string name_;
};

Answer Attempt::decide() {
  if (!caller_.waiting()) return Answer::caller_gone();
  // This process may not read it, for example that of an undumpable process of the same user.
  if (!memory_) return leave_to_kernel(false);
  if (const Stop end = find_target()) return *end;
  if (const Stop end = read_arguments()) return *end;
  if (const Stop end = read_name()) return *end;
  if (const Stop end = check_target()) return *end;
  switch (call_.operation) {
    case Operation::set:
      return set();
    case Operation::get:
      return get();
    case Operation::list:
      return list();
    case Operation::remove:
      return remove();
  }
  return Answer::error(EPERM);
}

// Returns empty with socket_ set, or with an invalid socket_ if the number names no descriptor.
Stop Attempt::find_target() {
  if (call_.by_fd) return take_descriptor(call_.fd, true);
  if (call_.at_flags & ~static_cast<std::uint32_t>(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
    return stop(EINVAL);
  if (!(call_.at_flags & AT_EMPTY_PATH)) {
    if (call_.at_flags & AT_SYMLINK_NOFOLLOW)
      return Answer::continue_syscall();  // a symbolic link is not a socket
    return target_by_path();
  }
  if (call_.path != 0) {
    if (memory_->path.error) return stop(memory_->path.error);
    if (!memory_->path.bytes.empty()) return target_by_path();
  }
  if (call_.fd == AT_FDCWD) return Answer::continue_syscall();
  return take_descriptor(call_.fd, true);
}

Stop Attempt::target_by_path() {
  if (memory_->path.error) return stop(memory_->path.error);
  const auto status = caller_.task.status();
  if (!status) return stop(EPERM);
  const auto fd = descriptor_of_path(memory_->path.bytes, status->innermost_pid);
  if (!fd) return leave_to_kernel(false);
  return take_descriptor(*fd, false);
}

// `by_number`: the call has the descriptor number as argument, not a path such as /proc/self/fd/5.
Stop Attempt::take_descriptor(int remote_fd, bool by_number) {
  // No other file is duplicated: to close it could mean to wait for the server of its file system.
  if (caller_.task.descriptor_kind(remote_fd) == kernel::TaskDirectory::DescriptorKind::other &&
      !caller_.task.descriptor_is_path_only(remote_fd)) {
    const bool own = has_own_table(caller_.call, caller_.task, caller_.tables);
    if (!caller_.waiting()) return Answer::caller_gone();
    return leave_to_kernel(own && by_number);
  }
  Duplicate duplicate = duplicate_of_thread(caller_.call, caller_.task, caller_.tables, remote_fd);
  if (!caller_.waiting())
    return Answer::caller_gone();  // if it waits, the descriptor was the caller's
  if (!duplicate.fd) {
    if (!duplicate.none) return leave_to_kernel(false);  // as for unreadable memory
    if (!by_number) return stop(ENOENT);
    return std::nullopt;  // EBADF, but the kernel reports wrong arguments first
  }
  const auto file = kernel::describe_file(duplicate.fd.get());
  if (!file) return stop(EPERM);
  if (!file->socket) return leave_to_kernel(duplicate.stable && by_number);
  file_ = *file;
  if (!file->path_only || !by_number) socket_ = std::move(duplicate.fd);
  return std::nullopt;
}

Answer Attempt::leave_to_kernel(bool cannot_be_socket) {
  if (!native() || cannot_be_socket) return Answer::continue_syscall();
  hf_request request = change();
  request.flags = HF_REQ_FACTS_MISSING;
  const int error = caller_.judge(request, 0);
  return Answer::error(error ? error : EPERM);
}

Stop Attempt::read_arguments() {
  if (call_.has_arguments) {
    if (call_.arguments_bytes < kArgumentsBytes) return stop(EINVAL);
    if (call_.arguments_bytes > kArgumentsMostBytes) return stop(E2BIG);
    const AttributeMemory::Part& raw = memory_->arguments;
    if (raw.error) return stop(raw.error);
    if (raw.bytes.find_first_not_of('\0', kArgumentsBytes) != std::string::npos) return stop(E2BIG);
    take_arguments(call_, raw.bytes);
    if (call_.operation == Operation::get && call_.flags != 0) return stop(EINVAL);
  }
  constexpr std::uint32_t kFlags = label::kCreate | label::kReplace;
  if (call_.operation == Operation::set && (call_.flags & ~kFlags)) return stop(EINVAL);
  return std::nullopt;
}

Stop Attempt::read_name() {
  if (call_.operation == Operation::list) return std::nullopt;
  if (memory_->name.error) return stop(memory_->name.error);
  if (memory_->name.bytes.empty()) return stop(ERANGE);
  name_ = memory_->name.bytes;
  if (call_.operation == Operation::set && call_.size > label::kMaxOneValueBytes)
    return stop(E2BIG);
  return std::nullopt;
}

Stop Attempt::check_target() {
  if (!socket_) return stop(EBADF);
  // An attribute of the kernel: system.sockprotoname, or a security module's. The name in memory
  // may change before the kernel reads it. If it could then name a label, the kernel does not get
  // it.
  if (call_.operation != Operation::list && !label::is_label_name(name_))
    return native() ? stop(EOPNOTSUPP) : Answer::continue_syscall();
  const auto cookie = kernel::socket_cookie(socket_.get());
  if (!cookie) return stop(EPERM);
  cookie_ = *cookie;
  return std::nullopt;
}

Stop Attempt::may(label::Access access) {
  const auto credentials = caller_.task.file_credentials();
  if (!credentials) return stop(EPERM);
  using label::Capabilities;
  int error = label::check_access(file_, *credentials, Capabilities::do_not_count, access);
  if (error && caller_.in_own_user_namespace())
    error = label::check_access(file_, *credentials, Capabilities::count, access);
  if (error) return stop(error);
  // "user." alone: no xattr handler of the kernel accepts it.
  if (access == label::Access::read && name_.size() == label::kUserPrefix.size())
    return stop(EINVAL);
  return std::nullopt;
}

// May a member set or remove this label?
Stop Attempt::ask() {
  hf_request request = change();
  for (const std::string& name : caller_.label_names.may_set)
    if (name == name_) request.flags |= HF_REQ_LABEL_LISTED;
  if (const int error = caller_.judge(request, cookie_)) return stop(error);
  if (name_.size() == label::kUserPrefix.size()) return stop(EINVAL);
  return std::nullopt;
}

Answer Attempt::set() {
  std::string value;
  if (call_.size != 0) {
    if (memory_->value.error) return Answer::error(memory_->value.error);
    value = memory_->value.bytes;
  }
  if (const Stop end = may(label::Access::write)) return *end;
  if (const Stop end = ask()) return *end;
  const auto done =
      labels_.set(socket_.get(), cookie_, name_, value, static_cast<int>(call_.flags));
  return done ? Answer::returns(0) : Answer::error(done.error().code);
}

Answer Attempt::remove() {
  if (const Stop end = may(label::Access::write)) return *end;
  if (const Stop end = ask()) return *end;
  const auto done = labels_.remove(socket_.get(), cookie_, name_);
  return done ? Answer::returns(0) : Answer::error(done.error().code);
}

// Copies a value or a list into the caller's buffer. With a buffer size of 0 only returns the
// number of bytes.
Answer Attempt::give(std::string_view bytes, std::size_t most, std::uint64_t limit) {
  if (limit != 0) {
    if (bytes.size() > limit) return Answer::error(limit >= most ? E2BIG : ERANGE);
    output_ = bytes;
  }
  return Answer::returns(static_cast<std::int64_t>(bytes.size()));
}

Answer Attempt::get() {
  if (const Stop end = may(label::Access::read)) return *end;
  const auto value = labels_.get(socket_.get(), cookie_, name_);
  if (!value) return Answer::error(value.error().code);
  if (!*value) return Answer::error(ENODATA);
  return give(**value, label::kMaxOneValueBytes, call_.size);
}

Answer Attempt::list() {
  const auto names = labels_.list(socket_.get(), cookie_);
  if (!names) return Answer::error(names.error().code);
  std::string list;
  for (const std::string& name : *names) list += name + '\0';
  return give(list, label::kMaxListBytes, call_.size);
}

}  // namespace

namespace {

// Does any rule depend on labels?
bool labels_matter(const hf_tables& tables, const hf_profile& profile) {
  if (profile.label_ruled || profile.label_inherit) return true;
  for (std::uint32_t i = 0; i < profile.socket_count; i++) {
    const hf_socket_rule& rule = tables.socket_rules[profile.socket_first + i];
    if (rule.own_count != 0 || rule.peer_count != 0) return true;
  }
  return false;
}

}  // namespace

bool may_need_labels(const hf_profile& profile) {
  return profile.socket_count > 0 || profile.label_ruled || profile.label_inherit;
}

// A label that the kernel does not keep changes only by way of holdfast. So a call that is not
// notified changes none, and reads what the kernel has.
AttributeCalls attribute_calls_to_see(const hf_tables& tables, const hf_profile& profile,
                                      SocketAttributes kernel) {
  if (kernel == SocketAttributes::emulated)
    return labels_matter(tables, profile) ? AttributeCalls::changes_by_path
                                          : AttributeCalls::by_descriptor;
  return profile.label_ruled ? AttributeCalls::changes : AttributeCalls::none;
}

// The l…xattr calls do not follow the last link, so they cannot reach a socket. They are never
// notified.
void add_attribute_calls(kernel::SeccompFilter& filter, AttributeCalls seen) {
  if (seen == AttributeCalls::none) return;
  using Kind = kernel::ArgumentTest::Kind;
  const auto add = [&](std::initializer_list<int> numbers, bool only_descriptors) {
    std::vector<kernel::ArgumentTest> tests;
    if (only_descriptors) tests.push_back({2, Kind::any_bit, AT_EMPTY_PATH});
    for (const int number : numbers) filter.add(number, tests, SECCOMP_RET_USER_NOTIF);
  };
  const bool changes_by_path = seen != AttributeCalls::by_descriptor;
  add({SYS_fsetxattr, SYS_fremovexattr}, false);
  add({kSetxattratNumber, kRemovexattratNumber}, !changes_by_path);
  if (changes_by_path) add({SYS_setxattr, SYS_removexattr}, false);
  if (seen == AttributeCalls::changes) return;
  add({SYS_fgetxattr, SYS_flistxattr}, false);
  add({kGetxattratNumber, kListxattratNumber}, seen != AttributeCalls::all);
  if (seen == AttributeCalls::all) add({SYS_getxattr, SYS_listxattr}, false);
}

bool is_attribute_call(int number) {
  switch (number) {
    case SYS_setxattr:
    case SYS_fsetxattr:
    case SYS_getxattr:
    case SYS_fgetxattr:
    case SYS_listxattr:
    case SYS_flistxattr:
    case SYS_removexattr:
    case SYS_fremovexattr:
    case kSetxattratNumber:
    case kGetxattratNumber:
    case kListxattratNumber:
    case kRemovexattratNumber:
      return true;
    default:
      return false;
  }
}

AttributeMemory read_attribute_memory(const seccomp_data& data, const kernel::TaskMemory& memory) {
  Decoded call = decode(data);
  AttributeMemory read;
  if (call.path != 0) read.path = part_of(memory.read_string(call.path, kPathBytes), ENAMETOOLONG);
  if (call.has_arguments && call.arguments_bytes >= kArgumentsBytes &&
      call.arguments_bytes <= kArgumentsMostBytes) {
    read.arguments = part_of(memory.read(call.arguments, call.arguments_bytes), E2BIG);
    if (read.arguments.error == 0) take_arguments(call, read.arguments.bytes);
  }
  if (call.operation != Operation::list)
    read.name = part_of(memory.read_string(call.name, label::kMaxNameBytes + 1), ERANGE);
  if (call.operation == Operation::set && call.size != 0 && call.size <= label::kMaxOneValueBytes)
    read.value = part_of(memory.read(call.value, call.size), EFAULT);
  return read;
}

AttributeAnswer answer_attribute_call(LabelAccess& labels, const AttributeCaller& caller,
                                      const AttributeMemory* memory) {
  return Attempt(labels, caller, memory).run();
}

Answer answer_attribute_call(LabelAccess& labels, const AttributeCaller& caller) {
  const auto memory = caller.task.memory();
  if (!caller.waiting()) return Answer::caller_gone();
  AttributeMemory read;
  if (memory) read = read_attribute_memory(caller.call.data, *memory);
  AttributeAnswer answer = answer_attribute_call(labels, caller, memory ? &read : nullptr);
  if (!answer.output.empty() && !memory->write(answer.output_at, answer.output))
    return Answer::error(EFAULT);
  return answer.answer;
}

std::optional<int> attribute_descriptor(const seccomp_data& call) {
  const Decoded decoded = decode(call);
  return decoded.by_fd ? std::optional(decoded.fd) : std::nullopt;
}

}  // namespace holdfast::backend::calls
