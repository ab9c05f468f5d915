// The grammar of the log, over captures of real servers and over events made here.
#include <gtest/gtest.h>
#include <zlib.h>

#include <functional>

#include "golden/mysql/golden.hpp"
#include "mysql/binlog_statement.hpp"

namespace duet::mysql {
namespace {

namespace fs = std::filesystem;

const fs::path folder = fs::path(DUET_SOURCE_DIR) / "tests/golden/mysql";

struct golden_case {
  std::string server, name;
  fs::path path(const char* extension) const { return folder / server / (name + extension); }
  std::vector<std::string> events() const { return golden::split_events(golden::read_file(path(".events"))); }
  mapping tables() const { return golden::parse_tables(golden::read_file(folder / (name + ".tables"))); }
};

std::vector<golden_case> golden_cases() {
  std::vector<golden_case> cases;
  for (const char* server : {"mariadb", "mysql"})
    for (const auto& entry : fs::directory_iterator(folder / server))
      if (entry.path().extension() == ".events") cases.push_back({server, entry.path().stem()});
  std::sort(cases.begin(), cases.end(), [](const auto& a, const auto& b) { return a.server + a.name < b.server + b.name; });
  return cases;
}

std::string case_name(const ::testing::TestParamInfo<golden_case>& info) { return info.param.server + "_" + info.param.name; }
void PrintTo(const golden_case& c, std::ostream* out) { *out << c.server << "/" << c.name; }

void put_u32(std::string& event, std::size_t at, std::uint32_t v) {
  for (int i = 0; i < 4; ++i) event[at + static_cast<std::size_t>(i)] = static_cast<char>(v >> 8 * i);
}

void seal(std::string& event) {
  const std::size_t n = event.size() - event_checksum_size;
  put_u32(event, n, static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(event.data()), static_cast<uInt>(n))));
}

class golden_binlog : public ::testing::TestWithParam<golden_case> {};

TEST_P(golden_binlog, reads_as_it_did) {
  EXPECT_EQ(golden::decode(GetParam().events(), GetParam().tables(), true), golden::read_file(GetParam().path(".txt")));
}

TEST_P(golden_binlog, reads_the_same_into_small_blocks) {
  const auto events = GetParam().events();
  const mapping m = GetParam().tables();
  const auto read = [&](std::size_t block_bytes) {
    golden::block_store store(block_bytes);
    block_writer writer(store);
    binlog_decoder decoder(m, golden::link);
    try {
      decoder.start(golden::start_of(events.at(0)));
      for (const auto& e : events) decoder.decode(e, writer);
    } catch (const failure&) {
    }
    return golden::dump(store, m, true);
  };
  EXPECT_EQ(read(256), read(1 << 20));
}

struct group {
  log_position position;
  std::size_t first;  // index of its first event
};

bool opens_group(const std::string& event) {
  switch (decode_event_header(event).type) {
    case event_type::gtid:
    case event_type::anonymous_gtid:
    case event_type::gtid_tagged:
    case event_type::maria_gtid: return true;
    default: return false;
  }
}

std::vector<group> find_groups(const std::vector<std::string>& events, const mapping& m) {
  golden::block_store store;
  block_writer writer(store);
  binlog_decoder decoder(m, golden::link);
  std::vector<group> groups;
  try {
    decoder.start(golden::start_of(events.at(0)));
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (opens_group(events[i])) groups.push_back({decoder.read_up_to(), i});
      decoder.decode(events[i], writer);
    }
  } catch (const failure&) {
  }
  return groups;
}

// What a server sends before the events of a group when a dump starts there: a rotate event that names the place, and the
// file's format description.
std::vector<std::string> events_before(const std::vector<std::string>& events, const group& g) {
  std::size_t description = g.first;
  while (decode_event_header(events[description]).type != event_type::format_description) --description;
  std::string rotate = events.at(0).substr(0, event_header_size);
  for (int i = 0; i < 8; ++i) rotate += static_cast<char>(binlog_offset(g.position) >> 8 * i);
  rotate += "binlog." + std::to_string(binlog_file_number(g.position)) + "    ";
  put_u32(rotate, 9, static_cast<std::uint32_t>(rotate.size()));
  put_u32(rotate, 13, 0);
  seal(rotate);
  std::string format = events[description];
  put_u32(format, 13, 0);
  seal(format);
  return {rotate, format};
}

// A dump from the position of each transaction delivers it first, and the same as before.
TEST_P(golden_binlog, starts_at_each_transaction) {
  const auto events = GetParam().events();
  const mapping m = GetParam().tables();
  const std::string all = golden::decode(events, m, true);
  const auto groups = find_groups(events, m);
  ASSERT_FALSE(groups.empty());
  for (const auto& g : groups) {
    std::vector<std::string> rest = events_before(events, g);
    rest.insert(rest.end(), events.begin() + static_cast<std::ptrdiff_t>(g.first), events.end());
    const std::string text = golden::decode(rest, m, true);
    // Between the two phases of an XA transaction nobody can say what its commit brings.
    if (GetParam().name == "xa" && text.find("may hold changes of synced tables") != std::string::npos) continue;
    EXPECT_TRUE(all.ends_with(text)) << golden::position_text(g.position);
  }
}

// Every event cut at every byte, and every byte of it changed, with a right checksum over the damage: never a crash, never
// anything but a failure or other rows.
TEST_P(golden_binlog, survives_damage_at_every_byte) {
  const auto events = GetParam().events();
  const mapping m = GetParam().tables();
  const auto groups = find_groups(events, m);
  constexpr std::size_t long_event = 3000, tries_of_a_long_event = 500;
  std::size_t damaged = 0, refused = 0;
  // With what comes before it in its transaction, and a little of what follows.
  const auto feed = [&](std::size_t i, const std::string& event) {
    std::vector<std::string> before;
    std::size_t k = 0;
    log_position start = golden::start_of(events.at(0));
    for (const auto& g : groups) {
      if (g.first > i) break;
      k = g.first;
      start = g.position;
    }
    if (k > 0) before = events_before(events, {start, k});
    golden::block_store store(4096);
    block_writer writer(store);
    binlog_decoder decoder(m, golden::link);
    ++damaged;
    try {
      decoder.start(start);
      for (const auto& e : before) decoder.decode(e, writer);
      for (; k < events.size() && k <= i + 2; ++k) decoder.decode(k == i ? event : events[k], writer);
    } catch (const failure& f) {
      ++refused;
      EXPECT_NE(f.kind, failure_kind::internal);
    }
  };
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::string& event = events[i];
    const std::size_t step = event.size() > long_event ? event.size() / tries_of_a_long_event : 1;
    for (std::size_t cut = event_header_size; cut + event_checksum_size < event.size(); cut += step) {
      std::string shorter = event.substr(0, cut) + "    ";
      put_u32(shorter, 9, static_cast<std::uint32_t>(shorter.size()));
      seal(shorter);
      feed(i, shorter);
    }
    for (std::size_t at = 0; at + event_checksum_size < event.size(); at += step) {
      for (int change : {0x01, 0x80, 0xff}) {
        std::string other = event;
        other[at] = static_cast<char>(other[at] ^ change);
        seal(other);
        feed(i, other);
      }
    }
  }
  EXPECT_GT(damaged, 500u);
  EXPECT_GT(refused, damaged / 10);
  EXPECT_LT(refused, damaged);
}

TEST_P(golden_binlog, refuses_a_wrong_checksum) {
  const auto events = GetParam().events();
  const mapping m = GetParam().tables();
  bool has_checksum = false;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (decode_event_header(events[i]).type == event_type::format_description)
      has_checksum = decode_format_description(events[i]).checksum == checksum_algorithm::crc32;
    if (!has_checksum || i == 0) continue;
    auto bad = events;
    bad[i].back() = static_cast<char>(bad[i].back() ^ 1);
    bad.resize(i + 1);
    const std::string text = golden::decode(bad, m, true);
    EXPECT_NE(text.find("stopped: "), std::string::npos) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(of, golden_binlog, ::testing::ValuesIn(golden_cases()), case_name);

// A log made here, event by event.
class binlog : public ::testing::Test {
 public:
  binlog() : tables_(golden::parse_tables("table shop.item both\nkey column id int\ncolumn v varchar(20)\n")), writer_(store_), decoder_(tables_, "here") {}

  std::string event(event_type type, const std::string& body, std::uint16_t flags = 0) {
    std::string e(event_header_size, '\0');
    e[4] = static_cast<char>(type);
    e += body;
    put_u32(e, 0, 1700000000);
    put_u32(e, 5, 77);
    put_u32(e, 9, static_cast<std::uint32_t>(e.size()));
    offset_ += e.size();
    put_u32(e, 13, static_cast<std::uint32_t>(offset_));
    e[17] = static_cast<char>(flags);
    e[18] = static_cast<char>(flags >> 8);
    return e;
  }
  static std::string number(std::uint64_t v, int bytes) {
    std::string s;
    for (int i = 0; i < bytes; ++i) s += i < 8 ? static_cast<char>(v >> 8 * i) : char(0);
    return s;
  }
  std::string rotate(std::uint64_t file, std::uint64_t offset) {
    std::string e = event(event_type::rotate, number(offset, 8) + "log." + std::to_string(file), event_artificial_flag);
    put_u32(e, 13, 0);
    offset_ = offset;
    return e;
  }
  std::string format(const std::string& version = "9.7.4", bool artificial = true) {
    std::string name = version;
    name.resize(50, '\0');
    std::string e = event(event_type::format_description, number(4, 2) + name + number(0, 4) + char(19) + std::string(40, '\0') + std::string(5, '\0'));
    if (artificial) {
      offset_ -= e.size();
      put_u32(e, 13, 0);
    }
    return e;
  }
  std::string gtid(std::uint64_t number_) {
    return event(event_type::gtid, std::string(1, '\0') + std::string(16, 'u') + number(number_, 8) + char(2) + number(0, 16) + number(1234567, 7));
  }
  std::string statement(const std::string& sql, const std::string& database = "shop") {
    return event(event_type::query, number(0, 8) + char(database.size()) + number(0, 2) + number(0, 2) + database + '\0' + sql);
  }
  std::string table_map(std::uint64_t id, const std::string& database = "shop", const std::string& table = "item") {
    return event(event_type::table_map, number(id, 6) + number(1, 2) + char(database.size()) + database + '\0' + char(table.size()) + table + '\0' + char(2) +
                                            char(wire_long) + char(wire_varchar) + char(2) + number(20, 2) + char(3));
  }
  std::string insert_row(std::uint64_t id, std::uint32_t key) {
    return event(event_type::write_rows, number(id, 6) + number(1, 2) + number(2, 2) + char(2) + char(3) + char(0) + number(key, 4) + char(1) + "x");
  }
  std::string xid() { return event(event_type::xid, number(1, 8)); }

  void start(std::uint64_t file, std::uint64_t offset) {
    decoder_.start(binlog_position(file, offset));
    feed(rotate(file, decoder_.dump_offset()));
    feed(format());
  }
  void feed(const std::string& e) { decoder_.decode(e, writer_); }
  failure_kind refuse(const std::string& e) {
    try {
      feed(e);
    } catch (const failure& f) {
      return f.kind;
    }
    ADD_FAILURE() << "not refused";
    return failure_kind::internal;
  }
  std::string text() { return golden::dump(store_, tables_, false); }

  mapping tables_;
  golden::block_store store_;
  block_writer writer_;
  binlog_decoder decoder_;
  std::uint64_t offset_ = 4;
};

TEST_F(binlog, delivers_a_transaction_at_its_first_event) {
  start(7, 1000);
  feed(gtid(5));
  feed(statement("BEGIN"));
  feed(table_map(9));
  feed(insert_row(9, 1));
  EXPECT_EQ(decoder_.read_up_to(), binlog_position(7, 1000));
  feed(xid());
  EXPECT_EQ(decoder_.read_up_to(), binlog_position(7, offset_));
  const auto* begin = static_cast<const transaction_begin*>(store_.blocks().at(0)->first());
  EXPECT_EQ(begin->position, binlog_position(7, 1000));
  EXPECT_EQ(begin->commit_time_us, 1234567);
  EXPECT_NE(begin->fingerprint, 0u);
  EXPECT_EQ(text(), "begin\n  insert shop.item\n    after id='1' v='x'\nend changes 1 filtered 0 echoes 0\n");
}

TEST_F(binlog, counts_offsets_beyond_four_gigabytes) {
  constexpr std::uint64_t far = (std::uint64_t{1} << 32) - 50;
  start(1, far);
  feed(gtid(1));
  feed(statement("BEGIN"));
  feed(table_map(1));
  feed(insert_row(1, 1));
  feed(xid());
  EXPECT_GT(offset_, std::uint64_t{1} << 32);
  EXPECT_EQ(decoder_.read_up_to(), binlog_position(1, offset_));
}

TEST_F(binlog, reads_from_the_files_start_to_reach_an_offset_beyond_four_gigabytes) {
  constexpr std::uint64_t far = (std::uint64_t{1} << 32) + 1000;
  decoder_.start(binlog_position(1, far));
  EXPECT_EQ(decoder_.dump_offset(), 4u);
  feed(rotate(1, 4));
  feed(format("9.7.4", false));
  // A transaction before it, and one that reaches from below to the offset.
  feed(gtid(1));
  feed(statement("BEGIN"));
  feed(table_map(1));
  feed(insert_row(1, 1));
  feed(xid());
  EXPECT_EQ(text(), "");
  EXPECT_EQ(decoder_.read_up_to(), binlog_position(1, far));
  EXPECT_EQ(refuse(rotate(2, 4)), failure_kind::history_changed);
}

TEST_F(binlog, refuses_a_start_within_a_transaction) {
  start(1, 500);
  EXPECT_EQ(refuse(table_map(1)), failure_kind::history_changed);
}

TEST_F(binlog, refuses_a_start_between_events) {
  start(1, 500);
  offset_ += 3;
  EXPECT_EQ(refuse(gtid(1)), failure_kind::history_changed);
}

TEST_F(binlog, refuses_a_start_at_bytes_that_happen_to_look_like_an_event) {
  start(1, 500);
  EXPECT_EQ(refuse(event(static_cast<event_type>(99), "whatever")), failure_kind::history_changed);
}

TEST_F(binlog, refuses_events_out_of_order) {
  const auto tries = std::vector<std::function<std::string()>>{
      [&] { return xid(); }, [&] { return insert_row(1, 1); }, [&] { return table_map(1); }, [&] { return statement("COMMIT"); }};
  for (const auto& make : tries) {
    start(1, 4);
    feed(gtid(1));
    feed(statement("BEGIN"));
    feed(xid());
    EXPECT_EQ(refuse(make()), failure_kind::damaged_log);
  }
  start(1, 4);
  feed(gtid(1));
  EXPECT_EQ(refuse(gtid(2)), failure_kind::damaged_log);
  start(1, 4);
  feed(gtid(1));
  feed(statement("BEGIN"));
  EXPECT_EQ(refuse(statement("BEGIN")), failure_kind::damaged_log);
}

TEST_F(binlog, refuses_rows_of_a_table_that_another_transaction_announced) {
  start(1, 4);
  feed(gtid(1));
  feed(statement("BEGIN"));
  feed(table_map(1));
  feed(xid());
  feed(gtid(2));
  feed(statement("BEGIN"));
  EXPECT_EQ(refuse(insert_row(1, 1)), failure_kind::damaged_log);
}

TEST_F(binlog, refuses_a_gap_in_a_log_of_mysql) {
  start(1, 4);
  feed(gtid(1));
  offset_ += 40;
  EXPECT_EQ(refuse(statement("BEGIN")), failure_kind::damaged_log);
}

TEST_F(binlog, steps_over_what_mariadb_leaves_out) {
  decoder_.start(binlog_position(1, 4));
  feed(rotate(1, 4));
  feed(format("10.11.19-MariaDB", false));
  feed(event(event_type::maria_gtid, number(5, 8) + number(0, 4) + char(0) + number(0, 6)));
  feed(table_map(1));
  offset_ += 120;  // an annotation
  feed(insert_row(1, 1));
  feed(xid());
  EXPECT_EQ(decoder_.read_up_to(), binlog_position(1, offset_));
}

TEST_F(binlog, refuses_an_unknown_event_unless_it_may_be_ignored) {
  start(1, 4);
  feed(gtid(1));
  feed(statement("BEGIN"));
  feed(event(static_cast<event_type>(99), "whatever", event_ignorable_flag));
  EXPECT_EQ(refuse(event(static_cast<event_type>(99), "whatever")), failure_kind::unsupported_log);
}

TEST_F(binlog, says_that_an_incident_lost_changes) {
  start(1, 4);
  EXPECT_EQ(refuse(event(event_type::incident, number(1, 2))), failure_kind::log_lost);
}

TEST_F(binlog, refuses_a_log_that_goes_back) {
  start(5, 4);
  EXPECT_EQ(refuse(rotate(4, 4)), failure_kind::history_changed);
}

TEST_F(binlog, goes_on_in_the_next_file) {
  start(5, 700);
  feed(rotate(6, 4));
  EXPECT_EQ(decoder_.read_up_to(), binlog_position(6, 4));
  feed(format("9.7.4", false));
  EXPECT_EQ(decoder_.read_up_to(), binlog_position(6, offset_));
}

TEST_F(binlog, forgets_a_transaction_that_a_crash_cut_off_before_it_touched_our_tables) {
  start(5, 700);
  feed(gtid(1));
  feed(statement("BEGIN"));
  feed(rotate(6, 4));
  feed(format("9.7.4", false));
  feed(gtid(1));
  feed(statement("BEGIN"));
  feed(table_map(1));
  feed(insert_row(1, 3));
  EXPECT_EQ(refuse(rotate(7, 4)), failure_kind::damaged_log);  // this one has been handed out in part
}

TEST_F(binlog, fingerprints_differ_with_the_gtid_and_stay_the_same_otherwise) {
  std::vector<std::uint64_t> prints;
  for (std::uint64_t n : {1, 2, 1}) {
    store_.clear();
    block_writer writer(store_);
    binlog_decoder decoder(tables_, "here");
    decoder.start(binlog_position(1, 4));
    decoder.decode(rotate(1, 4), writer);
    decoder.decode(format(), writer);
    decoder.decode(gtid(n), writer);
    decoder.decode(statement("TRUNCATE item"), writer);
    prints.push_back(static_cast<const transaction_begin*>(store_.blocks().at(0)->first())->fingerprint);
  }
  EXPECT_NE(prints[0], prints[1]);
  EXPECT_EQ(prints[0], prints[2]);
}

TEST_F(binlog, records_progress_once) {
  start(1, 4);
  feed(gtid(1));
  feed(statement("CREATE TABLE t (id int)"));
  decoder_.settle(writer_);
  decoder_.settle(writer_);
  EXPECT_EQ(golden::dump(store_, tables_, true), "progress 1:" + std::to_string(offset_) + "\n");
}

statement::kind kind_of(std::string_view sql) { return read_statement(sql, "shop").is; }

TEST(statement_reader, finds_the_table_of_a_truncate) {
  for (const char* sql : {"TRUNCATE item", "truncate table item", "TRUNCATE TABLE `item`", "/* why */ TRUNCATE -- so\n TABLE # and so\n shop . item;",
                          "TRUNCATE TABLE `shop`.`item` /* end */", "/*!50000 TRUNCATE TABLE */ item"}) {
    const statement s = read_statement(sql, "shop");
    EXPECT_EQ(s.is, statement::kind::truncate) << sql;
    ASSERT_EQ(s.tables.size(), 1u) << sql;
    EXPECT_EQ(s.tables[0], (table_name{"shop", "item"})) << sql;
  }
  EXPECT_EQ(read_statement("TRUNCATE `a``b`.`c.d`", "x").tables.at(0), (table_name{"a`b", "c.d"}));
}

TEST(statement_reader, tells_transaction_control) {
  using kind = statement::kind;
  EXPECT_EQ(kind_of("BEGIN"), kind::begin);
  EXPECT_EQ(kind_of("commit"), kind::commit);
  EXPECT_EQ(kind_of("ROLLBACK"), kind::rollback);
  EXPECT_EQ(kind_of("ROLLBACK TO `a`"), kind::rollback_to_savepoint);
  EXPECT_EQ(kind_of("ROLLBACK WORK TO SAVEPOINT a"), kind::rollback_to_savepoint);
  EXPECT_EQ(kind_of("SAVEPOINT `a`"), kind::other);
  EXPECT_EQ(kind_of("XA START X'61',X'',1"), kind::xa_start);
  EXPECT_EQ(kind_of("XA COMMIT X'61',X'',1"), kind::xa_commit);
}

TEST(statement_reader, tells_what_takes_tables_or_rows_away) {
  using kind = statement::kind;
  EXPECT_EQ(read_statement("DROP TABLE IF EXISTS a, `shop`.item /* generated by server */", "x").tables,
            (std::vector<table_name>{{"x", "a"}, {"shop", "item"}}));
  EXPECT_EQ(kind_of("DROP TEMPORARY TABLE item"), kind::other);
  EXPECT_EQ(read_statement("RENAME TABLE item TO old, fresh TO item", "shop").tables.size(), 4u);
  EXPECT_EQ(kind_of("ALTER TABLE item RENAME TO thing"), kind::remove_tables);
  EXPECT_EQ(kind_of("ALTER TABLE item RENAME COLUMN a TO b"), kind::other);
  EXPECT_EQ(kind_of("ALTER TABLE item ADD INDEX (v)"), kind::other);
  EXPECT_EQ(kind_of("ALTER TABLE item DROP COLUMN v"), kind::other);
  EXPECT_EQ(kind_of("ALTER TABLE item DROP PARTITION p0"), kind::replace_rows);
  EXPECT_EQ(kind_of("ALTER TABLE other EXCHANGE PARTITION p WITH TABLE item"), kind::replace_rows);
  EXPECT_EQ(kind_of("CREATE OR REPLACE TABLE item (id int)"), kind::remove_tables);
  EXPECT_EQ(kind_of("CREATE TABLE item (id int)"), kind::other);
  EXPECT_EQ(read_statement("DROP DATABASE IF EXISTS `shop`", "x").tables.at(0).database, "shop");
}

TEST(statement_reader, tells_statement_format_writes_and_whom_they_touch) {
  using kind = statement::kind;
  for (const char* sql : {"INSERT INTO item VALUES (1)", "  update item SET a = 1", "DELETE FROM item", "(SELECT 1)", "REPLACE item VALUES (1)",
                          "LOAD DATA INFILE 'x' INTO TABLE item", "WITH c AS (SELECT 1) DELETE FROM item"})
    EXPECT_EQ(kind_of(sql), std::string_view(sql).starts_with("(") ? kind::other : kind::write) << sql;
  EXPECT_TRUE(mentions("INSERT INTO item VALUES (1)", "shop", {"shop", "item"}));
  EXPECT_TRUE(mentions("INSERT INTO `shop`.`ITEM` VALUES (1)", "x", {"shop", "item"}));
  EXPECT_FALSE(mentions("INSERT INTO item VALUES (1)", "x", {"shop", "item"}));
  EXPECT_FALSE(mentions("INSERT INTO t VALUES ('item')", "shop", {"shop", "item"}));
  EXPECT_FALSE(mentions("INSERT INTO t VALUES (1) /* item */", "shop", {"shop", "item"}));
}

TEST(statement_reader, survives_what_is_no_sql) {
  for (const char* sql : {"", " ", "`", "\"", "'", "/*", "/*!", "--", "#", "TRUNCATE", "TRUNCATE TABLE", "TRUNCATE a.", "DROP TABLE", "RENAME TABLE a TO",
                          "ALTER", "ALTER TABLE", "ALTER TABLE a RENAME", "XA", "\\", "TRUNCATE '", "DROP DATABASE", "*/", "/*! */ */"}) {
    read_statement(sql, "shop");
    mentions(sql, "shop", {"shop", "item"});
  }
}

}  // namespace
}  // namespace duet::mysql
