//! Function calls: from a name and arguments to a function, a column, or a conversion.
//!
//! Source: `src/backend/parser/parse_func.c`.

use std::sync::Arc;

use sqlparser::ast;

use super::candidates::Candidate;
use super::coerce::{Context, Pathway};
use super::position::At;
use super::scope::{Clause, ident_name, name_location, name_parts};
use super::{Binder, Typed};
use crate::bound::{Call, ExprKind, TypeMod};
use crate::catalog::Procedure;
use crate::oid::types;
use crate::types::names::Shown;
use crate::{Oid, Result, SqlError, error, parse};

/// The most arguments a function takes (PostgreSQL's `FUNC_MAX_ARGS`).
const ARGUMENTS_MAX: usize = 100;

/// Hint of errors about sets where one value is needed.
pub(super) const LATERAL_HINT: &str =
    "You might be able to move the set-returning function into a LATERAL FROM item.";

/// What a call's name turned out to be.
pub(super) enum Found {
    /// A function, with the way in which its parameters get their arguments.
    Function(Arc<Procedure>, Candidate),
    /// A type: the call is a cast.
    Cast(Oid),
    /// Several fit equally.
    Ambiguous,
    /// Nothing.
    Nothing,
}

/// The arguments of a call.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) values: Vec<Typed>,
    /// The names of the last arguments, those given by name.
    pub(super) names: Vec<String>,
    /// Whether the last is `VARIADIC array`.
    pub(super) variadic: bool,
}

impl Arguments {
    pub(super) fn positional(values: Vec<Typed>) -> Self {
        Self { values, ..Self::default() }
    }

    pub(super) fn types(&self) -> Vec<Oid> {
        self.values.iter().map(Typed::type_oid).collect()
    }
}

/// A function with its converted arguments.
pub(super) struct Resolved {
    pub(super) row: Arc<Procedure>,
    pub(super) arguments: Vec<Typed>,
    pub(super) result: Oid,
}

impl Binder<'_> {
    /// Binds a function call with all its clauses.
    pub(super) fn function(&mut self, function: &ast::Function) -> Result<Typed> {
        let at = At::new(name_location(&function.name));
        if let ast::FunctionArguments::Subquery(query) = &function.args {
            return self.array_subquery(query, at);
        }
        if let Some(typed) = self.special_function(function, at)? {
            return Ok(typed);
        }
        let list = match &function.args {
            ast::FunctionArguments::List(list) => list,
            _ => return Err(self.missing_function(&name_parts(&function.name), &Arguments::default(), at)),
        };
        if self.needs_aggregate_scope(&function.name) || function.over.is_some() {
            return self.aggregate_or_window(function, list, at);
        }
        let arguments = self.arguments(&list.args)?;
        self.call(function, list, arguments, at)
    }

    /// The arguments of a call.
    pub(super) fn arguments(&mut self, list: &[ast::FunctionArg]) -> Result<Arguments> {
        let mut arguments = Arguments::default();
        for argument in list {
            match argument {
                ast::FunctionArg::Named { name, arg, operator: ast::FunctionArgOperator::Space } => {
                    let _ = name;
                    arguments.variadic = true;
                    arguments.values.push(self.argument(arg)?);
                }
                ast::FunctionArg::Named { name, arg, .. } => {
                    let name_text = ident_name(name);
                    if arguments.names.contains(&name_text) {
                        return Err(error!(
                            SYNTAX_ERROR,
                            "argument name \"{name_text}\" used more than once"
                        )
                        .at(self.position_of(name.span.start)));
                    }
                    arguments.values.push(self.argument(arg)?);
                    arguments.names.push(name_text);
                }
                ast::FunctionArg::Unnamed(arg) => {
                    if !arguments.names.is_empty() {
                        let value = self.argument(arg)?;
                        return Err(error!(SYNTAX_ERROR, "positional argument cannot follow named argument")
                            .at(self.position(value.at)));
                    }
                    match arg {
                        ast::FunctionArgExpr::Wildcard | ast::FunctionArgExpr::WildcardWithOptions(_) => {}
                        arg => arguments.values.push(self.argument(arg)?),
                    }
                }
                ast::FunctionArg::ExprNamed { .. } => {
                    return Err(SqlError::unsupported("this argument syntax"));
                }
            }
        }
        if arguments.values.len() > ARGUMENTS_MAX {
            return Err(error!(
                TOO_MANY_ARGUMENTS,
                "cannot pass more than {ARGUMENTS_MAX} arguments to a function"
            ));
        }
        Ok(arguments)
    }

    fn argument(&mut self, argument: &ast::FunctionArgExpr) -> Result<Typed> {
        match argument {
            ast::FunctionArgExpr::Expr(expr) => self.expr(expr),
            ast::FunctionArgExpr::QualifiedWildcard(name) => {
                let at = At::new(name_location(name));
                let (level, item) = self.item(&name_parts(name), at)?;
                self.whole_row(level, item, at)
            }
            _ => Err(error!(SYNTAX_ERROR, "syntax error at or near \"*\"")),
        }
    }

    /// Binds a call that is neither an aggregate nor a window function.
    fn call(
        &mut self,
        function: &ast::Function,
        list: &ast::FunctionArgumentList,
        arguments: Arguments,
        at: At,
    ) -> Result<Typed> {
        let name = name_parts(&function.name);
        self.refuse_aggregate_clauses(function, list, &name, at)?;
        self.call_named(&name, arguments, at)
    }

    /// Binds a call of a function by name.
    pub(super) fn call_named(&mut self, name: &[String], mut arguments: Arguments, at: At) -> Result<Typed> {
        match self.find_function(name, &arguments, at)? {
            Found::Function(row, candidate) => self.call_function(row, &candidate, arguments, name, at),
            Found::Cast(target) => {
                let input = arguments.values.pop().expect("a cast has one argument");
                self.coerce(input, TypeMod::plain(target), Context::Explicit)
            }
            Found::Ambiguous => Err(self.ambiguous_function(name, &arguments, at)),
            Found::Nothing => {
                if let ([column], [_], false) = (name, arguments.values.as_slice(), arguments.variadic)
                    && arguments.names.is_empty()
                {
                    let row = arguments.values[0].clone();
                    if let Some(field) = self.field_by_name(row, column, at)? {
                        return Ok(field);
                    }
                }
                Err(self.missing_function(name, &arguments, at))
            }
        }
    }

    /// Binds a call of a `pg_catalog` function that the grammar stands for.
    pub(super) fn catalog_call(&mut self, name: &str, values: Vec<Typed>, at: At) -> Result<Typed> {
        self.call_named(&["pg_catalog".to_owned(), name.to_owned()], Arguments::positional(values), at)
    }

    fn call_function(
        &mut self,
        row: Arc<Procedure>,
        candidate: &Candidate,
        arguments: Arguments,
        name: &[String],
        at: At,
    ) -> Result<Typed> {
        match row.prokind {
            'p' => {
                return Err(error!(WRONG_OBJECT_TYPE, "{} is a procedure", self.signature(name, &arguments))
                    .hint("To call a procedure, use CALL.")
                    .at(self.position(at)));
            }
            'a' => return Err(SqlError::internal("an aggregate is bound as one")),
            'w' => {
                return Err(error!(
                    WRONG_OBJECT_TYPE,
                    "window function {} requires an OVER clause",
                    name.join(".")
                )
                .at(self.position(at)));
            }
            _ => {}
        }
        if row.proretset {
            self.allow_set(at)?;
        }
        let resolved = self.resolve_arguments(row, candidate, arguments, at)?;
        let derived = self.derive(&resolved.arguments)?;
        let call = Call {
            function: resolved.row.oid,
            arguments: resolved.arguments.into_iter().map(|argument| argument.expr).collect(),
            collation: derived.collation,
            position: None,
        };
        if let Some(inlined) = self.scalar_routine(&call, resolved.result, at)? {
            return Ok(inlined);
        }
        let kind = if resolved.row.proretset {
            // One in FROM is no part of the target list.
            let scope = self.scope();
            scope.has_set_returning |= scope.clause != Clause::FromFunction;
            ExprKind::SetReturning(call)
        } else {
            ExprKind::Call(call)
        };
        let typed = Typed::new(kind, TypeMod::plain(resolved.result), at);
        Ok(self.collate_result(typed, derived))
    }

    /// Converts arguments to the parameters' types, fills in defaults, makes the VARIADIC array.
    pub(super) fn resolve_arguments(
        &mut self,
        row: Arc<Procedure>,
        candidate: &Candidate,
        mut arguments: Arguments,
        at: At,
    ) -> Result<Resolved> {
        self.add_defaults(&row, candidate, &mut arguments.values)?;
        if let Some(positions) = &candidate.positions {
            let mut ordered: Vec<Option<Typed>> = vec![None; arguments.values.len()];
            for (value, position) in arguments.values.into_iter().zip(positions) {
                ordered[*position] = Some(value);
            }
            arguments.values = ordered.into_iter().flatten().collect();
        }
        let actual = arguments.types();
        let mut declared = declared_types(&row, candidate, actual.len());
        let result = self
            .resolve_polymorphic(&actual, &mut declared, row.prorettype)
            .map_err(|error| error.at(self.position(at)))?;
        if arguments.variadic && row.provariadic == types::ANY {
            let last = actual.last().copied().unwrap_or_default();
            if self.base_element_type(last).is_none() && last != types::UNKNOWN {
                let place = arguments.values.last().map_or(at, |value| value.at);
                return Err(
                    error!(DATATYPE_MISMATCH, "VARIADIC argument must be an array").at(self.position(place))
                );
            }
        }
        let mut values = self.convert_arguments(arguments.values, &declared)?;
        if candidate.variadic_count > 0 && row.provariadic != types::ANY {
            let fixed = values.len() - candidate.variadic_count;
            let elements = values.split_off(fixed);
            values.push(self.variadic_array(elements)?);
        }
        Ok(Resolved { row, arguments: values, result })
    }

    fn variadic_array(&mut self, elements: Vec<Typed>) -> Result<Typed> {
        let derived = self.derive(&elements)?;
        let at = elements.first().map_or(At::NOWHERE, |element| element.at);
        let element = elements.first().map_or(types::TEXT, Typed::type_oid);
        let array = self.array_of(element)?;
        let nested = self.element_type(element).is_some();
        let elements = elements.into_iter().map(|element| element.expr).collect();
        let typed = Typed::new(ExprKind::Array { elements, nested }, TypeMod::plain(array), at);
        Ok(self.collate_result(typed, derived))
    }

    /// Appends the defaults of omitted parameters, in the order of `candidate.positions` when there is one.
    fn add_defaults(
        &mut self,
        row: &Procedure,
        candidate: &Candidate,
        values: &mut Vec<Typed>,
    ) -> Result<()> {
        if candidate.default_count == 0 {
            return Ok(());
        }
        let defaults = self.function_defaults(row)?;
        let first = usize::try_from(row.pronargs).unwrap_or(0)
            - defaults.len().min(usize::try_from(row.pronargs).unwrap_or(0));
        for index in values.len()..values.len() + candidate.default_count {
            let parameter = candidate.positions.as_ref().map_or(index, |positions| positions[index]);
            let default = parameter
                .checked_sub(first)
                .and_then(|index| defaults.get(index))
                .ok_or_else(|| SqlError::internal("a parameter without a default was omitted"))?;
            let declared = row.proargtypes.get(parameter).copied().unwrap_or(types::UNKNOWN);
            let mut typed = default.clone();
            if !super::coerce::is_polymorphic(declared) && typed.type_oid() != declared {
                typed = self.coerce(typed, TypeMod::plain(declared), Context::Explicit)?;
            }
            values.push(typed);
        }
        Ok(())
    }

    fn function_defaults(&mut self, row: &Procedure) -> Result<Vec<Typed>> {
        let Some(text) = &row.proargdefaults else { return Ok(Vec::new()) };
        let parsed = parse::parse_expression(&format!("row({text})"))?;
        let exprs: Vec<&ast::Expr> = match &parsed {
            ast::Expr::Function(ast::Function { args: ast::FunctionArguments::List(list), .. }) => list
                .args
                .iter()
                .filter_map(|argument| match argument {
                    ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Some(expr),
                    _ => None,
                })
                .collect(),
            ast::Expr::Tuple(items) => items.iter().collect(),
            _ => return Err(SqlError::internal("defaults of a function are a list")),
        };
        let mut defaults = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let mut typed = self.expr(expr)?;
            typed.at = At::NOWHERE;
            defaults.push(typed);
        }
        Ok(defaults)
    }

    /// What a call's name means.
    pub(super) fn find_function(&self, name: &[String], arguments: &Arguments, at: At) -> Result<Found> {
        let actual = arguments.types();
        let raw = self.function_candidates(name, &actual, arguments, at)?;
        let exact = raw.iter().find(|candidate| {
            candidate.parameters.len() >= actual.len() && candidate.parameters[..actual.len()] == actual[..]
        });
        let mut best = exact.cloned();
        if best.is_none() {
            if actual.len() == 1
                && arguments.names.is_empty()
                && let Some(target) = self.function_as_cast(name, actual[0])
            {
                return Ok(Found::Cast(target));
            }
            let mut matching = self.matching_candidates(&actual, raw);
            best = match matching.len() {
                0 => None,
                1 => matching.pop(),
                _ => match self.best_candidate(&actual, matching) {
                    Some(best) => Some(best),
                    None => return Ok(Found::Ambiguous),
                },
            };
        }
        let Some(best) = best else { return Ok(Found::Nothing) };
        if !best.oid.is_valid() {
            return Ok(Found::Ambiguous);
        }
        match self.catalog().function(best.oid) {
            Some(row) => Ok(Found::Function(row, best)),
            None => Ok(Found::Nothing),
        }
    }

    /// The type that a call of one argument casts to, when its name is a type's and the cast is one without a function.
    fn function_as_cast(&self, name: &[String], source: Oid) -> Option<Oid> {
        let row = match name {
            [single] => self
                .context
                .search_path
                .iter()
                .find_map(|namespace| self.catalog().type_named(*namespace, single))?,
            [schema, single] => {
                let namespace = self.catalog().namespace_named(schema)?.oid;
                self.catalog().type_named(namespace, single)?
            }
            _ => return None,
        };
        if !row.typisdefined || row.typtype == 'c' {
            return None;
        }
        let target = row.oid;
        if source == types::UNKNOWN {
            return Some(target);
        }
        let casts = match self.pathway(source, target, Context::Explicit)? {
            Pathway::Relabel => true,
            Pathway::Text => {
                !((source == types::RECORD || self.is_composite(source)) && self.category(target) == 'S')
            }
            _ => false,
        };
        casts.then_some(target)
    }

    /// All functions of a name that take this number of arguments.
    fn function_candidates(
        &self,
        name: &[String],
        actual: &[Oid],
        arguments: &Arguments,
        at: At,
    ) -> Result<Vec<Candidate>> {
        let (schema, function) = match name {
            [function] => (None, function),
            [schema, function] | [_, schema, function] => {
                self.refuse_other_database(name, Shown::Bare, at)?;
                (Some(self.namespace(schema, at)?), function)
            }
            _ => {
                return Err(error!(
                    SYNTAX_ERROR,
                    "improper qualified name (too many dotted names): {}",
                    name.join(".")
                ));
            }
        };
        let mut found: Vec<Candidate> = Vec::new();
        for row in self.catalog().functions_named(function).iter() {
            let path = match schema {
                Some(namespace) => (namespace == row.pronamespace).then_some(0),
                None => self.context.search_path.iter().position(|oid| *oid == row.pronamespace),
            };
            let Some(path) = path else { continue };
            if let Some(candidate) = candidate(row, path, actual.len(), arguments) {
                add_candidate(&mut found, candidate, actual.len());
            }
        }
        Ok(found)
    }

    fn signature(&self, name: &[String], arguments: &Arguments) -> String {
        let positional = arguments.values.len() - arguments.names.len();
        let parts: Vec<String> = arguments
            .values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let ty = self.format_type(value.type_oid());
                match index.checked_sub(positional).and_then(|index| arguments.names.get(index)) {
                    Some(name) => format!("{name} => {ty}"),
                    None => ty,
                }
            })
            .collect();
        format!("{}({})", name.join("."), parts.join(", "))
    }

    pub(super) fn ambiguous_function(&self, name: &[String], arguments: &Arguments, at: At) -> SqlError {
        error!(AMBIGUOUS_FUNCTION, "function {} is not unique", self.signature(name, arguments))
            .hint("Could not choose a best candidate function. You might need to add explicit type casts.")
            .at(self.position(at))
    }

    pub(super) fn missing_function(&self, name: &[String], arguments: &Arguments, at: At) -> SqlError {
        error!(UNDEFINED_FUNCTION, "function {} does not exist", self.signature(name, arguments))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
            .at(self.position(at))
    }

    /// Whether a set may be returned here.
    ///
    /// # Errors
    /// `0A000` naming the clause.
    fn allow_set(&mut self, at: At) -> Result<()> {
        self.scope().sets_bound += 1;
        self.scope().last_set = at;
        match self.scope_ref().clause {
            Clause::FromFunction
            | Clause::SelectTarget
            | Clause::GroupBy
            | Clause::OrderBy
            | Clause::DistinctOn
            | Clause::ValuesSingle => Ok(()),
            clause => Err(error!(
                FEATURE_NOT_SUPPORTED,
                "set-returning functions are not allowed in {}",
                clause.name()
            )
            .at(self.position(at))),
        }
    }

    /// `DISTINCT`, `FILTER` and so on belong to aggregates.
    fn refuse_aggregate_clauses(
        &self,
        function: &ast::Function,
        list: &ast::FunctionArgumentList,
        name: &[String],
        at: At,
    ) -> Result<()> {
        let name = name.join(".");
        let ordered =
            list.clauses.iter().any(|clause| matches!(clause, ast::FunctionArgumentClause::OrderBy(_)));
        let star =
            matches!(list.args.as_slice(), [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)]);
        let what = if star {
            format!("{name}(*) specified, but {name} is not an aggregate function")
        } else if list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct) {
            format!("DISTINCT specified, but {name} is not an aggregate function")
        } else if !function.within_group.is_empty() {
            format!("WITHIN GROUP specified, but {name} is not an aggregate function")
        } else if ordered {
            format!("ORDER BY specified, but {name} is not an aggregate function")
        } else if function.filter.is_some() {
            format!("FILTER specified, but {name} is not an aggregate function")
        } else {
            return Ok(());
        };
        if self.catalog().functions_named(name.rsplit('.').next().unwrap_or_default()).is_empty() {
            return Ok(());
        }
        Err(error!(WRONG_OBJECT_TYPE, "{what}").at(self.position(at)))
    }
}

/// The declared types in the order of the arguments, the VARIADIC one repeated.
fn declared_types(row: &Procedure, candidate: &Candidate, count: usize) -> Vec<Oid> {
    let mut declared = row.proargtypes.clone();
    if candidate.variadic_count > 0 {
        let element = candidate.parameters.last().copied().unwrap_or(types::ANY);
        declared.pop();
        declared.resize(count, element);
    }
    declared
}

/// How a function would take a call's arguments, when it can.
fn candidate(row: &Procedure, path: usize, count: usize, arguments: &Arguments) -> Option<Candidate> {
    let declared = row.proargtypes.len();
    let defaults = usize::try_from(row.pronargdefaults).unwrap_or(0);
    let mut candidate = Candidate {
        oid: row.oid,
        parameters: row.proargtypes.clone(),
        path_position: path,
        variadic_count: 0,
        default_count: 0,
        positions: None,
    };
    if !arguments.names.is_empty() {
        let positions = named_positions(row, count, &arguments.names, defaults)?;
        candidate.parameters = positions.iter().map(|position| row.proargtypes[*position]).collect();
        candidate.default_count = declared - count;
        candidate.positions = Some(positions);
        return Some(candidate);
    }
    if row.provariadic.is_valid() && !arguments.variadic && declared <= count.max(1) && count >= declared {
        candidate.variadic_count = count + 1 - declared;
        candidate.parameters.pop();
        candidate.parameters.resize(count, row.provariadic);
        return Some(candidate);
    }
    if arguments.variadic && !row.provariadic.is_valid() {
        return None;
    }
    if declared == count {
        return Some(candidate);
    }
    if declared > count && count + defaults >= declared {
        candidate.default_count = declared - count;
        return Some(candidate);
    }
    None
}

/// Which parameter each argument is for, omitted ones after the given.
fn named_positions(row: &Procedure, count: usize, names: &[String], defaults: usize) -> Option<Vec<usize>> {
    let declared = row.proargtypes.len();
    if count > declared {
        return None;
    }
    let parameter_names = row.proargnames.as_ref()?;
    let modes = row.proargmodes.as_ref();
    let is_input = |index: usize| modes.is_none_or(|modes| matches!(modes.get(index), Some('i' | 'b' | 'v')));
    let mut positions: Vec<usize> = (0..count - names.len()).collect();
    for name in names {
        let inputs = (0..parameter_names.len()).filter(|index| is_input(*index));
        let position = inputs.enumerate().find(|(_, index)| parameter_names[*index] == *name)?.0;
        if positions.contains(&position) || position >= declared {
            return None;
        }
        positions.push(position);
    }
    for missing in 0..declared {
        if !positions.contains(&missing) {
            if missing + defaults < declared {
                return None;
            }
            positions.push(missing);
        }
    }
    Some(positions)
}

/// Adds a candidate unless an earlier schema, or a call without VARIADIC, hides it.
fn add_candidate(found: &mut Vec<Candidate>, candidate: Candidate, count: usize) {
    let same = found.iter_mut().find(|other| {
        other.parameters.len().min(count) == candidate.parameters.len().min(count)
            && other.parameters[..count.min(other.parameters.len())]
                == candidate.parameters[..count.min(candidate.parameters.len())]
    });
    let Some(other) = same else {
        found.push(candidate);
        return;
    };
    if candidate.path_position != other.path_position {
        if candidate.path_position < other.path_position {
            *other = candidate;
        }
    } else if other.variadic_count > 0 && candidate.variadic_count == 0 {
        *other = candidate;
    } else if candidate.variadic_count > 0 && other.variadic_count == 0 {
        // The one that takes the arguments as they are stays.
    } else if other.default_count > 0 && candidate.default_count == 0 {
        *other = candidate;
    } else if candidate.default_count > 0 && other.default_count == 0 {
        // The one that needs no defaults stays.
    } else {
        other.oid = Oid::INVALID;
    }
}
