-- only mariadb
CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
SET GLOBAL log_bin_compress = ON, log_bin_compress_min_len = 10;
-- capture
INSERT INTO item VALUES (1, repeat('compressed ', 9)), (2, NULL);
UPDATE item SET v = repeat('y', 90);
DELETE FROM item WHERE id = 2;
CREATE TABLE a_table_whose_definition_is_long_enough_to_be_worth_the_while (id int PRIMARY KEY, some_column varchar(100), another_column varchar(100));
INSERT INTO item SELECT seq, repeat('z', seq % 100) FROM seq_10_to_500;
TRUNCATE TABLE golden.item /* with a comment that makes the statement long enough to be compressed by the server */;
SET GLOBAL log_bin_compress = OFF;
INSERT INTO item VALUES (3, 'plain');
