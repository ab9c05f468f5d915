-- only mariadb
SET time_zone = '+00:00', sql_mode = '';
CREATE TABLE kinds (id uuid PRIMARY KEY, i4 inet4, i6 inet6, j json, vc varchar(500) COMPRESSED, bc blob COMPRESSED) CHARACTER SET utf8mb4;
SET GLOBAL mysql56_temporal_format = OFF;
CREATE TABLE old_times (id int PRIMARY KEY, a time, b datetime, c timestamp NULL, a1 time(1), b2 datetime(2), c3 timestamp(3) NULL, a4 time(4),
  b5 datetime(5), c6 timestamp(6) NULL);
SET GLOBAL mysql56_temporal_format = ON;
-- capture
INSERT INTO kinds VALUES ('123e4567-e89b-12d3-a456-426614174000', '10.0.0.255', '2001:db8::ff', '{"a": [1, 2.50]}', 'short', 'short'),
 ('9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d', '0.0.0.0', '::', 'null', repeat('abc', 150), repeat('xyz', 1000)),
 ('01890a5d-ac96-774b-bcce-b302099a8057', NULL, '::ffff:1.2.3.4', NULL, '', NULL),
 ('00000000-0000-0000-0000-000000000000', NULL, '1::', NULL, NULL, ''),
 ('ffffffff-ffff-ffff-ffff-ffffffffffff', '255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', NULL, repeat('é', 200), NULL),
 ('1ec9414c-232a-6b00-b3c8-9f6bdeced846', NULL, NULL, NULL, NULL, NULL), ('320c3d4d-cc00-875b-8ec9-32d5f69181c0', NULL, NULL, NULL, NULL, NULL),
 ('123e4567-e89b-72d3-0456-426614174000', NULL, NULL, NULL, NULL, NULL), ('123e4567-e89b-12d3-c456-426614174000', NULL, NULL, NULL, NULL, NULL);
INSERT INTO old_times VALUES (1, '-838:59:59', '9999-12-31 23:59:59', '2038-01-19 03:14:07', '-12:00:00.5', '2024-02-29 01:02:03.25',
  '2024-02-29 01:02:03.125', '838:59:59.9999', '1000-01-01 00:00:00.00001', '2001-09-09 01:46:40.000001'),
 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (3, '00:00:00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '00:00:00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '-00:00:00.0001',
  '2024-00-00 00:00:00', '1970-01-01 00:00:01');
UPDATE old_times SET a = '00:00:01' WHERE id = 1;
DELETE FROM kinds WHERE i4 = '0.0.0.0';
