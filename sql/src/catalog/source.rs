//! The relations of the catalog as SQL reads them: one table function each, which gives the rows of the statement's own
//! snapshot, built-in ones and those of users together, and looks rows up by any prefix of the relation's keys.
//!
//! A row's values are made when a statement first reads it, and kept with the row. Only access privileges that name
//! roles by OID are spelled anew each time, since roles can be renamed.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use storage::{CallContext, HostError, RowIterator, TableFunction, TableScan};

use super::relation::{AnyRow, RelationDefinition};
use super::row::KeyPart;
use super::{Catalog, Class, RELATIONS, keys, lookup, privileges};
use crate::bound::TypeMod;
use crate::oid::types as type_oids;
use crate::session::StatementContext;
use crate::types::{self, TypeContext};
use crate::{Oid, Result, SqlError, Value};

/// The table function that gives the rows of a relation of the catalog; nothing for other relations.
pub fn relation_source(relation: Oid) -> Option<&'static TableFunction> {
    static SOURCES: LazyLock<HashMap<Oid, TableFunction>> = LazyLock::new(|| {
        let catalog = Catalog::built_in();
        RELATIONS.iter().filter_map(|definition| source(&catalog, definition)).collect()
    });
    SOURCES.get(&relation)
}

/// The name under which the rows of a catalog relation are read by SQL: no table of a user can have it.
pub(crate) fn source_name(relation: &str) -> String {
    format!("pg_catalog:{relation}")
}

fn source(catalog: &Catalog, definition: &'static RelationDefinition) -> Option<(Oid, TableFunction)> {
    let class = system_class(catalog, definition.name)?;
    let columns: Vec<_> = catalog.attributes(class.oid).iter().map(|attribute| attribute.atttypid).collect();
    let lookups = lookups(definition, &columns);
    let conversions: Vec<_> = columns.iter().enumerate().filter_map(conversion).collect();
    let conversions: Arc<[(usize, Oid)]> = conversions.into();
    let keys =
        lookups.iter().map(|(key, length)| definition.keys[*key].columns[..*length].to_vec()).collect();
    let scan = move |call: &mut CallContext<'_>, scan: TableScan<'_>| -> Result<RowIterator, HostError> {
        let context = Arc::clone(call.context.ok_or_else(no_context)?);
        let statement = statement_context(&context)?;
        let relation = (definition.rows)(&statement.catalog.relations);
        let rows = match scan.key {
            None => relation.scan(),
            Some((key, values)) => {
                let parts =
                    values.iter().map(|value| KeyPart::from_value(*value)).collect::<Option<Vec<_>>>();
                parts.map_or_else(Vec::new, |parts| relation.look_up(lookups[key].0, &parts))
            }
        };
        let conversions = Arc::clone(&conversions);
        Ok(Box::new(rows.into_iter().map(move |row| {
            let statement = statement_context(&context)?;
            Ok(row_values(&*row, &conversions, &statement.type_context())?)
        })))
    };
    let table = TableFunction {
        name: source_name(definition.name).into(),
        columns: definition.columns.iter().map(|&column| column.to_owned()).collect(),
        arguments: 0,
        keys,
        scan: Arc::new(scan),
    };
    Some((class.oid, table))
}

fn system_class(catalog: &Catalog, name: &str) -> Option<Arc<Class>> {
    let classes = catalog.relation::<Class>().find(keys::pg_class_relname_nsp_index, &[name.into()]);
    let is_system = |class: &Arc<Class>| {
        catalog.namespace(class.relnamespace).is_some_and(|namespace| lookup::is_system_namespace(&namespace))
    };
    classes.into_iter().find(is_system)
}

/// By what SQL can look rows up: every prefix of every key, the longest first, as (key, length). Floats are left out:
/// their order in a key is not the number's own.
fn lookups(definition: &RelationDefinition, types: &[Oid]) -> Vec<(usize, usize)> {
    let mut lookups: Vec<(usize, usize)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (index, key) in definition.keys.iter().enumerate() {
        for length in 1..=key.columns.len() {
            let columns = &key.columns[..length];
            let is_float = |column: &usize| types[*column] == type_oids::FLOAT4;
            if !columns.iter().any(is_float) && seen.insert(columns) {
                lookups.push((index, length));
            }
        }
    }
    lookups.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
    lookups
}

/// The column and its type, if its values are kept as text but are something else to SQL.
fn conversion((column, ty): (usize, &Oid)) -> Option<(usize, Oid)> {
    let row = Catalog::built_in().type_(*ty)?;
    let is_array = row.typcategory == 'A' && !matches!(*ty, type_oids::INT2VECTOR | type_oids::OIDVECTOR);
    let converted = is_array || matches!(*ty, type_oids::TIMESTAMPTZ | type_oids::BYTEA);
    converted.then_some((column, *ty))
}

fn row_values(
    row: &dyn AnyRow,
    conversions: &[(usize, Oid)],
    context: &TypeContext<'_>,
) -> Result<Vec<Value>> {
    if let Some(values) = row.values().get() {
        return Ok(values.to_vec());
    }
    let (mut values, mut lasting) = (row.to_stored(), true);
    for (column, ty) in conversions {
        let Value::Text(text) = &values[*column] else { continue };
        let value = if *ty == type_oids::_ACLITEM && privileges::names_roles_by_oid(text) {
            lasting = false;
            column_value(*ty, &privileges::spell_roles(text, context.catalog), context)?
        } else {
            column_value(*ty, text, context)?
        };
        values[*column] = value;
    }
    if lasting {
        let _ = row.values().set(values.clone().into());
    }
    Ok(values)
}

/// The value of a column from its text form. Privileges have no input of their own: they are text to us.
fn column_value(ty: Oid, text: &str, context: &TypeContext<'_>) -> Result<Value> {
    let ty = if ty == type_oids::_ACLITEM { type_oids::_TEXT } else { ty };
    types::input(TypeMod::plain(ty), text, context)
}

fn statement_context(context: &Arc<dyn Any + Send + Sync>) -> Result<&StatementContext, HostError> {
    context.downcast_ref::<StatementContext>().ok_or_else(no_context)
}

fn no_context() -> HostError {
    Box::new(SqlError::internal("a catalog relation was read outside a statement"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Namespace;
    use crate::catalog::relation::AnyRelation;
    use crate::types::{DateOrder, DateStyle, FormatSettings, IntervalStyle};

    #[test]
    fn every_relation_of_the_catalog_has_a_source() {
        let catalog = Catalog::built_in();
        let tables = catalog.relation::<Class>().rows();
        let tables = tables.filter(|class| class.relkind == 'r').collect::<Vec<_>>();
        assert!(tables.len() > 60);
        for table in tables {
            assert!(relation_source(table.oid).is_some(), "{}", table.relname);
        }
        assert!(relation_source(Oid(12000)).is_none());
    }

    #[test]
    fn relations_are_looked_up_by_prefixes_of_their_keys() {
        let attributes = relation_source(Oid(1249)).unwrap();
        assert_eq!(&*attributes.name, "pg_catalog:pg_attribute");
        assert_eq!(*attributes.keys, [vec![0, 5], vec![0, 1], vec![0]]);
        assert_eq!(*relation_source(Oid(3501)).unwrap().keys, [vec![1, 3], vec![0], vec![1]]);
    }

    #[test]
    fn values_have_the_forms_of_their_types() {
        let catalog = Catalog::built_in();
        let format = FormatSettings {
            time_zone: jiff::tz::TimeZone::UTC,
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            extra_float_digits: 1,
            bytea_escape: false,
            transaction_time: 0,
        };
        let context = TypeContext { catalog: &catalog, format: &format, search_path: &[] };
        let procedures = relation_source(Oid(1255)).unwrap();
        assert_eq!(procedures.columns[1], "proname");
        let definition = RELATIONS.iter().find(|relation| relation.name == "pg_proc").unwrap();
        let types: Vec<_> =
            catalog.attributes(Oid(1255)).iter().map(|attribute| attribute.atttypid).collect();
        let conversions: Vec<_> = types.iter().enumerate().filter_map(conversion).collect();
        for row in (definition.rows)(&catalog.relations).look_up(0, &[Oid(2100).into()]) {
            let values = row_values(&*row, &conversions, &context).unwrap();
            assert_eq!(values[0], Value::Integer(2100));
            assert_eq!(values[1], Value::Text("avg".into()));
            assert_eq!(values[19], Value::Text("20".into()));
            assert_eq!(values, row_values(&*row, &conversions, &context).unwrap());
        }
        let public = (catalog.relation::<Namespace>()).get(&Oid(2200)).unwrap();
        assert!(public.nspacl.as_ref().is_some_and(|acl| !acl.is_empty()));
        let namespaces = catalog.relations.pg_namespace.look_up(0, &[Oid(2200).into()]);
        let values = row_values(&*namespaces[0], &[(3, type_oids::_ACLITEM)], &context).unwrap();
        let mut text = String::new();
        types::output(type_oids::_TEXT, values[3].as_ref(), &context, &mut text).unwrap();
        assert_eq!(text, "{pg_database_owner=UC/pg_database_owner,=U/pg_database_owner}");
    }
}
