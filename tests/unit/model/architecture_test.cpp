// The arrows of src/README.md, read off the #include lines.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>

namespace {

namespace fs = std::filesystem;
using names = std::set<std::string>;

const std::map<std::string, names> may_use{
    {"base", {"base"}},
    {"model", {"model", "base"}},
    {"config", {"config", "model", "base"}},
    {"translate", {"translate", "model", "base"}},
    {"causality", {"causality", "model", "base"}},
    {"conflict", {"conflict", "model", "base"}},
    {"observe", {"observe", "model", "base"}},
    {"postgres", {"postgres", "model", "base"}},
    {"mysql", {"mysql", "model", "base"}},
    {"pipeline", {"pipeline", "translate", "causality", "conflict", "observe", "model", "base"}},
    {"cli", {"cli", "pipeline", "translate", "causality", "conflict", "observe", "postgres", "mysql", "config", "model", "base"}},
};

// Libraries that only one folder may name.
const std::map<std::string, names> owners{
    {"libpq-fe.h", {"postgres"}}, {"mysql.h", {"mysql"}}, {"mysql/mysql.h", {"mysql"}}, {"mariadb", {"mysql"}},
    {"cppconn/", {"mysql"}},      {"yaml-cpp/", {"config"}}, {"boost/", {"base", "pipeline"}},
    {"lua", {"conflict"}},
};

TEST(architecture, each_folder_includes_only_what_the_plan_of_the_house_allows) {
  const fs::path root = fs::path(DUET_SOURCE_DIR);
  const std::regex include(R"(^\s*#include\s+["<]([^">]+)[">])");
  int lines = 0;
  for (const char* top : {"src", "include"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      const fs::path& file = entry.path();
      if (file.extension() != ".cpp" && file.extension() != ".hpp") continue;
      const std::string folder = std::string(top) == "include" ? "include" : file.parent_path().filename().string();
      std::ifstream in(file);
      for (std::string line; std::getline(in, line);) {
        std::smatch m;
        if (!std::regex_search(line, m, include)) continue;
        ++lines;
        const std::string what = m[1], first = what.substr(0, what.find('/'));
        if (folder == "include") {
          EXPECT_TRUE(first == "duet" || what.find('.') == std::string::npos) << file << ": the contract uses the standard library only: " << what;
          continue;
        }
        ASSERT_TRUE(may_use.contains(folder)) << file << " is in a folder that the plan does not know";
        if (may_use.contains(first) && what != first) {
          EXPECT_TRUE(may_use.at(folder).contains(first)) << file << " may not include " << what;
        }
        for (const auto& [prefix, folders] : owners) {
          if (what.rfind(prefix, 0) != 0) continue;
          EXPECT_TRUE(folders.contains(folder)) << file << " may not include " << what;
        }
      }
    }
  }
  EXPECT_GT(lines, 100) << "the source tree was not found";
}

}  // namespace
