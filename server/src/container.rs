//! The conventions of the official postgres image, for `--container`: what the environment says of a new data directory,
//! the scripts that fill it, the readiness probe, and what process 1 owes to processes without a parent.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use sql::backend::BackendKind;
use sql::cluster::Cluster;
use sql::session::{Completion, ConnectRequest, Destination, Format, OutputRow, RowShape, Session};
use sql::{Report, Result, Severity, SqlError, error};
use tokio::signal::unix::{SignalKind, signal};

use crate::listener::os_text;
use crate::log::Logger;

/// Where scripts for a new data directory are.
const SCRIPTS: &str = "/docker-entrypoint-initdb.d";
/// The superuser, and the database, of a server that is told none.
const DEFAULT_USER: &str = "postgres";
const DEFAULT_AUTHENTICATION: &str = "scram-sha-256";
/// How long the probe waits for an answer.
const PROBE_PATIENCE: Duration = Duration::from_secs(3);
/// How long a dead child may wait for the one that started it; then nobody did.
const ORPHAN_AGE: Duration = Duration::from_secs(1);

const NO_PASSWORD: &str = "\
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, \"-e POSTGRES_PASSWORD=password\" on \"docker run\".

       You may also use \"POSTGRES_HOST_AUTH_METHOD=trust\" to allow all
       connections without a password. This is *not* recommended.

       See PostgreSQL documentation about \"trust\":
       https://www.postgresql.org/docs/current/auth-trust.html";

/// What a new data directory is to be.
#[derive(Debug, PartialEq, Eq)]
pub struct FirstStart {
    user: String,
    password: Option<String>,
    database: String,
    authentication: String,
    scripts: PathBuf,
}

impl FirstStart {
    /// What the environment asks for; `None` when the data directory is in use already.
    ///
    /// # Errors
    /// A text for people.
    pub fn from_environment(directory: &Path) -> Result<Option<Self>, String> {
        if directory.join(crate::directory::VERSION_FILE_NAME).exists() {
            return Ok(None);
        }
        Self::read(&|name| std::env::var(name).ok(), &|path| std::fs::read_to_string(path)).map(Some)
    }

    fn read(
        variable: &dyn Fn(&str) -> Option<String>,
        file: &dyn Fn(&str) -> std::io::Result<String>,
    ) -> Result<Self, String> {
        let value = |name: &str| -> Result<Option<String>, String> {
            let file_name = format!("{name}_FILE");
            let set = |name: &str| variable(name).filter(|value| !value.is_empty());
            match (set(name), set(&file_name)) {
                (Some(_), Some(_)) => {
                    Err(format!("error: both {name} and {file_name} are set (but are exclusive)"))
                }
                (given, None) => Ok(given),
                (None, Some(path)) => file(&path)
                    .map(|text| Some(text.trim_end_matches('\n').to_owned()).filter(|text| !text.is_empty()))
                    .map_err(|error| {
                        format!("error: could not read {file_name} \"{path}\": {}", os_text(&error))
                    }),
            }
        };
        if variable("POSTGRES_INITDB_ARGS").is_some_and(|arguments| !arguments.is_empty()) {
            return Err("error: POSTGRES_INITDB_ARGS is not supported: there is no initdb".into());
        }
        let user = value("POSTGRES_USER")?.unwrap_or_else(|| DEFAULT_USER.into());
        let database = value("POSTGRES_DB")?.unwrap_or_else(|| user.clone());
        let password = value("POSTGRES_PASSWORD")?;
        let authentication =
            value("POSTGRES_HOST_AUTH_METHOD")?.unwrap_or_else(|| DEFAULT_AUTHENTICATION.into());
        if password.is_none() && authentication != "trust" {
            return Err(NO_PASSWORD.into());
        }
        Ok(Self { user, password, database, authentication, scripts: SCRIPTS.into() })
    }

    /// The line of `pg_hba.conf` that lets clients in from outside.
    pub(crate) fn authentication_rule(&self) -> String {
        format!("\nhost    all             all             all                     {}\n", self.authentication)
    }

    /// Makes role and database, and runs the scripts.
    ///
    /// # Errors
    /// FATAL, naming the script if it is one's fault.
    pub(crate) async fn run(&self, cluster: &Arc<Cluster>, log: &Logger) -> Result<()> {
        if self.authentication == "trust" {
            let warning =
                "POSTGRES_HOST_AUTH_METHOD is \"trust\": anyone who reaches the server may do anything";
            log.server(&Report::new(Severity::Warning, sql::SqlState::WARNING, warning));
        }
        self.make_role_and_database(cluster, log).await?;
        let scripts = scripts(&self.scripts)?;
        if scripts.is_empty() {
            return Ok(());
        }
        let mut session = connect(cluster, &self.database, &self.user).await?;
        for script in scripts {
            log.log(format!("running {}", script.display()));
            run_script(&mut session, &script, log).await.map_err(|error| in_script(error, &script))?;
        }
        Ok(())
    }

    async fn make_role_and_database(&self, cluster: &Arc<Cluster>, log: &Logger) -> Result<()> {
        let mut session = connect(cluster, DEFAULT_USER, DEFAULT_USER).await?;
        let mut quiet = Quiet { log };
        let known = self.user == DEFAULT_USER;
        let password = self.password.as_deref().map(|text| format!(" PASSWORD {}", literal(text)));
        let role = match (known, password) {
            (true, None) => None,
            (true, Some(password)) => Some(format!("ALTER ROLE {}{password}", quoted(&self.user))),
            (false, password) => Some(format!(
                "CREATE ROLE {} SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS LOGIN{}",
                quoted(&self.user),
                password.unwrap_or_default()
            )),
        };
        if let Some(role) = role {
            session.simple_query(&role, &mut quiet).await?;
        }
        if self.database != DEFAULT_USER {
            let create = format!("CREATE DATABASE {} OWNER {}", quoted(&self.database), quoted(&self.user));
            session.simple_query(&create, &mut quiet).await?;
        }
        Ok(())
    }
}

async fn connect(cluster: &Arc<Cluster>, database: &str, user: &str) -> Result<Session> {
    let request = ConnectRequest {
        database: Some(database.into()),
        user: Some(user.into()),
        settings: vec![("application_name".into(), "initialization".into())],
        kind: BackendKind::Client,
        process: None,
        client: None,
        bypass_allow_connections: false,
        bypass_login_check: false,
    };
    Session::connect(cluster, request).await
}

/// The scripts of a directory, by name. A missing directory has none.
fn scripts(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(directory) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => return Ok(Vec::new()),
    };
    paths.sort();
    let ending = |path: &Path| path.extension().and_then(OsStr::to_str).unwrap_or_default().to_owned();
    for path in &paths {
        if matches!(ending(path).as_str(), "sh" | "gz" | "xz" | "zst") {
            let hint =
                "There is no shell in here: only files that end in .sql are run. Rewrite or remove it.";
            let refused = error!(FEATURE_NOT_SUPPORTED, "cannot run \"{}\"", path.display());
            return Err(refused.hint(hint).severity(Severity::Fatal));
        }
    }
    paths.retain(|path| ending(path) == "sql");
    Ok(paths)
}

/// Runs a script's statements one after the other, each in a transaction of its own unless it says otherwise.
async fn run_script(session: &mut Session, path: &Path, log: &Logger) -> Result<()> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| error!(IO_ERROR, "could not read file: {}", os_text(&error)))?;
    let statements = sql::parse::parse(&text)?;
    for statement in &statements {
        session.simple_query(&statement.text, &mut Quiet { log }).await?;
    }
    Ok(())
}

fn in_script(error: SqlError, path: &Path) -> SqlError {
    let message = format!("{}: {}", path.display(), error.message());
    let hint = error
        .0
        .hint
        .clone()
        .unwrap_or_else(|| "Mend the script, empty the data directory, and start again.".to_owned());
    SqlError(Box::new(Report { severity: Severity::Fatal, message, hint: Some(hint), ..*error.0 }))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Forgets rows; notices go to the log.
struct Quiet<'a> {
    log: &'a Logger,
}

fn no_client() -> SqlError {
    SqlError::unsupported("COPY with a client in a start-up script")
}

#[async_trait]
impl Destination for Quiet<'_> {
    fn columns(&mut self, _shape: &RowShape<'_>) -> Result<()> {
        Ok(())
    }
    fn sent(&self) -> u64 {
        0
    }
    fn take_back(&mut self, _sent: u64) -> bool {
        true
    }
    fn row(&mut self, _row: &OutputRow<'_>) -> Result<bool> {
        Ok(false)
    }
    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }
    fn complete(&mut self, _completion: &Completion) {}
    fn notice(&mut self, report: &Report) {
        self.log.server(report);
    }
    fn parameter(&mut self, _name: &str, _value: &str) {}
    fn notification(&mut self, _pid: i32, _channel: &str, _payload: &str) {}
    async fn copy_in(&mut self, _columns: usize, _format: Format) -> Result<()> {
        Err(no_client())
    }
    async fn copy_data(&mut self) -> Result<Option<Bytes>> {
        Err(no_client())
    }
    fn copy_out(&mut self, _columns: usize, _format: Format) -> Result<()> {
        Err(no_client())
    }
    fn copy_row(&mut self, _data: &[u8]) -> Result<bool> {
        Err(no_client())
    }
    fn copy_done(&mut self) {}
}

/// The probe's exit code when it does not know whom to ask.
pub(crate) const NOT_TRIED: u8 = 3;

/// The probe's answer, as `pg_isready`'s exit code: 0 accepts connections, 1 refuses them for now, 2 nobody answers.
pub(crate) fn is_ready(port: u16) -> u8 {
    const ACCEPTS: u8 = 0;
    const REFUSES: u8 = 1;
    const NO_ANSWER: u8 = 2;
    match first_answer(port) {
        Ok(answer) if answer.first() == Some(&b'R') => ACCEPTS,
        // An error other than "starting up" or "shutting down" comes from a server that works.
        Ok(answer) if answer.windows(6).any(|field| field == b"C57P03") => REFUSES,
        Ok(answer) if answer.first() == Some(&b'E') => ACCEPTS,
        _ => NO_ANSWER,
    }
}

/// What a server says to a startup packet.
fn first_answer(port: u16) -> std::io::Result<Vec<u8>> {
    const STARTUP: &[u8] = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    const ANSWER_MAX: u64 = 1024;
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), PROBE_PATIENCE)?;
    stream.set_read_timeout(Some(PROBE_PATIENCE))?;
    stream.write_all(STARTUP)?;
    let mut answer = vec![0; ANSWER_MAX as usize];
    let length = stream.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// Buries processes that were left to process 1, for as long as the server runs. Those that the server started are
/// waited for by who started them, at once; so it is enough to leave the dead alone for a while.
pub(crate) async fn bury_orphans() {
    let Ok(mut deaths) = signal(SignalKind::child()) else { return };
    while deaths.recv().await.is_some() {
        let mut seen = zombies();
        while !seen.is_empty() {
            tokio::time::sleep(ORPHAN_AGE).await;
            let still = zombies();
            for pid in still.iter().filter(|pid| seen.contains(pid)) {
                // Somebody else may have been quicker.
                let _ = waitpid(Pid::from_raw(*pid), WaitOptions::NOHANG);
            }
            seen = still.into_iter().filter(|pid| !seen.contains(pid)).collect();
        }
    }
}

/// The dead children of this process that nobody has waited for.
fn zombies() -> Vec<i32> {
    let own = getpid().as_raw_nonzero().get();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|line| is_zombie_of(&line, own))
    })
    .collect()
}

/// Whether a line of `/proc/PID/stat` is a dead child of this parent. The name in it may contain anything.
fn is_zombie_of(line: &str, parent: i32) -> bool {
    let Some((_, rest)) = line.rsplit_once(") ") else { return false };
    let mut fields = rest.split(' ');
    fields.next() == Some("Z") && fields.next().and_then(|field| field.parse().ok()) == Some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> String {
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match FirstStart::read(&variable, &|path| Ok(format!("from {path}\n"))) {
            Ok(FirstStart { user, password, database, authentication, .. }) => {
                format!("{user} {password:?} {database} {authentication}")
            }
            Err(message) => message.lines().next().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn the_environment_is_read_as_the_official_image_does() {
        let uninitialized = "Error: Database is uninitialized and superuser password is not specified.";
        assert_eq!(read(&[]), uninitialized);
        assert_eq!(read(&[("POSTGRES_PASSWORD", "")]), uninitialized);
        assert_eq!(read(&[("POSTGRES_PASSWORD", "x")]), "postgres Some(\"x\") postgres scram-sha-256");
        assert_eq!(read(&[("POSTGRES_HOST_AUTH_METHOD", "trust")]), "postgres None postgres trust");
        assert_eq!(
            read(&[("POSTGRES_USER", "amy"), ("POSTGRES_PASSWORD_FILE", "/run/secret")]),
            "amy Some(\"from /run/secret\") amy scram-sha-256"
        );
        assert_eq!(
            read(&[("POSTGRES_PASSWORD", "x"), ("POSTGRES_PASSWORD_FILE", "y")]),
            "error: both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set (but are exclusive)"
        );
    }

    #[test]
    fn scripts_come_in_name_order_and_shell_scripts_are_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["20.sql", "10.sql", "README.md"] {
            std::fs::write(directory.path().join(name), "").expect("a file");
        }
        let names = |paths: Vec<PathBuf>| {
            paths.iter().map(|path| path.file_name().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(scripts(directory.path()).map(names), Ok(vec!["10.sql".into(), "20.sql".into()]));
        std::fs::write(directory.path().join("30.sh"), "").expect("a file");
        let refused = scripts(directory.path()).expect_err("a shell script");
        assert!(refused.message().ends_with("30.sh\""), "{refused}");
    }

    /// Fills a new cluster with these scripts; what went wrong.
    async fn fill(script_files: &[(&str, &str)]) -> String {
        let (data, scripts) = (tempfile::tempdir(), tempfile::tempdir());
        let (data, scripts) = (data.expect("a directory"), scripts.expect("a directory"));
        for (name, text) in script_files {
            std::fs::write(scripts.path().join(name), text).expect("a file");
        }
        let settings = Arc::new(sql::settings::ServerSettings::default());
        let cluster = Cluster::open(data.path().join("data"), settings.clone()).expect("a new cluster");
        let first = FirstStart {
            user: "o'amy".into(),
            password: Some("se'cret".into()),
            database: "sh\"op".into(),
            authentication: DEFAULT_AUTHENTICATION.into(),
            scripts: scripts.path().into(),
        };
        let result = first.run(&cluster, &Logger::new(settings)).await;
        cluster.close().expect("nobody is inside");
        let place = scripts.path().display().to_string();
        result.map_or_else(|error| error.to_string().replace(&place, "."), |()| "filled".into())
    }

    #[tokio::test]
    async fn scripts_run_statement_by_statement_in_the_named_database() {
        let table = ("1.sql", "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n-- done\n");
        let look = "SELECT 1 / count(*) FROM t; \
                    SELECT 1 / (current_database() = 'sh\"op' AND current_user = 'o''amy')::int;";
        assert_eq!(fill(&[table, ("2.sql", look)]).await, "filled");
        assert_eq!(fill(&[("0.sql", look), table]).await, "./0.sql: relation \"t\" does not exist");
    }

    #[test]
    fn dead_children_are_told_from_others() {
        assert!(is_zombie_of("7 (a) b) Z 1 7 7 0", 1));
        assert!(!is_zombie_of("7 (Z 1) S 1 7 7 0", 1));
        assert!(!is_zombie_of("7 (a) Z 2 7 7 0", 1));
    }
}
