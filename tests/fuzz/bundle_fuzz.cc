// SPDX-License-Identifier: Apache-2.0
// Any bytes as a bundle are refused. Any bytes that are signed are refused, or are a bundle of which
// all rules hold and that is written again as the same bytes.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/base64.h"
#include "bundle/bundle.h"
#include "bundle/machine.h"
#include "fakes/bundle_key.h"

using namespace holdfast;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// A file with the private key, for as long as the process runs.
std::string key_file() {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("bundle_fuzz." + std::to_string(getpid()));
  std::ofstream(path) << fakes::kPrivateKey;
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  static const struct Removed {
    std::filesystem::path path;
    ~Removed() { std::filesystem::remove(path); }
  } removed{path};
  return path.string();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string key = key_file();
  static const auto keys = std::vector{*bundle::key_from_pem(fakes::kPublicKey, "fleet.pub")};
  const std::string text(reinterpret_cast<const char*>(data), size);
  require(!bundle::decode(text, keys));
  (void)bundle::record_from_json(text);
  (void)bundle::key_from_pem(text, "fuzz");
  const std::string magic = "holdfast-bundle 1\n";
  const std::string bytes = magic + to_base64(*bundle::sign(magic + text, key)) + "\n" + text;
  const auto read = bundle::decode(bytes, keys);
  if (!read) return 0;
  for (const bundle::File& file : read->contents.files) require(bundle::is_policy_path(file.path));
  const auto again = bundle::encode(read->contents, key);
  require(again && *again == bytes);
  return 0;
}
