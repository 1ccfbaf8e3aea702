//! CREATE and ALTER DATABASE, ALTER SYSTEM.

use super::{Definition, DefinitionValue, RoleSpecification, SettingChange, Utility};
use crate::Result;
use crate::parse::parser::Parser;

/// CREATE DATABASE name WITH options. Options are `owner`, `template`, `encoding`, …; a value DEFAULT is absent.
#[derive(Clone, Debug)]
pub struct CreateDatabase {
    pub name: String,
    pub options: Vec<Definition>,
}

/// ALTER DATABASE.
#[derive(Clone, Debug)]
pub struct AlterDatabase {
    pub name: String,
    pub action: AlterDatabaseAction,
}

/// What ALTER DATABASE does.
#[derive(Clone, Debug)]
pub enum AlterDatabaseAction {
    RenameTo(String),
    OwnerTo(RoleSpecification),
    SetTablespace(String),
    RefreshCollationVersion,
    Setting(SettingChange),
    /// `allow_connections`, `connection_limit`, `is_template`.
    Options(Vec<Definition>),
}

impl Parser<'_> {
    pub(super) fn create_database(&mut self) -> Result<Utility> {
        self.expect("database")?;
        let name = self.simple_name()?;
        self.accept("with");
        Ok(Utility::CreateDatabase(CreateDatabase { name, options: self.database_options()? }))
    }

    fn database_options(&mut self) -> Result<Vec<Definition>> {
        let mut options = Vec::new();
        while !self.at_end() {
            let position = self.place();
            let name = if self.accept_words(&["connection", "limit"]) {
                "connection_limit".to_owned()
            } else {
                self.simple_name()?
            };
            self.accept_operator("=");
            let value = if self.accept("default") { None } else { Some(self.definition_value()?) };
            options.push(Definition { namespace: None, name, value, position });
        }
        Ok(options)
    }

    pub(super) fn alter_database(&mut self) -> Result<Utility> {
        self.expect("database")?;
        let name = self.simple_name()?;
        let action = if self.accept_words(&["rename", "to"]) {
            AlterDatabaseAction::RenameTo(self.simple_name()?)
        } else if self.accept_words(&["owner", "to"]) {
            AlterDatabaseAction::OwnerTo(self.role_specification()?)
        } else if self.accept_words(&["set", "tablespace"]) {
            AlterDatabaseAction::SetTablespace(self.simple_name()?)
        } else if self.accept_words(&["refresh", "collation", "version"]) {
            AlterDatabaseAction::RefreshCollationVersion
        } else if self.at("set") || self.at("reset") {
            AlterDatabaseAction::Setting(self.setting_change()?)
        } else {
            self.accept("with");
            AlterDatabaseAction::Options(self.database_options()?)
        };
        Ok(Utility::AlterDatabase(AlterDatabase { name, action }))
    }

    pub(super) fn drop_database(&mut self) -> Result<Utility> {
        self.expect("database")?;
        let if_exists = self.if_exists();
        let position = self.place();
        let name = self.simple_name()?;
        self.accept("with");
        let mut force = false;
        if self.at_symbol("(") {
            force = self.parenthesized(|parser| parser.expect("force")).map(|_| true)?;
        }
        Ok(Utility::DropDatabase { name, if_exists, force, position })
    }

    pub(super) fn alter_system(&mut self) -> Result<Utility> {
        self.expect("system")?;
        Ok(Utility::AlterSystem(self.setting_change()?))
    }
}

impl Definition {
    /// The value as text, when there is one.
    pub fn value_text(&self) -> Option<String> {
        self.value.as_ref().map(DefinitionValue::text)
    }
}
