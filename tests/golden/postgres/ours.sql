-- Transactions of the hub: the control row, echoes, refreshes, messages that say nothing, another link's.
CREATE SCHEMA duet;
CREATE TABLE duet.control (link text PRIMARY KEY, epoch bigint NOT NULL, position bigint NOT NULL, floor bigint NOT NULL,
  counter bigint NOT NULL, fingerprint bigint NOT NULL, source_identity text NOT NULL, own_identity text NOT NULL);
CREATE TABLE key_rows (id integer PRIMARY KEY, name text, big text);
CREATE TABLE one_way (id integer PRIMARY KEY, name text);
CREATE PUBLICATION duet_golden FOR TABLE duet.control, key_rows, one_way;
SELECT pg_create_logical_replication_slot('duet_golden', 'pgoutput');
-- capture
INSERT INTO duet.control VALUES ('golden', 1, 4711, 815, 1, -1, 's', 'o'), ('other', 9, 9, 9, 9, 9, 's', 'o');
BEGIN;
UPDATE duet.control SET epoch = 2, position = -2, counter = counter + 1 WHERE link = 'golden';
INSERT INTO key_rows VALUES (1, 'echo', NULL);
INSERT INTO one_way VALUES (1, 'echo');
SELECT pg_logical_emit_message(true, 'duet:golden', '{"key":{"id":"7"},"row":{"big":null,"id":"7","name":"d\u00e9j\u00e0 \ud834\udd1e"},"table":"public.key_rows"}');
UPDATE key_rows SET name = 'echo too';
SELECT pg_logical_emit_message(true, 'duet:golden', '{"key":{"id":"8"},"row":null,"table":"public.key_rows"}');
COMMIT;
BEGIN;
UPDATE duet.control SET counter = counter + 1 WHERE link = 'other';
INSERT INTO key_rows VALUES (2, 'of another link: a local write for us', NULL);
SELECT pg_logical_emit_message(true, 'duet:golden', 'a forged refresh is not looked at');
COMMIT;
SELECT pg_logical_emit_message(true, 'duet:golden:sync', '');
SELECT pg_logical_emit_message(false, 'duet:golden', 'not transactional');
SELECT pg_logical_emit_message(true, 'somebody', 'else');
BEGIN;
UPDATE duet.control SET counter = counter + 1 WHERE link = 'golden';
TRUNCATE key_rows, one_way;
COMMIT;
UPDATE duet.control SET counter = counter + 1 WHERE link = 'golden';
DELETE FROM duet.control WHERE link = 'golden';
