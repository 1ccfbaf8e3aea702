-- UPDATE and DELETE of tables that compute: checks, generated columns, foreign keys, RETURNING; in blocks, where changes
-- are noted before they are made.
CREATE TABLE place (id int PRIMARY KEY, name text UNIQUE);
INSERT INTO place VALUES (1, 'here'), (2, 'there');
CREATE TABLE t (
    id int PRIMARY KEY,
    a int NOT NULL,
    b int,
    total int GENERATED ALWAYS AS (a + b) STORED,
    word text GENERATED ALWAYS AS (upper(note)) STORED UNIQUE,
    note text,
    place int REFERENCES place,
    CONSTRAINT little CHECK (a + b < 1000),
    CONSTRAINT named CHECK (note <> '')
);
CREATE INDEX ON t (total);
CREATE INDEX ON t (b) WHERE a > 0;
INSERT INTO t (id, a, b, note, place) SELECT i, i, 10 * i, 'n' || i, 1 + i % 2 FROM generate_series(1, 9) i;
-- Several columns one after the other: each sees what the others have left.
BEGIN;
UPDATE t SET a = a + 1 WHERE id = 1 RETURNING *;
UPDATE t SET b = b + 1 WHERE id = 1 RETURNING total, a, b;
SELECT * FROM t WHERE id = 1;
SELECT id FROM t WHERE total = 13;
UPDATE t SET b = DEFAULT WHERE id = 1 RETURNING total;
SELECT id, total FROM t WHERE total IS NULL;
COMMIT;
SELECT * FROM t WHERE id = 1;
-- What is refused.
BEGIN;
UPDATE t SET a = 990 WHERE id = 2;
UPDATE t SET b = 11 WHERE id = 2;
ROLLBACK;
BEGIN;
SAVEPOINT s;
UPDATE t SET a = 990 WHERE id = 2;
ROLLBACK TO s;
UPDATE t SET a = 3 WHERE id = 2 RETURNING total;
SAVEPOINT s;
UPDATE t SET note = '' WHERE id = 2;
ROLLBACK TO s;
UPDATE t SET a = NULL WHERE id = 2;
ROLLBACK TO s;
UPDATE t SET total = 5 WHERE id = 2;
ROLLBACK TO s;
UPDATE t SET total = DEFAULT, b = 7 WHERE id = 2 RETURNING total;
UPDATE t SET place = 3 WHERE id = 2;
ROLLBACK TO s;
SELECT * FROM t WHERE id = 2;
UPDATE t SET place = 1 WHERE id = 2 RETURNING place;
COMMIT;
SELECT * FROM t WHERE id = 2;
-- A generated column that is a key.
BEGIN;
UPDATE t SET note = 'n4' WHERE id = 3;
ROLLBACK;
BEGIN;
UPDATE t SET note = 'other' WHERE id = 3 RETURNING word;
INSERT INTO t (id, a, b, note) VALUES (10, 1, 1, 'N3');
UPDATE t SET note = 'n3' WHERE id = 3;
ROLLBACK;
-- Many rows, and rows that refer to each other.
BEGIN;
UPDATE t SET a = -a, note = note || '!' WHERE id > 5 RETURNING id, a, total, word;
SELECT sum(total), max(word) FROM t;
DELETE FROM t WHERE total > 60 RETURNING id, word;
SELECT count(*) FROM t;
DELETE FROM place WHERE id = 2;
ROLLBACK;
BEGIN;
UPDATE place SET name = 'elsewhere' WHERE id = 2 RETURNING *;
UPDATE place SET id = 5 WHERE id = 2;
ROLLBACK;
BEGIN;
UPDATE t SET place = NULL WHERE place = 2;
DELETE FROM place WHERE id = 2 RETURNING name;
UPDATE t SET place = 2 WHERE id = 4;
COMMIT;
SELECT count(*) FROM t WHERE place = 2;
-- Rows that follow those they refer to.
CREATE TABLE follower (
    id int PRIMARY KEY,
    place int DEFAULT 1 REFERENCES place ON UPDATE CASCADE ON DELETE SET DEFAULT,
    tenfold int GENERATED ALWAYS AS (place * 10) STORED,
    other int GENERATED ALWAYS AS (id + 1) STORED,
    CONSTRAINT near CHECK (place < 50)
);
INSERT INTO place VALUES (10, 'far'), (11, 'farther');
INSERT INTO follower VALUES (1, 10), (2, 11), (3, 1);
UPDATE place SET id = 20 WHERE id = 10;
\set SHOW_CONTEXT never
UPDATE place SET id = 70 WHERE id = 11;
BEGIN;
DELETE FROM place WHERE id = 11;
TABLE follower ORDER BY id;
UPDATE follower SET place = 20 WHERE id = 3 RETURNING *;
COMMIT;
TABLE follower ORDER BY id;
-- The whole row, and columns that a table has lost.
ALTER TABLE t DROP COLUMN b CASCADE;
BEGIN;
UPDATE t SET a = 100 WHERE id = 4 RETURNING t, *;
UPDATE t SET (a, note) = (SELECT 7, 'seven') WHERE id = 4 RETURNING a, word;
SELECT t FROM t WHERE id = 4;
COMMIT;
TABLE t ORDER BY id;
