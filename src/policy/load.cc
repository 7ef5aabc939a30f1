// SPDX-License-Identifier: Apache-2.0
// Reads all sources and checks them together. Compiles the policy only if it has no error.
#include "policy/load.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/digest.h"
#include "base/fd.h"
#include "policy/check.h"
#include "policy/compile.h"
#include "policy/document.h"
#include "policy/merge.h"
#include "policy/parse.h"
#include "policy/reader.h"
#include "policy/source_lines.h"

namespace holdfast::policy {
namespace {

std::size_t source_index(const std::vector<Source>& sources, const std::string& file) {
  std::size_t index = 0;
  while (index < sources.size() && sources[index].name != file) index++;
  return index;
}

// The maximum number of diagnostics. A hostile file must not fill the memory with them.
constexpr std::size_t kMaxDiagnostics = 1000;
constexpr std::size_t kMaxLineBytes = 1000;

void cut(std::vector<Diagnostic>& diagnostics) {
  if (diagnostics.size() <= kMaxDiagnostics) return;
  const std::size_t more = diagnostics.size() - kMaxDiagnostics;
  diagnostics.resize(kMaxDiagnostics);
  const Diagnostic& last = diagnostics.back();
  diagnostics.push_back({last.where, fmt::format("{} more mistakes after this one", more), "", ""});
}

// Sorts the diagnostics by place and adds their source lines.
void finish_diagnostics(const std::vector<Source>& sources, std::vector<Diagnostic>& diagnostics) {
  std::stable_sort(
      diagnostics.begin(), diagnostics.end(), [&](const Diagnostic& a, const Diagnostic& b) {
        if (a.where.file != b.where.file)
          return source_index(sources, a.where.file) < source_index(sources, b.where.file);
        return before(a.where, b.where);
      });
  cut(diagnostics);
  if (diagnostics.empty()) return;
  for (const Source& source : sources) {
    const SourceLines lines(source);
    for (Diagnostic& diagnostic : diagnostics) {
      if (diagnostic.where.file != source.name) continue;
      std::string line(lines.line(diagnostic.where.line));
      if (line.size() <= kMaxLineBytes) diagnostic.line = std::move(line);
    }
  }
}

}  // namespace

ParseResult parse(const std::vector<Source>& sources) {
  ParseResult result;
  std::vector<FileModel> files;
  for (const Source& source : sources) {
    Value root;
    const std::size_t mistakes = result.diagnostics.size();
    parse_document(source, root, result.diagnostics);
    FileModel file;
    if (result.diagnostics.size() == mistakes)
      file = read_file_model(root, result.diagnostics);
    else
      result.model.complete = false;
    file.drop_in = source.drop_in;
    files.push_back(std::move(file));
  }
  merge_files(std::move(files), result.model, result.diagnostics);
  check_model(result.model, result.diagnostics, &result.undefined);
  finish_diagnostics(sources, result.diagnostics);
  return result;
}

LoadResult load(const std::vector<Source>& sources) {
  ParseResult parsed = parse(sources);
  if (!parsed.diagnostics.empty())
    return {nullptr, std::move(parsed.diagnostics), std::move(parsed.undefined)};
  return {compile(parsed.model, text_digest(sources)), {}, {}};
}

std::uint64_t text_digest(const std::vector<Source>& sources) {
  // Neither occurs in UTF-8.
  constexpr std::string_view kEnd = "\xff";
  constexpr std::string_view kEndOfDropIn = "\xfe";
  std::uint64_t digest = kDigestStart;
  for (const Source& source : sources)
    digest = digest_of(source.drop_in ? kEndOfDropIn : kEnd, digest_of(source.text, digest));
  return digest;
}

std::string digest_text(std::uint64_t digest) { return fmt::format("{:016x}", digest); }

Result<std::string> read_file(const std::string& path, std::string_view operation,
                              std::size_t most_bytes) {
  const auto failed = [&](int code) { return Error{code, std::string(operation), path, ""}; };
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return failed(errno);
  std::string text;
  std::string block(std::size_t{64} * 1024, '\0');
  while (true) {
    const ssize_t count = read(fd.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(errno);
    if (count == 0) return text;
    text.append(block, 0, static_cast<std::size_t>(count));
    if (text.size() > most_bytes) return failed(EFBIG);
  }
}

Result<Source> read_source(const std::string& path) {
  HF_TRY_ASSIGN(auto text, read_file(path, "read policy", kMaxSourceBytes));
  return Source{path, std::move(text), false};
}

}  // namespace holdfast::policy
