// SPDX-License-Identifier: Apache-2.0
// From policy files to compiled tables, or to diagnostics with their places.
#ifndef HOLDFAST_POLICY_LOAD_H
#define HOLDFAST_POLICY_LOAD_H

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// A mistake in a policy file.
struct Diagnostic {
  Span where;
  std::string message;
  std::string hint;  // "did you mean 'namespaces'?"; may be empty
  std::string line;  // the source line, without its newline; may be empty
};

// "file:line:column: error: message", the line, a caret, the hint. Ends with a newline.
[[nodiscard]] std::string render(const Diagnostic& diagnostic);

struct Source {
  std::string name;  // as it appears in diagnostics
  std::string text;
};

// Tells texts apart, whatever their files are called: events name the policy that decided by it.
[[nodiscard]] std::uint64_t text_digest(const std::vector<Source>& sources);
// 16 hexadecimal digits.
[[nodiscard]] std::string digest_text(std::uint64_t digest);

struct LoadResult {
  std::unique_ptr<const Compiled> policy;  // null exactly when diagnostics is not empty
  std::vector<Diagnostic> diagnostics;     // every mistake of every file, in order of place
};

// Several sources make one policy. Pure: no file is touched.
[[nodiscard]] LoadResult load(const std::vector<Source>& sources);

// Reads a file of at most `most_bytes`. Errors, under the name of `operation`: the errno of open or
// read; EFBIG; EISDIR.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::string_view operation,
                                            std::size_t most_bytes);

// Reads one policy file of at most 4 MiB. Errors: the errno of open or read; EFBIG; EISDIR.
[[nodiscard]] Result<Source> read_source(const std::string& path);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_LOAD_H
