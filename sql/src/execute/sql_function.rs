//! Functions written in SQL, called: the body's statements run inside the calling statement, on its connection.
//!
//! A body is bound and planned once for each combination of actual types and each version of the catalog; the session
//! keeps the plans.

use std::collections::HashMap;
use std::sync::Arc;

use storage::Connection;

use super::modify::run_inside;
use super::run::{Places, query};
use super::{foreign_keys, make_plan};
use crate::bind::{self, BindContext};
use crate::functions::arguments::{Rows, known};
use crate::functions::{CallTypes, FunctionCall};
use crate::lower::{MainPlan, Plan};
use crate::oid::types;
use crate::session::StatementContext;
use crate::types::record;
use crate::{Oid, Result, SqlError, Value, ValueRef};

/// How deep functions may call each other: a bound on the stack, in place of `max_stack_depth`.
const DEPTH_MAX: usize = 64;

/// The planned bodies of a session, and how deep it is in them.
#[derive(Default)]
pub struct SqlFunctions {
    /// The catalog that they were planned with.
    catalog: u64,
    plans: HashMap<BodyKey, Arc<[Plan]>>,
    depth: usize,
}

/// What a planned body depends on besides the catalog.
#[derive(Clone, PartialEq, Eq, Hash)]
struct BodyKey {
    types: CallTypes,
    search_path: Vec<Oid>,
}

/// Calls a function that gives one value: the first row of its last statement, NULL for none.
pub(crate) fn scalar(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (rows, columns) = run_body(call, arguments)?;
    let result = call.types.result;
    if result == types::VOID {
        return Ok(Value::Text(String::new()));
    }
    let Some(row) = rows.into_iter().next() else { return Ok(Value::Null) };
    if !is_composite(call, result) || columns == [result] {
        return Ok(row.into_iter().next().unwrap_or_default());
    }
    let fields: Vec<(Oid, Value)> = columns.into_iter().zip(row).collect();
    record::to_value(&fields, &call.type_context())
}

/// Calls a function that gives rows: those of its last statement.
pub(crate) fn rows(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let (mut rows, columns) = run_body(call, arguments)?;
    let result = call.types.result;
    if result == types::VOID {
        return Ok(known(Vec::new()));
    }
    if is_composite(call, result) && columns == [result] {
        for row in &mut rows {
            let value = row.first().map_or(ValueRef::Null, Value::as_ref);
            *row = match value.is_null() {
                true => Vec::new(),
                false => record::fields(value)?.into_iter().map(|(_, value)| value).collect(),
            };
        }
    }
    Ok(known(rows))
}

fn is_composite(call: &FunctionCall<'_>, result: Oid) -> bool {
    result == types::RECORD || call.context.catalog.type_(result).is_some_and(|ty| ty.typrelid.is_valid())
}

/// Runs all statements; the rows of the last one and their columns' types.
fn run_body(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<(Vec<Vec<Value>>, Vec<Oid>)> {
    let context = call.context;
    let procedure = context.catalog.function(call.types.function);
    let procedure = procedure.ok_or_else(|| SqlError::internal("a function that is not in the catalog"))?;
    let parameters: Vec<Value> = arguments.iter().map(|value| (*value).to_owned()).collect();
    let session = &context.session;
    {
        let mut functions = session.functions.lock();
        if functions.depth >= DEPTH_MAX {
            return Err(crate::parse::errors::too_deep());
        }
        functions.depth += 1;
    }
    // SECURITY DEFINER: the body runs with the owner's rights.
    let caller =
        procedure.prosecdef.then(|| std::mem::replace(&mut session.users.lock().1, procedure.proowner));
    // The WITH queries of the body have numbers of their own.
    let buffered = std::mem::take(&mut *context.buffered.lock());
    let done = planned(context, &procedure, call.types)
        .and_then(|plans| run_plans(call.connection, &plans, &parameters, context));
    *context.buffered.lock() = buffered;
    if let Some(caller) = caller {
        session.users.lock().1 = caller;
    }
    session.functions.lock().depth -= 1;
    done
}

fn run_plans(
    connection: &mut Connection,
    plans: &[Plan],
    parameters: &[Value],
    context: &Arc<StatementContext>,
) -> Result<(Vec<Vec<Value>>, Vec<Oid>)> {
    let mut last = (Vec::new(), Vec::new());
    for plan in plans {
        let rows = match &plan.main {
            MainPlan::Query(text) if plan.read_only => {
                let mut rows = query(connection, text, &Places::new(context, parameters))?;
                rows.iter_mut().for_each(|row| row.truncate(plan.columns.len()));
                rows
            }
            _ if !connection.is_writing() => return Err(refused(plan, context)),
            _ => {
                let mut deferred = Vec::new();
                let done = run_inside(connection, plan, parameters, context, &mut deferred)?;
                foreign_keys::settle(connection, context, deferred, None)?;
                done.rows
            }
        };
        last = (rows, plan.columns.iter().map(|column| column.ty.oid).collect());
    }
    Ok(last)
}

/// Why a statement may not change tables here.
fn refused(plan: &Plan, context: &Arc<StatementContext>) -> SqlError {
    match context.session.check_may_write(plan.tag().trim_end_matches(" 0")) {
        Err(error) => error,
        Ok(()) => SqlError::unsupported("changing tables in a function that another function calls"),
    }
}

/// The plans of a body for a call with these types.
fn planned(
    context: &Arc<StatementContext>,
    procedure: &crate::catalog::Procedure,
    types: &CallTypes,
) -> Result<Arc<[Plan]>> {
    let key = BodyKey { types: types.clone(), search_path: context.search_path.to_vec() };
    let version = context.catalog.version();
    {
        let mut functions = context.session.functions.lock();
        if functions.catalog != version {
            functions.plans.clear();
            functions.catalog = version;
        }
        if let Some(plans) = functions.plans.get(&key) {
            return Ok(plans.clone());
        }
    }
    let binding = BindContext {
        catalog: &context.catalog,
        search_path: &context.search_path,
        format: &context.format,
        text: &procedure.prosrc,
        parameters: &types.arguments,
    };
    let bound = bind::bind_function_body(procedure, &types.arguments, types.result, &binding)?;
    let user = context.session.users.lock().1;
    let plans = bound.iter().map(|statement| {
        bind::check_privileges(statement, &context.catalog, user)?;
        make_plan(statement, &binding)
    });
    let plans: Arc<[Plan]> = plans.collect::<Result<Vec<_>>>()?.into();
    context.session.functions.lock().plans.insert(key, plans.clone());
    Ok(plans)
}
