//! CREATE and ALTER EXTENSION.

use super::{ObjectReference, Utility};
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::Kind;

/// CREATE EXTENSION.
#[derive(Clone, Debug)]
pub struct CreateExtension {
    pub name: String,
    pub if_not_exists: bool,
    pub schema: Option<String>,
    pub version: Option<String>,
    pub cascade: bool,
    pub position: usize,
}

/// ALTER EXTENSION.
#[derive(Clone, Debug)]
pub struct AlterExtension {
    pub name: String,
    pub action: AlterExtensionAction,
}

/// What ALTER EXTENSION does.
#[derive(Clone, Debug)]
pub enum AlterExtensionAction {
    /// UPDATE [TO version].
    Update(Option<String>),
    SetSchema(String),
    AddMember(ObjectReference),
    DropMember(ObjectReference),
}

impl Parser<'_> {
    pub(super) fn create_extension(&mut self) -> Result<Utility> {
        self.expect("extension")?;
        let if_not_exists = self.if_not_exists();
        let position = self.place();
        let name = self.simple_name()?;
        self.accept("with");
        let (mut schema, mut version, mut cascade) = (None, None, false);
        while !self.at_end() {
            let place = self.position();
            let repeated = match self.word() {
                Some("schema") => {
                    self.advance();
                    schema.replace(self.simple_name()?).is_some()
                }
                Some("version") => {
                    self.advance();
                    version.replace(self.version()?).is_some()
                }
                Some("cascade") => {
                    self.advance();
                    std::mem::replace(&mut cascade, true)
                }
                _ => return self.fail(),
            };
            if repeated {
                return Err(crate::error!(SYNTAX_ERROR, "conflicting or redundant options").at(place));
            }
        }
        Ok(Utility::CreateExtension(CreateExtension {
            name,
            if_not_exists,
            schema,
            version,
            cascade,
            position,
        }))
    }

    fn version(&mut self) -> Result<String> {
        match &self.token().kind {
            Kind::Text(_) => self.string(),
            _ => Ok(self.unreserved_word()?.value),
        }
    }

    pub(super) fn alter_extension(&mut self) -> Result<Utility> {
        self.expect("extension")?;
        let name = self.simple_name()?;
        let action = if self.accept("update") {
            AlterExtensionAction::Update(if self.accept("to") { Some(self.version()?) } else { None })
        } else if self.accept_words(&["set", "schema"]) {
            AlterExtensionAction::SetSchema(self.simple_name()?)
        } else if self.accept("add") {
            AlterExtensionAction::AddMember(self.object_reference()?)
        } else {
            self.expect("drop")?;
            AlterExtensionAction::DropMember(self.object_reference()?)
        };
        Ok(Utility::AlterExtension(AlterExtension { name, action }))
    }
}
