//! The conversation with one client, from its first byte to its last.
//!
//! ```text
//! bytes → frame.rs → codec → this file → sql::Session → destination.rs → codec → bytes
//! ```
//!
//! 1. `startup.rs`: encryption, the startup packet, cancel requests (which end here).
//! 2. `authentication.rs`: `pg_hba.conf` says how the client proves who it is.
//! 3. [`Session::connect`]; the client is told the session's parameters and key.
//! 4. Messages, one after the other, each in [`Conversation::answer`]: the loop and the state machine of this file.
//!
//! Simple query: `Query` runs all statements of its text and ends with ReadyForQuery. Extended query: `Parse`, `Bind`,
//! `Describe`, `Execute`, `Close` answer each for itself; after an error in one of them everything up to `Sync` is
//! skipped ([`Phase::SkipUntilSync`]). Answers are sent when the client's messages are used up, or when 64 KiB have
//! gathered. A client that pipelines gets its answers together.
//!
//! While it waits for a message, a conversation also listens to its backend row's latch: requests to end, to read the
//! settings again, notifications. A cancel request reaches a running statement through the row's interrupt, not through
//! here.
//!
//! A malformed message is an error of its sender only. A panic, which is a fault of ours, ends its own conversation with
//! XX000: the session's transaction is rolled back by its drop. When the client vanishes, it is rolled back the same way.
//!
//! Left out: the function call protocol (0A000), GSSAPI, protocol versions after 3.0 (negotiated down), replication.

mod authentication;
mod codec;
mod destination;
mod frame;
mod startup;
#[cfg(test)]
mod tests;
mod wire;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt;
use sql::backend::{Backend, BackendKind, WaitEvent};
use sql::cluster::Notification;
use sql::session::{ConnectRequest, Session, TransactionStatus};
use sql::settings::{SessionSettings, id};
use sql::{Report, Result, Severity, SqlError, SqlState, error};

use self::codec::{Bind, Message, Target, decode};
use self::destination::{WireDestination, connection_lost, terminated};
use self::frame::Frame;
use self::startup::{Opened, Startup, refuse};
pub(crate) use self::wire::Stream;
use self::wire::Wire;
use crate::log::Origin;
use crate::server::{Seat, Shared};

const CLIENT_READ: WaitEvent = WaitEvent { kind: "Client", name: "ClientRead" };

/// What the next message meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// ReadyForQuery is the last that was said: the session is idle.
    Idle,
    /// Messages of a query are answered; its end, Sync, is still to come.
    Answering,
    /// An extended message has failed: only Sync and Terminate count.
    SkipUntilSync,
    /// The conversation is over.
    Over,
}

/// A conversation with a client that has a session.
struct Conversation {
    shared: Arc<Shared>,
    session: Session,
    wire: Wire,
    origin: Origin,
    phase: Phase,
    /// Its place among `max_connections`, given back when the conversation ends, however it ends.
    _seat: Seat,
}

/// Talks with a client until it leaves or is sent away.
pub(crate) async fn converse(shared: Arc<Shared>, stream: Stream) {
    let mut origin = Origin {
        is_session: true,
        backend_type: "client backend".into(),
        started: Some(SystemTime::now()),
        client: stream.client(),
        activity: "authentication".into(),
        ..Origin::default()
    };
    let started = Instant::now();
    let limit =
        Duration::from_secs(shared.settings.integer(id::AUTHENTICATION_TIMEOUT).unsigned_abs().into());
    let Ok(opened) = tokio::time::timeout(limit, startup::open(stream, &shared)).await else { return };
    let (mut wire, startup) = match opened {
        Opened::Done => return,
        Opened::Startup(wire, startup) => (*wire, startup),
        Opened::Refused(mut wire, error) => {
            shared.log.session(&error.0, &origin, None);
            refuse(&mut wire, &error).await;
            return;
        }
    };
    origin.user = Some(startup.user.clone());
    origin.database = Some(startup.database.clone());
    if shared.settings.boolean(id::LOG_CONNECTIONS) {
        log_line(&shared, &origin, format!("connection received: {}", place(&origin, " port=")));
    }
    let entered = AssertUnwindSafe(enter(&shared, &mut wire, startup, &mut origin));
    let (session, seat) = match tokio::time::timeout(limit, entered.catch_unwind()).await {
        Ok(Ok(Ok(entered))) => entered,
        Ok(Ok(Err(error))) => {
            // A client that leaves while it is asked for its password has changed its mind.
            if error.code() == SqlState::CONNECTION_FAILURE {
                return;
            }
            let error = error.severity(Severity::Fatal);
            shared.log.session(&error.0, &origin, None);
            // It may tell of a role or a database what is not on disk yet.
            return match shared.cluster.settle_shared_rows().await {
                Ok(()) => refuse(&mut wire, &error).await,
                Err(unsettled) => refuse(&mut wire, &unsettled.severity(Severity::Fatal)).await,
            };
        }
        Ok(Err(_panic)) => return refuse(&mut wire, &fault()).await,
        Err(_timeout) => {
            let error =
                error!(QUERY_CANCELED, "canceling authentication due to timeout").severity(Severity::Fatal);
            shared.log.session(&error.0, &origin, None);
            return refuse(&mut wire, &error).await;
        }
    };
    let mut conversation = Conversation { shared, session, wire, origin, phase: Phase::Idle, _seat: seat };
    conversation.run().await;
    conversation.say_goodbye(started);
}

/// Authenticates the client, opens its session, and greets it.
async fn enter(
    shared: &Arc<Shared>,
    wire: &mut Wire,
    startup: Startup,
    origin: &mut Origin,
) -> Result<(Session, Seat)> {
    shared.admission.check()?;
    let seat = shared.seats.take()?;
    authentication::authenticate(shared, wire, &startup).await?;
    let request = ConnectRequest {
        database: Some(startup.database),
        user: Some(startup.user),
        settings: startup.settings,
        kind: BackendKind::Client,
        process: None,
        client: origin.client,
        bypass_allow_connections: false,
        bypass_login_check: false,
    };
    let session = Session::connect(&shared.cluster, request).await?;
    let backend = session.backend().clone();
    origin.pid = Some(backend.pid);
    {
        let settings = session.shared().settings.lock();
        seat.keep(settings.boolean(id::IS_SUPERUSER))?;
        origin.application_name = settings.text(id::APPLICATION_NAME).into();
    }
    wire.output.authentication_ok();
    for (name, value) in session.reported_parameters() {
        wire.output.parameter_status(name, &value);
    }
    wire.output.backend_key_data(backend.pid, backend.secret);
    wire.output.ready_for_query(session.transaction_status());
    origin.activity = "idle".into();
    if shared.settings.boolean(id::LOG_CONNECTIONS) {
        let (user, database) =
            (origin.user.as_deref().unwrap_or(""), origin.database.as_deref().unwrap_or(""));
        let mut text = format!("connection authorized: user={user} database={database}");
        if !origin.application_name.is_empty() {
            text.push_str(&format!(" application_name={}", origin.application_name));
        }
        log_line(shared, origin, text);
    }
    Ok((session, seat))
}

impl Conversation {
    /// The loop.
    async fn run(&mut self) {
        while self.phase != Phase::Over {
            let frame = match self.next_frame().await {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => return self.end_with(error).await,
            };
            let answered = AssertUnwindSafe(self.answer(frame)).catch_unwind().await;
            match answered {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return self.end_with(error).await,
                Err(_panic) => return self.end_with(fault()).await,
            }
        }
        // A client that has pipelined its farewell still reads what came before it; one that has gone does not.
        let _ = self.flush().await;
    }

    /// Sends what is buffered, when it may be told (see `sql::session`, visibility).
    async fn flush(&mut self) -> Result<()> {
        if !self.wire.output.buffer.is_empty() {
            self.session.settle().await?;
        }
        self.wire.flush().await.map_err(|_| connection_lost())
    }

    /// Waits for a message. Meanwhile it sends what is buffered and does what others ask of the session. `None` when the
    /// client has gone.
    async fn next_frame(&mut self) -> Result<Option<Frame>> {
        if let Some(frame) = self.wire.buffered_frame()? {
            return Ok(Some(frame));
        }
        self.session.pause();
        let backend = self.session.backend().clone();
        let deadline = self.idle_deadline();
        loop {
            backend.latch.reset();
            self.serve_requests(&backend)?;
            if self.flush().await.is_err() {
                return Ok(None);
            }
            let _waiting = backend.waiting(CLIENT_READ);
            tokio::select! {
                more = self.wire.read_more() => {
                    if !more {
                        return self.client_gone();
                    }
                    if let Some(frame) = self.wire.buffered_frame()? {
                        return Ok(Some(frame));
                    }
                }
                _ = backend.latch.wait(None) => {}
                () = expire(deadline) => return Err(self.idled_too_long()),
            }
        }
    }

    /// The client closed its connection without a Terminate message.
    fn client_gone(&self) -> Result<Option<Frame>> {
        if self.session.transaction_status() != TransactionStatus::Idle {
            let text = "unexpected EOF on client connection with an open transaction";
            let report = Report::new(Severity::Log, SqlState::CONNECTION_FAILURE, text);
            self.shared.log.session(&report, &self.origin, None);
        }
        Ok(None)
    }

    /// What others have asked of this session while it was idle.
    fn serve_requests(&mut self, backend: &Backend) -> Result<()> {
        if backend.terminate_requested() {
            return Err(self.shared.admission.farewell().unwrap_or_else(terminated));
        }
        // A cancel request that comes between statements has nothing to cancel.
        backend.take_cancel();
        if backend.take_reload() {
            let (session, mut destination) = self.session_and_destination(backend);
            session.reload_settings(&mut destination);
        }
        let answers = matches!(self.phase, Phase::Idle | Phase::Answering);
        if answers && self.session.transaction_status() == TransactionStatus::Idle {
            for Notification { pid, channel, payload } in self.shared.cluster.notifications.take(backend.pid)
            {
                self.wire.output.notification(pid, &channel, &payload);
            }
        }
        Ok(())
    }

    /// When a session ends that hears nothing more.
    fn idle_deadline(&self) -> Option<tokio::time::Instant> {
        let idle = self.idle_limit().map(|limit| Instant::now() + limit);
        let nearest = [idle, self.session.transaction_deadline()].into_iter().flatten().min()?;
        Some(nearest.into())
    }

    /// For how long the session may be idle. Before the Sync of a query it is not, however long the client thinks.
    fn idle_limit(&self) -> Option<Duration> {
        if self.phase != Phase::Idle {
            return None;
        }
        let setting = match self.session.transaction_status() {
            TransactionStatus::Idle => id::IDLE_SESSION_TIMEOUT,
            _ => id::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        };
        let limit = self.session.shared().settings.lock().integer(setting);
        let limit = u64::try_from(limit).ok().filter(|limit| *limit > 0)?;
        Some(Duration::from_millis(limit))
    }

    /// What a session hears that has been idle for too long.
    fn idled_too_long(&self) -> SqlError {
        if let Err(error) = self.session.backend().deadlines().check() {
            return error;
        }
        let error = match self.session.transaction_status() {
            TransactionStatus::Idle => {
                error!(IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout")
            }
            _ => error!(
                IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout"
            ),
        };
        error.severity(Severity::Fatal)
    }

    /// Answers one message. An error that it returns ends the conversation; others have been told to the client.
    async fn answer(&mut self, frame: Frame) -> Result<()> {
        let kind = frame.kind;
        if self.phase == Phase::SkipUntilSync && !matches!(kind, b'S' | b'X') {
            return Ok(());
        }
        if self.phase == Phase::Idle {
            self.phase = Phase::Answering;
        }
        let outcome = match decode(&frame) {
            Ok(message) => self.act(message).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            if error.0.severity >= Severity::Fatal {
                return Err(error);
            }
            self.session.fail(&error);
            self.tell(&error);
            match kind {
                b'P' | b'B' | b'D' | b'E' | b'C' | b'H' => self.phase = Phase::SkipUntilSync,
                _ => {
                    self.session.report_idle();
                    self.ready();
                }
            }
        }
        if self.wire.output.is_full() {
            self.flush().await?;
        }
        Ok(())
    }

    /// What each message does.
    async fn act(&mut self, message: Message<'_>) -> Result<()> {
        match message {
            Message::Query(text) => self.simple_query(text).await,
            Message::Parse { name, query, parameters } => {
                self.session.parse(name, query, &parameters).await?;
                self.wire.output.parse_complete();
                Ok(())
            }
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(Target::Statement, name) => self.describe_statement(name).await,
            Message::Describe(Target::Portal, name) => self.describe_portal(name).await,
            Message::Execute { portal, rows_max } => self.execute(portal, rows_max).await,
            Message::Close(target, name) => {
                match target {
                    Target::Statement => self.session.close_statement(name),
                    Target::Portal => self.session.close_portal(name),
                }
                self.wire.output.close_complete();
                Ok(())
            }
            Message::Flush => self.flush().await,
            Message::Sync => self.sync().await,
            Message::FunctionCall => Err(SqlError::unsupported("the function call protocol")),
            // What is left of a COPY that has failed.
            Message::CopyData | Message::CopyDone | Message::CopyFail(_) => Ok(()),
            Message::Terminate => {
                self.phase = Phase::Over;
                Ok(())
            }
        }
    }

    async fn simple_query(&mut self, text: &str) -> Result<()> {
        let started = Instant::now();
        let backend = self.session.backend().clone();
        let (session, mut destination) = self.session_and_destination(&backend);
        let result = session.simple_query(text, &mut destination).await;
        if let Some(tags) = destination.tags {
            self.log_statement("statement", text, &tags, started);
        }
        result?;
        self.ready();
        Ok(())
    }

    async fn bind(&mut self, bind: Bind<'_>) -> Result<()> {
        let Bind { portal, statement, parameter_formats, parameters, result_formats } = bind;
        self.session.bind(portal, statement, &parameter_formats, &parameters, &result_formats).await?;
        self.wire.output.bind_complete();
        Ok(())
    }

    async fn describe_statement(&mut self, name: &str) -> Result<()> {
        let description = self.session.describe_statement(name).await?;
        self.wire.output.parameter_description(&description.parameters);
        match &description.columns {
            Some(columns) => self.wire.output.row_description(columns, &[]),
            None => self.wire.output.no_data(),
        }
        Ok(())
    }

    async fn describe_portal(&mut self, name: &str) -> Result<()> {
        match self.session.describe_portal(name).await? {
            Some((columns, formats)) => self.wire.output.row_description(columns, &formats),
            None => self.wire.output.no_data(),
        }
        Ok(())
    }

    async fn execute(&mut self, portal: &str, rows_max: Option<u64>) -> Result<()> {
        let started = Instant::now();
        let backend = self.session.backend().clone();
        let (session, mut destination) = self.session_and_destination(&backend);
        let result = session.execute(portal, rows_max, &mut destination).await;
        if let Some(tags) = destination.tags {
            let text = backend.activity.lock().query.clone();
            let name = if portal.is_empty() { "<unnamed>" } else { portal };
            self.log_statement(&format!("execute {name}"), &text, &tags, started);
        }
        result
    }

    /// Ends a series of extended messages. Whatever happens, the client gets its ReadyForQuery.
    async fn sync(&mut self) -> Result<()> {
        let backend = self.session.backend().clone();
        let (session, mut destination) = self.session_and_destination(&backend);
        session.sync(&mut destination).await?;
        self.ready();
        Ok(())
    }

    /// Tells the client that the next statement may come. Others know it from the session.
    fn ready(&mut self) {
        self.phase = Phase::Idle;
        self.wire.output.ready_for_query(self.session.transaction_status());
    }

    fn session_and_destination<'a>(
        &'a mut self,
        backend: &'a Backend,
    ) -> (&'a mut Session, WireDestination<'a>) {
        let settings = self.session.shared().settings.lock();
        let least = least_sent(settings.text(id::CLIENT_MIN_MESSAGES));
        let tags = logs_statements(&settings).then(Vec::new);
        drop(settings);
        let destination = WireDestination {
            wire: &mut self.wire,
            backend,
            log: &self.shared.log,
            origin: &self.origin,
            least,
            tags,
        };
        (&mut self.session, destination)
    }

    /// Tells client and log of an error.
    fn tell(&mut self, error: &SqlError) {
        let statement = self.session.backend().activity.lock().query.clone();
        let statement = Some(statement.as_str()).filter(|text| !text.is_empty());
        self.shared.log.session(&error.0, &self.origin, statement);
        self.wire.output.report(&error.0);
    }

    /// Tells client and log why the conversation ends.
    async fn end_with(&mut self, error: SqlError) {
        // A statement that was stopped knows only that it has to end.
        let told = error.code() == SqlState::ADMIN_SHUTDOWN;
        let error = told.then(|| self.shared.admission.farewell()).flatten().unwrap_or(error);
        if error.0.severity >= Severity::Fatal {
            self.shared.log.session(&error.0, &self.origin, None);
        }
        // What is buffered goes out with the farewell.
        if self.session.settle().await.is_ok() {
            refuse(&mut self.wire, &error).await;
        }
    }

    /// Logs a statement, its duration, or both in one line, as the settings ask.
    fn log_statement(&self, how: &str, text: &str, tags: &[String], started: Instant) {
        let settings = self.session.shared().settings.lock();
        let by_kind = statement_is_logged(settings.text(id::LOG_STATEMENT), tags);
        let least_duration = settings.integer(id::LOG_MIN_DURATION_STATEMENT);
        let all_durations = settings.boolean(id::LOG_DURATION);
        drop(settings);
        let milliseconds = started.elapsed().as_secs_f64() * 1_000.0;
        let slow = least_duration >= 0 && milliseconds >= f64::from(least_duration);
        if by_kind {
            log_line(&self.shared, &self.origin, format!("{how}: {text}"));
        }
        if slow && !by_kind {
            log_line(&self.shared, &self.origin, format!("duration: {milliseconds:.3} ms  {how}: {text}"));
        } else if slow || all_durations {
            log_line(&self.shared, &self.origin, format!("duration: {milliseconds:.3} ms"));
        }
    }

    fn say_goodbye(&self, started: Instant) {
        if !self.shared.settings.boolean(id::LOG_DISCONNECTIONS) {
            return;
        }
        let elapsed = started.elapsed();
        let seconds = elapsed.as_secs();
        let text = format!(
            "disconnection: session time: {}:{:02}:{:02}.{:03} user={} database={} {}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            elapsed.subsec_millis(),
            self.origin.user.as_deref().unwrap_or(""),
            self.origin.database.as_deref().unwrap_or(""),
            place(&self.origin, " port="),
        );
        log_line(&self.shared, &self.origin, text);
    }
}

/// Whether anything is logged of statements that end well.
fn logs_statements(settings: &SessionSettings) -> bool {
    settings.text(id::LOG_STATEMENT) != "none"
        || settings.boolean(id::LOG_DURATION)
        || settings.integer(id::LOG_MIN_DURATION_STATEMENT) >= 0
}

/// Waits until the deadline, if there is one.
async fn expire(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The least severity that `client_min_messages` lets through.
fn least_sent(setting: &str) -> Severity {
    match setting {
        "debug5" => Severity::Debug5,
        "debug4" => Severity::Debug4,
        "debug3" => Severity::Debug3,
        "debug2" => Severity::Debug2,
        "debug1" => Severity::Debug1,
        "log" => Severity::Log,
        "warning" => Severity::Warning,
        "error" => Severity::Error,
        _ => Severity::Notice,
    }
}

/// Whether `log_statement` asks for a statement that completed with these tags. PostgreSQL decides before it runs a
/// statement, by its syntax; here its tag decides, so that one that fails appears with its error only.
fn statement_is_logged(setting: &str, tags: &[String]) -> bool {
    const DEFINITIONS: &[&str] =
        &["CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "REINDEX", "SECURITY"];
    const CHANGES: &[&str] = &["INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "COPY", "SELECT INTO"];
    let any = |words: &[&str]| tags.iter().any(|tag| words.iter().any(|word| tag.starts_with(word)));
    match setting {
        "all" => true,
        "mod" => any(DEFINITIONS) || any(CHANGES),
        "ddl" => any(DEFINITIONS),
        _ => false,
    }
}

/// `host=127.0.0.1 port=5000`, `host=[local]`.
fn place(origin: &Origin, port_label: &str) -> String {
    match origin.client {
        Some((address, port)) => format!("host={address}{port_label}{port}"),
        None => "host=[local]".into(),
    }
}

fn log_line(shared: &Shared, origin: &Origin, message: String) {
    shared.log.session(&Report::new(Severity::Log, SqlState::SUCCESSFUL_COMPLETION, message), origin, None);
}

/// What a client hears of a fault of ours. The panic itself has been logged by the hook.
fn fault() -> SqlError {
    SqlError::internal("terminating connection because of an internal fault")
        .hint("The server's log tells more. Other sessions are not affected.")
        .severity(Severity::Fatal)
}
