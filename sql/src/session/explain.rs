//! EXPLAIN: the engine's plan, a line for each step, in PostgreSQL's indentation.

use super::setting::text_column;
use super::statement::Run;
use super::{Destination, Session};
use crate::lower::MainPlan;
use crate::parse::{Explain, Node, ParsedStatement};
use crate::{Result, SqlError, Value};

impl Session {
    /// EXPLAIN.
    pub(super) async fn explain(
        &mut self,
        command: &Explain,
        outer: &ParsedStatement,
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<()> {
        for option in &command.options {
            let on = option
                .value
                .as_ref()
                .is_none_or(|value| !matches!(value.text().as_str(), "off" | "false" | "0"));
            let format =
                option.name == "format" && option.value.as_ref().is_some_and(|value| value.text() != "text");
            if format || (on && matches!(option.name.as_str(), "analyze" | "buffers" | "wal" | "settings")) {
                return Err(SqlError::unsupported(format!("EXPLAIN option \"{}\"", option.name)));
            }
        }
        let Node::Sql(tree) = &*command.statement.node else {
            return Err(SqlError::unsupported("EXPLAIN of a command"));
        };
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
        let lines = plan_lines(head, &steps);
        let rows: Vec<Vec<String>> = lines.into_iter().map(|line| vec![line]).collect();
        self.send_texts(&[text_column("QUERY PLAN")], &rows, run, destination)
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
