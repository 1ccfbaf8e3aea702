//! CREATE and ALTER SEQUENCE, and the options which identity columns share.

use super::{Name, ObjectKind, Persistence, TypeName, Utility};
use crate::Result;
use crate::parse::parser::Parser;

/// One option of a sequence.
#[derive(Clone, Debug)]
pub enum SequenceOption {
    As(TypeName),
    Increment(i64),
    /// `None` is NO MINVALUE.
    MinValue(Option<i64>),
    /// `None` is NO MAXVALUE.
    MaxValue(Option<i64>),
    Start(i64),
    /// `None` restarts at the start value.
    Restart(Option<i64>),
    Cache(i64),
    Cycle(bool),
    /// Table and column; `None` is NONE.
    OwnedBy(Option<(Name, String)>),
    SequenceName(Name),
}

/// CREATE SEQUENCE.
#[derive(Clone, Debug)]
pub struct CreateSequence {
    pub name: Name,
    pub persistence: Persistence,
    pub if_not_exists: bool,
    pub options: Vec<SequenceOption>,
}

/// ALTER SEQUENCE options.
#[derive(Clone, Debug)]
pub struct AlterSequence {
    pub name: Name,
    pub if_exists: bool,
    pub options: Vec<SequenceOption>,
}

impl Parser<'_> {
    /// After the word SEQUENCE.
    pub(super) fn create_sequence(&mut self, persistence: Persistence) -> Result<Utility> {
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let options = self.sequence_options()?;
        Ok(Utility::CreateSequence(CreateSequence { name, persistence, if_not_exists, options }))
    }

    pub(super) fn alter_sequence(&mut self) -> Result<Utility> {
        let start = self.index();
        self.expect("sequence")?;
        let if_exists = self.if_exists();
        let name = self.name()?;
        if self.at_any(&["rename", "set"]) || self.at_words(&["owner", "to"]) {
            self.seek(start);
            return self.alter_table(ObjectKind::Sequence);
        }
        let options = self.sequence_options()?;
        if options.is_empty() {
            return self.fail();
        }
        Ok(Utility::AlterSequence(AlterSequence { name, if_exists, options }))
    }

    pub(super) fn sequence_options(&mut self) -> Result<Vec<SequenceOption>> {
        let mut options = Vec::new();
        while let Some(option) = self.sequence_option()? {
            options.push(option);
        }
        Ok(options)
    }

    pub(super) fn sequence_option(&mut self) -> Result<Option<SequenceOption>> {
        let word = self.word().unwrap_or_default().to_owned();
        if !matches!(
            word.as_str(),
            "as" | "increment"
                | "minvalue"
                | "maxvalue"
                | "start"
                | "restart"
                | "cache"
                | "cycle"
                | "owned"
                | "no"
                | "sequence"
        ) {
            return Ok(None);
        }
        self.advance();
        Ok(Some(match word.as_str() {
            "as" => SequenceOption::As(self.type_name()?),
            "increment" => {
                self.accept("by");
                SequenceOption::Increment(self.signed_integer()?)
            }
            "minvalue" => SequenceOption::MinValue(Some(self.signed_integer()?)),
            "maxvalue" => SequenceOption::MaxValue(Some(self.signed_integer()?)),
            "start" => {
                self.accept("with");
                SequenceOption::Start(self.signed_integer()?)
            }
            "restart" => {
                let with = self.accept("with");
                let number = with
                    || matches!(
                        self.token().kind,
                        crate::parse::tokens::Kind::Integer(_) | crate::parse::tokens::Kind::Operator(_)
                    );
                SequenceOption::Restart(if number { Some(self.signed_integer()?) } else { None })
            }
            "cache" => SequenceOption::Cache(self.signed_integer()?),
            "cycle" => SequenceOption::Cycle(true),
            "owned" => self.owned_by()?,
            "sequence" => {
                self.expect("name")?;
                SequenceOption::SequenceName(self.name()?)
            }
            _ if self.accept("minvalue") => SequenceOption::MinValue(None),
            _ if self.accept("maxvalue") => SequenceOption::MaxValue(None),
            _ => {
                self.expect("cycle")?;
                SequenceOption::Cycle(false)
            }
        }))
    }

    fn owned_by(&mut self) -> Result<SequenceOption> {
        self.expect("by")?;
        let position = self.place();
        let place = self.position();
        let mut parts = vec![self.identifier()?.value];
        while self.accept_symbol(".") {
            parts.push(self.label()?.value);
        }
        let column = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            if column == "none" {
                return Ok(SequenceOption::OwnedBy(None));
            }
            return Err(crate::error!(SYNTAX_ERROR, "invalid OWNED BY option")
                .hint("Specify OWNED BY table.column or OWNED BY NONE.")
                .at(place));
        }
        Ok(SequenceOption::OwnedBy(Some((self.name_of(parts, position)?, column))))
    }
}
