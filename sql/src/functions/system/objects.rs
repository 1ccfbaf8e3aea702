//! Descriptions of objects: what psql's backslash commands and ORMs ask. Manual, "System Catalog Information
//! Functions". The texts are made by [`crate::catalog::describe`]; this file only fits them to arguments.

use crate::bound::TypeMod;
use crate::catalog::describe::Describe;
use crate::catalog::{Catalog, Description, Inheritance, SharedDescription, Visible, keys};
use crate::functions::arguments::{
    Rows, array_elements, array_of, boolean, from_oid, int4, known, oid, rows, scalar, text,
};
use crate::functions::{Function, FunctionCall};
use crate::oid::{relations, types as types_oid};
use crate::types::names::quote_identifier;
use crate::types::{self, format_type};
use crate::{Oid, Result, SqlState, Value, ValueRef, error};

fn describe<'a>(call: &'a FunctionCall<'_>) -> Describe<'a> {
    Describe::new(&call.context.catalog, &call.context.search_path)
}

fn visible(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>], kind: Visible) -> Result<Value> {
    Ok(call.context.catalog.is_visible(kind, oid(arguments[0])?, &call.context.search_path).into())
}

/// `to_regclass` and its kin: as the types' input, but NULL for what is not there. Numbers are names here.
fn registered(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>], ty: Oid) -> Result<Value> {
    let name = text(arguments[0])?;
    if name == "-" || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Value::Null);
    }
    types::input(TypeMod::plain(ty), name, &call.type_context()).or_else(|error| match error.code() {
        SqlState::UNDEFINED_TABLE
        | SqlState::UNDEFINED_OBJECT
        | SqlState::UNDEFINED_FUNCTION
        | SqlState::INVALID_SCHEMA_NAME
        | SqlState::AMBIGUOUS_FUNCTION => Ok(Value::Null),
        _ => Err(error),
    })
}

/// The relation that a text names, for functions that take names as text.
fn relation_named(call: &FunctionCall<'_>, name: &str) -> Result<Oid> {
    let value = types::input(TypeMod::plain(types_oid::REGCLASS), name, &call.type_context())?;
    oid(value.as_ref())
}

fn type_name(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    if arguments[0].is_null() {
        return Ok(Value::Null);
    }
    let ty = oid(arguments[0])?;
    if !ty.is_valid() {
        return Ok("-".into());
    }
    let modifier = if arguments[1].is_null() { -1 } else { int4(arguments[1])? };
    Ok(format_type(TypeMod { oid: ty, modifier }, &call.context.catalog, &call.context.search_path).into())
}

/// A comment on an object in a catalog of this name.
fn comment(catalog: &Catalog, object: Oid, class: Oid, column: i32) -> Value {
    let found = catalog
        .relation::<Description>()
        .find_one(keys::pg_description_o_c_o_index, &[object.into(), class.into(), column.into()]);
    found.map(|row| row.description.clone()).into()
}

fn catalog_named(catalog: &Catalog, name: &str) -> Option<Oid> {
    catalog.class_named(crate::oid::namespaces::PG_CATALOG, name).map(|class| class.oid)
}

fn shared_comment(catalog: &Catalog, object: Oid, class: &str) -> Value {
    let Some(class) = catalog_named(catalog, class) else { return Value::Null };
    let found = catalog
        .relation::<SharedDescription>()
        .find_one(keys::pg_shdescription_o_c_index, &[object.into(), class.into()]);
    found.map(|row| row.description.clone()).into()
}

/// The sequence that a serial or identity column owns.
fn serial_sequence(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (table, column) = (relation_named(call, text(arguments[0])?)?, text(arguments[1])?);
    let catalog = &call.context.catalog;
    let Some(attribute) = catalog.attribute_named(table, column) else {
        let name = catalog.class(table).map_or_else(String::new, |class| class.relname.clone());
        return Err(error!(UNDEFINED_COLUMN, "column \"{column}\" of relation \"{name}\" does not exist"));
    };
    let owned = catalog.relation::<crate::catalog::Dependency>().rows().find(|row| {
        row.classid == relations::PG_CLASS
            && row.refclassid == relations::PG_CLASS
            && row.refobjid == table
            && row.refobjsubid == i32::from(attribute.attnum)
            && matches!(row.deptype, 'a' | 'i')
            && catalog.class(row.objid).is_some_and(|class| class.relkind == 'S')
    });
    let Some(sequence) = owned.and_then(|row| catalog.class(row.objid)) else { return Ok(Value::Null) };
    let schema =
        catalog.namespace(sequence.relnamespace).map_or_else(String::new, |schema| schema.nspname.clone());
    Ok(format!("{}.{}", quote_identifier(&schema), quote_identifier(&sequence.relname)).into())
}

fn identify(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let (class, object, column) = (oid(arguments[0])?, oid(arguments[1])?, int4(arguments[2])?);
    let row = match describe(call).identify(class, object, column) {
        Some(object) => {
            vec![object.kind.into(), object.schema.into(), object.name.into(), object.identity.into()]
        }
        None => vec![Value::Null; 4],
    };
    Ok(known(vec![row]))
}

/// A relation and its parents, nearest first.
fn ancestors(catalog: &Catalog, relation: Oid) -> Vec<Oid> {
    let mut found = vec![relation];
    let parents = catalog.relation::<Inheritance>();
    while let Some(parent) = parents.rows().find(|row| Some(&row.inhrelid) == found.last()) {
        if found.contains(&parent.inhparent) {
            break;
        }
        found.push(parent.inhparent);
    }
    found
}

fn is_partition_member(catalog: &Catalog, relation: Oid) -> bool {
    catalog.class(relation).is_some_and(|class| class.relispartition || matches!(class.relkind, 'p' | 'I'))
}

fn partition_ancestors(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let (catalog, relation) = (&call.context.catalog, oid(arguments[0])?);
    let found =
        if is_partition_member(catalog, relation) { ancestors(catalog, relation) } else { Vec::new() };
    Ok(known(found.into_iter().map(|relation| vec![from_oid(relation)]).collect()))
}

fn partition_tree(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let (catalog, root) = (&call.context.catalog, oid(arguments[0])?);
    if !is_partition_member(catalog, root) {
        return Ok(known(Vec::new()));
    }
    let (mut tree, mut next) = (vec![(root, None::<Oid>, 0_i64)], 0);
    while next < tree.len() {
        let (parent, _, level) = tree[next];
        let children = catalog.relation::<Inheritance>();
        tree.extend(
            children
                .rows()
                .filter(|row| row.inhparent == parent)
                .map(|row| (row.inhrelid, Some(parent), level + 1)),
        );
        next += 1;
    }
    let row = |(relation, parent, level): (Oid, Option<Oid>, i64)| {
        let leaf = catalog.class(relation).is_none_or(|class| !matches!(class.relkind, 'p' | 'I'));
        vec![from_oid(relation), parent.map_or(Value::Null, from_oid), leaf.into(), level.into()]
    };
    Ok(known(tree.into_iter().map(row).collect()))
}

/// What `INSERT`, `UPDATE` and `DELETE` can do with a relation, as the bits of `CmdType`.
fn updatable_events(catalog: &Catalog, relation: Oid) -> i64 {
    const ALL: i64 = 1 << 2 | 1 << 3 | 1 << 4;
    match catalog.class(relation).map(|class| class.relkind) {
        Some('r' | 'p') => ALL,
        _ => 0,
    }
}

fn publishable(catalog: &Catalog, relation: Oid) -> Value {
    let class = catalog.class(relation);
    class
        .map(|class| {
            matches!(class.relkind, 'r' | 'p')
                && class.relpersistence == 'p'
                && class.oid >= crate::oid::FIRST_NORMAL
        })
        .into()
}

fn options_to_table(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let options = array_elements(types_oid::_TEXT, arguments[0], &call.type_context())?;
    let row = |option: String| match option.split_once('=') {
        Some((name, value)) => vec![name.into(), value.into()],
        None => vec![option.into(), Value::Null],
    };
    Ok(known(options.into_iter().flatten().map(row).collect()))
}

/// Properties of B-tree indexes; there are no others.
fn index_property(call: &FunctionCall<'_>, relation: Oid, column: Option<i32>, property: &str) -> Value {
    let Some(index) = call.context.catalog.index(relation) else { return Value::Null };
    let Some(column) = column else {
        return match property.to_ascii_lowercase().as_str() {
            "clusterable" | "index_scan" | "backward_scan" => true.into(),
            "bitmap_scan" => true.into(),
            _ => Value::Null,
        };
    };
    let Some(option) = usize::try_from(column - 1).ok().and_then(|at| index.indoption.get(at)) else {
        return Value::Null;
    };
    match property.to_ascii_lowercase().as_str() {
        "asc" => (option & 1 == 0).into(),
        "desc" => (option & 1 == 1).into(),
        "nulls_first" => (option & 2 == 2).into(),
        "nulls_last" => (option & 2 == 0).into(),
        "orderable" | "returnable" | "search_array" | "search_nulls" => true.into(),
        "distance_orderable" => false.into(),
        _ => Value::Null,
    }
}

/// Keywords by name: word, category, whether it may be a bare label.
fn keywords(_: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Rows> {
    let row = |(word, category, bare): &(&str, char, bool)| {
        let description = match category {
            'U' => "unreserved",
            'C' => "unreserved (cannot be function or type name)",
            'T' => "reserved (can be function or type name)",
            _ => "reserved",
        };
        let label = if *bare { "can be bare label" } else { "requires AS" };
        vec![(*word).into(), category.to_string().into(), (*bare).into(), description.into(), label.into()]
    };
    Ok(known(super::keywords::KEYWORDS.iter().map(row).collect()))
}

fn view(call: &FunctionCall<'_>, relation: Oid, pretty: bool) -> Value {
    describe(call).view(relation, pretty).into()
}

fn expression(call: &FunctionCall<'_>, a: &[ValueRef<'_>], pretty: bool) -> Result<Value> {
    let relation = oid(a[1])?;
    if relation.is_valid() && call.context.catalog.class(relation).is_none() {
        return Ok(Value::Null);
    }
    Ok(describe(call).expression(text(a[0])?, pretty).into())
}

fn index_definition(call: &FunctionCall<'_>, a: &[ValueRef<'_>]) -> Result<Value> {
    let (index, column, pretty) = (oid(a[0])?, int4(a[1])?, boolean(a[2])?);
    let described = describe(call);
    Ok(if column == 0 {
        described.index(index, pretty)
    } else {
        described.index_column(index, column, pretty)
    }
    .into())
}

/// Definitions.
pub const DEFINITIONS: &[Function] = &[
    scalar("to_regclass", |call, a| registered(call, a, types_oid::REGCLASS)),
    scalar("to_regcollation", |call, a| registered(call, a, types_oid::REGCOLLATION)),
    scalar("to_regnamespace", |call, a| registered(call, a, types_oid::REGNAMESPACE)),
    scalar("to_regoper", |call, a| registered(call, a, types_oid::REGOPER)),
    scalar("to_regoperator", |call, a| registered(call, a, types_oid::REGOPERATOR)),
    scalar("to_regproc", |call, a| registered(call, a, types_oid::REGPROC)),
    scalar("to_regprocedure", |call, a| registered(call, a, types_oid::REGPROCEDURE)),
    scalar("to_regrole", |call, a| registered(call, a, types_oid::REGROLE)),
    scalar("to_regtype", |call, a| registered(call, a, types_oid::REGTYPE)),
    scalar("format_type", |call, a| type_name(call, a)),
    scalar("pg_get_expr", |call, a| expression(call, a, false)),
    scalar("pg_get_expr_ext", |call, a| expression(call, a, boolean(a[2])?)),
    scalar("pg_get_constraintdef", |call, a| Ok(describe(call).constraint(oid(a[0])?, false).into())),
    scalar("pg_get_constraintdef_ext", |call, a| {
        Ok(describe(call).constraint(oid(a[0])?, boolean(a[1])?).into())
    }),
    scalar("pg_get_indexdef", |call, a| Ok(describe(call).index(oid(a[0])?, false).into())),
    scalar("pg_get_indexdef_ext", |call, a| index_definition(call, a)),
    scalar("pg_get_viewdef", |call, a| Ok(view(call, oid(a[0])?, false))),
    scalar("pg_get_viewdef_ext", |call, a| Ok(view(call, oid(a[0])?, boolean(a[1])?))),
    scalar("pg_get_viewdef_wrap", |call, a| Ok(view(call, oid(a[0])?, true))),
    scalar("pg_get_viewdef_name", |call, a| Ok(view(call, relation_named(call, text(a[0])?)?, false))),
    scalar("pg_get_viewdef_name_ext", |call, a| {
        Ok(view(call, relation_named(call, text(a[0])?)?, boolean(a[1])?))
    }),
    scalar("pg_get_userbyid", |call, a| {
        let role = oid(a[0])?;
        let found = call.context.catalog.role(role);
        Ok(found.map_or_else(|| format!("unknown (OID={role})"), |role| role.rolname.clone()).into())
    }),
    scalar("pg_get_function_arguments", |call, a| Ok(describe(call).function_arguments(oid(a[0])?).into())),
    scalar("pg_get_function_identity_arguments", |call, a| {
        Ok(describe(call).function_identity_arguments(oid(a[0])?).into())
    }),
    scalar("pg_get_function_result", |call, a| Ok(describe(call).function_result(oid(a[0])?).into())),
    scalar("pg_get_function_arg_default", |call, a| {
        Ok(describe(call).function_argument_default(oid(a[0])?, int4(a[1])?).into())
    }),
    scalar("pg_get_function_sqlbody", |call, a| Ok(describe(call).function_sql_body(oid(a[0])?).into())),
    scalar("pg_get_functiondef", |call, a| Ok(describe(call).function(oid(a[0])?)?.into())),
    scalar("pg_get_triggerdef", |call, a| Ok(describe(call).trigger(oid(a[0])?, false).into())),
    scalar("pg_get_triggerdef_ext", |call, a| Ok(describe(call).trigger(oid(a[0])?, boolean(a[1])?).into())),
    scalar("pg_get_serial_sequence", |call, a| serial_sequence(call, a)),
    // Rules other than those of views, statistics objects and partitioned tables cannot be made here.
    scalar("pg_get_ruledef", |_, _| Ok(Value::Null)),
    scalar("pg_get_ruledef_ext", |_, _| Ok(Value::Null)),
    scalar("pg_get_statisticsobjdef", |_, _| Ok(Value::Null)),
    scalar("pg_get_statisticsobjdef_columns", |_, _| Ok(Value::Null)),
    scalar("pg_get_statisticsobjdef_expressions", |_, _| Ok(Value::Null)),
    scalar("pg_get_partkeydef", |_, _| Ok(Value::Null)),
    scalar("pg_get_partition_constraintdef", |_, _| Ok(Value::Null)),
    rows("pg_get_publication_tables", |_, _| Ok(known(Vec::new()))),
    rows("pg_get_keywords", keywords),
    rows("pg_options_to_table", options_to_table),
];

/// Names, comments, relations between objects.
pub const OBJECTS: &[Function] = &[
    scalar("pg_table_is_visible", |call, a| visible(call, a, Visible::Class)),
    scalar("pg_type_is_visible", |call, a| visible(call, a, Visible::Type)),
    scalar("pg_function_is_visible", |call, a| visible(call, a, Visible::Function)),
    scalar("pg_operator_is_visible", |call, a| visible(call, a, Visible::Operator)),
    scalar("pg_opclass_is_visible", |call, a| visible(call, a, Visible::OperatorClass)),
    scalar("pg_opfamily_is_visible", |call, a| visible(call, a, Visible::OperatorFamily)),
    scalar("pg_collation_is_visible", |call, a| visible(call, a, Visible::Collation)),
    scalar("pg_conversion_is_visible", |call, a| visible(call, a, Visible::Conversion)),
    scalar("pg_statistics_obj_is_visible", |call, a| visible(call, a, Visible::Statistics)),
    scalar("pg_ts_config_is_visible", |call, a| visible(call, a, Visible::SearchConfiguration)),
    scalar("pg_ts_dict_is_visible", |call, a| visible(call, a, Visible::SearchDictionary)),
    scalar("pg_ts_parser_is_visible", |call, a| visible(call, a, Visible::SearchParser)),
    scalar("pg_ts_template_is_visible", |call, a| visible(call, a, Visible::SearchTemplate)),
    scalar("pg_describe_object", |call, a| {
        Ok(describe(call).object(oid(a[0])?, oid(a[1])?, int4(a[2])?).into())
    }),
    rows("pg_identify_object", identify),
    scalar("obj_description(oid,name)", |call, a| {
        let catalog = &call.context.catalog;
        Ok(catalog_named(catalog, text(a[1])?)
            .map_or(Value::Null, |class| comment(catalog, oid(a[0]).unwrap_or_default(), class, 0)))
    }),
    scalar("obj_description(oid)", |call, a| {
        let object = oid(a[0])?;
        let found = call
            .context
            .catalog
            .relation::<Description>()
            .rows()
            .find(|row| row.objoid == object && row.objsubid == 0);
        Ok(found.map(|row| row.description.clone()).into())
    }),
    scalar("col_description(oid,int4)", |call, a| {
        Ok(comment(&call.context.catalog, oid(a[0])?, relations::PG_CLASS, int4(a[1])?))
    }),
    scalar("shobj_description(oid,name)", |call, a| {
        Ok(shared_comment(&call.context.catalog, oid(a[0])?, text(a[1])?))
    }),
    rows("pg_partition_ancestors", partition_ancestors),
    rows("pg_partition_tree", partition_tree),
    scalar("pg_partition_root", |call, a| {
        let (catalog, relation) = (&call.context.catalog, oid(a[0])?);
        let root =
            ancestors(catalog, relation).last().copied().filter(|_| is_partition_member(catalog, relation));
        Ok(root.map_or(Value::Null, from_oid))
    }),
    scalar("pg_relation_is_publishable", |call, a| Ok(publishable(&call.context.catalog, oid(a[0])?))),
    scalar("pg_relation_is_updatable", |call, a| {
        Ok(updatable_events(&call.context.catalog, oid(a[0])?).into())
    }),
    scalar("pg_column_is_updatable", |call, a| {
        Ok((updatable_events(&call.context.catalog, oid(a[0])?) != 0 && int4(a[1])? > 0).into())
    }),
    scalar("pg_get_replica_identity_index", |call, a| {
        let catalog = &call.context.catalog;
        let indexes = catalog.indexes(oid(a[0])?);
        let chosen = indexes
            .iter()
            .find(|index| index.indisreplident)
            .or_else(|| indexes.iter().find(|index| index.indisprimary));
        Ok(chosen.map_or(Value::Null, |index| from_oid(index.indexrelid)))
    }),
    scalar("pg_index_column_has_property", |call, a| {
        Ok(index_property(call, oid(a[0])?, Some(int4(a[1])?), text(a[2])?))
    }),
    scalar("pg_index_has_property", |call, a| Ok(index_property(call, oid(a[0])?, None, text(a[1])?))),
    scalar("pg_collation_actual_version", |_, _| Ok(Value::Null)),
    scalar("pg_database_collation_actual_version", |_, _| Ok(Value::Null)),
    scalar("pg_settings_get_flags", |call, _| {
        array_of(types_oid::_TEXT, [] as [Option<&str>; 0], &call.type_context())
    }),
];
