// SPDX-License-Identifier: Apache-2.0
#include "bundle/signature.h"

#include <fmt/core.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "kernel/files/plain_file.h"

namespace holdfast::bundle {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxKeyFile = 16 << 10;  // bytes
constexpr std::string_view kBegin = "-----BEGIN ";

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Bytes = std::unique_ptr<BIO, Freed<BIO_free>>;

// A configuration file could name modules, which would be loaded into this process.
void prepare_library() { OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr); }

const unsigned char* data_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// For libcrypto, which would ask for a password on the terminal.
int no_password(char*, int, int, void*) { return -1; }

Bytes bytes_of(std::string_view text) {
  return Bytes(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Error failed(std::string_view what) {
  return Error{EIO, std::string(what), "", "libcrypto failed"};
}

}  // namespace

Result<TrustedKey> key_from_pem(std::string_view pem, std::string name) {
  prepare_library();
  const Error wrong = {EINVAL, "read key", name, "it is no Ed25519 public key in PEM"};
  if (pem.size() > kMaxKeyFile) return wrong;
  const std::size_t first = pem.find(kBegin);
  if (first == std::string_view::npos) return wrong;
  if (pem.find(kBegin, first + 1) != std::string_view::npos)
    return Error{EINVAL, "read key", name, "it has more than one key"};
  const Bytes bytes = bytes_of(pem);
  const Key key(bytes ? PEM_read_bio_PUBKEY(bytes.get(), nullptr, no_password, nullptr) : nullptr);
  TrustedKey trusted{std::move(name), {}};
  std::size_t length = trusted.bytes.size();
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key.get(), trusted.bytes.data(), &length) != 1 ||
      length != kKeyBytes)
    return wrong;
  return trusted;
}

namespace {

Result<TrustedKey> read_trusted_key(const std::string& path) {
  HF_TRY_ASSIGN(const auto pem, kernel::read_plain_file(path, kMaxKeyFile));
  HF_TRY_ASSIGN(const auto others, kernel::other_writers(path));
  if (!others.empty()) return Error{EACCES, "trust key", path, others};
  HF_TRY_ASSIGN(auto key, key_from_pem(pem, path));
  key.name = fs::path(path).filename().string();
  return key;
}

}  // namespace

Result<std::vector<TrustedKey>> read_trusted_keys(const std::string& path) {
  std::error_code error;
  std::vector<TrustedKey> keys;
  if (!fs::is_directory(path, error)) {
    HF_TRY_ASSIGN(auto key, read_trusted_key(path));
    keys.push_back(std::move(key));
    return keys;
  }
  HF_TRY_ASSIGN(const auto others, kernel::other_writers(path, kernel::Sticky::counts));
  if (!others.empty()) return Error{EACCES, "trust keys", path, others};
  std::vector<std::string> files;
  fs::directory_iterator at(path, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error))
    if (at->path().extension() == ".pub") files.push_back(at->path().string());
  if (error) return Error{error.value(), "read directory", path, {}};
  std::ranges::sort(files);
  for (const std::string& file : files) {
    HF_TRY_ASSIGN(auto key, read_trusted_key(file));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return Error{ENOENT, "trust keys", path, "it has no *.pub"};
  return keys;
}

Result<std::string> sign(std::string_view text, const std::string& key_path) {
  prepare_library();
  HF_TRY_ASSIGN(auto pem, kernel::read_plain_file(key_path, kMaxKeyFile));
  std::error_code error;
  const fs::perms mode = fs::status(key_path, error).permissions();
  constexpr fs::perms kOthers = fs::perms::group_all | fs::perms::others_all;
  if (error || (mode & kOthers) != fs::perms::none) {
    OPENSSL_cleanse(pem.data(), pem.size());
    return Error{EACCES, "read key", key_path, "group or others may read or write it: chmod 600"};
  }
  const Bytes bytes = bytes_of(pem);
  const Key key(bytes ? PEM_read_bio_PrivateKey(bytes.get(), nullptr, no_password, nullptr)
                      : nullptr);
  OPENSSL_cleanse(pem.data(), pem.size());
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519)
    return Error{EINVAL, "read key", key_path, "it is no unencrypted Ed25519 private key in PEM"};
  const Context context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  std::size_t length = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                     data_of(text), text.size()) != 1 ||
      length != kSignatureBytes)
    return failed("sign");
  return signature;
}

bool is_signed_by(std::string_view text, std::string_view signature, const TrustedKey& key) {
  prepare_library();
  if (signature.size() != kSignatureBytes) return false;
  const Key known(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.bytes.data(), key.bytes.size()));
  const Context context(EVP_MD_CTX_new());
  return known && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, known.get()) == 1 &&
         EVP_DigestVerify(context.get(), data_of(signature), signature.size(), data_of(text),
                          text.size()) == 1;
}

Result<std::string> sha256(std::string_view bytes) {
  prepare_library();
  std::array<unsigned char, 32> digest = {};
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1 ||
      length != digest.size())
    return failed("digest");
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace holdfast::bundle
