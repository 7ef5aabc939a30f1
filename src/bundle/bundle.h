// SPDX-License-Identifier: Apache-2.0
// The format of a bundle: a policy in one file, with a signature that is verified before anything
// else of it is read.
//
//     holdfast-bundle 1
//     SIGNATURE                        Ed25519, 88 letters of base64
//     {"format":1,"name":…}            the manifest, one line of JSON
//     the contents of the files        in the order of the manifest, nothing between them
//
// What is signed are all bytes but those of the second line.
#ifndef HOLDFAST_BUNDLE_BUNDLE_H
#define HOLDFAST_BUNDLE_BUNDLE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bundle/name.h"
#include "bundle/signature.h"

namespace holdfast::bundle {

inline constexpr std::size_t kMaxBundleBytes = 8u << 20;
inline constexpr std::size_t kMaxFiles = 256;
inline constexpr std::size_t kMaxFileBytes = 1u << 20;
inline constexpr std::size_t kMaxChecks = 32;
inline constexpr unsigned kEveryMachine = 100;  // percent

struct File {
  std::string path;  // as is_policy_path()
  std::string text;

  bool operator==(const File&) const = default;
};

// What a bundle says.
struct Contents {
  Name name;
  // The share of the machines that may apply it, from 1 to 100 percent. A machine belongs to it if
  // its own number from 1 to 100 is at most this one.
  unsigned ring = kEveryMachine;
  // Health checks of the machine that have to pass before the policy is confirmed.
  std::vector<std::string> checks;
  std::vector<File> files;  // by path, at least one
};

// A bundle whose signature was verified.
struct Verified {
  Contents contents;
  std::string digest;  // SHA-256 of the signed bytes, as 64 hexadecimal digits
  std::string key;     // the name of the key
};

// Signs the contents with the private key in the file. The files are sorted. The same contents give
// the same bytes. Errors: EINVAL a rule of the format does not hold; EFBIG; those of sign().
[[nodiscard]] Result<std::string> encode(Contents contents, const std::string& key_path);

// Verifies and reads a bundle. Errors: EFBIG; EINVAL it is no bundle; EKEYREJECTED none of the keys
// has signed it; EBADMSG it is signed, and the manifest or the files keep no rule of the format.
[[nodiscard]] Result<Verified> decode(std::string_view bytes, const std::vector<TrustedKey>& keys);

// Reads and decodes the file. Does not wait for one that is no regular file. Errors: those of
// reading; as decode().
[[nodiscard]] Result<Verified> read_bundle(const std::string& path,
                                           const std::vector<TrustedKey>& keys);

// The files of a directory, as a bundle has them. Follows no symbolic link. Errors: EINVAL an entry
// cannot be in a bundle: a link, a FIFO, another kind of name; EFBIG; ENOENT there is none; those
// of reading.
[[nodiscard]] Result<std::vector<File>> files_below(const std::string& directory);

// The manifest as the line of JSON that is signed, without a newline. For `bundle show`.
[[nodiscard]] Result<std::string> manifest_json(const Contents& contents);

}  // namespace holdfast::bundle

#endif  // HOLDFAST_BUNDLE_BUNDLE_H
