-- A statement in a function's body looks at its own table as it was before the statement.
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 5) g;
CREATE FUNCTION rank_all() RETURNS void LANGUAGE sql AS 'UPDATE t SET a = (SELECT count(*) FROM t t2 WHERE t2.a >= t.a)';
SELECT rank_all();
SELECT * FROM t ORDER BY id;
CREATE FUNCTION drop_low() RETURNS bigint LANGUAGE sql AS
  'DELETE FROM t WHERE (SELECT count(*) FROM t t2 WHERE t2.a >= t.a) > 2; SELECT count(*) FROM t';
SELECT drop_low();
SELECT * FROM t ORDER BY id;
CREATE FUNCTION double_all() RETURNS SETOF int LANGUAGE sql AS
  'INSERT INTO t SELECT id + 10, a FROM t; UPDATE t SET a = a * 2 RETURNING a';
SELECT * FROM double_all() a ORDER BY a;
SELECT * FROM t ORDER BY id;
-- So it does outside of one.
UPDATE t SET a = (SELECT count(*) FROM t t2 WHERE t2.id <= t.id);
SELECT * FROM t ORDER BY id;
DELETE FROM t WHERE a > (SELECT avg(a) FROM t);
SELECT * FROM t ORDER BY id;
DROP FUNCTION rank_all, drop_low, double_all;
DROP TABLE t;
-- A name is an array of bytes (pg_dump asks for the first of a type's).
SELECT typname[0], typname[3], typname[4] = '' AS beyond, typname[64] AS outside, typname[-1] AS before FROM pg_type WHERE oid = 23;
SELECT ('_x'::name)[0], (NULL::name)[0], ('é'::name)[2] = '' AS after;
SELECT ('abc'::name)[0:1];
