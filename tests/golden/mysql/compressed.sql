-- only mysql
CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
CREATE TABLE unmapped (id int PRIMARY KEY);
-- capture
SET SESSION binlog_transaction_compression = ON;
INSERT INTO item VALUES (1, repeat('compressed ', 9)), (2, NULL);
BEGIN; UPDATE item SET v = repeat('y', 90); INSERT INTO unmapped VALUES (1); DELETE FROM item WHERE id = 2; COMMIT;
INSERT INTO unmapped VALUES (2);
BEGIN; INSERT INTO item WITH RECURSIVE s AS (SELECT 10 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 500) SELECT n, repeat('z', n % 100) FROM s; COMMIT;
SET SESSION binlog_transaction_compression = OFF;
DELETE FROM item WHERE id > 1;
