#include "mysql/connection.hpp"

#include <gmock/gmock.h>

namespace duet::mysql {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(server_versions, are_read_from_what_the_server_says) {
  const auto maria = parse_version("10.11.19-MariaDB-0+deb12u1-log");
  EXPECT_EQ(maria.speaks, dialect::mariadb);
  EXPECT_EQ(maria.text, "10.11.19");
  EXPECT_TRUE(maria.at_least(10, 6));
  EXPECT_TRUE(maria.at_least(10, 11, 19));
  EXPECT_FALSE(maria.at_least(10, 11, 20));
  EXPECT_FALSE(maria.at_least(11, 0));
  const auto mysql = parse_version("8.0.36");
  EXPECT_EQ(mysql.speaks, dialect::mysql);
  EXPECT_TRUE(mysql.at_least(8, 0, 19));
  EXPECT_FALSE(mysql.at_least(8, 2));
  EXPECT_EQ(parse_version("9.7.4-2").text, "9.7.4");
  EXPECT_FALSE(parse_version("").at_least(1, 0));
  EXPECT_FALSE(parse_version("x.y").at_least(1, 0));
}

struct judged {
  int error;
  const char* sqlstate;
  failure_kind kind;
};

TEST(error_kinds, follow_the_number_and_then_the_sqlstate) {
  for (const judged& j : {judged{1213, "40001", failure_kind::deadlock},   {1205, "HY000", failure_kind::deadlock},
                          {1062, "23000", failure_kind::row_refused},      {1048, "23000", failure_kind::row_refused},
                          {1406, "22001", failure_kind::row_refused},      {1264, "22003", failure_kind::row_refused},
                          {1265, "01000", failure_kind::row_refused},      {1292, "22007", failure_kind::row_refused},
                          {1366, "HY000", failure_kind::row_refused},      {1451, "23000", failure_kind::row_refused},
                          {1452, "23000", failure_kind::row_refused},      {3819, "HY000", failure_kind::row_refused},
                          {4025, "23000", failure_kind::row_refused},      {1690, "22003", failure_kind::row_refused},
                          {3140, "22032", failure_kind::row_refused},      {2006, "HY000", failure_kind::connection_lost},
                          {2013, "HY000", failure_kind::connection_lost},  {1053, "08S01", failure_kind::connection_lost},
                          {1927, "70100", failure_kind::connection_lost},  {1045, "28000", failure_kind::configuration},
                          {1142, "42000", failure_kind::configuration},    {1227, "42000", failure_kind::configuration},
                          {2002, "HY000", failure_kind::cannot_connect},   {2003, "HY000", failure_kind::cannot_connect},
                          {1040, "08004", failure_kind::cannot_connect},   {1146, "42S02", failure_kind::schema_changed},
                          {1054, "42S22", failure_kind::schema_changed},   {1064, "42000", failure_kind::internal},
                          {99999, "HY000", failure_kind::internal},        {99999, "22999", failure_kind::row_refused},
                          {99999, "08S01", failure_kind::connection_lost}, {99999, "40999", failure_kind::deadlock}})
    EXPECT_EQ(kind_of(j.error, j.sqlstate), j.kind) << j.error << ' ' << j.sqlstate;
}

struct told {
  int error;
  const char* text;
  const char* says;
};

TEST(error_texts, name_the_place_and_never_the_value) {
  for (const told& t : {told{1062, "Duplicate entry 'secret' for key 'customer.by_email'", "key customer.by_email"},
                        {1062, "Duplicate entry 'secret for key 'PRIMARY'' for key 'by_email'", "key by_email"},
                        {1452,
                         "Cannot add or update a child row: a foreign key constraint fails (`shop`.`child`, CONSTRAINT "
                         "`to_parent` FOREIGN KEY (`p`) ...)",
                         "to_parent"},
                        {1451,
                         "Cannot delete or update a parent row: a foreign key constraint fails (`shop`.`child`, CONSTRAINT "
                         "`to_parent` FOREIGN KEY (`p`))",
                         "to_parent"},
                        {1366, "Incorrect string value: 'secret' for column `shop`.`t`.`name` at row 1", "column name"},
                        {1292, "Incorrect datetime value: 'secret' for column 'at' at row 3", "column at"},
                        {1406, "Data too long for column 'c' at row 1", "column c"},
                        {1264, "Out of range value for column 'n' at row 1", "column n"},
                        {3819, "Check constraint 'small' is violated.", "small"},
                        {4025, "CONSTRAINT `small` failed for `shop`.`t`", "small"},
                        {1048, "Column 'n' cannot be null", "column n"},
                        {1644, "secret text of a trigger", "trigger"},
                        {1064, "You have an error in your SQL syntax near 'secret'", "unexpected error"},
                        {99999, "something about secret", "unexpected error"},
                        {1062, "Duplicate entry 'secret", "refuses"},
                        {1366, "secret", "refuses"}}) {
    const failure f = failure_of(t.error, "HY000", t.text, "update of shop.t");
    EXPECT_THAT(f.what(), HasSubstr(t.says));
    EXPECT_THAT(f.what(), HasSubstr("update of shop.t"));
    EXPECT_THAT(f.what(), Not(HasSubstr("secret")));
    EXPECT_EQ(f.server_code, std::to_string(t.error));
  }
}

TEST(error_texts, a_missing_table_of_ours_means_that_the_link_is_not_set_up) {
  EXPECT_EQ(failure_of(1146, "42S02", "Table 'duet.control' doesn't exist", "reading").kind, failure_kind::not_set_up);
  EXPECT_EQ(failure_of(1146, "42S02", "Table 'shop.item' doesn't exist", "writing").kind, failure_kind::schema_changed);
}

TEST(binlog_names, end_with_their_number) {
  EXPECT_EQ(binlog_number("binlog.000007"), 7u);
  EXPECT_EQ(binlog_number("my.host-bin.1234567"), 1234567u);
  for (const char* bad : {"", "binlog", "binlog.", "binlog.x", "binlog.7x", "binlog.index"})
    EXPECT_THROW(binlog_number(bad), failure) << bad;
}

}  // namespace
}  // namespace duet::mysql
