//! Expressions with a grammar of their own: SQL's functions with keywords for commas, LIKE, and values spelled as words.
//!
//! Source: `src/backend/parser/gram.y` (`func_expr_common_subexpr`, `a_expr`).

use sqlparser::ast::{self, Expr as Tree};

use super::expressions::foreign_syntax;
use super::operators::OperatorName;
use super::position::At;
use super::scope::ident_name;
use super::{Binder, Typed};
use crate::bound::{ExprKind, SqlValue, TypeMod};
use crate::oid::types;
use crate::{Result, error};

impl Binder<'_> {
    /// Binds the forms that stand for calls of `pg_catalog` functions.
    pub(super) fn special(&mut self, tree: &Tree) -> Result<Typed> {
        match tree {
            Tree::AtTimeZone { timestamp, time_zone } => {
                let timestamp = self.expr(timestamp)?;
                let zone = self.expr(time_zone)?;
                let at = timestamp.at;
                self.catalog_call("timezone", vec![zone, timestamp], at)
            }
            Tree::Extract { field, expr, .. } => {
                let value = self.expr(expr)?;
                let at = value.at.prefixed().prefixed().prefixed();
                let field = self.untyped(&field_name(field), at);
                self.catalog_call("extract", vec![field, value], at)
            }
            Tree::Position { expr, r#in } => {
                let part = self.expr(expr)?;
                let whole = self.expr(r#in)?;
                let at = part.at.prefixed();
                self.catalog_call("position", vec![whole, part], at)
            }
            Tree::Substring { expr, substring_from, substring_for, .. } => {
                self.substring(expr, substring_from.as_deref(), substring_for.as_deref())
            }
            Tree::Trim { trim_where, trim_what, expr, trim_characters } => {
                let name = match trim_where {
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                    _ => "btrim",
                };
                let mut arguments = vec![self.expr(expr)?];
                let at = arguments[0].at;
                let characters = trim_what.iter().map(|what| &**what).chain(trim_characters.iter().flatten());
                for what in characters {
                    arguments.push(self.expr(what)?);
                }
                self.catalog_call(name, arguments, at)
            }
            Tree::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut arguments =
                    vec![self.expr(expr)?, self.expr(overlay_what)?, self.expr(overlay_from)?];
                if let Some(length) = overlay_for {
                    arguments.push(self.expr(length)?);
                }
                let at = arguments[0].at;
                self.catalog_call("overlay", arguments, at)
            }
            Tree::IsNormalized { expr, form, negated } => {
                let mut arguments = vec![self.expr(expr)?];
                let at = arguments[0].at;
                if let Some(form) = form {
                    arguments.push(self.untyped(&form.to_string(), at));
                }
                let test = self.catalog_call("is_normalized", arguments, at)?;
                Ok(if *negated { Typed::boolean(ExprKind::Not(Box::new(test.expr)), at) } else { test })
            }
            Tree::Like { negated, expr, pattern, escape_char, .. } => {
                self.like(if *negated { "!~~" } else { "~~" }, expr, pattern, escape_char.as_deref())
            }
            Tree::ILike { negated, expr, pattern, escape_char, .. } => {
                self.like(if *negated { "!~~*" } else { "~~*" }, expr, pattern, escape_char.as_deref())
            }
            Tree::SimilarTo { negated, expr, pattern, escape_char } => {
                self.similar(if *negated { "!~" } else { "~" }, expr, pattern, escape_char.as_deref())
            }
            Tree::Ceil { expr, .. } => self.plain_call("ceil", expr),
            Tree::Floor { expr, .. } => self.plain_call("floor", expr),
            _ => Err(foreign_syntax(tree)),
        }
    }

    fn plain_call(&mut self, name: &str, argument: &Tree) -> Result<Typed> {
        let argument = self.expr(argument)?;
        let at = argument.at.prefixed();
        self.call_named(&[name.to_owned()], super::functions::Arguments::positional(vec![argument]), at)
    }

    fn substring(&mut self, text: &Tree, from: Option<&Tree>, length: Option<&Tree>) -> Result<Typed> {
        let mut arguments = vec![self.expr(text)?];
        let at = arguments[0].at.prefixed();
        match (from, length) {
            (Some(from), None) => arguments.push(self.expr(from)?),
            (Some(from), Some(length)) => {
                arguments.push(self.expr(from)?);
                arguments.push(self.expr(length)?);
            }
            (None, Some(length)) => {
                arguments.push(self.number("1", At::NOWHERE)?);
                let length = self.expr(length)?;
                let length_at = length.at;
                arguments.push(self.cast(length, TypeMod::plain(types::INT4), length_at)?);
            }
            (None, None) => {}
        }
        self.catalog_call("substring", arguments, at)
    }

    fn like(&mut self, symbol: &str, text: &Tree, pattern: &Tree, escape: Option<&Tree>) -> Result<Typed> {
        let text = self.expr(text)?;
        let mut pattern = self.expr(pattern)?;
        if let Some(escape) = escape {
            let escape = self.expr(escape)?;
            let at = pattern.at;
            pattern = self.catalog_call("like_escape", vec![pattern, escape], at)?;
        }
        let (left_at, right_at) = (text.at, pattern.at);
        self.operate(&OperatorName::plain(symbol), Some(text), pattern).map_err(|mut error| {
            if error.0.position.is_none() {
                let word = if symbol.ends_with('*') { "ILIKE" } else { "LIKE" };
                error.0.position =
                    super::position::of_operator(self.context.text, word, Some(left_at), right_at);
            }
            error
        })
    }

    fn similar(&mut self, symbol: &str, text: &Tree, pattern: &Tree, escape: Option<&Tree>) -> Result<Typed> {
        let text = self.expr(text)?;
        let pattern = self.expr(pattern)?;
        let at = pattern.at;
        let mut arguments = vec![pattern];
        if let Some(escape) = escape {
            arguments.push(self.expr(escape)?);
        }
        let expression = self.catalog_call("similar_to_escape", arguments, at)?;
        self.operate(&OperatorName::plain(symbol), Some(text), expression)
    }

    /// `(a, b) OVERLAPS (c, d)`.
    pub(super) fn overlaps(&mut self, left: &Tree, right: &Tree) -> Result<Typed> {
        let left = self.row_fields(left)?;
        let right = self.row_fields(right)?;
        let at = left.first().map_or(At::NOWHERE, |field| field.at);
        for (side, fields) in [("left", &left), ("right", &right)] {
            if fields.len() != 2 {
                return Err(error!(
                    SYNTAX_ERROR,
                    "wrong number of parameters on {side} side of OVERLAPS expression"
                )
                .at(self.position(at)));
            }
        }
        self.catalog_call("overlaps", left.into_iter().chain(right).collect(), at)
    }

    /// Functions that are part of the grammar; nothing for all others.
    pub(super) fn special_function(&mut self, function: &ast::Function, at: At) -> Result<Option<Typed>> {
        let [ast::ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return Ok(None) };
        if ident.quote_style.is_some() {
            return Ok(None);
        }
        let name = ident_name(ident);
        match &function.args {
            ast::FunctionArguments::None => Ok(self.word_value(&name, None, at)),
            ast::FunctionArguments::List(list) => self.listed_special(&name, list, at),
            ast::FunctionArguments::Subquery(_) => Ok(None),
        }
    }

    fn listed_special(
        &mut self,
        name: &str,
        list: &ast::FunctionArgumentList,
        at: At,
    ) -> Result<Option<Typed>> {
        match name {
            "coalesce" | "greatest" | "least" => {
                let sets = self.scope_ref().sets_bound;
                let arguments = self.arguments(&list.args)?.values;
                let construct = name.to_ascii_uppercase();
                let (arguments, mut shell) = self.unified(arguments, &construct)?;
                shell.at = at;
                if name == "coalesce" {
                    self.refuse_sets_since(sets, "COALESCE", at)?;
                }
                let operands: Vec<_> = arguments.into_iter().map(|argument| argument.expr).collect();
                shell.expr.kind = match name {
                    "coalesce" => ExprKind::Coalesce(operands),
                    _ => self.extreme(name == "greatest", shell.type_oid(), operands, at)?,
                };
                Ok(Some(shell))
            }
            "nullif" => {
                let mut arguments = self.arguments(&list.args)?.values.into_iter();
                match (arguments.next(), arguments.next(), arguments.next()) {
                    (Some(left), Some(right), None) => {
                        self.null_if(left, right, at).map(Some).map_err(|error| error.at(self.position(at)))
                    }
                    _ => Err(error!(SYNTAX_ERROR, "syntax error at or near \")\"")),
                }
            }
            "row" => {
                let mut fields = Vec::new();
                for argument in &list.args {
                    self.row_field(argument, &mut fields)?;
                }
                let mut row = self.row_of(fields)?;
                row.at = at;
                Ok(Some(row))
            }
            "grouping" => self.grouping_call(list, at).map(Some),
            "current_time" | "current_timestamp" | "localtime" | "localtimestamp" => {
                let precision = match list.args.first() {
                    Some(ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(Tree::Value(value)))) => {
                        value.value.to_string().parse().ok()
                    }
                    _ => None,
                };
                Ok(self.word_value(name, precision, at))
            }
            _ => Ok(None),
        }
    }

    /// A field of ROW(…): `t.*` is all columns of `t`.
    fn row_field(&mut self, argument: &ast::FunctionArg, fields: &mut Vec<Typed>) -> Result<()> {
        match argument {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::QualifiedWildcard(name)) => {
                let at = At::new(super::scope::name_location(name));
                let (level, item) = self.item(&super::scope::name_parts(name), at)?;
                for column in self.columns_of_item(level, item, at) {
                    fields.push(column.1);
                }
                Ok(())
            }
            argument => {
                fields.extend(self.arguments(std::slice::from_ref(argument))?.values);
                Ok(())
            }
        }
    }

    fn extreme(
        &mut self,
        greatest: bool,
        ty: crate::Oid,
        operands: Vec<crate::bound::Expr>,
        at: At,
    ) -> Result<ExprKind> {
        let operators = self.catalog().btree_operators(self.base_type(ty).oid).ok_or_else(|| {
            error!(
                UNDEFINED_FUNCTION,
                "could not identify a comparison function for type {}",
                self.format_type(ty)
            )
            .at(self.position(at))
        })?;
        Ok(ExprKind::Extreme { greatest, less: operators.less_function, operands })
    }

    /// Values spelled as words: `CURRENT_DATE`, `CURRENT_USER`, ….
    fn word_value(&mut self, name: &str, precision: Option<i32>, at: At) -> Option<Typed> {
        let (value, oid) = match name {
            "current_date" => (SqlValue::CurrentDate, types::DATE),
            "current_time" => (SqlValue::CurrentTime, types::TIMETZ),
            "current_timestamp" => (SqlValue::CurrentTimestamp, types::TIMESTAMPTZ),
            "localtime" => (SqlValue::LocalTime, types::TIME),
            "localtimestamp" => (SqlValue::LocalTimestamp, types::TIMESTAMP),
            "current_user" | "user" | "current_role" => (SqlValue::CurrentUser, types::NAME),
            "session_user" => (SqlValue::SessionUser, types::NAME),
            "current_catalog" => (SqlValue::CurrentCatalog, types::NAME),
            "current_schema" => (SqlValue::CurrentSchema, types::NAME),
            _ => return None,
        };
        let ty = TypeMod { oid, modifier: precision.map_or(-1, |precision| precision.min(6)) };
        Some(self.with_type_collation(Typed::new(ExprKind::SqlValue(value), ty, at)))
    }
}

/// The name of a field of EXTRACT.
fn field_name(field: &ast::DateTimeField) -> String {
    match field {
        ast::DateTimeField::Custom(ident) => ident_name(ident),
        other => other.to_string().to_ascii_lowercase(),
    }
}
