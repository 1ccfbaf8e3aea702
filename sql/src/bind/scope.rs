//! Names: which relations and columns are visible at each level of query, and what a name means.
//!
//! Source: `src/backend/parser/parse_relation.c`, `parse_expr.c` (`transformColumnRef`).

use std::sync::Arc;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};
use sqlparser::tokenizer::Location;

use super::collations::Strength;
use super::position::At;
use super::{Binder, Typed};
use crate::bound::{CteId, Expr, ExprKind, OutputColumn, RangeId, SelectId, TypeMod, Window};
use crate::catalog::Class;
use crate::oid::types;
use crate::types::names::{Shown, refuse_other_database};
use crate::{Oid, Result, SqlError, error};

/// What a part of a statement is, for rules and messages about what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    Other,
    JoinOn,
    FromSubselect,
    FromFunction,
    Where,
    Having,
    Filter,
    WindowPartition,
    WindowOrder,
    WindowFrame,
    SelectTarget,
    UpdateSource,
    MergeWhen,
    GroupBy,
    OrderBy,
    DistinctOn,
    Limit,
    Offset,
    Returning,
    Values,
    ValuesSingle,
    CheckConstraint,
    DomainCheck,
    ColumnDefault,
    IndexExpression,
}

impl Clause {
    /// The words by which messages name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Other => "this clause",
            Self::JoinOn => "JOIN/ON",
            Self::FromSubselect => "sub-SELECT in FROM",
            Self::FromFunction => "function in FROM",
            Self::Where => "WHERE",
            Self::Having => "HAVING",
            Self::Filter => "FILTER",
            Self::WindowPartition => "window PARTITION BY",
            Self::WindowOrder => "window ORDER BY",
            Self::WindowFrame => "window frame",
            Self::SelectTarget => "SELECT",
            Self::UpdateSource => "UPDATE",
            Self::MergeWhen => "MERGE WHEN",
            Self::GroupBy => "GROUP BY",
            Self::OrderBy => "ORDER BY",
            Self::DistinctOn => "DISTINCT ON",
            Self::Limit => "LIMIT",
            Self::Offset => "OFFSET",
            Self::Returning => "RETURNING",
            Self::Values | Self::ValuesSingle => "VALUES",
            Self::CheckConstraint | Self::DomainCheck => "check constraints",
            Self::ColumnDefault => "DEFAULT expressions",
            Self::IndexExpression => "index expressions",
        }
    }
}

/// One level of query: what is visible in it, and what it has been found to contain.
pub(super) struct Scope {
    pub(super) select: SelectId,
    pub(super) items: Vec<NamespaceItem>,
    pub(super) ctes: Vec<CteEntry>,
    pub(super) clause: Clause,
    /// Whether FROM items to the left may be named (inside LATERAL).
    pub(super) lateral_active: bool,
    pub(super) has_aggregates: bool,
    pub(super) has_windows: bool,
    pub(super) has_set_returning: bool,
    /// How many calls of set-returning functions have been bound at this level.
    pub(super) sets_bound: usize,
    /// Where the last of them stands.
    pub(super) last_set: At,
    pub(super) windows: Vec<Window>,
    pub(super) window_names: Vec<(String, usize)>,
    /// The columns of this level that expressions have named, in order, outside aggregates of this level.
    pub(super) references: Vec<Reference>,
    /// How many calls of aggregates enclose what is being bound.
    pub(super) aggregate_depth: usize,
    /// The arguments of GROUPING at this level, to be looked up among the keys.
    pub(super) groupings: Vec<Vec<Typed>>,
}

/// A column named by an expression.
#[derive(Clone, Copy)]
pub(super) struct Reference {
    pub(super) range: RangeId,
    pub(super) column: usize,
    pub(super) at: At,
    pub(super) in_aggregate: bool,
    /// Whether it was named from a subquery.
    pub(super) from_subquery: bool,
}

/// A WITH query that can be named.
#[derive(Clone)]
pub(super) struct CteEntry {
    pub(super) name: String,
    pub(super) id: CteId,
    pub(super) columns: Vec<OutputColumn>,
    /// Whether its columns are known yet (not inside the non-recursive arm of itself).
    pub(super) state: CteState,
    pub(super) references: usize,
}

/// How far a WITH query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CteState {
    /// Its columns are known.
    Ready,
    /// It is being bound and may not be named here.
    NotYet,
    /// It modifies data and has no RETURNING.
    WithoutColumns,
}

/// One name in FROM.
#[derive(Clone)]
pub(super) struct NamespaceItem {
    pub(super) name: String,
    /// The relation, when it is named by its own name.
    pub(super) relation: Option<Oid>,
    /// Its number; joins have none.
    pub(super) range: Option<RangeId>,
    pub(super) columns: Vec<ScopeColumn>,
    /// The type of its whole row.
    pub(super) row_type: Oid,
    /// For a function with a scalar result: its whole row is its only column.
    pub(super) scalar: bool,
    /// Whether it has system columns, and of which relation.
    pub(super) system: Option<Oid>,
    pub(super) relation_visible: bool,
    pub(super) columns_visible: bool,
    pub(super) lateral_only: bool,
    pub(super) lateral_ok: bool,
}

/// A column that can be named.
#[derive(Clone)]
pub(super) struct ScopeColumn {
    pub(super) name: String,
    pub(super) expr: Expr,
    /// Dropped: keeps its place and cannot be named.
    pub(super) dropped: bool,
}

/// A field of an anonymous record.
#[derive(Clone, Debug)]
pub(super) struct RecordField {
    pub(super) name: String,
    pub(super) ty: TypeMod,
    pub(super) collation: Oid,
}

impl ScopeColumn {
    pub(super) fn typed(&self, at: At) -> Typed {
        let strength = if self.expr.collation.is_valid() { Strength::Implicit } else { Strength::None };
        Typed { expr: self.expr.clone(), at, strength }
    }
}

impl Scope {
    pub(super) fn new(select: SelectId) -> Self {
        Self {
            select,
            items: Vec::new(),
            ctes: Vec::new(),
            clause: Clause::Other,
            lateral_active: false,
            has_aggregates: false,
            has_windows: false,
            has_set_returning: false,
            sets_bound: 0,
            last_set: At::NOWHERE,
            windows: Vec::new(),
            window_names: Vec::new(),
            references: Vec::new(),
            aggregate_depth: 0,
            groupings: Vec::new(),
        }
    }
}

/// The words of a name.
pub(super) fn name_parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().map(part_text).collect()
}

fn part_text(part: &ObjectNamePart) -> String {
    match part {
        ObjectNamePart::Identifier(ident) => ident_name(ident),
        ObjectNamePart::Function(function) => ident_name(&function.name),
    }
}

/// Where a name begins.
pub(super) fn name_location(name: &ObjectName) -> Location {
    match name.0.first() {
        Some(ObjectNamePart::Identifier(ident)) => ident.span.start,
        Some(ObjectNamePart::Function(function)) => function.name.span.start,
        None => Location { line: 0, column: 0 },
    }
}

/// The longest name, in bytes (PostgreSQL's `NAMEDATALEN - 1`).
const NAME_BYTES_MAX: usize = 63;

/// A name as the catalog has it: unquoted ones in lower case (ASCII only), cut to 63 bytes.
pub(super) fn ident_name(ident: &Ident) -> String {
    let mut name =
        if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() };
    if name.len() > NAME_BYTES_MAX {
        let end = (0..=NAME_BYTES_MAX).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
        name.truncate(end);
    }
    name
}

pub(super) fn at_ident(ident: &Ident) -> At {
    At::new(ident.span.start)
}

/// The system columns: name, number, type.
const SYSTEM_COLUMNS: &[(&str, i16, Oid)] = &[
    ("ctid", -1, types::TID),
    ("xmin", -2, types::XID),
    ("cmin", -3, types::CID),
    ("xmax", -4, types::XID),
    ("cmax", -5, types::CID),
    ("tableoid", -6, types::OID),
];

/// Whether a name is a system column's.
pub(super) fn is_system_column(name: &str) -> bool {
    SYSTEM_COLUMNS.iter().any(|column| column.0 == name)
}

/// What a search for a name in FROM found.
enum FoundItem {
    Item(usize, usize),
    NotLateral,
    Nothing,
}

impl Binder<'_> {
    /// The schema of this name.
    ///
    /// # Errors
    /// `3F000` when there is none.
    pub(super) fn namespace(&self, name: &str, at: At) -> Result<Oid> {
        if name == "pg_temp" {
            let temporary = self.context.search_path.iter().find(|oid| {
                self.catalog().namespace(**oid).is_some_and(|row| row.nspname.starts_with("pg_temp_"))
            });
            if let Some(temporary) = temporary {
                return Ok(*temporary);
            }
        }
        self.catalog().namespace_named(name).map(|row| row.oid).ok_or_else(|| {
            error!(INVALID_SCHEMA_NAME, "schema \"{name}\" does not exist").at(self.position(at))
        })
    }

    /// The relation of this name, by the search path when it has no schema.
    pub(super) fn find_relation(&self, name: &ObjectName) -> Result<Option<Arc<Class>>> {
        let parts = name_parts(name);
        let at = At::new(name_location(name));
        match parts.as_slice() {
            [single] => Ok(self
                .context
                .search_path
                .iter()
                .find_map(|namespace| self.catalog().class_named(*namespace, single))),
            [schema, single] | [_, schema, single] => {
                self.refuse_other_database(&parts, Shown::Quoted, at)?;
                if let Some(namespace) = self.catalog().namespace_named(schema) {
                    return Ok(self.catalog().class_named(namespace.oid, single));
                }
                match self.namespace(schema, at) {
                    Ok(namespace) => Ok(self.catalog().class_named(namespace, single)),
                    Err(_) => Ok(None),
                }
            }
            _ => Err(error!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {}",
                parts.join(".")
            )
            .at(self.position(at))),
        }
    }

    /// # Errors
    /// `0A000` for a name in another database.
    pub(super) fn refuse_other_database(&self, parts: &[String], shown: Shown, at: At) -> Result<()> {
        let refused = refuse_other_database(parts, shown, self.catalog());
        refused.map_err(|error| error.at(self.position(at)))
    }

    /// The relation of this name.
    ///
    /// # Errors
    /// `42P01` when there is none.
    pub(super) fn relation(&self, name: &ObjectName) -> Result<Arc<Class>> {
        self.find_relation(name)?.ok_or_else(|| {
            error!(UNDEFINED_TABLE, "relation \"{}\" does not exist", name_parts(name).join("."))
                .at(self.position_of(name_location(name)))
        })
    }

    /// Binds a name without a qualifier: a column, or a whole row.
    pub(super) fn unqualified(&mut self, ident: &Ident) -> Result<Typed> {
        let name = ident_name(ident);
        let at = at_ident(ident);
        if let Some(column) = self.find_column(&name, at)? {
            return Ok(column);
        }
        if name == "value"
            && let Some(ty) = self.domain_value
        {
            return Ok(self.with_type_collation(Typed::new(ExprKind::Placeholder, ty, at)));
        }
        if let FoundItem::Item(level, index) = self.find_item(None, &name, at)? {
            return self.whole_row(level, index, at);
        }
        Err(self.undefined_column(None, &name, at))
    }

    /// The innermost column of this name.
    fn find_column(&mut self, name: &str, at: At) -> Result<Option<Typed>> {
        for level in (0..self.scopes.len()).rev() {
            let mut found = None;
            let mut hidden = false;
            for (index, item) in self.scopes[level].items.iter().enumerate() {
                if !item.columns_visible || (item.lateral_only && !self.scopes[level].lateral_active) {
                    continue;
                }
                for (column, scope_column) in item.columns.iter().enumerate() {
                    if scope_column.dropped || scope_column.name != name {
                        continue;
                    }
                    if found.is_some() {
                        return Err(error!(AMBIGUOUS_COLUMN, "column reference \"{name}\" is ambiguous")
                            .at(self.position(at)));
                    }
                    found = Some((index, column));
                    hidden = item.lateral_only && !item.lateral_ok;
                }
            }
            if let Some((index, column)) = found {
                if hidden {
                    return Err(self.bad_lateral(level, index, at));
                }
                return Ok(Some(self.use_column(level, index, column, at)));
            }
            if let Some(system) = self.find_system_column(level, name, at)? {
                return Ok(Some(system));
            }
        }
        Ok(None)
    }

    fn find_system_column(&mut self, level: usize, name: &str, at: At) -> Result<Option<Typed>> {
        let Some((_, attnum, ty)) = SYSTEM_COLUMNS.iter().find(|column| column.0 == name) else {
            return Ok(None);
        };
        let scope = &self.scopes[level];
        let mut ranges = scope.items.iter().filter(|item| {
            item.columns_visible && item.system.is_some() && (!item.lateral_only || scope.lateral_active)
        });
        let Some(range) = ranges.next().and_then(|item| item.range) else { return Ok(None) };
        if ranges.next().is_some() {
            return Err(
                error!(AMBIGUOUS_COLUMN, "column reference \"{name}\" is ambiguous").at(self.position(at))
            );
        }
        let kind = ExprKind::SystemColumn { range, attnum: *attnum };
        Ok(Some(Typed::new(kind, TypeMod::plain(*ty), at)))
    }

    /// A reference to a column, noted for the grouping check.
    pub(super) fn use_column(&mut self, level: usize, item: usize, column: usize, at: At) -> Typed {
        let typed = self.scopes[level].items[item].columns[column].typed(at);
        self.note_references(&typed.expr, at);
        typed
    }

    /// Notes the columns in an expression for the grouping check of their levels.
    pub(super) fn note_references(&mut self, expr: &Expr, at: At) {
        let mut found = Vec::new();
        super::aggregates::each_column(expr, &mut |range, column| found.push((range, column)));
        let innermost = self.scopes.len() - 1;
        for (range, column) in found {
            let Some(level) = self.range_levels.get(&range).copied() else { continue };
            let from_subquery = level < innermost;
            let Some(scope) = self.scopes.get_mut(level) else { continue };
            let in_aggregate = scope.aggregate_depth > 0;
            scope.references.push(Reference { range, column, at, in_aggregate, from_subquery });
        }
    }

    fn bad_lateral(&self, level: usize, index: usize, at: At) -> SqlError {
        let name = &self.scopes[level].items[index].name;
        error!(INVALID_COLUMN_REFERENCE, "invalid reference to FROM-clause entry for table \"{name}\"")
            .detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
            .at(self.position(at))
    }

    /// The innermost FROM item of this name.
    fn find_item(&self, schema: Option<&str>, name: &str, at: At) -> Result<FoundItem> {
        let relation = match schema {
            None => None,
            Some(schema) => {
                let Some(namespace) = self.catalog().namespace_named(schema) else {
                    return Ok(FoundItem::Nothing);
                };
                match self.catalog().class_named(namespace.oid, name) {
                    Some(class) => Some(class.oid),
                    None => return Ok(FoundItem::Nothing),
                }
            }
        };
        let mut not_lateral = false;
        for level in (0..self.scopes.len()).rev() {
            let scope = &self.scopes[level];
            let mut found = None;
            for (index, item) in scope.items.iter().enumerate() {
                if !item.relation_visible
                    || item.name != name
                    || (relation.is_some() && item.relation != relation)
                {
                    continue;
                }
                if item.lateral_only && !scope.lateral_active {
                    not_lateral = true;
                    continue;
                }
                if found.is_some() {
                    return Err(error!(AMBIGUOUS_ALIAS, "table reference \"{name}\" is ambiguous")
                        .at(self.position(at)));
                }
                found = Some(index);
            }
            if let Some(index) = found {
                if scope.items[index].lateral_only && !scope.items[index].lateral_ok {
                    return Err(self.bad_lateral(level, index, at));
                }
                return Ok(FoundItem::Item(level, index));
            }
        }
        Ok(if not_lateral { FoundItem::NotLateral } else { FoundItem::Nothing })
    }

    /// The FROM item that qualifies a name, as level and index.
    ///
    /// # Errors
    /// `42P01` with PostgreSQL's hints when there is none.
    pub(super) fn item(&self, qualifier: &[String], at: At) -> Result<(usize, usize)> {
        let (schema, name) = match qualifier {
            [name] => (None, name.as_str()),
            [schema, name] | [_, schema, name] => (Some(schema.as_str()), name.as_str()),
            _ => {
                return Err(error!(
                    SYNTAX_ERROR,
                    "improper qualified name (too many dotted names): {}",
                    qualifier.join(".")
                )
                .at(self.position(at)));
            }
        };
        match self.find_item(schema, name, at)? {
            FoundItem::Item(level, index) => Ok((level, index)),
            FoundItem::NotLateral => Err(self.unreachable_item(name, at)),
            FoundItem::Nothing => Err(self.missing_item(&qualifier.join("."), name, at)),
        }
    }

    fn unreachable_item(&self, name: &str, at: At) -> SqlError {
        error!(UNDEFINED_TABLE, "invalid reference to FROM-clause entry for table \"{name}\"")
            .detail(format!(
                "There is an entry for table \"{name}\", but it cannot be referenced from this part of the query."
            ))
            .hint("To reference that table, you must mark this subquery with LATERAL.")
            .at(self.position(at))
    }

    fn missing_item(&self, written: &str, name: &str, at: At) -> SqlError {
        let items = || self.scopes.iter().rev().flat_map(|scope| scope.items.iter());
        if let Some(hidden) =
            items().find(|item| item.name == name && !item.relation_visible && item.range.is_some())
        {
            return error!(UNDEFINED_TABLE, "invalid reference to FROM-clause entry for table \"{written}\"")
                .detail(format!(
                    "There is an entry for table \"{}\", but it cannot be referenced from this part of the query.",
                    hidden.name
                ))
                .at(self.position(at));
        }
        let by_relation = items().find(|item| {
            item.system.and_then(|oid| self.catalog().class(oid)).is_some_and(|class| class.relname == name)
                && item.name != name
                && item.range.is_some()
        });
        if let Some(aliased) = by_relation {
            return error!(UNDEFINED_TABLE, "invalid reference to FROM-clause entry for table \"{written}\"")
                .hint(format!("Perhaps you meant to reference the table alias \"{}\".", aliased.name))
                .at(self.position(at));
        }
        error!(UNDEFINED_TABLE, "missing FROM-clause entry for table \"{written}\"").at(self.position(at))
    }

    /// Binds `a.b`, `a.b.c` or `a.b.c.d`: a column of a FROM item; failing that a field of a composite column.
    pub(super) fn qualified(&mut self, idents: &[Ident]) -> Result<Typed> {
        let at = at_ident(&idents[0]);
        let names: Vec<String> = idents.iter().map(ident_name).collect();
        let (qualifier, rest) = names.split_at(names.len() - 1);
        let column = &rest[0];
        if qualifier.len() > 3 {
            return Err(error!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {}",
                names.join(".")
            )
            .at(self.position(at)));
        }
        if qualifier.len() == 3 {
            self.refuse_other_database(&names, Shown::Bare, at)?;
        }
        let (level, index) = self.item(qualifier, at)?;
        if let Some(typed) = self.column_of_item(level, index, column, at)? {
            return Ok(typed);
        }
        let row = self.whole_row(level, index, at)?;
        if let Some(call) = self.column_function(column, row, at)? {
            return Ok(call);
        }
        Err(self.undefined_column(Some(&qualifier.join(".")), column, at))
    }

    /// A column, or system column, of one FROM item.
    fn column_of_item(&mut self, level: usize, index: usize, name: &str, at: At) -> Result<Option<Typed>> {
        let item = &self.scopes[level].items[index];
        let mut matches =
            item.columns.iter().enumerate().filter(|(_, column)| !column.dropped && column.name == name);
        if let Some((column, _)) = matches.next() {
            if matches.next().is_some() {
                return Err(error!(AMBIGUOUS_COLUMN, "column reference \"{name}\" is ambiguous")
                    .at(self.position(at)));
            }
            return Ok(Some(self.use_column(level, index, column, at)));
        }
        if item.system.is_some()
            && let Some(range) = item.range
            && let Some((_, attnum, ty)) = SYSTEM_COLUMNS.iter().find(|column| column.0 == name)
        {
            let kind = ExprKind::SystemColumn { range, attnum: *attnum };
            return Ok(Some(Typed::new(kind, TypeMod::plain(*ty), at)));
        }
        Ok(None)
    }

    /// A whole row as a value.
    pub(super) fn whole_row(&mut self, level: usize, index: usize, at: At) -> Result<Typed> {
        let item = self.scopes[level].items[index].clone();
        if item.scalar
            && let Some(column) = item.columns.first()
        {
            self.note_references(&column.expr, at);
            return Ok(column.typed(at));
        }
        let kind = match item.range {
            Some(range) => ExprKind::WholeRow(range),
            None => ExprKind::Row(
                item.columns
                    .iter()
                    .filter(|column| !column.dropped)
                    .map(|column| column.expr.clone())
                    .collect(),
            ),
        };
        let typed = Typed::new(kind, TypeMod::plain(item.row_type), at);
        self.note_references(&typed.expr, at);
        Ok(typed)
    }

    /// `42703`, with the name that was perhaps meant.
    pub(super) fn undefined_column(&self, qualifier: Option<&str>, name: &str, at: At) -> SqlError {
        let error = match qualifier {
            Some(qualifier) => error!(UNDEFINED_COLUMN, "column {qualifier}.{name} does not exist"),
            None => error!(UNDEFINED_COLUMN, "column \"{name}\" does not exist"),
        }
        .at(self.position(at));
        match self.similar_column(qualifier, name) {
            Some(Similar::One(hint) | Similar::Elsewhere(hint)) => error.hint(hint),
            Some(Similar::Unreachable(item, column)) => error.detail(format!(
                "There is a column named \"{column}\" in table \"{item}\", but it cannot be referenced from this part of the query."
            )),
            None => error,
        }
    }

    /// The visible column whose name comes closest, when it comes close enough.
    fn similar_column(&self, qualifier: Option<&str>, name: &str) -> Option<Similar> {
        let mut best: Vec<(usize, String)> = Vec::new();
        let mut unreachable = None;
        let limit = name.len() / 2;
        for scope in self.scopes.iter().rev() {
            for item in scope.items.iter().filter(|item| item.range.is_some()) {
                let visible = item.relation_visible && (!item.lateral_only || scope.lateral_active);
                let penalty = match qualifier {
                    Some(qualifier) if qualifier != item.name => distance(qualifier, &item.name),
                    _ => 0,
                };
                for column in item.columns.iter().filter(|column| !column.dropped) {
                    let far = distance(name, &column.name) + penalty;
                    if !visible {
                        if far == 0 {
                            unreachable = Some(Similar::Unreachable(item.name.clone(), column.name.clone()));
                        }
                        continue;
                    }
                    if far <= 3 && far <= limit {
                        best.push((far, format!("\"{}.{}\"", item.name, column.name)));
                    }
                }
            }
        }
        let nearest = best.iter().map(|candidate| candidate.0).min();
        let Some(nearest) = nearest else { return unreachable };
        let mut names = best.iter().filter(|candidate| candidate.0 == nearest).map(|candidate| &candidate.1);
        match (names.next(), names.next(), names.next()) {
            (Some(one), None, None) => {
                Some(Similar::One(format!("Perhaps you meant to reference the column {one}.")))
            }
            (Some(one), Some(two), None) => Some(Similar::Elsewhere(format!(
                "Perhaps you meant to reference the column {one} or the column {two}."
            ))),
            _ => None,
        }
    }
}

/// What is said about a column that does not exist.
enum Similar {
    One(String),
    Elsewhere(String),
    Unreachable(String, String),
}

/// The Levenshtein distance of two names.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
