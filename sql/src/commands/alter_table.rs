//! ALTER TABLE and its kin: which action may be done to which relation, in which order, and the actions on whole
//! tables and their constraints. Actions on columns are in `alter_column`, names and owners in `alter_object`.
//!
//! Source: `src/backend/commands/tablecmds.c`.

use std::sync::Arc;

use super::CommandContext;
use super::constraint::Wanted;
use super::dependency::{DropBehavior, ObjectAddress};
use super::existing_rows::no_constraint;
use super::naming::{dotted, is_system};
use super::sequence::not_supported_for;
use crate::catalog::{Class, Constraint, Index};
use crate::execute::{engine_error, physical};
use crate::locks::LockMode;
use crate::oid::relations;
use crate::parse::{AlterColumn, AlterTable, AlterTableAction, Definition, ObjectKind, TableConstraintKind};
use crate::{Oid, Report, Result, Severity, SqlError, SqlState, error};

/// The storage options of tables that are kept and shown; nothing here acts on them, as their effect in PostgreSQL is
/// on speed alone. Integers and fractions have bounds.
const TABLE_OPTIONS: &[(&str, OptionKind)] = &[
    ("fillfactor", OptionKind::Integer(10, 100)),
    ("toast_tuple_target", OptionKind::Integer(128, 8160)),
    ("parallel_workers", OptionKind::Integer(0, 1024)),
    ("autovacuum_enabled", OptionKind::Boolean),
    ("user_catalog_table", OptionKind::Boolean),
    ("vacuum_truncate", OptionKind::Boolean),
    ("autovacuum_vacuum_threshold", OptionKind::Integer(0, i32::MAX)),
    ("autovacuum_vacuum_insert_threshold", OptionKind::Integer(-1, i32::MAX)),
    ("autovacuum_analyze_threshold", OptionKind::Integer(0, i32::MAX)),
    ("autovacuum_vacuum_scale_factor", OptionKind::Fraction(0.0, 100.0)),
    ("autovacuum_vacuum_insert_scale_factor", OptionKind::Fraction(0.0, 100.0)),
    ("autovacuum_analyze_scale_factor", OptionKind::Fraction(0.0, 100.0)),
    ("autovacuum_vacuum_cost_delay", OptionKind::Fraction(0.0, 100.0)),
    ("autovacuum_vacuum_cost_limit", OptionKind::Integer(1, 10000)),
    ("autovacuum_freeze_min_age", OptionKind::Integer(0, 1_000_000_000)),
    ("autovacuum_freeze_max_age", OptionKind::Integer(100_000, 2_000_000_000)),
    ("autovacuum_freeze_table_age", OptionKind::Integer(0, 2_000_000_000)),
    ("autovacuum_multixact_freeze_min_age", OptionKind::Integer(0, 1_000_000_000)),
    ("autovacuum_multixact_freeze_max_age", OptionKind::Integer(10_000, 2_000_000_000)),
    ("autovacuum_multixact_freeze_table_age", OptionKind::Integer(0, 2_000_000_000)),
    ("log_autovacuum_min_duration", OptionKind::Integer(-1, i32::MAX)),
];

/// The same of btree indexes.
const INDEX_OPTIONS: &[(&str, OptionKind)] =
    &[("fillfactor", OptionKind::Integer(10, 100)), ("deduplicate_items", OptionKind::Boolean)];

/// The same of views.
pub(super) const VIEW_OPTIONS: &[(&str, OptionKind)] = &[
    ("security_barrier", OptionKind::Boolean),
    ("security_invoker", OptionKind::Boolean),
    ("check_option", OptionKind::Words(&["local", "cascaded"])),
];

/// What an option's value may be.
#[derive(Clone, Copy)]
pub(super) enum OptionKind {
    Boolean,
    Integer(i32, i32),
    Fraction(f64, f64),
    Words(&'static [&'static str]),
}

impl CommandContext<'_> {
    /// ALTER TABLE, INDEX, VIEW, MATERIALIZED VIEW, SEQUENCE.
    pub(super) fn alter_table(&mut self, statement: &AlterTable) -> Result<()> {
        let Some(class) = self.find_relation(&statement.name)? else {
            let message = format!("relation \"{}\" does not exist", dotted(&statement.name));
            if !statement.if_exists {
                return Err(SqlError::new(SqlState::UNDEFINED_TABLE, message));
            }
            self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
            return Ok(());
        };
        self.check_kind(statement, &class)?;
        self.require_relation_owner(&class)?;
        self.lock_referenced(&statement.actions)?;
        let mut actions: Vec<&AlterTableAction> = statement.actions.iter().collect();
        actions.sort_by_key(|action| pass(action));
        for action in &actions {
            check_applies(action, &class)?;
        }
        for action in actions {
            // Each action sees what those before it have made of the relation.
            let present = self.edit.class(class.oid);
            let present =
                present.ok_or_else(|| SqlError::internal("a relation has gone while it was altered"))?;
            self.alter_relation(&present, action)?;
        }
        Ok(())
    }

    fn check_kind(&self, statement: &AlterTable, class: &Class) -> Result<()> {
        if class.relkind == 'c' {
            return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is a composite type", class.relname)
                .hint("Use ALTER TYPE instead."));
        }
        let renames = matches!(statement.actions.as_slice(), [AlterTableAction::RenameTo(_)]);
        let (fits, words) = match statement.kind {
            ObjectKind::Index => (class.relkind == 'i' || renames, "an index"),
            ObjectKind::View => (class.relkind == 'v', "a view"),
            ObjectKind::MaterializedView => (class.relkind == 'm', "a materialized view"),
            ObjectKind::Sequence => (class.relkind == 'S', "a sequence"),
            ObjectKind::ForeignTable => (class.relkind == 'f', "a foreign table"),
            _ => (true, ""),
        };
        if fits {
            return Ok(());
        }
        Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not {words}", class.relname))
    }

    fn alter_relation(&mut self, class: &Arc<Class>, action: &AlterTableAction) -> Result<()> {
        use AlterTableAction as A;
        match action {
            A::AddColumn { column, if_not_exists } => self.add_column(class, column, *if_not_exists),
            A::DropColumn { name, if_exists, cascade } => self.drop_column(class, name, *if_exists, *cascade),
            A::AlterColumn { name, change, .. } => self.alter_column(class, name, change),
            A::AddConstraint(constraint) => self.add_table_constraint(class, Wanted::of_table(constraint)),
            A::DropConstraint { name, if_exists, cascade } => {
                self.drop_table_constraint(class, name, *if_exists, *cascade)
            }
            A::AlterConstraint { name, timing } => self.alter_constraint(class, name, *timing),
            A::ValidateConstraint(name) => self.validate_constraint(class, name),
            A::RenameTo(name) => self.rename_relation(class, name),
            A::RenameColumn { from, to } => self.rename_column(class, from, to),
            A::RenameConstraint { from, to } => self.rename_constraint(class, from, to),
            A::SetSchema(schema) => self.move_relation(class, schema),
            A::OwnerTo(role) => self.change_relation_owner(class, role),
            A::SetOptions(options) => self.set_options(class, options),
            A::ResetOptions(options) => self.reset_options(class, options),
            A::ClusterOn(index) => self.cluster_on(class, index.as_deref()),
            A::ReplicaIdentity { kind, index } => self.replica_identity(class, kind, index.as_deref()),
            A::Trigger { trigger: Some(name), user_triggers: false, .. } => Err(error!(
                UNDEFINED_OBJECT,
                "trigger \"{name}\" for table \"{}\" does not exist", class.relname
            )),
            A::Trigger { enable: Some("origin"), .. } | A::SetWithoutOids => Ok(()),
            A::Trigger { .. } => Err(SqlError::unsupported("ALTER TABLE ... DISABLE TRIGGER")),
            A::Rule { rule, .. } => Err(error!(
                UNDEFINED_OBJECT,
                "rule \"{rule}\" for relation \"{}\" does not exist", class.relname
            )),
            A::RowSecurity(false) | A::ForceRowSecurity(false) => Ok(()),
            A::SetLogged(true) if class.relpersistence == 'p' => Ok(()),
            A::SetTablespace(name) if name != "pg_default" => {
                Err(error!(UNDEFINED_OBJECT, "tablespace \"{name}\" does not exist"))
            }
            A::SetTablespace(_) => Ok(()),
            A::SetAccessMethod(name) if name != "heap" => {
                Err(error!(UNDEFINED_OBJECT, "access method \"{name}\" does not exist"))
            }
            A::SetAccessMethod(_) => Ok(()),
            A::NoInherit(parent) => {
                let parent = self.relation(parent)?;
                Err(error!(
                    UNDEFINED_TABLE,
                    "relation \"{}\" is not a parent of relation \"{}\"", parent.relname, class.relname
                ))
            }
            other => Err(SqlError::unsupported(format_args!("ALTER TABLE ... {}", words(other)))),
        }
    }

    /// Adds a constraint to a table that may have rows.
    pub(super) fn add_table_constraint(&mut self, class: &Class, wanted: Wanted) -> Result<()> {
        self.check_primary_key(class, &wanted)?;
        let before: Vec<Oid> = self.edit.constraints(class.oid).iter().map(|row| row.oid).collect();
        if let Some(index) = self.add_constraint(class, wanted)? {
            return self.make_index_over_rows(class, &index);
        }
        let added = self.edit.constraints(class.oid);
        let added = added.iter().find(|row| !before.contains(&row.oid)).cloned();
        let added = added.ok_or_else(|| SqlError::internal("a constraint has not been added"))?;
        if added.convalidated { self.check_rows(class, &added) } else { Ok(()) }
    }

    /// The columns of a primary key must be there and without NULLs.
    fn check_primary_key(&mut self, class: &Class, wanted: &Wanted) -> Result<()> {
        let super::constraint::WantedKind::Unique { columns, primary: true, .. } = &wanted.kind else {
            return Ok(());
        };
        if self.edit.indexes(class.oid).iter().any(|index| index.indisprimary) {
            return Ok(());
        }
        for name in columns {
            let column = self.live_column(class, name)?;
            if !column.attnotnull {
                self.check_no_nulls(class, &column)?;
            }
        }
        Ok(())
    }

    fn constraint_of(&self, class: &Class, name: &str) -> Result<Arc<Constraint>> {
        self.edit.constraint_named(class.oid, name).ok_or_else(|| no_constraint(name, class))
    }

    fn drop_table_constraint(
        &mut self,
        class: &Class,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<()> {
        let Some(constraint) = self.edit.constraint_named(class.oid, name) else {
            let missing = no_constraint(name, class);
            if !if_exists {
                return Err(missing);
            }
            let message = format!("{}, skipping", missing.message());
            self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            return Ok(());
        };
        let behavior = if cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
        self.drop_addresses(&[ObjectAddress::new(relations::PG_CONSTRAINT, constraint.oid)], behavior)?;
        if constraint.contype == 'p' { self.settle_row_number(class.oid) } else { Ok(()) }
    }

    /// A table whose row number was its primary key and is no more is made anew, or it would stay unique in the file.
    pub(super) fn settle_row_number(&mut self, table: Oid) -> Result<()> {
        if self.edit.indexes(table).iter().any(|index| index.indisprimary) {
            return Ok(());
        }
        let Some(physical) = self.edit.physical_name(table) else { return Ok(()) };
        if physical::row_number_alias(self.connection, &physical)?.is_none() {
            return Ok(());
        }
        self.rewrite_table(table, None)
    }

    /// Makes a table and its indexes anew in the file. `changed`: a column, and the lowered text of its new value over
    /// the columns of the old table.
    pub(super) fn rewrite_table(
        &mut self,
        table: Oid,
        changed: Option<(String, crate::lower::Text)>,
    ) -> Result<()> {
        let mut values = Vec::new();
        if let Some((column, text)) = changed {
            for function in &text.functions {
                function.ensure(self.connection).map_err(engine_error)?;
            }
            if !text.bindings.is_empty() {
                return Err(SqlError::unsupported("a value of the session in USING"));
            }
            values.push((column, text.sql.to_string()));
        }
        let Some(class) = self.edit.class(table) else { return Ok(()) };
        let indexes = self.edit.indexes(table);
        for statement in physical::rewrite_table_sql(self.edit, table, &values)? {
            let done = self.connection.execute(&statement, &[]);
            done.map_err(|error| match (&error.kind, indexes.iter().find(|index| index.indisprimary)) {
                (storage::ErrorKind::Unique { .. }, Some(key)) => self.not_unique(&class, key),
                _ => engine_error(error),
            })?;
        }
        for index in indexes.iter() {
            if !physical::is_row_number_index(self.edit, index) {
                self.make_index_over_rows(&class, index)?;
            }
        }
        Ok(())
    }

    fn alter_constraint(
        &mut self,
        class: &Class,
        name: &str,
        timing: crate::parse::ConstraintTiming,
    ) -> Result<()> {
        let constraint = self.constraint_of(class, name)?;
        if constraint.contype != 'f' {
            return Err(error!(
                WRONG_OBJECT_TYPE,
                "constraint \"{name}\" of relation \"{}\" is not a foreign key constraint", class.relname
            ));
        }
        let deferred = timing.initially_deferred.unwrap_or(false);
        self.edit.change::<Constraint>(constraint.oid, |row| {
            row.condeferrable = timing.deferrable.unwrap_or(deferred);
            row.condeferred = deferred;
        })?;
        Ok(())
    }

    fn validate_constraint(&mut self, class: &Class, name: &str) -> Result<()> {
        let constraint = self.constraint_of(class, name)?;
        if !matches!(constraint.contype, 'c' | 'f') {
            return Err(error!(
                WRONG_OBJECT_TYPE,
                "constraint \"{name}\" of relation \"{}\" is not a foreign key or check constraint",
                class.relname
            ));
        }
        if constraint.convalidated {
            return Ok(());
        }
        if constraint.contype == 'f' {
            self.lock_relation(constraint.confrelid, LockMode::RowShare)?;
        }
        self.check_rows(class, &constraint)?;
        self.edit.change::<Constraint>(constraint.oid, |row| row.convalidated = true)?;
        Ok(())
    }

    fn set_options(&mut self, class: &Class, options: &[Definition]) -> Result<()> {
        let checked = checked_options(options, options_of(class.relkind))?;
        let mut kept = class.reloptions.clone().unwrap_or_default();
        for (name, text) in checked {
            kept.retain(|option| !is_option(option, &name));
            kept.push(format!("{name}={text}"));
        }
        self.keep_options(class, kept)
    }

    fn reset_options(&mut self, class: &Class, options: &[Definition]) -> Result<()> {
        let mut kept = class.reloptions.clone().unwrap_or_default();
        for option in options {
            if option.value.is_some() {
                return Err(error!(SYNTAX_ERROR, "RESET must not include values for parameters"));
            }
            kept.retain(|present| !is_option(present, &option.name));
        }
        self.keep_options(class, kept)
    }

    fn keep_options(&mut self, class: &Class, options: Vec<String>) -> Result<()> {
        let options = (!options.is_empty()).then_some(options);
        self.edit.change::<Class>(class.oid, |class| class.reloptions = options)?;
        Ok(())
    }

    fn index_of(&self, class: &Class, name: &str) -> Result<Arc<Index>> {
        let index = self.edit.class_named(class.relnamespace, name).filter(|index| index.relkind == 'i');
        let index = index.ok_or_else(|| {
            error!(UNDEFINED_OBJECT, "index \"{name}\" for table \"{}\" does not exist", class.relname)
        })?;
        let row = self.edit.index(index.oid).filter(|row| row.indrelid == class.oid);
        row.ok_or_else(|| {
            error!(WRONG_OBJECT_TYPE, "\"{name}\" is not an index for table \"{}\"", class.relname)
        })
    }

    /// The index by which CLUSTER would order the table: remembered only.
    fn cluster_on(&mut self, class: &Class, index: Option<&str>) -> Result<()> {
        let chosen = index.map(|name| self.index_of(class, name)).transpose()?;
        for index in self.edit.indexes(class.oid).iter() {
            let chosen = chosen.as_ref().is_some_and(|chosen| chosen.indexrelid == index.indexrelid);
            if index.indisclustered != chosen {
                self.edit.change::<Index>(index.indexrelid, |row| row.indisclustered = chosen)?;
            }
        }
        Ok(())
    }

    /// What logical replication would identify rows by: there is none, so this is remembered only.
    fn replica_identity(&mut self, class: &Class, kind: &str, index: Option<&str>) -> Result<()> {
        let chosen = index.map(|name| self.index_of(class, name)).transpose()?;
        if let (Some(index), Some(name)) = (&chosen, index)
            && (!index.indisunique || index.computes())
        {
            return Err(error!(
                WRONG_OBJECT_TYPE,
                "cannot use non-unique index \"{name}\" as replica identity"
            ));
        }
        let letter = match kind {
            "nothing" => 'n',
            "full" => 'f',
            "index" => 'i',
            _ => 'd',
        };
        self.edit.change::<Class>(class.oid, |class| class.relreplident = letter)?;
        for index in self.edit.indexes(class.oid).iter() {
            let chosen = chosen.as_ref().is_some_and(|chosen| chosen.indexrelid == index.indexrelid);
            if index.indisreplident != chosen {
                self.edit.change::<Index>(index.indexrelid, |row| row.indisreplident = chosen)?;
            }
        }
        Ok(())
    }

    /// A warning without a code of its own.
    pub(super) fn warning(&mut self, code: SqlState, message: impl Into<String>) {
        self.notices.push(Report::new(Severity::Warning, code, message));
    }
}

pub(super) fn options_of(kind: char) -> &'static [(&'static str, OptionKind)] {
    match kind {
        'i' => INDEX_OPTIONS,
        'v' => VIEW_OPTIONS,
        _ => TABLE_OPTIONS,
    }
}

fn is_option(kept: &str, name: &str) -> bool {
    kept.split_once('=').is_some_and(|(kept, _)| kept == name)
}

/// Options with the texts under which they are kept, each found to be known and within its bounds.
///
/// # Errors
/// `22023`.
pub(super) fn checked_options(
    options: &[Definition],
    known: &[(&str, OptionKind)],
) -> Result<Vec<(String, String)>> {
    let mut checked: Vec<(String, String)> = Vec::new();
    for option in options {
        let name = option.name.as_str();
        if checked.iter().any(|(known, _)| known == name) {
            return Err(error!(INVALID_PARAMETER_VALUE, "parameter \"{name}\" specified more than once"));
        }
        let toast = option.namespace.as_deref() == Some("toast");
        if let Some(namespace) = option.namespace.as_deref().filter(|_| !toast) {
            return Err(error!(INVALID_PARAMETER_VALUE, "unrecognized parameter namespace \"{namespace}\""));
        }
        let kind = known.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let kind =
            kind.ok_or_else(|| error!(INVALID_PARAMETER_VALUE, "unrecognized parameter \"{name}\""))?;
        let text = option.value.as_ref().map_or_else(|| "true".to_owned(), |value| value.text());
        check_option(name, &text, kind)?;
        if !toast {
            checked.push((name.to_owned(), text));
        }
    }
    Ok(checked)
}

fn check_option(name: &str, text: &str, kind: OptionKind) -> Result<()> {
    let invalid =
        |what: &str| error!(INVALID_PARAMETER_VALUE, "invalid value for {what} option \"{name}\": {text}");
    let outside = |least: String, greatest: String| {
        error!(INVALID_PARAMETER_VALUE, "value {text} out of bounds for option \"{name}\"")
            .detail(format!("Valid values are between \"{least}\" and \"{greatest}\"."))
    };
    match kind {
        OptionKind::Boolean => {
            crate::settings::parse_boolean(text).map(drop).ok_or_else(|| invalid("boolean"))
        }
        OptionKind::Integer(least, greatest) => {
            let value: i64 = text.parse().map_err(|_| invalid("integer"))?;
            let fits = (i64::from(least)..=i64::from(greatest)).contains(&value);
            if fits { Ok(()) } else { Err(outside(least.to_string(), greatest.to_string())) }
        }
        OptionKind::Fraction(least, greatest) => {
            let value: f64 = text.parse().map_err(|_| invalid("floating point"))?;
            let fits = (least..=greatest).contains(&value);
            if fits { Ok(()) } else { Err(outside(format!("{least:.6}"), format!("{greatest:.6}"))) }
        }
        OptionKind::Words(words) => {
            if words.contains(&text) {
                return Ok(());
            }
            let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            Err(error!(INVALID_PARAMETER_VALUE, "invalid value for enum option \"{name}\": {text}")
                .detail(format!("Valid values are {}.", list.join(" and "))))
        }
    }
}

/// The order in which actions are done, whatever their order in the statement (`AlterTablePass`).
fn pass(action: &AlterTableAction) -> u8 {
    use AlterTableAction as A;
    match action {
        A::DropColumn { .. } | A::DropConstraint { .. } => 0,
        A::AlterColumn {
            change: AlterColumn::DropExpression { .. } | AlterColumn::DropIdentity { .. },
            ..
        } => 0,
        A::AlterColumn { change: AlterColumn::Type { .. }, .. } => 1,
        A::AddColumn { .. } => 2,
        A::AddConstraint(constraint) => match constraint.kind {
            TableConstraintKind::Check(_) => 3,
            TableConstraintKind::ForeignKey { .. } => 6,
            _ => 5,
        },
        A::AlterColumn { .. } => 4,
        _ => 7,
    }
}

/// What messages call an action (`alter_table_type_to_string`).
fn words(action: &AlterTableAction) -> &'static str {
    use AlterTableAction as A;
    match action {
        A::AddColumn { .. } => "ADD COLUMN",
        A::DropColumn { .. } => "DROP COLUMN",
        A::AlterColumn { change, .. } => column_words(change),
        A::AddConstraint(_) => "ADD CONSTRAINT",
        A::DropConstraint { .. } => "DROP CONSTRAINT",
        A::AlterConstraint { .. } => "ALTER CONSTRAINT",
        A::ValidateConstraint(_) => "VALIDATE CONSTRAINT",
        A::RenameTo(_) | A::RenameColumn { .. } | A::RenameConstraint { .. } => "RENAME",
        A::SetSchema(_) => "SET SCHEMA",
        A::OwnerTo(_) => "OWNER TO",
        A::SetOptions(_) => "SET",
        A::ResetOptions(_) => "RESET",
        A::Trigger { enable: None, .. } => "DISABLE TRIGGER",
        A::Trigger { .. } => "ENABLE TRIGGER",
        A::Rule { enable: None, .. } => "DISABLE RULE",
        A::Rule { .. } => "ENABLE RULE",
        A::RowSecurity(true) => "ENABLE ROW SECURITY",
        A::RowSecurity(false) => "DISABLE ROW SECURITY",
        A::ForceRowSecurity(true) => "FORCE ROW SECURITY",
        A::ForceRowSecurity(false) => "NO FORCE ROW SECURITY",
        A::ReplicaIdentity { .. } => "REPLICA IDENTITY",
        A::ClusterOn(Some(_)) => "CLUSTER ON",
        A::ClusterOn(None) => "SET WITHOUT CLUSTER",
        A::SetLogged(true) => "SET LOGGED",
        A::SetLogged(false) => "SET UNLOGGED",
        A::SetTablespace(_) => "SET TABLESPACE",
        A::SetAccessMethod(_) => "SET ACCESS METHOD",
        A::Inherit(_) => "INHERIT",
        A::NoInherit(_) => "NO INHERIT",
        A::AttachPartition { .. } => "ATTACH PARTITION",
        A::DetachPartition { .. } => "DETACH PARTITION",
        A::OfType(_) => "OF",
        A::NotOfType => "NOT OF",
        A::SetWithoutOids => "SET WITHOUT OIDS",
    }
}

fn column_words(change: &AlterColumn) -> &'static str {
    match change {
        AlterColumn::Type { .. } => "ALTER COLUMN ... SET DATA TYPE",
        AlterColumn::SetDefault(_) | AlterColumn::DropDefault => "ALTER COLUMN ... SET DEFAULT",
        AlterColumn::SetNotNull => "ALTER COLUMN ... SET NOT NULL",
        AlterColumn::DropNotNull => "ALTER COLUMN ... DROP NOT NULL",
        AlterColumn::DropExpression { .. } => "ALTER COLUMN ... DROP EXPRESSION",
        AlterColumn::AddIdentity { .. } => "ALTER COLUMN ... ADD IDENTITY",
        AlterColumn::SetIdentity { .. } => "ALTER COLUMN ... SET",
        AlterColumn::DropIdentity { .. } => "ALTER COLUMN ... DROP IDENTITY",
        AlterColumn::SetStatistics(_) => "ALTER COLUMN ... SET STATISTICS",
        AlterColumn::SetStorage(_) => "ALTER COLUMN ... SET STORAGE",
        AlterColumn::SetCompression(_) => "ALTER COLUMN ... SET COMPRESSION",
        AlterColumn::SetOptions(_) => "ALTER COLUMN ... SET",
        AlterColumn::ResetOptions(_) => "ALTER COLUMN ... RESET",
    }
}

/// # Errors
/// `42809` for an action that the kind of relation does not know.
fn check_applies(action: &AlterTableAction, class: &Class) -> Result<()> {
    use AlterTableAction as A;
    let kinds: &[char] = match action {
        A::RenameTo(_) => &['r', 'v', 'm', 'i', 'S'],
        A::RenameColumn { .. } => &['r', 'v', 'm', 'i'],
        A::SetSchema(_) | A::OwnerTo(_) => &['r', 'v', 'm', 'S', 'i'],
        A::AlterColumn { change: AlterColumn::SetDefault(_) | AlterColumn::DropDefault, .. } => &['r', 'v'],
        A::AlterColumn { change: AlterColumn::SetStatistics(_), .. } => &['r', 'm', 'i'],
        A::AlterColumn {
            change:
                AlterColumn::SetStorage(_)
                | AlterColumn::SetCompression(_)
                | AlterColumn::SetOptions(_)
                | AlterColumn::ResetOptions(_),
            ..
        } => &['r', 'm'],
        A::SetOptions(_) | A::ResetOptions(_) => &['r', 'v', 'm', 'i'],
        A::ClusterOn(_) | A::ReplicaIdentity { .. } | A::SetAccessMethod(_) => &['r', 'm'],
        A::SetTablespace(_) => &['r', 'm', 'i'],
        A::SetLogged(_) => &['r', 'S'],
        _ => &['r'],
    };
    if kinds.contains(&class.relkind) || is_system(class) {
        return Ok(());
    }
    Err(error!(
        WRONG_OBJECT_TYPE,
        "ALTER action {} cannot be performed on relation \"{}\"",
        words(action),
        class.relname
    )
    .detail(not_supported_for(class.relkind)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;
    use crate::parse::DefinitionValue;

    fn option(name: &str, value: &str) -> Definition {
        let value = Some(DefinitionValue::Number(value.to_owned()));
        Definition { namespace: None, name: name.to_owned(), value, position: 1 }
    }

    #[test]
    fn options_are_known_and_within_bounds() {
        let kept = checked_options(&[option("fillfactor", "70")], TABLE_OPTIONS).unwrap();
        assert_eq!(kept, [("fillfactor".to_owned(), "70".to_owned())]);
        let outside = checked_options(&[option("fillfactor", "5")], TABLE_OPTIONS).unwrap_err();
        assert_eq!(outside.message(), "value 5 out of bounds for option \"fillfactor\"");
        assert_eq!(outside.0.detail.as_deref(), Some("Valid values are between \"10\" and \"100\"."));
        let unknown = checked_options(&[option("foo", "5")], TABLE_OPTIONS).unwrap_err();
        assert_eq!(unknown.message(), "unrecognized parameter \"foo\"");
    }
}
