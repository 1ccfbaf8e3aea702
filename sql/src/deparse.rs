//! Bound expressions back to SQL text, in PostgreSQL's full form: every operator in parentheses, every conversion
//! spelled, constants with their type where it is not plain. This is what the catalog keeps (`adbin`, `conbin`,
//! `indexprs`, `indpred`) and what `pg_get_expr` and its kin show, after `catalog::describe` has taken parentheses away.
//!
//! The text says the same under any search path that finds the objects it found when it was made.
//!
//! Source: `get_rule_expr`, `get_const_expr`, `get_oper_expr` in `src/backend/utils/adt/ruleutils.c`.

use crate::bound::{Call, Expr, ExprKind, RowComparison, SqlValue, Subscript, TypeMod};
use crate::catalog::{Catalog, Visible};
use crate::oid::types;
use crate::types::names::{quote_identifier, quote_literal};
use crate::types::{DateOrder, DateStyle, FormatSettings, IntervalStyle, TypeContext, format_type, output};
use crate::{Oid, Result, SqlError};

/// The text of an expression over the columns of one relation, or of none. A conversion on the outside that an
/// assignment would do anyway is left out.
///
/// # Errors
/// `0A000` for what stored expressions cannot hold, such as subqueries.
pub fn expression(
    expr: &Expr,
    catalog: &Catalog,
    search_path: &[Oid],
    relation: Option<Oid>,
) -> Result<String> {
    Deparse { catalog, search_path, relation }.top(expr)
}

struct Deparse<'a> {
    catalog: &'a Catalog,
    search_path: &'a [Oid],
    relation: Option<Oid>,
}

impl Deparse<'_> {
    /// Without the outermost implicit conversion.
    fn top(&self, expr: &Expr) -> Result<String> {
        match &expr.kind {
            ExprKind::Call(call) if self.is_assignment_cast(call) => self.top(&call.arguments[0]),
            _ => self.expr(expr),
        }
    }

    fn expr(&self, expr: &Expr) -> Result<String> {
        Ok(match &expr.kind {
            ExprKind::Constant(_) => self.constant(expr)?,
            ExprKind::Column { column, .. } => self.column(*column)?,
            ExprKind::Placeholder => "VALUE".to_owned(),
            ExprKind::Call(call) => self.call(call, expr.ty)?,
            ExprKind::ConvertViaText(inner) | ExprKind::Relabel(inner) | ExprKind::ToDomain(inner) => {
                self.cast(inner, expr.ty)?
            }
            ExprKind::ConvertArray { array, .. } => self.cast(array, expr.ty)?,
            ExprKind::And(list) => format!("({})", self.list(list, " AND ")?),
            ExprKind::Or(list) => format!("({})", self.list(list, " OR ")?),
            ExprKind::Not(inner) => format!("(NOT {})", self.expr(inner)?),
            ExprKind::IsNull { operand, negated } => {
                format!("({} IS {}NULL)", self.expr(operand)?, not(*negated))
            }
            ExprKind::IsTruth { operand, expected, negated } => {
                let word = match expected {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                format!("({} IS {}{word})", self.expr(operand)?, not(*negated))
            }
            ExprKind::IsDistinct { equality, negated } => {
                let (left, right) = self.operands(equality)?;
                format!("({left} IS {}DISTINCT FROM {right})", not(*negated))
            }
            ExprKind::NullIf(call) => {
                let (left, right) = self.operands(call)?;
                format!("NULLIF({left}, {right})")
            }
            ExprKind::Coalesce(list) => format!("COALESCE({})", self.list(list, ", ")?),
            ExprKind::Extreme { greatest, operands, .. } => {
                let word = if *greatest { "GREATEST" } else { "LEAST" };
                format!("{word}({})", self.list(operands, ", ")?)
            }
            ExprKind::Array { elements, .. } if elements.is_empty() => {
                format!("'{{}}'::{}", self.type_name(expr.ty))
            }
            ExprKind::Array { elements, .. } => format!("ARRAY[{}]", self.list(elements, ", ")?),
            ExprKind::Row(list) => format!("ROW({})", self.list(list, ", ")?),
            ExprKind::Case { operand, arms, otherwise } => {
                self.case(operand.as_deref(), arms, otherwise.as_deref())?
            }
            ExprKind::RowCompare { comparison, left, right, .. } => {
                let symbol = match comparison {
                    RowComparison::Less => "<",
                    RowComparison::LessOrEqual => "<=",
                    RowComparison::Greater => ">",
                    RowComparison::GreaterOrEqual => ">=",
                };
                format!("(ROW({}) {symbol} ROW({}))", self.list(left, ", ")?, self.list(right, ", ")?)
            }
            ExprKind::Subscript { base, subscripts } => self.subscripts(base, subscripts)?,
            ExprKind::Field { base, field } => self.field(base, *field)?,
            ExprKind::ArrayCompare { function, any, scalar, array } => {
                let operator = self.operator(*function, scalar.ty.oid, None);
                let operator =
                    operator.ok_or_else(|| SqlError::unsupported("this operator in a stored expression"))?;
                let word = if *any { "ANY" } else { "ALL" };
                format!("({} {operator} {word} ({}))", self.expr(scalar)?, self.expr(array)?)
            }
            ExprKind::SqlValue(value) => sql_value(*value).to_owned(),
            ExprKind::SystemColumn { .. }
            | ExprKind::AssignSubscript { .. }
            | ExprKind::AssignField { .. }
            | ExprKind::WholeRow(_)
            | ExprKind::Parameter(_)
            | ExprKind::Subquery(_)
            | ExprKind::Aggregate(_)
            | ExprKind::Window(_)
            | ExprKind::SetReturning(_)
            | ExprKind::Grouping(_)
            | ExprKind::Default
            | ExprKind::Excluded(_) => return Err(SqlError::unsupported("this kind of stored expression")),
        })
    }

    fn list(&self, list: &[Expr], separator: &str) -> Result<String> {
        let texts: Vec<String> = list.iter().map(|expr| self.expr(expr)).collect::<Result<_>>()?;
        Ok(texts.join(separator))
    }

    fn operands(&self, call: &Call) -> Result<(String, String)> {
        match call.arguments.as_slice() {
            [left, right] => Ok((self.expr(left)?, self.expr(right)?)),
            _ => Err(SqlError::internal("a comparison without two operands")),
        }
    }

    fn column(&self, column: usize) -> Result<String> {
        let relation = self.relation.ok_or_else(|| SqlError::internal("a column of no relation"))?;
        let attributes = self.catalog.attributes(relation);
        let attribute =
            attributes.get(column).ok_or_else(|| SqlError::internal("a column that is not there"))?;
        Ok(quote_identifier(&attribute.attname))
    }

    fn type_name(&self, ty: TypeMod) -> String {
        format_type(ty, self.catalog, self.search_path)
    }

    /// A constant, with its type where the bare text would mean another.
    fn constant(&self, expr: &Expr) -> Result<String> {
        let ExprKind::Constant(value) = &expr.kind else { return Err(SqlError::internal("no constant")) };
        if value.is_null() {
            return Ok(format!("NULL::{}", self.type_name(expr.ty)));
        }
        let format = stable_format();
        let context = TypeContext { catalog: self.catalog, format: &format, search_path: self.search_path };
        let mut text = String::new();
        output(expr.ty.oid, value.as_ref(), &context, &mut text)?;
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        Ok(match expr.ty.oid {
            types::BOOL => {
                if text == "t" {
                    "true".to_owned()
                } else {
                    "false".to_owned()
                }
            }
            types::INT4 if digits => text,
            types::NUMERIC if number && expr.ty.modifier < 0 && text.contains(['.', 'e']) => text,
            types::UNKNOWN => quote_literal(&text),
            _ => format!("{}::{}", quote_literal(&text), self.type_name(expr.ty)),
        })
    }

    fn cast(&self, inner: &Expr, ty: TypeMod) -> Result<String> {
        let text = self.expr(inner)?;
        let bare =
            matches!(inner.kind, ExprKind::Constant(_)) && text.contains("::") || text.starts_with('(');
        let quoted = text.starts_with('\'') && !text.contains("::");
        let text = if bare || quoted { text } else { format!("({text})") };
        Ok(format!("{text}::{}", self.type_name(ty)))
    }

    /// An operator, a conversion, or a function by name.
    fn call(&self, call: &Call, ty: TypeMod) -> Result<String> {
        if self.is_cast(call) {
            return self.cast(&call.arguments[0], ty);
        }
        match call.arguments.as_slice() {
            [left, right] => {
                if let Some(operator) = self.operator(call.function, left.ty.oid, Some(right.ty.oid)) {
                    return Ok(format!("({} {operator} {})", self.expr(left)?, self.expr(right)?));
                }
            }
            [only] => {
                if let Some(operator) = self.prefix_operator(call.function) {
                    return Ok(format!("({operator} {})", self.expr(only)?));
                }
            }
            _ => {}
        }
        let function = self.catalog.function(call.function);
        let function = function.ok_or_else(|| SqlError::internal("a function that is not there"))?;
        let visible =
            self.catalog.is_visible(Visible::Function, function.oid, self.search_path) == Some(true);
        let mut name = quote_identifier(&function.proname);
        if !visible && let Some(schema) = self.catalog.namespace(function.pronamespace) {
            name = format!("{}.{name}", quote_identifier(&schema.nspname));
        }
        Ok(format!("{name}({})", self.list(&call.arguments, ", ")?))
    }

    /// Whether a call converts its first argument as `pg_cast` says, or to its type's length.
    fn is_cast(&self, call: &Call) -> bool {
        let Some(source) = call.arguments.first() else { return false };
        let Some(function) = self.catalog.function(call.function) else { return false };
        let constants =
            call.arguments[1..].iter().all(|argument| matches!(argument.kind, ExprKind::Constant(_)));
        let cast = self.catalog.cast(source.ty.oid, function.prorettype);
        constants && cast.is_some_and(|cast| cast.castfunc == call.function)
    }

    fn is_assignment_cast(&self, call: &Call) -> bool {
        let Some(source) = call.arguments.first() else { return false };
        let Some(function) = self.catalog.function(call.function) else { return false };
        let cast = self.catalog.cast(source.ty.oid, function.prorettype);
        self.is_cast(call) && cast.is_some_and(|cast| cast.castcontext != 'e')
    }

    /// The operator whose function this is, for operands of these types.
    fn operator(&self, function: Oid, left: Oid, right: Option<Oid>) -> Option<String> {
        let operators = self.catalog.relation::<crate::catalog::Operator>();
        let fits = |o: &crate::catalog::Operator| o.oprcode == function && o.oprkind == 'b';
        let exact =
            operators.rows().find(|o| fits(o) && o.oprleft == left && right.is_none_or(|r| r == o.oprright));
        let found = exact.or_else(|| operators.rows().find(|o| fits(o)))?;
        Some(self.operator_name(&found))
    }

    fn prefix_operator(&self, function: Oid) -> Option<String> {
        let operators = self.catalog.relation::<crate::catalog::Operator>();
        let found = operators.rows().find(|o| o.oprcode == function && o.oprkind == 'l')?;
        Some(self.operator_name(&found))
    }

    fn operator_name(&self, operator: &crate::catalog::Operator) -> String {
        if self.catalog.is_visible(Visible::Operator, operator.oid, self.search_path) == Some(true) {
            return operator.oprname.clone();
        }
        let schema = self
            .catalog
            .namespace(operator.oprnamespace)
            .map_or(String::new(), |n| quote_identifier(&n.nspname));
        format!("OPERATOR({schema}.{})", operator.oprname)
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<String> {
        let mut text = "CASE".to_owned();
        if let Some(operand) = operand {
            text.push(' ');
            text.push_str(&self.expr(operand)?);
        }
        for (condition, result) in arms {
            let condition = match (&condition.kind, operand) {
                // `CASE x WHEN y`: the condition compares the placeholder with y.
                (ExprKind::Call(call), Some(_)) if call.arguments.len() == 2 => {
                    self.expr(&call.arguments[1])?
                }
                _ => self.expr(condition)?,
            };
            text.push_str(&format!(" WHEN {condition} THEN {}", self.expr(result)?));
        }
        let otherwise = otherwise.map_or(Ok("NULL".to_owned()), |expr| self.expr(expr))?;
        Ok(format!("{text} ELSE {otherwise} END"))
    }

    fn subscripts(&self, base: &Expr, subscripts: &[Subscript]) -> Result<String> {
        let mut text = self.expr(base)?;
        if !matches!(base.kind, ExprKind::Column { .. }) {
            text = format!("({text})");
        }
        let side = |expr: &Option<Expr>| expr.as_ref().map_or(Ok(String::new()), |expr| self.expr(expr));
        for subscript in subscripts {
            match subscript {
                Subscript::Index(index) => text.push_str(&format!("[{}]", self.expr(index)?)),
                Subscript::Slice(lower, upper) => {
                    text.push_str(&format!("[{}:{}]", side(lower)?, side(upper)?))
                }
            }
        }
        Ok(text)
    }

    fn field(&self, base: &Expr, field: usize) -> Result<String> {
        let ty = self.catalog.type_(self.catalog.base_type(base.ty.oid));
        let attributes = ty.map(|ty| self.catalog.attributes(ty.typrelid));
        let attribute = attributes.as_ref().and_then(|attributes| attributes.get(field));
        let attribute =
            attribute.ok_or_else(|| SqlError::unsupported("a field of a record in a stored expression"))?;
        Ok(format!("({}).{}", self.expr(base)?, quote_identifier(&attribute.attname)))
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn sql_value(value: SqlValue) -> &'static str {
    match value {
        SqlValue::CurrentDate => "CURRENT_DATE",
        SqlValue::CurrentTime => "CURRENT_TIME",
        SqlValue::CurrentTimestamp => "CURRENT_TIMESTAMP",
        SqlValue::LocalTime => "LOCALTIME",
        SqlValue::LocalTimestamp => "LOCALTIMESTAMP",
        SqlValue::CurrentUser => "CURRENT_USER",
        SqlValue::SessionUser => "SESSION_USER",
        SqlValue::CurrentCatalog => "CURRENT_CATALOG",
        SqlValue::CurrentSchema => "CURRENT_SCHEMA",
    }
}

/// Formats that read back the same whatever a session's settings are.
fn stable_format() -> FormatSettings {
    FormatSettings {
        time_zone: jiff::tz::TimeZone::UTC,
        date_style: DateStyle::Iso,
        date_order: DateOrder::Ymd,
        interval_style: IntervalStyle::Postgres,
        extra_float_digits: 3,
        bytea_escape: false,
        transaction_time: 0,
    }
}
