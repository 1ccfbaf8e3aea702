//! Functions: `pg_get_functiondef`, `pg_get_function_arguments`, `…_identity_arguments`, `…_result`.

use super::{Describe, split_expressions};
use crate::catalog::{Aggregate, Procedure};
use crate::oid::languages;
use crate::types::names::{quote_identifier, quote_literal, split_qualified};
use crate::{Oid, Result, error};

/// Settings whose value is a list of names, each a literal of its own (`GUC_LIST_QUOTE`).
const NAME_LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];
/// What a function costs, and how many rows it returns, when nobody says.
const COST_INTERNAL: f64 = 1.0;
const COST_OTHER: f64 = 100.0;
const ROWS: f64 = 1000.0;

impl Describe<'_> {
    /// The command that makes a function or procedure; nothing when there is none of this OID.
    ///
    /// # Errors
    /// `42809` for aggregates.
    pub fn function(&self, oid: Oid) -> Result<Option<String>> {
        let Some(row) = self.catalog.function(oid) else { return Ok(None) };
        if row.prokind == 'a' {
            return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is an aggregate function", row.proname));
        }
        let word = if row.prokind == 'p' { "PROCEDURE" } else { "FUNCTION" };
        let mut text = format!(
            "CREATE OR REPLACE {word} {}({})\n",
            self.in_schema(row.pronamespace, &row.proname),
            self.arguments(&row, true),
        );
        if let Some(result) = self.result(&row) {
            text.push_str(&format!(" RETURNS {result}\n"));
        }
        let language = self.catalog.language(row.prolang).map(|row| quote_identifier(&row.lanname));
        text.push_str(&format!(" LANGUAGE {}\n", language.unwrap_or_default()));
        let attributes = self.attributes_of(&row);
        if !attributes.is_empty() {
            text.push_str(&format!("{attributes}\n"));
        }
        for setting in row.proconfig.iter().flatten() {
            text.push_str(&set_clause(setting));
        }
        text.push_str(&body(&row));
        Ok(Some(text))
    }

    /// A function's arguments with their defaults; nothing when there is no function of this OID.
    pub fn function_arguments(&self, oid: Oid) -> Option<String> {
        Some(self.arguments(&*self.catalog.function(oid)?, true))
    }

    /// A function's arguments as `ALTER` and `DROP` take them.
    pub fn function_identity_arguments(&self, oid: Oid) -> Option<String> {
        Some(self.arguments(&*self.catalog.function(oid)?, false))
    }

    /// What a function returns, as `RETURNS` takes it; nothing for procedures.
    pub fn function_result(&self, oid: Oid) -> Option<String> {
        self.result(&*self.catalog.function(oid)?)
    }

    /// A function's default for its argument at a position from 1, counting all arguments
    /// (`pg_get_function_arg_default`).
    pub fn function_argument_default(&self, oid: Oid, position: i32) -> Option<String> {
        let row = self.catalog.function(oid)?;
        let position = usize::try_from(position).ok()?.checked_sub(1)?;
        let modes = row.proargmodes.as_deref().unwrap_or(&[]);
        let is_input = |index: usize| modes.get(index).is_none_or(|mode| matches!(mode, 'i' | 'b' | 'v'));
        let total = row.proallargtypes.as_ref().map_or(row.proargtypes.len(), Vec::len);
        if position >= total || !is_input(position) {
            return None;
        }
        let input = (0..=position).filter(|index| is_input(*index)).count();
        let defaults = split_expressions(row.proargdefaults.as_deref().unwrap_or_default());
        let first = row.proargtypes.len() - defaults.len();
        defaults.get(input.checked_sub(first + 1)?).map(|text| (*text).to_owned())
    }

    /// The body of a function written as SQL statements (`pg_get_function_sqlbody`).
    pub fn function_sql_body(&self, oid: Oid) -> Option<String> {
        self.catalog.function(oid)?.prosqlbody.clone()
    }

    fn arguments(&self, row: &Procedure, with_defaults: bool) -> String {
        let types = row.proallargtypes.as_ref().unwrap_or(&row.proargtypes);
        let defaults = split_expressions(row.proargdefaults.as_deref().unwrap_or_default());
        let first_default = row.proargtypes.len().saturating_sub(defaults.len());
        let direct = self.catalog.get::<Aggregate>(row.oid).filter(|aggregate| aggregate.aggkind != 'n');
        let (mut text, mut inputs, mut printed) = (String::new(), 0, 0);
        for (index, ty) in types.iter().enumerate() {
            let mode = row.proargmodes.as_ref().map_or('i', |modes| modes[index]);
            let is_input = matches!(mode, 'i' | 'b' | 'v');
            inputs += usize::from(is_input);
            if mode == 't' {
                continue;
            }
            let direct =
                direct.as_ref().map(|aggregate| usize::try_from(aggregate.aggnumdirectargs).unwrap_or(0));
            match direct {
                Some(direct) if direct == printed => {
                    text.push_str(if printed == 0 { "ORDER BY " } else { " ORDER BY " })
                }
                _ if printed > 0 => text.push_str(", "),
                _ => {}
            }
            text.push_str(&self.argument(row, mode, index, *ty));
            if with_defaults && is_input && inputs > first_default {
                text.push_str(&format!(" DEFAULT {}", defaults[inputs - first_default - 1]));
            }
            printed += 1;
            // Variadic ordered arguments stand for the direct ones as well, and are written twice.
            let twice = direct == Some(printed) && index + 1 == types.len();
            if twice {
                text.push_str(&format!(" ORDER BY {}", self.argument(row, mode, index, *ty)));
            }
        }
        text
    }

    fn argument(&self, row: &Procedure, mode: char, index: usize, ty: Oid) -> String {
        let mode = match mode {
            'i' if row.prokind == 'p' => "IN ",
            'b' => "INOUT ",
            'o' => "OUT ",
            'v' => "VARIADIC ",
            _ => "",
        };
        let name =
            row.proargnames.as_ref().and_then(|names| names.get(index)).filter(|name| !name.is_empty());
        let name = name.map_or_else(String::new, |name| format!("{} ", quote_identifier(name)));
        format!("{mode}{name}{}", self.type_name(ty))
    }

    fn result(&self, row: &Procedure) -> Option<String> {
        if row.prokind == 'p' {
            return None;
        }
        let ty = self.type_name(row.prorettype);
        if !row.proretset {
            return Some(ty);
        }
        let modes = row.proargmodes.as_deref().unwrap_or(&[]);
        let types = row.proallargtypes.as_deref().unwrap_or(&[]);
        let columns = modes.iter().zip(types).enumerate().filter(|(_, (mode, _))| **mode == 't');
        let columns =
            columns.map(|(index, (mode, ty))| self.argument(row, *mode, index, *ty)).collect::<Vec<_>>();
        Some(if columns.is_empty() {
            format!("SETOF {ty}")
        } else {
            format!("TABLE({})", columns.join(", "))
        })
    }

    /// The line of a function's attributes that are not the usual ones, each after a blank.
    fn attributes_of(&self, row: &Procedure) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut say = |condition: bool, word: &str| {
            if condition {
                words.push(word.to_owned());
            }
        };
        say(row.prokind == 'w', "WINDOW");
        say(row.provolatile == 'i', "IMMUTABLE");
        say(row.provolatile == 's', "STABLE");
        say(row.proparallel == 's', "PARALLEL SAFE");
        say(row.proparallel == 'r', "PARALLEL RESTRICTED");
        say(row.proisstrict, "STRICT");
        say(row.prosecdef, "SECURITY DEFINER");
        say(row.proleakproof, "LEAKPROOF");
        let internal = row.prolang == languages::INTERNAL || row.prolang == languages::C;
        let usual = if internal { COST_INTERNAL } else { COST_OTHER };
        say(row.procost != usual, &format!("COST {}", row.procost));
        say(row.prorows > 0.0 && row.prorows != ROWS, &format!("ROWS {}", row.prorows));
        if let Some(support) = self.function_name(row.prosupport) {
            say(true, &format!("SUPPORT {support}"));
        }
        words.iter().map(|word| format!(" {word}")).collect()
    }
}

fn set_clause(setting: &str) -> String {
    let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
    let list = NAME_LISTS.binary_search(&name.to_ascii_lowercase().as_str()).is_ok();
    let value = match split_names(value).filter(|_| list) {
        Some(names) => names.iter().map(|name| quote_literal(name)).collect::<Vec<_>>().join(", "),
        None => quote_literal(value),
    };
    format!(" SET {} TO {value}\n", quote_identifier(name))
}

/// The names of a list such as `"$user", public`.
fn split_names(value: &str) -> Option<Vec<String>> {
    let one = |name: &str| split_qualified(name.trim()).map(|parts| parts.join("."));
    value.split(',').map(one).collect()
}

fn body(row: &Procedure) -> String {
    if let Some(statements) = &row.prosqlbody {
        return format!("{statements}\n");
    }
    let mut tag = if row.prokind == 'p' { "$procedure" } else { "$function" }.to_owned();
    while row.prosrc.contains(&tag) {
        tag.push('x');
    }
    let library =
        row.probin.as_ref().map_or_else(String::new, |library| format!("{}, ", quote_literal(library)));
    format!("AS {library}{tag}${}{tag}$\n", row.prosrc)
}
