//! What all conversations of a server share, and who may come in.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use rustls::ServerConfig;
use sql::backend::Signal;
use sql::cluster::Cluster;
use sql::settings::{ServerSettings, id};
use sql::{Report, Result, Severity, SqlError, SqlState, error};

use crate::hba::{self, Rule};
use crate::log::Logger;
use crate::postmaster::ShutdownMode;
use crate::tls;

/// What all conversations share.
pub(crate) struct Shared {
    pub(crate) settings: Arc<ServerSettings>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) log: Arc<Logger>,
    pub(crate) admission: Admission,
    pub(crate) seats: Arc<Seats>,
    directory: PathBuf,
    tls: RwLock<Option<Arc<ServerConfig>>>,
    hba: RwLock<Arc<[Rule]>>,
}

impl Shared {
    /// Reads `pg_hba.conf` and the TLS files.
    ///
    /// # Errors
    /// FATAL `F0000`; lines of `pg_hba.conf` that cannot be read have been logged.
    pub(crate) fn new(cluster: Arc<Cluster>, log: Arc<Logger>, directory: PathBuf) -> Result<Self> {
        let settings = cluster.settings.clone();
        let seats = Arc::new(Seats { taken: AtomicUsize::new(0), settings: settings.clone() });
        let shared = Self {
            tls: RwLock::new(tls::configuration(&settings, &directory)?),
            hba: RwLock::new(Arc::from(Vec::new())),
            settings,
            cluster,
            log,
            admission: Admission::default(),
            seats,
            directory,
        };
        match shared.read_hba() {
            Some(rules) => *shared.hba.write() = rules,
            None => {
                let file = shared.hba_file();
                return Err(
                    error!(CONFIG_FILE_ERROR, "could not load {}", file.display()).severity(Severity::Fatal)
                );
            }
        }
        Ok(shared)
    }

    /// The TLS configuration of this moment; `None` when `ssl` is off.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.read().clone()
    }

    /// The rules of `pg_hba.conf`.
    pub(crate) fn hba(&self) -> Arc<[Rule]> {
        self.hba.read().clone()
    }

    /// Stops what a backend runs, for a client that shows its key. Whether there was one is not told.
    pub(crate) fn cancel(&self, pid: i32, secret: i32) {
        match self.cluster.backends.get(pid) {
            Some(backend) if backend.secret == secret => backend.signal(Signal::Cancel),
            Some(_) => self.log.log(format!("wrong key in cancel request for process {pid}")),
            None => self.log.log(format!("PID {pid} in cancel request did not match any process")),
        }
    }

    /// SIGHUP: reads all files again and tells every backend.
    pub(crate) fn reload(&self) {
        self.log.log("received SIGHUP, reloading configuration files");
        for report in self.settings.reload() {
            self.log.server(&report);
        }
        match self.read_hba() {
            Some(rules) => *self.hba.write() = rules,
            None => self.log.log(format!("{} was not reloaded", self.hba_file().display())),
        }
        match tls::configuration(&self.settings, &self.directory) {
            Ok(configuration) => *self.tls.write() = configuration,
            Err(error) => {
                self.log.server(&Report { severity: Severity::Log, ..*error.0 });
                self.log.log("SSL configuration was not reloaded");
            }
        }
        for backend in self.cluster.backends.all() {
            backend.signal(Signal::Reload);
        }
    }

    fn hba_file(&self) -> PathBuf {
        self.directory.join(match self.settings.text(id::HBA_FILE) {
            name if name.is_empty() => crate::directory::HBA_FILE_NAME.to_owned(),
            name => name,
        })
    }

    /// Reads `pg_hba.conf`; what is wrong is logged.
    fn read_hba(&self) -> Option<Arc<[Rule]>> {
        let file = self.hba_file();
        let log = |message: String, context: Option<String>| {
            let mut report = Report::new(Severity::Log, SqlState::CONFIG_FILE_ERROR, message);
            report.context = context;
            self.log.server(&report);
        };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                log(format!("could not open configuration file \"{}\": {error}", file.display()), None);
                return None;
            }
        };
        match hba::parse(&text) {
            Ok(rules) => Some(rules.into()),
            Err(errors) => {
                for (line, message) in errors {
                    let context = format!("line {line} of configuration file \"{}\"", file.display());
                    log(message, Some(context));
                }
                None
            }
        }
    }
}

/// Whether new sessions are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Door {
    /// The server is starting.
    #[default]
    NotYet,
    Open,
    /// The server is shutting down.
    Closed(ShutdownMode),
}

/// The door, and what is said at it.
#[derive(Default)]
pub(crate) struct Admission(RwLock<Door>);

impl Admission {
    pub(crate) fn set(&self, door: Door) {
        *self.0.write() = door;
    }

    /// # Errors
    /// FATAL `57P03` while the door is not open.
    pub(crate) fn check(&self) -> Result<()> {
        let why = match *self.0.read() {
            Door::Open => return Ok(()),
            Door::NotYet => "the database system is starting up",
            Door::Closed(_) => "the database system is shutting down",
        };
        Err(error!(CANNOT_CONNECT_NOW, "{why}").severity(Severity::Fatal))
    }

    /// What a session that has to go is told, when it is not what `pg_terminate_backend` says. The client alone hears it.
    pub(crate) fn farewell(&self) -> Option<SqlError> {
        let immediate = *self.0.read() == Door::Closed(ShutdownMode::Immediate);
        immediate.then(|| {
            error!(ADMIN_SHUTDOWN, "terminating connection due to immediate shutdown command")
                .severity(Severity::Warning)
        })
    }
}

/// The places for clients: `max_connections`, the last of them for superusers.
pub(crate) struct Seats {
    taken: AtomicUsize,
    settings: Arc<ServerSettings>,
}

/// A place, given back when dropped.
pub(crate) struct Seat(Arc<Seats>);

impl Seats {
    /// # Errors
    /// FATAL `53300`.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Seat> {
        let seat = Seat(self.clone());
        let before = self.taken.fetch_add(1, Ordering::SeqCst);
        if before >= self.most() {
            return Err(
                error!(TOO_MANY_CONNECTIONS, "sorry, too many clients already").severity(Severity::Fatal)
            );
        }
        Ok(seat)
    }

    fn most(&self) -> usize {
        usize::try_from(self.settings.integer(id::MAX_CONNECTIONS)).unwrap_or(0)
    }
}

impl Seat {
    /// Whether this client may keep the place: the last ones are reserved.
    ///
    /// # Errors
    /// FATAL `53300`.
    pub(crate) fn keep(&self, superuser: bool) -> Result<()> {
        let reserved = self.0.settings.integer(id::SUPERUSER_RESERVED_CONNECTIONS);
        let open_to_all = self.0.most().saturating_sub(usize::try_from(reserved).unwrap_or(0));
        if superuser || self.0.taken.load(Ordering::SeqCst) <= open_to_all {
            return Ok(());
        }
        Err(error!(
            TOO_MANY_CONNECTIONS,
            "remaining connection slots are reserved for non-replication superuser connections"
        )
        .severity(Severity::Fatal))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
    }
}
