//! Prepared statements: Parse's and PREPARE's, EXECUTE and DEALLOCATE.

use std::sync::Arc;

use super::cache::{Known, Planned};
use super::locking::Runs;
use super::statement::{Run, command_word, finish_plan};
use super::{CommandTag, Destination, PreparedStatementRow, Session};
use crate::bind;
use crate::bound::{BoundStatement, Expr, OutputColumn, Query, QueryBody, Statement, TypeMod};
use crate::catalog::Catalog;
use crate::oid::types as type_oids;
use crate::parse::{Execute, Node, ParsedStatement, Prepare, Utility};
use crate::{Oid, Result, SqlError, Value, error};

/// A prepared statement.
pub(super) struct Prepared {
    /// The text it was made from.
    pub(super) text: Arc<str>,
    /// The statement; none for an empty text.
    pub(super) statement: Option<Arc<Known>>,
    /// The parameters' types.
    pub(super) parameters: Vec<Oid>,
    /// The result's columns, if it has any.
    pub(super) columns: Option<Arc<[OutputColumn]>>,
    pub(super) from_sql: bool,
    /// When it was made, µs since 2000-01-01 UTC.
    pub(super) created: i64,
}

impl Prepared {
    pub(super) fn empty(text: &str, created: i64) -> Self {
        Self {
            text: text.into(),
            statement: None,
            parameters: Vec::new(),
            columns: None,
            from_sql: false,
            created,
        }
    }

    /// Refuses a plan that gives other columns than the client was told.
    ///
    /// # Errors
    /// `0A000`.
    pub(super) fn check_columns(&self, planned: &Planned) -> Result<()> {
        let same = match (&self.columns, planned.columns()) {
            (None, None) => true,
            (Some(told), Some(now)) => {
                told.len() == now.len() && told.iter().zip(now).all(|(told, now)| told.ty == now.ty)
            }
            _ => false,
        };
        if same {
            Ok(())
        } else {
            Err(error!(FEATURE_NOT_SUPPORTED, "cached plan must not change result type"))
        }
    }
}

impl Session {
    /// Finds out a statement's parameters and columns.
    pub(super) fn analyze(
        &mut self,
        statement: &Arc<Known>,
        text: Arc<str>,
        declared: &[Oid],
    ) -> Result<Prepared> {
        let created = self.statement_time;
        let (parameters, columns) = match &statement.parsed.node {
            Node::Sql(_) => {
                let catalog = self.present_catalog();
                let planned = self.known_plan(statement, declared, &catalog)?;
                (planned.plan.parameters.clone(), planned.columns().map(Arc::from))
            }
            Node::Utility(utility) => {
                let parameters = match inner_query(utility) {
                    Some(tree) => {
                        let catalog = self.present_catalog();
                        self.plan(&tree, &statement.parsed.text, declared, &catalog)?.plan.parameters.clone()
                    }
                    None => declared.to_vec(),
                };
                (parameters, self.utility_columns(utility)?)
            }
        };
        Ok(Prepared {
            text,
            statement: Some(statement.clone()),
            parameters,
            columns,
            from_sql: false,
            created,
        })
    }

    /// Keeps a prepared statement under a name.
    pub(super) fn keep_statement(&mut self, name: &str, prepared: Prepared) -> Result<()> {
        if !name.is_empty() && self.statements.contains(name) {
            return Err(error!(DUPLICATE_PSTATEMENT, "prepared statement \"{name}\" already exists"));
        }
        self.statements.insert(name, Arc::new(prepared));
        if !name.is_empty() {
            self.show_statements();
        }
        Ok(())
    }

    /// The prepared statement of this name.
    ///
    /// # Errors
    /// `26000`.
    pub(super) fn statement_named(&self, name: &str) -> Result<Arc<Prepared>> {
        let missing = || match name {
            "" => error!(UNDEFINED_PSTATEMENT, "unnamed prepared statement does not exist"),
            _ => error!(UNDEFINED_PSTATEMENT, "prepared statement \"{name}\" does not exist"),
        };
        self.statements.get(name).cloned().ok_or_else(missing)
    }

    /// Tells `pg_prepared_statements` what there is.
    pub(super) fn show_statements(&self) {
        let rows = self.statements.named().map(|(name, prepared)| PreparedStatementRow {
            name: name.clone(),
            statement: prepared.text.to_string(),
            prepare_time: prepared.created,
            parameter_types: prepared.parameters.clone(),
            from_sql: prepared.from_sql,
            generic_plans: 0,
            custom_plans: 0,
        });
        self.services.show(Some(rows.collect()), None);
    }

    /// PREPARE.
    pub(super) fn prepare_command(&mut self, command: &Prepare, outer: &ParsedStatement) -> Result<()> {
        let catalog = self.present_catalog();
        let mut types = Vec::new();
        for name in &command.types {
            types.push(self.resolve_type(&name.data_type, &outer.text, &catalog)?);
        }
        let node = (*command.statement.node).clone();
        let inner = Arc::new(Known::new(ParsedStatement { text: outer.text.clone(), offset: 0, node }));
        if let Node::Utility(utility) = &inner.parsed.node {
            return Err(error!(SYNTAX_ERROR, "syntax error at or near \"{}\"", utility.tag())
                .at(command.statement.position));
        }
        let prepared = Prepared { from_sql: true, ..self.analyze(&inner, outer.text.clone(), &types)? };
        if prepared.parameters.contains(&type_oids::UNKNOWN) {
            return Err(error!(INDETERMINATE_DATATYPE, "could not determine data type of a parameter"));
        }
        self.keep_statement(&command.name, prepared)
    }

    fn resolve_type(
        &mut self,
        name: &crate::parse::ast::DataType,
        text: &str,
        catalog: &Arc<Catalog>,
    ) -> Result<Oid> {
        self.with_binding(text, &[], catalog, |binding, _| Ok(bind::resolve_type(name, binding)?.oid))
    }

    /// EXECUTE.
    pub(super) async fn execute_command(
        &mut self,
        command: &Execute,
        outer: &ParsedStatement,
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<CommandTag> {
        let prepared = self.statement_named(&command.name)?;
        let (given, needed) = (command.arguments.len(), prepared.parameters.len());
        if given != needed {
            return Err(error!(
                SYNTAX_ERROR,
                "wrong number of parameters for prepared statement \"{}\"", command.name
            )
            .detail(format!("Expected {needed} parameters but got {given}.")));
        }
        let parameters = self.evaluate_arguments(command, &prepared.parameters, outer).await?;
        let Some(parsed) = &prepared.statement else {
            return Ok(CommandTag { command: "EXECUTE".to_owned(), rows: None });
        };
        let Node::Sql(tree) = &parsed.parsed.node else {
            return Err(SqlError::internal("PREPARE keeps queries only"));
        };
        let run = Run {
            parameters: &parameters,
            types: &prepared.parameters,
            formats: run.formats,
            announce: run.announce,
            rows_max: None,
        };
        let (done, planned, _) =
            Box::pin(self.run_tree(parsed, &prepared.parameters, &run, destination)).await?;
        prepared.check_columns(&planned)?;
        let command = command_word(tree).to_owned();
        Ok(CommandTag { command, rows: Some(done.changed.unwrap_or(done.sent)) })
    }

    /// The values of EXECUTE's arguments, converted to the parameters' types as in an assignment.
    async fn evaluate_arguments(
        &mut self,
        command: &Execute,
        types: &[Oid],
        outer: &ParsedStatement,
    ) -> Result<Vec<Value>> {
        if types.is_empty() {
            return Ok(Vec::new());
        }
        let mut runs = Runs::begin();
        loop {
            runs.next(self).await?;
            self.resume_writing().await?;
            let held_before = self.transaction().work.writes();
            let catalog = self.begin_reading()?;
            let planned = self.with_binding(&outer.text, &[], &catalog, |binding, user| {
                finish_plan(&values_query(command, types, binding)?, binding, user)
            });
            let planned = planned.map_err(|error| self.reason_to_stop(error))?;
            let context = self.statement_context(&catalog);
            match (self.collect(&planned, &[], &context).await, self.services.take_awaited()) {
                (Err(_), Some(awaited)) => self.await_row(awaited, held_before).await?,
                (rows, _) => {
                    let row = rows?.into_iter().next();
                    return row.ok_or_else(|| SqlError::internal("no row of arguments"));
                }
            }
        }
    }

    /// DEALLOCATE.
    pub(super) fn deallocate(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            None => self.statements.clear(),
            Some(name) => {
                self.statement_named(name)?;
                self.statements.remove(name);
            }
        }
        self.show_statements();
        Ok(())
    }
}

/// The query inside a command whose parameters are the command's own.
fn inner_query(utility: &Utility) -> Option<crate::parse::ast::Statement> {
    match utility {
        Utility::DeclareCursor(command) => {
            Some(crate::parse::ast::Statement::Query(command.query.query.clone()))
        }
        Utility::Explain(command) => match &*command.statement.node {
            Node::Sql(tree) => Some((**tree).clone()),
            Node::Utility(_) => None,
        },
        _ => None,
    }
}

/// The arguments as a query of one row, each converted to its parameter's type as in an assignment.
fn values_query(command: &Execute, types: &[Oid], context: &bind::BindContext<'_>) -> Result<BoundStatement> {
    let typed = command.arguments.iter().zip(types);
    let bind = |(argument, ty): (&crate::parse::Expression, &Oid)| {
        bind::bind_expression(&argument.expr, None, Some(TypeMod::plain(*ty)), context)
    };
    let row: Vec<Expr> = typed.map(bind).collect::<Result<_>>()?;
    let column = |expr: &Expr| OutputColumn {
        name: "?column?".to_owned(),
        ty: expr.ty,
        collation: expr.collation,
        origin: None,
    };
    let query = Query {
        ctes: Vec::new(),
        columns: row.iter().map(column).collect(),
        body: QueryBody::Values(vec![row]),
        order_by: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        locks: Vec::new(),
    };
    Ok(BoundStatement {
        statement: Arc::new(Statement::Query(Box::new(query))),
        parameters: Vec::new(),
        views: Vec::new(),
        inlined: Vec::new(),
        records: Arc::default(),
    })
}
