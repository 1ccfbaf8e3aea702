//! Composite values and what is taken out of values: fields, subscripts, slices.
//!
//! Source: `src/backend/parser/parse_expr.c` (`transformIndirection`), `parse_func.c` (`ParseComplexProjection`),
//! `parse_node.c` (`transformContainerSubscripts`).

use sqlparser::ast::{self, AccessExpr, Expr as Tree};

use super::coerce::{Context, field_of};
use super::functions::{Arguments, Found};
use super::position::At;
use super::scope::{RecordField, ident_name};
use super::{Binder, Typed};
use crate::bound::{Call, Expr, ExprKind, Subscript, TypeMod};
use crate::oid::types;
use crate::{Oid, Result, SqlError, error};

impl Binder<'_> {
    /// Binds `expr.field[subscript]…`. What begins as a name may be a column of a table.
    pub(super) fn indirection(&mut self, root: &Tree, chain: &[AccessExpr]) -> Result<Typed> {
        let mut idents: Vec<ast::Ident> = Vec::new();
        let mut rest = chain;
        if let Tree::Identifier(ident) = root {
            idents.push(ident.clone());
            while let Some((AccessExpr::Dot(Tree::Identifier(ident)), more)) = rest.split_first() {
                idents.push(ident.clone());
                rest = more;
            }
        }
        let mut value = match idents.len() {
            0 => self.expr(root)?,
            1 => self.unqualified(&idents[0])?,
            _ => self.qualified(&idents)?,
        };
        while let Some((first, more)) = rest.split_first() {
            match first {
                AccessExpr::Dot(Tree::Identifier(ident)) => {
                    let name = ident_name(ident);
                    value = self.field(value, &name)?;
                    rest = more;
                }
                AccessExpr::Dot(_) => return Err(SqlError::unsupported("this field selection")),
                AccessExpr::Subscript(_) => {
                    let count =
                        rest.iter().take_while(|access| matches!(access, AccessExpr::Subscript(_))).count();
                    let subscripts: Vec<&ast::Subscript> = rest[..count]
                        .iter()
                        .filter_map(|access| match access {
                            AccessExpr::Subscript(subscript) => Some(subscript),
                            AccessExpr::Dot(_) => None,
                        })
                        .collect();
                    value = self.subscript(value, &subscripts)?;
                    rest = &rest[count..];
                }
            }
        }
        Ok(value)
    }

    /// `(value).name`.
    fn field(&mut self, value: Typed, name: &str) -> Result<Typed> {
        let at = value.at;
        let ty = value.type_oid();
        if let Some(field) = self.field_by_name(value.clone(), name, at)? {
            return Ok(field);
        }
        if let Some(call) = self.column_function(name, value.clone(), at)? {
            return Ok(call);
        }
        if let ExprKind::WholeRow(range) = value.expr.kind
            && let Some(item) =
                self.scopes.iter().flat_map(|scope| &scope.items).find(|item| item.range == Some(range))
        {
            return Err(
                error!(UNDEFINED_COLUMN, "column {}.{name} does not exist", item.name).at(self.position(at))
            );
        }
        if self.composite_relation(ty).is_some() {
            return Err(error!(
                UNDEFINED_COLUMN,
                "column \"{name}\" not found in data type {}",
                self.format_type(ty)
            )
            .at(self.position(at)));
        }
        if ty == types::RECORD {
            return Err(error!(UNDEFINED_COLUMN, "could not identify column \"{name}\" in record data type")
                .at(self.position(at)));
        }
        Err(error!(
            WRONG_OBJECT_TYPE,
            "column notation .{name} applied to type {}, which is not a composite type",
            self.format_type(ty)
        )
        .at(self.position(at)))
    }

    /// The field of this name of a composite value.
    pub(super) fn field_by_name(&mut self, value: Typed, name: &str, at: At) -> Result<Option<Typed>> {
        let Some(shape) = self.record_shape(&value.expr) else { return Ok(None) };
        let Some(index) = shape.iter().position(|field| field.name == name) else { return Ok(None) };
        // A field of a whole row is that row's column.
        if let ExprKind::WholeRow(range) = value.expr.kind {
            let mut typed = Typed::new(ExprKind::Column { range, column: index }, shape[index].ty, at);
            typed = super::expressions::implicit(typed, shape[index].collation);
            return Ok(Some(typed));
        }
        Ok(Some(field_of(&value.expr, index, &shape[index], at)))
    }

    /// A function of one argument named like a column: `row.function`.
    pub(super) fn column_function(&mut self, name: &str, row: Typed, at: At) -> Result<Option<Typed>> {
        let arguments = Arguments::positional(vec![row]);
        let names = [name.to_owned()];
        match self.find_function(&names, &arguments, at)? {
            Found::Function(..) => self.call_named(&names, arguments, at).map(Some),
            Found::Cast(_) | Found::Ambiguous | Found::Nothing => Ok(None),
        }
    }

    /// The fields of a composite value, dropped ones under an empty name.
    pub(super) fn record_shape(&self, expr: &Expr) -> Option<Vec<RecordField>> {
        if let Some(relation) = self.composite_relation(expr.ty.oid) {
            return Some(self.relation_fields(relation));
        }
        if expr.ty.oid != types::RECORD {
            return None;
        }
        match &expr.kind {
            ExprKind::WholeRow(range) => self.record_shapes.get(range).cloned(),
            ExprKind::Row(fields) => Some(
                fields
                    .iter()
                    .enumerate()
                    .map(|(index, field)| RecordField {
                        name: format!("f{}", index + 1),
                        ty: field.ty,
                        collation: field.collation,
                    })
                    .collect(),
            ),
            ExprKind::Relabel(inner) => self.record_shape(inner),
            ExprKind::Column { range, column } => self.column_shapes.get(&(*range, *column)).cloned(),
            ExprKind::Call(call) | ExprKind::SetReturning(call) => self.out_fields(call),
            ExprKind::Subquery(subquery) => {
                let first = super::query::first_target(&subquery.query)?;
                self.record_shape(first)
            }
            _ => None,
        }
    }

    pub(super) fn relation_fields(&self, relation: Oid) -> Vec<RecordField> {
        self.catalog()
            .attributes(relation)
            .iter()
            .map(|attribute| RecordField {
                name: if attribute.attisdropped { String::new() } else { attribute.attname.clone() },
                ty: TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod },
                collation: attribute.attcollation,
            })
            .collect()
    }

    /// The columns that a function's OUT parameters give.
    fn out_fields(&self, call: &Call) -> Option<Vec<RecordField>> {
        let row = self.catalog().function(call.function)?;
        let actual: Vec<Oid> = call.arguments.iter().map(|argument| argument.ty.oid).collect();
        let (all, modes) = (row.proallargtypes.as_ref()?, row.proargmodes.as_ref()?);
        let mut fields = Vec::new();
        for (index, (oid, mode)) in all.iter().zip(modes).enumerate() {
            if matches!(mode, 'o' | 'b' | 't') {
                let oid = &self.resolve_polymorphic(&actual, &mut row.proargtypes.clone(), *oid).ok()?;
                let name = row
                    .proargnames
                    .as_ref()
                    .and_then(|names| names.get(index))
                    .filter(|name| !name.is_empty());
                fields.push(RecordField {
                    name: name.cloned().unwrap_or_else(|| format!("column{}", fields.len() + 1)),
                    ty: TypeMod::plain(*oid),
                    collation: self.type_collation(*oid),
                });
            }
        }
        (fields.len() > 1 || row.prorettype == types::RECORD)
            .then_some(fields)
            .filter(|fields| !fields.is_empty())
    }

    /// `value[i]`, `value[i:j]`.
    fn subscript(&mut self, value: Typed, subscripts: &[&ast::Subscript]) -> Result<Typed> {
        let at = value.at;
        let base = self.base_type(value.type_oid());
        let value = if base.oid == value.type_oid() { value } else { self.relabel(value, base) };
        if base.oid == types::JSONB {
            return self.json_subscript(value, subscripts);
        }
        let (element, fixed) = match self.element_type(base.oid) {
            Some(element) => (element, false),
            None => match self.type_row(base.oid) {
                Some(row) if row.typelem.is_valid() && row.typsubscript.is_valid() => (row.typelem, true),
                _ => {
                    return Err(error!(
                        DATATYPE_MISMATCH,
                        "cannot subscript type {} because it does not support subscripting",
                        self.format_type(value.type_oid())
                    )
                    .at(self.position(at)));
                }
            },
        };
        let sliced = subscripts.iter().any(|subscript| matches!(subscript, ast::Subscript::Slice { .. }));
        if sliced && fixed {
            return Err(error!(FEATURE_NOT_SUPPORTED, "slices of fixed-length arrays not implemented"));
        }
        let mut bound = Vec::with_capacity(subscripts.len());
        for subscript in subscripts {
            bound.push(match subscript {
                // Among slices a single subscript counts from 1.
                ast::Subscript::Index { index } if sliced => {
                    let lower = self.number("1", At::NOWHERE)?.expr;
                    Subscript::Slice(Some(lower), Some(self.array_index(index)?))
                }
                ast::Subscript::Index { index } => Subscript::Index(self.array_index(index)?),
                ast::Subscript::Slice { lower_bound, upper_bound, .. } => Subscript::Slice(
                    lower_bound.as_ref().map(|bound| self.array_index(bound)).transpose()?,
                    upper_bound.as_ref().map(|bound| self.array_index(bound)).transpose()?,
                ),
            });
        }
        let ty = if sliced {
            TypeMod { oid: sliced_type(base.oid), modifier: value.expr.ty.modifier }
        } else {
            TypeMod { oid: element, modifier: value.expr.ty.modifier }
        };
        let derived = self.derive([&value])?;
        let kind = ExprKind::Subscript { base: Box::new(value.expr), subscripts: bound };
        Ok(self.collate_result(Typed::new(kind, ty, at), derived))
    }

    pub(super) fn array_index(&mut self, tree: &Tree) -> Result<Expr> {
        let index = self.expr(tree)?;
        let (source, at) = (index.type_oid(), index.at);
        let _ = source;
        let index =
            self.coerce_to_target(index, TypeMod::plain(types::INT4), Context::Assignment)?.ok_or_else(
                || error!(DATATYPE_MISMATCH, "array subscript must have type integer").at(self.position(at)),
            )?;
        Ok(index.expr)
    }

    /// A subscript of jsonb: text or integer.
    pub(super) fn json_index(&mut self, tree: &Tree) -> Result<Expr> {
        let index = self.expr(tree)?;
        let (source, at) = (index.type_oid(), index.at);
        let target = match source {
            types::UNKNOWN => types::TEXT,
            _ if self.can_coerce_one(source, types::INT4, Context::Implicit) => types::INT4,
            _ if self.can_coerce_one(source, types::TEXT, Context::Implicit) => types::TEXT,
            _ => {
                return Err(error!(
                    DATATYPE_MISMATCH,
                    "subscript type {} is not supported",
                    self.format_type(source)
                )
                .hint("jsonb subscript must be coercible to either integer or text.")
                .at(self.position(at)));
            }
        };
        Ok(self.coerce(index, TypeMod::plain(target), Context::Implicit)?.expr)
    }

    fn json_subscript(&mut self, value: Typed, subscripts: &[&ast::Subscript]) -> Result<Typed> {
        let at = value.at;
        let mut bound = Vec::with_capacity(subscripts.len());
        for subscript in subscripts {
            match subscript {
                ast::Subscript::Index { index } => bound.push(Subscript::Index(self.json_index(index)?)),
                ast::Subscript::Slice { lower_bound, upper_bound, .. } => {
                    let place = lower_bound.as_ref().or(upper_bound.as_ref());
                    let place = place.map(|bound| self.expr(bound)).transpose()?.map_or(at, |bound| bound.at);
                    return Err(error!(DATATYPE_MISMATCH, "jsonb subscript does not support slices")
                        .at(self.position(place)));
                }
            }
        }
        let kind = ExprKind::Subscript { base: Box::new(value.expr), subscripts: bound };
        Ok(Typed::new(kind, TypeMod::plain(types::JSONB), at))
    }
}

/// The type of a slice: `int2vector` and `oidvector` become arrays.
fn sliced_type(base: Oid) -> Oid {
    match base {
        types::INT2VECTOR => types::_INT2,
        types::OIDVECTOR => types::_OID,
        other => other,
    }
}
