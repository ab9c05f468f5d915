CREATE TABLE item (id int PRIMARY KEY, v varchar(100), x text);
-- capture
SET SESSION binlog_row_image = MINIMAL;
INSERT INTO item (id, v) VALUES (1, 'one');
UPDATE item SET v = 'two';
UPDATE item SET id = 2;
DELETE FROM item;
SET SESSION binlog_row_image = NOBLOB;
INSERT INTO item VALUES (1, 'one', 'text');
UPDATE item SET v = 'two';
DELETE FROM item;
