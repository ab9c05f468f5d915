-- Every type of the contract, with values at its edges.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'très content');
CREATE TABLE kinds (
  id bigint PRIMARY KEY, a_bool boolean, a_small smallint, an_int integer, a_numeric numeric, a_float4 real, a_float8 double precision,
  a_text text, a_char char(6), a_bytea bytea, a_date date, a_time time, a_timestamp timestamp, a_timestamptz timestamptz, a_json json,
  a_jsonb jsonb, a_bit bit(5), a_varbit varbit, a_uuid uuid, a_mood mood, an_array text[]);
CREATE PUBLICATION duet_golden FOR TABLE kinds;
SELECT pg_create_logical_replication_slot('duet_golden', 'pgoutput');
-- capture
INSERT INTO kinds (id) VALUES (-9223372036854775808);
INSERT INTO kinds VALUES (1, true, -32768, 2147483647, 12.50, 0.1, 0.1, 'a', 'ab', '\x00ff10', '2024-02-29', '13:14:15.5',
  '2024-02-29 13:14:15.123456', '2024-02-29 13:14:15.120000+02', '{"b": 1,  "a": [2]}', '{"b": 1,  "a": [2]}', B'10110', B'', '0E2F8E4A-9B9C-4F5B-8E52-2A6C8E1D7F00',
  'très content', '{a,"b c",NULL}');
INSERT INTO kinds VALUES (2, false, 0, 0, -0.00, '-0', '-0', '', '', '', '0044-03-15 BC', '00:00', '0044-03-15 12:00 BC', '0044-03-15 12:00+00 BC',
  '""', '{}', B'00000', B'1', '00000000-0000-0000-0000-000000000000', 'sad', '{}');
INSERT INTO kinds VALUES (3, false, 1, 1, 'NaN', 'NaN', 'NaN', E'tab\tnew\nline ''quote'' \\ ☃ 𝄞', 'a b', decode('5c78', 'hex'), 'infinity', '24:00', 'infinity',
  'infinity', 'null', 'null', B'11111', B'1010101010101', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'ok', '{"",NULL,"NULL"}');
INSERT INTO kinds VALUES (4, true, 2, 2, '-Infinity', '-Infinity', 'Infinity', 'x', 'y', '\x', '-infinity', '23:59:59.999999', '-infinity', '-infinity',
  '0', '1e400', B'00001', B'0', '11111111-2222-3333-4444-555555555555', 'ok', '{{a,b},{c,d}}');
INSERT INTO kinds (id, a_numeric, a_float4, a_float8) VALUES (5, 1e40, 1e20, 1e20), (6, 1e-40, 1e-45, 5e-324), (7, 100000, 100000, 100000),
  (8, 123456789012345678901234567890.000000000100, 3.4028235e38, 1.7976931348623157e308), (9, 0.1, 16777216, 9007199254740993), (10, 1, 1e5, 1e15),
  (11, 1, 0.0001, 0.00001);
