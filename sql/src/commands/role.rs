//! CREATE, ALTER and DROP ROLE, membership in roles, and what a role owns.
//!
//! Source: `src/backend/commands/user.c`, `src/backend/catalog/pg_shdepend.c`.

use super::CommandContext;
use super::dependency::{DropBehavior, ObjectAddress};
use super::naming::BOOTSTRAP;
use super::ownership::Owned;
use crate::catalog::{Role, RoleMembership, Setting, SharedDescription, keys};
use crate::oid::{relations, roles, types};
use crate::parse::{
    AlterRole, AlterRoleSetting, CreateRole, DropObjects, GrantRole, RoleKind, RoleOption, RoleSpecification,
    SetValue, SettingChange,
};
use crate::{Oid, Report, Result, Severity, SqlError, SqlState, error};

/// Names that no role may have.
const RESERVED_NAMES: [&str; 2] = ["public", "none"];

/// The length of `md5` and 32 hexadecimal digits.
const MD5_LENGTH: usize = 35;

impl CommandContext<'_> {
    pub(super) fn create_role(&mut self, statement: &CreateRole) -> Result<()> {
        super::refuse_repeated(&statement.options)?;
        for option in &statement.options {
            self.check_right_to_give(option)?;
        }
        if !self.may_create_roles() {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to create role"));
        }
        check_role_name(&statement.name)?;
        if self.edit.role_named(&statement.name).is_some() {
            return Err(error!(DUPLICATE_OBJECT, "role \"{}\" already exists", statement.name));
        }
        let mut row = Role {
            oid: self.edit.allocate_shared_oid(),
            rolname: statement.name.clone(),
            rolsuper: false,
            rolinherit: true,
            rolcreaterole: false,
            rolcreatedb: false,
            rolcanlogin: statement.kind == RoleKind::User,
            rolreplication: false,
            rolbypassrls: false,
            rolconnlimit: -1,
            rolpassword: None,
            rolvaliduntil: None,
        };
        for option in &statement.options {
            self.apply_role_option(&mut row, option)?;
        }
        let role = self.edit.insert(row)?.oid;
        for option in &statement.options {
            self.join_at_creation(role, option)?;
        }
        Ok(())
    }

    /// The memberships that CREATE ROLE asks for.
    fn join_at_creation(&mut self, role: Oid, option: &RoleOption) -> Result<()> {
        match option {
            RoleOption::InRole(groups) => {
                for group in groups {
                    let group = self.role(group)?;
                    self.add_member(group, role, false, self.user)?;
                }
            }
            RoleOption::Role(members) | RoleOption::Admin(members) => {
                let admin = matches!(option, RoleOption::Admin(_));
                for member in members {
                    let member = self.role(member)?;
                    self.add_member(role, member, admin, self.user)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn may_create_roles(&self) -> bool {
        self.edit.role(self.user).is_some_and(|role| role.rolsuper || role.rolcreaterole)
    }

    /// Some properties only a superuser may give to a new role.
    fn check_right_to_give(&self, option: &RoleOption) -> Result<()> {
        let what = match option {
            RoleOption::Superuser(true) => "superusers",
            RoleOption::Replication(true) => "replication users",
            RoleOption::BypassRowSecurity(true) => "bypassrls users",
            _ => return Ok(()),
        };
        self.require_superuser(&format!("must be superuser to create {what}"))
    }

    fn apply_role_option(&mut self, row: &mut Role, option: &RoleOption) -> Result<()> {
        match option {
            RoleOption::Superuser(on) => row.rolsuper = *on,
            RoleOption::CreateDatabase(on) => row.rolcreatedb = *on,
            RoleOption::CreateRole(on) => row.rolcreaterole = *on,
            RoleOption::Inherit(on) => row.rolinherit = *on,
            RoleOption::Login(on) => row.rolcanlogin = *on,
            RoleOption::Replication(on) => row.rolreplication = *on,
            RoleOption::BypassRowSecurity(on) => row.rolbypassrls = *on,
            RoleOption::ConnectionLimit(limit) => {
                let fits = i32::try_from(*limit).ok().filter(|limit| *limit >= -1);
                row.rolconnlimit =
                    fits.ok_or_else(|| error!(INVALID_PARAMETER_VALUE, "invalid connection limit: {limit}"))?;
            }
            RoleOption::Password(None) => row.rolpassword = None,
            RoleOption::Password(Some(password)) => row.rolpassword = self.kept_password(password)?,
            RoleOption::ValidUntil(moment) => row.rolvaliduntil = Some(self.moment_text(moment)?),
            RoleOption::SystemId(_) => {
                self.notice(SqlState::SUCCESSFUL_COMPLETION, "SYSID can no longer be specified");
            }
            RoleOption::InRole(_) | RoleOption::Role(_) | RoleOption::Admin(_) => {}
        }
        Ok(())
    }

    /// What is kept of a password: its verifier, or the text itself when it is one.
    fn kept_password(&mut self, password: &str) -> Result<Option<String>> {
        if password.is_empty() {
            let message = "empty string is not a valid password, clearing password";
            self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            return Ok(None);
        }
        if crate::scram::Verifier::parse(password).is_some() {
            return Ok(Some(password.to_owned()));
        }
        let is_md5 = password.len() == MD5_LENGTH
            && password
                .strip_prefix("md5")
                .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_md5 {
            return Err(SqlError::unsupported("an MD5-encrypted password")
                .hint("Give the password in clear text or as a SCRAM-SHA-256 verifier."));
        }
        Ok(Some(crate::scram::Verifier::new(password)?.to_string()))
    }

    /// A moment in the text form that the catalog keeps: in UTC, whatever the session's settings are.
    fn moment_text(&self, text: &str) -> Result<String> {
        let context = self.statement.type_context();
        let value = crate::types::input(crate::bound::TypeMod::plain(types::TIMESTAMPTZ), text, &context)?;
        let mut format = self.statement.format.clone();
        format.time_zone = jiff::tz::TimeZone::UTC;
        format.date_style = crate::types::DateStyle::Iso;
        let context = crate::types::TypeContext { format: &format, ..context };
        crate::types::to_text(types::TIMESTAMPTZ, value.as_ref(), &context)
    }

    pub(super) fn alter_role(&mut self, statement: &AlterRole) -> Result<()> {
        super::refuse_repeated(&statement.options)?;
        let oid = self.role(&statement.role)?;
        let mut row = (*self.role_row(oid)?).clone();
        check_not_reserved(&row.rolname, "Cannot alter reserved roles.")?;
        self.check_right_to_alter(&row, &statement.options)?;
        for option in &statement.options {
            self.apply_role_option(&mut row, option)?;
        }
        self.edit.update(row)?;
        for option in &statement.options {
            // ALTER GROUP … ADD USER comes as GRANT; in ALTER ROLE the grammar knows no memberships.
            self.join_at_creation(oid, option)?;
        }
        Ok(())
    }

    fn check_right_to_alter(&self, role: &Role, options: &[RoleOption]) -> Result<()> {
        let any = |wanted: fn(&RoleOption) -> bool| options.iter().any(wanted);
        if role.rolsuper || any(|o| matches!(o, RoleOption::Superuser(_))) {
            return self.require_superuser(
                "must be superuser to alter superuser roles or change superuser attribute",
            );
        }
        if role.rolreplication || any(|o| matches!(o, RoleOption::Replication(_))) {
            return self.require_superuser(
                "must be superuser to alter replication roles or change replication attribute",
            );
        }
        if any(|o| matches!(o, RoleOption::BypassRowSecurity(_))) {
            return self.require_superuser("must be superuser to change bypassrls attribute");
        }
        let own_password =
            role.oid == self.user && options.iter().all(|o| matches!(o, RoleOption::Password(_)));
        if self.may_create_roles() || own_password {
            return Ok(());
        }
        Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied"))
    }

    pub(super) fn role_row(&self, oid: Oid) -> Result<std::sync::Arc<Role>> {
        self.edit.role(oid).ok_or_else(|| error!(UNDEFINED_OBJECT, "role with OID {oid} does not exist"))
    }

    pub(super) fn alter_role_setting(&mut self, statement: &AlterRoleSetting) -> Result<()> {
        let role = match &statement.role {
            Some(role) => {
                let oid = self.role(role)?;
                let row = self.role_row(oid)?;
                check_not_reserved(&row.rolname, "Cannot alter reserved roles.")?;
                if row.rolsuper {
                    self.require_superuser("must be superuser to alter superusers")?;
                } else if !self.may_create_roles() && oid != self.user {
                    return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied"));
                }
                oid
            }
            None => Oid::INVALID,
        };
        let database = match &statement.database {
            Some(name) => {
                let found = self.edit.database_named(name);
                let found =
                    found.ok_or_else(|| error!(UNDEFINED_DATABASE, "database \"{name}\" does not exist"))?;
                if statement.role.is_none() {
                    self.require_owner(found.datdba, "database", name)?;
                }
                found.oid
            }
            None => {
                if statement.role.is_none() {
                    self.require_superuser("must be superuser to alter settings globally")?;
                }
                Oid::INVALID
            }
        };
        self.change_kept_setting(database, role, &statement.change)
    }

    /// Changes what `pg_db_role_setting` keeps for a database, a role, or both. Serves ALTER DATABASE, too.
    ///
    /// # Errors
    /// `42704`, `22023` as SET.
    pub(crate) fn change_kept_setting(
        &mut self,
        database: Oid,
        role: Oid,
        change: &SettingChange,
    ) -> Result<()> {
        let kept = self.edit.get::<Setting>((database, role)).and_then(|row| row.setconfig.clone());
        let mut list = kept.unwrap_or_default();
        match change {
            SettingChange::Reset(None) => list.clear(),
            SettingChange::Reset(Some(name)) => {
                self.statement.session.settings.lock().show(name)?;
                list.retain(|pair| !is_setting(pair, name));
            }
            SettingChange::Set(variable) => {
                let name = variable.name.as_str();
                let text = self.checked_setting(name, &variable.value)?;
                list.retain(|pair| !is_setting(pair, name));
                list.extend(text.map(|text| format!("{name}={text}")));
            }
        }
        if list.is_empty() {
            self.edit.delete::<Setting>((database, role));
        } else {
            self.edit.put(Setting { setdatabase: database, setrole: role, setconfig: Some(list) })?;
        }
        Ok(())
    }

    /// The text of a setting's value, found to be valid; nothing for DEFAULT.
    fn checked_setting(&self, name: &str, value: &SetValue) -> Result<Option<String>> {
        let settings = self.statement.session.settings.lock();
        match value {
            SetValue::Default => settings.show(name).map(|_| None),
            SetValue::FromCurrent => settings.show(name).map(|(_, value)| Some(value)),
            SetValue::Values(values) => {
                let text = settings.join_arguments(name, values)?;
                // A session that has just begun says whether the value would be taken at a login.
                let mut trial = crate::settings::SessionSettings::new(settings.server().clone());
                trial.set_superuser(self.edit.is_superuser(self.user));
                trial.set_at_start(name, &text, crate::settings::Source::User)?;
                Ok(Some(text))
            }
        }
    }

    pub(super) fn grant_role(&mut self, statement: &GrantRole) -> Result<()> {
        let grantor = match &statement.granted_by {
            Some(role) => {
                let grantor = self.role(role)?;
                if grantor != self.user {
                    self.require_superuser("must be superuser to set grantor")?;
                }
                grantor
            }
            None => self.user,
        };
        let mut members = Vec::new();
        for grantee in &statement.grantees {
            members.push(self.role(grantee)?);
        }
        for (name, position) in &statement.roles {
            let role = self.role(&RoleSpecification::Name { name: name.clone(), position: *position })?;
            for member in &members {
                if statement.is_grant {
                    self.add_member(role, *member, statement.admin_option, grantor)?;
                } else {
                    self.remove_member(role, *member, statement.admin_option)?;
                }
            }
        }
        Ok(())
    }

    fn check_right_to_grant(&self, role: &Role) -> Result<()> {
        if role.rolsuper {
            return self.require_superuser("must be superuser to alter superusers");
        }
        if self.may_create_roles() || self.edit.is_admin_of(self.user, role.oid) {
            return Ok(());
        }
        Err(error!(INSUFFICIENT_PRIVILEGE, "must have admin option on role \"{}\"", role.rolname))
    }

    fn add_member(&mut self, role: Oid, member: Oid, admin_option: bool, grantor: Oid) -> Result<()> {
        let (group, joining) = (self.role_row(role)?, self.role_row(member)?);
        self.check_right_to_grant(&group)?;
        if role == roles::PG_DATABASE_OWNER {
            return Err(SqlError::internal(format!(
                "role \"{}\" cannot have explicit members",
                group.rolname
            )));
        }
        if member == roles::PG_DATABASE_OWNER {
            let message = format!("role \"{}\" cannot be a member of any role", joining.rolname);
            return Err(SqlError::internal(message));
        }
        if self.edit.roles_of(role, false).contains(&member) {
            return Err(error!(
                INVALID_GRANT_OPERATION,
                "role \"{}\" is a member of role \"{}\"", group.rolname, joining.rolname
            ));
        }
        let present = self.membership(role, member);
        if present.as_ref().is_some_and(|row| row.admin_option || !admin_option) {
            let message =
                format!("role \"{}\" is already a member of role \"{}\"", joining.rolname, group.rolname);
            self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            return Ok(());
        }
        self.edit.put(RoleMembership { roleid: role, member, grantor, admin_option })?;
        Ok(())
    }

    fn remove_member(&mut self, role: Oid, member: Oid, only_admin_option: bool) -> Result<()> {
        let (group, leaving) = (self.role_row(role)?, self.role_row(member)?);
        self.check_right_to_grant(&group)?;
        let Some(present) = self.membership(role, member) else {
            let message =
                format!("role \"{}\" is not a member of role \"{}\"", leaving.rolname, group.rolname);
            self.notices.push(Report::new(Severity::Warning, SqlState::WARNING, message));
            return Ok(());
        };
        if only_admin_option {
            self.edit.put(RoleMembership { admin_option: false, ..(*present).clone() })?;
        } else {
            self.edit.delete_row(&*present);
        }
        Ok(())
    }

    fn membership(&self, role: Oid, member: Oid) -> Option<std::sync::Arc<RoleMembership>> {
        let parts = [role.into(), member.into()];
        self.edit.relation::<RoleMembership>().find_one(keys::pg_auth_members_role_member_index, &parts)
    }

    /// DROP ROLE, USER or GROUP.
    pub(super) fn drop_roles(&mut self, statement: &DropObjects) -> Result<()> {
        if !self.may_create_roles() {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to drop role"));
        }
        for reference in &statement.objects {
            let name = &reference.name.name;
            let Some(role) = self.edit.role_named(name) else {
                if !statement.if_exists {
                    return Err(error!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"));
                }
                let message = format!("role \"{name}\" does not exist, skipping");
                self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
                continue;
            };
            self.drop_role(&role)?;
        }
        Ok(())
    }

    fn drop_role(&mut self, role: &Role) -> Result<()> {
        let (session_user, current_user) = *self.statement.session.users.lock();
        if role.oid == current_user || role.oid == self.user {
            return Err(error!(OBJECT_IN_USE, "current user cannot be dropped"));
        }
        if role.oid == session_user {
            return Err(error!(OBJECT_IN_USE, "session user cannot be dropped"));
        }
        if role.rolsuper {
            self.require_superuser("must be superuser to drop superusers")?;
        }
        if role.oid < crate::oid::FIRST_NORMAL {
            return Err(error!(
                DEPENDENT_OBJECTS_STILL_EXIST,
                "cannot drop role {} because it is required by the database system", role.rolname
            ));
        }
        if let Some(detail) = self.what_depends_on_role(role.oid)? {
            return Err(error!(
                DEPENDENT_OBJECTS_STILL_EXIST,
                "role \"{}\" cannot be dropped because some objects depend on it", role.rolname
            )
            .detail(detail));
        }
        self.forget_role(role.oid);
        Ok(())
    }

    fn forget_role(&mut self, role: Oid) {
        let memberships: Vec<_> = self
            .edit
            .relation::<RoleMembership>()
            .rows()
            .filter(|m| m.roleid == role || m.member == role)
            .collect();
        for row in memberships {
            self.edit.delete_row(&*row);
        }
        let settings: Vec<_> = self.edit.relation::<Setting>().rows().filter(|s| s.setrole == role).collect();
        for row in settings {
            self.edit.delete_row(&*row);
        }
        self.edit.delete::<SharedDescription>((role, relations::PG_AUTHID));
        self.edit.delete::<Role>(role);
    }

    /// What a role owns and where it is named in privileges, as the DETAIL of a refused DROP.
    fn what_depends_on_role(&self, role: Oid) -> Result<Option<String>> {
        let mut lines = Vec::new();
        for database in self.edit.relation::<crate::catalog::Database>().rows().filter(|d| d.datdba == role) {
            lines.push(format!("owner of database {}", database.datname));
        }
        let describe = crate::catalog::describe::Describe::new(self.edit, &self.search_path);
        for Owned { class, object } in super::ownership::owned_by(self.edit, role) {
            lines.extend(describe.object(class, object, 0).map(|words| format!("owner of {words}")));
        }
        for Owned { class, object } in super::ownership::granted_to(self.edit, role)? {
            lines.extend(describe.object(class, object, 0).map(|words| format!("privileges for {words}")));
        }
        let others: Vec<_> = self
            .edit
            .relation::<crate::catalog::Database>()
            .rows()
            .filter(|database| database.oid != self.database && database.datallowconn)
            .collect();
        for database in others {
            let catalog = self.cluster.database(database.oid)?.catalog();
            let count = super::ownership::owned_by(&catalog, role).len()
                + super::ownership::granted_to(&catalog, role)?.len();
            if count > 0 {
                let objects = if count == 1 { "object" } else { "objects" };
                lines.push(format!("{count} {objects} in database {}", database.datname));
            }
        }
        Ok((!lines.is_empty()).then(|| lines.join("\n")))
    }

    pub(super) fn reassign_owned(
        &mut self,
        from: &[RoleSpecification],
        to: &RoleSpecification,
    ) -> Result<()> {
        let from = self.owners(from, "reassign")?;
        let new_owner = self.role(to)?;
        if !self.edit.has_privs_of_role(self.user, new_owner) {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to reassign objects"));
        }
        for role in from {
            if role == BOOTSTRAP {
                return Err(self.required_by_system(role, "reassign ownership of"));
            }
            for Owned { class, object } in super::ownership::owned_by(self.edit, role) {
                self.set_owner(class, object, new_owner)?;
            }
            let databases: Vec<_> = self
                .edit
                .relation::<crate::catalog::Database>()
                .rows()
                .filter(|d| d.datdba == role)
                .collect();
            for database in databases {
                self.set_owner(relations::PG_DATABASE, database.oid, new_owner)?;
            }
        }
        Ok(())
    }

    pub(super) fn drop_owned(&mut self, of: &[RoleSpecification], cascade: bool) -> Result<()> {
        let owners = self.owners(of, "drop")?;
        let behavior = if cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
        for role in owners {
            if role == BOOTSTRAP {
                return Err(self.required_by_system(role, "drop"));
            }
            self.revoke_everything(role)?;
            let targets: Vec<ObjectAddress> = super::ownership::owned_by(self.edit, role)
                .into_iter()
                .map(|owned| ObjectAddress::new(owned.class, owned.object))
                .collect();
            if !targets.is_empty() {
                self.drop_addresses(&targets, behavior)?;
            }
        }
        Ok(())
    }

    fn owners(&self, of: &[RoleSpecification], verb: &str) -> Result<Vec<Oid>> {
        let mut owners = Vec::new();
        for role in of {
            let role = self.role(role)?;
            if !self.edit.has_privs_of_role(self.user, role) {
                return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to {verb} objects"));
            }
            owners.push(role);
        }
        Ok(owners)
    }

    fn required_by_system(&self, role: Oid, verb: &str) -> SqlError {
        let name = self.edit.role(role).map_or(String::new(), |role| role.rolname.clone());
        error!(
            DEPENDENT_OBJECTS_STILL_EXIST,
            "cannot {verb} objects owned by role {name} because they are required by the database system"
        )
    }

    /// ALTER ROLE … RENAME TO.
    pub(super) fn rename_role(&mut self, name: &str, new_name: &str) -> Result<()> {
        let role = self.edit.role_named(name);
        let role = role.ok_or_else(|| error!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"))?;
        let (session_user, current_user) = *self.statement.session.users.lock();
        if role.oid == session_user {
            return Err(error!(FEATURE_NOT_SUPPORTED, "session user cannot be renamed"));
        }
        if role.oid == current_user || role.oid == self.user {
            return Err(error!(FEATURE_NOT_SUPPORTED, "current user cannot be renamed"));
        }
        check_not_reserved(&role.rolname, "Role names starting with \"pg_\" are reserved.")?;
        check_role_name(new_name)?;
        if self.edit.role_named(new_name).is_some() {
            return Err(error!(DUPLICATE_OBJECT, "role \"{new_name}\" already exists"));
        }
        if role.rolsuper {
            self.require_superuser("must be superuser to rename superusers")?;
        } else if !self.may_create_roles() {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to rename role"));
        }
        self.edit.change::<Role>(role.oid, |role| role.rolname = new_name.to_owned())?;
        Ok(())
    }
}

/// Whether a kept `name=value` is of this setting.
fn is_setting(pair: &str, name: &str) -> bool {
    pair.split_once('=').is_some_and(|(kept, _)| kept.eq_ignore_ascii_case(name))
}

fn check_role_name(name: &str) -> Result<()> {
    if RESERVED_NAMES.contains(&name) {
        return Err(error!(RESERVED_NAME, "role name \"{name}\" is reserved"));
    }
    check_not_reserved(name, "Role names starting with \"pg_\" are reserved.")
}

fn check_not_reserved(name: &str, detail: &str) -> Result<()> {
    if name.starts_with("pg_") {
        return Err(error!(RESERVED_NAME, "role name \"{name}\" is reserved").detail(detail));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_as_postgresql_does() {
        let refused = check_role_name("pg_x").unwrap_err();
        assert_eq!(refused.message(), "role name \"pg_x\" is reserved");
        assert_eq!(refused.0.detail.as_deref(), Some("Role names starting with \"pg_\" are reserved."));
        assert_eq!(check_role_name("public").unwrap_err().0.detail, None);
        assert!(check_role_name("pgx").is_ok());
    }

    #[test]
    fn an_option_and_its_opposite_are_the_same_option() {
        let twice = [RoleOption::Login(true), RoleOption::Inherit(true), RoleOption::Login(false)];
        assert_eq!(
            crate::commands::refuse_repeated(&twice).unwrap_err().message(),
            "conflicting or redundant options"
        );
        assert!(crate::commands::refuse_repeated(&twice[..2]).is_ok());
    }
}
