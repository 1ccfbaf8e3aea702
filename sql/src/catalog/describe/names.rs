//! The names in kept expressions, as a session with another search path must write them.
//!
//! The catalog keeps an expression's text with the names that [`KEPT_SEARCH_PATH`] asks for: a schema before everything
//! that is neither in `pg_catalog` nor in `public`. Shown to a session, types (after `::`), functions (before a
//! parenthesis) and relations (in `regclass` constants) have a schema where its own path would not find them.

use super::Describe;
use super::pretty::{Token, tokens};
use crate::Oid;
use crate::catalog::{KEPT_SEARCH_PATH, Visible};
use crate::types::names::{quote_identifier, quote_literal};

/// What a name in an expression stands for, as far as its place tells.
#[derive(Clone, Copy)]
enum Place {
    Type,
    Function,
}

impl Describe<'_> {
    /// The text with names for this search path.
    pub(super) fn with_names(&self, text: &str) -> String {
        if *self.search_path == KEPT_SEARCH_PATH {
            return text.to_owned();
        }
        let tokens = tokens(text);
        let (mut result, mut copied, mut index) = (String::with_capacity(text.len()), 0, 0);
        while index < tokens.len() {
            let (length, name) = self.name_at(&tokens, index);
            if let Some(name) = name {
                result.push_str(&text[copied..tokens[index].start]);
                result.push_str(&name);
                copied = tokens[index + length - 1].end();
            }
            index += length;
        }
        result.push_str(&text[copied..]);
        result
    }

    /// How many tokens stand for one thing, and what to write in their place, if something else.
    fn name_at(&self, tokens: &[Token<'_>], index: usize) -> (usize, Option<String>) {
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
        if text(index).starts_with('\'') && text(index + 1) == "::" && text(index + 2) == "regclass" {
            return (1, self.relation_constant(text(index)));
        }
        if !tokens[index].is_word() {
            return (1, None);
        }
        let length = if text(index + 1) == "." { 3 } else { 1 };
        let place = match (index.checked_sub(1).map_or("", text), text(index + length)) {
            ("::", _) => Place::Type,
            (_, "(") => Place::Function,
            _ => return (length, None),
        };
        let (schema, name) = match length {
            3 => (Some(unquoted(text(index))), unquoted(text(index + 2))),
            _ => (None, unquoted(text(index))),
        };
        let found = match place {
            Place::Type => self.kept_type(schema.as_deref(), &name).map(|oid| self.type_name(oid)),
            Place::Function => {
                self.kept_function(schema.as_deref(), &name).and_then(|oid| self.function_name(oid))
            }
        };
        (length, found)
    }

    fn homes(&self, schema: Option<&str>) -> Vec<Oid> {
        match schema {
            Some(name) => self.catalog.namespace_named(name).map(|row| row.oid).into_iter().collect(),
            None => KEPT_SEARCH_PATH.to_vec(),
        }
    }

    /// A type of a user; the names of built-in ones are words of SQL that mean the same everywhere.
    fn kept_type(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        let found = self.homes(schema).into_iter().find_map(|home| self.catalog.type_named(home, name))?;
        (found.oid >= crate::oid::FIRST_NORMAL).then_some(found.oid)
    }

    /// A function of a user. Overloaded ones are told apart by their arguments, which are not looked at: they live
    /// in one schema nearly always.
    fn kept_function(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        let homes = self.homes(schema);
        let functions = self.catalog.functions_named(name);
        let first =
            homes.into_iter().find_map(|home| functions.iter().find(|row| row.pronamespace == home))?;
        (first.oid >= crate::oid::FIRST_NORMAL).then_some(first.oid)
    }

    /// `'s.r'` of `'s.r'::regclass`.
    fn relation_constant(&self, literal: &str) -> Option<String> {
        let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
        let parts = tokens(&inner);
        let (schema, name) = match parts.as_slice() {
            [name] => (None, unquoted(name.text)),
            [schema, dot, name] if dot.text == "." => (Some(unquoted(schema.text)), unquoted(name.text)),
            _ => return None,
        };
        let homes = self.homes(schema.as_deref());
        let class = homes.into_iter().find_map(|home| self.catalog.class_named(home, &name))?;
        let visible = self.catalog.is_visible(Visible::Class, class.oid, self.search_path) == Some(true);
        let name =
            if visible { quote_identifier(&class.relname) } else { self.qualified_relation_name(&class) };
        Some(quote_literal(&name))
    }
}

/// An identifier without its quotes.
fn unquoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_owned(),
    }
}
