//! Dependencies: what needs what (`pg_depend`), and what a DROP takes with it.
//!
//! Every object that a command makes is recorded here with what it refers to. A DROP starts from its targets and
//! follows the references backwards: internal and automatic dependents go silently, normal ones stop a RESTRICT and go
//! with a CASCADE. A member of an extension cannot be dropped alone.
//!
//! Source: `src/backend/catalog/dependency.c`; PostgreSQL manual, "Dependency Tracking" and `pg_depend`.

use std::collections::HashSet;

use crate::catalog::{Catalog, CatalogEdit, Dependency, keys};
use crate::oid::FIRST_NORMAL;
use crate::{Oid, Report, Result, Severity, SqlState, error};

/// Objects that a message names before it only counts the rest (`MAX_REPORTED_DEPS`).
const REPORTED_MAX: usize = 100;

/// An object: the relation whose row it is, its OID, and the column's number for a part of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectAddress {
    /// The catalog relation (`pg_class.oid`), one of [`crate::oid::relations`].
    pub class: Oid,
    /// The object's OID.
    pub object: Oid,
    /// The column's number, zero for the whole object.
    pub column: i32,
}

impl ObjectAddress {
    /// A whole object.
    pub const fn new(class: Oid, object: Oid) -> Self {
        Self { class, object, column: 0 }
    }

    /// A column of a relation.
    pub fn column(relation: Oid, attnum: i16) -> Self {
        Self { class: crate::oid::relations::PG_CLASS, object: relation, column: attnum.into() }
    }
}

/// What a dependency means (`pg_depend.deptype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyKind {
    /// The dependent must be dropped with CASCADE.
    Normal,
    /// The dependent goes with the referenced object, silently.
    Automatic,
    /// The dependent is a part of the referenced object: dropping it alone is refused.
    Internal,
    /// The dependent is a member of the referenced extension.
    Extension,
}

impl DependencyKind {
    fn letter(self) -> char {
        match self {
            Self::Normal => 'n',
            Self::Automatic => 'a',
            Self::Internal => 'i',
            Self::Extension => 'e',
        }
    }

    fn from_letter(letter: char) -> Self {
        match letter {
            'a' | 'S' | 'P' => Self::Automatic,
            'i' => Self::Internal,
            'e' => Self::Extension,
            _ => Self::Normal,
        }
    }
}

/// RESTRICT or CASCADE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropBehavior {
    /// Refuse when something else depends on it.
    Restrict,
    /// Take it along.
    Cascade,
}

/// Records that one object needs another. References to built-in objects are not recorded: those are pinned.
///
/// # Errors
/// Those of the catalog edit.
pub fn record(
    edit: &mut CatalogEdit,
    dependent: ObjectAddress,
    on: ObjectAddress,
    kind: DependencyKind,
) -> Result<()> {
    if on.object < FIRST_NORMAL || dependent == on {
        return Ok(());
    }
    edit.put(Dependency {
        classid: dependent.class,
        objid: dependent.object,
        objsubid: dependent.column,
        refclassid: on.class,
        refobjid: on.object,
        refobjsubid: on.column,
        deptype: kind.letter(),
    })?;
    Ok(())
}

/// The extension of which an object is a member.
pub fn extension_of(catalog: &Catalog, address: ObjectAddress) -> Option<Oid> {
    let found = of(catalog, address).into_iter().find(|row| row.deptype == 'e')?;
    Some(found.refobjid)
}

/// The references that an object has.
fn of(catalog: &Catalog, address: ObjectAddress) -> Vec<std::sync::Arc<Dependency>> {
    let parts = [address.class.into(), address.object.into()];
    let rows = catalog.relation::<Dependency>().find(keys::pg_depend_depender_index, &parts);
    rows.into_iter().filter(|row| address.column == 0 || row.objsubid == address.column).collect()
}

/// The objects that refer to an object (or to a part of it, when it is dropped as a whole).
fn on(catalog: &Catalog, address: ObjectAddress) -> Vec<std::sync::Arc<Dependency>> {
    let parts = [address.class.into(), address.object.into()];
    let rows = catalog.relation::<Dependency>().find(keys::pg_depend_reference_index, &parts);
    rows.into_iter().filter(|row| address.column == 0 || row.refobjsubid == address.column).collect()
}

/// What a DROP removes: the objects in an order in which each comes before what it needs, and the notice about those
/// that CASCADE takes along.
#[derive(Debug, Default)]
pub struct Deletion {
    /// The objects, dependents first.
    pub objects: Vec<ObjectAddress>,
    /// `drop cascades to …`.
    pub notice: Option<Report>,
}

/// Finds out what dropping these objects removes. `script_of` is the extension whose script asks, if one does.
///
/// # Errors
/// `2BP01` when something else depends on them and the behaviour is RESTRICT, or when one of them is a part of another
/// object or a member of an extension.
pub fn plan_deletion(
    catalog: &Catalog,
    targets: &[ObjectAddress],
    behavior: DropBehavior,
    script_of: Option<Oid>,
    describe: &dyn Fn(ObjectAddress) -> String,
) -> Result<Deletion> {
    let mut walk = Walk {
        catalog,
        script_of,
        describe,
        seen: HashSet::new(),
        order: Vec::new(),
        automatic: HashSet::new(),
        dependents: Vec::new(),
    };
    for &target in targets {
        walk.refuse_part(target, targets)?;
    }
    walk.seen.extend(targets.iter().copied());
    for &target in targets {
        walk.visit(target);
    }
    let automatic = &walk.automatic;
    walk.dependents.retain(|(dependent, _)| !automatic.contains(dependent));
    // A part found before its whole goes with it unmentioned.
    let seen = &walk.seen;
    walk.dependents.retain(|(dependent, _)| {
        dependent.column == 0 || !seen.contains(&ObjectAddress { column: 0, ..*dependent })
    });
    let notice = walk.report(targets, behavior)?;
    Ok(Deletion { objects: walk.order, notice })
}

/// A walk over dependents.
struct Walk<'a> {
    catalog: &'a Catalog,
    /// The extension whose script runs: it may drop its own members.
    script_of: Option<Oid>,
    describe: &'a dyn Fn(ObjectAddress) -> String,
    seen: HashSet<ObjectAddress>,
    /// Dependents before what they need.
    order: Vec<ObjectAddress>,
    /// What goes with something that is dropped, whatever else needs it: a default with its column, though it needs a
    /// sequence as well.
    automatic: HashSet<ObjectAddress>,
    /// Normal dependents that CASCADE takes along, each with what it depends on, in the order found.
    dependents: Vec<(ObjectAddress, ObjectAddress)>,
}

impl Walk<'_> {
    /// Refuses to drop a part without its whole.
    fn refuse_part(&self, target: ObjectAddress, targets: &[ObjectAddress]) -> Result<()> {
        for row in of(self.catalog, target) {
            let whole =
                ObjectAddress { class: row.refclassid, object: row.refobjid, column: row.refobjsubid };
            let kind = DependencyKind::from_letter(row.deptype);
            let part = match kind {
                DependencyKind::Extension => self.script_of != Some(row.refobjid),
                kind => kind == DependencyKind::Internal,
            };
            if part && !targets.contains(&whole) && (target.column == 0 || row.objsubid == target.column) {
                let (part, whole) = ((self.describe)(target), (self.describe)(whole));
                return Err(error!(
                    DEPENDENT_OBJECTS_STILL_EXIST,
                    "cannot drop {part} because {whole} requires it"
                )
                .hint(format!("You can drop {whole} instead.")));
            }
        }
        Ok(())
    }

    fn visit(&mut self, address: ObjectAddress) {
        for row in on(self.catalog, address) {
            let dependent = ObjectAddress { class: row.classid, object: row.objid, column: row.objsubid };
            let dependent =
                self.owner_of_rule(dependent).filter(|view| *view != address).unwrap_or(dependent);
            let whole = ObjectAddress { column: 0, ..dependent };
            if dependent.object == address.object && dependent.class == address.class {
                continue;
            }
            if DependencyKind::from_letter(row.deptype) != DependencyKind::Normal {
                self.automatic.insert(dependent);
            }
            if self.seen.contains(&whole) || !self.seen.insert(dependent) {
                continue;
            }
            if DependencyKind::from_letter(row.deptype) == DependencyKind::Normal {
                let needed = ObjectAddress { column: row.refobjsubid, ..address };
                self.dependents.push((dependent, needed));
            }
            self.visit(dependent);
        }
        self.order.push(address);
    }

    /// The view of a rule: what the rule needs, the view needs.
    fn owner_of_rule(&self, rule: ObjectAddress) -> Option<ObjectAddress> {
        if rule.class != crate::oid::relations::PG_REWRITE {
            return None;
        }
        let row = of(self.catalog, rule).into_iter().find(|row| row.deptype == 'i')?;
        Some(ObjectAddress::new(row.refclassid, row.refobjid))
    }

    /// The error of RESTRICT, or the notice of CASCADE.
    fn report(&self, targets: &[ObjectAddress], behavior: DropBehavior) -> Result<Option<Report>> {
        let count = self.dependents.len();
        if count == 0 {
            return Ok(None);
        }
        if behavior == DropBehavior::Restrict {
            let line = |(dependent, needed): &(ObjectAddress, ObjectAddress)| {
                format!("{} depends on {}", (self.describe)(*dependent), (self.describe)(*needed))
            };
            let detail = lines(self.dependents.iter().map(line), count);
            let message = match targets {
                [target] => {
                    format!("cannot drop {} because other objects depend on it", (self.describe)(*target))
                }
                _ => "cannot drop desired object(s) because other objects depend on them".to_owned(),
            };
            return Err(error!(DEPENDENT_OBJECTS_STILL_EXIST, "{message}")
                .detail(detail)
                .hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        let describe = |(dependent, _): &(ObjectAddress, ObjectAddress)| {
            format!("drop cascades to {}", (self.describe)(*dependent))
        };
        let mut report = Report::new(Severity::Notice, SqlState::SUCCESSFUL_COMPLETION, String::new());
        if let [only] = self.dependents.as_slice() {
            report.message = describe(only);
        } else {
            report.message = format!("drop cascades to {count} other objects");
            report.detail = Some(lines(self.dependents.iter().map(describe), count));
        }
        Ok(Some(report))
    }
}

/// At most [`REPORTED_MAX`] lines, and how many more there are.
fn lines(lines: impl Iterator<Item = String>, count: usize) -> String {
    let mut text: Vec<String> = lines.take(REPORTED_MAX).collect();
    if count > REPORTED_MAX {
        let more = count - REPORTED_MAX;
        let objects = if more == 1 { "object" } else { "objects" };
        text.push(format!("and {more} other {objects} (see server log for list)"));
    }
    text.join("\n")
}

/// Forgets all references from and to an object, comments on it included.
pub fn forget(edit: &mut CatalogEdit, address: ObjectAddress) {
    let rows: Vec<_> = of(edit, address).into_iter().chain(on(edit, address)).collect();
    for row in rows {
        edit.delete_row(&*row);
    }
    let parts = [address.object.into(), address.class.into()];
    let comments =
        edit.relation::<crate::catalog::Description>().find(keys::pg_description_o_c_o_index, &parts);
    for row in comments {
        if address.column == 0 || row.objsubid == address.column {
            edit.delete_row(&*row);
        }
    }
}
