//! Any object of the catalog in words: `pg_describe_object`, which the messages about dependencies use too, and
//! `pg_identify_object`.

use super::Describe;
use crate::Oid;
use crate::catalog::{
    AccessMethod, AttributeDefault, Cast, Class, Conversion, Extension, Operator, OperatorClass,
    OperatorFamily, Procedure, Rewrite, SearchConfiguration, SearchDictionary, SearchParser, SearchTemplate,
    Tablespace, Trigger, Visible,
};
use crate::oid::relations;
use crate::types::names::quote_identifier;

/// An object as `pg_identify_object` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// `table`, `function`, …
    pub kind: String,
    /// Its schema, if it has one that is not part of another object's name.
    pub schema: Option<String>,
    /// Its name, if name and schema identify it.
    pub name: Option<String>,
    /// What identifies it, fully qualified.
    pub identity: String,
}

impl Describe<'_> {
    /// The object in words (`table s.t`, `column a of table t`); nothing when it does not exist.
    pub fn object(&self, class: Oid, object: Oid, sub_object: i32) -> Option<String> {
        Some(match class {
            relations::PG_CLASS => self.relation_words(object, sub_object)?,
            relations::PG_PROC => format!("function {}", self.signature(object)?),
            relations::PG_TYPE => {
                format!("type {}", self.catalog.type_(object).map(|_| self.type_name(object))?)
            }
            relations::PG_CAST => {
                let row = self.catalog.get::<Cast>(object)?;
                format!("cast from {} to {}", self.type_name(row.castsource), self.type_name(row.casttarget))
            }
            relations::PG_COLLATION => format!("collation {}", self.collation_name(object)?),
            relations::PG_CONSTRAINT => self.constraint_words(object)?,
            relations::PG_CONVERSION => {
                let row = self.catalog.get::<Conversion>(object)?;
                let name = self.name_of(Visible::Conversion, object, row.connamespace, &row.conname);
                format!("conversion {name}")
            }
            relations::PG_ATTRDEF => {
                let row = self.catalog.get::<AttributeDefault>(object)?;
                format!("default value for {}", self.relation_words(row.adrelid, row.adnum.into())?)
            }
            relations::PG_OPERATOR => format!("operator {}", self.operator_signature(object)?),
            relations::PG_OPCLASS => {
                let row = self.catalog.get::<OperatorClass>(object)?;
                let method = self.catalog.get::<AccessMethod>(row.opcmethod)?;
                format!(
                    "operator class {} for access method {}",
                    self.operator_class_name(&row),
                    method.amname
                )
            }
            relations::PG_OPFAMILY => {
                let row = self.catalog.get::<OperatorFamily>(object)?;
                let method = self.catalog.get::<AccessMethod>(row.opfmethod)?;
                let name = self.name_of(Visible::OperatorFamily, object, row.opfnamespace, &row.opfname);
                format!("operator family {name} for access method {}", method.amname)
            }
            relations::PG_REWRITE => {
                let row = self.catalog.get::<Rewrite>(object)?;
                format!("rule {} on {}", row.rulename, self.relation_words(row.ev_class, 0)?)
            }
            relations::PG_TRIGGER => {
                let row = self.catalog.get::<Trigger>(object)?;
                format!("trigger {} on {}", row.tgname, self.relation_words(row.tgrelid, 0)?)
            }
            _ => return self.plain_object(class, object),
        })
    }

    /// Objects that are known by a bare name.
    fn plain_object(&self, class: Oid, object: Oid) -> Option<String> {
        macro_rules! searched {
            ($words:literal, $row:ty, $kind:ident, $namespace:ident, $name:ident) => {{
                let row = self.catalog.get::<$row>(object)?;
                format!(
                    concat!($words, " {}"),
                    self.name_of(Visible::$kind, object, row.$namespace, &row.$name)
                )
            }};
        }
        Some(match class {
            relations::PG_NAMESPACE => format!("schema {}", self.catalog.namespace(object)?.nspname),
            relations::PG_AUTHID => format!("role {}", self.catalog.role(object)?.rolname),
            relations::PG_DATABASE => format!("database {}", self.catalog.database(object)?.datname),
            relations::PG_LANGUAGE => format!("language {}", self.catalog.language(object)?.lanname),
            relations::PG_EXTENSION => {
                format!("extension {}", self.catalog.get::<Extension>(object)?.extname)
            }
            relations::PG_AM => format!("access method {}", self.catalog.get::<AccessMethod>(object)?.amname),
            relations::PG_TABLESPACE => {
                format!("tablespace {}", self.catalog.get::<Tablespace>(object)?.spcname)
            }
            relations::PG_TS_CONFIG => searched!(
                "text search configuration",
                SearchConfiguration,
                SearchConfiguration,
                cfgnamespace,
                cfgname
            ),
            relations::PG_TS_DICT => {
                searched!(
                    "text search dictionary",
                    SearchDictionary,
                    SearchDictionary,
                    dictnamespace,
                    dictname
                )
            }
            relations::PG_TS_PARSER => {
                searched!("text search parser", SearchParser, SearchParser, prsnamespace, prsname)
            }
            relations::PG_TS_TEMPLATE => {
                searched!("text search template", SearchTemplate, SearchTemplate, tmplnamespace, tmplname)
            }
            _ => return None,
        })
    }

    fn relation_words(&self, oid: Oid, column: i32) -> Option<String> {
        let class = self.catalog.class(oid)?;
        let words = format!("{} {}", relation_kind(&class), self.relation_name(oid)?);
        if column == 0 {
            return Some(words);
        }
        let column = self.catalog.attribute(oid, i16::try_from(column).ok()?)?;
        Some(format!("column {} of {words}", column.attname))
    }

    fn constraint_words(&self, oid: Oid) -> Option<String> {
        let row = self.catalog.constraint(oid)?;
        Some(match self.relation_words(row.conrelid, 0) {
            Some(table) => format!("constraint {} on {table}", row.conname),
            None => format!("constraint {}", row.conname),
        })
    }

    /// A function with the types of its arguments (`regprocedure`).
    pub fn signature(&self, oid: Oid) -> Option<String> {
        let row = self.catalog.function(oid)?;
        let arguments = row.proargtypes.iter().map(|ty| self.type_name(*ty)).collect::<Vec<_>>().join(",");
        Some(format!("{}({arguments})", self.function_name(oid)?))
    }

    /// An operator with the types of its operands (`regoperator`).
    pub fn operator_signature(&self, oid: Oid) -> Option<String> {
        let row = self.catalog.operator(oid)?;
        let operand = |ty: Oid| if ty.is_valid() { self.type_name(ty) } else { "NONE".to_owned() };
        let mut name = row.oprname.clone();
        if self.catalog.is_visible(Visible::Operator, oid, self.search_path) != Some(true) {
            let schema = self.catalog.namespace(row.oprnamespace)?;
            name = format!("{}.{name}", quote_identifier(&schema.nspname));
        }
        Some(format!("{name}({},{})", operand(row.oprleft), operand(row.oprright)))
    }

    /// The object by its kind and what identifies it; nothing when it does not exist.
    pub fn identify(&self, class: Oid, object: Oid, sub_object: i32) -> Option<Identified> {
        let plain = |kind: &str, name: &str| {
            let name = quote_identifier(name);
            Identified { kind: kind.into(), schema: None, name: Some(name.clone()), identity: name }
        };
        Some(match class {
            relations::PG_CLASS => self.identify_relation(object, sub_object)?,
            relations::PG_PROC => self.identify_function(&*self.catalog.function(object)?),
            relations::PG_TYPE => {
                let row = self.catalog.type_(object)?;
                let identity = self.qualified().type_name(object);
                self.identified("type", row.typnamespace, Some(&row.typname), identity)
            }
            relations::PG_NAMESPACE => plain("schema", &self.catalog.namespace(object)?.nspname),
            relations::PG_AUTHID => plain("role", &self.catalog.role(object)?.rolname),
            relations::PG_DATABASE => plain("database", &self.catalog.database(object)?.datname),
            relations::PG_LANGUAGE => plain("language", &self.catalog.language(object)?.lanname),
            relations::PG_EXTENSION => plain("extension", &self.catalog.get::<Extension>(object)?.extname),
            relations::PG_AM => plain("access method", &self.catalog.get::<AccessMethod>(object)?.amname),
            relations::PG_TABLESPACE => plain("tablespace", &self.catalog.get::<Tablespace>(object)?.spcname),
            relations::PG_OPERATOR => {
                let row = self.catalog.get::<Operator>(object)?;
                let identity = self.qualified().operator_signature(object)?;
                self.identified("operator", row.oprnamespace, None, identity)
            }
            relations::PG_COLLATION => {
                let row = self.catalog.collation(object)?;
                let identity = self.in_schema(row.collnamespace, &row.collname);
                self.identified("collation", row.collnamespace, Some(&row.collname), identity)
            }
            relations::PG_OPCLASS => {
                let row = self.catalog.get::<OperatorClass>(object)?;
                let method = self.catalog.get::<AccessMethod>(row.opcmethod)?;
                let name = self.in_schema(row.opcnamespace, &row.opcname);
                let identity = format!("{name} USING {}", quote_identifier(&method.amname));
                self.identified("operator class", row.opcnamespace, Some(&row.opcname), identity)
            }
            relations::PG_OPFAMILY => {
                let row = self.catalog.get::<OperatorFamily>(object)?;
                let method = self.catalog.get::<AccessMethod>(row.opfmethod)?;
                let name = self.in_schema(row.opfnamespace, &row.opfname);
                let identity = format!("{name} USING {}", quote_identifier(&method.amname));
                self.identified("operator family", row.opfnamespace, Some(&row.opfname), identity)
            }
            _ => return self.identify_part(class, object),
        })
    }

    /// Objects that are parts of others.
    fn identify_part(&self, class: Oid, object: Oid) -> Option<Identified> {
        let bare =
            |kind: &str, identity| Identified { kind: kind.into(), schema: None, name: None, identity };
        let on = |name: &str, relation: Oid| {
            let class = self.catalog.class(relation)?;
            Some(format!("{} on {}", quote_identifier(name), self.qualified_relation_name(&class)))
        };
        Some(match class {
            relations::PG_CAST => {
                let row = self.catalog.get::<Cast>(object)?;
                let all = self.qualified();
                bare(
                    "cast",
                    format!("({} AS {})", all.type_name(row.castsource), all.type_name(row.casttarget)),
                )
            }
            relations::PG_ATTRDEF => {
                let row = self.catalog.get::<AttributeDefault>(object)?;
                let column = self.identify_relation(row.adrelid, row.adnum.into())?;
                bare("default value", format!("for {}", column.identity))
            }
            relations::PG_CONSTRAINT => {
                let row = self.catalog.constraint(object)?;
                let (kind, identity) = match on(&row.conname, row.conrelid) {
                    Some(identity) => ("table constraint", identity),
                    None => {
                        let ty = self.qualified().type_name(row.contypid);
                        ("domain constraint", format!("{} on {ty}", quote_identifier(&row.conname)))
                    }
                };
                self.identified(kind, row.connamespace, None, identity)
            }
            relations::PG_REWRITE => {
                let row = self.catalog.get::<Rewrite>(object)?;
                bare("rule", on(&row.rulename, row.ev_class)?)
            }
            relations::PG_TRIGGER => {
                let row = self.catalog.get::<Trigger>(object)?;
                bare("trigger", on(&row.tgname, row.tgrelid)?)
            }
            _ => return None,
        })
    }

    fn identify_relation(&self, oid: Oid, column: i32) -> Option<Identified> {
        let class = self.catalog.class(oid)?;
        let kind = relation_kind(&class);
        let name = self.qualified_relation_name(&class);
        if column == 0 {
            return Some(self.identified(kind, class.relnamespace, Some(&class.relname), name));
        }
        let column = self.catalog.attribute(oid, i16::try_from(column).ok()?)?;
        let identity = format!("{name}.{}", quote_identifier(&column.attname));
        Some(self.identified(&format!("{kind} column"), class.relnamespace, Some(&class.relname), identity))
    }

    fn identify_function(&self, row: &Procedure) -> Identified {
        let kind = match row.prokind {
            'a' => "aggregate",
            'p' => "procedure",
            _ => "function",
        };
        let all = self.qualified();
        let arguments = row.proargtypes.iter().map(|ty| all.type_name(*ty)).collect::<Vec<_>>().join(",");
        let identity = format!("{}({arguments})", self.in_schema(row.pronamespace, &row.proname));
        self.identified(kind, row.pronamespace, None, identity)
    }

    fn identified(&self, kind: &str, namespace: Oid, name: Option<&str>, identity: String) -> Identified {
        let schema = self.catalog.namespace(namespace).map(|row| quote_identifier(&row.nspname));
        Identified { kind: kind.to_owned(), schema, name: name.map(quote_identifier), identity }
    }
}

/// What a relation is called in messages.
pub(super) fn relation_kind(class: &Class) -> &'static str {
    match class.relkind {
        'r' | 'p' => "table",
        'i' | 'I' => "index",
        'S' => "sequence",
        't' => "toast table",
        'v' => "view",
        'm' => "materialized view",
        'c' => "composite type",
        'f' => "foreign table",
        _ => "relation",
    }
}
