// SPDX-License-Identifier: Apache-2.0
// Loads policy files: compiles them to tables, or reports diagnostics.
#ifndef HOLDFAST_POLICY_LOAD_H
#define HOLDFAST_POLICY_LOAD_H

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/compiled.h"

namespace holdfast::policy {

// An error in a policy file.
struct Diagnostic {
  Span where;
  std::string message;
  std::string hint;  // "did you mean 'namespaces'?"; may be empty
  std::string line;  // the source line, without its newline; may be empty
};

// "file:line:column: error: message", the line, a caret, the hint. Ends with a newline.
[[nodiscard]] std::string render(const Diagnostic& diagnostic);

struct Source {
  std::string name;  // the name of the file in diagnostics
  std::string text;
  bool drop_in = false;  // its keys override those of the sources before it, up to the last one
                         // that is no drop-in
};

// A hash of the texts and of which are drop-ins, without the names of the files. An event identifies
// its policy by this hash.
[[nodiscard]] std::uint64_t text_digest(const std::vector<Source>& sources);
// The digest as 16 hexadecimal digits.
[[nodiscard]] std::string digest_text(std::uint64_t digest);

struct LoadResult {
  std::unique_ptr<const Compiled> policy;  // null if and only if there are diagnostics
  std::vector<Diagnostic> diagnostics;     // of all files, ordered by place
  std::set<std::string> undefined;         // profiles that are named and not defined
};

// Compiles all sources as one policy. Accesses no file.
[[nodiscard]] LoadResult load(const std::vector<Source>& sources);

// Reads a file of at most `most_bytes` bytes. `operation` is the operation of the errors. Errors:
// those of open(2) and read(2); EFBIG; EISDIR.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::string_view operation,
                                            std::size_t most_bytes);

// Reads one policy file of at most 4 MiB. Errors: those of open(2) and read(2); EFBIG; EISDIR.
[[nodiscard]] Result<Source> read_source(const std::string& path);

}  // namespace holdfast::policy

#endif  // HOLDFAST_POLICY_LOAD_H
