//! Indexes: `pg_get_indexdef`.

use super::{Describe, looks_like_function, split_expressions};
use crate::Oid;
use crate::catalog::{AccessMethod, Class, Index, OperatorClass};
use crate::types::names::{quote_identifier, quote_literal};

/// Bits of `pg_index.indoption` (`src/include/catalog/pg_index.h`).
const DESCENDING: i16 = 1;
const NULLS_FIRST: i16 = 2;
/// The access method `btree`, the only one whose columns have an order.
const BTREE: Oid = Oid(403);

impl Describe<'_> {
    /// The command that makes an index; nothing when there is none of this OID.
    pub fn index(&self, index: Oid, pretty_form: bool) -> Option<String> {
        self.index_definition(index, pretty_form, None)
    }

    /// One column of an index by its position from 1: its name or expression. Nothing when there is no such index;
    /// empty when it has no such column.
    pub fn index_column(&self, index: Oid, position: i32, pretty_form: bool) -> Option<String> {
        let row = self.catalog.index(index)?;
        let position = usize::try_from(position).ok().and_then(|position| position.checked_sub(1));
        let columns = self.index_columns(&row, pretty_form);
        Some(position.and_then(|position| columns.into_iter().nth(position)).unwrap_or_default())
    }

    /// With the operators of an exclusion constraint, that constraint; else the command that makes the index.
    pub(super) fn index_definition(
        &self,
        index: Oid,
        pretty_form: bool,
        operators: Option<&[Oid]>,
    ) -> Option<String> {
        let row = self.catalog.index(index)?;
        let class = self.catalog.class(index)?;
        let table = self.catalog.class(row.indrelid)?;
        let method = self.catalog.get::<AccessMethod>(class.relam)?;
        let mut text = match operators {
            Some(_) => format!("EXCLUDE USING {} (", quote_identifier(&method.amname)),
            None => format!(
                "CREATE {}INDEX {} ON {}{} USING {} (",
                if row.indisunique { "UNIQUE " } else { "" },
                quote_identifier(&class.relname),
                if class.relkind == 'I' { "ONLY " } else { "" },
                if pretty_form {
                    self.relation_name(table.oid)?
                } else {
                    self.qualified_relation_name(&table)
                },
                quote_identifier(&method.amname),
            ),
        };
        let keys = usize::try_from(row.indnkeyatts).unwrap_or(0);
        let columns = self.index_columns(&row, pretty_form);
        let described = columns.iter().take(keys).enumerate().map(|(position, column)| {
            let operator = operators.and_then(|operators| self.operator_name(*operators.get(position)?));
            let with = operator.map_or_else(String::new, |operator| format!(" WITH {operator}"));
            format!("{column}{}{with}", self.index_column_options(&row, &class, position))
        });
        text.push_str(&described.collect::<Vec<_>>().join(", "));
        text.push(')');
        if columns.len() > keys {
            text.push_str(&format!(" INCLUDE ({})", columns[keys..].join(", ")));
        }
        self.index_clauses(&mut text, &row, &class, pretty_form, operators.is_some());
        Some(text)
    }

    /// What follows the columns.
    fn index_clauses(
        &self,
        text: &mut String,
        row: &Index,
        class: &Class,
        pretty_form: bool,
        constraint: bool,
    ) {
        if row.indnullsnotdistinct {
            text.push_str(" NULLS NOT DISTINCT");
        }
        if let Some(options) = &class.reloptions {
            text.push_str(&format!(" WITH ({})", relation_options(options)));
        }
        if let Some(predicate) = &row.indpred {
            let predicate = self.expression(predicate, pretty_form);
            let predicate = if constraint { format!("({predicate})") } else { predicate };
            text.push_str(&format!(" WHERE {predicate}"));
        }
    }

    /// The columns' names and expressions, included columns too.
    fn index_columns(&self, row: &Index, pretty_form: bool) -> Vec<String> {
        let mut expressions = split_expressions(row.indexprs.as_deref().unwrap_or_default()).into_iter();
        let mut column = |attnum: &i16| {
            if *attnum != 0 {
                return self.columns(row.indrelid, &[*attnum]);
            }
            let expression = self.expression(expressions.next().unwrap_or_default(), pretty_form);
            if looks_like_function(&expression) { expression } else { format!("({expression})") }
        };
        row.indkey.iter().map(&mut column).collect()
    }

    /// Collation, operator class and order of a column, where they are not what the column would have anyway.
    fn index_column_options(&self, row: &Index, class: &Class, position: usize) -> String {
        let mut text = String::new();
        let attnum = row.indkey[position];
        let column = match attnum {
            0 => i16::try_from(position + 1)
                .ok()
                .and_then(|position| self.catalog.attribute(class.oid, position)),
            attnum => self.catalog.attribute(row.indrelid, attnum),
        };
        let ty = column.as_ref().map_or(Oid::INVALID, |column| column.atttypid);
        let own = match (&column, attnum) {
            (_, 0) => self.catalog.type_(ty).map_or(Oid::INVALID, |row| row.typcollation),
            (column, _) => column.as_ref().map_or(Oid::INVALID, |column| column.attcollation),
        };
        let collation = row.indcollation.get(position).copied().unwrap_or_default();
        if collation.is_valid() && collation != own {
            text.push_str(&format!(" COLLATE {}", self.collation_name(collation).unwrap_or_default()));
        }
        if let Some(operators) =
            row.indclass.get(position).and_then(|oid| self.catalog.get::<OperatorClass>(*oid))
        {
            let default = self.catalog.default_operator_class(operators.opcmethod, ty);
            if default.is_none_or(|default| default.oid != operators.oid) {
                text.push_str(&format!(" {}", self.operator_class_name(&operators)));
            }
        }
        let option = row.indoption.get(position).copied().unwrap_or_default();
        if class.relam == BTREE {
            text.push_str(match (option & DESCENDING != 0, option & NULLS_FIRST != 0) {
                (false, false) => "",
                (false, true) => " NULLS FIRST",
                (true, true) => " DESC",
                (true, false) => " DESC NULLS LAST",
            });
        }
        text
    }
}

/// Storage parameters as SQL (`flatten_reloptions`): values are literals unless they are names.
fn relation_options(options: &[String]) -> String {
    let one = |option: &String| {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let plain = quote_identifier(value) == value;
        let value = if plain { value.to_owned() } else { quote_literal(value) };
        format!("{}={value}", quote_identifier(name))
    };
    options.iter().map(one).collect::<Vec<_>>().join(", ")
}
