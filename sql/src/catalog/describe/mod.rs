//! Objects as SQL text: what `pg_get_constraintdef`, `pg_get_indexdef`, `pg_get_functiondef` and their kin return, on
//! which psql's `\d`, pg_dump and the drivers' introspection rely to the letter.
//!
//! The catalog keeps expressions as the text of PostgreSQL's full form, in which every operator stands in parentheses;
//! [`pretty`] takes away those that its pretty form leaves out.
//!
//! Source: `src/backend/utils/adt/ruleutils.c`, `src/backend/catalog/objectaddress.c`.

mod constraint;
mod function;
mod index;
mod names;
mod object;
mod pretty;
mod trigger;
mod view;

pub use object::Identified;
pub use pretty::pretty;

use super::{Catalog, Class, OperatorClass, Visible};
use crate::Oid;
use crate::bound::TypeMod;
use crate::oid::types;
use crate::types::format_type;
use crate::types::names::quote_identifier;

/// Describes the objects of a catalog, with names as a session with this search path needs them.
#[derive(Clone, Copy)]
pub struct Describe<'a> {
    /// The catalog.
    pub catalog: &'a Catalog,
    /// `search_path` as schema OIDs in order, implicit `pg_catalog` included.
    pub search_path: &'a [Oid],
}

impl<'a> Describe<'a> {
    /// With names as this search path needs them.
    pub fn new(catalog: &'a Catalog, search_path: &'a [Oid]) -> Self {
        Self { catalog, search_path }
    }

    /// The same objects with a schema before every name.
    fn qualified(self) -> Self {
        Self { catalog: self.catalog, search_path: &[] }
    }

    /// A relation's name, with its schema if it would not be found without.
    pub fn relation_name(&self, oid: Oid) -> Option<String> {
        let class = self.catalog.class(oid)?;
        let visible = self.catalog.is_visible(Visible::Class, oid, self.search_path)?;
        Some(if visible { quote_identifier(&class.relname) } else { self.qualified_relation_name(&class) })
    }

    fn qualified_relation_name(&self, class: &Class) -> String {
        self.in_schema(class.relnamespace, &class.relname)
    }

    /// A name with the schema before it.
    fn in_schema(&self, namespace: Oid, name: &str) -> String {
        match self.catalog.namespace(namespace) {
            Some(schema) => format!("{}.{}", quote_identifier(&schema.nspname), quote_identifier(name)),
            None => quote_identifier(name),
        }
    }

    /// A name, with its schema if the object would not be found without.
    fn name_of(&self, kind: Visible, oid: Oid, namespace: Oid, name: &str) -> String {
        match self.catalog.is_visible(kind, oid, self.search_path) {
            Some(true) => quote_identifier(name),
            _ => self.in_schema(namespace, name),
        }
    }

    /// A type's name where no modifier is known: `character` then stands for itself, not for `character(1)`.
    fn type_name(&self, ty: Oid) -> String {
        match ty {
            types::BPCHAR => "character".to_owned(),
            types::_BPCHAR => "character[]".to_owned(),
            _ => format_type(TypeMod::plain(ty), self.catalog, self.search_path),
        }
    }

    fn collation_name(&self, oid: Oid) -> Option<String> {
        let row = self.catalog.collation(oid)?;
        Some(self.name_of(Visible::Collation, oid, row.collnamespace, &row.collname))
    }

    fn operator_class_name(&self, row: &OperatorClass) -> String {
        self.name_of(Visible::OperatorClass, row.oid, row.opcnamespace, &row.opcname)
    }

    /// An operator as an expression writes it: `=`, or `OPERATOR(s.=)` where it would not be found.
    fn operator_name(&self, oid: Oid) -> Option<String> {
        let row = self.catalog.operator(oid)?;
        Some(match self.catalog.is_visible(Visible::Operator, oid, self.search_path)? {
            true => row.oprname.clone(),
            false => {
                let schema = self.catalog.namespace(row.oprnamespace)?;
                format!("OPERATOR({}.{})", quote_identifier(&schema.nspname), row.oprname)
            }
        })
    }

    /// A function's name as a call writes it.
    fn function_name(&self, oid: Oid) -> Option<String> {
        let row = self.catalog.function(oid)?;
        Some(self.name_of(Visible::Function, oid, row.pronamespace, &row.proname))
    }

    /// The columns with these numbers, separated by commas.
    fn columns(&self, relation: Oid, attnums: &[i16]) -> String {
        let name = |attnum: &i16| {
            self.catalog.attribute(relation, *attnum).map(|row| quote_identifier(&row.attname))
        };
        attnums.iter().filter_map(name).collect::<Vec<_>>().join(", ")
    }

    /// The text of a kept expression (`pg_get_expr`).
    pub fn expression(&self, text: &str, pretty_form: bool) -> String {
        let text = self.with_names(text);
        if pretty_form { pretty(&text) } else { text }
    }
}

/// The members of a list of expressions (`pg_index.indexprs`, `pg_proc.proargdefaults`): split at the commas that are
/// not inside parentheses, brackets or quotes.
pub fn split_expressions(text: &str) -> Vec<&str> {
    let (mut members, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for token in pretty::tokens(text) {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                members.push(text[start..token.start].trim());
                start = token.start + 1;
            }
            _ => {}
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        members.push(last);
    }
    members
}

/// Whether an expression is a call of a function by its name, which needs no parentheses as an index's column.
fn looks_like_function(text: &str) -> bool {
    let tokens = pretty::tokens(text);
    let Some(open) = tokens.iter().position(|token| token.text == "(") else { return false };
    let named = open > 0 && tokens[..open].iter().all(|token| token.is_word() || token.text == ".");
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return named && index + 1 == tokens.len();
        }
    }
    false
}
