//! CREATE and ALTER TYPE and DOMAIN.

use super::{
    ColumnConstraint, ColumnDefinition, Definition, Expression, Name, RoleSpecification, TableConstraint,
    TypeName, Utility,
};
use crate::Result;
use crate::parse::parser::Parser;

/// CREATE TYPE.
#[derive(Clone, Debug)]
pub struct CreateType {
    pub name: Name,
    pub kind: CreateTypeKind,
}

/// What sort of type is made.
#[derive(Clone, Debug)]
pub enum CreateTypeKind {
    Enum(Vec<String>),
    Composite(Vec<ColumnDefinition>),
    Range(Vec<Definition>),
    Base(Vec<Definition>),
    Shell,
}

/// ALTER TYPE.
#[derive(Clone, Debug)]
pub struct AlterType {
    pub name: Name,
    pub action: AlterTypeAction,
}

/// What ALTER TYPE does.
#[derive(Clone, Debug)]
pub enum AlterTypeAction {
    /// `neighbor` is an existing label, before (true) or after which the new one goes.
    AddValue {
        value: String,
        if_not_exists: bool,
        neighbor: Option<(String, bool)>,
    },
    RenameValue {
        from: String,
        to: String,
    },
    RenameAttribute {
        from: String,
        to: String,
        cascade: bool,
    },
    AddAttribute {
        attribute: ColumnDefinition,
        cascade: bool,
    },
    DropAttribute {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    AlterAttribute {
        name: String,
        data_type: TypeName,
        cascade: bool,
    },
    RenameTo(String),
    OwnerTo(RoleSpecification),
    SetSchema(String),
    Set(Vec<Definition>),
}

/// CREATE DOMAIN.
#[derive(Clone, Debug)]
pub struct CreateDomain {
    pub name: Name,
    pub data_type: TypeName,
    pub collation: Option<Name>,
    pub constraints: Vec<ColumnConstraint>,
}

/// ALTER DOMAIN.
#[derive(Clone, Debug)]
pub struct AlterDomain {
    pub name: Name,
    pub action: AlterDomainAction,
}

/// What ALTER DOMAIN does.
#[derive(Clone, Debug)]
pub enum AlterDomainAction {
    SetDefault(Expression),
    DropDefault,
    SetNotNull,
    DropNotNull,
    AddConstraint(TableConstraint),
    DropConstraint { name: String, if_exists: bool, cascade: bool },
    ValidateConstraint(String),
    RenameConstraint { from: String, to: String },
    RenameTo(String),
    OwnerTo(RoleSpecification),
    SetSchema(String),
}

impl Parser<'_> {
    pub(super) fn create_type(&mut self) -> Result<Utility> {
        self.expect("type")?;
        let name = self.name()?;
        let kind = if self.at_end() {
            CreateTypeKind::Shell
        } else if self.accept("as") {
            if self.accept("enum") {
                self.expect_symbol("(")?;
                let labels = if self.at_symbol(")") { Vec::new() } else { self.list(Self::string)? };
                self.expect_symbol(")")?;
                CreateTypeKind::Enum(labels)
            } else if self.accept("range") {
                CreateTypeKind::Range(self.definitions()?)
            } else {
                self.expect_symbol("(")?;
                let attributes = if self.at_symbol(")") { Vec::new() } else { self.list(Self::attribute)? };
                self.expect_symbol(")")?;
                CreateTypeKind::Composite(attributes)
            }
        } else {
            CreateTypeKind::Base(self.definitions()?)
        };
        Ok(Utility::CreateType(CreateType { name, kind }))
    }

    /// A composite type's attribute: a column without constraints.
    fn attribute(&mut self) -> Result<ColumnDefinition> {
        let position = self.place();
        let name = self.simple_name()?;
        let data_type = Some(self.type_name()?);
        let collation = self.name_after("collate")?;
        Ok(ColumnDefinition {
            name,
            position,
            data_type,
            collation,
            compression: None,
            constraints: Vec::new(),
        })
    }

    pub(super) fn alter_type(&mut self) -> Result<Utility> {
        self.expect("type")?;
        let name = self.name()?;
        let action = if self.accept_words(&["add", "value"]) {
            self.add_value()?
        } else if self.accept_words(&["rename", "value"]) {
            let from = self.string()?;
            self.expect("to")?;
            AlterTypeAction::RenameValue { from, to: self.string()? }
        } else if self.accept_words(&["rename", "attribute"]) {
            let from = self.simple_name()?;
            self.expect("to")?;
            AlterTypeAction::RenameAttribute { from, to: self.simple_name()?, cascade: self.cascade() }
        } else if self.accept_words(&["rename", "to"]) {
            AlterTypeAction::RenameTo(self.simple_name()?)
        } else if self.accept_words(&["owner", "to"]) {
            AlterTypeAction::OwnerTo(self.role_specification()?)
        } else if self.accept_words(&["set", "schema"]) {
            AlterTypeAction::SetSchema(self.simple_name()?)
        } else if self.accept("set") {
            AlterTypeAction::Set(self.definitions()?)
        } else {
            self.attribute_action()?
        };
        if self.at_symbol(",") {
            return self.unsupported("ALTER TYPE with several actions");
        }
        Ok(Utility::AlterType(AlterType { name, action }))
    }

    fn add_value(&mut self) -> Result<AlterTypeAction> {
        let if_not_exists = self.if_not_exists();
        let value = self.string()?;
        let neighbor = if self.accept("before") {
            Some((self.string()?, true))
        } else if self.accept("after") {
            Some((self.string()?, false))
        } else {
            None
        };
        Ok(AlterTypeAction::AddValue { value, if_not_exists, neighbor })
    }

    fn attribute_action(&mut self) -> Result<AlterTypeAction> {
        if self.accept_words(&["add", "attribute"]) {
            return Ok(AlterTypeAction::AddAttribute {
                attribute: self.attribute()?,
                cascade: self.cascade(),
            });
        }
        if self.accept_words(&["drop", "attribute"]) {
            let if_exists = self.if_exists();
            return Ok(AlterTypeAction::DropAttribute {
                name: self.simple_name()?,
                if_exists,
                cascade: self.cascade(),
            });
        }
        self.expect_words(&["alter", "attribute"])?;
        let name = self.simple_name()?;
        self.accept_words(&["set", "data"]);
        self.expect("type")?;
        Ok(AlterTypeAction::AlterAttribute { name, data_type: self.type_name()?, cascade: self.cascade() })
    }

    pub(super) fn create_domain(&mut self) -> Result<Utility> {
        self.expect("domain")?;
        let name = self.name()?;
        self.accept("as");
        let data_type = self.type_name()?;
        let (collation, constraints) = self.column_constraints()?;
        Ok(Utility::CreateDomain(CreateDomain { name, data_type, collation, constraints }))
    }

    pub(super) fn alter_domain(&mut self) -> Result<Utility> {
        self.expect("domain")?;
        let name = self.name()?;
        let action = if self.accept_words(&["set", "default"]) {
            AlterDomainAction::SetDefault(self.expression_text()?)
        } else if self.accept_words(&["drop", "default"]) {
            AlterDomainAction::DropDefault
        } else if self.accept_words(&["set", "not", "null"]) {
            AlterDomainAction::SetNotNull
        } else if self.accept_words(&["drop", "not", "null"]) {
            AlterDomainAction::DropNotNull
        } else if self.accept_words(&["drop", "constraint"]) {
            let if_exists = self.if_exists();
            let name = self.simple_name()?;
            AlterDomainAction::DropConstraint { name, if_exists, cascade: self.cascade() }
        } else if self.accept("add") {
            AlterDomainAction::AddConstraint(self.table_constraint()?)
        } else if self.accept_words(&["validate", "constraint"]) {
            AlterDomainAction::ValidateConstraint(self.simple_name()?)
        } else if self.accept_words(&["rename", "constraint"]) {
            let from = self.simple_name()?;
            self.expect("to")?;
            AlterDomainAction::RenameConstraint { from, to: self.simple_name()? }
        } else if self.accept_words(&["rename", "to"]) {
            AlterDomainAction::RenameTo(self.simple_name()?)
        } else if self.accept_words(&["owner", "to"]) {
            AlterDomainAction::OwnerTo(self.role_specification()?)
        } else if self.accept_words(&["set", "schema"]) {
            AlterDomainAction::SetSchema(self.simple_name()?)
        } else {
            return self.fail();
        };
        Ok(Utility::AlterDomain(AlterDomain { name, action }))
    }
}
