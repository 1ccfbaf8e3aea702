//! Golden scripts: `tests/golden/NAME.sql` is fed to psql, and what psql prints, statements included, must be
//! `NAME.out`. The expected texts are PostgreSQL's own: `tests/golden/record` runs the scripts against a real
//! PostgreSQL 15 and writes them. A script stays replayable against both.

use std::io::Read;
use std::path::PathBuf;

use crate::{Server, workspace};

fn folder() -> PathBuf {
    workspace().join("tests/golden")
}

/// Replays one script in a new database.
///
/// # Panics
/// When what psql prints differs; the first differing lines are shown.
pub fn replay(server: &Server, name: &str) {
    let expected =
        std::fs::read_to_string(folder().join(format!("{name}.out"))).expect("the expected text exists");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = server.psql_command("postgres");
    command
        .args(["-a", "-q", "-f"])
        // Errors name the script as it is given here.
        .arg(format!("{name}.sql"))
        .current_dir(folder())
        .stdout(writer.try_clone().expect("a descriptor"))
        .stderr(writer);
    let mut child = command.spawn().expect("psql runs");
    // The command keeps its ends of the pipe open until it is dropped.
    drop(command);
    let mut printed = String::new();
    reader.read_to_string(&mut printed).expect("psql prints UTF-8");
    child.wait().expect("waitable");
    if printed != expected {
        printed = first_difference(&expected, &printed);
        panic!("{name}: {printed}");
    }
}

fn first_difference(expected: &str, printed: &str) -> String {
    let (mut left, mut right) = (expected.lines(), printed.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (left.next(), right.next()) {
            (None, None) => return "the ends of lines differ".to_owned(),
            (left, right) if left != right => {
                return format!(
                    "line {number}\n expected: {}\n printed:  {}",
                    left.unwrap_or("<end>"),
                    right.unwrap_or("<end>")
                );
            }
            _ => {}
        }
    }
}
