SET time_zone = '+02:00';
SET sql_mode = '';
CREATE TABLE kinds (
  id bigint PRIMARY KEY, t tinyint, tu tinyint unsigned, s smallint, su smallint unsigned, m mediumint, mu mediumint unsigned,
  i int, iu int unsigned, l bigint, lu bigint unsigned, f float, d double, n decimal(12,2), nn decimal(65,30), n0 decimal(9,0),
  n9 decimal(18,9), b1 bit(1), b9 bit(9), b64 bit(64), y year, c char(10), v varchar(300), vs varchar(20), x text, xl longtext,
  bi binary(8), vb varbinary(20), bl blob, tb tinyblob, e enum('small','middle','large'), st set('red','green','blue','black'),
  da date, ti time, ti3 time(3), ti6 time(6), dt datetime, dt1 datetime(1), dt6 datetime(6),
  ts timestamp NULL, ts2 timestamp(2) NULL, ts6 timestamp(6) NULL, g geometry,
  gen int AS (i + 1) VIRTUAL, gs int AS (s + 1) STORED) CHARACTER SET utf8mb4;
-- capture
INSERT INTO kinds (id) VALUES (1);
INSERT INTO kinds (id, t, tu, s, su, m, mu, i, iu, l, lu, f, d, n, nn, n0, n9, b1, b9, b64, y, c, v, vs, x, xl, bi, vb, bl, tb, e, st,
  da, ti, ti3, ti6, dt, dt1, dt6, ts, ts2, ts6, g) VALUES
 (2, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, -9223372036854775808, 18446744073709551615,
  0.1, 0.1, -0.05, -12345678901234567890123456789012345.123456789012345678901234567890, -999999999, 123456789.000000001,
  b'1', b'101010101', ~0, 1901, 'abc  ', 'äöü €😀', '', 'line\nline\0zero', 'long', x'0102', x'00ff00', x'00', '', 'large', 'red,blue',
  '1000-01-01', '-838:59:59', '-00:00:00.001', '838:59:58.999999', '9999-12-31 23:59:59', '2024-02-29 12:34:56.7',
  '2024-02-29 12:34:56.000001', '1970-01-01 02:00:01', '2038-01-19 05:14:07.25', '2024-02-29 12:34:56.123400', ST_GeomFromText('POINT(1 2)')),
 (3, 127, 0, 32767, 0, 8388607, 0, 2147483647, 0, 9223372036854775807, 0,
  -3.4e38, 1.7976931348623157e308, 0.00, 0.000000000000000000000000000001, 999999999, -0.000000001,
  b'0', 0, 1, 2155, '', repeat('ü', 300), 'x', '', '', x'', x'', '', x'01', 'small', '',
  '9999-12-31', '00:00:00', '12:00:00.100', '-12:34:56.654321', '0000-00-00 00:00:00', '1000-01-01 00:00:00', '0000-00-00 00:00:00',
  '0000-00-00 00:00:00', NULL, '1970-01-01 02:00:00.000001', NULL),
 (4, 0, 1, -1, 1, -1, 1, -1, 1, -1, 1, 1e20, -5e-324, 9999999999.99, 1, 0, 1, b'1', 511, 0, 0, '日本', 'a', 'b', 'c', 'd', x'ff00000000000000',
  x'00', 'e', 'f', 0, 'red,green,blue,black', '0000-00-00', '-00:00:01', '-00:00:00.999', '-00:00:00.000001',
  '2024-00-10 00:00:00', '0001-01-01 00:00:00.9', '1999-12-31 23:59:59.999999', '2001-09-09 03:46:40', '2001-09-09 03:46:40.5',
  '2001-09-09 03:46:40.5', NULL);
UPDATE kinds SET v = NULL, x = 'new', i = 5 WHERE id = 2;
UPDATE kinds SET id = 30, e = 'middle' WHERE id = 3;
UPDATE kinds SET f = 16777216, d = 1e22, dt6 = '2024-12-31 00:00:00.5';
DELETE FROM kinds WHERE id IN (1, 4);
