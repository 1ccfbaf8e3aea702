//! Templates: one plan for all texts that differ in the values of their literals only, so that a client that writes its
//! values into the text finds its statement planned.
//!
//! A text's shape (`parse::shape`) says where its literals are. Whether a literal may become a parameter is not guessed:
//! the statement is bound twice, once as it is and once with parameters in the literals' places, and the second tree,
//! with the literals' values put back in, must be the first. So a literal stays where it decides anything (a column in
//! ORDER BY, a type's modifier, an expression that GROUP BY repeats, a conversion done while binding): it is kept as a
//! part of the shape. Kinds of numbers (int4, int8, numeric) are different shapes from the start.
//!
//! ```text
//! UPDATE t SET a = a + 5 WHERE id = 7   →   UPDATE t SET a = a + $1 WHERE id = $2, both int4
//! SELECT a, count(*) FROM t WHERE b = 'x' GROUP BY 1   →   … WHERE b = $1 GROUP BY 1, text
//! ```
//!
//! A text whose literals cannot be read as the parameters' types, and a reading one that fails, is run by its exact text
//! instead: what a client hears of errors, and where, does not depend on any of this.

use std::sync::Arc;

use super::cache::{Shaped, Template, mentions_a_moment};
use super::extended::Formats;
use super::locking::Runs;
use super::statement::{Run, Snapshot, finish_plan};
use super::{CommandTag, Destination, Session};
use crate::bind::{self, BindContext};
use crate::bound::{BoundStatement, ExprKind, Statement, TypeMod};
use crate::catalog::Catalog;
use crate::execute;
use crate::lower::statement_exprs_mut;
use crate::oid::types as type_oids;
use crate::parse::{self, Literal, LiteralClass, Node, ast};
use crate::types;
use crate::{Oid, Result, SqlState, Value};

/// How many literals are tried one by one when they cannot all be parameters.
const TRIED_ONE_BY_ONE_MAX: usize = 16;

/// Room that a session keeps for looking at texts.
#[derive(Default)]
pub(super) struct Scratch {
    key: Vec<u8>,
    literals: Vec<Literal>,
}

/// What came of running a text by its template.
pub(super) enum Templated {
    /// It has run.
    Done(CommandTag),
    /// It is to be run by its exact text; nothing has been sent.
    Exact,
}

impl Session {
    /// Runs a query string by the template of its shape, if there is one.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn run_template(
        &mut self,
        text: &str,
        destination: &mut dyn Destination,
    ) -> Result<Templated> {
        if self.transaction.as_ref().is_some_and(|transaction| transaction.failed) {
            return Ok(Templated::Exact);
        }
        let Some((template, values)) = self.find_template(text) else { return Ok(Templated::Exact) };
        super::work::check_interrupts(self.backend(), self.deadline)?;
        let start = destination.sent();
        match self.run_by(&template, &values, destination).await {
            Err(error) if execute::is_stale_catalog(&error) && destination.take_back(start) => {
                Ok(Templated::Exact)
            }
            // Its exact text says what is wrong, as long as trying costs nothing.
            Err(error)
                if template.planned.plan.read_only
                    && !template.planned.plan.may_write
                    && is_the_statements_own(error.code())
                    && destination.take_back(start) =>
            {
                self.services.take_notifications();
                Ok(Templated::Exact)
            }
            done => done,
        }
    }

    async fn run_by(
        &mut self,
        template: &Template,
        values: &[Value],
        destination: &mut dyn Destination,
    ) -> Result<Templated> {
        let planned = &template.planned;
        let formats = Formats::default();
        let types = &planned.plan.parameters;
        let run = Run { parameters: values, types, formats: &formats, announce: true, rows_max: None };
        let mut runs = Runs::begin();
        let done = loop {
            runs.next(self).await?;
            let held_before = self.transaction().work.writes();
            let catalog = self.begin_work(planned, Snapshot::OfStatement).await?;
            if catalog.version() != planned.catalog {
                return Ok(Templated::Exact);
            }
            match self.run_planned(planned, &catalog, &run, destination).await {
                Ok(Some((done, _))) => break done,
                // A row has changed before it was locked.
                Ok(None) => {}
                Err(error) => match self.services.take_awaited() {
                    Some(awaited) => self.await_row(awaited, held_before).await?,
                    None => return Err(error),
                },
            }
        };
        let rows = Some(done.changed.unwrap_or(done.sent));
        Ok(Templated::Done(CommandTag { command: template.command.to_owned(), rows }))
    }

    /// The template of a text's shape and the values of the literals that are its parameters.
    pub(super) fn find_template(&mut self, text: &str) -> Option<(Arc<Template>, Vec<Value>)> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let found = self.find_template_in(text, &mut scratch);
        self.scratch = scratch;
        found
    }

    fn find_template_in(&mut self, text: &str, scratch: &mut Scratch) -> Option<(Arc<Template>, Vec<Value>)> {
        let Scratch { key, literals } = scratch;
        key.clear();
        literals.clear();
        let catalog = self.present_catalog();
        let environment = self.environment(&catalog);
        key.extend(environment.number.to_le_bytes());
        if !parse::shape(text, key, literals) {
            return None;
        }
        // Looked up before, so that the lock is not held while the answer is dealt with.
        let known = self.database.plans.lock().shape(key);
        let template = match known {
            Some(Shaped::Template(template)) => Some(template),
            Some(Shaped::Exact) => return None,
            Some(Shaped::Keeps(kept)) => {
                let shape = add_kept(key, text, literals, kept);
                let known = self.database.plans.lock().shape(key);
                match known {
                    Some(Shaped::Template(template)) => Some(template),
                    Some(_) => return None,
                    None => {
                        key.truncate(shape);
                        None
                    }
                }
            }
            other @ (None | Some(Shaped::Once)) => {
                if other.is_none() {
                    self.database.plans.lock().keep_shape(key, Shaped::Once);
                    return None;
                }
                None
            }
        };
        let template = match template {
            Some(template) => template,
            None => self.learn(text, key, literals, &catalog)?,
        };
        let values = self.literal_values(text, literals, &template, &catalog)?;
        Some((template, values))
    }

    /// The literals' values as the parameters' types read them; nothing when one cannot be read.
    fn literal_values(
        &self,
        text: &str,
        literals: &[Literal],
        template: &Template,
        catalog: &Arc<Catalog>,
    ) -> Option<Vec<Value>> {
        let chosen = chosen(literals, template.literals);
        let environment = self.environment.as_ref()?;
        let started =
            self.transaction.as_ref().map_or(self.statement_time, |transaction| transaction.started);
        let mut context = None;
        chosen
            .zip(&template.types)
            .map(|(literal, ty)| match (literal.class, *ty) {
                (LiteralClass::Integer | LiteralClass::BigInteger, _) => {
                    literal.text(text).parse().ok().map(Value::Integer)
                }
                (LiteralClass::Text, type_oids::TEXT) => Some(Value::Text(literal.string(text))),
                (class, ty) => {
                    let format = context.get_or_insert_with(|| environment.format(started));
                    let search_path = &environment.search_path;
                    let context = types::TypeContext { catalog, format, search_path };
                    read(text, literal, class, ty, &context)
                }
            })
            .collect()
    }

    /// Finds out which literals of a text may be parameters, and keeps that for its shape, `key`.
    fn learn(
        &mut self,
        text: &str,
        key: &mut Vec<u8>,
        literals: &[Literal],
        catalog: &Arc<Catalog>,
    ) -> Option<Arc<Template>> {
        // A text with an error has no shape worth knowing: the next one may have none.
        let parsed = {
            let _attention = self.attend();
            parse::parse(text).ok()?
        };
        let [statement] = parsed.as_slice() else { return None };
        let Node::Sql(tree) = &statement.node else { return None };
        let learned = self.with_binding(&statement.text, &[], catalog, |binding, user| {
            let exact = bind::bind(tree, binding).ok()?;
            let trial = Trial { text, offset: statement.offset, tree, literals, binding };
            let (bits, bound) = trial.most_parameters(&exact.statement)?;
            let types = bound.parameters.clone();
            Some((bits, types, finish_plan(&bound, binding, user).ok()?))
        });
        let kept = learned.as_ref().map_or(0, |(bits, ..)| all(literals) & !bits);
        let kept_texts = || chosen(literals, kept).any(|literal| mentions_a_moment(literal.text(text)));
        let Some((bits, types, planned)) = learned.filter(|_| !kept_texts()) else {
            self.database.plans.lock().keep_shape(key, Shaped::Exact);
            return None;
        };
        let command = super::command_word(tree);
        let template = Arc::new(Template { command, planned, literals: bits, types });
        let mut plans = self.database.plans.lock();
        if kept != 0 {
            plans.keep_shape(key, Shaped::Keeps(kept));
            add_kept(key, text, literals, kept);
        }
        plans.keep_shape(key, Shaped::Template(template.clone()));
        Some(template)
    }
}

/// Whether an error tells of the statement, not of what befell it.
fn is_the_statements_own(code: SqlState) -> bool {
    // Classes: operator intervention, system errors, connections, transaction rollback, locks.
    !["57", "58", "08", "40", "55", "XX"].iter().any(|class| code.as_str().starts_with(class))
}

/// The bits of all literals.
fn all(literals: &[Literal]) -> u64 {
    u64::MAX >> (u64::BITS as usize - literals.len())
}

/// The literals whose bits are set.
fn chosen(literals: &[Literal], bits: u64) -> impl Iterator<Item = &Literal> {
    literals.iter().enumerate().filter(move |(index, _)| bits >> index & 1 == 1).map(|(_, literal)| literal)
}

/// Appends the texts of kept literals to a shape; how long the shape was.
fn add_kept(key: &mut Vec<u8>, text: &str, literals: &[Literal], kept: u64) -> usize {
    let shape = key.len();
    for literal in chosen(literals, kept) {
        key.push(0);
        key.extend_from_slice(literal.text(text).as_bytes());
    }
    shape
}

/// The value of a literal as a type reads it.
fn read(
    text: &str,
    literal: &Literal,
    class: LiteralClass,
    ty: Oid,
    context: &types::TypeContext<'_>,
) -> Option<Value> {
    let ty = TypeMod::plain(ty);
    match class {
        LiteralClass::Text => types::input(ty, &literal.string(text), context).ok(),
        _ => types::input(ty, literal.text(text), context).ok(),
    }
}

/// A statement on trial: which of its literals may be parameters?
struct Trial<'a> {
    text: &'a str,
    offset: usize,
    tree: &'a ast::Statement,
    literals: &'a [Literal],
    binding: &'a BindContext<'a>,
}

impl Trial<'_> {
    /// As many literals as can be parameters together, by their bits, and the statement with them; nothing for none.
    fn most_parameters(&self, exact: &Statement) -> Option<(u64, BoundStatement)> {
        let every = all(self.literals);
        if let Some(bound) = self.same_with(every, exact) {
            return Some((every, bound));
        }
        if self.literals.len() > TRIED_ONE_BY_ONE_MAX {
            return None;
        }
        let single = (0..self.literals.len()).map(|index| 1 << index);
        let bits = single.filter(|bit| self.same_with(*bit, exact).is_some()).fold(0, |bits, bit| bits | bit);
        if bits == 0 {
            return None;
        }
        Some((bits, self.same_with(bits, exact)?))
    }

    /// The statement bound with these literals as parameters, if it means the same.
    fn same_with(&self, bits: u64, exact: &Statement) -> Option<BoundStatement> {
        let literals: Vec<Literal> = chosen(self.literals, bits).copied().collect();
        let (tree, found) = parse::with_parameters(self.tree, self.text, self.offset, &literals);
        if found.contains(&false) {
            return None;
        }
        let declared: Vec<Oid> = literals
            .iter()
            .map(|literal| match literal.class {
                LiteralClass::Integer => type_oids::INT4,
                LiteralClass::BigInteger => type_oids::INT8,
                LiteralClass::Decimal => type_oids::NUMERIC,
                // Found out as for a string.
                LiteralClass::Text => Oid::INVALID,
            })
            .collect();
        let bound = bind::bind(&tree, &BindContext { parameters: &declared, ..*self.binding }).ok()?;
        let context = self.binding.type_context();
        let typed = literals.iter().zip(&bound.parameters);
        let values = typed.map(|(literal, ty)| read(self.text, literal, literal.class, *ty, &context));
        let values: Vec<Value> = values.collect::<Option<_>>()?;
        let mut filled = (*bound.statement).clone();
        statement_exprs_mut(&mut filled, &mut |expr| {
            if let ExprKind::Parameter(number) = expr.kind
                && let Some(value) = values.get(number - 1)
            {
                expr.kind = ExprKind::Constant(value.clone());
            }
        });
        (filled == *exact).then_some(bound)
    }
}
