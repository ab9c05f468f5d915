CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
SET GLOBAL binlog_checksum = NONE;
-- capture
INSERT INTO item VALUES (1, 'without'), (2, 'checksum');
SET GLOBAL binlog_checksum = CRC32;
UPDATE item SET v = 'with' WHERE id = 1;
DELETE FROM item;
