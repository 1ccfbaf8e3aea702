//! SET, RESET, SHOW and DISCARD.

use super::Utility;
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::{Kind, quote_identifier};

/// How long a setting lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetScope {
    Session,
    /// Until the end of the transaction.
    Local,
}

/// What a setting is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetValue {
    /// The values as written, strings without quotes; several only for lists such as `search_path`.
    Values(Vec<String>),
    Default,
    /// `FROM CURRENT`, in ALTER and CREATE FUNCTION only.
    FromCurrent,
}

/// SET name TO value. SET ROLE, SESSION AUTHORIZATION, TIME ZONE, NAMES and the like are the settings they set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetVariable {
    pub scope: SetScope,
    pub name: String,
    pub value: SetValue,
    /// Of the name, in the statement, from 1.
    pub position: usize,
}

/// SET or RESET inside ALTER ROLE, ALTER DATABASE, ALTER SYSTEM and function options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingChange {
    Set(SetVariable),
    /// `None` means ALL.
    Reset(Option<String>),
}

/// What DISCARD throws away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temporary,
}

impl Discard {
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::All => "DISCARD ALL",
            Self::Plans => "DISCARD PLANS",
            Self::Sequences => "DISCARD SEQUENCES",
            Self::Temporary => "DISCARD TEMP",
        }
    }
}

impl Parser<'_> {
    pub(super) fn set_statement(&mut self) -> Result<Utility> {
        self.expect("set")?;
        if self.accept("constraints") {
            return self.set_constraints();
        }
        if self.accept_words(&["session", "characteristics", "as", "transaction"]) {
            return Ok(Utility::SetTransaction { session: true, modes: self.transaction_modes()? });
        }
        let mut scope = SetScope::Session;
        if self.accept("local") {
            scope = SetScope::Local;
        } else if self.at("session") && self.word_ahead(1) != Some("authorization") {
            self.advance();
        }
        if self.at("transaction") && !self.peek_is_assignment() {
            self.advance();
            if self.accept("snapshot") {
                return Ok(Utility::SetTransactionSnapshot(self.string()?));
            }
            return Ok(Utility::SetTransaction { session: false, modes: self.transaction_modes()? });
        }
        Ok(Utility::Set(self.set_variable(scope)?))
    }

    fn peek_is_assignment(&self) -> bool {
        self.word_ahead(1) == Some("to") || matches!(&self.peek(1).kind, Kind::Operator(sign) if sign == "=")
    }

    /// What follows SET and its scope.
    pub(super) fn set_variable(&mut self, scope: SetScope) -> Result<SetVariable> {
        let position = self.place();
        let set = |name: &str, value| Ok(SetVariable { scope, name: name.to_owned(), value, position });
        if self.accept_words(&["time", "zone"]) {
            let value = self.zone_value()?;
            return set("timezone", value);
        }
        if !self.peek_is_assignment() {
            if self.accept("role") {
                let value = self.word_or_string()?;
                return set("role", SetValue::Values(vec![value]));
            }
            if self.accept_words(&["session", "authorization"]) {
                let value = if self.accept("default") {
                    SetValue::Default
                } else {
                    SetValue::Values(vec![self.word_or_string()?])
                };
                return set("session_authorization", value);
            }
            if self.accept("names") {
                let value = match &self.token().kind {
                    Kind::Text(_) => SetValue::Values(vec![self.string()?]),
                    _ => {
                        self.accept("default");
                        SetValue::Default
                    }
                };
                return set("client_encoding", value);
            }
            if self.accept("schema") {
                let value = self.string()?;
                return set("search_path", SetValue::Values(vec![quote_identifier(&value).into_owned()]));
            }
            if self.at_words(&["xml", "option"]) {
                self.advance();
                self.advance();
                let value = self.unreserved_word()?.value;
                return set("xmloption", SetValue::Values(vec![value]));
            }
        }
        let name = self.setting_name()?;
        if self.accept_words(&["from", "current"]) {
            return set(&name, SetValue::FromCurrent);
        }
        if !self.accept_operator("=") {
            self.expect("to")?;
        }
        if self.accept("default") {
            return set(&name, SetValue::Default);
        }
        let values = self.list(Self::setting_value)?;
        set(&name, SetValue::Values(values))
    }

    /// A setting's name, dots included.
    pub(super) fn setting_name(&mut self) -> Result<String> {
        let mut name = self.simple_name()?;
        while self.accept_symbol(".") {
            name.push('.');
            name.push_str(&self.identifier()?.value);
        }
        Ok(name)
    }

    fn setting_value(&mut self) -> Result<String> {
        match &self.token().kind {
            Kind::Integer(_) | Kind::Decimal(_) => self.signed_number(),
            Kind::Operator(sign) if matches!(sign.as_str(), "-" | "+") => self.signed_number(),
            Kind::Text(_) => self.string(),
            Kind::Word(word, ..) if matches!(word.as_str(), "true" | "false" | "on") => {
                Ok(self.label()?.value)
            }
            _ => Ok(self.unreserved_word()?.value),
        }
    }

    fn word_or_string(&mut self) -> Result<String> {
        match &self.token().kind {
            Kind::Text(_) => self.string(),
            _ => Ok(self.unreserved_word()?.value),
        }
    }

    fn zone_value(&mut self) -> Result<SetValue> {
        if self.at("default") || self.at("local") {
            self.advance();
            return Ok(SetValue::Default);
        }
        if self.at("interval") {
            let start = self.index();
            self.expression()?;
            return Ok(SetValue::Values(vec![self.text_since(start).to_owned()]));
        }
        let value = match &self.token().kind {
            Kind::Text(_) => self.string()?,
            Kind::Word(..) | Kind::Quoted(_) => self.identifier()?.value,
            _ => self.signed_number()?,
        };
        Ok(SetValue::Values(vec![value]))
    }

    fn set_constraints(&mut self) -> Result<Utility> {
        let names = if self.accept("all") { None } else { Some(self.list(Self::name)?) };
        let deferred = self.accept("deferred");
        if !deferred {
            self.expect("immediate")?;
        }
        Ok(Utility::SetConstraints { names, deferred })
    }

    /// The name after RESET or SHOW; nothing for ALL.
    fn setting_to_read(&mut self) -> Result<Option<String>> {
        if self.accept("all") {
            return Ok(None);
        }
        if self.accept_words(&["time", "zone"]) {
            return Ok(Some("timezone".to_owned()));
        }
        if self.accept_words(&["transaction", "isolation", "level"]) {
            return Ok(Some("transaction_isolation".to_owned()));
        }
        if self.accept_words(&["session", "authorization"]) {
            return Ok(Some("session_authorization".to_owned()));
        }
        Ok(Some(self.setting_name()?))
    }

    pub(super) fn reset_statement(&mut self) -> Result<Utility> {
        self.expect("reset")?;
        Ok(Utility::Reset(self.setting_to_read()?))
    }

    pub(super) fn show_statement(&mut self) -> Result<Utility> {
        self.expect("show")?;
        Ok(Utility::Show(self.setting_to_read()?))
    }

    /// `SET …` or `RESET …` inside another statement.
    pub(super) fn setting_change(&mut self) -> Result<SettingChange> {
        if self.accept("reset") {
            return Ok(SettingChange::Reset(self.setting_to_read()?));
        }
        self.expect("set")?;
        Ok(SettingChange::Set(self.set_variable(SetScope::Session)?))
    }

    pub(super) fn discard_statement(&mut self) -> Result<Utility> {
        self.expect("discard")?;
        let discard = match self.word() {
            Some("all") => Discard::All,
            Some("plans") => Discard::Plans,
            Some("sequences") => Discard::Sequences,
            Some("temp" | "temporary") => Discard::Temporary,
            _ => return self.fail(),
        };
        self.advance();
        Ok(Utility::Discard(discard))
    }
}
