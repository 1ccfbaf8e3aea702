//! Prepared statements and cursors: PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH, MOVE, CLOSE.

use super::{Expression, InnerStatement, QueryText, TypeName, Utility};
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::Kind;

/// PREPARE name (types) AS statement.
#[derive(Clone, Debug)]
pub struct Prepare {
    pub name: String,
    pub types: Vec<TypeName>,
    pub statement: InnerStatement,
}

/// EXECUTE name (arguments).
#[derive(Clone, Debug)]
pub struct Execute {
    pub name: String,
    pub arguments: Vec<Expression>,
}

/// DECLARE name … CURSOR … FOR query.
#[derive(Clone, Debug)]
pub struct DeclareCursor {
    pub name: String,
    pub binary: bool,
    /// `Some(true)` INSENSITIVE, `Some(false)` ASENSITIVE.
    pub insensitive: Option<bool>,
    /// `Some(true)` SCROLL, `Some(false)` NO SCROLL.
    pub scroll: Option<bool>,
    pub hold: bool,
    pub query: QueryText,
}

/// FETCH or MOVE.
#[derive(Clone, Debug)]
pub struct Fetch {
    pub is_move: bool,
    pub direction: FetchDirection,
    pub cursor: String,
}

/// Where a cursor goes. ALL is `i64::MAX`; NEXT is `Forward(1)`, PRIOR `Backward(1)`, FIRST `Absolute(1)`, LAST
/// `Absolute(-1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchDirection {
    Forward(i64),
    Backward(i64),
    Absolute(i64),
    Relative(i64),
}

impl Parser<'_> {
    pub(super) fn prepare_statement(&mut self) -> Result<Utility> {
        self.expect("prepare")?;
        if self.at("transaction") && matches!(self.peek(1).kind, Kind::Text(_)) {
            self.advance();
            return Ok(Utility::PrepareTransaction(self.string()?));
        }
        let name = self.simple_name()?;
        let types = if self.at_symbol("(") { self.parenthesized(Self::type_name)? } else { Vec::new() };
        self.expect("as")?;
        if !self.at_sql_statement() {
            return self.fail();
        }
        Ok(Utility::Prepare(Prepare { name, types, statement: self.inner_statement()? }))
    }

    pub(super) fn execute_statement(&mut self) -> Result<Execute> {
        self.expect("execute")?;
        let name = self.simple_name()?;
        let arguments =
            if self.at_symbol("(") { self.parenthesized(Self::expression_text)? } else { Vec::new() };
        Ok(Execute { name, arguments })
    }

    pub(super) fn deallocate_statement(&mut self) -> Result<Utility> {
        self.expect("deallocate")?;
        if self.at("prepare") && !matches!(self.peek(1).kind, Kind::End | Kind::Symbol(";")) {
            self.advance();
        }
        if self.accept("all") {
            return Ok(Utility::Deallocate(None));
        }
        Ok(Utility::Deallocate(Some(self.simple_name()?)))
    }

    pub(super) fn declare_statement(&mut self) -> Result<Utility> {
        self.expect("declare")?;
        let name = self.simple_name()?;
        let (mut binary, mut insensitive, mut scroll) = (false, None, None);
        loop {
            if self.accept("binary") {
                binary = true;
            } else if self.accept("insensitive") {
                insensitive = Some(true);
            } else if self.accept("asensitive") {
                insensitive = Some(false);
            } else if self.accept("scroll") {
                scroll = Some(true);
            } else if self.accept_words(&["no", "scroll"]) {
                scroll = Some(false);
            } else {
                break;
            }
        }
        self.expect("cursor")?;
        let hold = self.accept_words(&["with", "hold"]);
        if !hold {
            self.accept_words(&["without", "hold"]);
        }
        self.expect("for")?;
        let query = self.query_text()?;
        Ok(Utility::DeclareCursor(DeclareCursor { name, binary, insensitive, scroll, hold, query }))
    }

    pub(super) fn fetch_statement(&mut self) -> Result<Utility> {
        let is_move = self.at("move");
        self.advance();
        let direction = self.fetch_direction()?;
        if !self.accept("from") {
            self.accept("in");
        }
        Ok(Utility::Fetch(Fetch { is_move, direction, cursor: self.simple_name()? }))
    }

    fn fetch_direction(&mut self) -> Result<FetchDirection> {
        use FetchDirection as D;
        // A lone word is the cursor's name, whatever it says.
        if matches!(self.peek(1).kind, Kind::End | Kind::Symbol(";")) {
            return Ok(D::Forward(1));
        }
        let word = self.word().unwrap_or_default().to_owned();
        let fixed = match word.as_str() {
            "next" => Some(D::Forward(1)),
            "prior" => Some(D::Backward(1)),
            "first" => Some(D::Absolute(1)),
            "last" => Some(D::Absolute(-1)),
            "all" => Some(D::Forward(i64::MAX)),
            _ => None,
        };
        if let Some(fixed) = fixed {
            self.advance();
            return Ok(fixed);
        }
        match word.as_str() {
            "absolute" | "relative" => {
                self.advance();
                let count = self.signed_integer()?;
                Ok(if word == "absolute" { D::Absolute(count) } else { D::Relative(count) })
            }
            "forward" | "backward" => {
                self.advance();
                let count = if self.accept("all") {
                    i64::MAX
                } else if matches!(self.token().kind, Kind::Integer(_) | Kind::Operator(_)) {
                    self.signed_integer()?
                } else {
                    1
                };
                Ok(if word == "forward" { D::Forward(count) } else { D::Backward(count) })
            }
            _ if matches!(self.token().kind, Kind::Integer(_) | Kind::Operator(_)) => {
                Ok(D::Forward(self.signed_integer()?))
            }
            _ => Ok(D::Forward(1)),
        }
    }

    pub(super) fn close_statement(&mut self) -> Result<Utility> {
        self.expect("close")?;
        if self.accept("all") {
            return Ok(Utility::Close(None));
        }
        Ok(Utility::Close(Some(self.simple_name()?)))
    }

    pub(super) fn notification_statement(&mut self) -> Result<Utility> {
        let word = self.label()?.value;
        match word.as_str() {
            "listen" => Ok(Utility::Listen(self.simple_name()?)),
            "unlisten" if self.accept_operator("*") => Ok(Utility::Unlisten(None)),
            "unlisten" => Ok(Utility::Unlisten(Some(self.simple_name()?))),
            _ => {
                let channel = self.simple_name()?;
                let payload = if self.accept_symbol(",") { Some(self.string()?) } else { None };
                Ok(Utility::Notify { channel, payload })
            }
        }
    }
}
