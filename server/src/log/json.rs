//! Log lines as JSON, one object a line, with PostgreSQL's keys in PostgreSQL's order. Absent values have no key.
//!
//! Source: `src/backend/utils/error/jsonlog.c`.

use std::fmt::Write;

use super::{Line, moment};

/// Appends a report as one line of JSON.
pub(super) fn write(line: &Line<'_>, out: &mut String) {
    let (report, origin) = (line.report, line.origin);
    let mut object = Object { out, empty: true };
    object.text("timestamp", &moment(line.now, &line.zone, true));
    object.some("user", origin.user.as_deref());
    object.some("dbname", origin.database.as_deref());
    object.raw("pid", origin.pid());
    match origin.client {
        Some((address, port)) => {
            object.text("remote_host", &address.to_string());
            object.raw("remote_port", port);
        }
        None if origin.is_session => object.text("remote_host", "[local]"),
        None => {}
    }
    object.text("session_id", &origin.session_id(line.server_started));
    object.raw("line_num", line.number);
    object.some("ps", Some(origin.activity.as_str()).filter(|text| !text.is_empty()));
    object.text("session_start", &moment(origin.started.unwrap_or(line.server_started), &line.zone, false));
    object.raw("txid", 0);
    object.text("error_severity", report.severity.as_str());
    object.some("state_code", Some(report.code.as_str()).filter(|code| *code != "00000"));
    object.text("message", &report.message);
    object.some("detail", report.detail.as_deref());
    object.some("hint", report.hint.as_deref());
    object.some("internal_query", report.internal.as_ref().map(|(_, query)| query.as_str()));
    if let Some((position, _)) = report.internal {
        object.raw("internal_position", position);
    }
    object.some("context", report.context.as_deref());
    object.some("statement", line.statement);
    if let (Some(position), Some(_)) = (report.position, line.statement) {
        object.raw("cursor_position", position);
    }
    object.some("application_name", Some(origin.application_name.as_str()).filter(|name| !name.is_empty()));
    object.text("backend_type", origin.backend_type);
    object.raw("query_id", 0);
    object.finish();
}

/// A JSON object being written.
struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl Object<'_> {
    fn key(&mut self, key: &str) {
        self.out.push(if self.empty { '{' } else { ',' });
        self.empty = false;
        let _ = write!(self.out, "\"{key}\":");
    }

    fn raw(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.out, "{value}");
    }

    fn some(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push('"');
        for character in value.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                control if control < ' ' => {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(control));
                }
                other => self.out.push(other),
            }
        }
        self.out.push('"');
    }

    fn finish(self) {
        self.out.push_str("}\n");
    }
}
