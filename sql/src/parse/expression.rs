//! Expressions: PostgreSQL's `a_expr`, `b_expr` and `c_expr` as one precedence climber. The levels are those of
//! `gram.y`'s %left, %right and %nonassoc lines; comparison, BETWEEN/IN/LIKE and IS do not associate.
//!
//! What sqlparser's tree has no place for becomes what PostgreSQL itself makes of it: `x LIKE ANY (…)` is `x ~~ ANY (…)`,
//! BETWEEN SYMMETRIC is two BETWEENs, `SUBSTRING(a SIMILAR b ESCAPE c)` is `substring(a, b, c)`. Chains of AND and of OR
//! become balanced trees, so that thousands of terms do not lean on the stack. A prefix operator that the tree has no
//! variant for is `Expr::Prefixed`, with the operator for prefix.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CastKind, DateTimeField, DuplicateTreatment, Expr, ExtractSyntax,
    Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, Interval, IntervalFields, NormalizationForm, ObjectName,
    ObjectNamePart, Subscript, TrimWhereField, TypedString, UnaryOperator, Value, ValueWithSpan, WindowType,
};
use sqlparser::ast::{CaseWhen, DataType};

use super::errors;
use super::keywords::Category;
use super::parser::{CHAIN_MAX, Parser};
use super::tokens::Kind;
use crate::Result;

const OR: u8 = 10;
const AND: u8 = 20;
const NOT: u8 = 30;
const IS: u8 = 40;
const COMPARISON: u8 = 50;
const BETWEEN: u8 = 60;
const OPERATOR: u8 = 70;
const SUM: u8 = 80;
const PRODUCT: u8 = 90;
const POWER: u8 = 100;
const AT: u8 = 110;
const COLLATE: u8 = 120;
const SIGN: u8 = 130;
const CAST: u8 = 150;

impl Parser<'_> {
    /// `a_expr`.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        let restricted = std::mem::replace(&mut self.restricted, false);
        let expression = self.expression_above(0);
        self.restricted = restricted;
        expression
    }

    /// `b_expr`: no logic, no IS NULL, no LIKE, no BETWEEN, no IN.
    pub(super) fn restricted_expression(&mut self) -> Result<Expr> {
        let restricted = std::mem::replace(&mut self.restricted, true);
        let expression = self.expression_above(0);
        self.restricted = restricted;
        expression
    }

    pub(super) fn expression_list(&mut self) -> Result<Vec<Expr>> {
        self.list(Self::expression)
    }

    /// An expression of operators which bind tighter than `level`.
    fn expression_above(&mut self, level: u8) -> Result<Expr> {
        self.nested(|parser| {
            let first = parser.prefix()?;
            parser.infixes(first, level)
        })
    }

    fn infixes(&mut self, mut left: Expr, level: u8) -> Result<Expr> {
        // The level of a non-associative operator whose right operand has just ended.
        let mut closed = 0;
        let mut length = 0;
        loop {
            let next = self.infix_level();
            if next <= level {
                return Ok(left);
            }
            if next == closed {
                return self.fail();
            }
            length += 1;
            if length > CHAIN_MAX {
                return Err(errors::too_deep());
            }
            let start = self.index();
            left = self.infix(left, next)?;
            let ends_open = self.index() > start + 1 && matches!(next, IS | COMPARISON | BETWEEN);
            closed = if ends_open && self.right_is_open(&left) { next } else { 0 };
        }
    }

    /// Whether the operator ends with an operand, and not with a word or parenthesis of its own.
    fn right_is_open(&self, expression: &Expr) -> bool {
        match expression {
            Expr::BinaryOp { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::SimilarTo { .. }
            | Expr::Between { .. }
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..) => true,
            Expr::Nested(_) => !matches!(self.previous().kind, Kind::Symbol(")")),
            _ => false,
        }
    }

    /// How tight the infix operator at the current token binds; 0 when there is none.
    fn infix_level(&self) -> u8 {
        match &self.token().kind {
            Kind::Operator(operator) => match operator.as_str() {
                "=" | "<" | ">" | "<=" | ">=" | "<>" => COMPARISON,
                "+" | "-" => SUM,
                "*" | "/" | "%" => PRODUCT,
                "^" => POWER,
                _ => OPERATOR,
            },
            Kind::Symbol("::") => CAST,
            Kind::Word(word, ..) => {
                let level = self.word_level(word);
                if self.restricted && !self.allowed_in_restricted(word) { 0 } else { level }
            }
            _ => 0,
        }
    }

    fn allowed_in_restricted(&self, word: &str) -> bool {
        match word {
            "operator" => true,
            "is" => match self.word_ahead(1) {
                Some("distinct" | "document") => true,
                Some("not") => matches!(self.word_ahead(2), Some("distinct" | "document")),
                _ => false,
            },
            _ => false,
        }
    }

    fn word_level(&self, word: &str) -> u8 {
        match word {
            "or" => OR,
            "and" => AND,
            "is" | "isnull" | "notnull" => IS,
            "between" | "in" | "like" | "ilike" | "overlaps" => BETWEEN,
            "similar" if self.word_ahead(1) == Some("to") => BETWEEN,
            "not" => match self.word_ahead(1) {
                Some("between" | "in" | "like" | "ilike" | "similar") => BETWEEN,
                _ => 0,
            },
            "operator" if self.symbol_ahead(1, "(") => OPERATOR,
            "at" if self.word_ahead(1) == Some("time") => AT,
            "collate" => COLLATE,
            _ => 0,
        }
    }

    fn infix(&mut self, left: Expr, level: u8) -> Result<Expr> {
        let left = Box::new(left);
        match level {
            OR => self.logic(*left, OR, "or"),
            AND => self.logic(*left, AND, "and"),
            IS => self.is_test(left),
            BETWEEN => self.between_like_in(left),
            AT => {
                self.expect_words(&["at", "time", "zone"])?;
                let time_zone = Box::new(self.expression_above(AT)?);
                Ok(Expr::AtTimeZone { timestamp: left, time_zone })
            }
            COLLATE => {
                self.advance();
                Ok(Expr::Collate { expr: left, collation: self.object_name()? })
            }
            CAST => {
                self.advance();
                let data_type = self.data_type()?;
                Ok(Expr::Cast { kind: CastKind::DoubleColon, expr: left, data_type, format: None })
            }
            _ => self.binary(left, level),
        }
    }

    /// `a OR b OR c …` as a balanced tree.
    fn logic(&mut self, first: Expr, level: u8, word: &str) -> Result<Expr> {
        let mut terms = vec![first];
        while self.accept(word) {
            terms.push(self.expression_above(level)?);
        }
        let op = if level == OR { BinaryOperator::Or } else { BinaryOperator::And };
        Ok(balance(terms, &op))
    }

    fn binary(&mut self, left: Box<Expr>, level: u8) -> Result<Expr> {
        let op = match self.operator()? {
            OperatorName::Plain(operator) => binary_operator(&operator),
            OperatorName::Qualified(parts) => BinaryOperator::PGCustomBinaryOperator(parts),
        };
        if self.at_any(&["any", "some", "all"]) {
            return self.quantified(left, op);
        }
        let right = Box::new(self.expression_above(level)?);
        Ok(Expr::BinaryOp { left, op, right })
    }

    /// `= ANY (…)`, after the operator.
    fn quantified(&mut self, left: Box<Expr>, compare_op: BinaryOperator) -> Result<Expr> {
        let is_all = self.at("all");
        let is_some = self.at("some");
        self.advance();
        if !self.at_symbol("(") {
            return self.fail();
        }
        let right = if self.starts_query(self.index()) {
            Expr::Subquery(self.parenthesized_query()?)
        } else {
            self.advance();
            let right = self.expression()?;
            self.expect_symbol(")")?;
            right
        };
        let right = Box::new(right);
        Ok(if is_all {
            Expr::AllOp { left, compare_op, right }
        } else {
            Expr::AnyOp { left, compare_op, right, is_some }
        })
    }

    /// An operator, plain or as `OPERATOR(schema.op)`.
    pub(super) fn operator(&mut self) -> Result<OperatorName> {
        if let Kind::Operator(operator) = &self.token().kind {
            let operator = operator.clone();
            self.advance();
            return Ok(OperatorName::Plain(operator));
        }
        self.expect("operator")?;
        self.expect_symbol("(")?;
        let name = self.any_operator()?;
        self.expect_symbol(")")?;
        Ok(OperatorName::Qualified(name))
    }

    /// `any_operator`: the operator behind its schema.
    pub(super) fn any_operator(&mut self) -> Result<Vec<String>> {
        let mut parts = Vec::new();
        loop {
            if let Kind::Operator(operator) = &self.token().kind {
                parts.push(operator.clone());
                self.advance();
                return Ok(parts);
            }
            parts.push(self.identifier()?.value);
            self.expect_symbol(".")?;
        }
    }

    fn is_test(&mut self, left: Box<Expr>) -> Result<Expr> {
        if self.accept("isnull") {
            return Ok(Expr::IsNull(left));
        }
        if self.accept("notnull") {
            return Ok(Expr::IsNotNull(left));
        }
        self.expect("is")?;
        let negated = self.accept("not");
        if self.accept_words(&["distinct", "from"]) {
            let right = Box::new(self.expression_above(IS)?);
            return Ok(if negated {
                Expr::IsNotDistinctFrom(left, right)
            } else {
                Expr::IsDistinctFrom(left, right)
            });
        }
        let form = match self.word() {
            Some("nfc") => Some(NormalizationForm::NFC),
            Some("nfd") => Some(NormalizationForm::NFD),
            Some("nfkc") => Some(NormalizationForm::NFKC),
            Some("nfkd") => Some(NormalizationForm::NFKD),
            _ => None,
        };
        if form.is_some() {
            self.advance();
            self.expect("normalized")?;
            return Ok(Expr::IsNormalized { expr: left, form, negated });
        }
        let test = match (self.word(), negated) {
            (Some("null"), false) => Expr::IsNull(left),
            (Some("null"), true) => Expr::IsNotNull(left),
            (Some("true"), false) => Expr::IsTrue(left),
            (Some("true"), true) => Expr::IsNotTrue(left),
            (Some("false"), false) => Expr::IsFalse(left),
            (Some("false"), true) => Expr::IsNotFalse(left),
            (Some("unknown"), false) => Expr::IsUnknown(left),
            (Some("unknown"), true) => Expr::IsNotUnknown(left),
            (Some("normalized"), _) => Expr::IsNormalized { expr: left, form: None, negated },
            (Some("document"), _) => return self.unsupported("IS DOCUMENT"),
            _ => return self.fail(),
        };
        self.advance();
        Ok(test)
    }

    fn between_like_in(&mut self, left: Box<Expr>) -> Result<Expr> {
        if self.accept("overlaps") {
            let right = Box::new(self.expression_above(BETWEEN)?);
            return Ok(Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right });
        }
        let negated = self.accept("not");
        match self.word() {
            Some("between") => self.between(left, negated),
            Some("in") => self.in_list(left, negated),
            Some("like") => self.like(left, negated, Likeness::Like),
            Some("ilike") => self.like(left, negated, Likeness::InsensitiveLike),
            _ => {
                self.advance();
                self.expect("to")?;
                let (pattern, escape_char) = self.pattern()?;
                Ok(Expr::SimilarTo { negated, expr: left, pattern, escape_char })
            }
        }
    }

    fn between(&mut self, expr: Box<Expr>, negated: bool) -> Result<Expr> {
        self.advance();
        let symmetric = self.accept("symmetric");
        if !symmetric {
            self.accept("asymmetric");
        }
        let restricted = std::mem::replace(&mut self.restricted, true);
        let low = self.expression_above(0);
        self.restricted = restricted;
        let low = Box::new(low?);
        self.expect("and")?;
        let high = Box::new(self.expression_above(BETWEEN)?);
        if !symmetric {
            return Ok(Expr::Between { expr, negated, low, high });
        }
        let swapped = Expr::Between { expr: expr.clone(), negated, low: high.clone(), high: low.clone() };
        let straight = Expr::Between { expr, negated, low, high };
        let op = if negated { BinaryOperator::And } else { BinaryOperator::Or };
        let both = Expr::BinaryOp { left: Box::new(straight), op, right: Box::new(swapped) };
        Ok(Expr::Nested(Box::new(both)))
    }

    fn in_list(&mut self, expr: Box<Expr>, negated: bool) -> Result<Expr> {
        self.advance();
        if self.at_symbol("(") && self.starts_query(self.index()) {
            return Ok(Expr::InSubquery { expr, subquery: self.parenthesized_query()?, negated });
        }
        let list = self.parenthesized(Self::expression)?;
        Ok(Expr::InList { expr, list, negated })
    }

    fn like(&mut self, expr: Box<Expr>, negated: bool, likeness: Likeness) -> Result<Expr> {
        self.advance();
        if self.at_any(&["any", "some", "all"]) {
            let op = match (likeness, negated) {
                (Likeness::Like, false) => BinaryOperator::PGLikeMatch,
                (Likeness::Like, true) => BinaryOperator::PGNotLikeMatch,
                (Likeness::InsensitiveLike, false) => BinaryOperator::PGILikeMatch,
                (Likeness::InsensitiveLike, true) => BinaryOperator::PGNotILikeMatch,
            };
            return self.quantified(expr, op);
        }
        let (pattern, escape_char) = self.pattern()?;
        Ok(match likeness {
            Likeness::Like => Expr::Like { negated, any: false, expr, pattern, escape_char },
            Likeness::InsensitiveLike => Expr::ILike { negated, any: false, expr, pattern, escape_char },
        })
    }

    fn pattern(&mut self) -> Result<(Box<Expr>, Option<Box<Expr>>)> {
        let pattern = Box::new(self.expression_above(BETWEEN)?);
        let escape =
            if self.accept("escape") { Some(Box::new(self.expression_above(BETWEEN)?)) } else { None };
        Ok((pattern, escape))
    }

    /// A prefix operator with its operand, or a primary expression.
    fn prefix(&mut self) -> Result<Expr> {
        let span = self.here();
        let (operator, level) = match &self.token().kind {
            Kind::Word(word, ..) if word == "not" && !self.restricted => {
                self.advance();
                let expr = Box::new(self.expression_above(NOT)?);
                return Ok(Expr::UnaryOp { op: UnaryOperator::Not, expr });
            }
            Kind::Word(word, ..)
                if word == "operator" && self.symbol_ahead(1, "(") && self.operator_follows() =>
            {
                let OperatorName::Qualified(mut parts) = self.operator()? else { return self.fail() };
                (parts.pop().unwrap_or_default(), OPERATOR)
            }
            Kind::Operator(operator) => {
                let operator = operator.clone();
                let level = if matches!(operator.as_str(), "+" | "-") { SIGN } else { OPERATOR };
                match operator.as_str() {
                    // These are only binary in the grammar.
                    "*" | "/" | "%" | "^" | "<" | ">" | "=" | "<=" | ">=" | "<>" => return self.fail(),
                    _ => self.advance(),
                }
                (operator, level)
            }
            _ => return self.primary(),
        };
        let expr = Box::new(self.expression_above(level)?);
        let Some(op) = unary_operator(&operator) else {
            let prefix = Ident::with_span(span, operator);
            return Ok(Expr::Prefixed { prefix, value: expr });
        };
        Ok(Expr::UnaryOp { op, expr })
    }

    /// After the word OPERATOR: whether `(…op)` follows, not a function's arguments.
    fn operator_follows(&self) -> bool {
        let close = self.partner(self.index() + 1).unwrap_or(0);
        close > 0 && matches!(self.token_at(close - 1).kind, Kind::Operator(_))
    }

    /// `c_expr`.
    fn primary(&mut self) -> Result<Expr> {
        let span = self.here();
        let value = match &self.token().kind {
            Kind::Integer(number) | Kind::Decimal(number) => Value::Number(number.clone(), false),
            Kind::Text(text) => Value::SingleQuotedString(text.clone()),
            Kind::National(text) => Value::NationalStringLiteral(text.clone()),
            Kind::Bits(text) => Value::SingleQuotedByteStringLiteral(text.clone()),
            Kind::Hex(text) => Value::HexStringLiteral(text.clone()),
            Kind::Parameter(name) => {
                let value = ValueWithSpan { value: Value::Placeholder(name.clone()), span };
                self.advance();
                return self.indirection(Expr::Value(value));
            }
            Kind::Symbol("(") => return self.in_parentheses(),
            Kind::Word(word, category, _) => {
                let (word, category) = (word.clone(), *category);
                return self.word_expression(&word, category);
            }
            Kind::Quoted(_) => return self.name_expression(),
            _ => return self.fail(),
        };
        self.advance();
        Ok(Expr::Value(ValueWithSpan { value, span }))
    }

    fn in_parentheses(&mut self) -> Result<Expr> {
        if self.starts_query(self.index()) {
            let query = self.parenthesized_query()?;
            return self.indirection(Expr::Subquery(query));
        }
        self.expect_symbol("(")?;
        let mut items = self.expression_list()?;
        self.expect_symbol(")")?;
        if items.len() > 1 {
            return Ok(Expr::Tuple(items));
        }
        let Some(inner) = items.pop() else { return self.fail() };
        self.indirection(Expr::Nested(Box::new(inner)))
    }

    /// `.field`, `[subscript]` after an expression. A trailing `.*` is left for the target list.
    fn indirection(&mut self, root: Expr) -> Result<Expr> {
        let mut access_chain = Vec::new();
        loop {
            if self.at_symbol("[") {
                access_chain.push(AccessExpr::Subscript(self.subscript()?));
            } else if self.at_symbol(".")
                && !matches!(&self.peek(1).kind, Kind::Operator(star) if star == "*")
            {
                self.advance();
                access_chain.push(AccessExpr::Dot(Expr::Identifier(self.label()?)));
            } else {
                break;
            }
            if access_chain.len() > CHAIN_MAX {
                return Err(errors::too_deep());
            }
        }
        if access_chain.is_empty() {
            return Ok(root);
        }
        Ok(Expr::CompoundFieldAccess { root: Box::new(root), access_chain })
    }

    /// `[i]` or `[low:high]`.
    pub(super) fn subscript(&mut self) -> Result<Subscript> {
        self.expect_symbol("[")?;
        let lower = if self.at_symbol(":") { None } else { Some(self.expression()?) };
        let subscript = if self.accept_symbol(":") {
            let upper_bound = if self.at_symbol("]") { None } else { Some(self.expression()?) };
            Subscript::Slice { lower_bound: lower, upper_bound, stride: None }
        } else {
            match lower {
                Some(index) => Subscript::Index { index },
                None => return self.fail(),
            }
        };
        self.expect_symbol("]")?;
        Ok(subscript)
    }

    fn word_expression(&mut self, word: &str, category: Category) -> Result<Expr> {
        let call = self.symbol_ahead(1, "(");
        match word {
            "true" | "false" | "null" => {
                let span = self.here();
                self.advance();
                let value = if word == "null" { Value::Null } else { Value::Boolean(word == "true") };
                Ok(Expr::Value(ValueWithSpan { value, span }))
            }
            // As the value of a column; elsewhere it is refused once its meaning is looked for.
            "default" => Ok(Expr::Identifier(self.label()?)),
            "double" if self.word_ahead(1) == Some("precision") => {
                let data_type = self.simple_type()?;
                self.typed_string(data_type)
            }
            "case" => self.case(),
            "cast" => self.cast(),
            "array" => self.array(),
            "exists" if call => {
                self.advance();
                if !self.starts_query(self.index()) {
                    self.advance();
                    return self.fail();
                }
                Ok(Expr::Exists { subquery: self.parenthesized_query()?, negated: false })
            }
            "row" if call => self.special_list("row"),
            "current_date" | "current_time" | "current_timestamp" | "localtime" | "localtimestamp" => {
                self.time_function()
            }
            "current_user" | "session_user" | "user" | "current_role" | "current_catalog" => {
                self.bare_function()
            }
            "current_schema" if !call && !self.symbol_ahead(1, ".") => self.bare_function(),
            "interval" => self.interval(),
            "extract" | "position" | "overlay" | "substring" | "trim" | "normalize" | "treat" if call => {
                self.special_function(word)
            }
            "coalesce" | "greatest" | "least" | "nullif" | "grouping" if call => self.special_list(word),
            "collation" if self.at_words(&["collation", "for"]) => self.collation_for(),
            _ if word.starts_with("xml") && category == Category::ColumnName && call => {
                self.unsupported(&word.to_ascii_uppercase())
            }
            _ if category == Category::ColumnName => self.column_name_word(word),
            _ if category == Category::Reserved => self.fail(),
            _ => self.name_expression(),
        }
    }

    /// A keyword such as `int` or `timestamp`: a typed literal, or a column of that name.
    fn column_name_word(&mut self, word: &str) -> Result<Expr> {
        let is_type = matches!(
            word,
            "int"
                | "integer"
                | "smallint"
                | "bigint"
                | "real"
                | "boolean"
                | "float"
                | "decimal"
                | "dec"
                | "numeric"
                | "bit"
                | "character"
                | "char"
                | "varchar"
                | "national"
                | "nchar"
                | "timestamp"
                | "time"
        );
        let follows = match &self.peek(1).kind {
            Kind::Text(_) | Kind::Symbol("(") => true,
            Kind::Word(next, ..) => {
                matches!(next.as_str(), "with" | "without" | "varying" | "character" | "char")
            }
            _ => false,
        };
        if is_type
            && follows
            && !(word == "time" && self.word_ahead(1) == Some("with") && self.word_ahead(2) != Some("time"))
        {
            let data_type = self.simple_type()?;
            return self.typed_string(data_type);
        }
        if self.symbol_ahead(1, "(") {
            self.advance();
            return self.fail();
        }
        self.name_expression()
    }

    fn typed_string(&mut self, data_type: DataType) -> Result<Expr> {
        let span = self.here();
        let value = ValueWithSpan { value: Value::SingleQuotedString(self.string()?), span };
        Ok(Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false }))
    }

    /// A column reference, a function call or a literal of a named type: all begin with a name.
    fn name_expression(&mut self) -> Result<Expr> {
        if self.name_end().is_some_and(|after| matches!(self.token_at(after).kind, Kind::Symbol("("))) {
            let close = self.name_end().and_then(|after| self.partner(after));
            if !close.is_some_and(|close| matches!(self.token_at(close + 1).kind, Kind::Text(_))) {
                let name = self.function_name()?;
                return self.function_call(name);
            }
        }
        self.column_or_literal()
    }

    /// A column reference or a literal of a named type, perhaps with modifiers.
    fn column_or_literal(&mut self) -> Result<Expr> {
        let start = self.index();
        if let Some(after) = self.name_end() {
            if matches!(self.token_at(after).kind, Kind::Text(_)) {
                let data_type = self.simple_type()?;
                return self.typed_string(data_type);
            }
            if matches!(self.token_at(after).kind, Kind::Symbol("(")) {
                // `type(modifier) 'text'`
                if let Ok(data_type) = self.simple_type() {
                    return self.typed_string(data_type);
                }
                self.seek(start);
                let name = self.function_name()?;
                return self.function_call(name);
            }
        }
        if let Kind::Word(_, Category::TypeOrFunction, _) = &self.token().kind {
            // PostgreSQL takes the word for a function's name and misses the parenthesis.
            self.advance();
            return self.fail();
        }
        let mut parts = vec![self.identifier()?];
        while self.at_symbol(".") && !matches!(&self.peek(1).kind, Kind::Operator(star) if star == "*") {
            self.advance();
            parts.push(self.label()?);
        }
        if self.at_symbol("[") {
            let mut parts = parts.into_iter().map(Expr::Identifier);
            let Some(root) = parts.next() else { return self.fail() };
            let mut access_chain: Vec<AccessExpr> = parts.map(AccessExpr::Dot).collect();
            if let Expr::CompoundFieldAccess { access_chain: more, .. } = self.indirection(root.clone())? {
                access_chain.extend(more);
            }
            return Ok(Expr::CompoundFieldAccess { root: Box::new(root), access_chain });
        }
        Ok(match parts.len() {
            1 => Expr::Identifier(parts.remove(0)),
            _ => Expr::CompoundIdentifier(parts),
        })
    }

    /// The token after the qualified name at the current token.
    fn name_end(&self) -> Option<usize> {
        let mut ahead = 0;
        loop {
            match &self.peek(ahead).kind {
                Kind::Word(..) | Kind::Quoted(_) => ahead += 1,
                _ => return None,
            }
            if !self.symbol_ahead(ahead, ".") {
                return Some(self.index() + ahead);
            }
            ahead += 1;
        }
    }

    // Function calls.

    /// `name(…)` with all that may follow, after the name.
    pub(super) fn function_call(&mut self, name: ObjectName) -> Result<Expr> {
        let arguments = self.nested(Self::arguments)?;
        self.call_clauses(name, arguments)
    }

    /// What may follow a call's arguments. Apart from them, so that nested calls do not pay for its frame.
    fn call_clauses(&mut self, name: ObjectName, arguments: FunctionArgumentList) -> Result<Expr> {
        let mut function = plain_function(name);
        function.args = FunctionArguments::List(arguments);
        if self.accept_words(&["within", "group"]) {
            self.expect_symbol("(")?;
            self.expect_words(&["order", "by"])?;
            function.within_group = self.list(Self::order_by_item)?;
            self.expect_symbol(")")?;
        }
        if self.at("filter") && self.symbol_ahead(1, "(") {
            self.advance();
            self.advance();
            self.expect("where")?;
            function.filter = Some(Box::new(self.expression()?));
            self.expect_symbol(")")?;
        }
        if self.accept("over") {
            function.over = Some(if self.at_symbol("(") {
                WindowType::WindowSpec(self.window_specification()?)
            } else {
                WindowType::NamedWindow(self.identifier()?)
            });
        }
        self.indirection_of_call(Expr::Function(function))
    }

    /// A function's result takes subscripts and fields in parentheses only.
    fn indirection_of_call(&mut self, call: Expr) -> Result<Expr> {
        if self.at_symbol("[") || self.at_symbol(".") { self.fail() } else { Ok(call) }
    }

    fn arguments(&mut self) -> Result<FunctionArgumentList> {
        self.expect_symbol("(")?;
        let mut list =
            FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() };
        if self.accept_symbol(")") {
            return Ok(list);
        }
        if matches!(&self.token().kind, Kind::Operator(star) if star == "*") {
            self.advance();
            list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
            self.expect_symbol(")")?;
            return Ok(list);
        }
        if self.accept("distinct") {
            list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
        } else if self.accept("all") {
            list.duplicate_treatment = Some(DuplicateTreatment::All);
        }
        list.args = self.list(Self::argument)?;
        if self.accept_words(&["order", "by"]) {
            list.clauses.push(FunctionArgumentClause::OrderBy(self.list(Self::order_by_item)?));
        }
        self.expect_symbol(")")?;
        Ok(list)
    }

    /// One argument. `VARIADIC x` is an argument named `variadic` with the operator `Space`.
    fn argument(&mut self) -> Result<FunctionArg> {
        let is_named = self.at("variadic") || self.symbol_ahead(1, "=>") || self.symbol_ahead(1, ":=");
        if is_named {
            return self.named_argument();
        }
        let expression = self.expression()?;
        self.unnamed(expression)
    }

    fn named_argument(&mut self) -> Result<FunctionArg> {
        if self.at("variadic") {
            let name = self.label()?;
            let arg = FunctionArgExpr::Expr(self.expression()?);
            return Ok(FunctionArg::Named { name, arg, operator: FunctionArgOperator::Space });
        }
        let name = self.type_or_function_name()?;
        let operator = if self.at_symbol("=>") {
            FunctionArgOperator::RightArrow
        } else {
            FunctionArgOperator::Assignment
        };
        self.advance();
        let arg = FunctionArgExpr::Expr(self.expression()?);
        Ok(FunctionArg::Named { name, arg, operator })
    }

    fn unnamed(&mut self, expression: Expr) -> Result<FunctionArg> {
        if self.at_symbol(".") && matches!(&self.peek(1).kind, Kind::Operator(star) if star == "*") {
            return Ok(FunctionArg::Unnamed(self.whole_row(expression)?));
        }
        Ok(FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)))
    }

    /// `table.*` as an argument or in a row.
    fn whole_row(&mut self, expression: Expr) -> Result<FunctionArgExpr> {
        let parts = match expression {
            Expr::Identifier(ident) => vec![ident],
            Expr::CompoundIdentifier(parts) => parts,
            _ => return self.fail(),
        };
        self.advance();
        self.advance();
        Ok(FunctionArgExpr::QualifiedWildcard(ObjectName::from(parts)))
    }

    /// COALESCE, GREATEST, LEAST, NULLIF, GROUPING, ROW: a function under its own name.
    fn special_list(&mut self, word: &str) -> Result<Expr> {
        let name = self.label()?;
        self.expect_symbol("(")?;
        let mut args = Vec::new();
        if !(word == "row" && self.at_symbol(")")) {
            args = self.list(Self::argument)?;
            if word == "nullif" && args.len() != 2 {
                return self.fail();
            }
        }
        self.expect_symbol(")")?;
        let mut function = plain_function(ObjectName::from(vec![name]));
        function.args = arguments_of(args);
        Ok(Expr::Function(function))
    }

    fn bare_function(&mut self) -> Result<Expr> {
        let name = self.label()?;
        Ok(Expr::Function(plain_function(ObjectName::from(vec![name]))))
    }

    fn time_function(&mut self) -> Result<Expr> {
        let is_date = self.at("current_date");
        let name = self.label()?;
        let mut function = plain_function(ObjectName::from(vec![name]));
        if !is_date && self.accept_symbol("(") {
            let span = self.here();
            let precision = self.unsigned()?;
            let value = ValueWithSpan { value: Value::Number(precision.to_string(), false), span };
            function.args =
                arguments_of(vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))]);
            self.expect_symbol(")")?;
        }
        Ok(Expr::Function(function))
    }

    fn collation_for(&mut self) -> Result<Expr> {
        let span = self.here();
        self.expect_words(&["collation", "for"])?;
        self.expect_symbol("(")?;
        let argument = self.expression()?;
        self.expect_symbol(")")?;
        Ok(catalog_function("pg_collation_for", span, vec![argument]))
    }

    fn special_function(&mut self, word: &str) -> Result<Expr> {
        let span = self.here();
        let name = self.label()?;
        self.expect_symbol("(")?;
        let expression = match word {
            "extract" => self.extract(),
            "position" => self.position_in(),
            "overlay" => self.overlay(name),
            "substring" => self.substring(name, span),
            "trim" => self.trim(),
            "normalize" => self.normalize(span),
            _ => self.unsupported("TREAT"),
        }?;
        self.expect_symbol(")")?;
        Ok(expression)
    }

    fn extract(&mut self) -> Result<Expr> {
        let field = match &self.token().kind {
            Kind::Text(text) => Ident::with_quote_and_span('\'', self.here(), text.clone()),
            _ => self.clone_word()?,
        };
        self.advance();
        self.expect("from")?;
        let expr = Box::new(self.expression()?);
        Ok(Expr::Extract { field: date_time_field(field), syntax: ExtractSyntax::From, expr })
    }

    fn clone_word(&self) -> Result<Ident> {
        match &self.token().kind {
            Kind::Word(word, category, _) if *category != Category::Reserved => {
                Ok(Ident::with_span(self.here(), word.clone()))
            }
            Kind::Quoted(name) => Ok(Ident::with_quote_and_span('"', self.here(), name.clone())),
            _ => self.fail(),
        }
    }

    fn position_in(&mut self) -> Result<Expr> {
        let expr = Box::new(self.restricted_expression()?);
        self.expect("in")?;
        Ok(Expr::Position { expr, r#in: Box::new(self.restricted_expression()?) })
    }

    fn overlay(&mut self, name: Ident) -> Result<Expr> {
        let first = self.argument()?;
        if !self.at("placing") {
            return self.rest_of_call(name, first);
        }
        self.advance();
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = first else { return self.fail() };
        let overlay_what = Box::new(self.expression()?);
        self.expect("from")?;
        let overlay_from = Box::new(self.expression()?);
        let overlay_for = if self.accept("for") { Some(Box::new(self.expression()?)) } else { None };
        Ok(Expr::Overlay { expr: Box::new(expr), overlay_what, overlay_from, overlay_for })
    }

    /// After the first argument of a function that has a syntax of its own too.
    fn rest_of_call(&mut self, name: Ident, first: FunctionArg) -> Result<Expr> {
        let mut args = vec![first];
        while self.accept_symbol(",") {
            args.push(self.argument()?);
        }
        let mut function = plain_function(ObjectName::from(vec![name]));
        function.args = arguments_of(args);
        Ok(Expr::Function(function))
    }

    fn substring(&mut self, name: Ident, span: sqlparser::tokenizer::Span) -> Result<Expr> {
        if self.at_symbol(")") {
            let mut function = plain_function(ObjectName::from(vec![name]));
            function.args = arguments_of(Vec::new());
            return Ok(Expr::Function(function));
        }
        let first = self.argument()?;
        if !self.at_any(&["from", "for", "similar"]) {
            return self.rest_of_call(name, first);
        }
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = first else { return self.fail() };
        if self.accept("similar") {
            let pattern = self.expression()?;
            self.expect("escape")?;
            let escape = self.expression()?;
            return Ok(catalog_function("substring", span, vec![expr, pattern, escape]));
        }
        let mut from = None;
        let mut length = None;
        loop {
            if from.is_none() && self.accept("from") {
                from = Some(Box::new(self.expression()?));
            } else if length.is_none() && self.accept("for") {
                length = Some(Box::new(self.expression()?));
            } else {
                break;
            }
        }
        Ok(Expr::Substring {
            expr: Box::new(expr),
            substring_from: from,
            substring_for: length,
            special: false,
            shorthand: false,
        })
    }

    fn trim(&mut self) -> Result<Expr> {
        let trim_where = match self.word() {
            Some("both") => Some(TrimWhereField::Both),
            Some("leading") => Some(TrimWhereField::Leading),
            Some("trailing") => Some(TrimWhereField::Trailing),
            _ => None,
        };
        if trim_where.is_some() {
            self.advance();
        }
        if self.accept("from") {
            let (expr, trim_characters) = self.trim_list()?;
            return Ok(Expr::Trim { trim_where, trim_what: None, expr, trim_characters });
        }
        let first = self.expression()?;
        if self.accept("from") {
            let (expr, more) = self.trim_list()?;
            if more.is_some() {
                return self.unsupported("TRIM with a list after FROM");
            }
            return Ok(Expr::Trim {
                trim_where,
                trim_what: Some(Box::new(first)),
                expr,
                trim_characters: None,
            });
        }
        let rest = if self.accept_symbol(",") { Some(self.expression_list()?) } else { None };
        Ok(Expr::Trim { trim_where, trim_what: None, expr: Box::new(first), trim_characters: rest })
    }

    fn trim_list(&mut self) -> Result<(Box<Expr>, Option<Vec<Expr>>)> {
        let first = Box::new(self.expression()?);
        let rest = if self.accept_symbol(",") { Some(self.expression_list()?) } else { None };
        Ok((first, rest))
    }

    fn normalize(&mut self, span: sqlparser::tokenizer::Span) -> Result<Expr> {
        let mut arguments = vec![self.expression()?];
        if self.accept_symbol(",") {
            let form = match self.word() {
                Some(form @ ("nfc" | "nfd" | "nfkc" | "nfkd")) => form.to_ascii_uppercase(),
                _ => return self.fail(),
            };
            let value = ValueWithSpan { value: Value::SingleQuotedString(form), span: self.here() };
            self.advance();
            arguments.push(Expr::Value(value));
        }
        Ok(catalog_function("normalize", span, arguments))
    }

    // Other primaries.

    fn case(&mut self) -> Result<Expr> {
        let case_token = AttachedToken::empty();
        self.expect("case")?;
        let operand = if self.at("when") { None } else { Some(Box::new(self.expression()?)) };
        let mut conditions = Vec::new();
        while self.accept("when") {
            let condition = self.expression()?;
            self.expect("then")?;
            conditions.push(CaseWhen { condition, result: self.expression()? });
        }
        if conditions.is_empty() {
            return self.fail();
        }
        let else_result = if self.accept("else") { Some(Box::new(self.expression()?)) } else { None };
        self.expect("end")?;
        Ok(Expr::Case { case_token, end_token: AttachedToken::empty(), operand, conditions, else_result })
    }

    fn cast(&mut self) -> Result<Expr> {
        self.expect("cast")?;
        self.expect_symbol("(")?;
        let expr = Box::new(self.expression()?);
        self.expect("as")?;
        let data_type = self.data_type()?;
        self.expect_symbol(")")?;
        Ok(Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None })
    }

    /// `ARRAY[…]` or `ARRAY(query)`, the latter a function with a subquery for arguments.
    fn array(&mut self) -> Result<Expr> {
        let name = self.label()?;
        if self.at_symbol("[") {
            return self.array_elements(true);
        }
        if !self.at_symbol("(") {
            return self.fail();
        }
        if !self.starts_query(self.index()) {
            self.advance();
            return self.fail();
        }
        let mut function = plain_function(ObjectName::from(vec![name]));
        function.args = FunctionArguments::Subquery(self.parenthesized_query()?);
        Ok(Expr::Function(function))
    }

    fn array_elements(&mut self, named: bool) -> Result<Expr> {
        self.nested(|parser| {
            parser.expect_symbol("[")?;
            let mut elem = Vec::new();
            if parser.at_symbol("[") {
                elem = parser.list(|parser| parser.array_elements(false))?;
            } else if !parser.at_symbol("]") {
                elem = parser.expression_list()?;
            }
            parser.expect_symbol("]")?;
            Ok(Expr::Array(Array { elem, named }))
        })
    }

    fn interval(&mut self) -> Result<Expr> {
        let literal = match &self.peek(1).kind {
            Kind::Text(_) => true,
            Kind::Symbol("(") => self
                .partner(self.index() + 1)
                .is_some_and(|close| matches!(self.token_at(close + 1).kind, Kind::Text(_))),
            _ => false,
        };
        if !literal {
            return self.column_name_word("interval");
        }
        self.advance();
        let mut precision = None;
        if self.accept_symbol("(") {
            precision = Some(self.unsigned()?);
            self.expect_symbol(")")?;
        }
        let span = self.here();
        let value = Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(self.string()?), span });
        let (fields, second_precision) =
            if precision.is_none() { self.interval_fields()? } else { (None, None) };
        let (leading_field, last_field) = fields.map_or((None, None), split_interval_fields);
        Ok(Expr::Interval(Interval {
            value: Box::new(value),
            leading_field,
            leading_precision: None,
            last_field,
            fractional_seconds_precision: precision.or(second_precision),
        }))
    }
}

/// An operator's name.
pub(super) enum OperatorName {
    Plain(String),
    /// Schema, then operator.
    Qualified(Vec<String>),
}

#[derive(Clone, Copy)]
enum Likeness {
    Like,
    InsensitiveLike,
}

/// A function call without arguments and clauses.
pub(super) fn plain_function(name: ObjectName) -> Function {
    Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::None,
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    }
}

fn arguments_of(args: Vec<FunctionArg>) -> FunctionArguments {
    FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() })
}

/// `pg_catalog.name(…)`, which a syntax of its own stands for.
fn catalog_function(name: &str, span: sqlparser::tokenizer::Span, arguments: Vec<Expr>) -> Expr {
    let parts = ["pg_catalog", name].map(|part| ObjectNamePart::Identifier(Ident::with_span(span, part)));
    let mut function = plain_function(ObjectName(parts.into()));
    function.args = arguments_of(
        arguments.into_iter().map(|item| FunctionArg::Unnamed(FunctionArgExpr::Expr(item))).collect(),
    );
    Expr::Function(function)
}

fn balance(mut terms: Vec<Expr>, op: &BinaryOperator) -> Expr {
    // Short chains keep the shape that they are written in.
    const SHORT: usize = 8;
    if terms.len() > SHORT {
        let right = terms.split_off(terms.len() / 2);
        let (left, right) = (balance(terms, op), balance(right, op));
        return Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) };
    }
    let mut terms = terms.into_iter();
    let first = terms.next().expect("a chain has a first term");
    terms.fold(first, |left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: op.clone(),
        right: Box::new(right),
    })
}

fn unary_operator(operator: &str) -> Option<UnaryOperator> {
    Some(match operator {
        "+" => UnaryOperator::Plus,
        "-" => UnaryOperator::Minus,
        "~" => UnaryOperator::BitwiseNot,
        "@" => UnaryOperator::PGAbs,
        "|/" => UnaryOperator::PGSquareRoot,
        "||/" => UnaryOperator::PGCubeRoot,
        "!!" => UnaryOperator::PGPrefixFactorial,
        "!" => UnaryOperator::BangNot,
        "#" => UnaryOperator::Hash,
        "@-@" => UnaryOperator::AtDashAt,
        "@@" => UnaryOperator::DoubleAt,
        "?-" => UnaryOperator::QuestionDash,
        "?|" => UnaryOperator::QuestionPipe,
        _ => return None,
    })
}

fn binary_operator(operator: &str) -> BinaryOperator {
    use BinaryOperator as B;
    match operator {
        "+" => B::Plus,
        "-" => B::Minus,
        "*" => B::Multiply,
        "/" => B::Divide,
        "%" => B::Modulo,
        "^" => B::PGExp,
        "=" => B::Eq,
        "<>" => B::NotEq,
        "<" => B::Lt,
        "<=" => B::LtEq,
        ">" => B::Gt,
        ">=" => B::GtEq,
        "||" => B::StringConcat,
        "|" => B::BitwiseOr,
        "&" => B::BitwiseAnd,
        "#" => B::PGBitwiseXor,
        "<<" => B::PGBitwiseShiftLeft,
        ">>" => B::PGBitwiseShiftRight,
        "&&" => B::PGOverlap,
        "~" => B::PGRegexMatch,
        "~*" => B::PGRegexIMatch,
        "!~" => B::PGRegexNotMatch,
        "!~*" => B::PGRegexNotIMatch,
        "~~" => B::PGLikeMatch,
        "~~*" => B::PGILikeMatch,
        "!~~" => B::PGNotLikeMatch,
        "!~~*" => B::PGNotILikeMatch,
        "^@" => B::PGStartsWith,
        "->" => B::Arrow,
        "->>" => B::LongArrow,
        "#>" => B::HashArrow,
        "#>>" => B::HashLongArrow,
        "@@" => B::AtAt,
        "@>" => B::AtArrow,
        "<@" => B::ArrowAt,
        "#-" => B::HashMinus,
        "@?" => B::AtQuestion,
        "?" => B::Question,
        "?&" => B::QuestionAnd,
        "?|" => B::QuestionPipe,
        other => B::Custom(other.to_owned()),
    }
}

fn date_time_field(field: Ident) -> DateTimeField {
    match field.value.as_str() {
        "year" => DateTimeField::Year,
        "month" => DateTimeField::Month,
        "day" => DateTimeField::Day,
        "hour" => DateTimeField::Hour,
        "minute" => DateTimeField::Minute,
        "second" => DateTimeField::Second,
        "century" => DateTimeField::Century,
        "decade" => DateTimeField::Decade,
        "dow" => DateTimeField::Dow,
        "doy" => DateTimeField::Doy,
        "epoch" => DateTimeField::Epoch,
        "isodow" => DateTimeField::Isodow,
        "isoyear" => DateTimeField::Isoyear,
        "julian" => DateTimeField::Julian,
        "microseconds" => DateTimeField::Microseconds,
        "milliseconds" => DateTimeField::Milliseconds,
        "millennium" => DateTimeField::Millennium,
        "quarter" => DateTimeField::Quarter,
        "week" => DateTimeField::Week(None),
        "timezone" => DateTimeField::Timezone,
        "timezone_hour" => DateTimeField::TimezoneHour,
        "timezone_minute" => DateTimeField::TimezoneMinute,
        _ => DateTimeField::Custom(field),
    }
}

fn split_interval_fields(fields: IntervalFields) -> (Option<DateTimeField>, Option<DateTimeField>) {
    use DateTimeField as D;
    match fields {
        IntervalFields::Year => (Some(D::Year), None),
        IntervalFields::Month => (Some(D::Month), None),
        IntervalFields::Day => (Some(D::Day), None),
        IntervalFields::Hour => (Some(D::Hour), None),
        IntervalFields::Minute => (Some(D::Minute), None),
        IntervalFields::Second => (Some(D::Second), None),
        IntervalFields::YearToMonth => (Some(D::Year), Some(D::Month)),
        IntervalFields::DayToHour => (Some(D::Day), Some(D::Hour)),
        IntervalFields::DayToMinute => (Some(D::Day), Some(D::Minute)),
        IntervalFields::DayToSecond => (Some(D::Day), Some(D::Second)),
        IntervalFields::HourToMinute => (Some(D::Hour), Some(D::Minute)),
        IntervalFields::HourToSecond => (Some(D::Hour), Some(D::Second)),
        IntervalFields::MinuteToSecond => (Some(D::Minute), Some(D::Second)),
    }
}
