//! CREATE, ALTER and their options for roles, and who a role name may be.

use super::{SettingChange, Utility};
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::Kind;

/// A role, by name or by what it is to the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleSpecification {
    Name { name: String, position: usize },
    CurrentUser,
    SessionUser,
    CurrentRole,
    Public,
}

/// By which word a role is made: USER can log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    Role,
    User,
    Group,
}

/// One option of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleOption {
    Superuser(bool),
    CreateDatabase(bool),
    CreateRole(bool),
    Inherit(bool),
    Login(bool),
    Replication(bool),
    BypassRowSecurity(bool),
    ConnectionLimit(i64),
    /// `None` is PASSWORD NULL.
    Password(Option<String>),
    ValidUntil(String),
    InRole(Vec<RoleSpecification>),
    Role(Vec<RoleSpecification>),
    Admin(Vec<RoleSpecification>),
    SystemId(i64),
}

/// CREATE ROLE, USER or GROUP.
#[derive(Clone, Debug)]
pub struct CreateRole {
    pub kind: RoleKind,
    pub name: String,
    pub options: Vec<RoleOption>,
    pub position: usize,
}

/// ALTER ROLE name options; ALTER GROUP … ADD USER is `GrantRole`.
#[derive(Clone, Debug)]
pub struct AlterRole {
    pub role: RoleSpecification,
    pub options: Vec<RoleOption>,
}

/// ALTER ROLE … SET or RESET. No role means ALL.
#[derive(Clone, Debug)]
pub struct AlterRoleSetting {
    pub role: Option<RoleSpecification>,
    pub database: Option<String>,
    pub change: SettingChange,
}

impl Parser<'_> {
    /// `RoleSpec`.
    pub(super) fn role_specification(&mut self) -> Result<RoleSpecification> {
        let specification = match self.word() {
            Some("current_user") => RoleSpecification::CurrentUser,
            Some("session_user") => RoleSpecification::SessionUser,
            Some("current_role") => RoleSpecification::CurrentRole,
            Some("public") => RoleSpecification::Public,
            _ => {
                let position = self.place();
                let reserved = self.position();
                let quoted = matches!(self.token().kind, Kind::Quoted(_));
                let name = self.unreserved_word()?.value;
                if name == "public" && quoted {
                    return Ok(RoleSpecification::Public);
                }
                if name == "none" {
                    return Err(crate::error!(RESERVED_NAME, "role name \"none\" is reserved").at(reserved));
                }
                return Ok(RoleSpecification::Name { name, position });
            }
        };
        self.advance();
        Ok(specification)
    }

    pub(super) fn role_list(&mut self) -> Result<Vec<RoleSpecification>> {
        self.list(Self::role_specification)
    }

    pub(super) fn create_role(&mut self) -> Result<Utility> {
        let kind = match self.label()?.value.as_str() {
            "user" => RoleKind::User,
            "group" => RoleKind::Group,
            _ => RoleKind::Role,
        };
        let (position, place) = (self.place(), self.position());
        let name = match self.role_specification()? {
            RoleSpecification::Name { name, .. } => name,
            RoleSpecification::Public => {
                return Err(crate::error!(RESERVED_NAME, "role name \"public\" is reserved").at(place));
            }
            RoleSpecification::CurrentUser => return Err(special_role("CURRENT_USER", place)),
            RoleSpecification::SessionUser => return Err(special_role("SESSION_USER", place)),
            RoleSpecification::CurrentRole => return Err(special_role("CURRENT_ROLE", place)),
        };
        self.accept("with");
        Ok(Utility::CreateRole(CreateRole { kind, name, options: self.role_options()?, position }))
    }

    fn role_options(&mut self) -> Result<Vec<RoleOption>> {
        let mut options = Vec::new();
        while !self.at_end() {
            options.push(self.role_option()?);
        }
        Ok(options)
    }

    fn role_option(&mut self) -> Result<RoleOption> {
        let error = self.error();
        let position = self.position();
        let word = self.label()?.value;
        Ok(match word.as_str() {
            "superuser" => RoleOption::Superuser(true),
            "nosuperuser" => RoleOption::Superuser(false),
            "createdb" => RoleOption::CreateDatabase(true),
            "nocreatedb" => RoleOption::CreateDatabase(false),
            "createrole" => RoleOption::CreateRole(true),
            "nocreaterole" => RoleOption::CreateRole(false),
            "inherit" => RoleOption::Inherit(true),
            "noinherit" => RoleOption::Inherit(false),
            "login" => RoleOption::Login(true),
            "nologin" => RoleOption::Login(false),
            "replication" => RoleOption::Replication(true),
            "noreplication" => RoleOption::Replication(false),
            "bypassrls" => RoleOption::BypassRowSecurity(true),
            "nobypassrls" => RoleOption::BypassRowSecurity(false),
            "connection" => {
                self.expect("limit")?;
                RoleOption::ConnectionLimit(self.signed_integer()?)
            }
            "encrypted" => {
                self.expect("password")?;
                RoleOption::Password(Some(self.string()?))
            }
            "unencrypted" => {
                self.expect("password")?;
                self.string()?;
                return Err(crate::error!(
                    FEATURE_NOT_SUPPORTED,
                    "UNENCRYPTED PASSWORD is no longer supported"
                )
                .hint("Remove UNENCRYPTED to store the password in encrypted form instead.")
                .at(position));
            }
            "password" if self.accept("null") => RoleOption::Password(None),
            "password" => RoleOption::Password(Some(self.string()?)),
            "valid" => {
                self.expect("until")?;
                RoleOption::ValidUntil(self.string()?)
            }
            "in" => {
                if !self.accept("role") {
                    self.expect("group")?;
                }
                RoleOption::InRole(self.role_list()?)
            }
            "role" | "user" => RoleOption::Role(self.role_list()?),
            "admin" => RoleOption::Admin(self.role_list()?),
            "sysid" => RoleOption::SystemId(self.signed_integer()?),
            _ if matches!(self.previous().kind, Kind::Word(_, crate::parse::keywords::Category::Free, _)) => {
                return Err(crate::error!(SYNTAX_ERROR, "unrecognized role option \"{word}\"").at(position));
            }
            _ => return Err(error),
        })
    }

    pub(super) fn alter_role(&mut self) -> Result<Utility> {
        let is_group = self.at("group");
        self.advance();
        if self.at("all") {
            self.advance();
            return self.alter_role_setting(None);
        }
        let start = self.index();
        let role = self.role_specification()?;
        if self.accept_words(&["rename", "to"]) {
            self.seek(start);
            return self.alter_renamable(super::ObjectKind::Role);
        }
        if is_group {
            let is_grant = self.accept("add");
            if !is_grant {
                self.expect("drop")?;
            }
            self.expect("user")?;
            let grantees = self.role_list()?;
            return Ok(Utility::GrantRole(super::GrantRole::of_group(role, grantees, is_grant)));
        }
        if self.at("set") || self.at("reset") || self.at_words(&["in", "database"]) {
            return self.alter_role_setting(Some(role));
        }
        self.accept("with");
        Ok(Utility::AlterRole(AlterRole { role, options: self.role_options()? }))
    }

    fn alter_role_setting(&mut self, role: Option<RoleSpecification>) -> Result<Utility> {
        let database = if self.accept_words(&["in", "database"]) { Some(self.simple_name()?) } else { None };
        Ok(Utility::AlterRoleSetting(AlterRoleSetting { role, database, change: self.setting_change()? }))
    }

    pub(super) fn reassign_owned(&mut self) -> Result<Utility> {
        self.expect_words(&["reassign", "owned", "by"])?;
        let roles = self.role_list()?;
        self.expect("to")?;
        Ok(Utility::ReassignOwned { roles, new_owner: self.role_specification()? })
    }
}

fn special_role(word: &str, position: usize) -> crate::SqlError {
    crate::error!(RESERVED_NAME, "{word} cannot be used as a role name here").at(position)
}
