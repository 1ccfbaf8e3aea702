//! CREATE and ALTER TYPE and DOMAIN.
//!
//! Source: `src/backend/commands/typecmds.c`, `src/backend/catalog/pg_enum.c`.

use std::sync::Arc;

use super::dependency::{DependencyKind, DropBehavior, ObjectAddress, record};
use super::naming::dotted;
use super::{CommandContext, new_rows};
use crate::bound::TypeMod;
use crate::catalog::{Attribute, Class, Constraint, EnumLabel, Namespace, Type};
use crate::locks::LockMode;
use crate::oid::relations;
use crate::parse::{
    AlterDomain, AlterDomainAction, AlterType, AlterTypeAction, ColumnConstraintKind, ColumnDefinition,
    CreateDomain, CreateType, CreateTypeKind, Expression, Name, TableConstraint, TableConstraintKind,
};
use crate::types::format_type;
use crate::types::names::quote_identifier;
use crate::types::text::NAME_LENGTH_MAX;
use crate::{ObjectNames, Oid, Result, SqlError, SqlState, error};

/// `enum_in`, `enum_out`, `enum_recv`, `enum_send`.
const ENUM_FUNCTIONS: [u32; 4] = [3506, 3507, 3532, 3533];
/// `domain_in`, `domain_recv`.
const DOMAIN_FUNCTIONS: [u32; 2] = [2597, 2598];
/// Bytes of an enum's value in PostgreSQL: an OID.
const ENUM_LENGTH: i16 = 4;

impl CommandContext<'_> {
    pub(super) fn create_type(&mut self, statement: &CreateType) -> Result<()> {
        match &statement.kind {
            CreateTypeKind::Enum(labels) => self.create_enum(&statement.name, labels),
            CreateTypeKind::Composite(columns) => self.create_composite(&statement.name, columns),
            CreateTypeKind::Range(_) => Err(SqlError::unsupported("CREATE TYPE AS RANGE")),
            CreateTypeKind::Base(_) => Err(SqlError::unsupported("CREATE TYPE of a base type")),
            CreateTypeKind::Shell => Err(SqlError::unsupported("CREATE TYPE of a shell type")),
        }
    }

    /// The schema of a new type.
    fn new_type_schema(&self, name: &Name) -> Result<Arc<Namespace>> {
        let schema = self.creation_schema(name)?;
        if self.edit.type_named(schema.oid, &name.name).is_some() {
            return Err(error!(DUPLICATE_OBJECT, "type \"{}\" already exists", name.name));
        }
        Ok(schema)
    }

    /// Inserts a type with the array over it.
    fn insert_type(&mut self, mut row: Type) -> Result<Arc<Type>> {
        let array = self.edit.allocate_oid();
        row.typarray = array;
        let schema = row.typnamespace;
        let array = new_rows::array_type(self.edit, array, &row);
        let row = self.edit.insert(row)?;
        let array = self.edit.insert(array)?;
        let address = ObjectAddress::new(relations::PG_TYPE, row.oid);
        let array = ObjectAddress::new(relations::PG_TYPE, array.oid);
        let schema = ObjectAddress::new(relations::PG_NAMESPACE, schema);
        record(self.edit, array, address, DependencyKind::Internal)?;
        record(self.edit, address, schema, DependencyKind::Normal)?;
        self.join_extension(address)?;
        Ok(row)
    }

    fn create_enum(&mut self, name: &Name, labels: &[String]) -> Result<()> {
        let schema = self.new_type_schema(name)?;
        let [input, output, receive, send] = ENUM_FUNCTIONS.map(Oid);
        let oid = self.edit.allocate_oid();
        let row = self.insert_type(Type {
            typlen: ENUM_LENGTH,
            typbyval: true,
            typtype: 'e',
            typcategory: 'E',
            typinput: input,
            typoutput: output,
            typreceive: receive,
            typsend: send,
            ..new_rows::blank_type(oid, &name.name, schema.oid, self.user)
        })?;
        let mut order = 0.0;
        for label in labels {
            order += 1.0;
            self.insert_label(row.oid, label, order)?;
        }
        Ok(())
    }

    fn insert_label(&mut self, ty: Oid, label: &str, order: f64) -> Result<()> {
        check_label(label)?;
        let oid = self.edit.allocate_oid();
        let row = EnumLabel { oid, enumtypid: ty, enumsortorder: order, enumlabel: label.to_owned() };
        self.edit.insert(row).map(drop)
    }

    fn create_composite(&mut self, name: &Name, columns: &[ColumnDefinition]) -> Result<()> {
        let schema = self.new_type_schema(name)?;
        let mut new = Vec::new();
        for column in columns {
            new.push(self.new_column(column, &mut Vec::new())?);
        }
        let class = self.insert_table(&name.name, &schema, new, 'c', &[])?;
        // Of a table the type is a part; here the relation is a part of the type.
        let relation = ObjectAddress::new(relations::PG_CLASS, class.oid);
        let ty = ObjectAddress::new(relations::PG_TYPE, class.reltype);
        let address = ObjectAddress::new(relations::PG_NAMESPACE, schema.oid);
        for row in self.edit.dependencies(ty.class, ty.object) {
            self.edit.delete_row(&*row);
        }
        for row in self.edit.dependencies(relation.class, relation.object) {
            if row.objsubid == 0 {
                self.edit.delete_row(&*row);
            }
        }
        record(self.edit, relation, ty, DependencyKind::Internal)?;
        record(self.edit, ty, address, DependencyKind::Normal)?;
        self.join_extension(ty)
    }

    pub(super) fn alter_type(&mut self, statement: &AlterType) -> Result<()> {
        use AlterTypeAction as A;
        let ty = self.own_type(&statement.name, false)?;
        match &statement.action {
            A::AddValue { value, if_not_exists, neighbor } => {
                self.add_label(&ty, value, *if_not_exists, neighbor.as_ref())
            }
            A::RenameValue { from, to } => self.rename_label(&ty, from, to),
            A::RenameTo(name) => self.rename_type(&ty, name),
            A::OwnerTo(role) => {
                let new_owner = self.role(role)?;
                self.check_new_owner(new_owner, Some(ty.typnamespace))?;
                self.set_owner(relations::PG_TYPE, ty.oid, new_owner)
            }
            A::SetSchema(schema) => self.move_type(&ty, schema),
            A::Set(_) => Err(SqlError::unsupported("ALTER TYPE ... SET")),
            attribute => {
                let class = self.edit.class(ty.typrelid).ok_or_else(|| {
                    error!(UNDEFINED_TABLE, "relation \"{}\" does not exist", dotted(&statement.name))
                })?;
                self.alter_attribute(&ty, &class, attribute)
            }
        }
    }

    fn require_enum(&self, ty: &Type) -> Result<()> {
        if ty.typtype == 'e' {
            return Ok(());
        }
        let name = format_type(TypeMod::plain(ty.oid), self.edit, &self.search_path);
        Err(error!(WRONG_OBJECT_TYPE, "{name} is not an enum"))
    }

    fn add_label(
        &mut self,
        ty: &Type,
        label: &str,
        if_not_exists: bool,
        neighbor: Option<&(String, bool)>,
    ) -> Result<()> {
        self.require_enum(ty)?;
        check_label(label)?;
        if self.edit.enum_label_named(ty.oid, label).is_some() {
            let message = format!("enum label \"{label}\" already exists");
            if !if_not_exists {
                return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
            }
            self.notice(SqlState::DUPLICATE_OBJECT, format!("{message}, skipping"));
            return Ok(());
        }
        let orders: Vec<f64> =
            self.edit.enum_labels(ty.oid).iter().map(|label| label.enumsortorder).collect();
        let place = match neighbor {
            None => None,
            Some((name, before)) => {
                let found = self.edit.enum_label_named(ty.oid, name);
                let found = found.ok_or_else(|| no_label(name))?;
                Some((found.enumsortorder, *before))
            }
        };
        let order = order_between(&orders, place)
            .ok_or_else(|| SqlError::unsupported("another label between two that are this close"))?;
        self.insert_label(ty.oid, label, order)
    }

    fn rename_label(&mut self, ty: &Type, from: &str, to: &str) -> Result<()> {
        self.require_enum(ty)?;
        check_label(to)?;
        let label = self.edit.enum_label_named(ty.oid, from).ok_or_else(|| no_label(from))?;
        if self.edit.enum_label_named(ty.oid, to).is_some() {
            return Err(error!(DUPLICATE_OBJECT, "enum label \"{to}\" already exists"));
        }
        let held = self.hold_texts(from)?;
        self.edit.change::<EnumLabel>(label.oid, |label| label.enumlabel = to.to_owned())?;
        self.write_texts(held)
    }

    /// ALTER TYPE … ATTRIBUTE of a composite type.
    fn alter_attribute(&mut self, ty: &Type, class: &Class, action: &AlterTypeAction) -> Result<()> {
        self.lock_relation(class.oid, LockMode::AccessExclusive)?;
        match action {
            AlterTypeAction::RenameAttribute { from, to, .. } => self.rename_column(class, from, to),
            AlterTypeAction::AddAttribute { attribute, .. } => {
                if self.edit.attribute_named(class.oid, &attribute.name).is_some() {
                    return Err(error!(
                        DUPLICATE_COLUMN,
                        "column \"{}\" of relation \"{}\" already exists", attribute.name, class.relname
                    ));
                }
                self.refuse_use(ty)?;
                let new = self.new_column(attribute, &mut Vec::new())?;
                let attnum = class.relnatts + 1;
                self.insert_column(class, attnum, new)?;
                self.edit.change::<Class>(class.oid, |class| class.relnatts = attnum).map(drop)
            }
            AlterTypeAction::DropAttribute { name, if_exists, cascade } => {
                let column = match self.live_column(class, name) {
                    Ok(column) => column,
                    Err(error) if *if_exists => {
                        let message = format!("{}, skipping", error.message());
                        self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                };
                self.refuse_use(ty)?;
                let behavior = if *cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
                self.drop_addresses(&[ObjectAddress::column(class.oid, column.attnum)], behavior)
            }
            AlterTypeAction::AlterAttribute { name, data_type, .. } => {
                let column = self.live_column(class, name)?;
                self.refuse_use(ty)?;
                let new = self.type_name(data_type)?;
                let row = new_rows::attribute(self.edit, class.oid, column.attnum, name, new);
                self.edit.update(row)?;
                self.depend_on_type(ObjectAddress::column(class.oid, column.attnum), new.oid)
            }
            _ => Err(SqlError::internal("not a change of an attribute")),
        }
    }

    /// Values of the type in tables would no longer fit.
    fn refuse_use(&self, ty: &Type) -> Result<()> {
        if let Some((class, column)) = self.columns_of(&[ty.oid, ty.typarray]).into_iter().next() {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "cannot alter type \"{}\" because column \"{}.{}\" uses it",
                ty.typname,
                class.relname,
                column.attname
            ));
        }
        Ok(())
    }

    /// The columns of tables that have one of these types.
    fn columns_of(&self, types: &[Oid]) -> Vec<(Arc<Class>, Arc<Attribute>)> {
        let rows = self.edit.relation::<Attribute>().rows();
        rows.filter(|column| types.contains(&column.atttypid) && !column.attisdropped && column.attnum > 0)
            .filter_map(|column| Some((self.edit.class(column.attrelid)?, column)))
            .filter(|(class, _)| matches!(class.relkind, 'r' | 'm'))
            .collect()
    }
}

/// Domains.
impl CommandContext<'_> {
    pub(super) fn create_domain(&mut self, statement: &CreateDomain) -> Result<()> {
        let schema = self.new_type_schema(&statement.name)?;
        let base = self.type_name(&statement.data_type)?;
        let base_row = self.edit.type_(base.oid).ok_or_else(|| SqlError::internal("an unknown type"))?;
        if base_row.typtype == 'p' {
            let name = format_type(base, self.edit, &self.search_path);
            return Err(error!(DATATYPE_MISMATCH, "\"{name}\" is not a valid base type for a domain"));
        }
        let collation = match &statement.collation {
            Some(_) if !base_row.typcollation.is_valid() => {
                let name = format_type(base, self.edit, &self.search_path);
                return Err(error!(DATATYPE_MISMATCH, "collations are not supported by type {name}"));
            }
            Some(name) => self.collation(name)?,
            None => base_row.typcollation,
        };
        let [input, receive] = DOMAIN_FUNCTIONS.map(Oid);
        let oid = self.edit.allocate_oid();
        let mut row = Type {
            oid,
            typname: statement.name.name.clone(),
            typnamespace: schema.oid,
            typowner: self.user,
            typtype: 'd',
            typispreferred: false,
            typrelid: Oid::INVALID,
            typsubscript: Oid::INVALID,
            typelem: Oid::INVALID,
            typinput: input,
            typreceive: receive,
            typmodin: Oid::INVALID,
            typmodout: Oid::INVALID,
            typnotnull: false,
            typbasetype: base.oid,
            typtypmod: base.modifier,
            typcollation: collation,
            typdefault: base_row.typdefault.clone(),
            typdefaultbin: base_row.typdefaultbin.clone(),
            typacl: None,
            ..(*base_row).clone()
        };
        let checks = self.domain_properties(&mut row, base, statement)?;
        let row = self.insert_type(row)?;
        self.depend_on_type(ObjectAddress::new(relations::PG_TYPE, row.oid), base.oid)?;
        for (name, check) in checks {
            self.insert_domain_check(&row, name.as_deref(), check, true)?;
        }
        Ok(())
    }

    /// NOT NULL and DEFAULT go into the type's row; the checks are given back.
    fn domain_properties<'s>(
        &self,
        row: &mut Type,
        base: TypeMod,
        statement: &'s CreateDomain,
    ) -> Result<Vec<(Option<String>, &'s Expression)>> {
        let (mut nullable, mut has_default, mut checks) = (None, false, Vec::new());
        for constraint in &statement.constraints {
            match &constraint.kind {
                ColumnConstraintKind::NotNull | ColumnConstraintKind::Null => {
                    let says = matches!(constraint.kind, ColumnConstraintKind::Null);
                    if nullable.is_some_and(|nullable| nullable != says) {
                        return Err(error!(SYNTAX_ERROR, "conflicting NULL/NOT NULL constraints"));
                    }
                    nullable = Some(says);
                    row.typnotnull = !says;
                }
                ColumnConstraintKind::Default(_) if has_default => {
                    return Err(error!(SYNTAX_ERROR, "multiple default expressions"));
                }
                ColumnConstraintKind::Default(default) => {
                    has_default = true;
                    let text = self.domain_default(base, default)?;
                    row.typdefault = Some(text.clone());
                    row.typdefaultbin = Some(text);
                }
                ColumnConstraintKind::Check(check) => checks.push((constraint.name.clone(), check)),
                ColumnConstraintKind::Unique { .. } => return Err(not_for_domains("unique")),
                ColumnConstraintKind::PrimaryKey { .. } => return Err(not_for_domains("primary key")),
                ColumnConstraintKind::References(_) => return Err(not_for_domains("foreign key")),
                ColumnConstraintKind::Generated(_) | ColumnConstraintKind::Identity { .. } => {
                    return Err(SqlError::unsupported("a generated domain"));
                }
            }
        }
        Ok(checks)
    }

    fn domain_default(&self, base: TypeMod, default: &Expression) -> Result<String> {
        let expr = self.binding(&self.text, |context| {
            crate::bind::bind_expression(&default.expr, None, Some(base), context)
        })?;
        crate::deparse::expression(&expr, self.edit, &crate::catalog::KEPT_SEARCH_PATH, None)
    }

    fn insert_domain_check(
        &mut self,
        domain: &Type,
        name: Option<&str>,
        check: &Expression,
        validated: bool,
    ) -> Result<Oid> {
        let base = TypeMod { oid: domain.typbasetype, modifier: domain.typtypmod };
        let expr =
            self.binding(&self.text, |context| crate::bind::bind_domain_check(&check.expr, base, context))?;
        let text = crate::deparse::expression(&expr, self.edit, &crate::catalog::KEPT_SEARCH_PATH, None)?;
        let constraints = self.edit.domain_constraints(domain.oid);
        let taken = |name: &str| constraints.iter().any(|row| row.conname == name);
        let name = match name {
            Some(name) if taken(name) => {
                return Err(error!(
                    DUPLICATE_OBJECT,
                    "constraint \"{name}\" for domain \"{}\" already exists", domain.typname
                ));
            }
            Some(name) => name.to_owned(),
            None => free_check_name(&domain.typname, &taken),
        };
        let oid = self.edit.allocate_oid();
        self.edit.insert(Constraint {
            oid,
            conname: name,
            connamespace: domain.typnamespace,
            contype: 'c',
            condeferrable: false,
            condeferred: false,
            convalidated: validated,
            conrelid: Oid::INVALID,
            contypid: domain.oid,
            conindid: Oid::INVALID,
            conparentid: Oid::INVALID,
            confrelid: Oid::INVALID,
            confupdtype: ' ',
            confdeltype: ' ',
            confmatchtype: ' ',
            conislocal: true,
            coninhcount: 0,
            connoinherit: false,
            conkey: None,
            confkey: None,
            conpfeqop: None,
            conppeqop: None,
            conffeqop: None,
            confdelsetcols: None,
            conexclop: None,
            conbin: Some(text),
        })?;
        let address = ObjectAddress::new(relations::PG_CONSTRAINT, oid);
        let ty = ObjectAddress::new(relations::PG_TYPE, domain.oid);
        record(self.edit, address, ty, DependencyKind::Automatic)?;
        for needed in super::references::of_expression(&expr) {
            record(self.edit, address, needed, DependencyKind::Normal)?;
        }
        Ok(oid)
    }

    pub(super) fn alter_domain(&mut self, statement: &AlterDomain) -> Result<()> {
        use AlterDomainAction as A;
        let domain = self.own_type(&statement.name, false)?;
        if domain.typtype != 'd' {
            let name = format_type(TypeMod::plain(domain.oid), self.edit, &self.search_path);
            return Err(error!(WRONG_OBJECT_TYPE, "{name} is not a domain"));
        }
        match &statement.action {
            A::SetDefault(default) => {
                let base = TypeMod { oid: domain.typbasetype, modifier: domain.typtypmod };
                let text = self.domain_default(base, default)?;
                self.keep_domain_default(domain.oid, Some(text))
            }
            A::DropDefault => self.keep_domain_default(domain.oid, None),
            A::SetNotNull => {
                for (class, column) in self.lock_columns_of_domain(domain.oid)? {
                    self.check_domain_nulls(&class, &column)?;
                }
                self.edit.change::<Type>(domain.oid, |row| row.typnotnull = true).map(drop)
            }
            A::DropNotNull => self.edit.change::<Type>(domain.oid, |row| row.typnotnull = false).map(drop),
            A::AddConstraint(constraint) => self.add_domain_constraint(&domain, constraint),
            A::DropConstraint { name, if_exists, cascade } => {
                let Some(constraint) = self.domain_constraint(&domain, name) else {
                    let message =
                        format!("constraint \"{name}\" of domain \"{}\" does not exist", domain.typname);
                    if !if_exists {
                        return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
                    }
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
                    return Ok(());
                };
                let behavior = if *cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
                self.drop_addresses(&[ObjectAddress::new(relations::PG_CONSTRAINT, constraint.oid)], behavior)
            }
            A::ValidateConstraint(name) => {
                let constraint = self.domain_constraint(&domain, name).ok_or_else(|| {
                    error!(
                        UNDEFINED_OBJECT,
                        "constraint \"{name}\" of domain \"{}\" does not exist", domain.typname
                    )
                })?;
                self.check_domain_values(&domain)?;
                self.edit.change::<Constraint>(constraint.oid, |row| row.convalidated = true).map(drop)
            }
            A::RenameConstraint { from, to } => self.rename_domain_constraint(&domain, from, to),
            A::RenameTo(name) => self.rename_type(&domain, name),
            A::OwnerTo(role) => {
                let new_owner = self.role(role)?;
                self.check_new_owner(new_owner, Some(domain.typnamespace))?;
                self.set_owner(relations::PG_TYPE, domain.oid, new_owner)
            }
            A::SetSchema(schema) => self.move_type(&domain, schema),
        }
    }

    fn keep_domain_default(&mut self, domain: Oid, text: Option<String>) -> Result<()> {
        self.edit
            .change::<Type>(domain, |row| {
                row.typdefault.clone_from(&text);
                row.typdefaultbin = text;
            })
            .map(drop)
    }

    fn domain_constraint(&self, domain: &Type, name: &str) -> Option<Arc<Constraint>> {
        self.edit.domain_constraints(domain.oid).iter().find(|row| row.conname == name).cloned()
    }

    fn add_domain_constraint(&mut self, domain: &Type, constraint: &TableConstraint) -> Result<()> {
        let check = match &constraint.kind {
            TableConstraintKind::Check(check) => check,
            TableConstraintKind::Unique { .. } => return Err(not_for_domains("unique")),
            TableConstraintKind::PrimaryKey { .. } => return Err(not_for_domains("primary key")),
            TableConstraintKind::ForeignKey { .. } => return Err(not_for_domains("foreign key")),
            TableConstraintKind::Exclude { .. } => return Err(not_for_domains("exclusion")),
        };
        let validated = !constraint.timing.not_valid;
        self.insert_domain_check(domain, constraint.name.as_deref(), check, validated)?;
        if validated { self.check_domain_values(domain) } else { Ok(()) }
    }

    fn rename_domain_constraint(&mut self, domain: &Type, from: &str, to: &str) -> Result<()> {
        let name = || format_type(TypeMod::plain(domain.oid), self.edit, &self.search_path);
        let constraint = self.domain_constraint(domain, from).ok_or_else(|| {
            error!(UNDEFINED_OBJECT, "constraint \"{from}\" for domain {} does not exist", name())
        })?;
        if self.domain_constraint(domain, to).is_some() {
            return Err(error!(DUPLICATE_OBJECT, "constraint \"{to}\" for domain {} already exists", name()));
        }
        self.edit.change::<Constraint>(constraint.oid, |row| row.conname = to.to_owned()).map(drop)
    }

    fn check_domain_nulls(&mut self, class: &Class, column: &Attribute) -> Result<()> {
        self.check_no_nulls(class, column).map_err(|error| {
            let message =
                format!("column \"{}\" of table \"{}\" contains null values", column.attname, class.relname);
            if error.code() != SqlState::NOT_NULL_VIOLATION {
                return error;
            }
            SqlError::new(SqlState::NOT_NULL_VIOLATION, message).concerning(ObjectNames {
                column: Some(column.attname.clone()),
                ..self.concerning(class, None, None)
            })
        })
    }

    /// The columns of tables that have a domain, or a domain over it, with the tables locked against those who write: what
    /// others have written and not committed would not be seen, and stay (`get_rels_with_domain`).
    fn lock_columns_of_domain(&self, domain: Oid) -> Result<Vec<(Arc<Class>, Arc<Attribute>)>> {
        let mut domains = vec![domain];
        let mut next = 0;
        while let Some(below) = domains.get(next).copied() {
            let over = self.edit.relation::<Type>().rows();
            domains.extend(over.filter(|ty| ty.typtype == 'd' && ty.typbasetype == below).map(|ty| ty.oid));
            next += 1;
        }
        let columns = self.columns_of(&domains);
        columns.iter().try_for_each(|(class, _)| self.lock_relation(class.oid, LockMode::Share))?;
        Ok(columns)
    }

    /// Converts all values of a domain in tables to it again: its checks speak.
    fn check_domain_values(&mut self, domain: &Type) -> Result<()> {
        let schema = self.schema_of(domain.typnamespace)?;
        let name = super::naming::quoted_name(&schema.nspname, &domain.typname);
        let base = TypeMod { oid: domain.typbasetype, modifier: domain.typtypmod };
        // Without a search path the type is found wherever it is.
        let base = format_type(base, self.edit, &[]);
        for (class, column) in self.lock_columns_of_domain(domain.oid)? {
            let value = quote_identifier(&column.attname);
            let table = self.qualified(&class)?;
            let text = format!("SELECT count(({value}::{base})::{name}) FROM {table}");
            self.run_text(&text).map_err(|error| {
                if error.code() != SqlState::CHECK_VIOLATION {
                    return error;
                }
                let message = format!(
                    "column \"{}\" of table \"{}\" contains values that violate the new constraint",
                    column.attname, class.relname
                );
                let names = self.concerning(&class, Some(&column.attname), None);
                SqlError::new(SqlState::CHECK_VIOLATION, message).concerning(names)
            })?;
        }
        Ok(())
    }
}

fn not_for_domains(kind: &str) -> SqlError {
    error!(SYNTAX_ERROR, "{kind} constraints not possible for domains")
}

fn no_label(label: &str) -> SqlError {
    error!(INVALID_PARAMETER_VALUE, "\"{label}\" is not an existing enum label")
}

fn check_label(label: &str) -> Result<()> {
    if label.len() > NAME_LENGTH_MAX {
        return Err(error!(INVALID_NAME, "invalid enum label \"{label}\"")
            .detail(format!("Labels must be {NAME_LENGTH_MAX} bytes or less.")));
    }
    Ok(())
}

fn free_check_name(domain: &str, taken: &dyn Fn(&str) -> bool) -> String {
    let mut number = 0;
    loop {
        let suffix = if number == 0 { String::new() } else { number.to_string() };
        let name = format!("{domain}_check{suffix}");
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// The order of a new label among these, which ascend: at the end, or (`place`) before or after one of them. Values are
/// kept by it, so those that exist must not move; nothing when two neighbours leave no room.
fn order_between(orders: &[f64], place: Option<(f64, bool)>) -> Option<f64> {
    let Some((neighbor, before)) = place else { return Some(orders.last().map_or(1.0, |last| last + 1.0)) };
    let index = orders.iter().position(|order| *order == neighbor)?;
    let (below, above) = if before {
        (index.checked_sub(1).and_then(|below| orders.get(below)), Some(&orders[index]))
    } else {
        (Some(&orders[index]), orders.get(index + 1))
    };
    match (below, above) {
        (Some(below), Some(above)) => {
            // PostgreSQL keeps four-byte floats: the catalog shows them.
            #[allow(clippy::cast_possible_truncation, reason = "rounded on purpose")]
            let middle = f64::from(((below + above) / 2.0) as f32);
            (middle > *below && middle < *above).then_some(middle)
        }
        (Some(below), None) => Some(below + 1.0),
        (None, Some(above)) => Some(above - 1.0),
        (None, None) => Some(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_find_room_between_others() {
        let orders = [1.0, 2.0, 3.0];
        assert_eq!(order_between(&[], None), Some(1.0));
        assert_eq!(order_between(&orders, None), Some(4.0));
        assert_eq!(order_between(&orders, Some((1.0, true))), Some(0.0));
        assert_eq!(order_between(&orders, Some((1.0, false))), Some(1.5));
        assert_eq!(order_between(&orders, Some((3.0, false))), Some(4.0));
        let close = f64::from(1.0_f32.next_up());
        assert_eq!(order_between(&[1.0, close], Some((1.0, false))), None);
    }
}
