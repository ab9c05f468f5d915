-- A table that changes: a new column is none of ours, a mapped one that goes ends the stream.
CREATE TABLE key_rows (id integer PRIMARY KEY, name text, big text);
CREATE PUBLICATION duet_golden FOR TABLE key_rows;
SELECT pg_create_logical_replication_slot('duet_golden', 'pgoutput');
-- capture
INSERT INTO key_rows VALUES (1, 'before', NULL);
ALTER TABLE key_rows ADD COLUMN extra integer DEFAULT 5;
INSERT INTO key_rows VALUES (2, 'with extra', NULL, 6);
ALTER TABLE key_rows DROP COLUMN name;
INSERT INTO key_rows VALUES (3, NULL, 7);
