//! Triggers: `pg_get_triggerdef`.

use super::Describe;
use crate::Oid;
use crate::catalog::Trigger;
use crate::types::names::{quote_identifier, quote_literal};

/// Bits of `pg_trigger.tgtype` (`src/include/catalog/pg_trigger.h`).
const ROW: i16 = 1;
const BEFORE: i16 = 2;
const INSERT: i16 = 4;
const DELETE: i16 = 8;
const UPDATE: i16 = 16;
const TRUNCATE: i16 = 32;
const INSTEAD: i16 = 64;

impl Describe<'_> {
    /// The command that makes a trigger; nothing when there is none of this OID.
    pub fn trigger(&self, oid: Oid, pretty_form: bool) -> Option<String> {
        let row = self.catalog.get::<Trigger>(oid)?;
        let table = self.catalog.class(row.tgrelid)?;
        let table =
            if pretty_form { self.relation_name(table.oid)? } else { self.qualified_relation_name(&table) };
        let mut text = format!(
            "CREATE {}TRIGGER {} {} {} ON {table} ",
            if row.tgconstraint.is_valid() { "CONSTRAINT " } else { "" },
            quote_identifier(&row.tgname),
            timing(row.tgtype),
            self.events(&row),
        );
        self.transition_tables(&mut text, &row);
        text.push_str(if row.tgtype & ROW != 0 { "FOR EACH ROW " } else { "FOR EACH STATEMENT " });
        if let Some(condition) = &row.tgqual {
            text.push_str(&format!("WHEN ({}) ", self.expression(condition, pretty_form)));
        }
        let arguments =
            arguments(&row.tgargs).iter().map(|text| quote_literal(text)).collect::<Vec<_>>().join(", ");
        text.push_str(&format!("EXECUTE FUNCTION {}({arguments})", self.function_name(row.tgfoid)?));
        Some(text)
    }

    fn events(&self, row: &Trigger) -> String {
        let mut events = Vec::new();
        for (bit, word) in
            [(INSERT, "INSERT"), (DELETE, "DELETE"), (UPDATE, "UPDATE"), (TRUNCATE, "TRUNCATE")]
        {
            if row.tgtype & bit == 0 {
                continue;
            }
            let columns = if bit == UPDATE { self.columns(row.tgrelid, &row.tgattr) } else { String::new() };
            events.push(if columns.is_empty() { word.to_owned() } else { format!("{word} OF {columns}") });
        }
        events.join(" OR ")
    }

    /// Deferral and the tables of changed rows, each with a blank behind it.
    fn transition_tables(&self, text: &mut String, row: &Trigger) {
        if row.tgconstraint.is_valid() {
            if let Some(from) = self.relation_name(row.tgconstrrelid) {
                text.push_str(&format!("FROM {from} "));
            }
            text.push_str(if row.tgdeferrable { "DEFERRABLE " } else { "NOT DEFERRABLE " });
            text.push_str(if row.tginitdeferred { "INITIALLY DEFERRED " } else { "INITIALLY IMMEDIATE " });
        }
        let tables = [("OLD", &row.tgoldtable), ("NEW", &row.tgnewtable)];
        let named = tables.iter().filter_map(|(word, name)| Some((word, name.as_deref()?)));
        let named = named.map(|(word, name)| format!("{word} TABLE AS {} ", quote_identifier(name)));
        let named = named.collect::<String>();
        if !named.is_empty() {
            text.push_str(&format!("REFERENCING {named}"));
        }
    }
}

fn timing(kind: i16) -> &'static str {
    match kind {
        _ if kind & BEFORE != 0 => "BEFORE",
        _ if kind & INSTEAD != 0 => "INSTEAD OF",
        _ => "AFTER",
    }
}

/// The arguments in `tgargs`, a `bytea` in its text form: each ends with a zero byte.
fn arguments(kept: &str) -> Vec<String> {
    let digits = kept.strip_prefix("\\x").unwrap_or_default();
    let byte = |index: usize| u8::from_str_radix(digits.get(index..index + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map_while(byte).collect();
    String::from_utf8_lossy(&bytes).split_terminator('\0').map(str::to_owned).collect()
}
