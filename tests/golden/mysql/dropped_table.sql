CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
CREATE TABLE other (id int PRIMARY KEY);
-- capture
INSERT INTO item VALUES (1, 'before');
DROP TABLE other;
DROP TABLE IF EXISTS nothing, item;
