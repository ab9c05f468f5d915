CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
-- capture
INSERT INTO item VALUES (1, 'before');
ALTER TABLE item MODIFY v varchar(200);
INSERT INTO item VALUES (2, 'a longer VARCHAR is no matter');
ALTER TABLE item ADD COLUMN w int;
INSERT INTO item VALUES (3, 'after', 1);
