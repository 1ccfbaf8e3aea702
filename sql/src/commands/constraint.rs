//! Constraints of tables: CHECK, UNIQUE, PRIMARY KEY and FOREIGN KEY.

use std::sync::Arc;

use super::CommandContext;
use super::dependency::{DependencyKind, ObjectAddress, record};
use super::index::{NewIndex, NewKey};
use super::naming::dotted;
use crate::bound::{Expr, TypeMod};
use crate::catalog::{Attribute, Class, Constraint, Index};
use crate::locks::LockMode;
use crate::oid::{relations, types};
use crate::parse::{
    ColumnConstraint, ColumnConstraintKind, ConstraintTiming, Expression, ForeignKey, TableConstraint,
    TableConstraintKind,
};
use crate::{Oid, Result, SqlError, error};

/// A constraint that a statement asks for.
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    pub(super) kind: WantedKind,
    pub(super) timing: ConstraintTiming,
}

/// What it says.
pub(super) enum WantedKind {
    Check {
        expression: Expression,
    },
    /// A check in the catalog's text, taken over from another table.
    StoredCheck {
        text: String,
    },
    Unique {
        columns: Vec<String>,
        include: Vec<String>,
        nulls_not_distinct: bool,
        primary: bool,
    },
    ForeignKey {
        columns: Vec<String>,
        reference: ForeignKey,
    },
    /// PRIMARY KEY or UNIQUE USING INDEX.
    UsingIndex,
    Exclude,
}

impl Wanted {
    pub(super) fn of_column(column: &str, constraint: &ColumnConstraint) -> Self {
        let columns = vec![column.to_owned()];
        let kind = match &constraint.kind {
            ColumnConstraintKind::Check(expression) => WantedKind::Check { expression: expression.clone() },
            ColumnConstraintKind::Unique { nulls_not_distinct, .. } => WantedKind::Unique {
                columns,
                include: Vec::new(),
                nulls_not_distinct: *nulls_not_distinct,
                primary: false,
            },
            ColumnConstraintKind::References(reference) => {
                WantedKind::ForeignKey { columns, reference: reference.clone() }
            }
            _ => {
                WantedKind::Unique { columns, include: Vec::new(), nulls_not_distinct: false, primary: true }
            }
        };
        Self { name: constraint.name.clone(), kind, timing: constraint.timing }
    }

    pub(super) fn of_table(constraint: &TableConstraint) -> Self {
        let kind = match &constraint.kind {
            TableConstraintKind::Check(expression) => WantedKind::Check { expression: expression.clone() },
            TableConstraintKind::Unique { using_index: Some(_), .. } => WantedKind::UsingIndex,
            TableConstraintKind::PrimaryKey { using_index: Some(_), .. } => WantedKind::UsingIndex,
            TableConstraintKind::Unique { columns, include, nulls_not_distinct, .. } => WantedKind::Unique {
                columns: columns.clone(),
                include: include.clone(),
                nulls_not_distinct: *nulls_not_distinct,
                primary: false,
            },
            TableConstraintKind::PrimaryKey { columns, include, .. } => WantedKind::Unique {
                columns: columns.clone(),
                include: include.clone(),
                nulls_not_distinct: false,
                primary: true,
            },
            TableConstraintKind::ForeignKey { columns, reference } => {
                WantedKind::ForeignKey { columns: columns.clone(), reference: reference.clone() }
            }
            TableConstraintKind::Exclude { .. } => WantedKind::Exclude,
        };
        Self { name: constraint.name.clone(), kind, timing: constraint.timing }
    }
}

impl CommandContext<'_> {
    /// Adds the catalog rows of constraints to a table; primary keys first, since foreign keys may refer to them.
    pub(super) fn add_constraints(&mut self, class: &Class, mut wanted: Vec<Wanted>) -> Result<()> {
        wanted.sort_by_key(|constraint| match constraint.kind {
            WantedKind::Check { .. } | WantedKind::StoredCheck { .. } => 0,
            WantedKind::Unique { primary: true, .. } => 1,
            WantedKind::ForeignKey { .. } => 3,
            _ => 2,
        });
        for constraint in wanted {
            self.add_constraint(class, constraint)?;
        }
        Ok(())
    }

    /// Adds the catalog rows of one constraint; the index under it, if it has one.
    pub(super) fn add_constraint(&mut self, class: &Class, wanted: Wanted) -> Result<Option<Arc<Index>>> {
        if let Some(name) = &wanted.name
            && self.edit.constraint_named(class.oid, name).is_some()
        {
            return Err(error!(
                DUPLICATE_OBJECT,
                "constraint \"{name}\" for relation \"{}\" already exists", class.relname
            ));
        }
        let Wanted { name, kind, timing } = wanted;
        match kind {
            WantedKind::Check { expression } => {
                let (text, expr) = self.stored_condition(class, &expression)?;
                self.add_check(class, name, text, &columns_in(&expr), timing).map(|()| None)
            }
            WantedKind::StoredCheck { text } => self.add_check(class, name, text, &[], timing).map(|()| None),
            WantedKind::Unique { columns, include, nulls_not_distinct, primary } => {
                let unique = Unique { columns, include, nulls_not_distinct, primary };
                self.add_unique(class, name, unique, timing).map(Some)
            }
            WantedKind::ForeignKey { columns, reference } => {
                self.add_foreign_key(class, name, &columns, &reference, timing).map(|()| None)
            }
            WantedKind::UsingIndex => Err(SqlError::unsupported("USING INDEX")),
            WantedKind::Exclude => Err(SqlError::unsupported("EXCLUDE constraint")),
        }
    }

    fn add_check(
        &mut self,
        class: &Class,
        name: Option<String>,
        text: String,
        columns: &[i16],
        timing: ConstraintTiming,
    ) -> Result<()> {
        let middle = match columns {
            [only] => self.edit.attribute(class.oid, *only).map_or(String::new(), |a| a.attname.clone()),
            _ => String::new(),
        };
        let name = name.unwrap_or_else(|| self.free_name(class, &class.relname, &middle, "check"));
        let mut row = self.blank_constraint(class, name, 'c', timing);
        row.conkey = (!columns.is_empty()).then(|| columns.to_vec());
        row.conbin = Some(text);
        row.connoinherit = timing.no_inherit;
        let row = self.edit.insert(row)?;
        self.edit.change::<Class>(class.oid, |class| class.relchecks += 1)?;
        self.record_constraint(class, row.oid, columns)
    }

    fn record_constraint(&mut self, class: &Class, constraint: Oid, columns: &[i16]) -> Result<()> {
        let address = ObjectAddress::new(relations::PG_CONSTRAINT, constraint);
        if columns.is_empty() {
            let table = ObjectAddress::new(relations::PG_CLASS, class.oid);
            record(self.edit, address, table, DependencyKind::Automatic)?;
        }
        for column in columns {
            record(self.edit, address, ObjectAddress::column(class.oid, *column), DependencyKind::Automatic)?;
        }
        Ok(())
    }

    fn blank_constraint(
        &mut self,
        class: &Class,
        name: String,
        kind: char,
        timing: ConstraintTiming,
    ) -> Constraint {
        let deferred = timing.initially_deferred.unwrap_or(false);
        Constraint {
            oid: self.edit.allocate_oid(),
            conname: name,
            connamespace: class.relnamespace,
            contype: kind,
            condeferrable: timing.deferrable.unwrap_or(deferred),
            condeferred: deferred,
            convalidated: !timing.not_valid,
            conrelid: class.oid,
            contypid: Oid::INVALID,
            conindid: Oid::INVALID,
            conparentid: Oid::INVALID,
            confrelid: Oid::INVALID,
            confupdtype: ' ',
            confdeltype: ' ',
            confmatchtype: ' ',
            conislocal: true,
            coninhcount: 0,
            connoinherit: true,
            conkey: None,
            confkey: None,
            conpfeqop: None,
            conppeqop: None,
            conffeqop: None,
            confdelsetcols: None,
            conexclop: None,
            conbin: None,
        }
    }

    fn add_unique(
        &mut self,
        class: &Class,
        name: Option<String>,
        unique: Unique,
        timing: ConstraintTiming,
    ) -> Result<Arc<Index>> {
        if timing.deferrable == Some(true) || timing.initially_deferred == Some(true) {
            // The engine checks each row as it is written.
            return Err(SqlError::unsupported("DEFERRABLE UNIQUE or PRIMARY KEY"));
        }
        if unique.primary && self.edit.indexes(class.oid).iter().any(|index| index.indisprimary) {
            return Err(error!(
                INVALID_TABLE_DEFINITION,
                "multiple primary keys for table \"{}\" are not allowed", class.relname
            ));
        }
        let mut columns = Vec::new();
        for column in &unique.columns {
            let found = self.edit.attribute_named(class.oid, column).filter(|column| column.attnum > 0);
            let found = found
                .ok_or_else(|| error!(UNDEFINED_COLUMN, "column \"{column}\" named in key does not exist"))?;
            if unique.primary && !found.attnotnull {
                self.edit
                    .change::<Attribute>((class.oid, found.attnum), |column| column.attnotnull = true)?;
            }
            columns.push(found.attnum);
        }
        let mut include = Vec::new();
        for column in &unique.include {
            include.push(self.column_of(class, column)?);
        }
        let keys: Vec<NewKey> = columns.iter().map(|column| NewKey::column(*column)).collect();
        let suffix = if unique.primary { "pkey" } else { "key" };
        let name = name.unwrap_or_else(|| self.index_name(class, &keys, suffix));
        if self.edit.class_named(class.relnamespace, &name).is_some() {
            return Err(error!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        let kind = if unique.primary { 'p' } else { 'u' };
        let mut row = self.blank_constraint(class, name.clone(), kind, timing);
        let new = NewIndex {
            name,
            keys,
            include,
            unique: true,
            primary: unique.primary,
            nulls_not_distinct: unique.nulls_not_distinct,
            immediate: !row.condeferrable,
            predicate: None,
        };
        let index = self.insert_index(class, new)?;
        row.conindid = index.indexrelid;
        row.conkey = Some(columns.clone());
        let row = self.edit.insert(row)?;
        self.record_constraint(class, row.oid, &columns)?;
        let index_address = ObjectAddress::new(relations::PG_CLASS, index.indexrelid);
        let constraint = ObjectAddress::new(relations::PG_CONSTRAINT, row.oid);
        record(self.edit, index_address, constraint, DependencyKind::Internal)?;
        Ok(index)
    }

    fn add_foreign_key(
        &mut self,
        class: &Class,
        name: Option<String>,
        columns: &[String],
        reference: &ForeignKey,
        timing: ConstraintTiming,
    ) -> Result<()> {
        let referenced = self.relation(&reference.table)?;
        self.lock_relation(referenced.oid, LockMode::ShareRowExclusive)?;
        if referenced.relkind != 'r' {
            return Err(error!(
                WRONG_OBJECT_TYPE,
                "referenced relation \"{}\" is not a table", referenced.relname
            ));
        }
        let mut own = Vec::new();
        for column in columns {
            own.push(self.key_column(class, column, "foreign key constraint")?);
        }
        let (index, keys) = self.referenced_key(&referenced, reference)?;
        if keys.len() != own.len() {
            return Err(error!(
                INVALID_FOREIGN_KEY,
                "number of referencing and referenced columns for foreign key disagree"
            ));
        }
        let middle = columns.join("_");
        let name = name.unwrap_or_else(|| self.free_name(class, &class.relname, &middle, "fkey"));
        let (mut pf, mut pp, mut ff) = (Vec::new(), Vec::new(), Vec::new());
        for (mine, theirs) in own.iter().zip(&keys) {
            let (a, b) = (self.column_type(class.oid, *mine), self.column_type(referenced.oid, *theirs));
            let equal = self.foreign_key_operator(&name, class, &referenced, (*mine, a), (*theirs, b))?;
            pf.push(equal);
            pp.push(self.equality(b)?);
            ff.push(self.equality(a)?);
        }
        let mut row = self.blank_constraint(class, name, 'f', timing);
        row.conindid = index.indexrelid;
        row.confrelid = referenced.oid;
        row.confupdtype = action_letter(reference.on_update);
        row.confdeltype = action_letter(reference.on_delete);
        row.confmatchtype = if reference.match_kind == "full" { 'f' } else { 's' };
        row.conkey = Some(own.clone());
        row.confkey = Some(keys.clone());
        (row.conpfeqop, row.conppeqop, row.conffeqop) = (Some(pf), Some(pp), Some(ff));
        if !reference.on_delete_columns.is_empty() {
            let mut set = Vec::new();
            for column in &reference.on_delete_columns {
                set.push(self.column_of(class, column)?);
            }
            row.confdelsetcols = Some(set);
        }
        let row = self.edit.insert(row)?;
        // Both sides are checked by triggers in PostgreSQL; clients look for foreign keys only where there are some.
        for table in [class.oid, referenced.oid] {
            self.edit.change::<Class>(table, |class| class.relhastriggers = true)?;
        }
        self.record_constraint(class, row.oid, &own)?;
        let address = ObjectAddress::new(relations::PG_CONSTRAINT, row.oid);
        for key in keys {
            let column = ObjectAddress::column(referenced.oid, key);
            record(self.edit, address, column, DependencyKind::Normal)?;
        }
        let index = ObjectAddress::new(relations::PG_CLASS, index.indexrelid);
        record(self.edit, address, index, DependencyKind::Normal)
    }

    fn key_column(&self, class: &Class, name: &str, what: &str) -> Result<i16> {
        let found = self.edit.attribute_named(class.oid, name).filter(|column| column.attnum > 0);
        found
            .map(|column| column.attnum)
            .ok_or_else(|| error!(UNDEFINED_COLUMN, "column \"{name}\" referenced in {what} does not exist"))
    }

    /// The unique index that a foreign key refers to, and its columns in the key's order.
    fn referenced_key(&self, table: &Class, reference: &ForeignKey) -> Result<(Arc<Index>, Vec<i16>)> {
        let indexes = self.edit.indexes(table.oid);
        if reference.columns.is_empty() {
            let primary = indexes.iter().find(|index| index.indisprimary);
            let primary = primary.ok_or_else(|| {
                error!(
                    UNDEFINED_OBJECT,
                    "there is no primary key for referenced table \"{}\"",
                    dotted(&reference.table)
                )
            })?;
            return Ok((primary.clone(), key_columns(primary).to_vec()));
        }
        let mut keys = Vec::new();
        for column in &reference.columns {
            keys.push(self.key_column(table, column, "foreign key constraint")?);
        }
        let fits = |index: &&Arc<Index>| {
            let columns = key_columns(index);
            index.indisunique
                && index.indpred.is_none()
                && columns.len() == keys.len()
                && keys.iter().all(|key| columns.contains(key))
        };
        match indexes.iter().find(fits) {
            Some(index) => Ok((index.clone(), keys)),
            None => Err(error!(
                INVALID_FOREIGN_KEY,
                "there is no unique constraint matching given keys for referenced table \"{}\"",
                table.relname
            )),
        }
    }

    pub(super) fn column_type(&self, relation: Oid, column: i16) -> Oid {
        self.edit
            .attribute(relation, column)
            .map_or(Oid::INVALID, |column| self.edit.base_type(column.atttypid))
    }

    pub(super) fn equality(&self, ty: Oid) -> Result<Oid> {
        let operators = self.edit.btree_operators(ty);
        operators
            .map(|operators| operators.equal)
            .ok_or_else(|| SqlError::internal(format!("type {ty} has no equality")))
    }

    /// The `=` by which referencing and referenced column are compared: one of the same family, or the referenced
    /// type's own when the other converts to it.
    pub(super) fn foreign_key_operator(
        &self,
        name: &str,
        class: &Class,
        referenced: &Class,
        mine: (i16, Oid),
        theirs: (i16, Oid),
    ) -> Result<Oid> {
        let operators = self.edit.operators_named("=");
        let exact = operators.iter().find(|o| o.oprleft == theirs.1 && o.oprright == mine.1 && o.oprcanmerge);
        if let Some(operator) = exact {
            return Ok(operator.oid);
        }
        let implicit = self.edit.cast(mine.1, theirs.1).is_some_and(|cast| cast.castcontext == 'i');
        if implicit && let Ok(equal) = self.equality(theirs.1) {
            return Ok(equal);
        }
        let column = |relation: &Class, attnum| {
            self.edit.attribute(relation.oid, attnum).map_or(String::new(), |a| a.attname.clone())
        };
        let type_name = |oid| crate::types::format_type(TypeMod::plain(oid), self.edit, &self.search_path);
        Err(error!(DATATYPE_MISMATCH, "foreign key constraint \"{name}\" cannot be implemented").detail(
            format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                column(class, mine.0),
                column(referenced, theirs.0),
                type_name(mine.1),
                type_name(theirs.1)
            ),
        ))
    }

    /// The constraints that LIKE takes over.
    pub(super) fn like_constraints(
        &self,
        source: Oid,
        checks: bool,
        indexes: bool,
        wanted: &mut Vec<Wanted>,
    ) {
        let timing = ConstraintTiming::default();
        for constraint in self.edit.constraints(source).iter() {
            if checks
                && constraint.contype == 'c'
                && let Some(text) = &constraint.conbin
            {
                let kind = WantedKind::StoredCheck { text: text.clone() };
                wanted.push(Wanted { name: Some(constraint.conname.clone()), kind, timing });
            }
            if indexes && matches!(constraint.contype, 'p' | 'u') {
                let name = |attnum: &i16| self.edit.attribute(source, *attnum).map(|a| a.attname.clone());
                let columns = constraint.conkey.iter().flatten().filter_map(name).collect();
                let primary = constraint.contype == 'p';
                let kind =
                    WantedKind::Unique { columns, include: Vec::new(), nulls_not_distinct: false, primary };
                wanted.push(Wanted { name: None, kind, timing });
            }
        }
    }

    /// Binds a condition over a table's columns; the catalog's text of it, and the bound expression.
    pub(super) fn stored_condition(
        &mut self,
        class: &Class,
        condition: &Expression,
    ) -> Result<(String, Expr)> {
        self.stored(class, condition, Some(TypeMod::plain(types::BOOL)))
    }

    /// Binds an expression over a table's columns.
    pub(super) fn stored_expression(
        &mut self,
        class: &Class,
        expression: &Expression,
    ) -> Result<(String, Expr)> {
        self.stored(class, expression, None)
    }

    fn stored(
        &mut self,
        class: &Class,
        expression: &Expression,
        ty: Option<TypeMod>,
    ) -> Result<(String, Expr)> {
        let relation = class.oid;
        let expr = self.binding(&self.text.clone(), |context| {
            crate::bind::bind_expression(&expression.expr, Some(relation), ty, context)
        })?;
        let text =
            crate::deparse::expression(&expr, self.edit, &crate::catalog::KEPT_SEARCH_PATH, Some(relation))?;
        Ok((text, expr))
    }

    /// The catalog's text of a column's default or generation expression, converted to the column's type.
    ///
    /// # Errors
    /// Those of the binder; `42P17` for a column generated from a generated one.
    pub(super) fn checked_default(
        &mut self,
        class: &Class,
        column: &Attribute,
        expression: &Expression,
        generated: bool,
    ) -> Result<String> {
        let ty = TypeMod { oid: column.atttypid, modifier: column.atttypmod };
        let relation = generated.then_some(class.oid);
        let expr = self.binding(&self.text.clone(), |context| {
            crate::bind::bind_expression(&expression.expr, relation, Some(ty), context)
        })?;
        for attnum in columns_in(&expr) {
            let used = self.edit.attribute(class.oid, attnum).filter(|used| used.attgenerated == 's');
            if let Some(used) = used.filter(|_| generated) {
                return Err(error!(
                    INVALID_OBJECT_DEFINITION,
                    "cannot use generated column \"{}\" in column generation expression", used.attname
                )
                .detail("A generated column cannot reference another generated column."));
            }
        }
        crate::deparse::expression(&expr, self.edit, &crate::catalog::KEPT_SEARCH_PATH, relation)
    }
}

/// UNIQUE or PRIMARY KEY.
struct Unique {
    columns: Vec<String>,
    include: Vec<String>,
    nulls_not_distinct: bool,
    primary: bool,
}

/// The key columns of an index, included ones left out.
fn key_columns(index: &Index) -> &[i16] {
    let count = usize::try_from(index.indnkeyatts).unwrap_or(0);
    &index.indkey[..count.min(index.indkey.len())]
}

/// `pg_constraint.confupdtype` and `confdeltype`.
fn action_letter(action: &str) -> char {
    match action {
        "restrict" => 'r',
        "cascade" => 'c',
        "set null" => 'n',
        "set default" => 'd',
        _ => 'a',
    }
}

/// The columns that an expression over one table names, each once, in order.
pub(super) fn columns_in(expr: &Expr) -> Vec<i16> {
    let mut columns = Vec::new();
    collect_columns(&mut expr.clone(), &mut columns);
    columns
}

fn collect_columns(expr: &mut Expr, columns: &mut Vec<i16>) {
    if let crate::bound::ExprKind::Column { column, .. } = &expr.kind
        && let Ok(attnum) = super::table::attnum(*column)
        && !columns.contains(&attnum)
    {
        columns.push(attnum);
    }
    crate::lower::children_mut(expr, &mut |child| collect_columns(child, columns));
}
