// SPDX-License-Identifier: Apache-2.0
#include "daemon/seal.h"

#include <crypt.h>
#include <fmt/core.h>

#include <array>
#include <cerrno>
#include <iostream>
#include <memory>
#include <sstream>

#include "daemon/sealed_files.h"
#include "kernel/files/text_file.h"
#include "kernel/random.h"

namespace holdfast::daemon {

namespace {

constexpr char kMethod[] = "$y$";          // yescrypt
constexpr std::size_t kTokenLetters = 26;  // of 32: 130 bits

int failed(const Error& error) {
  fmt::print(stderr, "holdfastd: {}\n", error.message());
  return kExitFailed;
}

// Hashes `token` with crypt(3). Empty: crypt(3) failed. If `setting` is the hash of a token, the
// result equals it exactly for that token.
std::string hashed(const std::string& token, const std::string& setting) {
  const auto data = std::make_unique<crypt_data>();
  const char* hash = crypt_r(token.c_str(), setting.c_str(), data.get());
  return hash == nullptr || hash[0] == '*' ? "" : hash;
}

Result<std::string> make_token() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<unsigned char, kTokenLetters> bytes = {};
  HF_TRY(kernel::fill_random(bytes.data(), bytes.size()));
  std::string token;
  for (const unsigned char byte : bytes) token += kLetters[byte % kLetters.size()];
  return token;
}

bool equal(const std::string& a, const std::string& b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size() && i < b.size(); i++)
    difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace

int seal(const Options& options) {
  std::array<char, 16> salt = {};
  if (auto filled = kernel::fill_random(salt.data(), salt.size()); !filled)
    return failed(filled.error());
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting = {};
  if (crypt_gensalt_rn(kMethod, 0, salt.data(), static_cast<int>(salt.size()), setting.data(),
                       static_cast<int>(setting.size())) == nullptr)
    return failed(Error{ENOTSUP, "make a salt", "", ""});
  const auto token = make_token();
  if (!token) return failed(token.error());
  const std::string secret = hashed(*token, setting.data());
  if (secret.empty()) return failed(Error{ENOTSUP, "hash the token", "", ""});
  const auto files = sealed_files();
  if (!files) return failed(files.error());
  const auto on = backend::Seal::open(options.pin_dir);
  if (!on) return failed(on.error());
  if (!*on) return failed(Error{ENOENT, "seal", "", "no guarded policy is in force"});
  if (auto sealed = (*on)->put_on(secret, *files); !sealed) return failed(sealed.error());
  fmt::print("{}\n", *token);
  fmt::print(stderr,
             "holdfastd: sealed. Only this token unseals it: do not keep it on this "
             "machine.\n");
  return kExitOk;
}

// The guard is opened once. So the guard that is unsealed is the one whose hash was compared, even
// if the path leads to another one after the token was read.
int unseal(const Options& options) {
  const auto on = backend::Seal::open(options.pin_dir);
  if (!on) return failed(on.error());
  const std::string secret = *on ? (*on)->secret() : "";
  if (secret.empty()) {
    fmt::print(stderr, "holdfastd: it is not sealed\n");
    return kExitOk;
  }
  std::string token;
  std::getline(std::cin, token);
  if (!equal(hashed(token, secret), secret))
    return failed(Error{EPERM, "unseal", "", "this is not the token"});
  if (auto unsealed = (*on)->take_off(); !unsealed) return failed(unsealed.error());
  fmt::print(stderr, "holdfastd: unsealed\n");
  return kExitOk;
}

int is_sealed(const Options& options) {
  const auto on = backend::Seal::open(options.pin_dir);
  if (!on) {
    fmt::print(stderr, "holdfastd: {}\n", on.error().message());
    return kExitUnknown;
  }
  return *on && (*on)->is_on() ? kExitOk : kExitFailed;
}

bool switched_off_at_boot() {
  const auto text = kernel::read_text_file("/proc/cmdline");
  if (!text) return false;
  std::istringstream words(*text);
  for (std::string word; words >> word;)
    if (word == "holdfast=off") return true;
  return false;
}

}  // namespace holdfast::daemon
