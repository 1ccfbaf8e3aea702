//! The script's text:
//!
//! ```text
//! # A comment.
//! with LEVEL: READ COMMITTED, REPEATABLE READ
//!
//! setup
//!   CREATE TABLE t (k int PRIMARY KEY, v int)
//! teardown
//!   DROP TABLE t
//!
//! session a
//!   setup: SET deadlock_timeout = '10ms'
//!   begin: BEGIN ISOLATION LEVEL $LEVEL
//!   write: UPDATE t SET v = 11 WHERE k = 1
//! session b
//!   write: UPDATE t SET v = 12 WHERE k = 1
//!
//! permutation a.begin a.write b.write a.commit
//! ```
//!
//! `setup` and `teardown` run around every permutation; a session's step `setup` when it connects. Every permutation is
//! run for every combination of the values of the `with` lines. A step with an asterisk waits until
//! the server itself ends the wait (a timeout, a deadlock), perhaps before anybody could see it: it is shown as waiting,
//! and its end is awaited. A line that is indented deeper goes on with the last.

use std::fmt;

/// A script.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Script {
    pub(super) setup: String,
    pub(super) teardown: String,
    pub(super) sessions: Vec<SessionScript>,
    pub(super) variables: Vec<Variable>,
    pub(super) permutations: Vec<Permutation>,
}

/// A name and the values that it takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

/// A session and its steps.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SessionScript {
    pub(super) name: String,
    /// What it does when it connects.
    pub(super) setup: Option<String>,
    pub(super) steps: Vec<(String, String)>,
}

/// An order of steps.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Permutation {
    pub(super) text: String,
    pub(super) steps: Vec<StepReference>,
}

/// A step in a permutation: where its session and it stand in their lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepReference {
    pub(super) session: usize,
    pub(super) step: usize,
    /// Whether it is always shown as waiting.
    pub(super) waits: bool,
}

/// One combination of values.
#[derive(Clone, Debug, Default)]
pub(super) struct Values(pub(super) Vec<(String, String)>);

impl Values {
    /// A text with the values in the places of their names.
    pub(super) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            write!(f, ", {name} = {value}")?;
        }
        Ok(())
    }
}

/// What the indented lines belong to.
enum Part {
    Nothing,
    Setup,
    Teardown,
    Session,
}

impl Script {
    /// Reads a script.
    ///
    /// # Panics
    /// With the number of a line that cannot be read.
    pub fn parse(text: &str) -> Self {
        let mut script = Self::default();
        let mut part = Part::Nothing;
        let mut permutations = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            if indent > 0 {
                script
                    .indented(&part, indent, content)
                    .unwrap_or_else(|| panic!("line {}: {line}", number + 1));
                continue;
            }
            let (word, rest) = content.split_once(' ').unwrap_or((content, ""));
            match word {
                "with" => {
                    let (name, values) =
                        rest.split_once(": ").unwrap_or_else(|| panic!("line {}: {line}", number + 1));
                    let values = values.split(", ").map(str::to_owned).collect();
                    script.variables.push(Variable { name: name.to_owned(), values });
                }
                "setup" => part = Part::Setup,
                "teardown" => part = Part::Teardown,
                "session" => {
                    part = Part::Session;
                    script.sessions.push(SessionScript {
                        name: rest.to_owned(),
                        setup: None,
                        steps: Vec::new(),
                    });
                }
                "permutation" => permutations.push((number, rest.to_owned())),
                _ => panic!("line {}: {line}", number + 1),
            }
        }
        for (number, text) in permutations {
            let steps = text.split_whitespace().map(|word| {
                script
                    .reference(word)
                    .unwrap_or_else(|| panic!("line {}: there is no step {word}", number + 1))
            });
            let steps = steps.collect();
            script.permutations.push(Permutation { text, steps });
        }
        script
    }

    fn indented(&mut self, part: &Part, indent: usize, content: &str) -> Option<()> {
        let add = |text: &mut String| {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(content);
        };
        match part {
            Part::Setup => add(&mut self.setup),
            Part::Teardown => add(&mut self.teardown),
            Part::Session if indent > 2 => add(&mut self.sessions.last_mut()?.steps.last_mut()?.1),
            Part::Session => {
                let (name, sql) = content.split_once(": ")?;
                let session = self.sessions.last_mut()?;
                match name {
                    "setup" => session.setup = Some(sql.to_owned()),
                    name => session.steps.push((name.to_owned(), sql.to_owned())),
                }
            }
            Part::Nothing => return None,
        }
        Some(())
    }

    fn reference(&self, word: &str) -> Option<StepReference> {
        let (name, waits) = word.strip_suffix('*').map_or((word, false), |name| (name, true));
        let (session, step) = name.split_once('.')?;
        let session = self.sessions.iter().position(|candidate| candidate.name == session)?;
        let step = self.sessions[session].steps.iter().position(|(candidate, _)| candidate == step)?;
        Some(StepReference { session, step, waits })
    }

    /// All combinations of values.
    pub(super) fn combinations(&self) -> Vec<Values> {
        let mut combinations = vec![Values::default()];
        for variable in &self.variables {
            combinations = combinations
                .into_iter()
                .flat_map(|values| {
                    variable.values.iter().map(move |value| {
                        let mut values = values.clone();
                        values.0.push((variable.name.clone(), value.clone()));
                        values
                    })
                })
                .collect();
        }
        combinations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read() {
        let script = Script::parse(
            "# about\nwith A: x, y z\nwith B: 1, 2\nsetup\n  one\n  two\nsession a\n  setup: SET s\n  s: SELECT $A\n     FROM $B\n\
             session b\n  t: t\npermutation a.s b.t*\n",
        );
        assert_eq!(script.setup, "one\ntwo");
        assert_eq!(script.sessions[0].setup.as_deref(), Some("SET s"));
        let combinations = script.combinations();
        assert_eq!(combinations.len(), 4);
        assert_eq!(combinations[3].fill(&script.sessions[0].steps[0].1), "SELECT y z\nFROM 2");
        assert_eq!(combinations[3].to_string(), ", A = y z, B = 2");
        let waits: Vec<bool> = script.permutations[0].steps.iter().map(|step| step.waits).collect();
        assert_eq!(waits, [false, true]);
    }
}
