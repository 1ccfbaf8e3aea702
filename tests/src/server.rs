//! A running server, and psql.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::{NamedTempFile, TempDir};

/// How long a server may take to accept connections, or to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition that a test waits for is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The workspace's directory.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

/// The built server.
///
/// # Panics
/// When none has been built.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("POSTILION_BINARY") {
        return path.into();
    }
    newest("postilion").expect("build the server first: cargo build --release")
}

/// A built example of the server's crate: the server with one more library.
///
/// # Panics
/// When it has not been built, which `cargo test --workspace` does.
pub fn example(name: &str) -> PathBuf {
    newest(&format!("examples/{name}"))
        .expect("build the examples first: cargo build -p postilion --examples")
}

/// The newest of the workspace's release and debug builds.
fn newest(program: &str) -> Option<PathBuf> {
    let built = ["release", "debug"].map(|profile| workspace().join("target").join(profile).join(program));
    built
        .into_iter()
        .filter(|path| path.exists())
        .max_by_key(|path| path.metadata().and_then(|m| m.modified()).ok())
}

/// Waits until a condition holds, and fails the test when it does not in time.
///
/// # Panics
/// When the condition does not hold within the patience of the tests.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(LOOK);
    }
}

/// The titles of all processes, as `ps` shows them, with their pids.
///
/// # Panics
/// When `ps` cannot be run.
pub fn process_titles() -> Vec<(i32, String)> {
    let output = Command::new("ps").args(["-eo", "pid=,args="]).output().expect("ps runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let split = |line: &str| {
        let (pid, title) = line.trim().split_once(' ')?;
        Some((pid.parse().ok()?, title.trim().to_owned()))
    };
    text.lines().filter_map(split).collect()
}

/// How a server is started.
pub struct ServerBuilder {
    arguments: Vec<String>,
    directory: Option<Arc<TempDir>>,
    environment: Vec<(String, String)>,
    program: Option<PathBuf>,
}

/// A running server; dropping it kills it.
pub struct Server {
    child: Child,
    directory: Arc<TempDir>,
    port: u16,
    /// A file, not a pipe: what a server has written before it answers is there when a test looks.
    log: NamedTempFile,
}

/// What psql printed, and whether it was content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Psql {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Its exit code.
    pub code: i32,
}

impl ServerBuilder {
    /// Adds `-c name=value`.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        self
    }

    /// Uses the data directory of an earlier server.
    #[must_use]
    pub fn directory(mut self, directory: Arc<TempDir>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs another program than [`binary`]: an [`example`].
    #[must_use]
    pub fn program(mut self, program: PathBuf) -> Self {
        self.program = Some(program);
        self
    }

    /// Starts the server and waits until it accepts connections.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(self) -> Server {
        let mut server = self.launch();
        let ready = "database system is ready to accept connections";
        eventually("the server accepts connections", || {
            assert!(
                server.child.try_wait().expect("waitable").is_none(),
                "the server ended:\n{}",
                server.log()
            );
            server.log().contains(ready)
        });
        server
    }

    /// Starts the server without waiting.
    ///
    /// # Panics
    /// When the process cannot be made.
    pub fn launch(self) -> Server {
        let directory =
            self.directory.unwrap_or_else(|| Arc::new(tempfile::tempdir().expect("a temporary directory")));
        let port = free_port();
        let log = NamedTempFile::new().expect("a file for the log");
        let child = Command::new(self.program.unwrap_or_else(binary))
            .arg("-D")
            .arg(directory.path().join("data"))
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", ""])
            .args(&self.arguments)
            .envs(self.environment)
            .stdin(Stdio::null())
            .stderr(log.reopen().expect("the log's file opens"))
            .spawn()
            .expect("the server's binary runs");
        Server { child, directory, port, log }
    }
}

fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
    probe.local_addr().expect("bound").port()
}

impl Server {
    /// A server to be configured before it starts.
    pub fn builder() -> ServerBuilder {
        ServerBuilder { arguments: Vec::new(), directory: None, environment: Vec::new(), program: None }
    }

    /// A server on a new directory.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The directory that holds its data directory.
    pub fn directory(&self) -> Arc<TempDir> {
        self.directory.clone()
    }

    /// What it has logged so far.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn log(&self) -> String {
        let text = std::fs::read(self.log.path()).expect("the log can be read");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits for a text in the log.
    ///
    /// # Panics
    /// When it does not come in time.
    pub fn expect_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "\"{text}\" is not in the log:\n{}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    /// psql's command line for a database, without a command.
    pub fn psql_command(&self, database: &str) -> Command {
        let mut command = Command::new("psql");
        command.args([
            "-X",
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "-d",
            database,
        ]);
        command.env("PGCONNECT_TIMEOUT", "10").env("PSQL_PAGER", "").stdin(Stdio::null());
        command
    }

    /// Runs one psql command with psql's own table output.
    ///
    /// # Panics
    /// When psql cannot be run.
    pub fn psql(&self, command: &str) -> Psql {
        output(self.psql_command("postgres").args(["-c", command]).output())
    }

    /// Runs SQL; unaligned rows, tuples only. Fails the test on an error.
    ///
    /// # Panics
    /// When the SQL fails.
    pub fn query(&self, sql: &str) -> String {
        let result =
            output(self.psql_command("postgres").args(["-At", "-v", "ON_ERROR_STOP=1", "-c", sql]).output());
        assert_eq!(result.code, 0, "{sql}\n{}\nserver log:\n{}", result.err, self.log());
        result.out.trim_end().to_owned()
    }

    /// Runs SQL that must fail; what psql prints of the error.
    ///
    /// # Panics
    /// When the SQL does not fail.
    pub fn error(&self, sql: &str) -> String {
        let result = output(self.psql_command("postgres").args(["-At", "-c", sql]).output());
        assert_ne!(result.code, 0, "{sql} did not fail: {}", result.out);
        result.err.trim_end().to_owned()
    }

    /// Waits until it accepts connections; false when it ends before.
    pub fn accepts_connections(&self) -> bool {
        let mut answer = false;
        eventually("the server accepts connections or ends", || {
            answer = self.log().contains("database system is ready to accept connections");
            answer || self.log().contains("fault: crash at event")
        });
        answer
    }

    /// Sends a signal by number.
    ///
    /// # Panics
    /// When the process cannot be signalled.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a live pid");
        rustix::process::kill_process(pid, signal).expect("the server can be signalled");
    }

    /// Waits for the server's end; its exit code.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(&mut self) -> i32 {
        let mut code = None;
        eventually("the server ends", || {
            code = self.child.try_wait().expect("waitable");
            code.is_some()
        });
        code.and_then(|status| status.code()).unwrap_or(-1)
    }

    /// Stops the server in fast mode and waits for its end.
    pub fn stop(&mut self) -> i32 {
        self.signal(rustix::process::Signal::INT);
        self.wait()
    }

    /// Runs `postilion check` on the data directory, in whatever state the server is; what it says otherwise.
    ///
    /// # Panics
    /// When the check cannot be run, or finds something.
    pub fn check(&self) {
        let data = self.directory.path().join("data");
        let checked = output(Command::new(binary()).arg("check").arg("-D").arg(data).output());
        assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    }

    /// Kills the server, as a crash would.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("waitable");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

fn output(result: std::io::Result<Output>) -> Psql {
    let output = result.expect("psql runs: tests/run installs it");
    Psql {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}
