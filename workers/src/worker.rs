//! What one writes to have a background worker: a type with a `main`, and what `main` is given.
//!
//! A worker that counts relations every second:
//!
//! ```no_run
//! use std::time::Duration;
//! use workers::{Result, Spi, SpiAccess, Worker, WorkerContext, async_trait};
//!
//! struct CountRelations;
//!
//! #[async_trait]
//! impl Worker for CountRelations {
//!     async fn main(&mut self, context: &mut WorkerContext) -> Result<()> {
//!         context.connect(Some("postgres"), None).await?;
//!         while context.wait(Duration::from_secs(1)).await?.goes_on() {
//!             context.begin().await?;
//!             let result = context.execute("SELECT count(*) FROM pg_class", SpiAccess::ReadOnly, 0).await?;
//!             let count: i64 = result.first(0)?.unwrap_or(0);
//!             context.log(format!("Currently {count} relations in database")).await?;
//!             context.commit().await?;
//!         }
//!         Ok(())
//!     }
//! }
//! # let _ = CountRelations;
//! ```
//!
//! Source: `src/test/modules/worker_spi/worker_spi.c`; PostgreSQL manual, "Background Worker Processes".

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sql::backend::{Latch, Signal, State};
use sql::{Report, Result, Severity, SqlError, SqlState};

use crate::OnReload;
use crate::OnTerminate;
use crate::Registration;
use crate::port::{HostReply, HostRequest, LogRecord, Port};
use crate::spi::{Spi, SpiRequest, SpiResult};

/// A worker's body. One value is made for each start.
#[async_trait]
pub trait Worker: Send {
    /// Runs to the worker's end. `Ok`: exit code 0, the worker is done and does not come back. `Err`: the error is
    /// logged and the exit code is 1. A panic counts as a crash.
    ///
    /// # Errors
    /// Whatever ends the worker.
    async fn main(&mut self, context: &mut WorkerContext) -> Result<()>;
}

/// What wakes and stops a worker. Signals of the process, or calls inside the server, set it.
#[derive(Default)]
pub struct WorkerSignals {
    latch: Latch,
    terminate: AtomicBool,
    cancel: AtomicBool,
    reload: AtomicBool,
}

impl WorkerSignals {
    /// Delivers a request.
    pub fn signal(&self, signal: Signal) {
        let flag = match signal {
            Signal::Cancel => &self.cancel,
            Signal::Terminate => &self.terminate,
            Signal::Reload => &self.reload,
        };
        flag.store(true, Ordering::SeqCst);
        self.latch.set();
    }

    /// Wakes the worker.
    pub fn set_latch(&self) {
        self.latch.set();
    }

    pub(crate) fn terminate_requested(&self) -> bool {
        self.terminate.load(Ordering::SeqCst)
    }

    /// Ends when the worker is asked to end.
    pub(crate) async fn terminated(&self) {
        while !self.terminate_requested() {
            self.latch.wait(None).await;
            if !self.terminate_requested() {
                tokio::time::sleep(LATCH_PEEK).await;
            }
        }
    }
}

/// While a request is under way its latch may be set for other reasons; how often one looks whether it is the end.
const LATCH_PEEK: Duration = Duration::from_millis(10);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The latch was set: look for work.
    Latch,
    /// The time is over.
    Timeout,
    /// The worker is asked to end ([`OnTerminate::Flag`]; otherwise the wait returns an error).
    Terminate,
}

impl Wake {
    /// Whether the worker should do another turn.
    pub fn goes_on(self) -> bool {
        self != Self::Terminate
    }
}

/// What a worker is given: its record, its signals, and its way to the server.
pub struct WorkerContext {
    registration: Arc<Registration>,
    signals: Arc<WorkerSignals>,
    port: Box<dyn Port>,
}

impl WorkerContext {
    pub(crate) fn new(
        registration: Arc<Registration>,
        signals: Arc<WorkerSignals>,
        port: Box<dyn Port>,
    ) -> Self {
        Self { registration, signals, port }
    }

    /// The record that the worker was registered with (`MyBgworkerEntry`).
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Connects to a database as a role (`BackgroundWorkerInitializeConnection`): once, and for good. Without a
    /// database only shared catalogs are reached; without a role it is the bootstrap superuser.
    ///
    /// # Errors
    /// FATAL `54000` without the flag for it, `3D000`, `28000`, `55000`, `42501`.
    pub async fn connect(&mut self, database: Option<&str>, user: Option<&str>) -> Result<()> {
        self.connect_with(Connection { database, user, ..Connection::default() }).await
    }

    /// As [`Self::connect`], with flags.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_with(&mut self, connection: Connection<'_>) -> Result<()> {
        let request = HostRequest::Connect {
            database: connection.database.map(str::to_owned),
            user: connection.user.map(str::to_owned),
            database_oid: connection.database_oid,
            user_oid: connection.user_oid,
            bypass_allow_connections: connection.bypass_allow_connections,
            bypass_login_check: connection.bypass_login_check,
        };
        self.host(request).await.map(drop)
    }

    /// Waits until the latch is set, for so long at most, and resets it (`WaitLatch`, `ResetLatch`,
    /// `CHECK_FOR_INTERRUPTS`). A new worker's latch is set: its first wait returns at once.
    ///
    /// # Errors
    /// FATAL `57P01` when asked to end, unless the record says [`OnTerminate::Flag`]; `57014` when cancelled.
    pub async fn wait(&mut self, timeout: Duration) -> Result<Wake> {
        self.check_for_interrupts()?;
        self.host(HostRequest::Sleep(true)).await?;
        let woken = self.signals.latch.wait(Some(timeout)).await;
        self.signals.latch.reset();
        self.check_for_interrupts()?;
        self.host(HostRequest::Sleep(false)).await?;
        Ok(match (self.signals.terminate_requested(), woken) {
            (true, _) => Wake::Terminate,
            (false, true) => Wake::Latch,
            (false, false) => Wake::Timeout,
        })
    }

    /// Ends the worker when it has been asked to end, or cancelled (`CHECK_FOR_INTERRUPTS`).
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn check_for_interrupts(&self) -> Result<()> {
        if self.registration.on_terminate == OnTerminate::Die && self.signals.terminate_requested() {
            return Err(self.terminated());
        }
        if self.signals.cancel.swap(false, Ordering::SeqCst) {
            return Err(SqlError::canceled());
        }
        Ok(())
    }

    /// Whether the worker has been asked to end.
    pub fn terminate_requested(&self) -> bool {
        self.signals.terminate_requested()
    }

    /// Whether the settings have been reloaded since the last call; always false under [`OnReload::Ignore`].
    pub fn take_reload(&self) -> bool {
        self.registration.on_reload == OnReload::Flag && self.signals.reload.swap(false, Ordering::SeqCst)
    }

    /// The value of a setting, as SHOW gives it; `None` for one that does not exist.
    ///
    /// # Errors
    /// Those of the way to the server.
    pub async fn setting(&mut self, name: &str) -> Result<Option<String>> {
        match self.host(HostRequest::Setting(name.to_owned())).await? {
            HostReply::Setting(value) => Ok(value),
            other => Err(other.unexpected()),
        }
    }

    /// Writes a line to the server's log at level LOG.
    ///
    /// # Errors
    /// Those of the way to the server.
    pub async fn log(&mut self, message: impl Into<String> + Send) -> Result<()> {
        self.report(&Report::new(Severity::Log, SqlState::SUCCESSFUL_COMPLETION, message)).await
    }

    /// Writes any message to the server's log.
    ///
    /// # Errors
    /// Those of the way to the server.
    pub async fn report(&mut self, report: &Report) -> Result<()> {
        self.host(HostRequest::Log(LogRecord::from(report))).await.map(drop)
    }

    /// Tells `pg_stat_activity` what the worker is doing (`pgstat_report_activity`); without a query the last one stays.
    ///
    /// # Errors
    /// Those of the way to the server.
    pub async fn report_activity(&mut self, state: State, query: Option<&str>) -> Result<()> {
        let busy = state == State::Active;
        self.host(HostRequest::Activity { busy, query: query.map(str::to_owned) }).await.map(drop)
    }

    fn terminated(&self) -> SqlError {
        SqlError::new(
            SqlState::ADMIN_SHUTDOWN,
            format!(
                "terminating background worker \"{}\" due to administrator command",
                self.registration.kind
            ),
        )
        .severity(Severity::Fatal)
    }

    /// Sends one request. A worker that dies on SIGTERM does so also while it waits for the answer.
    async fn host(&mut self, request: HostRequest) -> Result<HostReply> {
        if self.registration.on_terminate == OnTerminate::Flag || matches!(request, HostRequest::Log(_)) {
            return self.port.call(request).await;
        }
        let signals = self.signals.clone();
        let reply = tokio::select! {
            biased;
            reply = self.port.call(request) => Some(reply),
            () = signals.terminated() => None,
        };
        match reply {
            Some(reply) => reply,
            None => Err(self.terminated()),
        }
    }
}

#[async_trait]
impl Spi for WorkerContext {
    async fn call(&mut self, request: SpiRequest) -> Result<SpiResult> {
        self.check_for_interrupts()?;
        let reply = self.host(HostRequest::Spi(request)).await;
        if let Err(error) = &reply
            && error.code() == SqlState::QUERY_CANCELED
        {
            // The server has stopped the statement for the same request that our flag remembers.
            self.signals.cancel.store(false, Ordering::SeqCst);
        }
        match reply? {
            HostReply::Spi(result) => Ok(result),
            other => Err(other.unexpected()),
        }
    }
}

/// Where and as whom a worker connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection<'a> {
    /// The database by name.
    pub database: Option<&'a str>,
    /// The role by name.
    pub user: Option<&'a str>,
    /// The database by OID, when not by name; zero for none.
    pub database_oid: u32,
    /// The role by OID, when not by name; zero for the bootstrap superuser.
    pub user_oid: u32,
    /// `BGWORKER_BYPASS_ALLOWCONN`.
    pub bypass_allow_connections: bool,
    /// `BGWORKER_BYPASS_ROLELOGINCHECK`.
    pub bypass_login_check: bool,
}
