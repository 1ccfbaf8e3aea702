//! Tests of the snapshot itself: its built-in rows, lookups, changes.

use super::*;
use crate::SqlState;

#[test]
fn every_built_in_row_is_there() {
    let catalog = Catalog::built_in();
    fn lines<T: Row>(catalog: &Catalog) -> (usize, usize) {
        (catalog.relation::<T>().rows().count(), T::DATA.lines().count().saturating_sub(1))
    }
    let counts = [
        lines::<Class>(&catalog),
        lines::<Attribute>(&catalog),
        lines::<Procedure>(&catalog),
        lines::<Type>(&catalog),
        lines::<Description>(&catalog),
        lines::<Rewrite>(&catalog),
        lines::<Conversion>(&catalog),
        lines::<SqlFeature>(&catalog),
    ];
    assert!(counts.iter().all(|(rows, lines)| rows == lines && *rows > 0), "{counts:?}");
    assert_eq!(catalog.relation::<Trigger>().rows().count(), 0);
}

#[test]
fn columns_and_keys_are_those_of_the_catalog_itself() {
    let catalog = Catalog::built_in();
    for relation in RELATIONS.iter().filter(|relation| !relation.name.starts_with("sql_")) {
        let class = catalog.class_named(crate::oid::namespaces::PG_CATALOG, relation.name).unwrap();
        let attributes = catalog.attributes(class.oid);
        let names: Vec<_> = attributes.iter().map(|attribute| attribute.attname.as_str()).collect();
        assert_eq!(names, relation.columns, "{}", relation.name);
        assert_eq!(class.relisshared, relation.shared, "{}", relation.name);
        for index in catalog.indexes(class.oid).iter() {
            let name = &catalog.class(index.indexrelid).unwrap().relname;
            let key = relation.keys.iter().find(|key| key.name == name).unwrap();
            let columns: Vec<_> = index.indkey.iter().map(|&attnum| attnum as usize - 1).collect();
            assert_eq!(key.columns, columns, "{name}");
            assert_eq!(key.kind == KeyKind::Unique, index.indisunique, "{name}");
        }
    }
}

const AVG_COMMENT: &str = "the average (arithmetic mean) as numeric of all bigint values";

#[test]
fn built_in_objects_are_found() {
    let catalog = Catalog::built_in();
    let pg_catalog = catalog.namespace_named("pg_catalog").unwrap();
    assert_eq!(pg_catalog.oid, Oid(11));
    let class = catalog.class_named(pg_catalog.oid, "pg_class").unwrap();
    assert_eq!(class.oid, Oid(1259));
    let attributes = catalog.attributes(class.oid);
    assert_eq!((attributes.len(), attributes[1].attname.as_str()), (33, "relname"));
    assert_eq!(catalog.attribute_named(class.oid, "ctid").unwrap().attnum, -1);
    assert_eq!(catalog.type_named(pg_catalog.oid, "int4").unwrap().oid, Oid(23));
    assert_eq!(catalog.functions_named("array_agg").len(), 2);
    assert_eq!(catalog.operators_named("||").len(), 11);
    assert_eq!(catalog.cast(Oid(23), Oid(20)).unwrap().castfunc, Oid(481));
    assert_eq!(catalog.comment(Oid(1255), Oid(2100), 0).unwrap().description, AVG_COMMENT);
    assert_eq!(catalog.shared_comment(Oid(1262), Oid(4)).unwrap().description, "unmodifiable empty database");
    assert!(!catalog.dependencies(Oid(1247), Oid(12002)).is_empty());
    assert_eq!(catalog.range(Oid(4451)).unwrap().rngtypid, Oid(3904));
    assert_eq!(catalog.collation_named(pg_catalog.oid, "C").unwrap().oid, Oid(950));
    assert_eq!(catalog.role_named("postgres").unwrap().oid, Oid(10));
    assert!(catalog.view_definition(catalog.class_named(Oid(11), "pg_tables").unwrap().oid).is_some());
    assert!(catalog.class_named(pg_catalog.oid, "nothing").is_none());
}

#[test]
fn types_are_compared_by_their_default_class() {
    let catalog = Catalog::built_in();
    let equal = |ty: u32| catalog.btree_operators(Oid(ty)).map(|operators| operators.equal.0);
    assert_eq!(equal(23), Some(96)); // int4
    assert_eq!(equal(1043), Some(98)); // varchar by text
    assert_eq!(equal(2205), Some(607)); // regclass by oid
    assert_eq!(equal(1009), Some(1070)); // text[] by anyarray
    assert_eq!(equal(3904), Some(3882)); // int4range by anyrange
    assert_eq!(equal(114), None); // json
}

fn namespace(edit: &mut CatalogEdit, name: &str) -> Namespace {
    Namespace { oid: edit.allocate_oid(), nspname: name.into(), nspowner: Oid(10), nspacl: None }
}

#[test]
fn edits_make_a_new_snapshot_and_leave_the_old_one() {
    let old = Arc::new(Catalog::empty());
    let mut edit = CatalogEdit::new(&old);
    let row = namespace(&mut edit, "sales");
    let oid = edit.insert(row).unwrap().oid;
    assert!(oid >= crate::oid::FIRST_NORMAL);
    assert_eq!(edit.namespace_named("sales").unwrap().oid, oid);
    let (new, changes) = edit.finish();
    assert_eq!(changes.len(), 1);
    assert!(old.namespace_named("sales").is_none());
    assert!(new.namespace_named("sales").is_some());
    assert_ne!(new.version(), old.version());

    let mut edit = CatalogEdit::new(&new);
    edit.change::<Namespace>(oid, |row| row.nspname = "trade".into()).unwrap();
    let (newest, _) = edit.finish();
    assert!(newest.namespace_named("sales").is_none());
    assert_eq!(newest.namespace_named("trade").unwrap().oid, oid);
    assert!(new.namespace_named("sales").is_some());
}

#[test]
fn built_in_rows_can_be_replaced_and_removed() {
    let mut edit = CatalogEdit::new(&Catalog::built_in());
    edit.change::<Namespace>(Oid(2200), |row| row.nspname = "common".into()).unwrap();
    assert!(edit.namespace_named("public").is_none());
    assert_eq!(edit.namespace_named("common").unwrap().oid, Oid(2200));
    assert!(edit.delete::<Namespace>(Oid(2200)).is_some());
    assert!(edit.delete::<Namespace>(Oid(2200)).is_none());
    assert!(edit.namespace(Oid(2200)).is_none());
    let row = namespace(&mut edit, "public");
    edit.insert(row).unwrap();
    assert_eq!(edit.relation::<Namespace>().rows().filter(|row| row.nspname == "public").count(), 1);
}

#[test]
fn duplicates_are_refused_as_by_postgresql() {
    let mut edit = CatalogEdit::new(&Catalog::built_in());
    let row = namespace(&mut edit, "public");
    let error = edit.insert(row).unwrap_err();
    assert_eq!(error.code(), SqlState::UNIQUE_VIOLATION);
    assert_eq!(
        error.message(),
        "duplicate key value violates unique constraint \"pg_namespace_nspname_index\""
    );
    assert_eq!(error.0.detail.as_deref(), Some("Key (nspname)=(public) already exists."));
    let class = (*edit.class(Oid(1259)).unwrap()).clone();
    let oid = edit.allocate_oid();
    let error = edit.insert(Class { oid, ..class.clone() }).unwrap_err();
    assert_eq!(error.0.detail.as_deref(), Some("Key (relname, relnamespace)=(pg_class, 11) already exists."));
    assert!(edit.insert(class).unwrap_err().message().contains("pg_class_oid_index"));
}

#[test]
fn changes_can_be_made_again_on_another_snapshot() {
    let mut edit = CatalogEdit::new(&Catalog::empty());
    let row = namespace(&mut edit, "sales");
    edit.insert(row).unwrap();
    edit.delete::<Namespace>(Oid(99)).unwrap();
    let (edited, changes) = edit.finish();
    let replayed = Catalog::empty().with_changes(&changes).unwrap();
    assert_eq!(replayed.namespace_named("sales"), edited.namespace_named("sales"));
    assert!(replayed.namespace(Oid(99)).is_none());
}
