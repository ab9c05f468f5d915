-- only mysql
CREATE TABLE item (id int PRIMARY KEY, j json);
CREATE TABLE unmapped (id int PRIMARY KEY, j json);
-- capture
SET SESSION binlog_row_value_options = PARTIAL_JSON;
INSERT INTO unmapped VALUES (1, '{"a": 1, "b": "a long value that makes the partial update worth the while"}');
UPDATE unmapped SET j = JSON_SET(j, '$.a', 2);
INSERT INTO item VALUES (1, '{"a": 1, "b": "a long value that makes the partial update worth the while"}');
UPDATE item SET j = JSON_SET(j, '$.a', 2);
