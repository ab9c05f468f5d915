-- only mysql
CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
-- capture
INSERT INTO item VALUES (1, 'automatic');
SET gtid_next = 'AUTOMATIC:shop_1';
INSERT INTO item VALUES (2, 'tagged');
SET gtid_next = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeffff:a_rather_long_tag_12345678901:1234567890123';
DELETE FROM item WHERE id = 2;
SET gtid_next = 'AUTOMATIC';
INSERT INTO item VALUES (3, 'automatic again');
