-- only mysql
CREATE TABLE docs (id int PRIMARY KEY, j json);
-- capture
INSERT INTO docs VALUES (1, NULL), (2, 'null'), (3, 'true'), (4, '[]'), (5, '{}'), (6, '"a \\"quoted\\" \\\\ \\n\\t\\b\\f\\r\\u0001 \\u00e4 😀"'),
 (7, '[1, -1, 32767, 32768, 65535, 65536, -32769, 2147483647, 2147483648, 4294967296, -2147483649, 9223372036854775807, 18446744073709551615, -9223372036854775808]'),
 (8, '[1.0, 1e14, 1e15, 1e16, 0.1, 1e-14, 1e-15, 1e-16, 1.5e-7, 1e20, -0.0, 1.7976931348623157e308, 5e-324, 123456.789e3, 0.30000000000000004]'),
 (9, '{"b": 1, "aa": {"c": [1, {"d": null}]}, "a": "x", "": false}');
INSERT INTO docs VALUES (10, JSON_ARRAY(CAST(1.50 AS DECIMAL(10,2)), CAST(-0.5 AS DECIMAL(10,1)), DATE '2024-01-02', TIME '-12:00:01.5',
  TIMESTAMP '2024-01-01 01:02:03.25', CAST('a' AS BINARY), b'101', x'00ff', CAST(REPEAT('x', 100) AS BINARY)));
INSERT INTO docs VALUES (11, JSON_OBJECT('long', REPEAT('y', 70000), 'n', 70000, 'm', -70000)), (12, JSON_ARRAY(REPEAT('z', 200), REPEAT('w', 20000), 1));
UPDATE docs SET j = JSON_SET(j, '$.b', 2) WHERE id = 9;
DELETE FROM docs WHERE id = 2;
