//! EXPLAIN: the engine's plan, a line for each step, in PostgreSQL's indentation.

use super::setting::text_column;
use super::statement::Run;
use super::{Destination, Session};
use crate::bound::TypeMod;
use crate::lower::MainPlan;
use crate::oid::types;
use crate::parse::{Definition, Explain, Node, ParsedStatement};
use crate::{Result, SqlError, Value, error};

impl Session {
    /// EXPLAIN.
    pub(super) async fn explain(
        &mut self,
        command: &Explain,
        outer: &ParsedStatement,
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<()> {
        let format = format_of(&command.options)?;
        let Node::Sql(tree) = &*command.statement.node else {
            return Err(SqlError::unsupported("EXPLAIN of a command"));
        };
        self.resume_writing().await?;
        let catalog = self.begin_reading()?;
        let planned = self.plan(tree, &outer.text, run.types, &catalog)?;
        planned.check_allowed()?;
        let (head, text) = match &planned.plan.main {
            MainPlan::Query(text) => (None, text),
            MainPlan::Modify(modify) => {
                let class = catalog.class(modify.target).map(|class| class.relname.clone());
                let word = super::command_word(tree).trim_end_matches(" 0");
                let word = format!("{}{}", &word[..1], word[1..].to_lowercase());
                (Some(format!("{word} on {}", class.unwrap_or_default())), &modify.source)
            }
        };
        let context = self.statement_context(&catalog);
        let connection = self.transaction().work.connection().expect("a snapshot has been taken");
        connection.set_context(Some(context));
        for function in &text.functions {
            function.ensure(connection).map_err(crate::execute::engine_error)?;
        }
        let steps = connection.query(&format!("EXPLAIN QUERY PLAN {}", text.sql), &[]);
        let steps = steps.map_err(crate::execute::engine_error)?;
        let mut column = text_column("QUERY PLAN");
        let rows = match format {
            Format::Text => plan_lines(head, &steps).into_iter().map(|line| vec![line]).collect(),
            Format::Json => {
                column.ty = TypeMod::plain(types::JSON);
                vec![vec![plan_json(head, &steps)]]
            }
        };
        self.send_texts(&[column], &rows, run, destination)
    }
}

/// How a plan is spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

/// The format that the options ask for; the others ask for what the engine does not tell.
///
/// # Errors
/// `42601` for an option that does not exist; `22023` for an unknown format; `0A000`.
fn format_of(options: &[Definition]) -> Result<Format> {
    let mut format = Format::Text;
    for option in options {
        let value = option.value.as_ref().map(|value| value.text().to_ascii_lowercase());
        let on = !matches!(value.as_deref(), Some("off" | "false" | "0"));
        match (option.name.as_str(), value.as_deref().unwrap_or_default()) {
            ("format", "text") => format = Format::Text,
            ("format", "json") => format = Format::Json,
            ("format", other @ ("xml" | "yaml")) => {
                return Err(SqlError::unsupported(format!("EXPLAIN in format {other}")));
            }
            ("format", other) => {
                return Err(error!(
                    INVALID_PARAMETER_VALUE,
                    "unrecognized value for EXPLAIN option \"format\": \"{other}\""
                )
                .at(option.position));
            }
            ("analyze" | "buffers" | "wal" | "settings", _) if on => {
                return Err(SqlError::unsupported(format!("EXPLAIN option \"{}\"", option.name)));
            }
            ("analyze" | "buffers" | "wal" | "settings" | "verbose" | "costs" | "timing" | "summary", _) => {}
            (unknown, _) => {
                return Err(
                    error!(SYNTAX_ERROR, "unrecognized EXPLAIN option \"{unknown}\"").at(option.position)
                );
            }
        }
    }
    Ok(format)
}

/// The steps as PostgreSQL nests them: `[{"Plan": {"Node Type": …, "Plans": […]}}]`.
fn plan_json(head: Option<String>, steps: &[Vec<Value>]) -> String {
    let children = nodes_under(0, steps);
    let root = match (head, <[serde_json::Value; 1]>::try_from(children)) {
        (None, Ok([only])) => only,
        (head, Ok([only])) => node(&head.unwrap_or_default(), vec![only]),
        (head, Err(children)) => node(head.as_deref().unwrap_or("Result"), children),
    };
    format!("{:#}", serde_json::json!([{ "Plan": root }]))
}

fn nodes_under(parent: i64, steps: &[Vec<Value>]) -> Vec<serde_json::Value> {
    let under = steps.iter().filter_map(|step| match step.as_slice() {
        [Value::Integer(number), Value::Integer(above), _, Value::Text(text)] if *above == parent => {
            Some((*number, text))
        }
        _ => None,
    });
    under.map(|(number, text)| node(text, nodes_under(number, steps))).collect()
}

fn node(kind: &str, plans: Vec<serde_json::Value>) -> serde_json::Value {
    match plans.is_empty() {
        true => serde_json::json!({ "Node Type": kind }),
        false => serde_json::json!({ "Node Type": kind, "Plans": plans }),
    }
}

/// The steps, each under the one it belongs to. A row of the engine is: number, parent's number, unused, text.
fn plan_lines(head: Option<String>, steps: &[Vec<Value>]) -> Vec<String> {
    let mut depths = std::collections::HashMap::from([(0, usize::from(head.is_some()))]);
    let mut lines: Vec<String> = head.into_iter().collect();
    for step in steps {
        let [Value::Integer(number), Value::Integer(parent), _, Value::Text(text)] = step.as_slice() else {
            continue;
        };
        let depth = depths.get(parent).copied().unwrap_or(0);
        depths.insert(*number, depth + 1);
        let indent = match depth {
            0 => String::new(),
            depth => format!("{}->  ", " ".repeat(depth * 6 - 4)),
        };
        lines.push(format!("{indent}{text}"));
    }
    if lines.is_empty() {
        lines.push("Result".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_indented_under_their_parents() {
        let step = |number: i64, parent: i64, text: &str| {
            vec![Value::Integer(number), Value::Integer(parent), Value::Integer(0), Value::from(text)]
        };
        let steps = [step(1, 0, "SCAN t"), step(2, 1, "LIST SUBQUERY"), step(3, 0, "USE TEMP B-TREE")];
        let lines = plan_lines(Some("Update on t".to_owned()), &steps);
        assert_eq!(
            lines,
            ["Update on t", "  ->  SCAN t", "        ->  LIST SUBQUERY", "  ->  USE TEMP B-TREE"]
        );
    }
}
