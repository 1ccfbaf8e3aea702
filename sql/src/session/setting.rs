//! SET, RESET, SHOW, DISCARD; the session's roles.
//!
//! Source: `src/backend/utils/misc/guc_funcs.c`, `src/backend/commands/discard.c`, `variable.c`.

use super::statement::Run;
use super::{CommandTag, Destination, OutputRow, RowShape, Session};
use crate::bound::{OutputColumn, TypeMod};
use crate::catalog::Catalog;
use crate::oid::types as type_oids;
use crate::parse::{self, Discard, SetValue, SetVariable};
use crate::settings::{SetScope, SettingValue, id};
use crate::{Oid, Result, Severity, SqlState, ValueRef, error};

/// A column of text, as commands give them.
pub(super) fn text_column(name: &str) -> OutputColumn {
    OutputColumn {
        name: name.to_owned(),
        ty: TypeMod::plain(type_oids::TEXT),
        collation: Oid::INVALID,
        origin: None,
    }
}

impl Session {
    /// SET.
    pub(super) fn set_variable(&mut self, command: &SetVariable) -> Result<()> {
        let scope = match command.scope {
            parse::SetScope::Session => SetScope::Session,
            parse::SetScope::Local => SetScope::Local,
        };
        if scope == SetScope::Local && self.require_block("SET LOCAL").is_err() {
            let message = "SET LOCAL can only be used in transaction blocks";
            // It holds all the same, to the end of the implicit transaction.
            self.notice(Severity::Warning, SqlState::NO_ACTIVE_SQL_TRANSACTION, message);
        }
        // Begun first, so that the change is undone with it.
        self.transaction();
        let value = match &command.value {
            SetValue::Values(values) => {
                Some(self.shared.settings.lock().join_arguments(&command.name, values)?)
            }
            SetValue::Default | SetValue::FromCurrent => None,
        };
        self.check_property(&command.name, value.as_deref())?;
        match command.name.as_str() {
            "role" => self.set_role(value.as_deref(), scope),
            "session_authorization" => self.set_session_authorization(value.as_deref()),
            name => {
                self.shared.settings.lock().set(name, value.as_deref(), scope)?;
                if name.eq_ignore_ascii_case("transaction_timeout") {
                    self.follow_transaction_timeout();
                }
                Ok(())
            }
        }
    }

    /// `transaction_timeout` has been set inside a transaction: zero ends the count, another value begins it unless it
    /// has begun (`assign_transaction_timeout`).
    fn follow_transaction_timeout(&mut self) {
        let timeout = self.shared.settings.lock().integer(id::TRANSACTION_TIMEOUT);
        if timeout == 0 || self.transaction_deadline.is_none() {
            self.set_transaction_timeout(timeout);
        }
    }

    /// SET ROLE.
    fn set_role(&mut self, name: Option<&str>, scope: SetScope) -> Result<()> {
        let catalog = self.present_catalog();
        let name = name.unwrap_or("none");
        if name != "none" {
            let role = catalog
                .role_named(name)
                .ok_or_else(|| error!(INVALID_PARAMETER_VALUE, "role \"{name}\" does not exist"))?;
            let session_user = self.shared.users.lock().0;
            if !catalog.is_superuser(session_user) && !catalog.is_member_of(session_user, role.oid) {
                return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to set role \"{name}\""));
            }
        }
        self.shared.settings.lock().set("role", Some(name), scope)?;
        self.restore_users();
        Ok(())
    }

    /// SET SESSION AUTHORIZATION.
    fn set_session_authorization(&mut self, name: Option<&str>) -> Result<()> {
        let catalog = self.present_catalog();
        let login = self.backend().activity.lock().user.clone();
        let (login, login_name) = login.unwrap_or_default();
        let name = name.map_or(login_name, str::to_owned);
        let role = catalog
            .role_named(&name)
            .ok_or_else(|| error!(INVALID_PARAMETER_VALUE, "role \"{name}\" does not exist"))?;
        if role.oid != login && !catalog.is_superuser(login) {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to set session authorization"));
        }
        let value = SettingValue::Text(name.as_str().into());
        let mut settings = self.shared.settings.lock();
        settings.set_fact(id::SESSION_AUTHORIZATION, value);
        settings.set("role", Some("none"), SetScope::Session)?;
        settings.set_superuser(role.rolsuper);
        drop(settings);
        self.restore_users();
        Ok(())
    }

    /// Makes the session's roles what the settings say.
    pub(super) fn restore_users(&mut self) {
        let catalog = self.present_catalog();
        let (authorization, role) = {
            let settings = self.shared.settings.lock();
            (settings.text(id::SESSION_AUTHORIZATION).to_owned(), settings.text(id::ROLE).to_owned())
        };
        let mut users = self.shared.users.lock();
        if let Some(user) = catalog.role_named(&authorization) {
            users.0 = user.oid;
        }
        users.1 = current_user(&catalog, users.0, &role);
        let superuser = catalog.is_superuser(users.1);
        drop(users);
        self.shared.settings.lock().set_superuser(superuser);
    }

    /// RESET.
    pub(super) fn reset(&mut self, name: Option<&str>) -> Result<()> {
        self.transaction();
        match name {
            None => {
                self.shared.settings.lock().reset_all();
                self.restore_users();
                Ok(())
            }
            Some("role") => self.set_role(None, SetScope::Session),
            Some("session_authorization") => self.set_session_authorization(None),
            Some(name) => self.shared.settings.lock().reset(name),
        }
    }

    /// The columns of SHOW.
    pub(super) fn show_columns(&self, name: Option<&str>) -> Result<Vec<OutputColumn>> {
        match name {
            None => Ok(["name", "setting", "description"].map(text_column).to_vec()),
            Some(name) => Ok(vec![text_column(&self.shared.settings.lock().show(name)?.0)]),
        }
    }

    /// SHOW.
    pub(super) fn show(
        &mut self,
        name: Option<&str>,
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<()> {
        let columns = self.show_columns(name)?;
        let rows = match name {
            None => {
                let all = self.shared.settings.lock().show_all();
                all.into_iter().map(|(name, value, description)| vec![name, value, description]).collect()
            }
            Some(name) => vec![vec![self.shared.settings.lock().show(name)?.1]],
        };
        self.send_texts(&columns, &rows, run, destination)
    }

    /// Sends rows of text, as commands give them.
    pub(super) fn send_texts(
        &mut self,
        columns: &[OutputColumn],
        rows: &[Vec<String>],
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<()> {
        let formats = run.formats.for_columns(columns.len());
        let shape = RowShape { columns, formats: &formats };
        if run.announce {
            destination.columns(&shape)?;
        }
        let catalog = self.present_catalog();
        let context = self.statement_context(&catalog);
        for row in rows {
            let values: Vec<ValueRef<'_>> = row.iter().map(|text| ValueRef::Text(text)).collect();
            destination.row(&OutputRow { shape: &shape, values: &values, types: context.type_context() })?;
        }
        Ok(())
    }

    /// DISCARD.
    pub(super) fn discard(&mut self, what: Discard) -> Result<()> {
        match what {
            Discard::Plans => self.forget_plans(),
            Discard::Sequences => self.services.forget_sequences(),
            Discard::Temporary => {}
            Discard::All => {
                self.prevent_in_block("DISCARD ALL")?;
                self.portals.clear();
                self.show_cursors();
                self.set_session_authorization(None)?;
                self.reset(None)?;
                self.deallocate(None)?;
                self.unlisten(None);
                let locks = &self.shared.cluster.locks;
                locks.release_session(self.backend());
                self.services.forget_sequences();
            }
        }
        Ok(())
    }
}

fn current_user(catalog: &Catalog, session_user: Oid, role: &str) -> Oid {
    if role == "none" {
        return session_user;
    }
    catalog.role_named(role).map_or(session_user, |role| role.oid)
}

/// A tag without a count.
pub(super) fn plain_tag(command: &str) -> CommandTag {
    CommandTag { command: command.to_owned(), rows: None }
}
