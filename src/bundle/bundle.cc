// SPDX-License-Identifier: Apache-2.0
#include "bundle/bundle.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "base/base64.h"
#include "base/printable.h"
#include "kernel/files/plain_file.h"

namespace holdfast::bundle {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::ordered_json;

constexpr std::string_view kMagic = "holdfast-bundle 1\n";
constexpr std::size_t kSignatureLetters = 88;
constexpr unsigned kFormat = 1;

Error refused(int code, std::string detail) {
  return Error{code, "read bundle", "", std::move(detail)};
}

Result<Json> manifest(const Contents& contents) {
  Json files = Json::array();
  for (const File& file : contents.files) {
    HF_TRY_ASSIGN(const auto digest, sha256(file.text));
    files.push_back({{"path", file.path}, {"bytes", file.text.size()}, {"sha256", digest}});
  }
  return Json{{"format", kFormat},
              {"name", contents.name.text()},
              {"ring", contents.ring},
              {"checks", contents.checks},
              {"files", std::move(files)}};
}

// The rules that the words of a manifest keep. "": all hold.
std::string broken_rule(const Contents& contents) {
  if (contents.ring < 1 || contents.ring > kEveryMachine) return "the ring is no percentage";
  if (contents.checks.size() > kMaxChecks) return "too many health checks";
  for (const std::string& check : contents.checks)
    if (!is_check_name(check))
      return fmt::format("'{}' is no name of a health check", escape(check));
  if (contents.files.empty()) return "it has no files";
  if (contents.files.size() > kMaxFiles) return fmt::format("more than {} files", kMaxFiles);
  const std::string* before = nullptr;
  for (const File& file : contents.files) {
    if (!is_policy_path(file.path))
      return fmt::format("'{}' is no path of a policy file: NAME.toml or NAME.toml.d/NAME.toml",
                         escape(file.path));
    if (before != nullptr && file.path == *before)
      return fmt::format("'{}' is there twice", escape(file.path));
    if (before != nullptr && file.path < *before) return "the files are not sorted";
    if (file.text.size() > kMaxFileBytes)
      return fmt::format("'{}' is larger than {} bytes", escape(file.path), kMaxFileBytes);
    before = &file.path;
  }
  return "";
}

// The fields of a manifest, in which files have their sizes and digests in place of their texts.
struct Declared {
  std::uint64_t bytes = 0;
  std::string sha256;
};
struct Manifest {
  Contents contents;
  std::vector<Declared> declared;
};

template <typename T>
bool take(const Json& object, const char* key, T& to) {
  const auto at = object.find(key);
  if (at == object.end()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!at->is_string()) return false;
  } else {
    if (!at->is_number_unsigned() || at->template get<std::uint64_t>() > ~std::uint32_t{0})
      return false;
  }
  to = at->template get<T>();
  return true;
}

Result<Manifest> read_manifest(std::string_view line) {
  const Error wrong = refused(EBADMSG, "the manifest is not of the known format");
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return wrong;
  std::uint64_t format = 0;
  std::string name;
  if (!take(json, "format", format) || !take(json, "name", name)) return wrong;
  if (format != kFormat)
    return refused(EBADMSG, fmt::format("it has format {}, and this is holdfast for format {}",
                                        format, kFormat));
  auto known = Name::parse(name);
  if (!known) return refused(EBADMSG, fmt::format("'{}' is no name of a bundle", escape(name)));
  Manifest read{{*std::move(known), kEveryMachine, {}, {}}, {}};
  const auto checks = json.find("checks");
  const auto files = json.find("files");
  if (!take(json, "ring", read.contents.ring) || checks == json.end() || !checks->is_array() ||
      files == json.end() || !files->is_array() || files->size() > kMaxFiles)
    return wrong;
  for (const Json& check : *checks) {
    if (!check.is_string()) return wrong;
    read.contents.checks.push_back(check.get<std::string>());
  }
  for (const Json& file : *files) {
    File named;
    Declared declared;
    if (!file.is_object() || !take(file, "path", named.path) ||
        !take(file, "bytes", declared.bytes) || !take(file, "sha256", declared.sha256))
      return wrong;
    read.contents.files.push_back(std::move(named));
    read.declared.push_back(std::move(declared));
  }
  return read;
}

Result<Contents> read_payload(std::string_view payload) {
  const std::size_t end = payload.find('\n');
  if (end == std::string_view::npos) return refused(EBADMSG, "the manifest has no end");
  const std::string_view line = payload.substr(0, end);
  std::string_view rest = payload.substr(end + 1);
  HF_TRY_ASSIGN(auto read, read_manifest(line));
  if (std::string rule = broken_rule(read.contents); !rule.empty())
    return refused(EBADMSG, std::move(rule));
  for (std::size_t i = 0; i < read.declared.size(); i++) {
    File& file = read.contents.files[i];
    const Declared& declared = read.declared[i];
    if (declared.bytes > kMaxFileBytes || declared.bytes > rest.size())
      return refused(EBADMSG, fmt::format("'{}' is not there as a whole", escape(file.path)));
    file.text = rest.substr(0, declared.bytes);
    rest.remove_prefix(declared.bytes);
    HF_TRY_ASSIGN(const auto digest, sha256(file.text));
    if (digest != declared.sha256)
      return refused(EBADMSG, fmt::format("the digest of '{}' is another one", escape(file.path)));
  }
  if (!rest.empty())
    return refused(EBADMSG, fmt::format("{} bytes follow the last file", rest.size()));
  // Only the form that encode() writes: no unknown field, no second value of a field.
  HF_TRY_ASSIGN(const auto again, manifest_json(read.contents));
  if (again != line) return refused(EBADMSG, "the manifest is not in the form that is written");
  return std::move(read.contents);
}

// Adds the regular file at `path` to the files.
Result<void> add_file(const fs::path& path, std::string name, std::vector<File>& files,
                      std::size_t& bytes) {
  const auto wrong = [&](std::string why) {
    return Error{EINVAL, "bundle", path.string(), std::move(why)};
  };
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::symlink) return wrong("it is a symbolic link");
  if (type != fs::file_type::regular) return wrong("it is no regular file");
  if (!is_policy_path(name)) return wrong("this is no name of a policy file in a bundle");
  HF_TRY_ASSIGN(auto text, kernel::read_plain_file(path.string(), kMaxFileBytes));
  bytes += text.size();
  if (bytes > kMaxBundleBytes || files.size() == kMaxFiles)
    return Error{EFBIG, "bundle", path.string(), "a bundle has at most 256 files and 8 MiB"};
  files.push_back({std::move(name), std::move(text)});
  return {};
}

}  // namespace

Result<std::string> manifest_json(const Contents& contents) {
  HF_TRY_ASSIGN(const auto json, manifest(contents));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> encode(Contents contents, const std::string& key_path) {
  std::ranges::sort(contents.files, {}, &File::path);
  if (std::string rule = broken_rule(contents); !rule.empty())
    return Error{EINVAL, "make bundle", "", std::move(rule)};
  HF_TRY_ASSIGN(auto payload, manifest_json(contents));
  payload += '\n';
  for (const File& file : contents.files) payload += file.text;
  const std::string text = std::string(kMagic) + payload;
  if (text.size() + kSignatureLetters + 1 > kMaxBundleBytes)
    return Error{EFBIG, "make bundle", "", "a bundle has at most 8 MiB"};
  HF_TRY_ASSIGN(const auto signature, sign(text, key_path));
  return std::string(kMagic) + to_base64(signature) + "\n" + payload;
}

Result<Verified> decode(std::string_view bytes, const std::vector<TrustedKey>& keys) {
  if (bytes.size() > kMaxBundleBytes) return refused(EFBIG, "a bundle has at most 8 MiB");
  const std::size_t head = kMagic.size() + kSignatureLetters + 1;
  if (!bytes.starts_with(kMagic) || bytes.size() < head || bytes[head - 1] != '\n')
    return refused(EINVAL, "it is no bundle");
  const auto signature = from_base64(std::string(bytes.substr(kMagic.size(), kSignatureLetters)));
  if (!signature) return refused(EINVAL, "it is no bundle");
  const std::string_view payload = bytes.substr(head);
  const std::string text = std::string(kMagic) + std::string(payload);
  const auto key = std::ranges::find_if(
      keys, [&](const TrustedKey& known) { return is_signed_by(text, *signature, known); });
  if (key == keys.end()) return refused(EKEYREJECTED, "no trusted key has signed it");
  HF_TRY_ASSIGN(auto contents, read_payload(payload));
  HF_TRY_ASSIGN(auto digest, sha256(text));
  return Verified{std::move(contents), std::move(digest), key->name};
}

Result<Verified> read_bundle(const std::string& path, const std::vector<TrustedKey>& keys) {
  HF_TRY_ASSIGN(const auto bytes, kernel::read_plain_file(path, kMaxBundleBytes));
  auto read = decode(bytes, keys);
  if (read) return read;
  Error error = std::move(read).error();
  error.object = path;
  return error;
}

Result<std::vector<File>> files_below(const std::string& directory) {
  std::vector<File> files;
  std::size_t bytes = 0;
  std::error_code error;
  fs::directory_iterator at(directory, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (at->symlink_status(ignored).type() != fs::file_type::directory) {
      HF_TRY(add_file(at->path(), name, files, bytes));
      continue;
    }
    fs::directory_iterator below(at->path(), error);
    for (; !error && below != fs::directory_iterator(); below.increment(error))
      HF_TRY(add_file(below->path(), name + "/" + below->path().filename().string(), files, bytes));
  }
  if (error) return Error{error.value(), "read directory", directory, {}};
  if (files.empty()) return Error{ENOENT, "bundle", directory, "it has no policy files"};
  std::ranges::sort(files, {}, &File::path);
  return files;
}

}  // namespace holdfast::bundle
