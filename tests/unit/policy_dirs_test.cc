// SPDX-License-Identifier: Apache-2.0
// Which files of the policy directories count, and what is used of files with mistakes.
#include "policy_dirs/policy_dirs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "policy/load.h"
#include "policy_dirs/usable.h"

namespace holdfast::policy_dirs {
namespace {

namespace fs = std::filesystem;

class Directories : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/policy-dirs-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    fs::create_directories(vendor());
    fs::create_directories(local());
    dirs_.paths = {vendor(), local()};
  }
  void TearDown() override { fs::remove_all(root_); }

  [[nodiscard]] std::string vendor() const { return root_ + "/usr"; }
  [[nodiscard]] std::string local() const { return root_ + "/etc"; }
  void write(const std::string& path, const std::string& text = "version = 1\n") const {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text;
    ASSERT_EQ(chmod((root_ + "/" + path).c_str(), 0644), 0);
  }

  // "etc/a.toml used" and so on, a line each.
  [[nodiscard]] std::string listing(const Plan& plan = {}) const {
    const auto units = read_units(dirs_, plan);
    if (!units) return units.error().message();
    std::string text;
    for (const PolicyUnit& unit : *units)
      for (const PolicyFile& file : unit.files)
        text += file.path.substr(root_.size() + 1) + " " + std::string(to_string(file.use)) +
                (file.why.empty() ? "" : ": " + file.why) + "\n";
    return text;
  }
  [[nodiscard]] std::string used() const {
    std::string text;
    for (const policy::Source& source : sources_of(*read_units(dirs_)))
      text += source.name.substr(root_.size() + 1) + (source.drop_in ? "+" : "") + " ";
    return text;
  }

  std::string root_;
  PolicyDirs dirs_;
};

TEST_F(Directories, ALaterFileHidesAndALinkMasks) {
  write("usr/a.toml");
  write("etc/a.toml");
  write("usr/b.toml");
  fs::create_symlink("/dev/null", local() + "/b.toml");
  write("usr/b.toml.d/1.toml");
  write("usr/c.toml");
  write("etc/.c.toml");
  write("etc/README");
  EXPECT_EQ(listing(),
            "usr/a.toml hidden\netc/a.toml used\nusr/b.toml hidden\netc/b.toml masked\n"
            "usr/b.toml.d/1.toml orphan\nusr/c.toml used\n");
  EXPECT_EQ(used(), "etc/a.toml usr/c.toml ");
}

TEST_F(Directories, DropInsOfAllDirectoriesFollowTheirFileByName) {
  write("usr/a.toml");
  write("usr/a.toml.d/20.toml");
  write("etc/a.toml.d/10.toml");
  write("usr/a.toml.d/10.toml");
  fs::create_symlink("/dev/null", local() + "/a.toml.d/20.toml");
  write("etc/a.toml.d/30.toml");
  write("etc/gone.toml.d/1.toml");
  EXPECT_EQ(used(), "usr/a.toml etc/a.toml.d/10.toml+ etc/a.toml.d/30.toml+ ");
  EXPECT_EQ(listing(),
            "usr/a.toml used\nusr/a.toml.d/10.toml hidden\netc/a.toml.d/10.toml used\n"
            "usr/a.toml.d/20.toml hidden\netc/a.toml.d/20.toml masked\netc/a.toml.d/30.toml used\n"
            "etc/gone.toml.d/1.toml orphan\n");
}

TEST_F(Directories, WhatIsNoFileIsNamedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo((local() + "/a.toml").c_str(), 0600), 0);
  fs::create_directory(local() + "/b.toml");
  fs::create_symlink("/nowhere", local() + "/c.toml");
  fs::create_symlink("/dev/zero", local() + "/d.toml");
  EXPECT_EQ(listing(),
            "etc/a.toml refused: it is a FIFO\netc/b.toml refused: it is a directory\n"
            "etc/c.toml refused: read " +
                local() +
                "/c.toml: No such file or directory\netc/d.toml refused: it is a device\n");
  EXPECT_EQ(refusals(*read_units(dirs_)).size(), 4u);
  EXPECT_EQ(used(), "");
}

TEST_F(Directories, FilesThatOthersMayWriteAreRefused) {
  write("etc/a.toml");
  ASSERT_EQ(chmod((local() + "/a.toml").c_str(), 0664), 0);
  EXPECT_EQ(listing(),
            "etc/a.toml refused: group or others may write " + local() + "/a.toml (mode 0664)\n");
  ASSERT_EQ(chmod((local() + "/a.toml").c_str(), 0600), 0);
  EXPECT_EQ(listing(), "etc/a.toml used\n");
  ASSERT_EQ(chmod(local().c_str(), 0777), 0);
  EXPECT_EQ(listing(),
            "etc/a.toml refused: group or others may write " + local() + " (mode 0777)\n");
  ASSERT_EQ(chmod(local().c_str(), 0755), 0);
  // The target of a link counts.
  write("home/b.toml");
  ASSERT_EQ(chmod((root_ + "/home").c_str(), 0775), 0);
  fs::create_symlink(root_ + "/home/b.toml", local() + "/b.toml");
  EXPECT_EQ(listing(), "etc/a.toml used\netc/b.toml refused: group or others may write " + root_ +
                           "/home (mode 0775)\n");
  dirs_.trust = Trust::anybody;
  EXPECT_EQ(listing(), "etc/a.toml used\netc/b.toml used\n");
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  dirs_.trust = Trust::owner_only;
  ASSERT_EQ(chmod((root_ + "/home").c_str(), 0755), 0);
  ASSERT_EQ(chown((root_ + "/home/b.toml").c_str(), 1000, 1000), 0);
  EXPECT_EQ(listing(), "etc/a.toml used\netc/b.toml refused: " + root_ +
                           "/home/b.toml belongs to user 1000\n");
}

// Where others can add files they can add masks, and links to files that nobody else may write.
TEST_F(Directories, ADirectoryThatOthersMayAddToIsRefused) {
  write("home/b.toml");
  fs::create_symlink("/dev/null", local() + "/a.toml");
  fs::create_symlink(root_ + "/home/b.toml", local() + "/b.toml");
  EXPECT_EQ(listing(), "etc/a.toml masked\netc/b.toml used\n");
  ASSERT_EQ(chmod(local().c_str(), 01777), 0);
  const std::string why = " refused: group or others may write " + local() + " (mode 1777)\n";
  EXPECT_EQ(listing(), "etc/a.toml" + why + "etc/b.toml" + why);
}

TEST_F(Directories, APlanIsWhatTheyWouldBe) {
  write("usr/a.toml");
  write("etc/b.toml");
  EXPECT_EQ(listing({{local() + "/a.toml", {PlannedFile::Kind::mask, ""}},
                     {local() + "/b.toml", {PlannedFile::Kind::absent, ""}},
                     {local() + "/c.toml.d/1.toml", {PlannedFile::Kind::text, "version = 1\n"}},
                     {vendor() + "/c.toml", {PlannedFile::Kind::text, "version = 1\n"}}}),
            "usr/a.toml hidden\netc/a.toml masked\nusr/c.toml used\netc/c.toml.d/1.toml used\n");
}

TEST_F(Directories, AreWatchedWithTheirDropIns) {
  write("usr/a.toml.d/1.toml");
  EXPECT_EQ(directories_of(dirs_),
            (std::vector<std::string>{vendor(), vendor() + "/a.toml.d", local()}));
}

/* ---- bad files ---- */

PolicyUnit unit(const std::string& name, const std::string& text,
                const std::vector<std::string>& drop_ins = {}) {
  PolicyUnit made{name, {{"/etc/" + name, false, Use::used, "", "version = 1\n" + text}}};
  for (const std::string& drop_in : drop_ins)
    made.files.push_back({"/etc/" + name + ".d/" + std::to_string(made.files.size()) + ".toml",
                          true, Use::used, "", "version = 1\n" + drop_in});
  return made;
}

Checked language(const std::vector<policy::Source>& sources) {
  policy::LoadResult loaded = policy::load(sources);
  return {std::move(loaded.diagnostics), std::move(loaded.undefined)};
}

std::string names(const Usable& usable) {
  std::string text;
  for (const policy::Source& source : usable.sources) text += source.name + " ";
  for (const BadFile& bad : usable.bad)
    text += bad.path + "=" + std::string(to_string(bad.fate)) + " ";
  return text;
}

const std::string kWeb = "[profile.web]\ncgroup = \"/web\"\ncgroups.leave = [\"manager\"]\n";
const std::string kManager = "[profile.manager]\ncgroup = \"/init\"\n";

TEST(Usable, GoodFilesAreUsedAsTheyAre) {
  const Usable usable =
      usable_sources({unit("a.toml", kManager), unit("b.toml", kWeb)}, {}, language);
  EXPECT_EQ(names(usable), "/etc/a.toml /etc/b.toml ");
}

// A mover that nobody is: the rule stays, and nobody may move.
TEST(Usable, AMissingMoverMovesNothing) {
  const Usable usable =
      usable_sources({unit("a.toml", "[profile.manager\n"), unit("b.toml", kWeb)}, {}, language);
  EXPECT_EQ(names(usable),
            "/etc/b.toml " + std::string(kMissingProfiles) + " /etc/a.toml=left-out ");
  const auto loaded = policy::load(usable.sources);
  ASSERT_TRUE(loaded.policy);
  const auto web = loaded.policy->find_profile("web");
  EXPECT_EQ(loaded.policy->tables->profiles[*web].cg_leave, HF_MOVERS_LIST);
  EXPECT_EQ(loaded.policy->bindings.size(), 1u);
}

// Without a file that is left out, an unknown name is a mistake of the file that has it.
TEST(Usable, AMisspeltMoverCostsItsFile) {
  const Usable usable = usable_sources(
      {unit("a.toml", "[profile.manger]\n"), unit("b.toml", kWeb), unit("c.toml", "[profile.c]\n")},
      {}, language);
  EXPECT_EQ(names(usable), "/etc/a.toml /etc/c.toml /etc/b.toml=left-out ");
}

TEST(Usable, ABadFileHasItsTextOfBefore) {
  const std::vector<policy::Source> before = {
      {"/etc/a.toml", "version = 1\n" + kManager, false},
      {"/etc/a.toml.d/1.toml", "version = 1\n[profile.manager]\nlog = \"all\"\n", true},
      {"/etc/b.toml", "version = 1\n[profile.web]\n", false}};
  const Usable usable = usable_sources({unit("a.toml", "[profile.manager]\nlgo = 1\n"),
                                        unit("b.toml", kWeb), unit("c.toml", "[profile.c\n")},
                                       before, language);
  EXPECT_EQ(names(usable),
            "/etc/a.toml /etc/a.toml.d/1.toml /etc/b.toml /etc/a.toml=earlier-text "
            "/etc/c.toml=left-out ");
  EXPECT_EQ(usable.sources[0].text, before[0].text);
  EXPECT_EQ(usable.sources[2].text, "version = 1\n" + kWeb);
  EXPECT_NE(usable.bad[0].mistakes.find("did you mean 'log'?"), std::string::npos);
}

TEST(Usable, ABadDropInCostsItself) {
  const Usable usable = usable_sources(
      {unit("a.toml", kManager, {"[profile.manager]\nlog = \"al\"\n", "[profile.x]\n"})}, {},
      language);
  EXPECT_EQ(names(usable), "/etc/a.toml /etc/a.toml.d/2.toml /etc/a.toml.d/1.toml=left-out ");
}

TEST(Usable, ARefusedFileCountsAsBad) {
  PolicyUnit refused{"a.toml", {{"/etc/a.toml", false, Use::refused, "it is a FIFO", ""}}};
  EXPECT_EQ(names(usable_sources({refused, unit("b.toml", "[profile.b]\n")}, {}, language)),
            "/etc/b.toml /etc/a.toml=left-out ");
  const std::vector<policy::Source> before = {{"/usr/a.toml", "version = 1\n[profile.a]\n", false}};
  EXPECT_EQ(names(usable_sources({refused, unit("b.toml", "[profile.b]\n")}, before, language)),
            "/usr/a.toml /etc/b.toml /etc/a.toml=earlier-text ");
}

// Two files that state the same key: the later one is at fault.
TEST(Usable, OfTwoFilesThatDisagreeTheLaterIsLeftOut) {
  const Usable usable = usable_sources({unit("a.toml", "[profile.p]\nlog = \"all\"\n"),
                                        unit("b.toml", "[profile.p]\nlog = \"none\"\n")},
                                       {}, language);
  EXPECT_EQ(names(usable), "/etc/a.toml /etc/b.toml=left-out ");
}

// The earlier text does not fit the other files either.
TEST(Usable, AnEarlierTextThatDoesNotFitIsLeftOut) {
  const std::vector<policy::Source> before = {
      {"/etc/b.toml", "version = 1\n[profile.p]\nlog = \"none\"\n", false}};
  const Usable usable = usable_sources(
      {unit("a.toml", "[profile.p]\nlog = \"all\"\n"), unit("b.toml", "[profile.p\n")}, before,
      language);
  EXPECT_EQ(names(usable), "/etc/a.toml /etc/b.toml=left-out ");
  EXPECT_TRUE(usable.loses_earlier);
}

TEST(Usable, NothingIsUsableOfNothingButMistakes) {
  const Usable usable = usable_sources({unit("a.toml", "x"), unit("b.toml", "y")}, {}, language);
  EXPECT_TRUE(usable.sources.empty());
  EXPECT_EQ(usable.bad.size(), 2u);
}

}  // namespace
}  // namespace holdfast::policy_dirs
