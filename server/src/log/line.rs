//! Log lines as text: `log_line_prefix`, severity, message, and a line each for DETAIL, HINT, CONTEXT and STATEMENT.
//!
//! Source: `src/backend/utils/error/elog.c` (`log_line_prefix`, `send_message_to_server_log`).

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use super::{Line, moment};

/// Appends a report's lines. Line breaks in texts are followed by a tab, so that no text looks like a line of its own.
pub(super) fn write(line: &Line<'_>, prefix: &str, out: &mut String) {
    let start = expand_prefix(line, prefix);
    let report = line.report;
    let severity = report.severity.as_str();
    let code = if line.verbose { format!("{}: ", report.code) } else { String::new() };
    let position = report.position.map(|at| format!(" at character {at}")).unwrap_or_default();
    put(out, &start, severity, &format!("{code}{}{position}", report.message));
    if !line.terse {
        for (label, text) in [
            ("DETAIL", report.detail.as_deref()),
            ("HINT", report.hint.as_deref()),
            ("QUERY", report.internal.as_ref().map(|(_, query)| query.as_str())),
            ("CONTEXT", report.context.as_deref()),
        ] {
            if let Some(text) = text {
                put(out, &start, label, text);
            }
        }
    }
    if let Some(statement) = line.statement {
        put(out, &start, "STATEMENT", statement);
    }
}

fn put(out: &mut String, start: &str, label: &str, text: &str) {
    out.push_str(start);
    out.push_str(label);
    out.push_str(":  ");
    out.push_str(&text.replace('\n', "\n\t"));
    out.push('\n');
}

/// Replaces the escapes of `log_line_prefix`. `%q` ends the prefix of what is no session.
fn expand_prefix(line: &Line<'_>, prefix: &str) -> String {
    let mut out = String::new();
    let mut characters = prefix.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let mut width = String::new();
        while let Some(part) = characters.next_if(|c| c.is_ascii_digit() || (*c == '-' && width.is_empty())) {
            width.push(part);
        }
        match characters.next() {
            None => break,
            Some('%') => out.push('%'),
            Some('q') if !line.origin.is_session => break,
            Some('q') => {}
            Some(escape) => pad(&mut out, &expand(line, escape), width.parse().unwrap_or(0)),
        }
    }
    out
}

/// A negative width fills up on the right, a positive one on the left.
fn pad(out: &mut String, text: &str, width: i64) {
    let size = usize::try_from(width.unsigned_abs()).unwrap_or(0);
    let _ = if width < 0 { write!(out, "{text:<size$}") } else { write!(out, "{text:>size$}") };
}

fn expand(line: &Line<'_>, escape: char) -> String {
    const UNKNOWN: &str = "[unknown]";
    let origin = line.origin;
    let known = |name: &Option<String>| {
        let unknown = if origin.is_session { UNKNOWN } else { "" };
        name.clone().unwrap_or_else(|| unknown.into())
    };
    let host = |with_port: bool| match origin.client {
        Some((address, port)) if with_port => format!("{address}({port})"),
        Some((address, _)) => address.to_string(),
        None if origin.is_session => "[local]".into(),
        None => String::new(),
    };
    match escape {
        'a' if origin.is_session && origin.application_name.is_empty() => UNKNOWN.into(),
        'a' => origin.application_name.clone(),
        'u' => known(&origin.user),
        'd' => known(&origin.database),
        'r' => host(true),
        'h' => host(false),
        'b' => origin.backend_type.into(),
        'p' => origin.pid().to_string(),
        't' => moment(line.now, &line.zone, false),
        'm' => moment(line.now, &line.zone, true),
        'n' => {
            let since = line.now.duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("{}.{:03}", since.as_secs(), since.subsec_millis())
        }
        's' => moment(origin.started.unwrap_or(line.server_started), &line.zone, false),
        'i' => origin.activity.clone(),
        'c' => origin.session_id(line.server_started),
        'l' => line.number.to_string(),
        'e' => line.report.code.to_string(),
        'x' | 'Q' => "0".into(),
        // No parallel leaders, no virtual transaction numbers: empty, as for processes that have none.
        _ => String::new(),
    }
}
