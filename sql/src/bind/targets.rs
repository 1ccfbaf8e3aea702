//! Select lists: `*` spelled out, and the names that columns get.
//!
//! Source: `src/backend/parser/parse_target.c`.

use sqlparser::ast::{self, Expr as Tree, SelectItem};

use super::position::At;
use super::scope::{ident_name, name_location, name_parts};
use super::{Binder, Typed};
use crate::bound::{ExprKind, OutputColumn, Target};
use crate::{Result, SqlError, error};

/// An item of a select list on its way into the tree.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) typed: Typed,
    pub(super) name: String,
    pub(super) hidden: bool,
}

impl Binder<'_> {
    /// Binds a select list.
    pub(super) fn target_list(&mut self, items: &[SelectItem]) -> Result<Vec<Entry>> {
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            match item {
                SelectItem::UnnamedExpr(tree) => entries.push(self.target(tree, None)?),
                SelectItem::ExprWithAlias { expr, alias } => {
                    entries.push(self.target(expr, Some(ident_name(alias)))?);
                }
                SelectItem::Wildcard(options) => {
                    let at = At::new(options.wildcard_token.0.span.start);
                    self.all_columns(at, &mut entries)?;
                }
                SelectItem::QualifiedWildcard(kind, _) => self.qualified_star(kind, &mut entries)?,
                SelectItem::ExprWithAliases { .. } => return Err(SqlError::unsupported("several aliases")),
            }
        }
        Ok(entries)
    }

    fn target(&mut self, tree: &Tree, name: Option<String>) -> Result<Entry> {
        let typed = self.expr(tree)?;
        let name = name.unwrap_or_else(|| column_name(tree));
        Ok(Entry { typed, name, hidden: false })
    }

    /// `*`.
    fn all_columns(&mut self, at: At, entries: &mut Vec<Entry>) -> Result<()> {
        let level = self.scopes.len() - 1;
        let mut any = false;
        for index in 0..self.scopes[level].items.len() {
            if !self.scopes[level].items[index].columns_visible {
                continue;
            }
            any = true;
            for (name, typed) in self.columns_of_item(level, index, at) {
                entries.push(Entry { typed, name, hidden: false });
            }
        }
        if any {
            return Ok(());
        }
        Err(error!(SYNTAX_ERROR, "SELECT * with no tables specified is not valid").at(self.position(at)))
    }

    /// The columns of a FROM item with their names.
    pub(super) fn columns_of_item(&mut self, level: usize, index: usize, at: At) -> Vec<(String, Typed)> {
        let columns = self.scopes[level].items[index].columns.clone();
        columns
            .into_iter()
            .enumerate()
            .filter(|(_, column)| !column.dropped)
            .map(|(position, column)| (column.name, self.use_column(level, index, position, at)))
            .collect()
    }

    /// `t.*`, `schema.t.*`, `(expr).*`.
    fn qualified_star(
        &mut self,
        kind: &ast::SelectItemQualifiedWildcardKind,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        match kind {
            ast::SelectItemQualifiedWildcardKind::ObjectName(name) => {
                let at = At::new(name_location(name));
                let parts = name_parts(name);
                match self.item(&parts, at) {
                    Ok((level, index)) => {
                        for (name, typed) in self.columns_of_item(level, index, at) {
                            entries.push(Entry { typed, name, hidden: false });
                        }
                        Ok(())
                    }
                    Err(error) => match self.composite_column(name)? {
                        Some(value) => self.all_fields(value, entries),
                        None => Err(error),
                    },
                }
            }
            ast::SelectItemQualifiedWildcardKind::Expr(tree) => {
                let value = self.expr(tree)?;
                self.all_fields(value, entries)
            }
        }
    }

    /// A column that is itself composite, as in `column.*` of `t.column.*`.
    fn composite_column(&mut self, name: &ast::ObjectName) -> Result<Option<Typed>> {
        let idents: Vec<ast::Ident> = name.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
        if idents.len() < 2 {
            return Ok(None);
        }
        Ok(self.qualified(&idents).ok())
    }

    /// `(value).*`.
    fn all_fields(&mut self, value: Typed, entries: &mut Vec<Entry>) -> Result<()> {
        let at = value.at;
        let Some(shape) = self.record_shape(&value.expr) else {
            return Err(error!(
                WRONG_OBJECT_TYPE,
                "type {} is not composite",
                self.format_type(value.type_oid())
            )
            .at(self.position(at)));
        };
        for (index, field) in shape.iter().enumerate() {
            if field.name.is_empty() {
                continue;
            }
            let typed = match value.expr.kind {
                ExprKind::WholeRow(range) => super::expressions::implicit(
                    Typed::new(ExprKind::Column { range, column: index }, field.ty, at),
                    field.collation,
                ),
                _ => super::coerce::field_of(&value.expr, index, field, at),
            };
            entries.push(Entry { typed, name: field.name.clone(), hidden: false });
        }
        Ok(())
    }

    /// Entries as the tree's targets and visible columns.
    pub(super) fn finish_targets(&self, entries: Vec<Entry>) -> (Vec<Target>, Vec<OutputColumn>) {
        let columns =
            entries.iter().filter(|entry| !entry.hidden).map(|entry| self.output_column(entry)).collect();
        let targets = entries
            .into_iter()
            .map(|entry| Target { expr: entry.typed.expr, name: entry.name, hidden: entry.hidden })
            .collect();
        (targets, columns)
    }

    fn output_column(&self, entry: &Entry) -> OutputColumn {
        let expr = &entry.typed.expr;
        let origin = match &expr.kind {
            ExprKind::Column { range, column } => self.origins.get(&(*range, *column)).copied(),
            ExprKind::SystemColumn { range, attnum } => {
                self.origins.get(&(*range, 0)).map(|(relation, _)| (*relation, *attnum))
            }
            _ => None,
        };
        OutputColumn { name: entry.name.clone(), ty: expr.ty, collation: expr.collation, origin }
    }
}

/// The name of a column without an alias.
pub(super) fn column_name(tree: &Tree) -> String {
    figure_name(tree).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// A name, and whether it is better than a cast's type.
fn figure_name(tree: &Tree) -> Option<(String, bool)> {
    let strong = |name: &str| Some((name.to_owned(), true));
    match tree {
        Tree::Identifier(ident) => Some((ident_name(ident), true)),
        Tree::CompoundIdentifier(idents) => idents.last().map(|ident| (ident_name(ident), true)),
        Tree::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                ast::AccessExpr::Dot(Tree::Identifier(ident)) => Some((ident_name(ident), true)),
                _ => None,
            });
            field.or_else(|| figure_name(root))
        }
        Tree::Nested(inner) | Tree::Collate { expr: inner, .. } => figure_name(inner),
        Tree::Function(function) => {
            let name = name_parts(&function.name).pop()?;
            Some((name, true))
        }
        Tree::Cast { expr, data_type, .. } => match figure_name(expr) {
            Some((name, true)) => Some((name, true)),
            _ => Some((type_word(data_type), false)),
        },
        Tree::TypedString(typed) => Some((type_word(&typed.data_type), false)),
        Tree::Interval(_) => Some(("interval".to_owned(), false)),
        Tree::Case { else_result, .. } => {
            let from_else = else_result.as_deref().and_then(figure_name).filter(|(_, strong)| *strong);
            from_else.or_else(|| Some(("case".to_owned(), false)))
        }
        Tree::Array(_) => strong("array"),
        Tree::Tuple(_) => strong("row"),
        Tree::Exists { negated: false, .. } => strong("exists"),
        Tree::Subquery(query) => subquery_name(query),
        Tree::Extract { .. } => strong("extract"),
        Tree::Position { .. } => strong("position"),
        Tree::Overlay { .. } => strong("overlay"),
        Tree::Substring { .. } => strong("substring"),
        Tree::AtTimeZone { .. } => strong("timezone"),
        Tree::Ceil { .. } => strong("ceil"),
        Tree::Floor { .. } => strong("floor"),
        Tree::IsNormalized { negated: false, .. } => strong("is_normalized"),
        Tree::BinaryOp { op: ast::BinaryOperator::Overlaps, .. } => strong("overlaps"),
        Tree::Trim { trim_where, .. } => strong(match trim_where {
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Tree::Value(ast::ValueWithSpan { value: ast::Value::NationalStringLiteral(_), .. }) => {
            Some(("bpchar".to_owned(), false))
        }
        Tree::Value(ast::ValueWithSpan { value: ast::Value::Boolean(_), .. }) => {
            Some(("bool".to_owned(), false))
        }
        _ => None,
    }
}

/// A scalar subquery is named like its column.
fn subquery_name(query: &ast::Query) -> Option<(String, bool)> {
    match &*query.body {
        ast::SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(tree) => Some((column_name(tree), true)),
            SelectItem::ExprWithAlias { alias, .. } => Some((ident_name(alias), true)),
            _ => None,
        },
        ast::SetExpr::Query(inner) => subquery_name(inner),
        ast::SetExpr::Values(_) => Some(("column1".to_owned(), true)),
        ast::SetExpr::SetOperation { left, .. } => match &**left {
            ast::SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::UnnamedExpr(tree) => Some((column_name(tree), true)),
                SelectItem::ExprWithAlias { alias, .. } => Some((ident_name(alias), true)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// A type's name as the grammar has it.
fn type_word(data_type: &ast::DataType) -> String {
    use ast::DataType as D;
    let known = match data_type {
        D::Custom(name, _) => return name_parts(name).pop().unwrap_or_default(),
        D::Array(
            ast::ArrayElemTypeDef::SquareBracket(element, _) | ast::ArrayElemTypeDef::Qualified(element, _),
        ) => return type_word(element),
        D::Character(_) | D::Char(_) => "bpchar",
        D::CharacterVarying(_) | D::CharVarying(_) | D::Varchar(_) | D::Nvarchar(_) => "varchar",
        D::Numeric(_) | D::Decimal(_) | D::Dec(_) => "numeric",
        D::Float(ast::ExactNumberInfo::Precision(1..=24)) | D::Float4 | D::Real => "float4",
        D::Float(_) | D::Float8 | D::DoublePrecision => "float8",
        D::Int2(_) | D::SmallInt(_) => "int2",
        D::Int(_) | D::Int4(_) | D::Integer(_) => "int4",
        D::BigInt(_) | D::Int8(_) => "int8",
        D::Bool | D::Boolean => "bool",
        D::Time(_, ast::TimezoneInfo::WithTimeZone | ast::TimezoneInfo::Tz) => "timetz",
        D::Time(..) => "time",
        D::Timestamp(_, ast::TimezoneInfo::WithTimeZone | ast::TimezoneInfo::Tz) => "timestamptz",
        D::Timestamp(..) => "timestamp",
        D::Interval { .. } => "interval",
        D::BitVarying(_) | D::VarBit(_) => "varbit",
        D::Bit(_) => "bit",
        other => return other.to_string().to_ascii_lowercase(),
    };
    known.to_owned()
}
