// SPDX-License-Identifier: Apache-2.0
// Bundles: names, the format, and their application to a machine.
#include "bundle/bundle.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/base64.h"
#include "bundle/machine.h"
#include "fakes/bundle_key.h"
#include "kernel/files/plain_file.h"

namespace holdfast::bundle {
namespace {

namespace fs = std::filesystem;

std::string write(const fs::path& path, std::string_view text, fs::perms mode = fs::perms(0600)) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  fs::permissions(path, mode);
  return path.string();
}

std::optional<std::string> text_of(const fs::path& path) {
  auto text = kernel::read_plain_file(path.string(), kMaxBundleBytes);
  if (!text) return std::nullopt;
  return *std::move(text);
}

TEST(BundleName, IsAnOrder) {
  const auto name = [](std::string_view text) { return *Name::parse(text); };
  EXPECT_LT(name("2026-11-28.1"), name("2026-11-28.2"));
  EXPECT_LT(name("2026-11-28.9"), name("2026-11-28.10"));
  EXPECT_LT(name("2026-9-1"), name("2026-11-28"));
  EXPECT_LT(name("2026-11-28"), name("2026-11-28.0"));
  EXPECT_EQ(name("1.2"), name("1-02"));
  for (const char* wrong : {"", "a", "1.", ".1", "1..2", "1/2", "../1", "1 ", "-1", "+1",
                            "1234567890", "1.2.3.4.5.6.7.8.9", "1\n2"})
    EXPECT_FALSE(Name::parse(wrong)) << wrong;
}

TEST(BundlePath, IsAFileOfThePolicyAndNothingElse) {
  for (const char* good : {"web.toml", "a@b:c_d-1.toml", "web.toml.d/10-x.toml"})
    EXPECT_TRUE(is_policy_path(good)) << good;
  for (const char* wrong :
       {"", ".toml", "web", "/web.toml", "../web.toml", "a/web.toml", "web.toml.d/../x.toml",
        "web.toml.d/a/x.toml", ".web.toml", "web.toml.d/.x.toml", "web.toml/", "web.toml.d/",
        "a b.toml", "a\n.toml", "..toml", "web.toml.d//x.toml", "/etc/passwd", "web.toml.new"})
    EXPECT_FALSE(is_policy_path(wrong)) << wrong;
}

class BundleTest : public testing::Test {
 protected:
  BundleTest() {
    std::string name = (fs::temp_directory_path() / "bundle_test.XXXXXX").string();
    folder_ = mkdtemp(name.data());
    key_ = write(folder_ / "key.pem", fakes::kPrivateKey);
    keys_ = {*key_from_pem(fakes::kPublicKey, "fleet.pub")};
    machine_.dirs.paths = {(folder_ / "policy.d").string()};
    machine_.dirs.trust = policy_dirs::Trust::anybody;
    machine_.state_dir = (folder_ / "state").string();
  }
  ~BundleTest() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string encoded(const std::string& name, std::vector<File> files,
                                    unsigned ring = kEveryMachine) const {
    auto bytes = encode({*Name::parse(name), ring, {"http"}, std::move(files)}, key_);
    EXPECT_TRUE(bytes) << bytes.error().message();
    return *std::move(bytes);
  }
  [[nodiscard]] Verified made(const std::string& name, std::vector<File> files,
                              unsigned ring = kEveryMachine) const {
    return *decode(encoded(name, std::move(files), ring), keys_);
  }
  // Signs a payload that encode() would not write.
  [[nodiscard]] std::string with_payload(const std::string& payload) const {
    const std::string magic = "holdfast-bundle 1\n";
    return magic + to_base64(*sign(magic + payload, key_)) + "\n" + payload;
  }
  [[nodiscard]] Error refusal(const std::string& bytes) const {
    const auto read = decode(bytes, keys_);
    EXPECT_FALSE(read);
    return read ? Error{} : read.error();
  }
  Result<bool> apply_it(const Verified& bundle, Conditions conditions = {}) {
    return apply(machine_, bundle, conditions,
                 [](const policy_dirs::Plan&) { return Result<void>(); });
  }
  Result<void> revert_it() {
    return revert(machine_, [](const policy_dirs::Plan&) { return Result<void>(); });
  }
  [[nodiscard]] std::optional<std::string> policy(const std::string& path) const {
    return text_of(folder_ / "policy.d" / path);
  }

  fs::path folder_;
  std::string key_;
  std::vector<TrustedKey> keys_;
  Machine machine_;
};

TEST_F(BundleTest, IsReadAsItWasMade) {
  const std::string bytes =
      encoded("2026-11-28.1", {{"web.toml", "version = 1\n"}, {"a.toml.d/b.toml", ""}}, 10);
  const auto read = decode(bytes, keys_);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->contents.name.text(), "2026-11-28.1");
  EXPECT_EQ(read->contents.ring, 10u);
  EXPECT_EQ(read->contents.checks, std::vector<std::string>{"http"});
  EXPECT_EQ(read->contents.files,
            (std::vector<File>{{"a.toml.d/b.toml", ""}, {"web.toml", "version = 1\n"}}));
  EXPECT_EQ(read->key, "fleet.pub");
  EXPECT_EQ(bytes,
            encoded("2026-11-28.1", {{"a.toml.d/b.toml", ""}, {"web.toml", "version = 1\n"}}, 10));
}

TEST_F(BundleTest, EachChangedByteIsRefused) {
  const std::string bytes = encoded("1.1", {{"web.toml", "version = 1\n"}});
  for (std::size_t at = 0; at < bytes.size(); at++)
    for (const int bit : {0, 6}) {
      std::string forged = bytes;
      forged[at] = static_cast<char>(forged[at] ^ (1 << bit));
      const int code = refusal(forged).code;
      EXPECT_TRUE(code == EKEYREJECTED || code == EINVAL) << at << " " << code;
    }
  for (std::size_t size = 0; size < bytes.size(); size++)
    EXPECT_NE(refusal(bytes.substr(0, size)).code, 0) << size;
  EXPECT_EQ(refusal(bytes + "x").code, EKEYREJECTED);
  EXPECT_EQ(refusal("").code, EINVAL);
  EXPECT_FALSE(decode(bytes, {}));
}

TEST_F(BundleTest, AForeignKeyIsRefusedBeforeTheManifestIsRead) {
  TrustedKey other = keys_[0];
  other.bytes[0] ^= 1;
  const auto read = decode(with_payload("this is no manifest"), {other});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, EKEYREJECTED);
}

TEST_F(BundleTest, ASignedManifestKeepsTheRules) {
  const std::string digest = *sha256("x");
  const auto file = [&](const std::string& path, const std::string& bytes = "1") {
    return R"({"path":")" + path + R"(","bytes":)" + bytes + R"(,"sha256":")" + digest + R"("})";
  };
  const auto manifest = [](const std::string& files, const std::string& name = "1.1",
                           const std::string& more = "", const std::string& ring = "100",
                           const std::string& checks = "") {
    return R"({"format":1,"name":")" + name + R"(","ring":)" + ring + R"(,"checks":[)" + checks +
           R"(],"files":[)" + files + "]" + more + "}\n";
  };
  ASSERT_TRUE(decode(with_payload(manifest(file("web.toml")) + "x"), keys_));
  const struct {
    const char* what;
    std::string payload;
    const char* reason;
  } cases[] = {
      {"a path outside", manifest(file("../web.toml")) + "x", "is no path of a policy file"},
      {"an absolute path", manifest(file("/etc/shadow")) + "x", "is no path of a policy file"},
      {"a name twice", manifest(file("a.toml") + "," + file("a.toml")) + "xx", "is there twice"},
      {"an order", manifest(file("b.toml") + "," + file("a.toml")) + "xx", "not sorted"},
      {"data that follow", manifest(file("a.toml")) + "xy", "1 bytes follow the last file"},
      {"data that lack", manifest(file("a.toml", "2")) + "x", "not there as a whole"},
      {"another digest", manifest(file("a.toml")) + "y", "the digest of 'a.toml'"},
      {"a huge file", manifest(file("a.toml", "4294967295")) + "x", "not there as a whole"},
      {"a size that overflows", manifest(file("a.toml", "18446744073709551615")) + "x",
       "not of the known format"},
      {"a negative size", manifest(file("a.toml", "-1")) + "x", "not of the known format"},
      {"no file", manifest(""), "it has no files"},
      {"a wrong name", manifest(file("a.toml"), "../1") + "x", "is no name of a bundle"},
      {"an unknown field", manifest(file("a.toml"), "1.1", R"(,"x":1)") + "x", "not in the form"},
      {"a field twice", manifest(file("a.toml"), "1.1", R"(,"name":"1.1")") + "x",
       "not in the form"},
      {"a blank", " " + manifest(file("a.toml")) + "x", "not in the form"},
      {"a ring of nobody", manifest(file("a.toml"), "1.1", "", "0") + "x", "no percentage"},
      {"a ring of too many", manifest(file("a.toml"), "1.1", "", "101") + "x", "no percentage"},
      {"a check with a path", manifest(file("a.toml"), "1.1", "", "100", R"("../sh")") + "x",
       "no name of a health check"},
      {"no end", "{}", "has no end"},
      {"no JSON", "x\n", "not of the known format"},
      {"a deep one", std::string(200000, '[') + "\n", "not of the known format"},
  };
  for (const auto& one : cases) {
    const Error error = refusal(with_payload(one.payload));
    EXPECT_EQ(error.code, EBADMSG) << one.what;
    EXPECT_NE(error.detail.find(one.reason), std::string::npos) << one.what << ": " << error.detail;
  }
}

TEST_F(BundleTest, OnlyPlainFilesOfADirectoryAreTaken) {
  const fs::path directory = folder_ / "dir";
  write(directory / "web.toml", "version = 1\n");
  write(directory / "web.toml.d" / "x.toml", "version = 1\n");
  ASSERT_TRUE(files_below(directory.string()));
  EXPECT_EQ(files_below(directory.string())->size(), 2u);
  const auto refused = [&](const char* what) {
    const auto files = files_below(directory.string());
    EXPECT_FALSE(files) << what;
    fs::remove_all(directory / what);
    return files ? Error{} : files.error();
  };
  fs::create_symlink("/etc/passwd", directory / "link.toml");
  EXPECT_EQ(refused("link.toml").detail, "it is a symbolic link");
  fs::create_directory_symlink("/etc", directory / "link.toml.d");
  EXPECT_EQ(refused("link.toml.d").detail, "it is a symbolic link");
  ASSERT_EQ(mkfifo((directory / "fifo.toml").c_str(), 0600), 0);
  EXPECT_EQ(refused("fifo.toml").detail, "it is no regular file");
  write(directory / "README", "x");
  EXPECT_EQ(refused("README").code, EINVAL);
  write(directory / "huge.toml", std::string(kMaxFileBytes + 1, '#'));
  EXPECT_EQ(refused("huge.toml").code, EFBIG);
  write(directory / "deep.toml.d" / "a.toml.d" / "x.toml", "");
  EXPECT_EQ(refused("deep.toml.d").detail, "it is no regular file");
  EXPECT_EQ(files_below((folder_ / "gone").string()).error().code, ENOENT);
}

TEST_F(BundleTest, KeysAreCheckedBeforeTheyAreUsed) {
  EXPECT_EQ(
      sign("x", write(folder_ / "open.pem", fakes::kPrivateKey, fs::perms(0644))).error().code,
      EACCES);
  EXPECT_EQ(sign("x", write(folder_ / "wrong.pem", fakes::kPublicKey)).error().code, EINVAL);
  EXPECT_EQ(key_from_pem(fakes::kPrivateKey, "x").error().code, EINVAL);
  EXPECT_EQ(key_from_pem(std::string(fakes::kPublicKey) + fakes::kPublicKey, "x").error().code,
            EINVAL);
  EXPECT_EQ(key_from_pem("", "x").error().code, EINVAL);
  fs::create_directory(folder_ / "keys");
  EXPECT_EQ(read_trusted_keys((folder_ / "keys").string()).error().code, ENOENT);
  write(folder_ / "keys" / "a.pub", fakes::kPublicKey, fs::perms(0644));
  write(folder_ / "keys" / "ignored", "x");
  ASSERT_TRUE(read_trusted_keys((folder_ / "keys").string()));
  EXPECT_EQ(read_trusted_keys((folder_ / "keys").string())->at(0).name, "a.pub");
  write(folder_ / "keys" / "b.pub", fakes::kPublicKey, fs::perms(0666));
  EXPECT_EQ(read_trusted_keys((folder_ / "keys").string()).error().code, EACCES);
}

TEST_F(BundleTest, AnApplicationWritesAndRemoves) {
  write(folder_ / "policy.d" / "own.toml", "own");
  ASSERT_TRUE(*apply_it(made("1", {{"a.toml", "1"}, {"b.toml.d/x.toml", "1"}})));
  ASSERT_TRUE(*apply_it(made("2", {{"a.toml", "2"}, {"c.toml", "2"}})));
  EXPECT_EQ(policy("a.toml"), "2");
  EXPECT_EQ(policy("c.toml"), "2");
  EXPECT_FALSE(fs::exists(folder_ / "policy.d" / "b.toml.d"));
  EXPECT_EQ(policy("own.toml"), "own");
  EXPECT_FALSE(*apply_it(made("2", {{"a.toml", "2"}, {"c.toml", "2"}})));
  const auto record = read_record(machine_.state_dir);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->current->name, "2");
  EXPECT_EQ(record->previous->name, "1");
  EXPECT_TRUE(changed_files(*record->current, machine_.dirs.paths.back()).empty());
  EXPECT_EQ(record_from_json(record_json(*record)), *record);
}

TEST_F(BundleTest, OlderAndForgedNamesAreRefused) {
  ASSERT_TRUE(apply_it(made("2", {{"a.toml", "2"}})));
  EXPECT_EQ(apply_it(made("1", {{"a.toml", "1"}})).error().code, ESTALE);
  EXPECT_EQ(apply_it(made("2", {{"a.toml", "other"}})).error().code, EEXIST);
  EXPECT_EQ(
      apply_it(made("2", {{"a.toml", "other"}}), {Order::any, Foreign::replace, {}}).error().code,
      EEXIST);
  EXPECT_EQ(policy("a.toml"), "2");
  ASSERT_TRUE(apply_it(made("1", {{"a.toml", "1"}}), {Order::any, Foreign::refuse, {}}));
  EXPECT_EQ(policy("a.toml"), "1");
  // The newest one that was ever applied still counts.
  EXPECT_EQ(apply_it(made("1.5", {{"a.toml", "1"}})).error().code, ESTALE);
}

TEST_F(BundleTest, ABundleOfAnotherRingIsRefused) {
  EXPECT_EQ(apply_it(made("1", {{"a.toml", "1"}}, 10), {Order::later_only, Foreign::refuse, 11})
                .error()
                .code,
            EXDEV);
  EXPECT_TRUE(apply_it(made("1", {{"a.toml", "1"}}, 10), {Order::later_only, Foreign::refuse, 10}));
}

TEST_F(BundleTest, FilesOfTheMachineAreKept) {
  write(folder_ / "policy.d" / "a.toml", "mine");
  EXPECT_EQ(apply_it(made("1", {{"a.toml", "1"}})).error().code, EEXIST);
  EXPECT_EQ(policy("a.toml"), "mine");
  ASSERT_TRUE(apply_it(made("1", {{"a.toml", "1"}}), {Order::later_only, Foreign::replace, {}}));
  write(folder_ / "policy.d" / "a.toml", "edited");
  const auto record = read_record(machine_.state_dir);
  EXPECT_EQ(changed_files(*record->current, machine_.dirs.paths.back()),
            std::vector<std::string>{"a.toml"});
  EXPECT_EQ(apply_it(made("2", {{"a.toml", "2"}})).error().code, EEXIST);
  EXPECT_EQ(apply_it(made("2", {{"b.toml", "2"}})).error().code, EEXIST);
  EXPECT_EQ(policy("a.toml"), "edited");
}

TEST_F(BundleTest, NothingIsWrittenThroughALink) {
  fs::create_directories(folder_ / "elsewhere");
  fs::create_directories(folder_ / "policy.d");
  fs::create_directory_symlink(folder_ / "elsewhere", folder_ / "policy.d" / "a.toml.d");
  const Conditions all = {Order::any, Foreign::replace, {}};
  EXPECT_EQ(apply_it(made("1", {{"a.toml.d/x.toml", "1"}}), all).error().code, EEXIST);
  EXPECT_TRUE(fs::is_empty(folder_ / "elsewhere"));
  fs::create_symlink(folder_ / "elsewhere" / "x", folder_ / "policy.d" / "b.toml");
  EXPECT_EQ(apply_it(made("1", {{"b.toml", "1"}}), all).error().code, EEXIST);
  EXPECT_TRUE(fs::is_empty(folder_ / "elsewhere"));
}

TEST_F(BundleTest, RevertPutsBackWhatWasThere) {
  write(folder_ / "policy.d" / "a.toml", std::string("mine\xff\0x", 7));
  ASSERT_TRUE(apply_it(made("1", {{"a.toml", "1"}, {"b.toml", "1"}}),
                       {Order::later_only, Foreign::replace, {}}));
  ASSERT_TRUE(revert_it());
  EXPECT_EQ(policy("a.toml"), std::string("mine\xff\0x", 7));
  EXPECT_FALSE(policy("b.toml"));
  EXPECT_EQ(revert_it().error().code, ENOENT);
  EXPECT_FALSE(read_record(machine_.state_dir)->current);
  EXPECT_EQ(apply_it(made("0.9", {{"b.toml", "1"}})).error().code, ESTALE);
  EXPECT_TRUE(*apply_it(made("1", {{"b.toml", "1"}})));
}

TEST_F(BundleTest, APolicyWithMistakesIsNotApplied) {
  const auto check = [this](const policy_dirs::Plan& plan) {
    return check_language(machine_.dirs, plan);
  };
  const auto bad = apply(machine_, made("1", {{"a.toml", "version = 1\nx = 1\n"}}), {}, check);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, 0);
  EXPECT_NE(bad.error().detail.find("a.toml:2:1"), std::string::npos) << bad.error().detail;
  EXPECT_FALSE(policy("a.toml"));
  EXPECT_TRUE(apply(machine_, made("1", {{"a.toml", "version = 1\n"}}), {}, check));
}

TEST_F(BundleTest, ADamagedRecordIsNoReasonToAcceptAnOldBundle) {
  ASSERT_TRUE(apply_it(made("2", {{"a.toml", "2"}})));
  const std::string path = record_path(machine_.state_dir);
  const std::string good = *text_of(path);
  for (std::size_t size = 0; size + 1 < good.size(); size++) {
    write(path, good.substr(0, size));
    EXPECT_EQ(apply_it(made("1", {{"a.toml", "1"}})).error().code, EBADMSG) << size;
  }
  EXPECT_EQ(policy("a.toml"), "2");
}

// A process is killed after each step: the next one ends what was begun, and nothing else.
TEST_F(BundleTest, AnInterruptedApplicationIsEnded) {
  ASSERT_TRUE(apply_it(made("1", {{"a.toml", "1"}, {"gone.toml", "1"}})));
  const Record before = *read_record(machine_.state_dir);
  ASSERT_TRUE(apply_it(made("2", {{"a.toml", "2"}, {"b.toml", "2"}})));
  Record unfinished = *read_record(machine_.state_dir);
  const std::string a = "a.toml";
  const std::string b = "b.toml";
  unfinished.to_rename = {{a, *sha256("2")}, {b, *sha256("2")}};
  unfinished.to_remove = {"gone.toml"};
  const fs::path directory = folder_ / "policy.d";
  for (int renamed = 0; renamed <= 2; renamed++) {
    write(directory / (renamed > 0 ? a : a + ".new"), "2");
    write(directory / (renamed > 1 ? b : b + ".new"), "2");
    if (renamed < 1) write(directory / a, "1");
    if (renamed < 2) fs::remove(directory / b);
    write(directory / "gone.toml", "1");
    write(record_path(machine_.state_dir), record_json(unfinished));
    const auto finished = finish(machine_);
    ASSERT_TRUE(finished) << finished.error().message();
    EXPECT_TRUE(*finished);
    EXPECT_EQ(policy(a), "2") << renamed;
    EXPECT_EQ(policy(b), "2") << renamed;
    EXPECT_FALSE(policy("gone.toml"));
    EXPECT_FALSE(*finish(machine_));
  }
  // Before the record is written, nothing has happened.
  write(directory / (a + ".new"), "3");
  write(record_path(machine_.state_dir), record_json(before));
  EXPECT_FALSE(*finish(machine_));
  EXPECT_EQ(policy(a), "2");
  // A prepared file that is another one is not used.
  write(directory / (a + ".new"), "forged");
  write(directory / a, "1");
  write(record_path(machine_.state_dir), record_json(unfinished));
  EXPECT_EQ(finish(machine_).error().code, EIO);
  EXPECT_EQ(policy(a), "1");
}

}  // namespace
}  // namespace holdfast::bundle
