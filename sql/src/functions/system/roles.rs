//! Who counts as whom.

use crate::Oid;
use crate::catalog::Catalog;

/// Whether a role is a superuser.
pub(super) fn is_superuser(catalog: &Catalog, role: Oid) -> bool {
    catalog.is_superuser(role)
}

/// Whether a role has the privileges of another without `SET ROLE`.
pub(super) fn has_privileges_of(catalog: &Catalog, member: Oid, role: Oid) -> bool {
    catalog.has_privs_of_role(member, role)
}
