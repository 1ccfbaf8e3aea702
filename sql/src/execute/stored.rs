//! Expressions that the catalog keeps as SQL text: defaults, checks, generated columns, index keys. Bound when a plan is
//! made, and kept with it.

use std::sync::Arc;

use storage::Connection;

use crate::bind::{self, BindContext};
use crate::bound::{Call, Expr, ExprKind, RangeId, TypeMod};
use crate::catalog::{Attribute, Catalog, Class};
use crate::lower::{DomainChecks, HostFunction, StoredExpressions, Text};
use crate::oid::{relations, types};
use crate::session::StatementContext;
use crate::types::FormatSettings;
use crate::{Oid, Result, SqlError, Value};

/// Binds stored expressions for one statement.
pub struct CatalogExpressions<'a> {
    /// The catalog.
    pub catalog: &'a Arc<Catalog>,
    /// For the text forms of literals.
    pub format: &'a FormatSettings,
}

/// What a stored expression may name.
pub(crate) enum Names {
    /// Nothing.
    None,
    /// The columns of a table, by this range.
    Table(Oid, RangeId),
    /// `VALUE`, of this type.
    DomainValue(TypeMod),
}

impl CatalogExpressions<'_> {
    /// Binds the text of an expression; its value is converted to `target` by assignment when that is said.
    ///
    /// # Errors
    /// Those of the parser and the binder.
    pub(crate) fn bind(&self, text: &str, names: &Names, target: Option<TypeMod>) -> Result<Expr> {
        let context = BindContext {
            catalog: self.catalog,
            search_path: &crate::catalog::KEPT_SEARCH_PATH,
            format: self.format,
            text,
            parameters: &[],
        };
        let tree = crate::parse::parse_expression(text)?;
        match names {
            Names::None => bind::bind_expression(&tree, None, target, &context),
            Names::DomainValue(ty) => bind::bind_domain_check(&tree, *ty, &context),
            Names::Table(table, range) => {
                let mut expr = bind::bind_expression(&tree, Some(*table), target, &context)?;
                crate::lower::rename_range(&mut expr, bind::EXPRESSION_RANGE, *range);
                Ok(expr)
            }
        }
    }
}

impl CatalogExpressions<'_> {
    /// The sequence behind an identity column.
    pub(crate) fn identity_sequence(&self, table: Oid, attribute: &Attribute) -> Option<Oid> {
        if !matches!(attribute.attidentity, 'a' | 'd') {
            return None;
        }
        // `pg_depend` ties the sequence to its column, internally.
        let owned = |d: &Arc<crate::catalog::Dependency>| {
            d.refclassid == relations::PG_CLASS
                && d.classid == relations::PG_CLASS
                && d.refobjid == table
                && d.refobjsubid == i32::from(attribute.attnum)
                && d.deptype == 'i'
        };
        self.catalog.relation::<crate::catalog::Dependency>().rows().find(owned).map(|d| d.objid)
    }
}

/// `pg_proc.oid` of `nextval(regclass)`.
const NEXTVAL: Oid = Oid(1574);

/// `nextval(sequence)`, as identity columns call it.
pub(crate) fn next_value(sequence: Oid, ty: Oid) -> Expr {
    let sequence = Expr {
        kind: ExprKind::Constant(Value::Integer(i64::from(sequence.0))),
        ty: TypeMod::plain(types::REGCLASS),
        collation: Oid::INVALID,
    };
    let call = Call { function: NEXTVAL, arguments: vec![sequence], collation: Oid::INVALID, position: None };
    Expr { kind: ExprKind::Call(call), ty: TypeMod::plain(ty), collation: Oid::INVALID }
}

impl StoredExpressions for CatalogExpressions<'_> {
    fn domain_checks(&self, catalog: &Catalog, domain: Oid) -> Result<DomainChecks> {
        let ty = catalog.type_(domain).ok_or_else(|| SqlError::internal("an unknown domain"))?;
        let base = TypeMod { oid: ty.typbasetype, modifier: ty.typtypmod };
        let mut checks =
            DomainChecks { name: ty.typname.clone(), not_null: ty.typnotnull, constraints: Vec::new() };
        // The checks of a domain over a domain come after those of the domain below.
        if catalog.type_(base.oid).is_some_and(|below| below.typtype == 'd') {
            let below = self.domain_checks(catalog, base.oid)?;
            checks.not_null |= below.not_null;
            checks.constraints = below.constraints;
        }
        let mut own = Vec::new();
        for constraint in catalog.domain_constraints(domain).iter() {
            if let Some(text) = &constraint.conbin {
                own.push((constraint.conname.clone(), self.bind(text, &Names::DomainValue(base), None)?));
            }
        }
        own.sort_by(|a, b| a.0.cmp(&b.0));
        checks.constraints.extend(own);
        Ok(checks)
    }

    fn table_checks(&self, catalog: &Catalog, table: Oid, range: RangeId) -> Result<Vec<(String, Expr)>> {
        let mut checks = Vec::new();
        for constraint in catalog.constraints(table).iter().filter(|c| c.contype == 'c') {
            if let Some(text) = &constraint.conbin {
                checks
                    .push((constraint.conname.clone(), self.bind(text, &Names::Table(table, range), None)?));
            }
        }
        checks.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(checks)
    }

    fn generated_columns(&self, catalog: &Catalog, table: Oid, range: RangeId) -> Result<Vec<(usize, Expr)>> {
        let mut generated = Vec::new();
        for (column, attribute) in catalog.attributes(table).iter().enumerate() {
            if attribute.attgenerated != 's' || attribute.attisdropped {
                continue;
            }
            let Some(default) = catalog.default_expression(table, attribute.attnum) else { continue };
            let ty = TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod };
            generated.push((column, self.bind(&default.adbin, &Names::Table(table, range), Some(ty))?));
        }
        Ok(generated)
    }

    fn index_functions(&self, catalog: &Catalog, table: Oid) -> Result<Vec<HostFunction>> {
        let mut functions = Vec::new();
        for index in catalog.indexes(table).iter() {
            if !index.computes() {
                continue;
            }
            let (keys, predicate) = index_texts(self, index)?;
            functions.extend(keys.into_iter().chain(predicate).flat_map(|text| text.functions));
        }
        Ok(functions)
    }
}

/// Makes the functions that the database's indexes call known on a connection: the engine calls them when it builds an
/// index anew or looks whether it is whole.
///
/// # Errors
/// Those of binding the indexes' expressions.
pub(crate) fn ensure_index_functions(connection: &mut Connection, context: &StatementContext) -> Result<()> {
    let stored = CatalogExpressions { catalog: &context.catalog, format: &context.format };
    for class in context.catalog.relation::<Class>().rows().filter(|class| matches!(class.relkind, 'r' | 'm'))
    {
        ensure_functions_of(connection, &stored, class.oid)?;
    }
    Ok(())
}

/// As [`ensure_index_functions`], for one table.
///
/// # Errors
/// As there.
pub(crate) fn ensure_functions_of(
    connection: &mut Connection,
    stored: &CatalogExpressions<'_>,
    table: Oid,
) -> Result<()> {
    for function in stored.index_functions(stored.catalog, table)? {
        function.ensure(connection).map_err(super::engine_error)?;
    }
    Ok(())
}

/// The value of a column's default that depends on no row, as ON DELETE SET DEFAULT needs it.
///
/// # Errors
/// Those of the parser, the binder and the functions it calls.
pub(crate) fn constant_default(
    context: &Arc<StatementContext>,
    attribute: &Attribute,
    text: &str,
) -> Result<Value> {
    let stored = CatalogExpressions { catalog: &context.catalog, format: &context.format };
    let ty = TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod };
    let expr = stored.bind(text, &Names::None, Some(ty))?;
    match crate::lower::constant(&expr) {
        Some(value) => Ok(value.clone()),
        None => Err(SqlError::unsupported("ON DELETE SET DEFAULT with a default that is no constant")),
    }
}

/// The keys on expressions and the predicate of a table's index as SQLite text over its columns.
///
/// # Errors
/// Those of the parser, the binder and the emitter.
pub(crate) fn index_texts(
    stored: &CatalogExpressions<'_>,
    index: &crate::catalog::Index,
) -> Result<(Vec<Text>, Option<Text>)> {
    let catalog = stored.catalog;
    let range = RangeId(0);
    let columns: Vec<String> = catalog.attributes(index.indrelid).iter().map(|a| a.attname.clone()).collect();
    let bind = |text: &str| stored.bind(text, &Names::Table(index.indrelid, range), None);
    let lower = |expr: &Expr| crate::lower::index_expression(catalog, stored, range, &columns, expr);
    let mut keys = Vec::new();
    if let Some(texts) = &index.indexprs {
        // The catalog keeps a list; as a row it can be bound in one piece.
        match &bind(&format!("ROW({texts})"))?.kind {
            ExprKind::Row(expressions) => {
                for expr in expressions {
                    keys.push(lower(expr)?);
                }
            }
            _ => return Err(SqlError::internal("a list of index expressions is none")),
        }
    }
    let predicate = match &index.indpred {
        Some(text) => Some(lower(&bind(text)?)?),
        None => None,
    };
    Ok((keys, predicate))
}
