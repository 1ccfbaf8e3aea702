-- psql's commands that run queries: \gdesc, \gset, \gexec, \crosstabview, \bind's absence, \copy, \watch's errors, variables.
CREATE SCHEMA queries;
SET search_path = queries;
CREATE DOMAIN short AS varchar(20);
CREATE TABLE points (id integer PRIMARY KEY, label short, amount numeric(8,2), at date);
\copy points FROM STDIN
1	one	1.50	2024-02-29
2	\N	2	\N
3	tab\tand\\	-3.25	2000-01-01
\.
\copy points TO STDOUT
\copy (SELECT id, label FROM points ORDER BY id DESC) TO STDOUT WITH (FORMAT csv, HEADER)
SELECT id, label, amount, at, amount * 2 AS double, now() AS moment FROM points \gdesc
UPDATE points SET amount = 4 WHERE id = 2 \gdesc
SELECT label, amount AS sum FROM points WHERE id = 1 \gset its_
\echo :its_label :its_sum
SELECT format('SELECT %s AS n, %L AS label', id, label) FROM points ORDER BY id \gexec
SELECT * FROM points ORDER BY id \gx
\set wanted 3
SELECT id, :'its_label' AS text FROM points WHERE id = :wanted;
SELECT id FROM points ORDER BY id \g (format=unaligned)
SELECT id, label, amount FROM points ORDER BY id \crosstabview id label amount
\pset null (null)
\x
TABLE points;
\x
\pset format csv
TABLE points;
\pset format aligned
\pset null
SELECT 1 AS first \; SELECT 2 AS second;
\if :{?its_sum}
\echo known
\endif
SELECT nosuch;
\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE :ERROR :SQLSTATE :ROW_COUNT
\set VERBOSITY verbose
\set SHOW_CONTEXT never
\set VERBOSITY sqlstate
SELECT 1 / 0;
\set VERBOSITY default
\set FETCH_COUNT 2
SELECT id FROM points ORDER BY id;
\unset FETCH_COUNT
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO points VALUES (1);
INSERT INTO points VALUES (4);
COMMIT;
\set ON_ERROR_ROLLBACK off
SELECT count(*) FROM points;
\set AUTOCOMMIT off
INSERT INTO points VALUES (5);
ROLLBACK;
\set AUTOCOMMIT on
SELECT count(*) FROM points;
\encoding
DROP SCHEMA queries CASCADE;
