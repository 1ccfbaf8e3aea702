-- Tables that are made, changed and filled: keys that come later, files that are new.
\set VERBOSITY default
-- A primary key over rows that exist.
CREATE TABLE k (a int, b text);
INSERT INTO k VALUES (3, 'c'), (1, 'a'), (2, 'b');
CREATE INDEX k_b ON k (b);
ALTER TABLE k ADD PRIMARY KEY (a);
SELECT * FROM k ORDER BY a;
SELECT a FROM k WHERE b = 'c';
INSERT INTO k VALUES (1, 'again');
INSERT INTO k VALUES (NULL, 'none');
UPDATE k SET a = a + 10 WHERE a = 3;
SELECT * FROM k WHERE a > 2;
ALTER TABLE k ADD PRIMARY KEY (a);
\d k
-- It goes, and equal keys may come.
ALTER TABLE k DROP CONSTRAINT k_pkey;
INSERT INTO k VALUES (1, 'again'), (1, 'and again');
SELECT * FROM k ORDER BY a, b;
ALTER TABLE k ADD PRIMARY KEY (a);
ALTER TABLE k ADD CONSTRAINT k_key UNIQUE (a);
DELETE FROM k WHERE b LIKE '%again';
ALTER TABLE k ADD CONSTRAINT k_key PRIMARY KEY (a), ADD COLUMN c serial;
SELECT * FROM k ORDER BY a;
-- One of NULLs, one of a new column, one of several columns, one with another column in its index.
CREATE TABLE n (a int, b bigint);
INSERT INTO n VALUES (1, 1), (NULL, 2);
ALTER TABLE n ADD PRIMARY KEY (a);
ALTER TABLE n ADD COLUMN c int PRIMARY KEY;
ALTER TABLE n ADD COLUMN c bigserial PRIMARY KEY;
SELECT * FROM n ORDER BY c;
ALTER TABLE n DROP CONSTRAINT n_pkey, ADD PRIMARY KEY (b) INCLUDE (c);
INSERT INTO n VALUES (7, 2);
ALTER TABLE n DROP CONSTRAINT n_pkey, ADD PRIMARY KEY (b, c);
INSERT INTO n VALUES (7, 2, 2);
ALTER TABLE n DROP COLUMN c;
INSERT INTO n VALUES (7, 2);
-- Undone with its transaction, or a part of it.
BEGIN;
ALTER TABLE n ADD PRIMARY KEY (a);
ROLLBACK;
DELETE FROM n WHERE a IS NULL;
BEGIN;
SAVEPOINT s;
ALTER TABLE n ADD PRIMARY KEY (a);
INSERT INTO n VALUES (1, 5);
ROLLBACK TO s;
INSERT INTO n VALUES (1, 5);
COMMIT;
SELECT * FROM n ORDER BY b;
-- Others refer to it.
CREATE TABLE r (a int REFERENCES k);
INSERT INTO r VALUES (1), (4);
INSERT INTO r VALUES (1);
ALTER TABLE k DROP CONSTRAINT k_key;
ALTER TABLE k ALTER a TYPE bigint;
DELETE FROM k WHERE a = 1;
\d k
-- COPY FREEZE is for tables that are new to all others.
CREATE TABLE f (a int);
COPY f FROM stdin WITH (FREEZE);
0
\.
BEGIN;
TRUNCATE f;
COPY f FROM stdin WITH (FREEZE);
1
2
\.
SELECT * FROM f;
COMMIT;
BEGIN;
TRUNCATE f;
SAVEPOINT s;
COPY f FROM stdin WITH (FREEZE);
0
\.
ROLLBACK TO s;
TRUNCATE f;
COPY f FROM stdin WITH FREEZE;
3
\.
COMMIT;
BEGIN;
CREATE TABLE g (a int);
COPY g FROM stdin (FREEZE true, FORMAT csv);
4
\.
ROLLBACK TO SAVEPOINT none;
ROLLBACK;
COPY f FROM stdin (FREEZE off);
5
\.
SELECT * FROM f ORDER BY a;
COPY f TO stdout (FREEZE);
-- TRUNCATE gives a table a new file.
SELECT pg_relation_filenode('f') AS before \gset
TRUNCATE f;
SELECT pg_relation_filenode('f') <> :before AS another, relfilenode <> oid AS moved FROM pg_class WHERE relname = 'f';
-- LIKE takes over indexes, those without a constraint, too.
CREATE TABLE base (dropped int, a int PRIMARY KEY, b text, c int, UNIQUE (c));
ALTER TABLE base DROP COLUMN dropped;
CREATE INDEX ON base (b DESC, a);
CREATE UNIQUE INDEX ON base (b) WHERE c > 0;
CREATE TABLE alike (x int, LIKE base INCLUDING ALL);
\d alike
CREATE TABLE plain (LIKE base INCLUDING ALL EXCLUDING INDEXES);
\d plain
-- DEFAULT is a word of INSERT's rows and of assignments.
CREATE TABLE defaults (a int DEFAULT 1, b int);
INSERT INTO defaults VALUES (DEFAULT, 2), (3, DEFAULT);
UPDATE defaults SET a = DEFAULT WHERE a = 3;
SELECT * FROM defaults;
INSERT INTO defaults SELECT DEFAULT, 1;
SELECT DEFAULT FROM defaults;
VALUES (DEFAULT);
INSERT INTO defaults VALUES (DEFAULT + 1, 2);
UPDATE defaults SET a = DEFAULT + 1;
-- Rows of a table that has lost a column.
CREATE TABLE lost (a int, gone int, b text, c int[]);
INSERT INTO lost VALUES (1, 2, 'b', '{3}'), (4, 5, NULL, NULL);
ALTER TABLE lost DROP COLUMN gone;
SELECT lost FROM lost ORDER BY a;
SELECT row_to_json(lost), to_jsonb(lost) FROM lost ORDER BY a;
SELECT lost::text::lost FROM lost ORDER BY a;
SELECT (x).b, (x).c, x FROM (SELECT lost AS x FROM lost OFFSET 0) q ORDER BY (x).a;
SELECT ROW(7, 'seven', '{7}')::lost, (ROW(7, 'seven', '{7}')::lost).c;
SELECT lost = ROW(1, 'b', '{3}')::lost, lost IS NULL, lost IS NOT NULL FROM lost ORDER BY a;
SELECT count(lost), count(DISTINCT lost) FROM lost;
CREATE TABLE holds (k int, l lost);
INSERT INTO holds VALUES (1, ROW(1, 'one', '{1}')::lost);
INSERT INTO holds VALUES (2, '(2,two,"{2,2}")');
SELECT k, l, (l).b, (l).c[1] FROM holds ORDER BY k;
UPDATE holds SET l.b = 'changed' WHERE k = 2;
SELECT * FROM holds ORDER BY k;
DROP TABLE holds, lost;
-- A generated column is computed for the rows that are there.
\set SHOW_CONTEXT never
CREATE DOMAIN small AS int CHECK (value < 10);
CREATE DOMAIN needed AS int NOT NULL;
CREATE TABLE later (v int, w int);
INSERT INTO later VALUES (1, 10), (2, 20), (NULL, 30);
ALTER TABLE later ADD COLUMN g int GENERATED ALWAYS AS (v * 2) STORED;
TABLE later ORDER BY w;
ALTER TABLE later ADD COLUMN h int GENERATED ALWAYS AS (v * 2) STORED NOT NULL;
ALTER TABLE later ADD COLUMN h small GENERATED ALWAYS AS (w) STORED;
ALTER TABLE later ADD COLUMN h needed GENERATED ALWAYS AS (v) STORED;
ALTER TABLE later ADD COLUMN h int GENERATED ALWAYS AS (v + w) STORED CHECK (h < 20);
ALTER TABLE later ADD COLUMN h int GENERATED ALWAYS AS (w / 100) STORED UNIQUE;
ALTER TABLE later ADD COLUMN h int GENERATED ALWAYS AS (g) STORED;
ALTER TABLE later ADD COLUMN h small GENERATED ALWAYS AS (v) STORED UNIQUE,
    ALTER COLUMN w TYPE bigint USING w + 1,
    ADD COLUMN d int DEFAULT 3,
    ADD COLUMN e bigint GENERATED ALWAYS AS (w + d) STORED NOT NULL,
    ADD CHECK (e > 10);
TABLE later ORDER BY w;
UPDATE later SET g = DEFAULT, h = DEFAULT;
UPDATE later SET g = DEFAULT WHERE w > 11 RETURNING w, g;
INSERT INTO later VALUES (4, 40);
INSERT INTO later VALUES (11, 50);
TABLE later ORDER BY w;
DROP TABLE later;
DROP DOMAIN small, needed;
