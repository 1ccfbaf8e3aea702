//! CREATE FUNCTION and PROCEDURE, parameters, and CALL.

use sqlparser::ast;

use super::{Expression, InnerStatement, Name, SetScope, SettingChange, TypeName, Utility};
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::Kind;

/// How a parameter passes values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterMode {
    In,
    Out,
    InOut,
    Variadic,
}

/// A parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub mode: ParameterMode,
    pub name: Option<String>,
    pub data_type: TypeName,
    pub default: Option<Expression>,
    pub position: usize,
}

/// What a function returns.
#[derive(Clone, Debug)]
pub enum FunctionReturns {
    Type(TypeName),
    /// RETURNS TABLE (columns).
    Table(Vec<(String, TypeName)>),
}

/// How a function's result may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

/// An option of a function.
#[derive(Clone, Debug)]
pub enum FunctionOption {
    Language(String),
    Volatility(Volatility),
    /// STRICT or RETURNS NULL ON NULL INPUT (true), CALLED ON NULL INPUT (false).
    Strict(bool),
    SecurityDefiner(bool),
    Leakproof(bool),
    Window,
    Cost(String),
    Rows(String),
    Support(Name),
    Parallel(String),
    Setting(SettingChange),
    Transform,
    /// AS 'definition' or AS 'object file', 'link symbol'.
    As(Vec<String>),
}

/// A body in SQL rather than in a string.
#[derive(Clone, Debug)]
pub enum FunctionBody {
    Return(Expression),
    /// BEGIN ATOMIC … END.
    Atomic(Vec<InnerStatement>),
}

/// CREATE FUNCTION or PROCEDURE.
#[derive(Clone, Debug)]
pub struct CreateFunction {
    pub or_replace: bool,
    pub is_procedure: bool,
    pub name: Name,
    pub parameters: Vec<Parameter>,
    pub returns: Option<FunctionReturns>,
    pub options: Vec<FunctionOption>,
    pub body: Option<FunctionBody>,
}

/// CALL function(…).
#[derive(Clone, Debug)]
pub struct CallStatement {
    pub function: ast::Function,
    pub position: usize,
}

impl Parser<'_> {
    pub(super) fn create_function(&mut self, or_replace: bool) -> Result<Utility> {
        let is_procedure = self.label()?.value == "procedure";
        let name = self.routine_name()?;
        self.expect_symbol("(")?;
        let parameters = if self.at_symbol(")") { Vec::new() } else { self.list(Self::parameter)? };
        self.expect_symbol(")")?;
        let mut returns = None;
        if !is_procedure && self.at("returns") && self.word_ahead(1) != Some("null") {
            self.advance();
            returns = Some(if self.accept("table") {
                FunctionReturns::Table(self.parenthesized(|parser| {
                    Ok((parser.type_or_function_name()?.value, parser.type_name()?))
                })?)
            } else {
                FunctionReturns::Type(self.type_name()?)
            });
        }
        let options = self.function_options()?;
        let body = self.function_body()?;
        Ok(Utility::CreateFunction(Box::new(CreateFunction {
            or_replace,
            is_procedure,
            name,
            parameters,
            returns,
            options,
            body,
        })))
    }

    fn function_body(&mut self) -> Result<Option<FunctionBody>> {
        if self.accept("return") {
            return Ok(Some(FunctionBody::Return(self.expression_text()?)));
        }
        if !self.accept_words(&["begin", "atomic"]) {
            return Ok(None);
        }
        let mut statements = Vec::new();
        loop {
            while self.accept_symbol(";") {}
            if self.accept("end") {
                return Ok(Some(FunctionBody::Atomic(statements)));
            }
            if self.at("return") {
                return self.unsupported("RETURN in BEGIN ATOMIC");
            }
            statements.push(self.inner_statement()?);
            if !self.at_symbol(";") {
                return self.fail();
            }
        }
    }

    /// `func_arg_with_default`.
    fn parameter(&mut self) -> Result<Parameter> {
        let position = self.place();
        let mut mode = self.parameter_mode();
        let name = if self.at_parameter_name() { Some(self.type_or_function_name()?.value) } else { None };
        if mode.is_none() {
            mode = self.parameter_mode();
        }
        let data_type = self.type_name()?;
        let default = if self.accept("default") || self.accept_operator("=") {
            Some(self.expression_text()?)
        } else {
            None
        };
        Ok(Parameter { mode: mode.unwrap_or(ParameterMode::In), name, data_type, default, position })
    }

    fn parameter_mode(&mut self) -> Option<ParameterMode> {
        let mode = match self.word() {
            Some("in") if self.word_ahead(1) == Some("out") => {
                self.advance();
                ParameterMode::InOut
            }
            Some("in") => ParameterMode::In,
            Some("out") => ParameterMode::Out,
            Some("inout") => ParameterMode::InOut,
            Some("variadic") => ParameterMode::Variadic,
            _ => return None,
        };
        self.advance();
        Some(mode)
    }

    /// Whether the current word names the parameter: another word, the type, follows it.
    fn at_parameter_name(&self) -> bool {
        use crate::parse::keywords::Category;
        let can_name = match &self.token().kind {
            Kind::Word(word, category, _) => {
                !matches!(category, Category::ColumnName | Category::Reserved)
                    && !(word == "double" && self.word_ahead(1) == Some("precision"))
            }
            Kind::Quoted(_) => true,
            _ => false,
        };
        let follows = match &self.peek(1).kind {
            Kind::Word(word, category, _) => {
                *category != Category::Reserved || matches!(word.as_str(), "in" | "variadic")
            }
            Kind::Quoted(_) => true,
            _ => false,
        };
        can_name && follows
    }

    /// `(types)` after a function's name in DROP, ALTER, COMMENT and GRANT.
    pub(super) fn parameter_types(&mut self) -> Result<Vec<Parameter>> {
        self.expect_symbol("(")?;
        if self.accept_operator("*") || self.at_symbol(")") {
            self.expect_symbol(")")?;
            return Ok(Vec::new());
        }
        let mut parameters = if self.at("order") { Vec::new() } else { self.list(Self::parameter)? };
        if self.accept_words(&["order", "by"]) {
            parameters.extend(self.list(Self::parameter)?);
        }
        self.expect_symbol(")")?;
        Ok(parameters)
    }

    pub(super) fn function_options(&mut self) -> Result<Vec<FunctionOption>> {
        let mut options = Vec::new();
        while let Some(option) = self.function_option()? {
            options.push(option);
        }
        Ok(options)
    }

    fn function_option(&mut self) -> Result<Option<FunctionOption>> {
        use FunctionOption as O;
        const FIXED: &[(&[&str], O)] = &[
            (&["immutable"], O::Volatility(Volatility::Immutable)),
            (&["stable"], O::Volatility(Volatility::Stable)),
            (&["volatile"], O::Volatility(Volatility::Volatile)),
            (&["strict"], O::Strict(true)),
            (&["returns", "null", "on", "null", "input"], O::Strict(true)),
            (&["called", "on", "null", "input"], O::Strict(false)),
            (&["security", "definer"], O::SecurityDefiner(true)),
            (&["security", "invoker"], O::SecurityDefiner(false)),
            (&["external", "security", "definer"], O::SecurityDefiner(true)),
            (&["external", "security", "invoker"], O::SecurityDefiner(false)),
            (&["leakproof"], O::Leakproof(true)),
            (&["not", "leakproof"], O::Leakproof(false)),
            (&["window"], O::Window),
        ];
        if let Some((_, option)) = FIXED.iter().find(|(words, _)| self.accept_words(words)) {
            return Ok(Some(option.clone()));
        }
        let word = self.word().unwrap_or_default().to_owned();
        Ok(Some(match word.as_str() {
            "language" => {
                self.advance();
                O::Language(match &self.token().kind {
                    Kind::Text(_) => self.string()?,
                    _ => self.unreserved_word()?.value,
                })
            }
            "cost" => {
                self.advance();
                O::Cost(self.signed_number()?)
            }
            "rows" => {
                self.advance();
                O::Rows(self.signed_number()?)
            }
            "support" => {
                self.advance();
                O::Support(self.name()?)
            }
            "parallel" => {
                self.advance();
                O::Parallel(self.simple_name()?)
            }
            "set" => {
                self.advance();
                O::Setting(SettingChange::Set(self.set_variable(SetScope::Session)?))
            }
            "reset" => O::Setting(self.setting_change()?),
            "transform" => {
                self.advance();
                self.list(|parser| {
                    parser.expect_words(&["for", "type"])?;
                    parser.type_name()
                })?;
                O::Transform
            }
            "as" => {
                self.advance();
                let mut strings = vec![self.string()?];
                if self.accept_symbol(",") {
                    strings.push(self.string()?);
                }
                O::As(strings)
            }
            _ => return Ok(None),
        }))
    }

    pub(super) fn call_statement(&mut self) -> Result<Utility> {
        self.expect("call")?;
        let position = self.place();
        let name = self.function_name()?;
        match self.function_call(name)? {
            ast::Expr::Function(function) => Ok(Utility::Call(CallStatement { function, position })),
            _ => self.fail(),
        }
    }
}

impl CreateFunction {
    /// The language that is named, the last time if more than once.
    pub fn language(&self) -> Option<&str> {
        self.options.iter().rev().find_map(|option| match option {
            FunctionOption::Language(language) => Some(language.as_str()),
            _ => None,
        })
    }
}
