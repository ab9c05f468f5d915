#include "postgres/pgoutput.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "postgres/refresh_message.hpp"
#include "unit/postgres/source_fixtures.hpp"

namespace duet::postgres {
namespace {

using namespace duet::tests;
using testing::HasSubstr;

constexpr std::uint32_t people_oid = 16500, control_oid = 16400, one_way_oid = 16501, pairs_oid = 16502, unmapped_oid = 16600;

mapping people_mapping() {
  using enum value_kind;
  mapping m;
  add_table(m, "people", {{"id", integer, 32}, {"name", text}, {"active", boolean}});
  add_unmapped(m, "secret");
  add_table(m, "one_way", {{"id", integer, 32}}, 1, flow::spoke_to_home);
  add_table(m, "pairs", {{"a", integer, 32}, {"b", integer, 32}, {"n", integer, 32}}, 2);
  return m;
}

// Wire order differs from the mapping's, and one column is not mapped.
std::string people_relation(char identity = 'd') {
  return relation_described(people_oid, "public", "people", identity,
                          {{"active", 16, identity == 'f'}, {"secret", 25, identity == 'f'}, {"id", 23, true}, {"name", 25, identity == 'f'}});
}
std::string control_relation() {
  return relation_described(control_oid, "duet", "control", 'd',
                          {{"link", 25, true}, {"epoch", 20}, {"position", 20}, {"floor", 20}, {"counter", 20}, {"fingerprint", 20}});
}
std::string control_update(std::string_view link, std::string_view position = "4711") {
  return message_builder('U').u32(control_oid).u8('N').u16(6).text(link).text("3").text(position).text("815").text("17").text("-5");
}
message_builder row(char kind, std::uint32_t oid) {
  message_builder b(kind);
  b.u32(oid);
  return b;
}
std::string insert_person(std::string_view id, std::string_view name) {
  return row('I', people_oid).u8('N').u16(4).text("t").text("hidden").text(id).text(name);
}
std::string logical_message(std::string_view prefix, std::string_view content, bool transactional = true) {
  return message_builder('M').u8(transactional).u64(5).cstring(prefix).u32(content.size()).raw(content);
}

class pgoutput_decoder_test : public testing::Test {
 protected:
  std::string decode(const std::vector<std::string>& messages) {
    kept_blocks blocks;
    block_writer writer(blocks);
    for (const auto& message : messages) decoder.decode(message, writer);
    return print(tables, blocks.all());
  }
  // Begin, the relations, the messages, Commit; without the lines of begin and end.
  std::string decode_rows(std::vector<std::string> messages, char identity = 'd') {
    messages.insert(messages.begin(), {begin_message(0x1000), people_relation(identity)});
    messages.push_back(commit_message(0x1000));
    const std::string all = decode(messages);
    const std::size_t first = all.find('\n') + 1, last = all.rfind("end to");
    return all.substr(first, last - first);
  }
  std::string end_line(const std::vector<std::string>& messages) {
    const std::string all = decode(messages);
    return all.substr(all.rfind('\n', all.size() - 2) + 1);
  }
  failure expect_failure(failure_kind kind, const std::vector<std::string>& messages) {
    try {
      decode(messages);
      ADD_FAILURE() << "accepted";
    } catch (const failure& f) {
      EXPECT_EQ(name(f.kind), name(kind)) << f.what();
      decoder.reset();
      return f;
    }
    return failure(kind, "");
  }

  mapping tables = people_mapping();
  pgoutput_decoder decoder{tables, "shop"};
};

TEST_F(pgoutput_decoder_test, begins_a_transaction_at_its_commit_record_and_ends_it_behind_it) {
  const std::string text = decode({begin_message(0x1000), people_relation(), insert_person("1", "Ann"), commit_message(0x1000)});
  EXPECT_THAT(text, HasSubstr("begin at 1000 time 1700000000123456 fingerprint "));
  EXPECT_THAT(text, HasSubstr("end to 1030 changes 1 filtered 0 echoes 0\n"));
  EXPECT_EQ(decoder.end_of_last(), log_position{0x1030});
  EXPECT_FALSE(decoder.in_transaction());
}

TEST_F(pgoutput_decoder_test, gives_fingerprints_that_differ_by_xid_and_never_zero) {
  auto fingerprint = [&](std::uint32_t xid) {
    const std::string text = decode({begin_message(0x1000, xid), people_relation(), insert_person("1", "A"), commit_message(0x1000)});
    const std::size_t at = text.find("fingerprint ");
    return text.substr(at, text.find('\n') - at);
  };
  EXPECT_NE(fingerprint(700), fingerprint(701));
  EXPECT_EQ(fingerprint(700), fingerprint(700));
  EXPECT_NE(fingerprint(700), "fingerprint 0000000000000000");
}

TEST_F(pgoutput_decoder_test, reads_an_insert_by_the_names_of_its_columns) {
  EXPECT_EQ(decode_rows({insert_person("1", "Ann")}), "  insert people after id='1' name='Ann' active='1'\n");
}

TEST_F(pgoutput_decoder_test, tells_null_from_an_empty_string) {
  EXPECT_EQ(decode_rows({row('I', people_oid).u8('N').u16(4).null().null().text("1").text("")}),
            "  insert people after id='1' name='' active=null\n");
}

TEST_F(pgoutput_decoder_test, gives_an_update_without_old_row_its_key_as_before_image) {
  EXPECT_EQ(decode_rows({row('U', people_oid).u8('N').u16(4).text("f").null().text("1").text("Bob")}),
            "  update people before id='1' after id='1' name='Bob' active='0'\n");
}

TEST_F(pgoutput_decoder_test, reads_only_the_key_from_a_key_tuple) {
  EXPECT_EQ(decode_rows({row('U', people_oid).u8('K').u16(4).null().null().text("1").null().u8('N').u16(4).text("f").null().text("2").text("Bob")}),
            "  update people before id='1' after id='2' name='Bob' active='0'\n");
}

TEST_F(pgoutput_decoder_test, reads_the_whole_old_row_with_full_identity) {
  EXPECT_EQ(decode_rows({row('U', people_oid).u8('O').u16(4).text("t").null().text("1").null().u8('N').u16(4).text("f").null().text("1").text("Bob")}, 'f'),
            "  update people before id='1' name=null active='1' after id='1' name='Bob' active='0'\n");
}

TEST_F(pgoutput_decoder_test, fills_unchanged_toast_from_the_old_row) {
  EXPECT_EQ(decode_rows({row('U', people_oid).u8('O').u16(4).text("t").null().text("1").text("long").u8('N').u16(4).text("f").null().text("1").unchanged()}, 'f'),
            "  update people before id='1' name='long' active='1' after id='1' name='long' active='0'\n");
}

TEST_F(pgoutput_decoder_test, leaves_unchanged_toast_absent_without_an_old_row) {
  EXPECT_EQ(decode_rows({row('U', people_oid).u8('N').u16(4).text("f").null().text("1").unchanged()}),
            "  update people before id='1' after id='1' active='0'\n");
}

TEST_F(pgoutput_decoder_test, does_not_take_a_key_tuples_null_for_unchanged_toast) {
  EXPECT_EQ(decode_rows({row('U', people_oid).u8('K').u16(4).null().null().text("1").null().u8('N').u16(4).text("f").null().text("2").unchanged()}),
            "  update people before id='1' after id='2' active='0'\n");
}

TEST_F(pgoutput_decoder_test, reads_deletes_by_key_and_by_full_row) {
  EXPECT_EQ(decode_rows({row('D', people_oid).u8('K').u16(4).null().null().text("1").null()}), "  delete people before id='1'\n");
  EXPECT_EQ(decode_rows({row('D', people_oid).u8('O').u16(4).text("t").null().text("1").text("Ann")}, 'f'),
            "  delete people before id='1' name='Ann' active='1'\n");
}

TEST_F(pgoutput_decoder_test, refuses_updates_whose_identity_is_another_index) {
  const std::string relation = relation_described(people_oid, "public", "people", 'i', {{"id", 23, false}, {"name", 25, true}, {"active", 16, false}});
  const failure f = expect_failure(failure_kind::configuration, {begin_message(8), relation, row('D', people_oid).u8('K').u16(3).null().text("Ann").null()});
  EXPECT_THAT(f.what(), HasSubstr("public.people"));
  EXPECT_THAT(f.remedy, HasSubstr("REPLICA IDENTITY"));
  EXPECT_THAT(decode({begin_message(8), relation, row('I', people_oid).u8('N').u16(3).text("1").text("Ann").text("t"), commit_message(8)}),
              HasSubstr("insert people after id='1' name='Ann' active='1'"));
}

TEST_F(pgoutput_decoder_test, writes_one_truncate_per_mapped_table_that_flows) {
  const std::string one_way = relation_described(one_way_oid, "public", "one_way", 'd', {{"id", 23, true}});
  const std::string unmapped = relation_described(unmapped_oid, "public", "unmapped", 'd', {{"id", 23, true}});
  const std::string truncate = message_builder('T').u32(3).u8(1).u32(unmapped_oid).u32(people_oid).u32(one_way_oid);
  const std::string text = decode({begin_message(8), people_relation(), one_way, unmapped, truncate, commit_message(8)});
  EXPECT_THAT(text, HasSubstr("\n  truncate people\nend to 38 changes 1 filtered 1 echoes 0\n"));
}

TEST_F(pgoutput_decoder_test, counts_rows_of_tables_that_flow_the_other_way) {
  const std::string one_way = relation_described(one_way_oid, "public", "one_way", 'd', {{"id", 23, true}});
  const std::string insert = row('I', one_way_oid).u8('N').u16(1).text("1");
  EXPECT_EQ(end_line({begin_message(8), one_way, insert, insert, commit_message(8)}), "end to 38 changes 0 filtered 2 echoes 0\n");
}

TEST_F(pgoutput_decoder_test, makes_only_progress_of_a_transaction_with_nothing_for_us) {
  const std::string unmapped = relation_described(unmapped_oid, "public", "unmapped", 'd', {{"id", 23, true}});
  const std::string other_schema = relation_described(people_oid, "archive", "people", 'd', {{"id", 23, true}});
  const std::string origin = message_builder('O').u64(1).cstring("somewhere"), type = message_builder('Y').u32(17000).cstring("public").cstring("mood");
  EXPECT_EQ(decode({begin_message(8), commit_message(8)}), "progress to 38\n");
  EXPECT_EQ(decode({begin_message(0x100), origin, type, unmapped, row('I', unmapped_oid).u8('N').u16(1).text("1"), other_schema,
                    row('I', people_oid).u8('N').u16(1).text("1"), commit_message(0x100)}),
            "progress to 130\n");
}

TEST_F(pgoutput_decoder_test, knows_our_transactions_by_the_control_row_and_counts_their_echoes) {
  EXPECT_EQ(end_line({begin_message(8), control_relation(), control_update("shop", "-2"), people_relation(), insert_person("1", "A"),
                      row('D', people_oid).u8('K').u16(4).null().null().text("1").null(), message_builder('T').u32(1).u8(0).u32(people_oid), commit_message(8)}),
            "end to 38 changes 0 filtered 0 echoes 3 ours epoch 3 counter 17 position fffffffffffffffe floor 32f\n");
}

TEST_F(pgoutput_decoder_test, takes_the_control_row_of_another_link_for_nothing) {
  EXPECT_EQ(end_line({begin_message(8), control_relation(), control_update("other"), people_relation(), insert_person("1", "A"), commit_message(8)}),
            "end to 38 changes 1 filtered 0 echoes 0\n");
  EXPECT_EQ(decode({begin_message(8), control_relation(), control_update("other"), commit_message(8)}), "progress to 38\n");
}

TEST_F(pgoutput_decoder_test, does_not_take_the_next_transaction_for_ours_too) {
  decode({begin_message(8), control_relation(), control_update("shop"), commit_message(8)});
  EXPECT_EQ(end_line({begin_message(0x100), people_relation(), insert_person("1", "A"), commit_message(0x100)}), "end to 130 changes 1 filtered 0 echoes 0\n");
}

TEST_F(pgoutput_decoder_test, reads_the_control_row_by_column_names_and_ignores_its_removal) {
  const std::string relation = relation_described(
      control_oid, "duet", "control", 'd',
      {{"new", 25}, {"counter", 20}, {"floor", 20}, {"position", 20}, {"epoch", 20}, {"link", 25, true}});
  const std::string insert = row('I', control_oid).u8('N').u16(6).null().text("1").text("2").text("3").text("4").text("shop");
  EXPECT_THAT(end_line({begin_message(8), relation, insert, commit_message(8)}), HasSubstr("ours epoch 4 counter 1 position 3 floor 2"));
  EXPECT_EQ(decode({begin_message(8), relation, row('D', control_oid).u8('K').u16(6).null().null().null().null().null().text("shop"), commit_message(8)}),
            "progress to 38\n");
}

TEST_F(pgoutput_decoder_test, refuses_a_control_table_that_is_none) {
  expect_failure(failure_kind::not_set_up, {begin_message(8), relation_described(control_oid, "duet", "control", 'd', {{"link", 25, true}})});
  expect_failure(failure_kind::damaged_log, {begin_message(8), control_relation(), control_update("shop", "12x")});
  expect_failure(failure_kind::damaged_log, {begin_message(8), control_relation(), control_update("shop", "")});
}

TEST_F(pgoutput_decoder_test, reads_a_refresh_in_a_transaction_of_ours) {
  const std::string content = R"({"table": "public.people", "key": {"id": "7"}, "row": {"id": "7", "name": null, "active": "1"}})";
  const std::string gone = R"({"table": "public.people", "key": {"id": "8"}, "row": null})";
  EXPECT_THAT(decode({begin_message(8), control_relation(), control_update("shop"), logical_message("duet:shop", content),
                      logical_message("duet:shop", gone), commit_message(8)}),
              HasSubstr("\n  refresh people before id='7' after id='7' name=null active='1'\n"
                        "  refresh people before id='8'\nend to 38 changes 2 filtered 0 echoes 0 ours"));
}

TEST_F(pgoutput_decoder_test, ignores_messages_that_are_no_refreshes_of_ours) {
  EXPECT_EQ(decode({logical_message("duet:shop", "{", false), begin_message(8), logical_message("duet:shop", "{"), logical_message("duet:shop:sync", ""),
                    logical_message("duet:other", "{"), logical_message("", "x"), commit_message(8)}),
            "progress to 38\n");
}

TEST_F(pgoutput_decoder_test, refuses_a_damaged_refresh) {
  for (const char* content : {"", "{", "[]", "{}", R"({"table": 1, "key": {}, "row": null})", R"({"table": "public.people", "key": {"id": "1"}})",
                              R"({"table": "public.people", "key": {"id": 7}, "row": null})", R"({"table": "public.people", "key": [], "row": null})",
                              R"({"table": "public.people", "key": {"id": "1"}, "row": 5})"})
    expect_failure(failure_kind::damaged_log, {begin_message(8), control_relation(), control_update("shop"), logical_message("duet:shop", content)});
  expect_failure(failure_kind::schema_changed, {begin_message(8), control_relation(), control_update("shop"),
                                                logical_message("duet:shop", R"({"table": "public.people", "key": {}, "row": null})")});
}

TEST_F(pgoutput_decoder_test, names_table_and_column_when_a_mapped_column_is_gone) {
  const failure f = expect_failure(failure_kind::schema_changed, {begin_message(8), relation_described(people_oid, "public", "people", 'd', {{"id", 23, true}, {"name", 25}})});
  EXPECT_THAT(f.what(), HasSubstr("public.people"));
  EXPECT_THAT(f.what(), HasSubstr("active"));
}

TEST_F(pgoutput_decoder_test, takes_no_new_column_and_no_changed_type_for_what_it_knows) {
  auto relation = [](std::uint32_t id_type, std::int64_t name_modifier, bool extra) {
    std::vector<relation_column> columns = {{"id", id_type, true}, {"name", 25, false, name_modifier}, {"active", 16}};
    if (extra) columns.push_back({"extra", 20});
    return relation_described(people_oid, "public", "people", 'd', columns);
  };
  decode({begin_message(8), relation(23, -1, false), commit_message(8)});
  EXPECT_THAT(expect_failure(failure_kind::schema_changed, {begin_message(8), relation(23, -1, true)}).what(), HasSubstr("column extra is new"));
  EXPECT_THAT(expect_failure(failure_kind::schema_changed, {begin_message(8), relation(20, -1, false)}).what(), HasSubstr("column id"));
  EXPECT_THAT(expect_failure(failure_kind::schema_changed, {begin_message(8), relation(23, 14, false)}).what(), HasSubstr("column name"));
  EXPECT_THAT(expect_failure(failure_kind::schema_changed, {begin_message(8), relation(25, -1, false)}).what(), HasSubstr("column id"));
}

TEST_F(pgoutput_decoder_test, reads_rows_older_than_the_mapping_as_far_as_they_read_the_same) {
  decoder.expect(0, {{20, -1}, {1043, 54}, {16, -1}});
  decoder.set_fits_from({0x2000});
  const std::string then = relation_described(people_oid, "public", "people", 'd', {{"id", 23, true}, {"name", 25}});
  const std::string insert = row('I', people_oid).u8('N').u16(2).text("1").text("Ann");
  EXPECT_THAT(decode({begin_message(0x1000), then, insert, commit_message(0x1000)}), HasSubstr("insert people after id='1' name='Ann'\n"));
  EXPECT_THAT(expect_failure(failure_kind::schema_changed, {begin_message(0x1000), relation_described(people_oid, "public", "people", 'd', {{"id", 23, true}, {"name", 17}, {"active", 16}})}).what(),
              HasSubstr("column name"));
  expect_failure(failure_kind::schema_changed, {begin_message(0x1000), relation_described(people_oid, "public", "people", 'd', {{"name", 25}, {"active", 16}})});
  expect_failure(failure_kind::schema_changed, {begin_message(0x2000), then});
  decode({begin_message(0x2000), relation_described(people_oid, "public", "people", 'd', {{"id", 20, true}, {"name", 1043, false, 54}, {"active", 16}}), commit_message(0x2000)});
}

TEST_F(pgoutput_decoder_test, reads_composite_keys) {
  const std::string relation = relation_described(pairs_oid, "public", "pairs", 'd', {{"a", 23, true}, {"b", 23, true}, {"n", 23}});
  EXPECT_THAT(decode({begin_message(8), relation, row('U', pairs_oid).u8('N').u16(3).text("1").text("2").text("3"),
                      row('D', pairs_oid).u8('K').u16(3).text("1").text("2").null(), commit_message(8)}),
              HasSubstr("update pairs before a='1' b='2' after a='1' b='2' n='3'\n  delete pairs before a='1' b='2'\n"));
}

TEST_F(pgoutput_decoder_test, refuses_messages_out_of_order) {
  expect_failure(failure_kind::damaged_log, {commit_message(8)});
  expect_failure(failure_kind::damaged_log, {people_relation()});
  expect_failure(failure_kind::damaged_log, {begin_message(8), begin_message(16)});
  expect_failure(failure_kind::damaged_log, {begin_message(8), commit_message(16)});
  expect_failure(failure_kind::damaged_log, {begin_message(8), insert_person("1", "A")});
  expect_failure(failure_kind::damaged_log, {logical_message("duet:shop", "{}")});
  for (int kind = 0; kind < 256; ++kind)
    if (!std::strchr("BCORYIUDTM", kind) || !kind)
      expect_failure(failure_kind::damaged_log, {begin_message(8), std::string(1, static_cast<char>(kind)) + "content"});
  expect_failure(failure_kind::damaged_log, {""});
}

TEST_F(pgoutput_decoder_test, refuses_rows_that_do_not_fit_their_relation) {
  const std::vector<std::string> start = {begin_message(8), people_relation()};
  auto refuse = [&](const std::string& message) {
    auto all = start;
    all.push_back(message);
    expect_failure(failure_kind::damaged_log, all);
  };
  refuse(row('I', people_oid).u8('N').u16(3).text("t").null().text("1"));
  refuse(row('I', people_oid).u8('N').u16(5).text("t").null().text("1").null().null());
  refuse(row('I', people_oid).u8('O').u16(4).text("t").null().text("1").null());
  refuse(row('I', people_oid).u8('N').u16(4).text("t").null().text("1").u8('b').u32(1).raw("x"));
  refuse(row('I', people_oid).u8('N').u16(4).text("t").null().text("1").u8('?'));
  refuse(row('D', people_oid).u8('N').u16(4).text("t").null().text("1").null());
  refuse(row('I', people_oid).u8('N').u16(4).text("maybe").null().text("1").null());
  refuse(insert_person("1", "A") + "x");
  refuse(relation_described(people_oid, "public", "people", 'd', {{"id", 23, true}, {"id", 23}, {"name", 25}, {"active", 16}}));
}

TEST_F(pgoutput_decoder_test, refuses_every_message_that_is_cut_at_any_byte) {
  const std::string refresh = R"({"table": "public.people", "key": {"id": "7"}, "row": null})";
  const std::vector<std::string> whole = {
      begin_message(8), control_relation(), people_relation(),
      insert_person("1", "Ann"),
      row('U', people_oid).u8('O').u16(4).text("t").null().text("1").text("long").u8('N').u16(4).text("f").null().text("1").unchanged(),
      row('D', people_oid).u8('K').u16(4).null().null().text("1").null(),
      message_builder('T').u32(1).u8(0).u32(people_oid),
      control_update("shop"), logical_message("duet:shop", refresh), commit_message(8)};
  decode(whole);
  for (std::size_t which = 0; which < whole.size(); ++which)
    for (std::size_t size = 0; size < whole[which].size(); ++size) {
      std::vector<std::string> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(which));
      cut.push_back(whole[which].substr(0, size));
      SCOPED_TRACE("message " + std::to_string(which) + " cut to " + std::to_string(size));
      expect_failure(failure_kind::damaged_log, cut);
    }
}

TEST_F(pgoutput_decoder_test, starts_anew_after_a_failure) {
  expect_failure(failure_kind::damaged_log, {begin_message(8), people_relation(), std::string("I")});
  EXPECT_FALSE(decoder.in_transaction());
  expect_failure(failure_kind::damaged_log, {begin_message(8), insert_person("1", "A")});  // relations are forgotten
  EXPECT_THAT(decode({begin_message(8), people_relation(), insert_person("1", "A"), commit_message(8)}), HasSubstr("insert people"));
}

TEST_F(pgoutput_decoder_test, carries_values_larger_than_a_block) {
  const std::string large(100'000, 'x');
  const std::string text = decode({begin_message(8), people_relation(), insert_person("1", large), insert_person("2", "small"), commit_message(8)});
  EXPECT_THAT(text, HasSubstr("name=(100000 bytes from 'xxxxxxxx')"));
  EXPECT_THAT(text, HasSubstr("insert people after id='2' name='small' active='1'\nend to 38 changes 2"));
}

TEST(refresh_message, comes_back_as_it_was_encoded) {
  using enum value_kind;
  mapping m;
  add_table(m, "files", {{"name", text}, {"content", bytes}, {"note", text}});
  const std::string name = "d\xc3\xa9j\xc3\xa0 \xf0\x9d\x84\x9e \"'\\\n", content("\0\xff\x10", 3);
  const cell key[3] = {cell::of(name), {}, {}};
  owned_row row{true, {name, content, std::nullopt}};
  conflict_policy& policy = m.tables[0].policy;
  m.tables[0].columns[0].key = true;
  policy.fields = {{{1}, conflict_rule::home}, {{2}, conflict_rule::latest}};
  policy.field_of = {0, 0, 1};
  const decision_tag tag{.by_home = {.fields = 0b01, .time_us = 5}, .by_spoke = {.fields = 0b10, .time_us = 1'700'000'000'000'000}};
  const std::string with_row = encode_refresh(m.tables[0], key, &row, tag), gone = encode_refresh(m.tables[0], key, nullptr, {});
  for (unsigned char c : with_row) EXPECT_LT(c, 128) << "the database's encoding may be any";

  kept_blocks blocks;
  block_writer writer(blocks);
  writer.begin({8}, 0, 1);
  decode_refresh(m, with_row, writer);
  decode_refresh(m, gone, writer);
  decode_refresh(m, encode_refresh(m.tables[0], key, nullptr, {.by_home = {}, .by_spoke = {.fields = policy.all(), .time_us = 9}, .ends_hold = true}), writer);
  writer.end({16});
  const change_block& b = blocks.all()[0];
  auto* first = static_cast<const change_record*>(b.next(b.first()));
  ASSERT_EQ(first->kind, record_kind::change);
  EXPECT_EQ(first->op, operation::refresh);
  EXPECT_EQ(first->before(0).text(), name);
  EXPECT_TRUE(first->before(1).absent());
  EXPECT_EQ(first->after(0).text(), name);
  EXPECT_EQ(first->after(1).text(), content);
  EXPECT_TRUE(first->after(2).is_null());
  EXPECT_EQ(first->decided.by_home.fields, 0b01u);
  EXPECT_EQ(first->decided.by_home.time_us, 5);
  EXPECT_EQ(first->decided.by_spoke.fields, 0b10u);
  EXPECT_EQ(first->decided.by_spoke.time_us, 1'700'000'000'000'000);
  EXPECT_FALSE(first->decided.ends_hold);
  auto* second = static_cast<const change_record*>(b.next(first));
  EXPECT_TRUE(second->has_before);
  EXPECT_FALSE(second->has_after);
  auto* third = static_cast<const change_record*>(b.next(second));
  EXPECT_EQ(third->decided.by_spoke.fields, policy.all());
  EXPECT_TRUE(third->decided.ends_hold);
  owned_row not_found;
  EXPECT_EQ(encode_refresh(m.tables[0], key, &not_found, {}), gone);
}

}  // namespace
}  // namespace duet::postgres
