//! Running one permutation: steps are sent in order; each either ends or is seen to wait, and is looked at again after
//! every step that follows.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, SimpleQueryMessage, Statement};

use super::script::{Permutation, Script, StepReference, Values};
use crate::Peer;

/// How long a step may neither end nor be seen to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a step may wait for another session while nobody does anything: nobody will then end its wait.
const STUCK: Duration = Duration::from_millis(300);

/// How often a step is looked at.
const LOOK: Duration = Duration::from_millis(1);

type Answer = Result<Vec<SimpleQueryMessage>, Error>;

/// One connected session.
struct Session {
    name: String,
    pid: i32,
    client: std::sync::Arc<Client>,
    /// The step that it is in.
    running: Option<(String, JoinHandle<Answer>)>,
}

/// Who looks whether sessions wait.
struct Watcher {
    client: Client,
    question: Statement,
}

/// What a look at a session saw.
enum Seen {
    /// Its step, by this name, has ended.
    Ended(String, Answer),
    Waits,
    /// It neither ended nor waited for as long as one has patience; or it is in no step.
    Silent,
}

/// Runs one permutation; what it printed.
pub(super) async fn run(peer: &Peer, script: &Script, permutation: &Permutation, values: &Values) -> String {
    let control = peer.connect("control").await;
    let prepare = |what: &'static str, sql: String, client: Client| async move {
        let done = client.batch_execute(&sql).await;
        done.unwrap_or_else(|error| panic!("{what}: {}", told_error(&error, &[])));
        client
    };
    let control = prepare("setup", values.fill(&script.setup), control).await;
    let question = control.prepare("SELECT cardinality(pg_blocking_pids($1)) > 0").await.expect("a query");
    let watcher = Watcher { client: control, question };
    let mut sessions = Vec::new();
    for session in &script.sessions {
        let client = peer.connect(&session.name).await;
        let client = match &session.setup {
            Some(sql) => prepare("setup of a session", values.fill(sql), client).await,
            None => client,
        };
        let row = client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a pid");
        let (name, client) = (session.name.clone(), std::sync::Arc::new(client));
        sessions.push(Session { name, pid: row.get(0), client, running: None });
    }
    let mut printed = String::new();
    for reference in &permutation.steps {
        step(script, values, reference, &mut sessions, &watcher, &mut printed).await;
    }
    for index in 0..sessions.len() {
        end(&mut sessions, index, &watcher, &mut printed, STUCK).await;
    }
    close(sessions, &watcher).await;
    prepare("teardown", values.fill(&script.teardown), watcher.client).await;
    printed
}

/// Sends a step, waits until it ends or waits, and looks at those that have been waiting.
async fn step(
    script: &Script,
    values: &Values,
    reference: &StepReference,
    sessions: &mut [Session],
    watcher: &Watcher,
    printed: &mut String,
) {
    end(sessions, reference.session, watcher, printed, STUCK).await;
    let (name, sql) = &script.sessions[reference.session].steps[reference.step];
    let sql = values.fill(sql);
    let session = &mut sessions[reference.session];
    let label = format!("{}.{name}", session.name);
    let client = session.client.clone();
    let shown = sql.replace('\n', " ");
    session.running = Some((label.clone(), tokio::spawn(async move { client.simple_query(&sql).await })));
    let pids = pids(sessions);
    if reference.waits {
        printed.push_str(&format!("{label}: {shown} <waiting>\n"));
        end(sessions, reference.session, watcher, printed, PATIENCE).await;
    }
    match look(&mut sessions[reference.session], watcher).await {
        _ if reference.waits => {}
        Seen::Ended(_, answer) => printed.push_str(&format!("{label}: {shown}\n{}", told(&answer, &pids))),
        Seen::Waits => printed.push_str(&format!("{label}: {shown} <waiting>\n")),
        Seen::Silent => printed.push_str(&format!("{label}: {shown} <neither ends nor waits>\n")),
    }
    for session in sessions.iter_mut().filter(|session| session.running.is_some()) {
        if let Seen::Ended(label, answer) = look(session, watcher).await {
            printed.push_str(&ended(&label, &answer, &pids));
        }
    }
}

/// Waits until the session is in no step; cancels one that does not end in so long.
async fn end(
    sessions: &mut [Session],
    index: usize,
    watcher: &Watcher,
    printed: &mut String,
    patience: Duration,
) {
    let pids = pids(sessions);
    let deadline = Instant::now() + patience;
    let mut canceled = false;
    while sessions[index].running.is_some() {
        match look(&mut sessions[index], watcher).await {
            // What a canceled step says is known.
            Seen::Ended(..) if canceled => {}
            Seen::Ended(label, answer) => printed.push_str(&ended(&label, &answer, &pids)),
            _ if canceled || Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            _ => {
                let label = sessions[index].running.as_ref().map_or("", |(label, _)| label.as_str());
                printed.push_str(&format!("{label}: <never ends>\n"));
                canceled = true;
                let _unreachable =
                    sessions[index].client.cancel_token().cancel_query(tokio_postgres::NoTls).await;
            }
        }
    }
}

/// What is printed when a step that waited ends.
fn ended(label: &str, answer: &Answer, pids: &[(i32, String)]) -> String {
    format!("{label}: <ends>\n{}", told(answer, pids))
}

/// Waits until the session's step ends or is seen to wait.
async fn look(session: &mut Session, watcher: &Watcher) -> Seen {
    let deadline = Instant::now() + PATIENCE;
    let Some((_, handle)) = &mut session.running else { return Seen::Silent };
    loop {
        if let Ok(joined) = tokio::time::timeout(LOOK, &mut *handle).await {
            let answer = joined.expect("the step's task does not panic");
            let label = session.running.take().map_or_else(String::new, |(label, _)| label);
            return Seen::Ended(label, answer);
        }
        let row = watcher.client.query_one(&watcher.question, &[&session.pid]).await;
        if row.expect("who waits can be asked").get::<_, bool>(0) && !handle.is_finished() {
            return Seen::Waits;
        }
        if Instant::now() > deadline {
            return Seen::Silent;
        }
    }
}

/// Closes the sessions and waits until the server has forgotten them, and with them their locks.
async fn close(sessions: Vec<Session>, watcher: &Watcher) {
    let pids: Vec<i32> = sessions.iter().map(|session| session.pid).collect();
    drop(sessions);
    let deadline = Instant::now() + PATIENCE;
    let question = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1)";
    loop {
        let row = watcher.client.query_one(question, &[&pids]).await.expect("sessions can be counted");
        if row.get::<_, i64>(0) == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "closed sessions do not go away");
        tokio::time::sleep(LOOK).await;
    }
}

fn pids(sessions: &[Session]) -> Vec<(i32, String)> {
    sessions.iter().map(|session| (session.pid, session.name.clone())).collect()
}

/// An answer in lines: column names and rows, the number of rows changed, or the error.
fn told(answer: &Answer, pids: &[(i32, String)]) -> String {
    let messages = match answer {
        Ok(messages) => messages,
        Err(error) => return told_error(error, pids),
    };
    let mut printed = String::new();
    let mut has_rows = false;
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                has_rows = true;
                let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
                printed.push_str(&format!("  {}\n", names.join("|")));
            }
            SimpleQueryMessage::Row(row) => {
                let values: Vec<&str> =
                    (0..row.len()).map(|index| row.get(index).unwrap_or("NULL")).collect();
                printed.push_str(&format!("  {}\n", without_pids(&values.join("|"), pids)));
            }
            SimpleQueryMessage::CommandComplete(rows) => {
                if !has_rows && *rows > 0 {
                    printed.push_str(&format!("  rows changed: {rows}\n"));
                }
                has_rows = false;
            }
            _ => {}
        }
    }
    printed
}

fn told_error(error: &Error, pids: &[(i32, String)]) -> String {
    let Some(error) = error.as_db_error() else { return format!("  {error}\n") };
    let mut printed = format!("  {} {}: {}\n", error.severity(), error.code().code(), error.message());
    if let Some(detail) = error.detail() {
        // Deadlocks name transactions and relations by number.
        for line in detail.lines() {
            let line = without_pids(line, pids);
            let line = if line.starts_with("Process ") { without_numbers(&line) } else { line };
            printed.push_str(&format!("  DETAIL: {line}\n"));
        }
    }
    if let Some(hint) = error.hint() {
        printed.push_str(&format!("  HINT: {hint}\n"));
    }
    printed
}

/// Replaces the pids of sessions by their names.
fn without_pids(text: &str, pids: &[(i32, String)]) -> String {
    numbers_replaced(text, |number| {
        let found = pids.iter().find(|(pid, _)| pid.to_string() == number);
        found.map_or_else(|| number.to_owned(), |(_, name)| format!("<{name}>"))
    })
}

fn without_numbers(text: &str) -> String {
    numbers_replaced(text, |_| "N".to_owned())
}

fn numbers_replaced(text: &str, replace: impl Fn(&str) -> String) -> String {
    let mut replaced = String::new();
    let mut number = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        if !number.is_empty() {
            replaced.push_str(&replace(&number));
            number.clear();
        }
        replaced.push(c);
    }
    replaced.pop();
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pids_and_numbers_are_hidden() {
        let pids = [(12, "a".to_owned()), (123, "b".to_owned())];
        assert_eq!(without_pids("Process 12 waits for 123; 1234", &pids), "Process <a> waits for <b>; 1234");
        assert_eq!(without_numbers("transaction 45; (0,1)"), "transaction N; (N,N)");
    }
}
