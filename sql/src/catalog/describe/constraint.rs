//! Constraints: `pg_get_constraintdef`.

use super::Describe;
use crate::Oid;
use crate::catalog::Constraint;

impl Describe<'_> {
    /// A constraint as `ALTER TABLE … ADD` takes it, without its name; nothing when there is none of this OID.
    pub fn constraint(&self, oid: Oid, pretty_form: bool) -> Option<String> {
        let row = self.catalog.constraint(oid)?;
        let mut text = match row.contype {
            'c' => self.check(&row, pretty_form),
            'f' => self.foreign_key(&row),
            'p' | 'u' => self.key(&row),
            'x' => self.index_definition(
                row.conindid,
                pretty_form,
                Some(row.conexclop.as_deref().unwrap_or(&[])),
            )?,
            't' => "TRIGGER".to_owned(),
            _ => return None,
        };
        if row.condeferrable {
            text.push_str(" DEFERRABLE");
        }
        if row.condeferred {
            text.push_str(" INITIALLY DEFERRED");
        }
        if !row.convalidated {
            text.push_str(" NOT VALID");
        }
        Some(text)
    }

    fn check(&self, row: &Constraint, pretty_form: bool) -> String {
        let expression = self.expression(row.conbin.as_deref().unwrap_or_default(), pretty_form);
        format!("CHECK ({expression}){}", if row.connoinherit { " NO INHERIT" } else { "" })
    }

    fn key(&self, row: &Constraint) -> String {
        let index = self.catalog.index(row.conindid);
        let nulls = index.as_ref().is_some_and(|index| index.indnullsnotdistinct);
        let word = match row.contype {
            'p' => "PRIMARY KEY",
            _ if nulls => "UNIQUE NULLS NOT DISTINCT",
            _ => "UNIQUE",
        };
        let columns = row.conkey.as_deref().unwrap_or(&[]);
        let mut text = format!("{word} ({})", self.columns(row.conrelid, columns));
        let keys = index.as_ref().map_or(0, |index| usize::try_from(index.indnkeyatts).unwrap_or(0));
        if let Some(included) =
            index.as_ref().and_then(|index| index.indkey.get(keys..)).filter(|rest| !rest.is_empty())
        {
            text.push_str(&format!(" INCLUDE ({})", self.columns(row.conrelid, included)));
        }
        text
    }

    fn foreign_key(&self, row: &Constraint) -> String {
        let columns = self.columns(row.conrelid, row.conkey.as_deref().unwrap_or(&[]));
        let referenced = self.columns(row.confrelid, row.confkey.as_deref().unwrap_or(&[]));
        let table = self.relation_name(row.confrelid).unwrap_or_default();
        let mut text = format!("FOREIGN KEY ({columns}) REFERENCES {table}({referenced})");
        match row.confmatchtype {
            'f' => text.push_str(" MATCH FULL"),
            'p' => text.push_str(" MATCH PARTIAL"),
            _ => {}
        }
        if let Some(action) = action(row.confupdtype) {
            text.push_str(&format!(" ON UPDATE {action}"));
        }
        if let Some(action) = action(row.confdeltype) {
            text.push_str(&format!(" ON DELETE {action}"));
        }
        if let Some(set) = row.confdelsetcols.as_deref().filter(|columns| !columns.is_empty()) {
            text.push_str(&format!(" ({})", self.columns(row.conrelid, set)));
        }
        text
    }
}

/// A foreign key's action as SQL; `NO ACTION` is not written.
fn action(code: char) -> Option<&'static str> {
    match code {
        'r' => Some("RESTRICT"),
        'c' => Some("CASCADE"),
        'n' => Some("SET NULL"),
        'd' => Some("SET DEFAULT"),
        _ => None,
    }
}
