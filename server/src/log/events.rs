//! Events of `tracing` as log lines: how crates below the server log without knowing the log.

use std::fmt::{Debug, Write};
use std::sync::Arc;

use sql::{Report, Severity, SqlState};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::Logger;

/// The target of events that are LOG lines whatever their level.
const LOG_TARGET: &str = "log";

/// Sends the events of our crates to a log. Only the first call in a process counts.
pub(super) fn install(log: Arc<Logger>) {
    let subscriber = tracing_subscriber::registry().with(ToLog(log));
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The target of the last words of a server that ends itself on the spot.
const PANIC_TARGET: &str = "panic";

struct ToLog(Arc<Logger>);

impl<S: Subscriber> Layer<S> for ToLog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let own = ["sql", "storage", "workers", "postilion", LOG_TARGET, PANIC_TARGET]
            .iter()
            .any(|name| metadata.target().split("::").next() == Some(name));
        if !own {
            return;
        }
        let severity = match *metadata.level() {
            _ if metadata.target() == LOG_TARGET => Severity::Log,
            _ if metadata.target() == PANIC_TARGET => Severity::Panic,
            Level::ERROR | Level::WARN => Severity::Warning,
            Level::INFO => Severity::Log,
            Level::DEBUG => Severity::Debug1,
            Level::TRACE => Severity::Debug5,
        };
        if !self.0.logs(severity) {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let mut report = Report::new(severity, SqlState::SUCCESSFUL_COMPLETION, text.message);
        report.detail = Some(text.fields).filter(|fields| !fields.is_empty());
        self.0.server(&report);
    }
}

/// An event's message and its other fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            let space = if self.fields.is_empty() { "" } else { " " };
            write!(self.fields, "{space}{}={value:?}", field.name())
        };
    }
}
