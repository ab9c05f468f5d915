CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
CREATE TABLE unmapped (id int PRIMARY KEY);
-- capture
SET SESSION binlog_format = STATEMENT;
INSERT INTO unmapped VALUES (1);
INSERT INTO item VALUES (1, 'as a statement');
