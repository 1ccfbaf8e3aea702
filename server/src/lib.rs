//! The server: one process, its sockets, its data directory, its end.
//!
//! | file | what lives there |
//! |---|---|
//! | `main.rs`, `command.rs`, `arguments.rs` | the binary and its command line |
//! | `lib.rs` | [`Builder`] and [`Server`]: open, run, shut down; also for programs that embed Postilion |
//! | `directory.rs` | the data directory, its files, its lock |
//! | `postmaster.rs` | the server's life as a state machine |
//! | `listener.rs`, `reactor.rs`, `tls.rs` | sockets; the threads that connections live on; encryption |
//! | `hba.rs`, `server.rs` | who may come in; what all connections share |
//! | `background.rs` | background workers, beside the connections |
//! | `errands.rs` | `postilion backup` and `postilion check` |
//! | `container.rs` | the conventions of the official postgres image |
//! | `conversation/` | the wire protocol |
//! | `log/` | the log |
//!
//! ```no_run
//! # async fn example() -> Result<(), sql::SqlError> {
//! let server = postilion::Server::builder("/tmp/data").set("port", "5433").open().await?;
//! let control = server.control();
//! tokio::task::spawn_local(server.run());
//! control.shut_down(postilion::ShutdownMode::Fast);
//! # Ok(())
//! # }
//! ```

pub mod arguments;
mod background;
mod command;
mod container;
mod conversation;
pub mod directory;
mod errands;
mod hba;
mod listener;
mod log;
mod postmaster;
mod reactor;
mod server;
mod tls;

pub use ::{sql, workers};

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use sql::backend::{BackendKind, Signal};
use sql::cluster::Cluster;
use sql::settings::{AUTO_FILE_NAME, CONFIG_FILE_NAME, ServerSettings, SettingValue, Source, id};
use sql::{Result, Severity, SqlError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use crate::background::{background_workers, libraries};
pub use crate::command::main_with;
pub use crate::container::FirstStart;
use crate::directory::{DataDirectory, LastEnd};
use crate::errands::Errands;
use crate::listener::Listeners;
pub use crate::log::Logger;
pub use crate::postmaster::{
    BackgroundWork, PostmasterAction, PostmasterEvent, PostmasterState, ShutdownMode, StartPoint,
};
use crate::reactor::Reactors;
use crate::server::{Door, Shared};

/// Makes the background work of a server, once its cluster is open.
pub type BackgroundWorkFactory =
    Box<dyn FnOnce(&Arc<Cluster>, &Arc<Logger>) -> Result<Box<dyn BackgroundWork>>>;

/// What a server is to be.
pub struct Builder {
    directory: PathBuf,
    settings: Vec<(String, String)>,
    work: Option<BackgroundWorkFactory>,
    first_start: Option<FirstStart>,
    buries_orphans: bool,
    /// Whether panics and `tracing` events of the whole process go to this server's log.
    owns_process: bool,
}

/// A server that is open but does not listen yet.
pub struct Server {
    shared: Arc<Shared>,
    directory: DataDirectory,
    work: Option<Box<dyn BackgroundWork>>,
    errands: Rc<Errands>,
    first_start: Option<FirstStart>,
    buries_orphans: bool,
    requests: UnboundedReceiver<Request>,
    control: Control,
    state: PostmasterState,
}

/// What can be asked of a running server.
enum Request {
    Shutdown(ShutdownMode),
    Reload,
    Errand,
}

/// Asks things of a running server, from any thread.
#[derive(Clone)]
pub struct Control(UnboundedSender<Request>);

impl Control {
    /// Asks for a shutdown; the server's `run` returns when it is done.
    pub fn shut_down(&self, mode: ShutdownMode) {
        // A server that has ended needs no shutdown.
        let _ = self.0.send(Request::Shutdown(mode));
    }

    /// Asks for the files to be read again.
    pub fn reload(&self) {
        let _ = self.0.send(Request::Reload);
    }

    /// Asks for what a command line has left in the data directory (`postilion backup`, `postilion check`).
    pub fn run_errand(&self) {
        let _ = self.0.send(Request::Errand);
    }
}

impl Builder {
    /// Gives a setting a value, as `-c name=value` does.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Adds background work.
    #[must_use]
    pub fn background_work(mut self, work: BackgroundWorkFactory) -> Self {
        self.work = Some(work);
        self
    }

    /// Says what a new data directory is to be, beyond the usual.
    #[must_use]
    pub fn first_start(mut self, first_start: FirstStart) -> Self {
        self.first_start = Some(first_start);
        self
    }

    /// The process is the first of its container: it waits for processes whose parent has died.
    #[must_use]
    pub fn bury_orphans(mut self) -> Self {
        self.buries_orphans = true;
        self
    }

    /// The process is this server's: panics and `tracing` events go to its log.
    #[must_use]
    pub fn own_process(mut self) -> Self {
        self.owns_process = true;
        self
    }

    /// Makes or checks the data directory, reads settings, opens the databases.
    ///
    /// # Errors
    /// FATAL, logged already.
    pub async fn open(self) -> Result<Server> {
        let settings = Arc::new(ServerSettings::default());
        let log = Logger::new(settings.clone());
        let logged = |error: SqlError| {
            log.server(&error.0);
            error
        };
        let directory = DataDirectory::open(&self.directory).map_err(logged)?;
        let first_start = self.first_start.filter(|_| directory.is_new);
        if let Some(first_start) = &first_start {
            directory.add_hba_rule(&first_start.authentication_rule()).map_err(logged)?;
        }
        load_settings(&settings, &directory, &self.settings, &log).map_err(logged)?;
        if self.owns_process {
            log.install();
        }
        log.log(format!(
            "starting Postilion {} (PostgreSQL {}) on {}-{}",
            env!("CARGO_PKG_VERSION"),
            settings.snapshot().find("server_version").map(|id| settings.text(id)).unwrap_or_default(),
            std::env::consts::ARCH,
            std::env::consts::OS,
        ));
        log_last_end(&directory, &settings, &log);
        let cluster = Cluster::open(directory.path(), settings).map_err(logged)?;
        let shared = Shared::new(cluster.clone(), log.clone(), directory.path().into()).map_err(logged)?;
        let work = self.work.map(|make| make(&cluster, &log)).transpose().map_err(logged)?;
        directory.write_state("in production").map_err(logged)?;
        let (sender, requests) = unbounded_channel();
        Ok(Server {
            shared: Arc::new(shared),
            errands: Errands::new(cluster, directory.path()),
            directory,
            work,
            first_start,
            buries_orphans: self.buries_orphans,
            requests,
            control: Control(sender),
            state: PostmasterState::Init,
        })
    }
}

impl Server {
    /// A server in this data directory.
    pub fn builder(directory: impl Into<PathBuf>) -> Builder {
        Builder {
            directory: directory.into(),
            settings: Vec::new(),
            work: None,
            first_start: None,
            buries_orphans: false,
            owns_process: false,
        }
    }

    /// A handle to ask things of the server while it runs.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The cluster that it serves.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.shared.cluster
    }

    /// Listens and serves until it is asked to shut down, then does so.
    ///
    /// # Errors
    /// FATAL, logged already, when no socket can be opened or the last checkpoint fails.
    pub async fn run(mut self) -> Result<()> {
        let result = self.live().await;
        if let Err(error) = &result {
            self.shared.log.server(&error.0);
        }
        self.shared.log.log("database system is shut down");
        result
    }

    async fn live(&mut self) -> Result<()> {
        if let Some(first_start) = self.first_start.take() {
            self.fill(&first_start).await?;
        }
        let listeners = Listeners::open(&self.shared.settings, &self.shared.log)?;
        if self.buries_orphans {
            tokio::task::spawn_local(container::bury_orphans());
        }
        self.happen(PostmasterEvent::Opened).await?;
        let reactors = Reactors::start(&self.shared)?;
        let (socket_directory, address) = listeners.first();
        let port = self.shared.settings.integer(id::PORT);
        self.directory.write_pid(port, &socket_directory, &address, "ready")?;
        self.happen(PostmasterEvent::Listening).await?;
        self.log_how_to_connect(&socket_directory, &address, port);
        let shared = self.shared.clone();
        {
            let mut accepting = Box::pin(listeners.accept(&reactors, &shared.log));
            while self.state != PostmasterState::Stopped {
                let event = tokio::select! {
                    () = &mut accepting => continue,
                    event = self.next_event() => event,
                };
                self.happen(event).await?;
            }
        }
        drop(listeners);
        reactors.finish().await;
        Ok(())
    }

    /// Fills a new data directory, before any client can come. Scripts may launch workers.
    async fn fill(&mut self, first_start: &FirstStart) -> Result<()> {
        if let Some(work) = &mut self.work {
            work.reached(StartPoint::RecoveryFinished);
        }
        let filled = first_start.run(&self.shared.cluster, &self.shared.log).await;
        if filled.is_err() {
            self.directory.give_up();
        }
        filled.map_err(|error| error.severity(Severity::Fatal))
    }

    /// Waits for something to happen. Reloads are done here: they do not change the state.
    async fn next_event(&mut self) -> PostmasterEvent {
        let cluster = self.shared.cluster.clone();
        loop {
            // Registered before the table is read, so that no departure is missed.
            let left = cluster.backends.left.notified();
            let clients = cluster.backends.all().iter().any(|backend| backend.kind == BackendKind::Client);
            if self.state == PostmasterState::WaitClients && !clients {
                return PostmasterEvent::ClientsGone;
            }
            let stopping = matches!(self.state, PostmasterState::StopBackends(_)) && !clients;
            tokio::select! {
                () = work_finished(&mut self.work), if stopping => return PostmasterEvent::AllGone,
                request = self.requests.recv() => match request {
                    Some(Request::Shutdown(mode)) => return PostmasterEvent::Shutdown(mode),
                    Some(Request::Reload) => self.reload(),
                    Some(Request::Errand) => self.errands.serve(),
                    None => return PostmasterEvent::Shutdown(ShutdownMode::Fast),
                },
                () = cluster.facilities.reload.notified() => self.reload(),
                () = left => {}
            }
        }
    }

    fn reload(&mut self) {
        self.shared.reload();
        if let Some(work) = &mut self.work {
            work.reload();
        }
    }

    /// Goes to the next state and does what that asks for.
    async fn happen(&mut self, event: PostmasterEvent) -> Result<()> {
        let (state, actions) = postmaster::next(self.state, event);
        self.state = state;
        for action in actions {
            match action {
                PostmasterAction::Log(text) => self.shared.log.log(text),
                PostmasterAction::OpenDoor => self.shared.admission.set(Door::Open),
                PostmasterAction::Reach(point) => {
                    if let Some(work) = &mut self.work {
                        work.reached(point);
                    }
                }
                PostmasterAction::CloseDoor(mode) => {
                    self.shared.admission.set(Door::Closed(mode));
                    if let Some(work) = &mut self.work {
                        work.shut_down(mode);
                    }
                }
                PostmasterAction::Terminate(mode) => self.terminate(mode),
                PostmasterAction::Checkpoint => {
                    self.close_cluster().await?;
                    self.directory.write_state("shut down")?;
                    Box::pin(self.happen(PostmasterEvent::Checkpointed)).await?;
                }
            }
        }
        Ok(())
    }

    fn terminate(&mut self, mode: ShutdownMode) {
        for backend in self.shared.cluster.backends.all() {
            if backend.kind == BackendKind::Client {
                backend.signal(Signal::Terminate);
            }
        }
        if let Some(work) = &mut self.work {
            work.shut_down(mode.max(ShutdownMode::Fast));
        }
    }

    /// The last checkpoint waits for the disk, so it leaves this thread: conversations may still be saying goodbye.
    async fn close_cluster(&self) -> Result<()> {
        let cluster = self.shared.cluster.clone();
        let closed = tokio::task::spawn_blocking(move || cluster.close()).await;
        closed.unwrap_or_else(|_panic| Err(SqlError::internal("the last checkpoint failed")))
    }

    fn log_how_to_connect(&self, socket_directory: &str, address: &str, port: i32) {
        let host = match address {
            "" => socket_directory,
            "0.0.0.0" | "::" => "localhost",
            address => address,
        };
        self.shared.log.log(format!("connect with: psql -h {host} -p {port} -U postgres postgres"));
    }
}

/// Waits until background work has ended; at once when there is none.
async fn work_finished(work: &mut Option<Box<dyn BackgroundWork>>) {
    if let Some(work) = work {
        work.finished().await;
    }
}

/// Command line first, so that it names the files; then the files.
fn load_settings(
    settings: &ServerSettings,
    directory: &DataDirectory,
    given: &[(String, String)],
    log: &Logger,
) -> Result<()> {
    let fatal = |error: SqlError| error.severity(Severity::Fatal);
    let path = directory.path();
    for (name, value) in given {
        settings.set_at_start(name, value, Source::CommandLine).map_err(fatal)?;
    }
    let main = path.join(match settings.text(id::CONFIG_FILE) {
        name if name.is_empty() => CONFIG_FILE_NAME.to_owned(),
        name => name,
    });
    if let Err(mut reports) = settings.load(&main, &path.join(AUTO_FILE_NAME)) {
        let last = reports.pop();
        reports.iter().for_each(|report| log.server(report));
        return Err(last.map_or_else(|| SqlError::internal("no report"), |report| SqlError(Box::new(report))));
    }
    let text = |path: &std::path::Path| SettingValue::Text(path.display().to_string().into());
    settings.set_fact(id::DATA_DIRECTORY, text(path));
    settings.set_fact(id::CONFIG_FILE, text(&main));
    if settings.text(id::HBA_FILE).is_empty() {
        settings.set_fact(id::HBA_FILE, text(&path.join(directory::HBA_FILE_NAME)));
    }
    Ok(())
}

/// The value that a setting would have in a server of this directory, for `-C`. The directory is not touched.
///
/// # Errors
/// `42704`, `22023`, or the file's first error.
pub fn setting_of(directory: &std::path::Path, given: &[(String, String)], name: &str) -> Result<String> {
    let settings = Arc::new(ServerSettings::default());
    for (name, value) in given {
        settings.set_at_start(name, value, Source::CommandLine)?;
    }
    let main = directory.join(CONFIG_FILE_NAME);
    if main.exists()
        && let Err(reports) = settings.load(&main, &directory.join(AUTO_FILE_NAME))
        && let Some(first) = reports.into_iter().next()
    {
        return Err(SqlError(Box::new(first)));
    }
    let mut session = sql::settings::SessionSettings::new(settings);
    session.set_superuser(true);
    session.show(name).map(|(_, value)| value)
}

fn log_last_end(directory: &DataDirectory, settings: &ServerSettings, log: &Logger) {
    let zone = settings.text(id::LOG_TIMEZONE);
    match directory.last_end() {
        LastEnd::New if directory.is_new => {
            log.log(format!("created data directory \"{}\"", directory.path().display()));
        }
        LastEnd::New => {}
        LastEnd::ShutDown(when) => {
            log.log(format!("database system was shut down at {}", crate::log::moment_text(when, &zone)));
        }
        LastEnd::Interrupted(when) => {
            let when = crate::log::moment_text(when, &zone);
            log.log(format!("database system was interrupted; last known up at {when}"));
        }
    }
}
