//! The catalog rows of new objects, with the values that PostgreSQL gives to columns nobody asked about.

use crate::Oid;
use crate::bound::TypeMod;
use crate::catalog::{Attribute, Catalog, Class, Type};

/// `pg_am.oid` of heap.
const HEAP: Oid = Oid(2);
/// `pg_am.oid` of btree.
pub(super) const BTREE: Oid = Oid(403);
/// `array_in`, `array_out`, `array_recv`, `array_send`, `array_typanalyze`, `array_subscript_handler`.
const ARRAY_FUNCTIONS: [u32; 6] = [750, 751, 2400, 2401, 3816, 6179];
/// `record_in`, `record_out`, `record_recv`, `record_send`.
const RECORD_FUNCTIONS: [u32; 4] = [2290, 2291, 2402, 2403];
/// `attstattarget` of a column nobody has set it for.
const DEFAULT_STATISTICS: i32 = -1;

/// A relation of this kind.
pub(super) fn class(oid: Oid, name: &str, namespace: Oid, owner: Oid, kind: char) -> Class {
    let has_storage = matches!(kind, 'r' | 'i' | 'S' | 'm');
    Class {
        oid,
        relname: name.to_owned(),
        relnamespace: namespace,
        reltype: Oid::INVALID,
        reloftype: Oid::INVALID,
        relowner: owner,
        relam: match kind {
            'r' | 'm' => HEAP,
            'i' => BTREE,
            _ => Oid::INVALID,
        },
        relfilenode: if has_storage { oid } else { Oid::INVALID },
        reltablespace: Oid::INVALID,
        relpages: 0,
        reltuples: if matches!(kind, 'r' | 'm') { -1.0 } else { 0.0 },
        relallvisible: 0,
        reltoastrelid: Oid::INVALID,
        relhasindex: false,
        relisshared: false,
        relpersistence: 'p',
        relkind: kind,
        relnatts: 0,
        relchecks: 0,
        relhasrules: kind == 'v' || kind == 'm',
        relhastriggers: false,
        relhassubclass: false,
        relrowsecurity: false,
        relforcerowsecurity: false,
        relispopulated: true,
        relreplident: if matches!(kind, 'r' | 'm') { 'd' } else { 'n' },
        relispartition: false,
        relrewrite: Oid::INVALID,
        relfrozenxid: 0,
        relminmxid: 0,
        relacl: None,
        reloptions: None,
        relpartbound: None,
    }
}

/// A column of this type.
pub(super) fn attribute(catalog: &Catalog, relation: Oid, attnum: i16, name: &str, ty: TypeMod) -> Attribute {
    let row = catalog.type_(ty.oid);
    let of = |pick: fn(&Type) -> char, otherwise: char| row.as_deref().map_or(otherwise, pick);
    Attribute {
        attrelid: relation,
        attname: name.to_owned(),
        atttypid: ty.oid,
        attstattarget: DEFAULT_STATISTICS,
        attlen: row.as_ref().map_or(-1, |ty| ty.typlen),
        attnum,
        attndims: i32::from(row.as_ref().is_some_and(|ty| ty.typcategory == 'A')),
        attcacheoff: -1,
        atttypmod: ty.modifier,
        attbyval: row.as_ref().is_some_and(|ty| ty.typbyval),
        attalign: of(|ty| ty.typalign, 'i'),
        attstorage: of(|ty| ty.typstorage, 'x'),
        attcompression: '\0',
        attnotnull: false,
        atthasdef: false,
        atthasmissing: false,
        attidentity: '\0',
        attgenerated: '\0',
        attisdropped: false,
        attislocal: true,
        attinhcount: 0,
        attcollation: row.as_ref().map_or(Oid::INVALID, |ty| ty.typcollation),
        attacl: None,
        attoptions: None,
        attfdwoptions: None,
        attmissingval: None,
    }
}

/// The composite type of a relation.
pub(super) fn composite_type(
    oid: Oid,
    name: &str,
    namespace: Oid,
    owner: Oid,
    relation: Oid,
    array: Oid,
) -> Type {
    let [input, output, receive, send] = RECORD_FUNCTIONS.map(Oid);
    Type {
        typtype: 'c',
        typcategory: 'C',
        typrelid: relation,
        typarray: array,
        typinput: input,
        typoutput: output,
        typreceive: receive,
        typsend: send,
        typalign: 'd',
        typstorage: 'x',
        ..blank_type(oid, name, namespace, owner)
    }
}

/// The array type over a type.
pub(super) fn array_type(catalog: &Catalog, oid: Oid, element: &Type) -> Type {
    let [input, output, receive, send, analyze, subscript] = ARRAY_FUNCTIONS.map(Oid);
    let name = array_type_name(catalog, &element.typname, element.typnamespace);
    Type {
        typcategory: 'A',
        typelem: element.oid,
        typinput: input,
        typoutput: output,
        typreceive: receive,
        typsend: send,
        typanalyze: analyze,
        typsubscript: subscript,
        typmodin: element.typmodin,
        typmodout: element.typmodout,
        typdelim: element.typdelim,
        typalign: if element.typalign == 'd' { 'd' } else { 'i' },
        typstorage: 'x',
        typcollation: element.typcollation,
        ..blank_type(oid, &name, element.typnamespace, element.typowner)
    }
}

/// The name of an array type: an underscore before the element's, more when that is taken (`makeArrayTypeName`).
pub(super) fn array_type_name(catalog: &Catalog, element: &str, namespace: Oid) -> String {
    let mut name = format!("_{element}");
    while catalog.type_named(namespace, &name).is_some() {
        name.insert(0, '_');
    }
    while name.len() > crate::types::text::NAME_LENGTH_MAX {
        name.pop();
    }
    name
}

/// A type of variable length about which nothing has been said.
pub(super) fn blank_type(oid: Oid, name: &str, namespace: Oid, owner: Oid) -> Type {
    Type {
        oid,
        typname: name.to_owned(),
        typnamespace: namespace,
        typowner: owner,
        typlen: -1,
        typbyval: false,
        typtype: 'b',
        typcategory: 'U',
        typispreferred: false,
        typisdefined: true,
        typdelim: ',',
        typrelid: Oid::INVALID,
        typsubscript: Oid::INVALID,
        typelem: Oid::INVALID,
        typarray: Oid::INVALID,
        typinput: Oid::INVALID,
        typoutput: Oid::INVALID,
        typreceive: Oid::INVALID,
        typsend: Oid::INVALID,
        typmodin: Oid::INVALID,
        typmodout: Oid::INVALID,
        typanalyze: Oid::INVALID,
        typalign: 'i',
        typstorage: 'p',
        typnotnull: false,
        typbasetype: Oid::INVALID,
        typtypmod: -1,
        typndims: 0,
        typcollation: Oid::INVALID,
        typdefaultbin: None,
        typdefault: None,
        typacl: None,
    }
}
