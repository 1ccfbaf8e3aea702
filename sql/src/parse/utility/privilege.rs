//! GRANT, REVOKE and ALTER DEFAULT PRIVILEGES.

use super::{ObjectKind, ObjectReference, RoleSpecification, Utility};
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::Kind;

/// A privilege's name in lower case, and the columns it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    pub name: String,
    pub columns: Vec<String>,
    pub position: usize,
}

/// What privileges are on.
#[derive(Clone, Debug)]
pub enum GrantTarget {
    Objects {
        kind: ObjectKind,
        objects: Vec<ObjectReference>,
    },
    AllInSchema {
        kind: ObjectKind,
        schemas: Vec<String>,
    },
    /// Of ALTER DEFAULT PRIVILEGES: future objects of the kind.
    Future(ObjectKind),
}

/// GRANT or REVOKE privileges.
#[derive(Clone, Debug)]
pub struct Grant {
    pub is_grant: bool,
    /// WITH GRANT OPTION, or GRANT OPTION FOR.
    pub grant_option: bool,
    /// `None` means ALL; `all_columns` may restrict that.
    pub privileges: Option<Vec<Privilege>>,
    /// The columns of `ALL (columns)`.
    pub all_columns: Vec<String>,
    pub target: GrantTarget,
    pub grantees: Vec<RoleSpecification>,
    pub granted_by: Option<RoleSpecification>,
    pub cascade: bool,
}

/// GRANT or REVOKE of roles.
#[derive(Clone, Debug)]
pub struct GrantRole {
    pub is_grant: bool,
    pub admin_option: bool,
    pub roles: Vec<(String, usize)>,
    pub grantees: Vec<RoleSpecification>,
    pub granted_by: Option<RoleSpecification>,
    pub cascade: bool,
}

impl GrantRole {
    pub(super) fn of_group(
        group: RoleSpecification,
        grantees: Vec<RoleSpecification>,
        is_grant: bool,
    ) -> Self {
        let roles = match group {
            RoleSpecification::Name { name, position } => vec![(name, position)],
            _ => Vec::new(),
        };
        Self { is_grant, admin_option: false, roles, grantees, granted_by: None, cascade: false }
    }
}

/// ALTER DEFAULT PRIVILEGES. No roles means the current one; no schemas means all.
#[derive(Clone, Debug)]
pub struct AlterDefaultPrivileges {
    pub roles: Vec<RoleSpecification>,
    pub schemas: Vec<String>,
    pub grant: Grant,
}

type PrivilegeList = (Option<Vec<Privilege>>, Vec<String>);

impl Parser<'_> {
    pub(super) fn grant_statement(&mut self, is_grant: bool) -> Result<Utility> {
        self.advance();
        let grant_option = !is_grant && self.accept_words(&["grant", "option", "for"]);
        let admin_option = !is_grant && self.accept_words(&["admin", "option", "for"]);
        let (privileges, all_columns) = self.privileges()?;
        if admin_option || !self.at("on") {
            return self.grant_role(is_grant, admin_option, privileges);
        }
        self.expect("on")?;
        let target = self.grant_target()?;
        let grant = self.rest_of_grant(is_grant, grant_option, (privileges, all_columns), target)?;
        Ok(Utility::Grant(grant))
    }

    fn privileges(&mut self) -> Result<PrivilegeList> {
        if self.accept("all") {
            self.accept("privileges");
            return Ok((None, self.optional_column_list()?));
        }
        let list = self.list(|parser| {
            let position = parser.place();
            let name = match parser.word() {
                Some("select" | "references" | "create") => parser.label()?.value,
                _ if parser.at_words(&["alter", "system"]) => {
                    parser.advance();
                    parser.advance();
                    "alter system".to_owned()
                }
                _ => parser.identifier()?.value,
            };
            Ok(Privilege { name, columns: parser.optional_column_list()?, position })
        })?;
        Ok((Some(list), Vec::new()))
    }

    fn rest_of_grant(
        &mut self,
        is_grant: bool,
        mut grant_option: bool,
        (privileges, all_columns): PrivilegeList,
        target: GrantTarget,
    ) -> Result<Grant> {
        self.expect(if is_grant { "to" } else { "from" })?;
        let grantees = self.grantees()?;
        if is_grant {
            grant_option = self.accept_words(&["with", "grant", "option"]);
        }
        let granted_by = self.granted_by()?;
        let cascade = !is_grant && self.cascade();
        Ok(Grant { is_grant, grant_option, privileges, all_columns, target, grantees, granted_by, cascade })
    }

    fn grantees(&mut self) -> Result<Vec<RoleSpecification>> {
        self.list(|parser| {
            parser.accept("group");
            parser.role_specification()
        })
    }

    fn granted_by(&mut self) -> Result<Option<RoleSpecification>> {
        if self.accept_words(&["granted", "by"]) { Ok(Some(self.role_specification()?)) } else { Ok(None) }
    }

    fn grant_role(
        &mut self,
        is_grant: bool,
        mut admin_option: bool,
        names: Option<Vec<Privilege>>,
    ) -> Result<Utility> {
        let Some(names) = names else { return self.fail() };
        let roles = names.into_iter().map(|role| (role.name, role.position)).collect();
        self.expect(if is_grant { "to" } else { "from" })?;
        let grantees = self.role_list()?;
        if is_grant {
            admin_option = self.accept_words(&["with", "admin", "option"]);
        }
        let granted_by = self.granted_by()?;
        let cascade = !is_grant && self.cascade();
        Ok(Utility::GrantRole(GrantRole { is_grant, admin_option, roles, grantees, granted_by, cascade }))
    }

    fn grant_target(&mut self) -> Result<GrantTarget> {
        if self.accept("all") {
            let kind = self.plural_kind()?;
            self.expect_words(&["in", "schema"])?;
            return Ok(GrantTarget::AllInSchema { kind, schemas: self.list(Self::simple_name)? });
        }
        const KINDS: &[(&[&str], ObjectKind)] = &[
            (&["foreign", "data", "wrapper"], ObjectKind::ForeignDataWrapper),
            (&["foreign", "server"], ObjectKind::Server),
            (&["large", "object"], ObjectKind::LargeObject),
            (&["table"], ObjectKind::Table),
            (&["sequence"], ObjectKind::Sequence),
            (&["database"], ObjectKind::Database),
            (&["schema"], ObjectKind::Schema),
            (&["function"], ObjectKind::Function),
            (&["procedure"], ObjectKind::Procedure),
            (&["routine"], ObjectKind::Routine),
            (&["language"], ObjectKind::Language),
            (&["tablespace"], ObjectKind::Tablespace),
            (&["type"], ObjectKind::Type),
            (&["domain"], ObjectKind::Domain),
            (&["parameter"], ObjectKind::Parameter),
        ];
        let followed_by_name = !matches!(self.word_ahead(1), Some("to" | "from"))
            && !matches!(self.peek(1).kind, Kind::Symbol(_));
        let named =
            if followed_by_name { KINDS.iter().find(|(words, _)| self.accept_words(words)) } else { None };
        let kind = named.map_or(ObjectKind::Table, |(_, kind)| *kind);
        let objects = self.list(|parser| {
            if kind == ObjectKind::LargeObject {
                return parser.unsupported("GRANT ON LARGE OBJECT");
            }
            parser.reference_of(kind)
        })?;
        Ok(GrantTarget::Objects { kind, objects })
    }

    fn plural_kind(&mut self) -> Result<ObjectKind> {
        let kind = match self.word() {
            Some("tables") => ObjectKind::Table,
            Some("sequences") => ObjectKind::Sequence,
            Some("functions") => ObjectKind::Function,
            Some("procedures") => ObjectKind::Procedure,
            Some("routines") => ObjectKind::Routine,
            Some("types") => ObjectKind::Type,
            Some("schemas") => ObjectKind::Schema,
            _ => return self.fail(),
        };
        self.advance();
        Ok(kind)
    }

    pub(super) fn alter_default_privileges(&mut self) -> Result<Utility> {
        self.expect_words(&["default", "privileges"])?;
        let (mut roles, mut schemas) = (Vec::new(), Vec::new());
        loop {
            if self.accept("for") {
                if !self.accept("role") {
                    self.expect("user")?;
                }
                roles = self.role_list()?;
            } else if self.accept_words(&["in", "schema"]) {
                schemas = self.list(Self::simple_name)?;
            } else {
                break;
            }
        }
        let is_grant = self.accept("grant");
        if !is_grant {
            self.expect("revoke")?;
        }
        let grant_option = !is_grant && self.accept_words(&["grant", "option", "for"]);
        let privileges = self.privileges()?;
        self.expect("on")?;
        let target = GrantTarget::Future(self.plural_kind()?);
        let grant = self.rest_of_grant(is_grant, grant_option, privileges, target)?;
        Ok(Utility::AlterDefaultPrivileges(AlterDefaultPrivileges { roles, schemas, grant }))
    }
}
