//! Objects of any kind: how they are named in DROP, COMMENT and ALTER … RENAME, OWNER and SET SCHEMA.

use super::{Name, Parameter, RoleSpecification, TypeName, Utility};
use crate::Result;
use crate::parse::parser::Parser;
use crate::parse::tokens::Kind;

/// Declares the kinds of objects with the words that name them in statements.
macro_rules! object_kinds {
    ($($kind:ident $words:literal),* $(,)?) => {
        /// A kind of object.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ObjectKind { $($kind),* }

        impl ObjectKind {
            /// The words of statements, in upper case: `MATERIALIZED VIEW`.
            pub fn words(self) -> &'static str {
                match self { $(Self::$kind => $words),* }
            }

            /// The tag of `DROP …`.
            pub fn drop_tag(self) -> &'static str {
                match self { $(Self::$kind => concat!("DROP ", $words)),* }
            }

            /// The tag of `ALTER …`.
            pub fn alter_tag(self) -> &'static str {
                match self { $(Self::$kind => concat!("ALTER ", $words)),* }
            }

            /// All kinds; a kind whose words begin with another's comes before it.
            const ALL: &'static [Self] = &[$(Self::$kind),*];
        }
    };
}

object_kinds! {
    AccessMethod "ACCESS METHOD",
    Aggregate "AGGREGATE",
    Cast "CAST",
    Collation "COLLATION",
    Column "COLUMN",
    Constraint "CONSTRAINT",
    Conversion "CONVERSION",
    Database "DATABASE",
    Domain "DOMAIN",
    EventTrigger "EVENT TRIGGER",
    Extension "EXTENSION",
    ForeignDataWrapper "FOREIGN DATA WRAPPER",
    ForeignTable "FOREIGN TABLE",
    Function "FUNCTION",
    Index "INDEX",
    Language "LANGUAGE",
    LargeObject "LARGE OBJECT",
    MaterializedView "MATERIALIZED VIEW",
    OperatorClass "OPERATOR CLASS",
    OperatorFamily "OPERATOR FAMILY",
    Operator "OPERATOR",
    Parameter "PARAMETER",
    Policy "POLICY",
    Procedure "PROCEDURE",
    Publication "PUBLICATION",
    Role "ROLE",
    Routine "ROUTINE",
    Rule "RULE",
    Schema "SCHEMA",
    Sequence "SEQUENCE",
    Server "SERVER",
    Statistics "STATISTICS",
    Subscription "SUBSCRIPTION",
    Table "TABLE",
    Tablespace "TABLESPACE",
    TextSearchConfiguration "TEXT SEARCH CONFIGURATION",
    TextSearchDictionary "TEXT SEARCH DICTIONARY",
    TextSearchParser "TEXT SEARCH PARSER",
    TextSearchTemplate "TEXT SEARCH TEMPLATE",
    Transform "TRANSFORM",
    Trigger "TRIGGER",
    Type "TYPE",
    UserMapping "USER MAPPING",
    View "VIEW",
}

/// An object, as a statement names it.
#[derive(Clone, Debug)]
pub struct ObjectReference {
    pub kind: ObjectKind,
    /// Of a column: the column's own name; its table is in `on`.
    pub name: Name,
    /// A function's parameters, when they are given. Empty for `f()`, and for an aggregate's `(*)`.
    pub parameters: Option<Vec<Parameter>>,
    /// The table (or, with `on_domain`, the domain) of a column, constraint, policy, rule or trigger.
    pub on: Option<Name>,
    pub on_domain: bool,
    /// The types of a cast or an operator's operands (`None` for NONE).
    pub types: Vec<Option<TypeName>>,
}

impl ObjectReference {
    fn plain(kind: ObjectKind, name: Name) -> Self {
        Self { kind, name, parameters: None, on: None, on_domain: false, types: Vec::new() }
    }
}

/// DROP of any kind but databases.
#[derive(Clone, Debug)]
pub struct DropObjects {
    pub kind: ObjectKind,
    pub objects: Vec<ObjectReference>,
    pub if_exists: bool,
    pub concurrently: bool,
    pub cascade: bool,
}

/// COMMENT ON object IS text.
#[derive(Clone, Debug)]
pub struct CommentOn {
    pub object: ObjectReference,
    pub comment: Option<String>,
}

/// ALTER … RENAME, OWNER TO, SET SCHEMA of what has no ALTER of its own in this module.
#[derive(Clone, Debug)]
pub struct AlterObject {
    pub object: ObjectReference,
    pub action: ObjectAction,
}

/// What ALTER does to any object.
#[derive(Clone, Debug)]
pub enum ObjectAction {
    RenameTo(String),
    OwnerTo(RoleSpecification),
    SetSchema(String),
    /// ALTER FUNCTION's options.
    FunctionOptions(Vec<super::FunctionOption>),
    /// Known to PostgreSQL only.
    Unsupported,
}

impl Parser<'_> {
    /// The words of an object's kind.
    fn object_kind(&mut self) -> Result<ObjectKind> {
        if self.at_any(&["user", "group"]) && self.word_ahead(1) != Some("mapping") {
            self.advance();
            return Ok(ObjectKind::Role);
        }
        for &kind in ObjectKind::ALL {
            let mut ahead = 0;
            let found = kind.words().split(' ').all(|word| {
                ahead += 1;
                self.word_ahead(ahead - 1).is_some_and(|given| given.eq_ignore_ascii_case(word))
            });
            if found {
                self.seek(self.index() + ahead);
                return Ok(kind);
            }
        }
        if self.at_words(&["procedural", "language"]) {
            self.advance();
            self.advance();
            return Ok(ObjectKind::Language);
        }
        self.fail()
    }

    /// A kind and a name.
    pub(super) fn object_reference(&mut self) -> Result<ObjectReference> {
        let kind = self.object_kind()?;
        self.reference_of(kind)
    }

    /// A name, as objects of a kind have it.
    pub(super) fn reference_of(&mut self, kind: ObjectKind) -> Result<ObjectReference> {
        use ObjectKind as K;
        match kind {
            K::Function | K::Procedure | K::Routine | K::Aggregate => {
                let name = self.routine_name()?;
                let parameters = if self.at_symbol("(") { Some(self.parameter_types()?) } else { None };
                Ok(ObjectReference { parameters, ..ObjectReference::plain(kind, name) })
            }
            K::Cast => {
                let position = self.place();
                self.expect_symbol("(")?;
                let source = self.type_name()?;
                self.expect("as")?;
                let target = self.type_name()?;
                self.expect_symbol(")")?;
                let name = Name { database: None, schema: None, name: String::new(), position };
                let types = vec![Some(source), Some(target)];
                Ok(ObjectReference { types, ..ObjectReference::plain(kind, name) })
            }
            K::Operator => self.operator_reference(),
            K::Policy | K::Rule | K::Trigger | K::Constraint => {
                let position = self.place();
                let name = Name { database: None, schema: None, name: self.simple_name()?, position };
                self.expect("on")?;
                let on_domain = kind == K::Constraint && self.accept("domain");
                let on = Some(self.name()?);
                Ok(ObjectReference { on, on_domain, ..ObjectReference::plain(kind, name) })
            }
            K::OperatorClass | K::OperatorFamily => {
                let name = self.name()?;
                self.expect("using")?;
                self.simple_name()?;
                Ok(ObjectReference::plain(kind, name))
            }
            K::Column => self.column_reference(),
            K::Type | K::Domain => {
                let position = self.place();
                let type_name = self.type_name()?;
                let name = self.name_of_type(&type_name, position);
                Ok(ObjectReference { types: vec![Some(type_name)], ..ObjectReference::plain(kind, name) })
            }
            K::Transform | K::UserMapping | K::LargeObject => self.unsupported(kind.words()),
            K::Role => {
                let position = self.place();
                let name = match self.role_specification()? {
                    RoleSpecification::Name { name, .. } => name,
                    RoleSpecification::Public => "public".to_owned(),
                    RoleSpecification::CurrentUser | RoleSpecification::CurrentRole => {
                        "current_user".to_owned()
                    }
                    RoleSpecification::SessionUser => "session_user".to_owned(),
                };
                Ok(ObjectReference::plain(kind, Name { database: None, schema: None, name, position }))
            }
            K::Parameter => {
                let position = self.place();
                let name = self.setting_name()?;
                Ok(ObjectReference::plain(kind, Name { database: None, schema: None, name, position }))
            }
            _ => Ok(ObjectReference::plain(kind, self.name()?)),
        }
    }

    /// A type's name as a plain name, words of the type grammar included.
    fn name_of_type(&self, type_name: &TypeName, position: usize) -> Name {
        if let sqlparser::ast::DataType::Custom(name, _) = &type_name.data_type {
            let mut parts: Vec<String> =
                name.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.clone())).collect();
            let last = parts.pop().unwrap_or_default();
            let schema = parts.pop();
            return Name { database: parts.pop(), schema, name: last, position };
        }
        Name { database: None, schema: None, name: type_name.text.to_ascii_lowercase(), position }
    }

    fn operator_reference(&mut self) -> Result<ObjectReference> {
        let position = self.place();
        let parts = self.any_operator()?;
        let name = self.name_of(parts, position)?;
        let types =
            self.parenthesized(
                |parser| {
                    if parser.accept("none") { Ok(None) } else { Ok(Some(parser.type_name()?)) }
                },
            )?;
        Ok(ObjectReference { types, ..ObjectReference::plain(ObjectKind::Operator, name) })
    }

    fn column_reference(&mut self) -> Result<ObjectReference> {
        let position = self.place();
        let mut parts = vec![self.simple_name()?];
        while self.accept_symbol(".") {
            parts.push(self.label()?.value);
        }
        let column = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            return Err(crate::error!(SYNTAX_ERROR, "column name must be qualified"));
        }
        let on = Some(self.name_of(parts, position)?);
        let name = Name { database: None, schema: None, name: column, position };
        Ok(ObjectReference { on, ..ObjectReference::plain(ObjectKind::Column, name) })
    }

    pub(super) fn drop_statement(&mut self) -> Result<Utility> {
        self.expect("drop")?;
        if self.at("database") {
            return self.drop_database();
        }
        if self.accept_words(&["owned", "by"]) {
            let roles = self.role_list()?;
            return Ok(Utility::DropOwned { roles, cascade: self.cascade() });
        }
        if self.at("constraint") || self.at("column") || self.at("parameter") {
            return self.fail();
        }
        let kind = self.object_kind()?;
        let concurrently = kind == ObjectKind::Index && self.accept("concurrently");
        let if_exists = self.if_exists();
        let objects = self.list(|parser| parser.reference_of(kind))?;
        let cascade = self.cascade();
        Ok(Utility::Drop(DropObjects { kind, objects, if_exists, concurrently, cascade }))
    }

    pub(super) fn comment_statement(&mut self) -> Result<Utility> {
        self.expect_words(&["comment", "on"])?;
        let object = self.object_reference()?;
        self.expect("is")?;
        let comment = match &self.token().kind {
            Kind::Text(_) => Some(self.string()?),
            _ => {
                self.expect("null")?;
                None
            }
        };
        Ok(Utility::Comment(CommentOn { object, comment }))
    }

    /// The name and action of an ALTER whose kind has been read.
    pub(super) fn alter_renamable(&mut self, kind: ObjectKind) -> Result<Utility> {
        let object = self.reference_of(kind)?;
        let action = if self.accept_words(&["rename", "to"]) {
            ObjectAction::RenameTo(self.simple_name()?)
        } else if self.accept_words(&["owner", "to"]) {
            ObjectAction::OwnerTo(self.role_specification()?)
        } else if self.accept_words(&["set", "schema"]) {
            ObjectAction::SetSchema(self.simple_name()?)
        } else if matches!(kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine) {
            let options = self.function_options()?;
            if options.is_empty() {
                return self.fail();
            }
            self.accept("restrict");
            ObjectAction::FunctionOptions(options)
        } else if matches!(kind, ObjectKind::Schema | ObjectKind::Role) || self.at_end() {
            return self.fail();
        } else {
            self.unknown_command(kind.alter_tag());
            ObjectAction::Unsupported
        };
        Ok(Utility::AlterObject(AlterObject { object, action }))
    }

    pub(super) fn alter_statement(&mut self) -> Result<Utility> {
        self.expect("alter")?;
        match self.word().unwrap_or_default() {
            "table" => self.alter_table(ObjectKind::Table),
            "index" => self.alter_table(ObjectKind::Index),
            "view" => self.alter_table(ObjectKind::View),
            "materialized" => self.alter_table(ObjectKind::MaterializedView),
            "foreign" if self.word_ahead(1) == Some("table") => self.alter_table(ObjectKind::ForeignTable),
            "sequence" => self.alter_sequence(),
            "database" => self.alter_database(),
            "system" => self.alter_system(),
            "role" | "user" | "group" if self.word_ahead(1) != Some("mapping") => self.alter_role(),
            "default" => self.alter_default_privileges(),
            "domain" => self.alter_domain(),
            "type" => self.alter_type(),
            "extension" => self.alter_extension(),
            _ => {
                let kind = self.object_kind()?;
                self.alter_renamable(kind)
            }
        }
    }
}
