//! ALTER … RENAME, OWNER TO and SET SCHEMA of anything.
//!
//! Kept texts (defaults, checks, index expressions) name what they refer to. Before a rename they are bound under the old
//! names, after it they are written under the new ones. Views are refused: their texts cannot be written anew yet.
//!
//! Source: `src/backend/commands/alter.c`, `RenameRelation` and its kin in `tablecmds.c`.

use std::sync::Arc;

use super::CommandContext;
use super::dependency::ObjectAddress;
use super::naming::{dotted, is_system, quoted_name};
use super::new_rows::array_type_name;
use crate::bound::{Expr, ExprKind};
use crate::catalog::{
    Attribute, AttributeDefault, Class, Constraint, Extension, Index, Namespace, Operator, Procedure, Type,
    physical_table_name,
};
use crate::execute::physical;
use crate::locks::LockMode;
use crate::oid::{namespaces, relations};
use crate::parse::{AlterObject, ObjectAction, ObjectKind, ObjectReference, RoleSpecification};
use crate::{Oid, Result, SqlError, SqlState, error};

/// Where a kept text stands.
#[derive(Clone, Copy)]
enum Place {
    Default(Oid),
    Check(Oid),
    IndexKeys(Oid),
    IndexPredicate(Oid),
}

/// A kept text, bound under the names as they were.
pub(super) struct HeldText {
    place: Place,
    relation: Option<Oid>,
    expr: Expr,
}

impl CommandContext<'_> {
    /// The kept texts in which a name occurs, bound.
    pub(super) fn hold_texts(&self, name: &str) -> Result<Vec<HeldText>> {
        // A text under an old name must contain it, perhaps within quotes.
        let quoted = name.replace('"', "\"\"");
        let mentions = |text: &str| text.contains(&quoted) || text.contains(&quoted.replace('\'', "''"));
        let mut held = Vec::new();
        for row in self.edit.relation::<AttributeDefault>().rows().filter(|row| mentions(&row.adbin)) {
            let column = self.edit.attribute(row.adrelid, row.adnum);
            let generated = column.is_some_and(|column| column.attgenerated == 's');
            let relation = generated.then_some(row.adrelid);
            held.push(HeldText {
                place: Place::Default(row.oid),
                relation,
                expr: self.bind_stored(&row.adbin, relation)?,
            });
        }
        for row in
            self.edit.relation::<Constraint>().rows().filter(|row| row.conrelid >= crate::oid::FIRST_NORMAL)
        {
            if let Some(text) = row.conbin.as_deref().filter(|text| mentions(text)) {
                let relation = Some(row.conrelid);
                let expr = self.bind_stored(text, relation)?;
                held.push(HeldText { place: Place::Check(row.oid), relation, expr });
            }
        }
        for row in self.edit.relation::<Index>().rows().filter(|row| row.indrelid >= crate::oid::FIRST_NORMAL)
        {
            let relation = Some(row.indrelid);
            if let Some(list) = row.indexprs.as_deref().filter(|text| mentions(text)) {
                let expr = self.bind_stored(&format!("ROW({list})"), relation)?;
                held.push(HeldText { place: Place::IndexKeys(row.indexrelid), relation, expr });
            }
            if let Some(text) = row.indpred.as_deref().filter(|text| mentions(text)) {
                let expr = self.bind_stored(text, relation)?;
                held.push(HeldText { place: Place::IndexPredicate(row.indexrelid), relation, expr });
            }
        }
        Ok(held)
    }

    /// Writes kept texts anew under the names as they are.
    pub(super) fn write_texts(&mut self, held: Vec<HeldText>) -> Result<()> {
        for HeldText { place, relation, expr } in held {
            let print = |expr: &Expr| {
                crate::deparse::expression(expr, self.edit, &crate::catalog::KEPT_SEARCH_PATH, relation)
            };
            let text = match (&expr.kind, place) {
                (ExprKind::Row(fields), Place::IndexKeys(_)) => {
                    fields.iter().map(print).collect::<Result<Vec<_>>>()?.join(", ")
                }
                _ => print(&expr)?,
            };
            match place {
                Place::Default(oid) => {
                    drop(self.edit.change::<AttributeDefault>(oid, |row| row.adbin = text)?)
                }
                Place::Check(oid) => {
                    drop(self.edit.change::<Constraint>(oid, |row| row.conbin = Some(text))?)
                }
                Place::IndexKeys(oid) => {
                    drop(self.edit.change::<Index>(oid, |row| row.indexprs = Some(text))?)
                }
                Place::IndexPredicate(oid) => {
                    drop(self.edit.change::<Index>(oid, |row| row.indpred = Some(text))?)
                }
            }
        }
        Ok(())
    }

    /// # Errors
    /// `0A000` when a view's text names the object.
    fn refuse_views(&self, class: Oid, object: Oid, column: i32) -> Result<()> {
        match self.views_on(class, object, column) {
            Some(view) => Err(SqlError::unsupported(format_args!("renaming what {view} refers to"))),
            None => Ok(()),
        }
    }

    /// ALTER … RENAME TO of a relation.
    pub(super) fn rename_relation(&mut self, class: &Arc<Class>, name: &str) -> Result<()> {
        if self.edit.class_named(class.relnamespace, name).is_some() {
            return Err(error!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        self.refuse_views(relations::PG_CLASS, class.oid, 0)?;
        let held = self.hold_texts(&class.relname)?;
        self.change_relation_place(class, name, class.relnamespace)?;
        if class.relkind == 'i' {
            // A constraint and the index under it have one name.
            let constraint = self.constraint_of_index(class.oid);
            if let Some(constraint) = constraint {
                self.edit.change::<Constraint>(constraint, |row| row.conname = name.to_owned())?;
            }
        }
        self.write_texts(held)
    }

    fn constraint_of_index(&self, index: Oid) -> Option<Oid> {
        let table = self.edit.index(index)?.indrelid;
        let constraints = self.edit.constraints(table);
        let found =
            constraints.iter().find(|row| row.conindid == index && matches!(row.contype, 'p' | 'u' | 'x'));
        found.map(|row| row.oid)
    }

    /// Gives a relation a name and a schema: its row, its row type, and what holds it in the file.
    fn change_relation_place(&mut self, class: &Class, name: &str, schema: Oid) -> Result<()> {
        self.lock_relation(class.oid, LockMode::AccessExclusive)?;
        let old = self.edit.physical_name(class.oid);
        if class.reltype.is_valid() {
            self.change_type_place(class.reltype, name, schema)?;
        }
        let row = self.edit.change::<Class>(class.oid, |row| {
            row.relname = name.to_owned();
            row.relnamespace = schema;
        })?;
        let Some(old) = old else { return Ok(()) };
        let new = physical_table_name(&self.schema_of(schema)?.nspname, &row);
        if *old == *new {
            return Ok(());
        }
        match class.relkind {
            'r' | 'm' => self.engine(&physical::rename_table_sql(&old, &new)),
            'i' => self.remake_index(class.oid, &old),
            _ => Ok(()),
        }
    }

    /// An index in the file cannot be renamed: it is made anew. One that is the row number is not there at all.
    fn remake_index(&mut self, index: Oid, old: &str) -> Result<()> {
        let there = "SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?1";
        let there = self.connection.query(there, &[old.into()]).map_err(crate::execute::engine_error)?;
        let (Some(row), false) = (self.edit.index(index), there.is_empty()) else { return Ok(()) };
        self.engine(&physical::drop_index_sql(old))?;
        match self.edit.class(row.indrelid) {
            Some(table) => self.make_index(&table, &row),
            None => Ok(()),
        }
    }

    /// Gives a type a name and a schema; the array over it follows.
    fn change_type_place(&mut self, ty: Oid, name: &str, schema: Oid) -> Result<()> {
        let Some(row) = self.edit.type_(ty) else { return Ok(()) };
        if (row.typname != name || row.typnamespace != schema) && self.edit.type_named(schema, name).is_some()
        {
            return Err(error!(DUPLICATE_OBJECT, "type \"{name}\" already exists"));
        }
        self.edit.change::<Type>(ty, |row| {
            row.typname = name.to_owned();
            row.typnamespace = schema;
        })?;
        if self.edit.type_(row.typarray).is_some() {
            let array = array_type_name(self.edit, name, schema);
            self.edit.change::<Type>(row.typarray, |row| {
                row.typname = array;
                row.typnamespace = schema;
            })?;
        }
        Ok(())
    }

    /// ALTER TABLE … RENAME COLUMN.
    pub(super) fn rename_column(&mut self, class: &Class, from: &str, to: &str) -> Result<()> {
        let column = self.edit.attribute_named(class.oid, from).filter(|column| !column.attisdropped);
        let column = column.ok_or_else(|| error!(UNDEFINED_COLUMN, "column \"{from}\" does not exist"))?;
        if column.attnum < 0 {
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot rename system column \"{from}\""));
        }
        if let Some(present) = self.edit.attribute_named(class.oid, to) {
            return Err(match present.attnum {
                ..0 => error!(DUPLICATE_COLUMN, "column name \"{to}\" conflicts with a system column name"),
                _ => error!(
                    DUPLICATE_COLUMN,
                    "column \"{to}\" of relation \"{}\" already exists", class.relname
                ),
            });
        }
        self.refuse_views(relations::PG_CLASS, class.oid, column.attnum.into())?;
        let held = self.hold_texts(from)?;
        self.edit.change::<Attribute>((class.oid, column.attnum), |column| column.attname = to.to_owned())?;
        for index in self.edit.indexes(class.oid).iter() {
            for (position, key) in index.indkey.iter().enumerate().filter(|(_, key)| **key == column.attnum) {
                let _ = key;
                let own = super::table::attnum(position)?;
                self.edit.change::<Attribute>((index.indexrelid, own), |key| key.attname = to.to_owned())?;
            }
        }
        if let (Some(physical), 'r' | 'm') = (self.edit.physical_name(class.oid), class.relkind) {
            self.engine(&physical::rename_column_sql(&physical, from, to))?;
        }
        self.write_texts(held)
    }

    pub(super) fn rename_constraint(&mut self, class: &Class, from: &str, to: &str) -> Result<()> {
        let constraint = self.edit.constraint_named(class.oid, from).ok_or_else(|| {
            error!(UNDEFINED_OBJECT, "constraint \"{from}\" for table \"{}\" does not exist", class.relname)
        })?;
        if matches!(constraint.contype, 'p' | 'u' | 'x')
            && let Some(index) = self.edit.class(constraint.conindid)
        {
            return self.rename_relation(&index, to);
        }
        if self.edit.constraint_named(class.oid, to).is_some() {
            return Err(error!(
                DUPLICATE_OBJECT,
                "constraint \"{to}\" for relation \"{}\" already exists", class.relname
            ));
        }
        self.edit.change::<Constraint>(constraint.oid, |row| row.conname = to.to_owned())?;
        Ok(())
    }

    /// The schema to which something is moved.
    fn new_schema(&self, name: &str) -> Result<Arc<Namespace>> {
        let schema = self.schema(name)?;
        self.require_schema_privilege(&schema, crate::catalog::privileges::Privileges::CREATE)?;
        match schema.oid {
            namespaces::PG_TOAST => {
                Err(error!(FEATURE_NOT_SUPPORTED, "cannot move objects into or out of TOAST schema"))
            }
            namespaces::PG_CATALOG => {
                Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied for schema pg_catalog"))
            }
            _ => Ok(schema),
        }
    }

    /// ALTER … SET SCHEMA of a relation; indexes and owned sequences go along.
    pub(super) fn move_relation(&mut self, class: &Arc<Class>, schema: &str) -> Result<()> {
        let schema = self.new_schema(schema)?;
        if schema.oid == class.relnamespace {
            return Ok(());
        }
        if class.relkind == 'S'
            && let Some(owner) = self.sequence_owner(class.oid)
            && let Some(table) = self.edit.class(owner.refobjid)
        {
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot move an owned sequence into another schema")
                .detail(format!(
                    "Sequence \"{}\" is linked to table \"{}\".",
                    class.relname, table.relname
                )));
        }
        self.refuse_views(relations::PG_CLASS, class.oid, 0)?;
        let mut moved = vec![class.clone()];
        let sequences = super::ownership::owned_sequences(self.edit, class.oid);
        let indexes = self.edit.indexes(class.oid);
        let parts = sequences.into_iter().chain(indexes.iter().map(|index| index.indexrelid));
        moved.extend(parts.filter_map(|oid| self.edit.class(oid)));
        for class in &moved {
            if self.edit.class_named(schema.oid, &class.relname).is_some() {
                return Err(error!(
                    DUPLICATE_TABLE,
                    "relation \"{}\" already exists in schema \"{}\"", class.relname, schema.nspname
                ));
            }
        }
        let mut held = Vec::new();
        for class in moved.iter().filter(|class| class.relkind != 'i') {
            held.extend(self.hold_texts(&class.relname)?);
        }
        for class in &moved {
            self.change_relation_place(class, &class.relname, schema.oid)?;
            self.move_dependency(
                ObjectAddress::new(relations::PG_CLASS, class.oid),
                class.relnamespace,
                schema.oid,
            )?;
        }
        for constraint in self.edit.constraints(class.oid).iter() {
            self.edit.change::<Constraint>(constraint.oid, |row| row.connamespace = schema.oid)?;
        }
        self.write_texts(held)
    }

    /// An object depends on another schema from now on.
    fn move_dependency(&mut self, address: ObjectAddress, from: Oid, to: Oid) -> Result<()> {
        let rows = self.edit.dependencies(address.class, address.object);
        for row in rows.iter().filter(|row| row.refclassid == relations::PG_NAMESPACE && row.refobjid == from)
        {
            self.edit.delete_row(&**row);
        }
        if address.class == relations::PG_CLASS
            && self.edit.class(address.object).is_some_and(|class| class.relkind == 'i')
        {
            return Ok(());
        }
        let schema = ObjectAddress::new(relations::PG_NAMESPACE, to);
        super::dependency::record(self.edit, address, schema, super::dependency::DependencyKind::Normal)
    }

    /// ALTER … OWNER TO of a relation.
    pub(super) fn change_relation_owner(&mut self, class: &Class, role: &RoleSpecification) -> Result<()> {
        let new_owner = self.role(role)?;
        if new_owner == class.relowner {
            return Ok(());
        }
        match class.relkind {
            'i' => {
                let message = format!("cannot change owner of index \"{}\"", class.relname);
                self.warning(SqlState::WRONG_OBJECT_TYPE, message);
                if let Some(last) = self.notices.last_mut() {
                    last.hint = Some("Change the ownership of the index's table, instead.".to_owned());
                }
                return Ok(());
            }
            'S' => {
                if let Some(owner) = self.sequence_owner(class.oid)
                    && let Some(table) = self.edit.class(owner.refobjid)
                {
                    return Err(error!(
                        FEATURE_NOT_SUPPORTED,
                        "cannot change owner of sequence \"{}\"", class.relname
                    )
                    .detail(format!(
                        "Sequence \"{}\" is linked to table \"{}\".",
                        class.relname, table.relname
                    )));
                }
            }
            _ => {}
        }
        self.check_new_owner(new_owner, Some(class.relnamespace))?;
        self.set_owner(relations::PG_CLASS, class.oid, new_owner)
    }

    /// ALTER of an object of any other kind.
    pub(super) fn alter_object(&mut self, statement: &AlterObject) -> Result<()> {
        let object = &statement.object;
        match (&statement.action, object.kind) {
            (ObjectAction::RenameTo(name), ObjectKind::Role) => self.rename_role(&object.name.name, name),
            (ObjectAction::RenameTo(name), ObjectKind::Schema) => self.rename_schema(&object.name.name, name),
            (ObjectAction::RenameTo(name), ObjectKind::Type | ObjectKind::Domain) => {
                let ty = self.altered_type(object)?;
                self.rename_type(&ty, name)
            }
            (ObjectAction::OwnerTo(role), kind) => self.alter_owner(object, kind, role),
            (ObjectAction::SetSchema(schema), ObjectKind::Type | ObjectKind::Domain) => {
                let ty = self.altered_type(object)?;
                self.move_type(&ty, schema)
            }
            (
                action,
                ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate,
            ) => self.alter_routine(object, action),
            (ObjectAction::SetSchema(schema), ObjectKind::Extension) => {
                self.move_extension(&object.name.name, schema)
            }
            (_, kind) => Err(SqlError::unsupported(kind.alter_tag())),
        }
    }

    fn alter_owner(
        &mut self,
        object: &ObjectReference,
        kind: ObjectKind,
        role: &RoleSpecification,
    ) -> Result<()> {
        let new_owner = self.role(role)?;
        let name = &object.name.name;
        let (class, oid, owner, schema) = match kind {
            ObjectKind::Schema => {
                let row = self.schema(name)?;
                (relations::PG_NAMESPACE, row.oid, row.nspowner, None)
            }
            ObjectKind::Type | ObjectKind::Domain => {
                let row = self.altered_type(object)?;
                (relations::PG_TYPE, row.oid, row.typowner, Some(row.typnamespace))
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
                let row = self.routine(kind, object)?;
                (relations::PG_PROC, row.oid, row.proowner, Some(row.pronamespace))
            }
            ObjectKind::Language => {
                let row = self.edit.language_named(name);
                let row =
                    row.ok_or_else(|| error!(UNDEFINED_OBJECT, "language \"{name}\" does not exist"))?;
                (relations::PG_LANGUAGE, row.oid, row.lanowner, None)
            }
            _ => return Err(SqlError::unsupported(format_args!("{} ... OWNER TO", kind.alter_tag()))),
        };
        let word = kind.words().to_ascii_lowercase();
        self.require_owner(owner, &word, name)?;
        self.check_new_owner(new_owner, schema)?;
        self.set_owner(class, oid, new_owner)
    }

    fn rename_schema(&mut self, from: &str, to: &str) -> Result<()> {
        let schema = self.schema(from)?;
        self.require_owner(schema.nspowner, "schema", from)?;
        if self.edit.namespace_named(to).is_some() {
            return Err(error!(DUPLICATE_SCHEMA, "schema \"{to}\" already exists"));
        }
        if to.starts_with("pg_") {
            return Err(error!(RESERVED_NAME, "unacceptable schema name \"{to}\"")
                .detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        let members: Vec<Arc<Class>> =
            self.edit.relation::<Class>().rows().filter(|class| class.relnamespace == schema.oid).collect();
        for class in &members {
            // PostgreSQL locks none of them; here their tables in the file are renamed.
            self.lock_relation(class.oid, LockMode::AccessExclusive)?;
            self.refuse_views(relations::PG_CLASS, class.oid, 0)?;
        }
        let held = self.hold_texts(from)?;
        let names: Vec<_> = members.iter().map(|class| self.edit.physical_name(class.oid)).collect();
        self.edit.change::<Namespace>(schema.oid, |row| row.nspname = to.to_owned())?;
        for (class, old) in members.iter().zip(names) {
            let (Some(old), Some(new)) = (old, self.edit.physical_name(class.oid)) else { continue };
            match class.relkind {
                _ if old == new => {}
                'r' | 'm' => self.engine(&physical::rename_table_sql(&old, &new))?,
                'i' => self.remake_index(class.oid, &old)?,
                _ => {}
            }
        }
        self.write_texts(held)
    }

    /// The type that ALTER TYPE or ALTER DOMAIN names, owned by the current role.
    fn altered_type(&self, object: &ObjectReference) -> Result<Arc<Type>> {
        self.own_type(&object.name, object.kind == ObjectKind::Domain)
    }

    pub(super) fn own_type(&self, name: &crate::parse::Name, domain: bool) -> Result<Arc<Type>> {
        let ty = self.find_type(name)?;
        let ty = ty.ok_or_else(|| error!(UNDEFINED_OBJECT, "type \"{}\" does not exist", dotted(name)))?;
        if domain && ty.typtype != 'd' {
            return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not a domain", dotted(name)));
        }
        self.require_owner(ty.typowner, "type", &ty.typname)?;
        if self.edit.class(ty.typrelid).is_some_and(|class| class.relkind != 'c') {
            return Err(error!(WRONG_OBJECT_TYPE, "{} is a table's row type", ty.typname)
                .hint("Use ALTER TABLE instead."));
        }
        if ty.typcategory == 'A' && ty.typelem.is_valid() {
            let element = self.edit.type_(ty.typelem).map_or(String::new(), |row| row.typname.clone());
            let name = format!("{element}[]");
            return Err(error!(WRONG_OBJECT_TYPE, "cannot alter array type {name}")
                .hint(format!("You can alter type {element}, which will alter the array type as well.")));
        }
        Ok(ty)
    }

    pub(super) fn rename_type(&mut self, ty: &Type, name: &str) -> Result<()> {
        if self.edit.type_named(ty.typnamespace, name).is_some() {
            return Err(error!(DUPLICATE_OBJECT, "type \"{name}\" already exists"));
        }
        self.place_type(ty, name, ty.typnamespace)
    }

    pub(super) fn move_type(&mut self, ty: &Type, schema: &str) -> Result<()> {
        let schema = self.new_schema(schema)?;
        if schema.oid == ty.typnamespace {
            return Ok(());
        }
        if self.edit.type_named(schema.oid, &ty.typname).is_some() {
            return Err(error!(
                DUPLICATE_OBJECT,
                "type \"{}\" already exists in schema \"{}\"", ty.typname, schema.nspname
            ));
        }
        let class = if ty.typrelid.is_valid() { relations::PG_CLASS } else { relations::PG_TYPE };
        let object = if ty.typrelid.is_valid() { ty.typrelid } else { ty.oid };
        self.move_dependency(ObjectAddress::new(class, object), ty.typnamespace, schema.oid)?;
        self.place_type(ty, &ty.typname, schema.oid)
    }

    fn place_type(&mut self, ty: &Type, name: &str, schema: Oid) -> Result<()> {
        self.refuse_views(relations::PG_TYPE, ty.oid, 0)?;
        let held = self.hold_texts(&ty.typname)?;
        match self.edit.class(ty.typrelid) {
            Some(class) => self.change_relation_place(&class, name, schema)?,
            None => self.change_type_place(ty.oid, name, schema)?,
        }
        self.write_texts(held)
    }

    fn alter_routine(&mut self, object: &ObjectReference, action: &ObjectAction) -> Result<()> {
        let function = self.routine(object.kind, object)?;
        self.require_owner(function.proowner, "function", &function.proname)?;
        self.refuse_views(relations::PG_PROC, function.oid, 0)?;
        let (name, schema) = match action {
            ObjectAction::RenameTo(name) => (name.clone(), function.pronamespace),
            ObjectAction::SetSchema(schema) => (function.proname.clone(), self.new_schema(schema)?.oid),
            ObjectAction::FunctionOptions(_) => return Err(SqlError::unsupported("ALTER FUNCTION options")),
            _ => return Err(SqlError::unsupported(object.kind.alter_tag())),
        };
        if (name.as_str(), schema) == (function.proname.as_str(), function.pronamespace) {
            return Ok(());
        }
        let same = |other: &Arc<Procedure>| {
            other.pronamespace == schema && other.proargtypes == function.proargtypes
        };
        if self.edit.functions_named(&name).iter().any(same) {
            let words = self.function_words(object);
            let arguments = words.find('(').map_or("()", |start| &words[start..]);
            let schema = self.schema_of(schema)?.nspname.clone();
            return Err(error!(
                DUPLICATE_FUNCTION,
                "function {name}{arguments} already exists in schema \"{schema}\""
            ));
        }
        let held = self.hold_texts(&function.proname)?;
        self.edit.change::<Procedure>(function.oid, |row| {
            row.proname = name;
            row.pronamespace = schema;
        })?;
        let address = ObjectAddress::new(relations::PG_PROC, function.oid);
        self.move_dependency(address, function.pronamespace, schema)?;
        self.write_texts(held)
    }

    /// ALTER EXTENSION … SET SCHEMA: its members are moved with it.
    fn move_extension(&mut self, name: &str, schema: &str) -> Result<()> {
        let extension = self.extension_named(name);
        let extension =
            extension.ok_or_else(|| error!(UNDEFINED_OBJECT, "extension \"{name}\" does not exist"))?;
        self.require_owner(extension.extowner, "extension", name)?;
        if !extension.extrelocatable {
            return Err(error!(FEATURE_NOT_SUPPORTED, "extension \"{name}\" does not support SET SCHEMA"));
        }
        let new = self.new_schema(schema)?;
        let old = extension.extnamespace;
        let members = self.edit.dependents(relations::PG_EXTENSION, extension.oid);
        for row in members.iter().filter(|row| row.deptype == 'e') {
            self.move_member(row.classid, row.objid, old, &new)?;
        }
        self.edit.change::<Extension>(extension.oid, |row| row.extnamespace = new.oid)?;
        self.move_dependency(ObjectAddress::new(relations::PG_EXTENSION, extension.oid), old, new.oid)
    }

    fn move_member(&mut self, class: Oid, object: Oid, from: Oid, to: &Namespace) -> Result<()> {
        match class {
            relations::PG_CLASS => match self.edit.class(object) {
                Some(class) if class.relnamespace == from && !is_system(&class) => {
                    self.move_relation(&class, &to.nspname)
                }
                _ => Ok(()),
            },
            relations::PG_TYPE => match self.edit.type_(object) {
                Some(ty) if ty.typnamespace == from && !ty.typrelid.is_valid() && ty.typcategory != 'A' => {
                    self.move_type(&ty, &to.nspname)
                }
                _ => Ok(()),
            },
            relations::PG_PROC => {
                let Some(function) = self.edit.function(object) else { return Ok(()) };
                let held = self.hold_texts(&function.proname)?;
                self.edit.change::<Procedure>(object, |row| row.pronamespace = to.oid)?;
                self.move_dependency(ObjectAddress::new(class, object), from, to.oid)?;
                self.write_texts(held)
            }
            relations::PG_OPERATOR => {
                self.edit.change::<Operator>(object, |row| row.oprnamespace = to.oid).map(drop)
            }
            _ => Err(SqlError::unsupported("moving such a member of an extension")),
        }
    }

    /// A qualified name for messages that PostgreSQL qualifies.
    pub(super) fn qualified_words(&self, class: &Class) -> String {
        let schema = self.edit.namespace(class.relnamespace);
        schema.map_or_else(|| class.relname.clone(), |schema| quoted_name(&schema.nspname, &class.relname))
    }
}
