//! Descriptions compared with PostgreSQL 15's own.

use std::sync::Arc;

use super::*;
use crate::catalog::{Attribute, CatalogEdit, Constraint, Index, Procedure};
use crate::oid::{namespaces, relations};

const PATH: [Oid; 2] = [namespaces::PG_CATALOG, namespaces::PUBLIC];

#[test]
fn the_pretty_form_leaves_out_what_postgresql_leaves_out() {
    let cases = [
        ("(((c > (0)::numeric) AND (b <> ''::text)))", "c > 0::numeric AND b <> ''::text"),
        ("((((a + 1) * 2) - (3 - a)) > (abs(a) % 2))", "((a + 1) * 2 - (3 - a)) > (abs(a) % 2)"),
        ("(NOT ((a > 1) AND (a < 5)))", "NOT (a > 1 AND a < 5)"),
        ("(EXTRACT(year FROM b) > (2000)::numeric)", "EXTRACT(year FROM b) > 2000::numeric"),
        ("(lower(c) = ANY (ARRAY['a'::text, 'b'::text]))", "lower(c) = ANY (ARRAY['a'::text, 'b'::text])"),
        ("((c COLLATE \"C\") < 'x'::text)", "(c COLLATE \"C\") < 'x'::text"),
        ("(((a >= 1) AND (a <= 3)) OR (b > 'x'::date))", "a >= 1 AND a <= 3 OR b > 'x'::date"),
        ("((((a)::text)::character varying(3))::text <> c)", "a::text::character varying(3)::text <> c"),
        (
            "((a IS NOT NULL) AND ((b AT TIME ZONE 'UTC'::text) < now()))",
            "a IS NOT NULL AND (b AT TIME ZONE 'UTC'::text) < now()",
        ),
        ("((d[1] > 0) AND (array_length(d, 1) < 3))", "d[1] > 0 AND array_length(d, 1) < 3"),
        ("(3 + (4 * 2))", "3 + 4 * 2"),
        ("(('a'::text || 'b'::text) || 'c'::text)", "('a'::text || 'b'::text) || 'c'::text"),
        (
            "((NOT ((a = 1) OR (a = 2))) AND (a = ANY (ARRAY[1, 2])) AND (b IS DISTINCT FROM 'z'::text) \
                AND ((- a) < 3))",
            "NOT (a = 1 OR a = 2) AND (a = ANY (ARRAY[1, 2])) AND b IS DISTINCT FROM 'z'::text AND (- a) < 3",
        ),
        (
            "\nCASE\n    WHEN (a = 1) THEN true\n    ELSE (b IS NULL)\nEND",
            "\nCASE\n    WHEN a = 1 THEN true\n    ELSE b IS NULL\nEND",
        ),
        ("((x = ')'::text) AND (\"a)\" > 'it''s ('::text))", "x = ')'::text AND \"a)\" > 'it''s ('::text"),
        ("now()", "now()"),
    ];
    for (full, expected) in cases {
        assert_eq!(pretty(full), expected, "{full}");
    }
}

#[test]
fn the_pretty_form_of_a_view_keeps_subqueries_and_joins() {
    let full = " SELECT a.x\n   FROM ((a\n     JOIN b ON ((a.x = b.x)))\n     LEFT JOIN c ON ((b.y = \
        c.y)))\n  WHERE (NOT (EXISTS ( SELECT 1\n           FROM d\n          WHERE (d.x = \
        a.x))))\n  ORDER BY (lower(a.z)) DESC;";
    let expected = " SELECT a.x\n   FROM a\n     JOIN b ON a.x = b.x\n     LEFT JOIN c ON b.y = \
        c.y\n  WHERE NOT (EXISTS ( SELECT 1\n           FROM d\n          WHERE d.x = a.x))\n  ORDER BY \
        (lower(a.z)) DESC;";
    assert_eq!(pretty(full), expected);
}

#[test]
fn lists_are_split_at_their_own_commas() {
    let list = "(x + y), abs(y, 1), ARRAY[1, 2], 'a,b'::text, \"c,d\"";
    assert_eq!(split_expressions(list), ["(x + y)", "abs(y, 1)", "ARRAY[1, 2]", "'a,b'::text", "\"c,d\""]);
    assert!(split_expressions("").is_empty());
    assert!(looks_like_function("lower((a || b))"));
    assert!(!looks_like_function("lower(a) || lower(b)"));
    assert!(!looks_like_function("(a + b)"));
}

#[test]
fn built_in_objects_are_described() {
    let catalog = Catalog::built_in();
    let describe = Describe::new(&catalog, &PATH);
    assert_eq!(
        describe.index(Oid(2663), false).as_deref(),
        Some(
            "CREATE UNIQUE INDEX pg_class_relname_nsp_index ON pg_catalog.pg_class USING btree (relname, \
                relnamespace)"
        )
    );
    assert_eq!(describe.index_column(Oid(2663), 2, true).as_deref(), Some("relnamespace"));
    assert_eq!(
        describe.function(Oid(480)).unwrap().as_deref(),
        Some(
            "CREATE OR REPLACE FUNCTION pg_catalog.int4(bigint)\n RETURNS integer\n LANGUAGE internal\n \
                IMMUTABLE PARALLEL SAFE STRICT\nAS $function$int84$function$\n"
        )
    );
    let error = describe.function(Oid(2100)).unwrap_err();
    assert_eq!(error.message(), "\"avg\" is an aggregate function");
    let percentile = "double precision ORDER BY double precision";
    assert_eq!(describe.function_arguments(Oid(3974)).as_deref(), Some(percentile));
    assert_eq!(describe.object(Oid(2617), Oid(96), 0).as_deref(), Some("operator =(integer,integer)"));
    assert_eq!(describe.object(Oid(1259), Oid(1259), 1).as_deref(), Some("column oid of table pg_class"));
    let identified = describe.identify(Oid(1255), Oid(1254), 0).unwrap();
    assert_eq!(identified.identity, "pg_catalog.textregexeq(pg_catalog.text,pg_catalog.text)");
    assert_eq!(describe.constraint(Oid(1), false), None);
}

/// A table `s."T"(a int, "B b" text)` with an index and three constraints.
fn with_table() -> (Arc<Catalog>, Oid) {
    let mut edit = CatalogEdit::new(&Catalog::empty());
    let schema = edit.allocate_oid();
    let row = (*edit.namespace(namespaces::PUBLIC).unwrap()).clone();
    edit.insert(crate::catalog::Namespace { oid: schema, nspname: "s".into(), ..row }).unwrap();
    let (table, index) = (edit.allocate_oid(), edit.allocate_oid());
    let class = (*edit.class(Oid(1259)).unwrap()).clone();
    edit.insert(Class { oid: table, relname: "T".into(), relnamespace: schema, ..class }).unwrap();
    for (attnum, name, ty, collation) in [(1, "a", types::INT4, 0), (2, "B b", types::TEXT, 100)] {
        let base = (*edit.attribute(Oid(1259), 1).unwrap()).clone();
        let row = Attribute {
            attrelid: table,
            attname: name.into(),
            atttypid: ty,
            attnum,
            attcollation: Oid(collation),
            ..base
        };
        edit.insert(row).unwrap();
    }
    let class = (*edit.class(Oid(2663)).unwrap()).clone();
    let options = Some(vec!["fillfactor=70".to_owned()]);
    edit.insert(Class {
        oid: index,
        relname: "i".into(),
        relnamespace: schema,
        reloptions: options,
        ..class
    })
    .unwrap();
    let expression = (*edit.attribute(table, 1).unwrap()).clone();
    edit.insert(Attribute { attrelid: index, attname: "expr".into(), attnum: 2, ..expression }).unwrap();
    let row = Index {
        indexrelid: index,
        indrelid: table,
        indnatts: 3,
        indnkeyatts: 2,
        indkey: vec![2, 0, 1],
        indcollation: vec![Oid(950), Oid(0), Oid(0)],
        indclass: vec![Oid(4217), Oid(1978)],
        indoption: vec![1, 3],
        indexprs: Some("(a + 1)".into()),
        indpred: Some("((a > 3) AND (\"B b\" IS NOT NULL))".into()),
        indnullsnotdistinct: true,
        ..(*edit.index(Oid(2663)).unwrap()).clone()
    };
    edit.insert(row).unwrap();
    let row = Constraint {
        oid: Oid(20000),
        conname: "k".into(),
        contype: 'f',
        conrelid: table,
        conindid: Oid(0),
        confrelid: table,
        confupdtype: 'c',
        confdeltype: 'n',
        confmatchtype: 'f',
        conkey: Some(vec![1, 2]),
        confkey: Some(vec![2, 1]),
        confdelsetcols: Some(vec![2]),
        condeferrable: true,
        condeferred: true,
        convalidated: false,
        ..(*edit.constraint(Oid(10115)).unwrap()).clone()
    };
    edit.insert(row).unwrap();
    (edit.finish().0, index)
}

#[test]
fn indexes_and_constraints_of_users_are_described() {
    let (catalog, index) = with_table();
    let describe = Describe::new(&catalog, &PATH);
    let columns = "(\"B b\" COLLATE \"C\" text_pattern_ops DESC NULLS LAST, ((a + 1)) DESC) INCLUDE (a)";
    let full = format!(
        "CREATE UNIQUE INDEX i ON s.\"T\" USING btree {columns} NULLS NOT DISTINCT WITH (fillfactor='70') \
            WHERE ((a > 3) AND (\"B b\" IS NOT NULL))"
    );
    assert_eq!(describe.index(index, false), Some(full.clone()));
    let pretty = full
        .replace("((a + 1))", "(a + 1)")
        .replace("((a > 3) AND (\"B b\" IS NOT NULL))", "a > 3 AND \"B b\" IS NOT NULL");
    assert_eq!(describe.index(index, true), Some(pretty));
    assert_eq!(describe.index_column(index, 2, false).as_deref(), Some("((a + 1))"));
    assert_eq!(describe.index_column(index, 4, false).as_deref(), Some(""));
    assert_eq!(
        describe.constraint(Oid(20000), false).as_deref(),
        Some(
            "FOREIGN KEY (a, \"B b\") REFERENCES s.\"T\"(\"B b\", a) MATCH FULL ON UPDATE CASCADE ON \
                DELETE SET NULL (\"B b\") DEFERRABLE INITIALLY DEFERRED NOT VALID"
        )
    );
    assert_eq!(
        describe.object(relations::PG_CONSTRAINT, Oid(20000), 0).as_deref(),
        Some("constraint k on table s.\"T\"")
    );
}

#[test]
fn functions_of_users_are_described() {
    let mut edit = CatalogEdit::new(&Catalog::empty());
    let oid = edit.allocate_oid();
    let row = Procedure {
        oid,
        proname: "f".into(),
        pronamespace: namespaces::PUBLIC,
        prolang: crate::oid::languages::SQL,
        procost: 5.0,
        prorows: 10.0,
        proretset: true,
        provolatile: 's',
        proparallel: 'u',
        proisstrict: false,
        pronargs: 2,
        pronargdefaults: 1,
        prorettype: types::RECORD,
        proargtypes: vec![types::INT4, types::TEXT],
        proallargtypes: Some(vec![types::INT4, types::TEXT, types::BOOL]),
        proargmodes: Some(vec!['i', 'i', 't']),
        proargnames: Some(vec![String::new(), "B".into(), "c".into()]),
        proargdefaults: Some("'x,y'::text".into()),
        prosrc: "select '$function$'".into(),
        proconfig: Some(vec!["search_path=public, \"A b\"".into(), "work_mem=1MB".into()]),
        ..(*edit.function(Oid(480)).unwrap()).clone()
    };
    edit.insert(row).unwrap();
    let describe = Describe::new(&edit, &PATH);
    let expected = "CREATE OR REPLACE FUNCTION public.f(integer, \"B\" text DEFAULT 'x,y'::text)\n RETURNS \
        TABLE(c boolean)\n LANGUAGE sql\n STABLE COST 5 ROWS 10\n SET search_path TO 'public', 'A b'\n SET \
        work_mem TO '1MB'\nAS $functionx$select '$function$'$functionx$\n";
    assert_eq!(describe.function(oid).unwrap().as_deref(), Some(expected));
    assert_eq!(describe.function_identity_arguments(oid).as_deref(), Some("integer, \"B\" text"));
    assert_eq!(describe.function_argument_default(oid, 2).as_deref(), Some("'x,y'::text"));
    assert_eq!(describe.function_argument_default(oid, 1), None);
    assert_eq!(describe.signature(oid).as_deref(), Some("f(integer,text)"));
}
