CREATE TABLE item (id int PRIMARY KEY, v varchar(100));
CREATE TABLE unmapped (id int PRIMARY KEY);
-- capture
XA START 'one', 'b', 7; INSERT INTO unmapped VALUES (1); XA END 'one', 'b', 7; XA PREPARE 'one', 'b', 7; XA COMMIT 'one', 'b', 7;
XA START 'two'; INSERT INTO unmapped VALUES (2); XA END 'two'; XA PREPARE 'two'; XA ROLLBACK 'two';
XA START 'three'; INSERT INTO item VALUES (1, 'one phase'); XA END 'three'; XA COMMIT 'three' ONE PHASE;
XA START 'four'; INSERT INTO item VALUES (2, 'two phases'); XA END 'four'; XA PREPARE 'four'; XA COMMIT 'four';
