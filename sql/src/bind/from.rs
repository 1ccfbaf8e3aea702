//! FROM: tables, views, subqueries, WITH queries and functions, and the names that they bring.
//!
//! Source: `src/backend/parser/parse_clause.c` (`transformFromClause`), `parse_relation.c`.

use sqlparser::ast;

use super::aggregates::each_column;
use super::position::At;
use super::scope::{
    Clause, CteState, NamespaceItem, RecordField, ScopeColumn, at_ident, ident_name, name_location,
    name_parts,
};
use super::{Binder, Typed};
use crate::bound::{
    Expr, ExprKind, FromItem, JoinKind, OutputColumn, Query, RangeFunction, RangeId, TypeMod,
};
use crate::catalog::Class;
use crate::oid::types;
use crate::{Oid, Result, SqlError, error};

/// A FROM item with the names it brings.
pub(super) type Bound = (FromItem, Vec<NamespaceItem>);

impl Binder<'_> {
    /// Binds FROM into the current level.
    pub(super) fn from_clause(&mut self, tables: &[ast::TableWithJoins]) -> Result<Option<FromItem>> {
        let mut whole: Option<FromItem> = None;
        for table in tables {
            let (item, names) = self.table_with_joins(table)?;
            self.add_items(names, true, true)?;
            whole = Some(match whole {
                None => item,
                Some(left) => FromItem::Join {
                    kind: JoinKind::Cross,
                    left: Box::new(left),
                    right: Box::new(item),
                    on: None,
                },
            });
        }
        for item in &mut self.scope().items {
            item.lateral_only = false;
            item.lateral_ok = true;
        }
        Ok(whole)
    }

    /// Adds names to the current level.
    ///
    /// # Errors
    /// `42712` when one is there already.
    pub(super) fn add_items(
        &mut self,
        names: Vec<NamespaceItem>,
        lateral_only: bool,
        lateral_ok: bool,
    ) -> Result<()> {
        self.refuse_same_names(&names)?;
        let scope = self.scope();
        scope.items.extend(names.into_iter().map(|item| NamespaceItem { lateral_only, lateral_ok, ..item }));
        Ok(())
    }

    fn refuse_same_names(&self, names: &[NamespaceItem]) -> Result<()> {
        for (index, item) in names.iter().enumerate() {
            if !item.relation_visible {
                continue;
            }
            let others = self.scope_ref().items.iter().chain(&names[..index]);
            for other in others {
                let same = other.relation_visible && other.name == item.name;
                let different_schemas =
                    item.relation.is_some() && other.relation.is_some() && item.relation != other.relation;
                if same && !different_schemas {
                    return Err(error!(
                        DUPLICATE_ALIAS,
                        "table name \"{}\" specified more than once", item.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// A table and what is joined to it.
    pub(super) fn table_with_joins(&mut self, table: &ast::TableWithJoins) -> Result<Bound> {
        let mut bound = self.table_factor(&table.relation)?;
        for join in &table.joins {
            bound = self.deeper(|binder| binder.join(bound, join))?;
        }
        Ok(bound)
    }

    /// One item of FROM.
    pub(super) fn table_factor(&mut self, factor: &ast::TableFactor) -> Result<Bound> {
        match factor {
            ast::TableFactor::Table { name, alias, args: None, .. } => self.table(name, alias.as_ref()),
            ast::TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                let calls = vec![(name_parts(name), args.args.iter().collect::<Vec<_>>(), at_name(name))];
                self.functions(&calls, alias.as_ref(), *with_ordinality)
            }
            ast::TableFactor::Function { name, args, with_ordinality, alias, .. } => {
                self.named_functions(name, args, alias.as_ref(), *with_ordinality)
            }
            ast::TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } => {
                self.unnest(array_exprs, alias.as_ref(), *with_ordinality)
            }
            ast::TableFactor::Derived { lateral, subquery, alias, .. } => {
                self.derived(*lateral, subquery, alias.as_ref())
            }
            ast::TableFactor::NestedJoin { table_with_joins, alias } => {
                let (item, names) = self.deeper(|binder| binder.table_with_joins(table_with_joins))?;
                match alias {
                    None => Ok((item, names)),
                    Some(alias) => Ok((item, vec![self.join_alias(names, alias)?])),
                }
            }
            _ => Err(SqlError::unsupported("this item in FROM")),
        }
    }

    /// A table, view or WITH query by name.
    fn table(&mut self, name: &ast::ObjectName, alias: Option<&ast::TableAlias>) -> Result<Bound> {
        if let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice()
            && let Some(bound) = self.cte_reference(ident, alias)?
        {
            return Ok(bound);
        }
        let class = self.relation(name).map_err(|error| self.with_cte_hint(error, name))?;
        self.relation_item(&class, alias, at_name(name))
    }

    /// A relation as a FROM item.
    pub(super) fn relation_item(
        &mut self,
        class: &Class,
        alias: Option<&ast::TableAlias>,
        at: At,
    ) -> Result<Bound> {
        match class.relkind {
            'i' | 'I' | 'c' => {
                let what = if class.relkind == 'c' { "composite types" } else { "indexes" };
                return Err(error!(WRONG_OBJECT_TYPE, "cannot open relation \"{}\"", class.relname)
                    .detail(format!("This operation is not supported for {what}."))
                    .at(self.position(at)));
            }
            _ => {}
        }
        let range = self.new_range();
        let item = if class.relkind == 'v' {
            let query = self.view_query(class, Some(range))?;
            FromItem::Subquery { range, query: Box::new(query), lateral: false }
        } else {
            FromItem::Relation { range, relation: class.oid }
        };
        let mut names = self.relation_names(class, range);
        self.apply_alias(&mut names, alias)?;
        Ok((item, vec![names]))
    }

    /// The names that a relation brings.
    pub(super) fn relation_names(&mut self, class: &Class, range: RangeId) -> NamespaceItem {
        let attributes = self.catalog().attributes(class.oid);
        let columns = attributes
            .iter()
            .enumerate()
            .map(|(column, attribute)| {
                let origin = (class.oid, attribute.attnum);
                self.origins.insert((range, column), origin);
                ScopeColumn {
                    name: attribute.attname.clone(),
                    expr: Expr {
                        kind: ExprKind::Column { range, column },
                        ty: TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod },
                        collation: attribute.attcollation,
                    },
                    dropped: attribute.attisdropped,
                }
            })
            .collect();
        NamespaceItem {
            name: class.relname.clone(),
            relation: Some(class.oid),
            range: Some(range),
            columns,
            row_type: class.reltype,
            scalar: false,
            system: (class.relkind != 'v').then_some(class.oid),
            relation_visible: true,
            columns_visible: true,
            lateral_only: false,
            lateral_ok: true,
        }
    }

    /// Renames an item and its columns.
    pub(super) fn apply_alias(
        &self,
        item: &mut NamespaceItem,
        alias: Option<&ast::TableAlias>,
    ) -> Result<()> {
        let Some(alias) = alias else { return Ok(()) };
        let name = ident_name(&alias.name);
        if !name.is_empty() {
            item.name = name;
        }
        item.relation = None;
        let available = item.columns.iter().filter(|column| !column.dropped).count();
        if alias.columns.len() > available {
            return Err(error!(
                INVALID_COLUMN_REFERENCE,
                "table \"{}\" has {available} columns available but {} columns specified",
                item.name,
                alias.columns.len()
            ));
        }
        let visible = item.columns.iter_mut().filter(|column| !column.dropped);
        for (column, definition) in visible.zip(&alias.columns) {
            column.name = ident_name(&definition.name);
        }
        Ok(())
    }

    /// The names that the output of a query brings.
    pub(super) fn output_names(
        &mut self,
        name: &str,
        range: RangeId,
        columns: &[OutputColumn],
    ) -> NamespaceItem {
        let mut fields = Vec::with_capacity(columns.len());
        let columns = columns
            .iter()
            .enumerate()
            .map(|(column, output)| {
                if let Some(origin) = output.origin {
                    self.origins.insert((range, column), origin);
                }
                fields.push(RecordField {
                    name: output.name.clone(),
                    ty: output.ty,
                    collation: output.collation,
                });
                ScopeColumn {
                    name: output.name.clone(),
                    expr: Expr {
                        kind: ExprKind::Column { range, column },
                        ty: output.ty,
                        collation: output.collation,
                    },
                    dropped: false,
                }
            })
            .collect();
        self.record_shapes.insert(range, fields);
        NamespaceItem {
            name: name.to_owned(),
            relation: None,
            range: Some(range),
            columns,
            row_type: types::RECORD,
            scalar: false,
            system: None,
            relation_visible: true,
            columns_visible: true,
            lateral_only: false,
            lateral_ok: true,
        }
    }

    /// A subquery in FROM.
    fn derived(
        &mut self,
        lateral: bool,
        tree: &ast::Query,
        alias: Option<&ast::TableAlias>,
    ) -> Result<Bound> {
        let before = self.scope_ref().lateral_active;
        self.scope().lateral_active = lateral || before;
        let query = self.in_clause(Clause::FromSubselect, |binder| binder.query(tree, true));
        self.scope().lateral_active = before;
        let query = query?;
        let range = self.new_range();
        self.note_record_columns(range, &query);
        let lateral = lateral && self.refers_here(&query);
        let mut names = self.output_names("", range, &query.columns);
        names.relation_visible = alias.is_some();
        self.apply_alias(&mut names, alias)?;
        self.rename_record(range, &names);
        Ok((FromItem::Subquery { range, query: Box::new(query), lateral }, vec![names]))
    }

    /// Keeps the fields of columns that are anonymous records.
    pub(super) fn note_record_columns(&mut self, range: RangeId, query: &Query) {
        for (column, target) in super::query::targets(query).into_iter().enumerate() {
            if target.ty.oid == types::RECORD
                && let Some(shape) = self.record_shape(target)
            {
                self.column_shapes.insert((range, column), shape);
            }
        }
    }

    /// Gives a whole row's fields the names of the column aliases.
    fn rename_record(&mut self, range: RangeId, names: &NamespaceItem) {
        if let Some(fields) = self.record_shapes.get_mut(&range) {
            for (field, column) in fields.iter_mut().zip(&names.columns) {
                field.name.clone_from(&column.name);
            }
        }
    }

    /// Whether a subquery refers to the level that contains it.
    fn refers_here(&self, query: &Query) -> bool {
        let level = self.scopes.len() - 1;
        let mut found = false;
        super::walk::each_in_query(query, &mut |expr| {
            each_column(expr, &mut |range, _| found |= self.range_levels.get(&range) == Some(&level));
        });
        found
    }

    /// A reference to a WITH query, when the name is one's.
    fn cte_reference(
        &mut self,
        ident: &ast::Ident,
        alias: Option<&ast::TableAlias>,
    ) -> Result<Option<Bound>> {
        let name = ident_name(ident);
        let found = self.scopes.iter_mut().rev().find_map(|scope| {
            scope.ctes.iter_mut().rev().find(|cte| cte.name == name && cte.state != CteState::NotYet)
        });
        let Some(cte) = found else { return Ok(None) };
        cte.references += 1;
        let cte = cte.clone();
        if cte.state == CteState::WithoutColumns {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "WITH query \"{name}\" does not have a RETURNING clause"
            )
            .at(self.position(at_ident(ident))));
        }
        let range = self.new_range();
        let mut names = self.output_names(&name, range, &cte.columns);
        self.apply_alias(&mut names, alias)?;
        self.rename_record(range, &names);
        Ok(Some((FromItem::Cte { range, cte: cte.id }, vec![names])))
    }

    fn with_cte_hint(&self, error: SqlError, name: &ast::ObjectName) -> SqlError {
        let parts = name_parts(name);
        let hidden = self
            .scopes
            .iter()
            .rev()
            .flat_map(|scope| scope.ctes.iter())
            .any(|cte| parts.len() == 1 && cte.name == parts[0] && cte.state == CteState::NotYet);
        if !hidden {
            return error;
        }
        error
            .detail(format!(
                "There is a WITH item named \"{}\", but it cannot be referenced from this part of the query.",
                parts[0]
            ))
            .hint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references.")
    }

    fn named_functions(
        &mut self,
        name: &ast::ObjectName,
        args: &[ast::FunctionArg],
        alias: Option<&ast::TableAlias>,
        ordinality: bool,
    ) -> Result<Bound> {
        let parts = name_parts(name);
        if parts != ["rows from"] {
            return self.functions(&[(parts, args.iter().collect(), at_name(name))], alias, ordinality);
        }
        let calls: Vec<_> = args
            .iter()
            .filter_map(|argument| match argument {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ast::Expr::Function(function))) => {
                    let list = match &function.args {
                        ast::FunctionArguments::List(list) => list.args.iter().collect(),
                        _ => Vec::new(),
                    };
                    Some((name_parts(&function.name), list, at_name(&function.name)))
                }
                _ => None,
            })
            .collect();
        self.functions(&calls, alias, ordinality)
    }

    /// `unnest(a, b)` is `ROWS FROM (unnest(a), unnest(b))`.
    fn unnest(
        &mut self,
        arrays: &[ast::Expr],
        alias: Option<&ast::TableAlias>,
        ordinality: bool,
    ) -> Result<Bound> {
        let mut calls = Vec::with_capacity(arrays.len());
        for array in arrays {
            let call = self.in_from_function(|binder| {
                let array = binder.expr(array)?;
                let at = array.at.prefixed();
                let arguments = super::functions::Arguments::positional(vec![array]);
                binder.call_named(&["unnest".to_owned()], arguments, at)
            })?;
            calls.push(("unnest".to_owned(), call));
        }
        self.function_item(calls, alias, ordinality)
    }

    fn in_from_function<T>(&mut self, bind: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.scope().lateral_active, true);
        let result = self.in_clause(Clause::FromFunction, bind);
        self.scope().lateral_active = before;
        result
    }

    fn functions(
        &mut self,
        calls: &[(Vec<String>, Vec<&ast::FunctionArg>, At)],
        alias: Option<&ast::TableAlias>,
        ordinality: bool,
    ) -> Result<Bound> {
        let mut bound = Vec::with_capacity(calls.len());
        for (name, args, at) in calls {
            let call = self.in_from_function(|binder| binder.table_function(name, args, *at))?;
            bound.push((name.last().cloned().unwrap_or_default(), call));
        }
        self.function_item(bound, alias, ordinality)
    }

    fn table_function(&mut self, name: &[String], args: &[&ast::FunctionArg], at: At) -> Result<Typed> {
        let object = ast::ObjectName(
            name.iter()
                .map(|part| {
                    let mut ident = ast::Ident::with_quote('"', part);
                    ident.span.start = at.location;
                    ast::ObjectNamePart::Identifier(ident)
                })
                .collect(),
        );
        let list = ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: args.iter().map(|arg| (*arg).clone()).collect(),
            clauses: Vec::new(),
        };
        let function = ast::Function {
            name: object,
            uses_odbc_syntax: false,
            parameters: ast::FunctionArguments::None,
            args: ast::FunctionArguments::List(list),
            within_group: Vec::new(),
            filter: None,
            null_treatment: None,
            over: None,
        };
        self.function(&function)
    }

    /// Bound calls as a FROM item.
    fn function_item(
        &mut self,
        calls: Vec<(String, Typed)>,
        alias: Option<&ast::TableAlias>,
        ordinality: bool,
    ) -> Result<Bound> {
        let range = self.new_range();
        let alias_name = alias.map(|alias| ident_name(&alias.name)).filter(|name| !name.is_empty());
        let single = calls.len() == 1;
        let mut functions = Vec::with_capacity(calls.len());
        let mut outputs = Vec::new();
        let mut row_type = types::RECORD;
        let mut scalar = false;
        let mut item_name = None;
        let definitions = alias.map_or(&[][..], |alias| &alias.columns);
        let typed_definitions = definitions.iter().any(|definition| definition.data_type.is_some());
        for (name, call) in calls {
            let alias_column = alias_name.clone().filter(|_| single);
            let column_name = self.result_name(&call).or(alias_column).unwrap_or_else(|| name.clone());
            item_name.get_or_insert(name);
            let shape = self.function_shape(&call, definitions, typed_definitions)?;
            let columns = match shape {
                Some(fields) => {
                    if single && !ordinality {
                        row_type = call.type_oid();
                    }
                    fields
                        .into_iter()
                        .map(|field| output(field.name, field.ty, field.collation))
                        .collect::<Vec<_>>()
                }
                None => {
                    scalar = single && !ordinality;
                    if scalar {
                        row_type = call.type_oid();
                    }
                    vec![output(column_name, call.expr.ty, call.expr.collation)]
                }
            };
            outputs.extend(columns.iter().cloned());
            functions.push(RangeFunction { call: call.expr, columns });
        }
        if ordinality {
            outputs.push(output("ordinality".to_owned(), TypeMod::plain(types::INT8), Oid::INVALID));
        }
        let level = self.scopes.len() - 1;
        let mut lateral = false;
        for function in &functions {
            each_column(&function.call, &mut |range, _| {
                lateral |= self.range_levels.get(&range) == Some(&level);
            });
        }
        let name = item_name.unwrap_or_default();
        let mut names = self.output_names(&name, range, &outputs);
        names.row_type = row_type;
        names.scalar = scalar;
        if typed_definitions {
            names.name = alias_name.unwrap_or(name);
        } else {
            self.apply_alias(&mut names, alias)?;
        }
        self.rename_record(range, &names);
        if let ([function], false) = (functions.as_slice(), ordinality)
            && let Some(query) = self.table_routine(&function.call, &outputs)?
        {
            return Ok((FromItem::Subquery { range, query: Box::new(query), lateral }, vec![names]));
        }
        Ok((FromItem::Functions { range, calls: functions, ordinality, lateral }, vec![names]))
    }

    /// The name of a function's only OUT parameter.
    fn result_name(&self, call: &Typed) -> Option<String> {
        let (ExprKind::Call(call) | ExprKind::SetReturning(call)) = &call.expr.kind else { return None };
        let row = self.catalog().function(call.function)?;
        let names = row.proargnames.as_ref()?;
        let mut outs =
            row.proargmodes.as_ref()?.iter().enumerate().filter(|(_, mode)| matches!(mode, 'o' | 'b' | 't'));
        let (index, _) = outs.next()?;
        if outs.next().is_some() {
            return None;
        }
        names.get(index).filter(|name| !name.is_empty()).cloned()
    }

    /// The columns that a function with a composite result gives; nothing for a scalar one.
    fn function_shape(
        &mut self,
        call: &Typed,
        definitions: &[ast::TableAliasColumnDef],
        typed: bool,
    ) -> Result<Option<Vec<RecordField>>> {
        let place = self.position(call.at);
        let known = self.record_shape(&call.expr);
        if typed {
            if call.type_oid() != types::RECORD {
                return Err(error!(
                    SYNTAX_ERROR,
                    "a column definition list is only allowed for functions returning \"record\""
                )
                .at(place));
            }
            if known.is_some() {
                return Err(error!(
                    SYNTAX_ERROR,
                    "a column definition list is redundant for a function with OUT parameters"
                )
                .at(place));
            }
            let mut fields = Vec::with_capacity(definitions.len());
            for definition in definitions {
                let Some(data_type) = &definition.data_type else { continue };
                let ty = self.data_type(data_type)?;
                fields.push(RecordField {
                    name: ident_name(&definition.name),
                    ty,
                    collation: self.type_collation(ty.oid),
                });
            }
            return Ok(Some(fields));
        }
        if known.is_none() && call.type_oid() == types::RECORD {
            return Err(error!(
                SYNTAX_ERROR,
                "a column definition list is required for functions returning \"record\""
            )
            .at(place));
        }
        Ok(known.map(|fields| fields.into_iter().filter(|field| !field.name.is_empty()).collect()))
    }
}

fn at_name(name: &ast::ObjectName) -> At {
    At::new(name_location(name))
}

fn output(name: String, ty: TypeMod, collation: Oid) -> OutputColumn {
    OutputColumn { name, ty, collation, origin: None }
}
