//! The host of one worker inside the server: carries out what the worker's body asks for, whichever side of a process
//! boundary the body is on.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use parking_lot::Mutex;
use sql::backend::{Activity, Backend, BackendKind, Signal, State, WaitEvent};
use sql::cluster::Cluster;
use sql::session::{ConnectRequest, Session};
use sql::{Report, Result, SqlError, SqlState};

use crate::loader::show;
use crate::port::{HostReply, HostRequest, Port};
use crate::spi::{SpiRequest, SpiSession};
use crate::{Access, Registration};

/// How a worker's messages reach the server's log: its backend, when it has one, its pid, and the message.
pub type Log = Arc<dyn Fn(&Origin, &Report) + Send + Sync>;

/// How requests reach a running worker.
pub(crate) type SignalWorker = Arc<dyn Fn(Signal) + Send + Sync>;

/// Who speaks in a log line.
#[derive(Clone, Default)]
pub struct Origin {
    /// The worker's pid; zero for the server itself.
    pub pid: i32,
    /// Its type (`%b`).
    pub kind: String,
    /// How many lines it has written (`%l`).
    pub lines: Arc<AtomicU64>,
    /// Its row in the backend table, once it has connected.
    pub backend: Option<Arc<Backend>>,
}

/// What workers show while they sleep on their latch.
const ASLEEP: WaitEvent = WaitEvent { kind: "Extension", name: "Extension" };

/// The server's side of one running worker.
pub(crate) struct WorkerHost {
    cluster: Arc<Cluster>,
    registration: Arc<Registration>,
    log: Log,
    origin: Origin,
    signal: SignalWorker,
    spi: Option<SpiSession>,
    line: Lifeline,
}

/// What the supervisor keeps of a running worker, to stop its statement when its body dies.
#[derive(Clone, Default)]
pub(crate) struct Lifeline {
    backend: Arc<Mutex<Option<Arc<Backend>>>>,
}

impl Lifeline {
    /// The body is gone: whatever runs for it stops.
    pub(crate) fn cut(&self) {
        if let Some(backend) = &*self.backend.lock() {
            backend.hang_up();
        }
    }
}

impl WorkerHost {
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        registration: Arc<Registration>,
        log: Log,
        pid: i32,
        signal: SignalWorker,
    ) -> Self {
        let origin = Origin { pid, kind: registration.kind.clone(), ..Origin::default() };
        Self { cluster, registration, log, origin, signal, spi: None, line: Lifeline::default() }
    }

    pub(crate) fn lifeline(&self) -> Lifeline {
        self.line.clone()
    }

    /// Who speaks in its log lines.
    pub(crate) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// Writes to the server's log as this worker.
    pub(crate) fn write_log(&self, report: &Report) {
        (self.log)(&self.origin, report);
    }

    async fn connect(&mut self, request: ConnectRequest) -> Result<HostReply> {
        if self.registration.access != Access::Database {
            return Err(SqlError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "database connection requirement not indicated during registration",
            )
            .severity(sql::Severity::Fatal));
        }
        if self.spi.is_some() {
            return Err(SqlError::internal("invalid processing mode in background worker"));
        }
        let session = Session::connect(&self.cluster, request).await?;
        self.origin.backend = Some(session.backend().clone());
        *self.line.backend.lock() = self.origin.backend.clone();
        self.spi = Some(SpiSession::new(session));
        Ok(HostReply::Done)
    }

    async fn spi(&mut self, request: SpiRequest) -> Result<HostReply> {
        let spi = self.spi.as_mut().ok_or_else(|| {
            SqlError::new(
                SqlState::CONNECTION_DOES_NOT_EXIST,
                "background worker is not connected to a database",
            )
        })?;
        let result = spi.call(request).await;
        for notice in std::mem::take(&mut spi.notices) {
            (self.log)(&self.origin, &notice);
        }
        result.map(HostReply::Spi)
    }

    fn activity(&self, change: impl FnOnce(&mut Activity)) {
        if let Some(backend) = &self.origin.backend {
            change(&mut backend.activity.lock());
        }
    }

    fn setting(&self, name: &str) -> Option<String> {
        show(&self.cluster.settings, name)
    }
}

#[async_trait]
impl Port for WorkerHost {
    async fn call(&mut self, request: HostRequest) -> Result<HostReply> {
        match request {
            HostRequest::Ready => Ok(HostReply::Done),
            HostRequest::Connect {
                database,
                user,
                database_oid,
                user_oid,
                bypass_allow_connections,
                bypass_login_check,
            } => {
                let database = match database {
                    None if database_oid != 0 => Some(self.cluster.database_name(sql::Oid(database_oid))?),
                    named => named,
                };
                let user = match user {
                    None if user_oid != 0 => Some(self.cluster.role_name(sql::Oid(user_oid))?),
                    named => named,
                };
                let signal = self.signal.clone();
                let request = ConnectRequest {
                    database,
                    user,
                    settings: Vec::new(),
                    kind: BackendKind::Worker(self.registration.kind.clone()),
                    process: Some((self.origin.pid, Box::new(move |request| signal(request)))),
                    client: None,
                    bypass_allow_connections,
                    bypass_login_check,
                };
                self.connect(request).await
            }
            HostRequest::Spi(request) => self.spi(request).await,
            HostRequest::Log(record) => {
                self.write_log(&record.into());
                Ok(HostReply::Done)
            }
            HostRequest::Activity { busy, query } => {
                let now = sql::clock::now();
                self.activity(|activity| report_activity(activity, busy, query, now));
                Ok(HostReply::Done)
            }
            HostRequest::Sleep(asleep) => {
                self.activity(|activity| activity.wait_event = asleep.then_some(ASLEEP));
                Ok(HostReply::Done)
            }
            HostRequest::Setting(name) => Ok(HostReply::Setting(self.setting(&name))),
        }
    }
}

/// `pgstat_report_activity`: going idle keeps the last query and when it began.
fn report_activity(activity: &mut Activity, busy: bool, query: Option<String>, now: i64) {
    activity.state = Some(if busy { State::Active } else { State::Idle });
    activity.state_change = Some(now);
    if let Some(query) = query {
        activity.query = query;
        activity.query_start = Some(now);
    }
}
