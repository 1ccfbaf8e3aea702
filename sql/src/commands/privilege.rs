//! GRANT and REVOKE: changing access control lists.
//!
//! The list of an object says who granted what to whom; taking a grant option away takes along what was granted by it.
//!
//! Source: `src/backend/catalog/aclchk.c`, `src/backend/utils/adt/acl.c` (`aclupdate`, `recursive_revoke`).

use super::CommandContext;
use super::naming::dotted;
use crate::catalog::privileges::{AclItem, Grantable, Privileges, Protected, parse_acl, print_acl};
use crate::catalog::{Attribute, Catalog, Class, Database, Language, Namespace, Procedure, Type};
use crate::oid::relations;
use crate::parse::{
    AlterDefaultPrivileges, Grant, GrantTarget, ObjectKind, ObjectReference, RoleSpecification,
};
use crate::{Oid, Report, Result, Severity, SqlError, SqlState, error};

/// An object whose list is to be changed.
#[derive(Clone)]
struct Target {
    /// The catalog relation of its row.
    class: Oid,
    object: Oid,
    /// The column's number, for a column.
    column: Option<(i16, String)>,
    kind: Grantable,
    /// What error messages call its kind.
    word: &'static str,
    name: String,
    owner: Oid,
    acl: Option<Vec<String>>,
}

/// What GRANT and REVOKE do to each object.
struct Change<'a> {
    is_grant: bool,
    grant_option: bool,
    /// Whether ALL was said, so that what cannot be granted is no cause for a warning.
    all: bool,
    cascade: bool,
    grantees: &'a [Oid],
}

/// Privileges on an object as a whole, and on each of the named columns.
struct Wanted {
    whole: Privileges,
    columns: Vec<(String, Privileges)>,
    all: bool,
}

impl CommandContext<'_> {
    pub(super) fn grant(&mut self, statement: &Grant) -> Result<()> {
        if let Some(role) = &statement.granted_by
            && self.role(role)? != self.user
        {
            return Err(error!(FEATURE_NOT_SUPPORTED, "grantor must be current user"));
        }
        let mut grantees = Vec::new();
        for grantee in &statement.grantees {
            grantees.push(self.grantee(grantee, statement)?);
        }
        let (kind, targets) = self.grant_targets(&statement.target)?;
        let wanted = wanted(statement, kind)?;
        let change = Change {
            is_grant: statement.is_grant,
            grant_option: statement.grant_option,
            all: wanted.all,
            cascade: statement.cascade,
            grantees: &grantees,
        };
        for target in targets {
            self.grant_on(target, kind, &wanted, &change)?;
        }
        Ok(())
    }

    fn grantee(&self, role: &RoleSpecification, statement: &Grant) -> Result<Oid> {
        if *role != RoleSpecification::Public {
            return self.role(role);
        }
        if statement.is_grant && statement.grant_option {
            return Err(error!(INVALID_GRANT_OPERATION, "grant options can only be granted to roles"));
        }
        Ok(Oid::INVALID)
    }

    pub(super) fn alter_default_privileges(&mut self, _statement: &AlterDefaultPrivileges) -> Result<()> {
        Err(SqlError::unsupported("ALTER DEFAULT PRIVILEGES"))
    }

    fn grant_targets(&self, target: &GrantTarget) -> Result<(ObjectKind, Vec<Target>)> {
        let mut targets = Vec::new();
        match target {
            GrantTarget::Objects { kind, objects } => {
                for object in objects {
                    targets.push(self.grant_target(*kind, object)?);
                }
                Ok((*kind, targets))
            }
            GrantTarget::AllInSchema { kind, schemas } => {
                for schema in schemas {
                    let schema = self.schema(schema)?;
                    targets.extend(self.all_in_schema(*kind, schema.oid));
                }
                Ok((*kind, targets))
            }
            GrantTarget::Future(_) => Err(SqlError::unsupported("ALTER DEFAULT PRIVILEGES")),
        }
    }

    fn all_in_schema(&self, kind: ObjectKind, schema: Oid) -> Vec<Target> {
        let classes = |kinds: &[char]| -> Vec<Target> {
            let rows = self.edit.relation::<Class>().rows();
            rows.filter(|c| c.relnamespace == schema && kinds.contains(&c.relkind))
                .map(|c| class_target(&c))
                .collect()
        };
        match kind {
            ObjectKind::Table => classes(&['r', 'v', 'm', 'p', 'f']),
            ObjectKind::Sequence => classes(&['S']),
            _ => {
                let fits = |f: &Procedure| match kind {
                    ObjectKind::Function => f.prokind != 'p',
                    ObjectKind::Procedure => f.prokind == 'p',
                    _ => true,
                };
                let rows = self.edit.relation::<Procedure>().rows();
                rows.filter(|f| f.pronamespace == schema && fits(f)).map(|f| function_target(&f)).collect()
            }
        }
    }

    fn grant_target(&self, kind: ObjectKind, reference: &ObjectReference) -> Result<Target> {
        let name = &reference.name;
        match kind {
            ObjectKind::Table | ObjectKind::Sequence => {
                let class = self.relation(name)?;
                match class.relkind {
                    'i' | 'I' => {
                        return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is an index", class.relname));
                    }
                    'c' => {
                        return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is a composite type", class.relname));
                    }
                    'S' => {}
                    _ if kind == ObjectKind::Sequence => {
                        return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not a sequence", class.relname));
                    }
                    _ => {}
                }
                Ok(class_target(&class))
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
                Ok(function_target(&*self.routine(kind, reference)?))
            }
            ObjectKind::Type | ObjectKind::Domain => self.type_target(kind, reference),
            ObjectKind::Schema => Ok(schema_target(&*self.schema(&name.name)?)),
            ObjectKind::Database => {
                let row = self.edit.database_named(&name.name);
                let row = row
                    .ok_or_else(|| error!(UNDEFINED_DATABASE, "database \"{}\" does not exist", name.name))?;
                Ok(database_target(&row))
            }
            ObjectKind::Language => {
                let row = self.edit.language_named(&name.name);
                let row =
                    row.ok_or_else(|| error!(UNDEFINED_OBJECT, "language \"{}\" does not exist", name.name))?;
                if !row.lanpltrusted {
                    return Err(error!(WRONG_OBJECT_TYPE, "language \"{}\" is not trusted", row.lanname).detail(
                        "GRANT and REVOKE are not allowed on untrusted languages, because only superusers can use untrusted languages.",
                    ));
                }
                Ok(language_target(&row))
            }
            _ => Err(SqlError::unsupported(format_args!("GRANT ON {}", kind.words()))),
        }
    }

    /// The function, procedure or aggregate that a reference means.
    ///
    /// # Errors
    /// `42883` when there is none, `42809` when it is of another kind, and those of [`Self::find_function`].
    pub(super) fn routine(
        &self,
        kind: ObjectKind,
        reference: &ObjectReference,
    ) -> Result<std::sync::Arc<Procedure>> {
        let word = match kind {
            ObjectKind::Procedure => "procedure",
            ObjectKind::Aggregate => "aggregate",
            ObjectKind::Routine => "routine",
            _ => "function",
        };
        let words = self.function_words(reference);
        let Some(found) = self.find_function(reference)? else {
            let message = match (&reference.parameters, kind) {
                (None, _) => format!("could not find a {word} named \"{words}\""),
                (Some(_), ObjectKind::Routine) => format!("function {words} does not exist"),
                _ => format!("{word} {words} does not exist"),
            };
            return Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message));
        };
        let fits = match kind {
            ObjectKind::Procedure => found.prokind == 'p',
            ObjectKind::Aggregate => found.prokind == 'a',
            ObjectKind::Function => found.prokind != 'p',
            _ => true,
        };
        if fits {
            return Ok(found);
        }
        let an = if kind == ObjectKind::Aggregate { "an aggregate function" } else { "a procedure" };
        let an = if kind == ObjectKind::Function { "a function" } else { an };
        Err(error!(WRONG_OBJECT_TYPE, "{words} is not {an}"))
    }

    fn type_target(&self, kind: ObjectKind, reference: &ObjectReference) -> Result<Target> {
        let name = &reference.name;
        let row = self.find_type(name)?;
        let row = row.ok_or_else(|| error!(UNDEFINED_OBJECT, "type \"{}\" does not exist", dotted(name)))?;
        if row.typcategory == 'A' && row.typelem.is_valid() {
            return Err(error!(INVALID_GRANT_OPERATION, "cannot set privileges of array types")
                .hint("Set the privileges of the element type instead."));
        }
        if kind == ObjectKind::Domain && row.typtype != 'd' {
            return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not a domain", row.typname));
        }
        Ok(type_target(&row))
    }

    /// Changes the list of one object, and those of its columns.
    fn grant_on(
        &mut self,
        target: Target,
        kind: ObjectKind,
        wanted: &Wanted,
        change: &Change<'_>,
    ) -> Result<()> {
        let mut whole = wanted.whole;
        if target.class == relations::PG_CLASS && kind == ObjectKind::Table {
            whole = self.fit_to_relation(&target, whole, change.all);
        }
        if change.all && wanted.columns.is_empty() {
            whole = target.kind.all();
        }
        for (column, privileges) in &wanted.columns {
            let column = self.column_target(&target, column)?;
            self.change_list(column, *privileges, change)?;
        }
        if whole.is_empty() && !wanted.columns.is_empty() {
            return Ok(());
        }
        if target.class == relations::PG_CLASS && target.kind == Grantable::Table && !change.is_grant {
            self.revoke_from_columns(&target, whole, change)?;
        }
        self.change_list(target, whole, change)
    }

    /// GRANT without a kind also reaches sequences, of which a table's privileges make no sense.
    fn fit_to_relation(&mut self, target: &Target, wanted: Privileges, all: bool) -> Privileges {
        if target.kind != Grantable::Sequence || all {
            return wanted;
        }
        let fitting = Privileges(wanted.0 & Grantable::Sequence.all().0);
        if fitting != wanted {
            let message =
                format!("sequence \"{}\" only supports USAGE, SELECT, and UPDATE privileges", target.name);
            self.notices.push(Report::new(Severity::Warning, SqlState::INVALID_GRANT_OPERATION, message));
        }
        fitting
    }

    fn column_target(&self, table: &Target, column: &str) -> Result<Target> {
        let row = self.edit.attribute_named(table.object, column).filter(|row| !row.attisdropped);
        let row = row.ok_or_else(|| {
            error!(UNDEFINED_COLUMN, "column \"{column}\" of relation \"{}\" does not exist", table.name)
        })?;
        Ok(Target {
            column: Some((row.attnum, column.to_owned())),
            kind: Grantable::Column,
            acl: row.attacl.clone(),
            ..table.clone()
        })
    }

    /// REVOKE on a table takes the same privileges on its columns away.
    fn revoke_from_columns(&mut self, table: &Target, wanted: Privileges, change: &Change<'_>) -> Result<()> {
        let privileges = Privileges(wanted.0 & Grantable::Column.all().0);
        if privileges.is_empty() {
            return Ok(());
        }
        let silent = Change { all: true, ..*change };
        for column in self.edit.attributes(table.object).iter().filter(|column| column.attacl.is_some()) {
            let column = self.column_target(table, &column.attname)?;
            self.change_list(column, privileges, &silent)?;
        }
        Ok(())
    }

    fn change_list(&mut self, target: Target, wanted: Privileges, change: &Change<'_>) -> Result<()> {
        let protected = Protected { kind: target.kind, owner: target.owner, acl: target.acl.as_deref() };
        let mut items = protected.items(self.edit)?;
        let (grantor, options) = self.best_grantor(&items, &target, wanted);
        if options.is_empty() {
            let any = self.edit.privileges_on(self.user, &protected, target.kind.all())?;
            let through_table = target.column.is_some()
                && self.edit.has_class_privilege(self.user, target.object, Grantable::Table.all())?
                    == Some(true);
            if any.is_empty() && !through_table {
                return Err(permission_denied(&target));
            }
        }
        let privileges = Privileges(wanted.0 & options.0);
        self.warn_about_rest(&target, wanted, privileges, change);
        for grantee in change.grantees {
            let takes_privileges = change.is_grant || !change.grant_option;
            let takes_options = !change.is_grant || change.grant_option;
            let item = AclItem {
                grantee: *grantee,
                grantor,
                privileges: if takes_privileges { privileges } else { Privileges::NONE },
                grantable: if takes_options { privileges } else { Privileges::NONE },
            };
            if change.is_grant {
                add(&mut items, &item, target.owner)?;
            } else {
                remove(&mut items, &item, target.owner, change.cascade)?;
            }
        }
        self.store_list(&target, &items)
    }

    /// In whose name to grant, and what that role may grant (`select_best_grantor`).
    fn best_grantor(&self, items: &[AclItem], target: &Target, wanted: Privileges) -> (Oid, Privileges) {
        if self.edit.has_privs_of_role(self.user, target.owner) {
            return (target.owner, wanted);
        }
        let mut best = (self.user, Privileges::NONE);
        let mut roles: Vec<Oid> = self.edit.roles_of(self.user, true).into_iter().collect();
        // The role itself goes first, so that it wins a tie.
        roles.sort_by_key(|role| (*role != self.user, *role));
        for role in roles {
            let held = items.iter().filter(|item| item.grantee == role);
            let held = held.fold(Privileges::NONE, |all, item| all.with(item.grantable));
            let useful = Privileges(held.0 & wanted.0);
            if useful.0.count_ones() > best.1.0.count_ones() {
                best = (role, useful);
            }
        }
        best
    }

    fn warn_about_rest(
        &mut self,
        target: &Target,
        wanted: Privileges,
        given: Privileges,
        change: &Change<'_>,
    ) {
        if given == wanted || (change.all && !given.is_empty()) {
            return;
        }
        let what = match &target.column {
            Some((_, column)) => format!("column \"{column}\" of relation \"{}\"", target.name),
            None => format!("\"{}\"", target.name),
        };
        let quantity = if given.is_empty() { "no" } else { "not all" };
        let (code, done) = match change.is_grant {
            true => (SqlState::WARNING_PRIVILEGE_NOT_GRANTED, "were granted"),
            false => (SqlState::WARNING_PRIVILEGE_NOT_REVOKED, "could be revoked"),
        };
        let message = format!("{quantity} privileges {done} for {what}");
        self.notices.push(Report::new(Severity::Warning, code, message));
    }

    fn store_list(&mut self, target: &Target, items: &[AclItem]) -> Result<()> {
        let acl = Some(print_acl(items));
        if let Some((attnum, _)) = &target.column {
            let acl = acl.filter(|items| !items.is_empty());
            self.edit.change::<Attribute>((target.object, *attnum), |row| row.attacl = acl)?;
            return Ok(());
        }
        match target.class {
            relations::PG_CLASS => self.edit.change::<Class>(target.object, |row| row.relacl = acl).map(drop),
            relations::PG_PROC => {
                self.edit.change::<Procedure>(target.object, |row| row.proacl = acl).map(drop)
            }
            relations::PG_TYPE => self.edit.change::<Type>(target.object, |row| row.typacl = acl).map(drop),
            relations::PG_NAMESPACE => {
                self.edit.change::<Namespace>(target.object, |row| row.nspacl = acl).map(drop)
            }
            relations::PG_DATABASE => {
                self.edit.change::<Database>(target.object, |row| row.datacl = acl).map(drop)
            }
            relations::PG_LANGUAGE => {
                self.edit.change::<Language>(target.object, |row| row.lanacl = acl).map(drop)
            }
            _ => Err(SqlError::internal("an object without a list of privileges")),
        }
    }

    /// Takes all privileges of a role on objects of this database away, as DROP OWNED does.
    pub(super) fn revoke_everything(&mut self, role: Oid) -> Result<()> {
        for granted in super::ownership::granted_to(self.edit, role)? {
            let target = match granted.class {
                relations::PG_CLASS => self.edit.class(granted.object).map(|row| class_target(&row)),
                relations::PG_PROC => self.edit.function(granted.object).map(|row| function_target(&row)),
                relations::PG_TYPE => self.edit.type_(granted.object).map(|row| type_target(&row)),
                relations::PG_NAMESPACE => self.edit.namespace(granted.object).map(|row| schema_target(&row)),
                relations::PG_DATABASE => self.edit.database(granted.object).map(|row| database_target(&row)),
                relations::PG_LANGUAGE => self.edit.language(granted.object).map(|row| language_target(&row)),
                _ => None,
            };
            let Some(target) = target else { continue };
            if target.class == relations::PG_CLASS {
                for column in self.edit.attributes(target.object).iter().filter(|a| a.attacl.is_some()) {
                    let column = self.column_target(&target, &column.attname)?;
                    self.forget_grantee(&column, role)?;
                }
            }
            self.forget_grantee(&target, role)?;
        }
        Ok(())
    }

    fn forget_grantee(&mut self, target: &Target, role: Oid) -> Result<()> {
        let Some(acl) = &target.acl else { return Ok(()) };
        let mut items = parse_acl(acl, self.edit)?;
        let granted: Vec<AclItem> = items.iter().filter(|item| item.grantee == role).copied().collect();
        for item in granted {
            let all = AclItem { grantable: item.privileges, ..item };
            remove(&mut items, &all, target.owner, true)?;
        }
        self.store_list(target, &items)
    }
}

/// What a statement wants, checked against the kind of its objects.
fn wanted(statement: &Grant, kind: ObjectKind) -> Result<Wanted> {
    let (all, word) = possible(kind);
    let Some(list) = &statement.privileges else {
        let column = |name: &String| (name.clone(), Grantable::Column.all());
        let columns: Vec<_> = statement.all_columns.iter().map(column).collect();
        let whole = if columns.is_empty() { all } else { Privileges::NONE };
        return Ok(Wanted { whole, columns, all: true });
    };
    let mut wanted = Wanted { whole: Privileges::NONE, columns: Vec::new(), all: false };
    for privilege in list {
        let found = Privileges::named(&privilege.name);
        let found = found
            .ok_or_else(|| error!(SYNTAX_ERROR, "unrecognized privilege type \"{}\"", privilege.name))?;
        let invalid = |what: &str| {
            error!(
                INVALID_GRANT_OPERATION,
                "invalid privilege type {} for {what}",
                found.names().next().unwrap_or_default()
            )
        };
        if privilege.columns.is_empty() {
            if !all.contains(found) {
                return Err(invalid(word));
            }
            wanted.whole = wanted.whole.with(found);
            continue;
        }
        if kind != ObjectKind::Table {
            return Err(error!(INVALID_GRANT_OPERATION, "column privileges are only valid for relations"));
        }
        if !Grantable::Column.all().contains(found) {
            return Err(invalid("column"));
        }
        for column in &privilege.columns {
            match wanted.columns.iter_mut().find(|(name, _)| name == column) {
                Some((_, present)) => *present = present.with(found),
                None => wanted.columns.push((column.clone(), found)),
            }
        }
    }
    Ok(wanted)
}

/// The privileges that can be named for a kind of objects, and what messages call it.
fn possible(kind: ObjectKind) -> (Privileges, &'static str) {
    match kind {
        ObjectKind::Table => (Grantable::Table.all().with(Grantable::Sequence.all()), "relation"),
        ObjectKind::Sequence => (Grantable::Sequence.all(), "sequence"),
        ObjectKind::Database => (Grantable::Database.all(), "database"),
        ObjectKind::Schema => (Grantable::Schema.all(), "schema"),
        ObjectKind::Procedure => (Grantable::Function.all(), "procedure"),
        ObjectKind::Routine => (Grantable::Function.all(), "routine"),
        ObjectKind::Language => (Grantable::Language.all(), "language"),
        ObjectKind::Domain => (Grantable::Type.all(), "domain"),
        ObjectKind::Type => (Grantable::Type.all(), "type"),
        ObjectKind::Tablespace => (Grantable::Tablespace.all(), "tablespace"),
        _ => (Grantable::Function.all(), "function"),
    }
}

fn permission_denied(target: &Target) -> SqlError {
    match &target.column {
        Some((_, column)) => error!(
            INSUFFICIENT_PRIVILEGE,
            "permission denied for column \"{column}\" of relation \"{}\"", target.name
        ),
        None => error!(INSUFFICIENT_PRIVILEGE, "permission denied for {} {}", target.word, target.name),
    }
}

fn class_target(class: &Class) -> Target {
    Target {
        class: relations::PG_CLASS,
        object: class.oid,
        column: None,
        kind: if class.relkind == 'S' { Grantable::Sequence } else { Grantable::Table },
        word: super::naming::relation_word(class.relkind),
        name: class.relname.clone(),
        owner: class.relowner,
        acl: class.relacl.clone(),
    }
}

macro_rules! targets {
    ($($function:ident($row:ty) = $class:ident $kind:ident $word:literal $name:ident $owner:ident $acl:ident;)*) => {
        $(fn $function(row: &$row) -> Target {
            Target {
                class: relations::$class,
                object: row.oid,
                column: None,
                kind: Grantable::$kind,
                word: $word,
                name: row.$name.clone(),
                owner: row.$owner,
                acl: row.$acl.clone(),
            }
        })*
    };
}

targets! {
    function_target(Procedure) = PG_PROC Function "function" proname proowner proacl;
    type_target(Type) = PG_TYPE Type "type" typname typowner typacl;
    schema_target(Namespace) = PG_NAMESPACE Schema "schema" nspname nspowner nspacl;
    database_target(Database) = PG_DATABASE Database "database" datname datdba datacl;
    language_target(Language) = PG_LANGUAGE Language "language" lanname lanowner lanacl;
}

/// Adds privileges to a list.
fn add(items: &mut Vec<AclItem>, new: &AclItem, owner: Oid) -> Result<()> {
    if new.privileges.is_empty() && new.grantable.is_empty() {
        return Ok(());
    }
    if new.grantee != owner && !new.grantable.is_empty() {
        check_circle(items, new, owner)?;
    }
    match items.iter_mut().find(|item| item.grantee == new.grantee && item.grantor == new.grantor) {
        Some(item) => {
            item.privileges = item.privileges.with(new.privileges);
            item.grantable = item.grantable.with(new.grantable);
        }
        None => items.push(*new),
    }
    Ok(())
}

/// A grant option must not be given to one from whom the grantor has it, directly or through others.
fn check_circle(items: &[AclItem], new: &AclItem, owner: Oid) -> Result<()> {
    if new.grantor == owner {
        return Ok(());
    }
    let mut without = items.to_vec();
    let from_grantee: Vec<AclItem> = without
        .iter()
        .filter(|item| item.grantee == new.grantee && !item.grantable.is_empty())
        .copied()
        .collect();
    for item in from_grantee {
        let all = AclItem { privileges: item.grantable, ..item };
        remove(&mut without, &all, owner, true)?;
    }
    let own = without.iter().filter(|item| item.grantee == new.grantor);
    let own = own.fold(Privileges::NONE, |all, item| all.with(item.grantable));
    if own.contains(new.grantable) {
        return Ok(());
    }
    Err(error!(INVALID_GRANT_OPERATION, "grant options cannot be granted back to your own grantor"))
}

/// Takes privileges out of a list, and with grant options what was granted by them.
///
/// # Errors
/// `2BP01` when something was and `cascade` is not said.
fn remove(items: &mut Vec<AclItem>, gone: &AclItem, owner: Oid, cascade: bool) -> Result<()> {
    let place = items.iter().position(|item| item.grantee == gone.grantee && item.grantor == gone.grantor);
    let Some(place) = place else { return Ok(()) };
    let item = &mut items[place];
    let lost = Privileges(item.grantable.0 & gone.grantable.0);
    item.privileges = item.privileges.without(gone.privileges);
    item.grantable = item.grantable.without(gone.grantable);
    if item.privileges.is_empty() && item.grantable.is_empty() {
        items.remove(place);
    }
    if lost.is_empty() || !gone.grantee.is_valid() {
        return Ok(());
    }
    revoke_granted_by(items, gone.grantee, lost, owner, cascade)
}

/// Takes away what a role has granted by grant options that it has no more (`recursive_revoke`).
fn revoke_granted_by(
    items: &mut Vec<AclItem>,
    grantor: Oid,
    lost: Privileges,
    owner: Oid,
    cascade: bool,
) -> Result<()> {
    if grantor == owner {
        return Ok(());
    }
    let held = items.iter().filter(|item| item.grantee == grantor);
    let held = held.fold(Privileges::NONE, |all, item| all.with(item.grantable));
    let lost = lost.without(held);
    while let Some(item) =
        items.iter().find(|item| item.grantor == grantor && item.privileges.meets(lost)).copied()
    {
        if !cascade {
            return Err(error!(DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
                .hint("Use CASCADE to revoke them too."));
        }
        let gone = AclItem { privileges: lost, grantable: lost, ..item };
        remove(items, &gone, owner, cascade)?;
    }
    Ok(())
}

/// An object's list after it has been given to another role (`aclnewowner`).
pub(super) fn with_new_owner(
    acl: Option<&[String]>,
    old: Oid,
    new: Oid,
    catalog: &Catalog,
) -> Result<Option<Vec<String>>> {
    let Some(acl) = acl else { return Ok(None) };
    let mut items: Vec<AclItem> = Vec::new();
    for mut item in parse_acl(acl, catalog)? {
        for role in [&mut item.grantee, &mut item.grantor] {
            if *role == old {
                *role = new;
            }
        }
        match items.iter_mut().find(|other| other.grantee == item.grantee && other.grantor == item.grantor) {
            Some(other) => {
                other.privileges = other.privileges.with(item.privileges);
                other.grantable = other.grantable.with(item.grantable);
            }
            None => items.push(item),
        }
    }
    Ok(Some(print_acl(&items)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;
    use crate::catalog::privileges::default_acl;

    const OWNER: Oid = Oid(10);

    fn item(grantee: u32, grantor: u32, privileges: Privileges, grantable: Privileges) -> AclItem {
        AclItem { grantee: Oid(grantee), grantor: Oid(grantor), privileges, grantable }
    }

    #[test]
    fn revoking_a_grant_option_takes_along_what_was_granted_by_it() {
        let (read, none) = (Privileges::SELECT, Privileges::NONE);
        let mut items = default_acl(Grantable::Table, OWNER);
        add(&mut items, &item(1, 10, read, read), OWNER).unwrap();
        add(&mut items, &item(2, 1, read, read), OWNER).unwrap();
        add(&mut items, &item(3, 2, read, none), OWNER).unwrap();
        let gone = item(1, 10, read, read);
        let refused = remove(&mut items.clone(), &gone, OWNER, false).unwrap_err();
        assert_eq!(refused.message(), "dependent privileges exist");
        remove(&mut items, &gone, OWNER, true).unwrap();
        assert_eq!(items, default_acl(Grantable::Table, OWNER));
    }

    #[test]
    fn options_do_not_go_round_in_circles() {
        let read = Privileges::SELECT;
        let mut items = default_acl(Grantable::Table, OWNER);
        add(&mut items, &item(1, 10, read, read), OWNER).unwrap();
        add(&mut items, &item(2, 1, read, read), OWNER).unwrap();
        let back = add(&mut items, &item(1, 2, read, read), OWNER).unwrap_err();
        assert_eq!(back.message(), "grant options cannot be granted back to your own grantor");
    }
}
