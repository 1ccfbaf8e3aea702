#!/usr/bin/env bash
# Writes the built-in rows of PostgreSQL 15's catalogs, one file a relation, from a freshly made cluster
# (initdb -E UTF8 --locale=C.UTF-8 -U postgres), in COPY's text format with a header line.
# Usage: dump.sh 'host=/tmp port=5432 user=postgres dbname=template1'
# Node trees, which mean nothing outside PostgreSQL's own process, are written as the SQL text they stand for.
set -euo pipefail
dsn=$1
cd "$(dirname "$0")"
sql() { psql -X -At "$dsn" -c "$1"; }

expression_of() { # relation column type
  case "$1.$2" in
    pg_class.relpages) echo "0 AS relpages" ;;
    pg_class.reltuples) echo "(-1)::float4 AS reltuples" ;;
    pg_class.relallvisible) echo "0 AS relallvisible" ;;
    pg_class.relfrozenxid | pg_class.relminmxid) echo "'0'::xid AS $2" ;;
    pg_database.datfrozenxid | pg_database.datminmxid) echo "'0'::xid AS $2" ;;
    pg_proc.proargdefaults) echo "pg_get_expr(proargdefaults, 0) AS proargdefaults" ;;
    pg_proc.prosqlbody) echo "pg_get_function_sqlbody(oid) AS prosqlbody" ;;
    pg_constraint.conbin) echo "pg_get_expr(conbin, conrelid) AS conbin" ;;
    pg_type.typdefaultbin) echo "pg_get_expr(typdefaultbin, 0) AS typdefaultbin" ;;
    pg_rewrite.ev_action) echo "pg_get_viewdef(ev_class) AS ev_action" ;;
    pg_rewrite.ev_qual) echo "'<>' AS ev_qual" ;;
    *) if [ "$3" = regproc ]; then echo "\"$2\"::oid AS \"$2\""; else echo "\"$2\""; fi ;;
  esac
}

where_of() {
  case "$1" in
    pg_collation) echo "WHERE collprovider <> 'i' AND collname IN ('default', 'C', 'POSIX', 'ucs_basic', 'C.utf8')" ;;
    pg_description) echo "WHERE classoid <> 'pg_extension'::regclass AND NOT (classoid = 'pg_language'::regclass AND objoid NOT IN (12, 13, 14)) AND NOT (classoid = 'pg_proc'::regclass AND objoid IN (SELECT oid FROM pg_proc WHERE probin = '\$libdir/plpgsql')) AND NOT (classoid = 'pg_collation'::regclass AND objoid NOT IN (SELECT oid FROM pg_collation WHERE collname IN ('default', 'C', 'POSIX', 'ucs_basic', 'C.utf8')))" ;;
    # PL/pgSQL is an extension like any other, and Postilion does not have it.
    pg_extension) echo "WHERE false" ;;
    pg_language) echo "WHERE lanname <> 'plpgsql'" ;;
    pg_proc) echo "WHERE probin IS DISTINCT FROM '\$libdir/plpgsql'" ;;
    pg_depend) echo "WHERE deptype <> 'e' AND refclassid <> 'pg_extension'::regclass AND classid <> 'pg_extension'::regclass AND NOT (classid = 'pg_language'::regclass)" ;;
    pg_init_privs) echo "WHERE classoid <> 'pg_language'::regclass" ;;
    *) echo "" ;;
  esac
}

rm -f -- *.tsv
for relation in $(sql "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND relname NOT IN ('pg_statistic', 'pg_largeobject', 'pg_largeobject_metadata') ORDER BY 1"); do
  columns=""
  while IFS='|' read -r column type; do
    columns+="${columns:+, }$(expression_of "$relation" "$column" "$type")"
  done < <(sql "SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'pg_catalog.$relation'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum")
  key=$(sql "SELECT string_agg(attname, ', ' ORDER BY k.n) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, n), pg_attribute a WHERE i.indrelid = 'pg_catalog.$relation'::regclass AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.attnum")
  psql -X -q "$dsn" -c "SET search_path = pg_catalog" -c "COPY (SELECT $columns FROM pg_catalog.$relation $(where_of "$relation") ${key:+ORDER BY $key}) TO STDOUT (FORMAT text, HEADER)" >"$relation.tsv"
  if [ "$(wc -l <"$relation.tsv")" -le 1 ]; then rm "$relation.tsv"; fi
done
# information_schema keeps four small tables of constant rows.
for relation in sql_features sql_implementation_info sql_parts sql_sizing; do
  psql -X -q "$dsn" -c "COPY (SELECT * FROM information_schema.$relation) TO STDOUT (FORMAT text, HEADER)" >"$relation.tsv"
done
