// SPDX-License-Identifier: Apache-2.0
// Ed25519 signatures (RFC 8032) and SHA-256 digests, by OpenSSL's libcrypto. Reads no configuration
// of OpenSSL and loads no module.
#ifndef HOLDFAST_BUNDLE_SIGNATURE_H
#define HOLDFAST_BUNDLE_SIGNATURE_H

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::bundle {

inline constexpr std::size_t kSignatureBytes = 64;
inline constexpr std::size_t kKeyBytes = 32;

// A public key that a machine trusts.
struct TrustedKey {
  std::string name;  // of its file, without the directory
  std::array<unsigned char, kKeyBytes> bytes = {};

  bool operator==(const TrustedKey&) const = default;
};

// A public key as PEM ("PUBLIC KEY"). Errors: EINVAL it is no Ed25519 key, or more than one.
[[nodiscard]] Result<TrustedKey> key_from_pem(std::string_view pem, std::string name);

// The keys of a file, or of all files *.pub of a directory. Errors: ENOENT there is none; EACCES
// users other than root and the caller could change one; those of reading; as key_from_pem().
[[nodiscard]] Result<std::vector<TrustedKey>> read_trusted_keys(const std::string& path);

// Signs `text` with the private key in the file `key_path` (PEM, "PRIVATE KEY"). Returns
// kSignatureBytes bytes, equal ones for equal arguments. Errors: EACCES group or others may read
// the file; EINVAL it is no Ed25519 key, or encrypted; those of reading; EIO libcrypto failed.
[[nodiscard]] Result<std::string> sign(std::string_view text, const std::string& key_path);

// Is it a signature of `text` by `key`? False also when libcrypto fails.
[[nodiscard]] bool is_signed_by(std::string_view text, std::string_view signature,
                                const TrustedKey& key);

// SHA-256 as 64 hexadecimal digits. Errors: EIO libcrypto failed.
[[nodiscard]] Result<std::string> sha256(std::string_view bytes);

}  // namespace holdfast::bundle

#endif  // HOLDFAST_BUNDLE_SIGNATURE_H
