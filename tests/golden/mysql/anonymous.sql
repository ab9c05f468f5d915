-- only mysql
CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
SET GLOBAL gtid_mode = ON_PERMISSIVE;
SET GLOBAL gtid_mode = OFF_PERMISSIVE;
-- capture
INSERT INTO item VALUES (1, 'anonymous');
CREATE TABLE t2 (id int);
INSERT INTO item VALUES (2, 'anonymous');
SET GLOBAL gtid_mode = ON_PERMISSIVE;
INSERT INTO item VALUES (3, 'with a GTID');
