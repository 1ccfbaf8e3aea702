//! Access privileges: what an access control list (`aclitem[]`) says, who may do what, and who counts as whom.
//!
//! Lists are kept as text in the catalog, in PostgreSQL's own form (`alice=arw*/postgres`) with one difference: roles
//! are written by OID (`#16400=r/#10`), so that renaming one changes nothing. SQL sees the names. The built-in rows
//! have names, which mean the built-in roles, whatever they are called now.
//!
//! Source: `src/backend/utils/adt/acl.c`, `src/include/utils/acl.h`.

use std::collections::HashSet;

use super::{Catalog, RoleMembership, keys};
use crate::oid::roles;
use crate::{Oid, Result, error};

/// A set of privileges, as bits (`AclMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Privileges(pub u16);

macro_rules! privileges {
    ($($name:ident = $bit:literal $letter:literal $word:literal,)*) => {
        #[allow(missing_docs, reason = "the names are PostgreSQL's own")]
        impl Privileges {
            $(pub const $name: Self = Self(1 << $bit);)*
        }
        /// Letter and SQL name of each privilege, in the order in which lists spell them.
        const LETTERS: &[(Privileges, char, &str)] = &[$((Privileges::$name, $letter, $word)),*];
    };
}

privileges! {
    INSERT = 0 'a' "INSERT",
    SELECT = 1 'r' "SELECT",
    UPDATE = 2 'w' "UPDATE",
    DELETE = 3 'd' "DELETE",
    TRUNCATE = 4 'D' "TRUNCATE",
    REFERENCES = 5 'x' "REFERENCES",
    TRIGGER = 6 't' "TRIGGER",
    EXECUTE = 7 'X' "EXECUTE",
    USAGE = 8 'U' "USAGE",
    CREATE = 9 'C' "CREATE",
    TEMPORARY = 10 'T' "TEMPORARY",
    CONNECT = 11 'c' "CONNECT",
    SET = 12 's' "SET",
    ALTER_SYSTEM = 13 'A' "ALTER SYSTEM",
}

impl Privileges {
    /// None.
    pub const NONE: Self = Self(0);

    /// Those of either set.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Those that are not in the other set.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Whether the sets have one in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
    /// Whether all of the other set are in this one.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The privilege with this SQL name, in any case (`TEMP` is `TEMPORARY`).
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("temp") {
            return Some(Self::TEMPORARY);
        }
        LETTERS
            .iter()
            .find(|(_, _, word)| word.eq_ignore_ascii_case(name))
            .map(|(privilege, _, _)| *privilege)
    }
    /// The SQL names of those in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        LETTERS.iter().filter(move |(privilege, _, _)| self.meets(*privilege)).map(|(_, _, word)| *word)
    }
}

/// The kinds of objects that have access privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Grantable {
    Column,
    Table,
    Sequence,
    Database,
    Function,
    Language,
    LargeObject,
    Schema,
    Tablespace,
    ForeignDataWrapper,
    ForeignServer,
    Type,
    Parameter,
}

impl Grantable {
    /// All privileges that such an object has.
    pub const fn all(self) -> Privileges {
        use Privileges as P;
        match self {
            Self::Column => P::INSERT.with(P::SELECT).with(P::UPDATE).with(P::REFERENCES),
            Self::Table => {
                let data = P::INSERT.with(P::SELECT).with(P::UPDATE).with(P::DELETE);
                data.with(P::TRUNCATE).with(P::REFERENCES).with(P::TRIGGER)
            }
            Self::Sequence => P::SELECT.with(P::UPDATE).with(P::USAGE),
            Self::Database => P::CREATE.with(P::TEMPORARY).with(P::CONNECT),
            Self::Function => P::EXECUTE,
            Self::LargeObject => P::SELECT.with(P::UPDATE),
            Self::Schema => P::USAGE.with(P::CREATE),
            Self::Tablespace => P::CREATE,
            Self::Language | Self::ForeignDataWrapper | Self::ForeignServer | Self::Type => P::USAGE,
            Self::Parameter => P::SET.with(P::ALTER_SYSTEM),
        }
    }

    /// What everybody may do while nothing has been granted or revoked.
    const fn default_for_public(self) -> Privileges {
        match self {
            Self::Database => Privileges::TEMPORARY.with(Privileges::CONNECT),
            Self::Function => Privileges::EXECUTE,
            Self::Language | Self::Type => Privileges::USAGE,
            _ => Privileges::NONE,
        }
    }
}

/// One entry of an access control list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclItem {
    /// Who may: a role, or zero for PUBLIC.
    pub grantee: Oid,
    /// Who granted it.
    pub grantor: Oid,
    /// What.
    pub privileges: Privileges,
    /// Which of it the grantee may grant to others.
    pub grantable: Privileges,
}

/// The list that an object has while its column is NULL (`acldefault`).
pub fn default_acl(kind: Grantable, owner: Oid) -> Vec<AclItem> {
    let item = |grantee, privileges: Privileges| AclItem {
        grantee,
        grantor: owner,
        privileges,
        grantable: Privileges::NONE,
    };
    let own = if kind == Grantable::Column { Privileges::NONE } else { kind.all() };
    let items = [item(Oid::INVALID, kind.default_for_public()), item(owner, own)];
    items.into_iter().filter(|item| !item.privileges.is_empty()).collect()
}

/// Reads a list as the catalog keeps it.
///
/// # Errors
/// `22P02` for text that is none; `42704` for a role that does not exist.
pub fn parse_acl(items: &[String], catalog: &Catalog) -> Result<Vec<AclItem>> {
    items.iter().map(|item| parse_kept_item(item, catalog)).collect()
}

/// Reads one entry of a list that the catalog keeps.
fn parse_kept_item(text: &str, catalog: &Catalog) -> Result<AclItem> {
    if names_roles_by_oid(text) { parse_item(text, catalog) } else { parse_item(text, &Catalog::built_in()) }
}

/// Writes a list as the catalog keeps it.
pub fn print_acl(items: &[AclItem]) -> Vec<String> {
    items.iter().map(|item| print_item(item, |oid| format!("#{oid}"))).collect()
}

/// Reads one entry, with roles by name or as the catalog keeps them (`aclitemin`).
///
/// # Errors
/// `22P02` for text that is none; `42704` for a role that does not exist.
pub fn parse_item(text: &str, catalog: &Catalog) -> Result<AclItem> {
    let (grantee, rest) = parse_role(text, catalog)?;
    let missing = || error!(INVALID_TEXT_REPRESENTATION, "missing \"=\" sign");
    let rest = rest.strip_prefix('=').ok_or_else(missing)?;
    let (mut privileges, mut grantable, mut last) = (Privileges::NONE, Privileges::NONE, Privileges::NONE);
    let end = rest.find('/').unwrap_or(rest.len());
    for letter in rest[..end].chars() {
        if letter == '*' {
            grantable = grantable.with(last);
            continue;
        }
        let known = LETTERS.iter().find(|(_, known, _)| *known == letter);
        let all: String = LETTERS.iter().map(|(_, letter, _)| *letter).collect();
        let invalid =
            || error!(INVALID_TEXT_REPRESENTATION, "invalid mode character: must be one of \"{all}\"");
        last = known.ok_or_else(invalid)?.0;
        privileges = privileges.with(last);
    }
    let grantor = match rest[end..].strip_prefix('/') {
        Some(name) if !name.is_empty() => parse_role(name, catalog)?.0,
        Some(_) => {
            return Err(error!(INVALID_TEXT_REPRESENTATION, "a name must follow the \"/\" sign"));
        }
        None => roles::POSTGRES,
    };
    Ok(AclItem { grantee, grantor, privileges, grantable })
}

/// Writes one entry with the names of roles, as SQL shows it (`aclitemout`).
pub fn display_item(item: &AclItem, catalog: &Catalog) -> String {
    print_item(item, |oid| role_name(oid, catalog))
}

/// Whether a list's text names roles by OID.
pub(crate) fn names_roles_by_oid(text: &str) -> bool {
    text.contains('#')
}

/// The text of a list (`{…}`) with the names of roles in the place of their OIDs.
pub(crate) fn spell_roles(text: &str, catalog: &Catalog) -> String {
    use super::field::Field;
    let Some(Some(items)) = Option::<Vec<String>>::from_text(Some(text)) else { return text.to_owned() };
    let spelled = items.iter().map(|item| match parse_kept_item(item, catalog) {
        Ok(parsed) => display_item(&parsed, catalog),
        Err(_) => item.clone(),
    });
    Some(spelled.collect::<Vec<_>>()).to_text().unwrap_or_default()
}

fn print_item(item: &AclItem, role: impl Fn(Oid) -> String) -> String {
    let mut text = if item.grantee.is_valid() { role(item.grantee) } else { String::new() };
    text.push('=');
    for (privilege, letter, _) in LETTERS {
        if item.privileges.meets(*privilege) {
            text.push(*letter);
            if item.grantable.meets(*privilege) {
                text.push('*');
            }
        }
    }
    text.push('/');
    text + &role(item.grantor)
}

/// A role's name as lists spell it: quoted unless it is letters, digits and underscores. A role that is gone is its
/// number.
fn role_name(oid: Oid, catalog: &Catalog) -> String {
    let Some(role) = catalog.role(oid) else { return oid.to_string() };
    let name = &role.rolname;
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        name.clone()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Reads the role at the beginning of a text; the role, and what follows. No name at all is PUBLIC.
fn parse_role<'t>(text: &'t str, catalog: &Catalog) -> Result<(Oid, &'t str)> {
    if let Some(rest) = text.strip_prefix('#') {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let invalid =
            |_| error!(INVALID_TEXT_REPRESENTATION, "invalid role in access control list: \"{text}\"");
        return Ok((Oid(rest[..end].parse().map_err(invalid)?), &rest[end..]));
    }
    let (mut name, mut quoted, mut end) = (String::new(), false, text.len());
    let mut characters = text.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' if quoted && characters.peek().is_some_and(|(_, next)| *next == '"') => {
                characters.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            _ if quoted || character.is_alphanumeric() || character == '_' => name.push(character),
            _ => {
                end = index;
                break;
            }
        }
    }
    if name.is_empty() {
        return Ok((Oid::INVALID, &text[end..]));
    }
    let role = catalog.role_named(&name);
    let role = role.ok_or_else(|| error!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"))?;
    Ok((role.oid, &text[end..]))
}

/// What an object's access control list lets a role do with it.
#[derive(Clone, Copy, Debug)]
pub struct Protected<'a> {
    /// What kind of object it is.
    pub kind: Grantable,
    /// Its owner.
    pub owner: Oid,
    /// Its list, as the catalog keeps it.
    pub acl: Option<&'a [String]>,
}

impl Protected<'_> {
    /// Its list; the default one while nothing has been granted or revoked.
    pub fn items(&self, catalog: &Catalog) -> Result<Vec<AclItem>> {
        self.acl.map_or_else(|| Ok(default_acl(self.kind, self.owner)), |items| parse_acl(items, catalog))
    }
}

/// Roles and what they may do.
impl Catalog {
    /// Whether a role is a superuser.
    pub fn is_superuser(&self, role: Oid) -> bool {
        self.role(role).is_some_and(|role| role.rolsuper)
    }

    /// Whether `member` belongs to `role`, directly or through others (`is_member_of_role`).
    pub fn is_member_of(&self, member: Oid, role: Oid) -> bool {
        member == role || self.is_superuser(member) || self.roles_of(member, false).contains(&role)
    }

    /// Whether a role has the privileges of another without `SET ROLE` (`has_privs_of_role`).
    pub fn has_privs_of_role(&self, member: Oid, role: Oid) -> bool {
        member == role || self.is_superuser(member) || self.roles_of(member, true).contains(&role)
    }

    /// Whether `member` may grant membership in `role` (`is_admin_of_role`).
    pub fn is_admin_of(&self, member: Oid, role: Oid) -> bool {
        let members = self.roles_of(member, false);
        let grants =
            self.relation::<RoleMembership>().find(keys::pg_auth_members_role_member_index, &[role.into()]);
        self.is_superuser(member)
            || grants.iter().any(|grant| grant.admin_option && members.contains(&grant.member))
    }

    /// All roles that a role is a member of, itself included. With `inheriting`, only through roles that inherit.
    pub fn roles_of(&self, role: Oid, inheriting: bool) -> HashSet<Oid> {
        let owner = self.database(self.database).map(|database| database.datdba);
        let (mut found, mut open) = (HashSet::from([role]), vec![role]);
        while let Some(member) = open.pop() {
            if inheriting && !self.role(member).is_some_and(|role| role.rolinherit) {
                continue;
            }
            let memberships = self.relation::<RoleMembership>();
            let memberships = memberships.find(keys::pg_auth_members_member_role_index, &[member.into()]);
            let implicit = (owner == Some(member)).then_some(roles::PG_DATABASE_OWNER);
            let groups = memberships.iter().map(|membership| membership.roleid).chain(implicit);
            open.extend(groups.filter(|group| found.insert(*group)));
        }
        found
    }

    /// Which of the wanted privileges a role has on an object (`aclmask`).
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn privileges_on(&self, role: Oid, object: &Protected<'_>, wanted: Privileges) -> Result<Privileges> {
        if self.is_superuser(role) {
            return Ok(wanted);
        }
        let roles = self.roles_of(role, true);
        let applies = |item: &&AclItem| !item.grantee.is_valid() || roles.contains(&item.grantee);
        let items = object.items(self)?;
        let held = items.iter().filter(applies).fold(Privileges::NONE, |all, item| all.with(item.privileges));
        let held = held.with(predefined(&roles, object.kind));
        Ok(Privileges(held.0 & wanted.0))
    }

    /// Which of the wanted privileges a role may grant to others. The owner may grant all.
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn grant_options_on(
        &self,
        role: Oid,
        object: &Protected<'_>,
        wanted: Privileges,
    ) -> Result<Privileges> {
        if self.has_privs_of_role(role, object.owner) {
            return Ok(wanted);
        }
        let roles = self.roles_of(role, true);
        let items = object.items(self)?;
        let applies = |item: &&AclItem| roles.contains(&item.grantee);
        let held = items.iter().filter(applies).fold(Privileges::NONE, |all, item| all.with(item.grantable));
        Ok(Privileges(held.0 & wanted.0))
    }

    /// Whether a role has one of these privileges on a relation, or nothing when there is no such relation.
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn has_class_privilege(&self, role: Oid, class: Oid, any: Privileges) -> Result<Option<bool>> {
        let Some(class) = self.class(class) else { return Ok(None) };
        let kind = if class.relkind == 'S' { Grantable::Sequence } else { Grantable::Table };
        let object = Protected { kind, owner: class.relowner, acl: class.relacl.as_deref() };
        Ok(Some(!self.privileges_on(role, &object, any)?.is_empty()))
    }

    /// Whether a role has one of these privileges on a column, by itself or through the table; nothing when there is
    /// no such column.
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn has_column_privilege(
        &self,
        role: Oid,
        class: Oid,
        attnum: i16,
        any: Privileges,
    ) -> Result<Option<bool>> {
        let Some(column) = self.attribute(class, attnum).filter(|column| !column.attisdropped) else {
            return Ok(None);
        };
        let owner = self.class(class).map_or(Oid::INVALID, |class| class.relowner);
        let object = Protected { kind: Grantable::Column, owner, acl: column.attacl.as_deref() };
        if !self.privileges_on(role, &object, any)?.is_empty() {
            return Ok(Some(true));
        }
        self.has_class_privilege(role, class, any)
    }

    /// Whether a role has one of these privileges on a schema, or nothing when there is no such schema.
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn has_namespace_privilege(
        &self,
        role: Oid,
        namespace: Oid,
        any: Privileges,
    ) -> Result<Option<bool>> {
        let Some(row) = self.namespace(namespace) else { return Ok(None) };
        let object = Protected { kind: Grantable::Schema, owner: row.nspowner, acl: row.nspacl.as_deref() };
        Ok(Some(!self.privileges_on(role, &object, any)?.is_empty()))
    }

    /// Whether a role may execute a function, or nothing when there is no such function.
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn has_function_privilege(&self, role: Oid, function: Oid) -> Result<Option<bool>> {
        let Some(row) = self.function(function) else { return Ok(None) };
        let object = Protected { kind: Grantable::Function, owner: row.proowner, acl: row.proacl.as_deref() };
        Ok(Some(!self.privileges_on(role, &object, Privileges::EXECUTE)?.is_empty()))
    }

    /// Whether a role may use a type (for an array: its elements), or nothing when there is no such type.
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn has_type_privilege(&self, role: Oid, ty: Oid) -> Result<Option<bool>> {
        let Some(mut row) = self.type_(ty) else { return Ok(None) };
        if row.typelem.is_valid() && row.typlen == -1 {
            row = self.type_(row.typelem).unwrap_or(row);
        }
        let object = Protected { kind: Grantable::Type, owner: row.typowner, acl: row.typacl.as_deref() };
        Ok(Some(!self.privileges_on(role, &object, Privileges::USAGE)?.is_empty()))
    }

    /// Whether a role has one of these privileges on a database, or nothing when there is no such database.
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn has_database_privilege(&self, role: Oid, database: Oid, any: Privileges) -> Result<Option<bool>> {
        let Some(row) = self.database(database) else { return Ok(None) };
        let object = Protected { kind: Grantable::Database, owner: row.datdba, acl: row.datacl.as_deref() };
        Ok(Some(!self.privileges_on(role, &object, any)?.is_empty()))
    }

    /// Whether a role may use a language, or nothing when there is no such language.
    ///
    /// # Errors
    /// Those of [`parse_acl`].
    pub fn has_language_privilege(&self, role: Oid, language: Oid) -> Result<Option<bool>> {
        let Some(row) = self.language(language) else { return Ok(None) };
        let object = Protected { kind: Grantable::Language, owner: row.lanowner, acl: row.lanacl.as_deref() };
        Ok(Some(!self.privileges_on(role, &object, Privileges::USAGE)?.is_empty()))
    }
}

/// What membership in `pg_read_all_data` and `pg_write_all_data` gives on every object of a kind.
fn predefined(roles_held: &HashSet<Oid>, kind: Grantable) -> Privileges {
    use Privileges as P;
    let (reads, writes) =
        (roles_held.contains(&roles::PG_READ_ALL_DATA), roles_held.contains(&roles::PG_WRITE_ALL_DATA));
    let mut held = P::NONE;
    match kind {
        Grantable::Table | Grantable::Sequence => {
            if reads {
                held = held.with(P::SELECT);
            }
            if writes {
                held = held.with(P::INSERT).with(P::UPDATE).with(P::DELETE);
            }
        }
        Grantable::Schema if reads || writes => held = P::USAGE,
        _ => {}
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CatalogEdit, Role};

    fn role(edit: &mut CatalogEdit, name: &str, inherit: bool) -> Oid {
        let base = (*edit.role(roles::PG_MONITOR).unwrap()).clone();
        let oid = edit.allocate_shared_oid();
        edit.insert(Role { oid, rolname: name.into(), rolinherit: inherit, ..base }).unwrap().oid
    }

    fn join(edit: &mut CatalogEdit, member: Oid, roleid: Oid) {
        let row = RoleMembership { roleid, member, grantor: roles::POSTGRES, admin_option: false };
        edit.insert(row).unwrap();
    }

    #[test]
    fn items_are_read_and_written() {
        let mut edit = CatalogEdit::new(&Catalog::empty());
        let alice = role(&mut edit, "alice b", true);
        let item = parse_item("\"alice b\"=ar*w/postgres", &edit).unwrap();
        assert_eq!(item.grantee, alice);
        assert_eq!(item.grantable, Privileges::SELECT);
        assert_eq!(display_item(&item, &edit), "\"alice b\"=ar*w/postgres");
        let kept = print_acl(&[item]);
        assert_eq!(kept, [format!("#{alice}=ar*w/#10")]);
        assert_eq!(parse_acl(&kept, &edit).unwrap(), [item]);
        assert_eq!(spell_roles(&format!("{{#{alice}=r/#10}}"), &edit), "{\"\\\"alice b\\\"=r/postgres\"}");
        assert_eq!(parse_item("=c/postgres", &edit).unwrap().grantee, Oid::INVALID);
        assert_eq!(parse_item("bob=r/postgres", &edit).unwrap_err().message(), "role \"bob\" does not exist");
    }

    #[test]
    fn membership_reaches_through_roles_that_inherit() {
        let mut edit = CatalogEdit::new(&Catalog::empty());
        let (staff, team, user) =
            (role(&mut edit, "staff", true), role(&mut edit, "team", false), role(&mut edit, "member", true));
        join(&mut edit, user, team);
        join(&mut edit, team, staff);
        assert!(edit.is_member_of(user, staff));
        assert!(edit.has_privs_of_role(user, team));
        assert!(!edit.has_privs_of_role(user, staff));
        assert!(edit.is_member_of(roles::POSTGRES, staff));
    }

    #[test]
    fn lists_decide_who_may() {
        let mut edit = CatalogEdit::new(&Catalog::empty());
        let user = role(&mut edit, "member", true);
        let may =
            |edit: &CatalogEdit, privilege| edit.has_namespace_privilege(user, Oid(2200), privilege).unwrap();
        assert_eq!(may(&edit, Privileges::USAGE), Some(true));
        assert_eq!(may(&edit, Privileges::CREATE), Some(false));
        // Nobody has been granted anything on pg_authid; everybody may read pg_class.
        assert_eq!(edit.has_class_privilege(user, Oid(1260), Privileges::SELECT).unwrap(), Some(false));
        assert_eq!(edit.has_class_privilege(user, Oid(1259), Privileges::SELECT).unwrap(), Some(true));
        join(&mut edit, user, roles::PG_READ_ALL_DATA);
        assert_eq!(edit.has_class_privilege(user, Oid(1260), Privileges::SELECT).unwrap(), Some(true));
        assert_eq!(edit.has_function_privilege(user, Oid(31)).unwrap(), Some(true));
    }
}
