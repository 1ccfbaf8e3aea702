//! CREATE and ALTER SEQUENCE, and the sequences of serial and identity columns.
//!
//! The catalog keeps what a sequence is; where it stands is kept by [`crate::cluster`]'s sequence service, outside
//! transactions. RESTART is told to it when the transaction commits.
//!
//! Source: `src/backend/commands/sequence.c`.

use std::sync::Arc;

use super::dependency::{DependencyKind, ObjectAddress, record};
use super::naming::{dotted, relation_word};
use super::table::attnum;
use super::{AtCommit, CommandContext, new_rows};
use crate::bound::TypeMod;
use crate::catalog::{Attribute, Class, Dependency, Namespace, Sequence, keys};
use crate::locks::LockMode;
use crate::oid::{relations, types};
use crate::parse::{AlterSequence, CreateSequence, Name, Persistence, SequenceOption, TypeName};
use crate::types::names::{quote_identifier, quote_literal};
use crate::{Oid, Result, SqlError, SqlState, error};

/// The columns of a sequence when it is read as a table.
const COLUMNS: [(&str, Oid); 3] =
    [("last_value", types::INT8), ("log_cnt", types::INT8), ("is_called", types::BOOL)];

/// What options make of a sequence's definition.
struct Definition {
    row: Sequence,
    /// The value that comes next, when RESTART or the creation says so.
    restart: Option<i64>,
    /// `OWNED BY`: a column, or nothing.
    owner: Option<Option<(Name, String)>>,
}

impl CommandContext<'_> {
    pub(super) fn create_sequence(&mut self, statement: &CreateSequence) -> Result<()> {
        if statement.persistence == Persistence::Temporary {
            return Err(SqlError::unsupported("CREATE TEMPORARY SEQUENCE"));
        }
        let Some(schema) = self.new_relation_schema(&statement.name, statement.if_not_exists)? else {
            return Ok(());
        };
        let definition = self.new_definition(&statement.options, None)?;
        let sequence = self.insert_sequence(&statement.name.name, &schema, definition.row, self.user)?;
        if let Some(value) = definition.restart {
            self.at_commit.push(AtCommit::ResetSequence { sequence: sequence.oid, value });
        }
        match definition.owner {
            Some(Some((table, column))) => self.set_sequence_owner(&sequence, &table, &column),
            _ => Ok(()),
        }
    }

    /// The sequence behind a serial column (or, when `internal`, an identity column): made, owned by the column, and
    /// the text of the default that draws from it.
    ///
    /// # Errors
    /// `22023` for options that contradict each other or the column's type.
    pub(super) fn create_owned_sequence(
        &mut self,
        class: &Class,
        column: &Attribute,
        options: &[SequenceOption],
        internal: bool,
    ) -> Result<String> {
        if !matches!(column.atttypid, types::INT2 | types::INT4 | types::INT8) {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "identity column type must be smallint, integer, or bigint"
            ));
        }
        let named = options.iter().find_map(|option| match option {
            SequenceOption::SequenceName(name) => Some(name),
            _ => None,
        });
        let name = match named {
            Some(name) => name.name.clone(),
            None => self.free_name(class, &class.relname, &column.attname, "seq"),
        };
        let schema = match named.and_then(|name| name.schema.as_deref()) {
            Some(schema) => self.schema(schema)?,
            None => self.schema_of(class.relnamespace)?,
        };
        let definition = self.new_definition(options, Some(column.atttypid))?;
        let sequence = self.insert_sequence(&name, &schema, definition.row, class.relowner)?;
        if let Some(value) = definition.restart {
            self.at_commit.push(AtCommit::ResetSequence { sequence: sequence.oid, value });
        }
        let kind = if internal { DependencyKind::Internal } else { DependencyKind::Automatic };
        let address = ObjectAddress::new(relations::PG_CLASS, sequence.oid);
        record(self.edit, address, ObjectAddress::column(class.oid, column.attnum), kind)?;
        Ok(self.next_value_text(&sequence))
    }

    /// `nextval('s'::regclass)`, the sequence named as stored texts need it.
    fn next_value_text(&self, sequence: &Class) -> String {
        let name = quote_identifier(&sequence.relname);
        let name = match self.edit.namespace(sequence.relnamespace) {
            Some(schema) if schema.oid != crate::oid::namespaces::PUBLIC => {
                format!("{}.{name}", quote_identifier(&schema.nspname))
            }
            _ => name,
        };
        format!("nextval({}::regclass)", quote_literal(&name))
    }

    pub(super) fn schema_of(&self, oid: Oid) -> Result<Arc<Namespace>> {
        self.edit.namespace(oid).ok_or_else(|| SqlError::internal("a relation in a schema that is not there"))
    }

    /// The definition of a new sequence. Columns fix its type.
    fn new_definition(&self, options: &[SequenceOption], column_type: Option<Oid>) -> Result<Definition> {
        super::refuse_repeated(options)?;
        let ty = match named_type(options) {
            Some(name) => self.sequence_type(name)?,
            None => column_type.unwrap_or(types::INT8),
        };
        let blank = Sequence {
            seqrelid: Oid::INVALID,
            seqtypid: ty,
            seqstart: 1,
            seqincrement: 1,
            seqmax: 0,
            seqmin: 0,
            seqcache: 1,
            seqcycle: false,
        };
        self.with_options(blank, options, None)
    }

    fn sequence_type(&self, name: &TypeName) -> Result<Oid> {
        let ty = self.type_name(name)?.oid;
        if matches!(ty, types::INT2 | types::INT4 | types::INT8) {
            return Ok(ty);
        }
        Err(error!(INVALID_PARAMETER_VALUE, "sequence type must be smallint, integer, or bigint"))
    }

    /// A definition changed by options. `last_value` is where a sequence that exists already stands.
    fn with_options(
        &self,
        mut row: Sequence,
        options: &[SequenceOption],
        last_value: Option<i64>,
    ) -> Result<Definition> {
        let (mut start, mut restart, mut owner) = (None, None, None);
        let (mut max, mut min) = (None, None);
        let is_new = last_value.is_none();
        for option in options {
            match option {
                SequenceOption::As(name) if !is_new => {
                    let old = row.seqtypid;
                    row.seqtypid = self.sequence_type(name)?;
                    // Bounds that were the old type's become the new one's.
                    if row.seqmax == limits(old).1 {
                        max = max.or(Some(Some(limits(row.seqtypid).1)));
                    }
                    if row.seqmin == limits(old).0 {
                        min = min.or(Some(Some(limits(row.seqtypid).0)));
                    }
                }
                SequenceOption::Increment(0) => {
                    return Err(error!(INVALID_PARAMETER_VALUE, "INCREMENT must not be zero"));
                }
                SequenceOption::Increment(by) => row.seqincrement = *by,
                SequenceOption::MinValue(value) => min = Some(*value),
                SequenceOption::MaxValue(value) => max = Some(*value),
                SequenceOption::Start(value) => start = Some(*value),
                SequenceOption::Restart(value) => restart = Some(*value),
                SequenceOption::Cache(values) => row.seqcache = *values,
                SequenceOption::Cycle(cycle) => row.seqcycle = *cycle,
                SequenceOption::OwnedBy(column) => owner = Some(column.clone()),
                SequenceOption::As(_) | SequenceOption::SequenceName(_) => {}
            }
        }
        set_bounds(&mut row, min, max, is_new)?;
        if let Some(start) = start {
            row.seqstart = start;
        } else if is_new {
            row.seqstart = if row.seqincrement > 0 { row.seqmin } else { row.seqmax };
        }
        let restart = restart.map(|value| value.unwrap_or(row.seqstart));
        check_position(&row, restart.or(last_value).unwrap_or(row.seqstart))?;
        if row.seqcache <= 0 {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "CACHE ({}) must be greater than zero", row.seqcache
            ));
        }
        let restart = restart.filter(|value| !is_new || *value != row.seqstart);
        Ok(Definition { row, restart, owner })
    }

    fn insert_sequence(
        &mut self,
        name: &str,
        schema: &Namespace,
        definition: Sequence,
        owner: Oid,
    ) -> Result<Arc<Class>> {
        let oid = self.edit.allocate_oid();
        self.statement.session.services.begin_sequence(oid)?;
        let mut class = new_rows::class(oid, name, schema.oid, owner, 'S');
        class.relnatts = attnum(COLUMNS.len())? - 1;
        class.reltuples = 1.0;
        let class = self.edit.insert(class)?;
        for (index, (column, ty)) in COLUMNS.into_iter().enumerate() {
            let mut row = new_rows::attribute(self.edit, oid, attnum(index)?, column, TypeMod::plain(ty));
            row.attnotnull = true;
            self.edit.insert(row)?;
        }
        self.edit.insert(Sequence { seqrelid: oid, ..definition })?;
        let address = ObjectAddress::new(relations::PG_CLASS, oid);
        let schema = ObjectAddress::new(relations::PG_NAMESPACE, schema.oid);
        record(self.edit, address, schema, DependencyKind::Normal)?;
        self.join_extension(address)?;
        Ok(class)
    }

    pub(super) fn alter_sequence(&mut self, statement: &AlterSequence) -> Result<()> {
        let Some(class) = self.find_relation(&statement.name)? else {
            let message = format!("relation \"{}\" does not exist", dotted(&statement.name));
            if !statement.if_exists {
                return Err(SqlError::new(SqlState::UNDEFINED_TABLE, message));
            }
            self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
            return Ok(());
        };
        if class.relkind != 'S' {
            return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not a sequence", class.relname));
        }
        self.require_relation_owner(&class)?;
        self.change_sequence(&class, &statement.options)
    }

    /// Changes a sequence's definition, and where it goes on.
    ///
    /// # Errors
    /// `22023`; `0A000` to give an identity column's sequence to another column.
    pub(super) fn change_sequence(&mut self, class: &Class, options: &[SequenceOption]) -> Result<()> {
        super::refuse_repeated(options)?;
        let row = self.edit.sequence(class.oid);
        let row = row.ok_or_else(|| SqlError::internal("a sequence without a definition"))?;
        let last_value = match self.statement.session.services.restarted_position(class.oid) {
            Some((restarted, _)) => restarted,
            None => self.cluster.database(self.database)?.sequences.read(&row)?.0,
        };
        let definition = self.with_options((*row).clone(), options, Some(last_value))?;
        self.edit.update(definition.row)?;
        if let Some(value) = definition.restart {
            self.at_commit.push(AtCommit::ResetSequence { sequence: class.oid, value });
        }
        match definition.owner {
            None => Ok(()),
            Some(owner) => {
                self.refuse_identity(class)?;
                self.forget_sequence_owner(class.oid);
                match owner {
                    Some((table, column)) => self.set_sequence_owner(class, &table, &column),
                    None => Ok(()),
                }
            }
        }
    }

    /// Lets a sequence begin anew, as TRUNCATE … RESTART IDENTITY does.
    pub(super) fn restart_sequence(&mut self, sequence: Oid) -> Result<()> {
        self.lock_relation(sequence, LockMode::AccessExclusive)?;
        if let Some(row) = self.edit.sequence(sequence) {
            self.at_commit.push(AtCommit::ResetSequence { sequence, value: row.seqstart });
        }
        Ok(())
    }

    /// The dependency of a sequence on the column that owns it.
    pub(super) fn sequence_owner(&self, sequence: Oid) -> Option<Arc<Dependency>> {
        let parts = [relations::PG_CLASS.into(), sequence.into()];
        let rows = self.edit.relation::<Dependency>().find(keys::pg_depend_depender_index, &parts);
        rows.into_iter().find(|row| {
            row.refclassid == relations::PG_CLASS && row.refobjsubid > 0 && matches!(row.deptype, 'a' | 'i')
        })
    }

    /// # Errors
    /// `0A000` when the sequence is an identity column's.
    pub(super) fn refuse_identity(&self, class: &Class) -> Result<()> {
        let Some(owner) = self.sequence_owner(class.oid).filter(|row| row.deptype == 'i') else {
            return Ok(());
        };
        let table = self.edit.class(owner.refobjid).map_or(String::new(), |table| table.relname.clone());
        Err(error!(FEATURE_NOT_SUPPORTED, "cannot change ownership of identity sequence")
            .detail(format!("Sequence \"{}\" is linked to table \"{table}\".", class.relname)))
    }

    fn forget_sequence_owner(&mut self, sequence: Oid) {
        if let Some(row) = self.sequence_owner(sequence) {
            self.edit.delete_row(&*row);
        }
    }

    fn set_sequence_owner(&mut self, sequence: &Class, table: &Name, column: &str) -> Result<()> {
        if table.name.is_empty() {
            return Err(error!(SYNTAX_ERROR, "invalid OWNED BY option")
                .hint("Specify OWNED BY table.column or OWNED BY NONE."));
        }
        let table = self.relation(table)?;
        self.lock_relation(table.oid, LockMode::AccessShare)?;
        if !matches!(table.relkind, 'r' | 'p' | 'v' | 'f') {
            return Err(error!(
                WRONG_OBJECT_TYPE,
                "sequence cannot be owned by relation \"{}\"", table.relname
            )
            .detail(not_supported_for(table.relkind)));
        }
        if table.relowner != sequence.relowner {
            return Err(error!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "sequence must have same owner as table it is linked to"
            ));
        }
        if table.relnamespace != sequence.relnamespace {
            return Err(error!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "sequence must be in same schema as table it is linked to"
            ));
        }
        let column = self.live_column(&table, column)?;
        let address = ObjectAddress::new(relations::PG_CLASS, sequence.oid);
        let column = ObjectAddress::column(table.oid, column.attnum);
        record(self.edit, address, column, DependencyKind::Automatic)
    }

    /// The column of this name of a relation.
    ///
    /// # Errors
    /// `42703`.
    pub(super) fn live_column(&self, class: &Class, name: &str) -> Result<Arc<Attribute>> {
        let found = self.edit.attribute_named(class.oid, name).filter(|column| !column.attisdropped);
        found.ok_or_else(|| {
            error!(UNDEFINED_COLUMN, "column \"{name}\" of relation \"{}\" does not exist", class.relname)
        })
    }
}

/// DETAIL for an operation that relations of a kind do not know.
pub(super) fn not_supported_for(kind: char) -> String {
    let plural = match kind {
        'c' => "composite types".to_owned(),
        'i' => "indexes".to_owned(),
        kind => format!("{}s", relation_word(kind)),
    };
    format!("This operation is not supported for {plural}.")
}

fn named_type(options: &[SequenceOption]) -> Option<&TypeName> {
    options.iter().find_map(|option| match option {
        SequenceOption::As(name) => Some(name),
        _ => None,
    })
}

/// The least and the greatest value of a sequence's type.
fn limits(ty: Oid) -> (i64, i64) {
    match ty {
        types::INT2 => (i16::MIN.into(), i16::MAX.into()),
        types::INT4 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

/// Sets and checks the bounds. Outer absence: not said; inner absence: NO MINVALUE, NO MAXVALUE.
fn set_bounds(
    row: &mut Sequence,
    min: Option<Option<i64>>,
    max: Option<Option<i64>>,
    is_new: bool,
) -> Result<()> {
    let (least, greatest) = limits(row.seqtypid);
    let ascending = row.seqincrement > 0;
    let name = match row.seqtypid {
        types::INT2 => "smallint",
        types::INT4 => "integer",
        _ => "bigint",
    };
    if max.is_some() || is_new {
        row.seqmax = max.flatten().unwrap_or(if ascending { greatest } else { -1 });
    }
    if !(least..=greatest).contains(&row.seqmax) {
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "MAXVALUE ({}) is out of range for sequence data type {name}", row.seqmax
        ));
    }
    if min.is_some() || is_new {
        row.seqmin = min.flatten().unwrap_or(if ascending { 1 } else { least });
    }
    if !(least..=greatest).contains(&row.seqmin) {
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "MINVALUE ({}) is out of range for sequence data type {name}", row.seqmin
        ));
    }
    if row.seqmin >= row.seqmax {
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "MINVALUE ({}) must be less than MAXVALUE ({})", row.seqmin, row.seqmax
        ));
    }
    Ok(())
}

/// Start and present position must lie within the bounds.
fn check_position(row: &Sequence, position: i64) -> Result<()> {
    for (word, value) in [("START", row.seqstart), ("RESTART", position)] {
        if value < row.seqmin {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "{word} value ({value}) cannot be less than MINVALUE ({})", row.seqmin
            ));
        }
        if value > row.seqmax {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "{word} value ({value}) cannot be greater than MAXVALUE ({})", row.seqmax
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    fn blank(ty: Oid, increment: i64) -> Sequence {
        Sequence {
            seqrelid: Oid::INVALID,
            seqtypid: ty,
            seqstart: 1,
            seqincrement: increment,
            seqmax: 0,
            seqmin: 0,
            seqcache: 1,
            seqcycle: false,
        }
    }

    #[test]
    fn bounds_follow_type_and_direction() {
        let mut up = blank(types::INT2, 1);
        set_bounds(&mut up, None, None, true).unwrap();
        assert_eq!((up.seqmin, up.seqmax), (1, 32767));
        let mut down = blank(types::INT8, -1);
        set_bounds(&mut down, None, None, true).unwrap();
        assert_eq!((down.seqmin, down.seqmax), (i64::MIN, -1));
        let wide = set_bounds(&mut blank(types::INT2, 1), None, Some(Some(100_000)), true).unwrap_err();
        assert_eq!(wide.message(), "MAXVALUE (100000) is out of range for sequence data type smallint");
        let equal = set_bounds(&mut blank(types::INT8, 1), Some(Some(5)), Some(Some(5)), true).unwrap_err();
        assert_eq!(equal.message(), "MINVALUE (5) must be less than MAXVALUE (5)");
    }

    #[test]
    fn positions_lie_within_the_bounds() {
        let row = Sequence { seqmin: 1, seqmax: 5, ..blank(types::INT8, 1) };
        assert!(check_position(&row, 5).is_ok());
        let error = check_position(&row, 9).unwrap_err();
        assert_eq!(error.message(), "RESTART value (9) cannot be greater than MAXVALUE (5)");
    }
}
