//! The binder: from syntax tree to [`crate::bound`] tree. Names are resolved and every expression typed by PostgreSQL's
//! own rules; after it, nothing looks a name up.
//!
//! One file for each concern, after PostgreSQL's `src/backend/parser`:
//!
//! | file | what it binds | PostgreSQL |
//! |---|---|---|
//! | `scope` | names of relations and columns, what is visible where | `parse_relation.c` |
//! | `position` | where things stand in the text | `parser_errposition` |
//! | `type_names` | type names | `parse_type.c` |
//! | `parameters` | `$1` and the types found for them | `parse_param.c` |
//! | `literals` | constants, typed and untyped | `parse_node.c` |
//! | `coerce`, `common_type`, `polymorphic` | conversions between types | `parse_coerce.c` |
//! | `collations` | which collation an expression has | `parse_collate.c` |
//! | `operators`, `functions`, `candidates` | overload resolution | `parse_oper.c`, `parse_func.c` |
//! | `aggregates` | aggregates, windows, the grouping check | `parse_agg.c` |
//! | `expressions`, `special`, `comparisons`, `subqueries`, `composites` | expressions | `parse_expr.c` |
//! | `from`, `joins` | FROM | `parse_clause.c` |
//! | `clauses`, `grouping` | GROUP BY, ORDER BY, DISTINCT, WINDOW, LIMIT | `parse_clause.c` |
//! | `row_locks` | FOR UPDATE and its kin | `analyze.c` |
//! | `query`, `set_operations`, `with` | queries | `analyze.c`, `parse_cte.c` |
//! | `targets` | select lists, their names, assignments | `parse_target.c` |
//! | `walk`, `api` | visiting bound trees; what other parts of the server bind | |
//! | `insert`, `update`, `merge`, `views` | data modification | `analyze.c`, `parse_merge.c`, `rewriteHandler.c` |

mod aggregates;
mod api;
mod candidates;
mod clauses;
mod coerce;
mod collations;
mod common_type;
mod comparisons;
mod composites;
mod expressions;
mod from;
mod function_body;
mod functions;
mod grouping;
mod insert;
mod joins;
mod literals;
mod merge;
mod operators;
mod parameters;
mod polymorphic;
mod position;
mod privileges;
mod query;
mod routines;
mod row_locks;
mod scope;
mod set_operations;
mod special;
mod subqueries;
mod targets;
mod type_names;
mod update;
mod views;
mod walk;
mod with;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use sqlparser::ast;
use sqlparser::tokenizer::Location;

use crate::bound::{BoundStatement, CteId, Expr, ExprKind, RangeId, SelectId, TypeMod, ViewUse};
use crate::catalog::Catalog;
use crate::oid::types;
use crate::types::{FormatSettings, TypeContext};
use crate::{Oid, Result};

pub use api::{EXPRESSION_RANGE, assign, bind_domain_check, bind_expression, bind_query, resolve_type};
pub use coerce::is_polymorphic;
use collations::Strength;
pub use function_body::{bind_function_body, may_write};
use position::At;
pub use privileges::{check_privileges, locked_relations};
use scope::{Clause, RecordField, Scope};

/// What binding depends on besides the statement.
pub struct BindContext<'a> {
    /// The catalog.
    pub catalog: &'a Arc<Catalog>,
    /// `search_path` as schema OIDs in order, implicit `pg_catalog` included.
    pub search_path: &'a [Oid],
    /// For the text forms of literals.
    pub format: &'a FormatSettings,
    /// The statement's text, for positions.
    pub text: &'a str,
    /// The types that the client declared for parameters; zero or missing: to be found out.
    pub parameters: &'a [Oid],
}

impl BindContext<'_> {
    /// What reading literals may look at.
    pub fn type_context(&self) -> TypeContext<'_> {
        TypeContext { catalog: self.catalog, format: self.format, search_path: self.search_path }
    }
}

/// Binds a query or data-modifying statement.
///
/// # Errors
/// Those of PostgreSQL's parse analysis, with positions.
pub fn bind(statement: &ast::Statement, context: &BindContext<'_>) -> Result<BoundStatement> {
    bind_in(Binder::new(context), statement)
}

/// Binds a statement with what the binder knows already.
fn bind_in(mut binder: Binder<'_>, statement: &ast::Statement) -> Result<BoundStatement> {
    let statement = binder.statement(statement)?;
    let parameters = binder.parameters.finish(&binder)?;
    let records = binder
        .record_shapes
        .into_iter()
        .map(|(range, fields)| (range, fields.into_iter().map(|field| (field.name, field.ty.oid)).collect()));
    let records = Arc::new(records.collect());
    Ok(BoundStatement {
        statement: Arc::new(statement),
        parameters,
        views: binder.views,
        inlined: binder.inlined,
        records,
    })
}

/// How deep expressions and queries may nest: a bound on the stack that one statement can take.
const DEPTH_MAX: usize = 256;

/// An expression on its way into the tree, with what only the binder needs to know about it.
#[derive(Clone, Debug)]
struct Typed {
    expr: Expr,
    /// Where its leftmost part stands.
    at: At,
    /// Where its collation comes from.
    strength: Strength,
}

impl Typed {
    /// An expression of a type that has no collation, or whose collation is settled later.
    fn new(kind: ExprKind, ty: TypeMod, at: At) -> Self {
        Self { expr: Expr { kind, ty, collation: Oid::INVALID }, at, strength: Strength::None }
    }

    fn boolean(kind: ExprKind, at: At) -> Self {
        Self::new(kind, TypeMod::plain(types::BOOL), at)
    }

    fn type_oid(&self) -> Oid {
        self.expr.ty.oid
    }

    fn is_unknown(&self) -> bool {
        self.expr.ty.oid == types::UNKNOWN
    }
}

/// The state of binding one statement.
struct Binder<'a> {
    context: &'a BindContext<'a>,
    /// The levels of query that enclose what is being bound, outermost first.
    scopes: Vec<Scope>,
    parameters: parameters::Parameters,
    counters: Counters,
    /// The level of `scopes` at which each range stands.
    range_levels: HashMap<RangeId, usize>,
    /// The columns of ranges whose whole row is an anonymous record.
    record_shapes: HashMap<RangeId, Vec<RecordField>>,
    /// The table columns that columns come from unchanged.
    origins: HashMap<(RangeId, usize), (Oid, i16)>,
    /// The WITH query whose recursive term is being bound.
    recursive_name: Option<String>,
    /// The fields of columns that are anonymous records.
    column_shapes: HashMap<(RangeId, usize), Vec<RecordField>>,
    depth: usize,
    /// The views met so far.
    views: Vec<ViewUse>,
    /// The functions in language SQL that have become queries.
    inlined: Vec<Oid>,
    /// The functions whose bodies enclose what is being bound, outermost first.
    routines: Vec<Oid>,
    /// In a function's body: the arguments.
    arguments: Vec<Expr>,
    /// `VALUE` in a domain's check: the domain's base type.
    domain_value: Option<TypeMod>,
}

/// The next number of each kind.
#[derive(Clone, Copy, Default)]
struct Counters {
    range: u32,
    select: u32,
    cte: u32,
}

impl<'a> Binder<'a> {
    fn new(context: &'a BindContext<'a>) -> Self {
        Self {
            context,
            scopes: Vec::new(),
            parameters: parameters::Parameters::new(context.parameters),
            counters: Counters::default(),
            range_levels: HashMap::new(),
            record_shapes: HashMap::new(),
            origins: HashMap::new(),
            recursive_name: None,
            column_shapes: HashMap::new(),
            depth: 0,
            views: Vec::new(),
            inlined: Vec::new(),
            routines: Vec::new(),
            arguments: Vec::new(),
            domain_value: None,
        }
    }

    fn catalog(&self) -> &'a Catalog {
        self.context.catalog
    }

    fn new_range(&mut self) -> RangeId {
        self.counters.range += 1;
        let range = RangeId(self.counters.range);
        self.range_levels.insert(range, self.scopes.len().saturating_sub(1));
        range
    }

    fn new_select(&mut self) -> SelectId {
        self.counters.select += 1;
        SelectId(self.counters.select)
    }

    fn new_cte(&mut self) -> CteId {
        self.counters.cte += 1;
        CteId(self.counters.cte)
    }

    /// The innermost level.
    fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("binding happens inside a scope")
    }

    fn scope_ref(&self) -> &Scope {
        self.scopes.last().expect("binding happens inside a scope")
    }

    fn push_scope(&mut self) -> SelectId {
        let select = self.new_select();
        self.scopes.push(Scope::new(select));
        select
    }

    /// Runs `bind` one level of query further in.
    fn in_new_scope<T>(&mut self, bind: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.push_scope();
        let result = self.deeper(bind);
        self.scopes.pop();
        result
    }

    /// Runs `bind` with the current level in `clause`.
    fn in_clause<T>(&mut self, clause: Clause, bind: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.scope().clause, clause);
        let result = bind(self);
        self.scope().clause = before;
        result
    }

    /// Runs `bind` one step deeper, within [`DEPTH_MAX`].
    fn deeper<T>(&mut self, bind: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= DEPTH_MAX {
            return Err(crate::parse::errors::too_deep());
        }
        crate::interrupt::check()?;
        self.depth += 1;
        let result = bind(self);
        self.depth -= 1;
        result
    }

    /// The position that an error carries for a place.
    fn position(&self, at: At) -> Option<usize> {
        position::resolve(self.context.text, at)
    }

    fn position_of(&self, location: Location) -> Option<usize> {
        self.position(At::new(location))
    }

    fn format_type(&self, oid: Oid) -> String {
        crate::types::format_type(TypeMod::plain(oid), self.catalog(), self.context.search_path)
    }
}
