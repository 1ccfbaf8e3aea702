//! ALTER TABLE and its kin: INDEX, VIEW, MATERIALIZED VIEW, SEQUENCE and FOREIGN TABLE share one grammar.

use super::{
    ColumnDefinition, Definition, Expression, Name, ObjectKind, RoleSpecification, SequenceOption,
    TableConstraint, TypeName, Utility,
};
use crate::Result;
use crate::parse::parser::Parser;

/// ALTER TABLE name action, … of any relation.
#[derive(Clone, Debug)]
pub struct AlterTable {
    pub kind: ObjectKind,
    pub name: Name,
    pub if_exists: bool,
    pub actions: Vec<AlterTableAction>,
}

/// What ALTER TABLE does.
#[derive(Clone, Debug)]
pub enum AlterTableAction {
    AddColumn {
        column: ColumnDefinition,
        if_not_exists: bool,
    },
    DropColumn {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    AlterColumn {
        name: String,
        position: usize,
        change: AlterColumn,
    },
    AddConstraint(TableConstraint),
    DropConstraint {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    AlterConstraint {
        name: String,
        timing: super::ConstraintTiming,
    },
    ValidateConstraint(String),
    RenameTo(String),
    RenameColumn {
        from: String,
        to: String,
    },
    RenameConstraint {
        from: String,
        to: String,
    },
    SetSchema(String),
    OwnerTo(RoleSpecification),
    SetOptions(Vec<Definition>),
    ResetOptions(Vec<Definition>),
    /// `trigger` absent is ALL, `user` when `user_triggers`. Modes: `origin`, `always`, `replica`; absent disables.
    Trigger {
        enable: Option<&'static str>,
        trigger: Option<String>,
        user_triggers: bool,
    },
    Rule {
        enable: Option<&'static str>,
        rule: String,
    },
    /// ENABLE (Some(true)), DISABLE (Some(false)) ROW LEVEL SECURITY.
    RowSecurity(bool),
    ForceRowSecurity(bool),
    /// `nothing`, `full`, `default` or `index`.
    ReplicaIdentity {
        kind: &'static str,
        index: Option<String>,
    },
    ClusterOn(Option<String>),
    SetLogged(bool),
    SetTablespace(String),
    SetAccessMethod(String),
    Inherit(Name),
    NoInherit(Name),
    AttachPartition {
        partition: Name,
        bound: Option<String>,
    },
    DetachPartition {
        partition: Name,
        concurrently: bool,
    },
    OfType(Name),
    NotOfType,
    SetWithoutOids,
}

/// What ALTER COLUMN does.
#[derive(Clone, Debug)]
pub enum AlterColumn {
    Type {
        data_type: TypeName,
        collation: Option<Name>,
        using: Option<Expression>,
    },
    SetDefault(Expression),
    DropDefault,
    SetNotNull,
    DropNotNull,
    DropExpression {
        if_exists: bool,
    },
    AddIdentity {
        always: bool,
        options: Vec<SequenceOption>,
    },
    /// `always` when SET GENERATED is said.
    SetIdentity {
        always: Option<bool>,
        options: Vec<SequenceOption>,
    },
    DropIdentity {
        if_exists: bool,
    },
    SetStatistics(i64),
    SetStorage(String),
    SetCompression(String),
    SetOptions(Vec<Definition>),
    ResetOptions(Vec<Definition>),
}

impl Parser<'_> {
    pub(super) fn alter_table(&mut self, kind: ObjectKind) -> Result<Utility> {
        self.advance();
        if matches!(kind, ObjectKind::MaterializedView | ObjectKind::ForeignTable) {
            self.advance();
        }
        if self.at_words(&["all", "in", "tablespace"]) {
            return Ok(self.unknown_command(kind.alter_tag()));
        }
        let if_exists = self.if_exists();
        let name = self.table_with_only()?;
        let actions = match self.single_action()? {
            Some(action) => vec![action],
            None => self.list(Self::table_action)?,
        };
        Ok(Utility::AlterTable(AlterTable { kind, name, if_exists, actions }))
    }

    /// The actions which stand alone.
    fn single_action(&mut self) -> Result<Option<AlterTableAction>> {
        use AlterTableAction as A;
        if self.accept("rename") {
            if self.accept("to") {
                return Ok(Some(A::RenameTo(self.simple_name()?)));
            }
            if self.accept("constraint") {
                let from = self.simple_name()?;
                self.expect("to")?;
                return Ok(Some(A::RenameConstraint { from, to: self.simple_name()? }));
            }
            self.accept("column");
            let from = self.simple_name()?;
            self.expect("to")?;
            return Ok(Some(A::RenameColumn { from, to: self.simple_name()? }));
        }
        if self.accept_words(&["set", "schema"]) {
            return Ok(Some(A::SetSchema(self.simple_name()?)));
        }
        if self.accept_words(&["attach", "partition"]) {
            let partition = self.name()?;
            let bound = if self.at_end() { None } else { Some(self.partition_bound()?) };
            return Ok(Some(A::AttachPartition { partition, bound }));
        }
        if self.accept_words(&["detach", "partition"]) {
            let partition = self.name()?;
            let concurrently = self.accept("concurrently");
            self.accept("finalize");
            return Ok(Some(A::DetachPartition { partition, concurrently }));
        }
        Ok(None)
    }

    fn table_action(&mut self) -> Result<AlterTableAction> {
        use AlterTableAction as A;
        let word = self.word().unwrap_or_default().to_owned();
        match word.as_str() {
            "add" => self.add_action(),
            "drop" => self.drop_action(),
            "alter" => self.alter_action(),
            "validate" => {
                self.expect_words(&["validate", "constraint"])?;
                Ok(A::ValidateConstraint(self.simple_name()?))
            }
            "owner" => {
                self.expect_words(&["owner", "to"])?;
                Ok(A::OwnerTo(self.role_specification()?))
            }
            "set" => self.set_action(),
            "reset" => {
                self.advance();
                Ok(A::ResetOptions(self.definitions()?))
            }
            "enable" | "disable" => self.enable_action(),
            "force" => {
                self.expect_words(&["force", "row", "level", "security"])?;
                Ok(A::ForceRowSecurity(true))
            }
            "no" if self.accept_words(&["no", "force", "row", "level", "security"]) => {
                Ok(A::ForceRowSecurity(false))
            }
            "no" => {
                self.expect_words(&["no", "inherit"])?;
                Ok(A::NoInherit(self.name()?))
            }
            "inherit" => {
                self.advance();
                Ok(A::Inherit(self.name()?))
            }
            "replica" => self.replica_identity(),
            "cluster" => {
                self.expect_words(&["cluster", "on"])?;
                Ok(A::ClusterOn(Some(self.simple_name()?)))
            }
            "of" => {
                self.advance();
                Ok(A::OfType(self.name()?))
            }
            "not" => {
                self.expect_words(&["not", "of"])?;
                Ok(A::NotOfType)
            }
            _ => self.fail(),
        }
    }

    fn add_action(&mut self) -> Result<AlterTableAction> {
        self.expect("add")?;
        let constraint = self.at_any(&["constraint", "check", "unique", "primary", "foreign"])
            || self.at("exclude") && (self.symbol_ahead(1, "(") || self.word_ahead(1) == Some("using"));
        if constraint {
            return Ok(AlterTableAction::AddConstraint(self.table_constraint()?));
        }
        self.accept("column");
        let if_not_exists = self.if_not_exists();
        Ok(AlterTableAction::AddColumn { column: self.column_definition()?, if_not_exists })
    }

    fn drop_action(&mut self) -> Result<AlterTableAction> {
        self.expect("drop")?;
        let is_constraint = self.accept("constraint");
        if !is_constraint {
            self.accept("column");
        }
        let if_exists = self.if_exists();
        let name = self.simple_name()?;
        let cascade = self.cascade();
        Ok(if is_constraint {
            AlterTableAction::DropConstraint { name, if_exists, cascade }
        } else {
            AlterTableAction::DropColumn { name, if_exists, cascade }
        })
    }

    fn alter_action(&mut self) -> Result<AlterTableAction> {
        self.expect("alter")?;
        if self.accept("constraint") {
            let name = self.simple_name()?;
            return Ok(AlterTableAction::AlterConstraint { name, timing: self.timing()? });
        }
        self.accept("column");
        let position = self.place();
        let name = match &self.token().kind {
            // ALTER INDEX names a column by its number.
            crate::parse::tokens::Kind::Integer(_) => self.signed_number()?,
            _ => self.simple_name()?,
        };
        Ok(AlterTableAction::AlterColumn { name, position, change: self.column_change()? })
    }

    fn column_change(&mut self) -> Result<AlterColumn> {
        use AlterColumn as A;
        if self.accept_words(&["set", "data", "type"]) || self.accept("type") {
            let data_type = self.type_name()?;
            let collation = self.name_after("collate")?;
            let using = if self.accept("using") { Some(self.expression_text()?) } else { None };
            return Ok(A::Type { data_type, collation, using });
        }
        if self.accept("drop") {
            if self.accept("default") {
                return Ok(A::DropDefault);
            }
            if self.accept_words(&["not", "null"]) {
                return Ok(A::DropNotNull);
            }
            if self.accept("expression") {
                return Ok(A::DropExpression { if_exists: self.if_exists() });
            }
            self.expect("identity")?;
            return Ok(A::DropIdentity { if_exists: self.if_exists() });
        }
        if self.accept_words(&["add", "generated"]) {
            let always = self.accept("always");
            if !always {
                self.expect_words(&["by", "default"])?;
            }
            self.expect_words(&["as", "identity"])?;
            return Ok(A::AddIdentity { always, options: self.parenthesized_sequence_options()? });
        }
        if self.at("restart") || self.at("set") && self.is_identity_change() {
            return self.identity_change();
        }
        if self.accept("reset") {
            return Ok(A::ResetOptions(self.definitions()?));
        }
        self.expect("set")?;
        if self.accept("default") {
            return Ok(A::SetDefault(self.expression_text()?));
        }
        if self.accept_words(&["not", "null"]) {
            return Ok(A::SetNotNull);
        }
        if self.accept("statistics") {
            return Ok(A::SetStatistics(self.signed_integer()?));
        }
        if self.accept("storage") {
            return Ok(A::SetStorage(self.label()?.value));
        }
        if self.accept("compression") {
            return Ok(A::SetCompression(self.label()?.value));
        }
        Ok(A::SetOptions(self.definitions()?))
    }

    fn is_identity_change(&self) -> bool {
        matches!(
            self.word_ahead(1),
            Some(
                "generated"
                    | "increment"
                    | "minvalue"
                    | "maxvalue"
                    | "start"
                    | "restart"
                    | "cache"
                    | "cycle"
                    | "no"
                    | "sequence"
                    | "owned"
                    | "as"
            )
        )
    }

    fn identity_change(&mut self) -> Result<AlterColumn> {
        let (mut always, mut options) = (None, Vec::new());
        loop {
            if self.at("restart") {
                options.extend(self.sequence_option()?);
            } else if self.accept("set") {
                if self.accept("generated") {
                    always = Some(self.accept("always"));
                    if always == Some(false) {
                        self.expect_words(&["by", "default"])?;
                    }
                } else {
                    match self.sequence_option()? {
                        Some(option) => options.push(option),
                        None => return self.fail(),
                    }
                }
            } else {
                return Ok(AlterColumn::SetIdentity { always, options });
            }
        }
    }

    fn set_action(&mut self) -> Result<AlterTableAction> {
        use AlterTableAction as A;
        self.expect("set")?;
        if self.at_symbol("(") {
            return Ok(A::SetOptions(self.definitions()?));
        }
        if self.accept("logged") {
            return Ok(A::SetLogged(true));
        }
        if self.accept("unlogged") {
            return Ok(A::SetLogged(false));
        }
        if self.accept_words(&["access", "method"]) {
            return Ok(A::SetAccessMethod(self.simple_name()?));
        }
        if self.accept_words(&["without", "cluster"]) {
            return Ok(A::ClusterOn(None));
        }
        if self.accept_words(&["without", "oids"]) {
            return Ok(A::SetWithoutOids);
        }
        self.expect("tablespace")?;
        Ok(A::SetTablespace(self.simple_name()?))
    }

    fn enable_action(&mut self) -> Result<AlterTableAction> {
        let enables = self.label()?.value == "enable";
        if self.accept_words(&["row", "level", "security"]) {
            return Ok(AlterTableAction::RowSecurity(enables));
        }
        let mut enable = if enables { Some("origin") } else { None };
        if enables && self.accept("always") {
            enable = Some("always");
        } else if enables && self.accept("replica") {
            enable = Some("replica");
        }
        if self.accept("rule") {
            return Ok(AlterTableAction::Rule { enable, rule: self.simple_name()? });
        }
        self.expect("trigger")?;
        let user_triggers = self.accept("user");
        let trigger = if user_triggers || self.accept("all") { None } else { Some(self.simple_name()?) };
        Ok(AlterTableAction::Trigger { enable, trigger, user_triggers })
    }

    fn replica_identity(&mut self) -> Result<AlterTableAction> {
        self.expect_words(&["replica", "identity"])?;
        if self.accept_words(&["using", "index"]) {
            return Ok(AlterTableAction::ReplicaIdentity { kind: "index", index: Some(self.simple_name()?) });
        }
        let kind = match self.word() {
            Some("nothing") => "nothing",
            Some("full") => "full",
            Some("default") => "default",
            _ => return self.fail(),
        };
        self.advance();
        Ok(AlterTableAction::ReplicaIdentity { kind, index: None })
    }
}
