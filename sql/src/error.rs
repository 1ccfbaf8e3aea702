//! The one SQL error. It has the shape of the ErrorResponse that it becomes: SQLSTATE, message, detail, hint,
//! position. Messages follow PostgreSQL's wording to the letter, because clients match on them. Notices and log lines
//! have the same shape and differ in severity only.
//!
//! Source: PostgreSQL manual, "Error and Notice Message Fields"; `src/include/utils/elog.h`.

use std::fmt;

use crate::SqlState;

/// What a fallible operation of this crate returns.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

/// How grave a message is. `Error` ends the statement, `Fatal` the session, `Panic` the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
pub enum Severity {
    Debug5,
    Debug4,
    Debug3,
    Debug2,
    Debug1,
    Log,
    Info,
    Notice,
    Warning,
    Error,
    Fatal,
    Panic,
}

impl Severity {
    /// The word that stands in messages and logs; the five debug levels all say `DEBUG`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug5 | Self::Debug4 | Self::Debug3 | Self::Debug2 | Self::Debug1 => "DEBUG",
            Self::Log => "LOG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Panic => "PANIC",
        }
    }
}

/// A message to a client or to the log, with all that PostgreSQL lets one carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How grave it is.
    pub severity: Severity,
    /// Its SQLSTATE.
    pub code: SqlState,
    /// The primary message: one line, no capital, no full stop.
    pub message: String,
    /// More about what happened.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where in the text of the query, in characters, from 1.
    pub position: Option<usize>,
    /// Where in an internally generated query, and that query.
    pub internal: Option<(usize, String)>,
    /// The call stack, innermost first, a line each (`CONTEXT`).
    pub context: Option<String>,
    /// The objects concerned, for constraint violations and the like.
    pub object: ObjectNames,
}

/// The names of the objects which an error concerns, each absent when it does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's fields")]
pub struct ObjectNames {
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub data_type: Option<String>,
    pub constraint: Option<String>,
}

/// An error of severity ERROR or graver. The report is boxed so that `Result` stays small.
#[derive(Clone, PartialEq, Eq)]
pub struct SqlError(pub Box<Report>);

impl SqlError {
    /// An ERROR with this code and message.
    pub fn new(code: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(Report::new(Severity::Error, code, message)))
    }

    /// The same error with a DETAIL.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same error with a HINT.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same error pointing at a character of the query (from 1), unless it already points somewhere.
    #[must_use]
    pub fn at(mut self, position: impl Into<Option<usize>>) -> Self {
        if self.0.position.is_none() {
            self.0.position = position.into();
        }
        self
    }

    /// The same error with another severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.0.severity = severity;
        self
    }

    /// The same error, naming the objects it concerns.
    #[must_use]
    pub fn concerning(mut self, object: ObjectNames) -> Self {
        self.0.object = object;
        self
    }

    /// The same error with a line of CONTEXT added outside those it has.
    #[must_use]
    pub fn context(mut self, line: impl Into<String>) -> Self {
        let line = line.into();
        self.0.context = Some(match self.0.context.take() {
            Some(inner) => format!("{inner}\n{line}"),
            None => line,
        });
        self
    }

    /// `0A000`: what PostgreSQL can do and Postilion cannot, refused by name.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
    }

    /// `XX000`: a fault of ours, never of the client's.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(SqlState::INTERNAL_ERROR, message)
    }

    /// `57014`, as `pg_cancel_backend` and the cancel key cause it.
    pub fn canceled() -> Self {
        Self::new(SqlState::QUERY_CANCELED, "canceling statement due to user request")
    }

    /// The SQLSTATE.
    pub fn code(&self) -> SqlState {
        self.0.code
    }

    /// The primary message.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl Report {
    /// A message of this severity, code and text, and nothing else.
    pub fn new(severity: Severity, code: SqlState, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            internal: None,
            context: None,
            object: ObjectNames::default(),
        }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SqlError {}

/// `error!(UNDEFINED_TABLE, "relation \"{name}\" does not exist")`: an ERROR with a formatted message.
#[macro_export]
macro_rules! error {
    ($code:ident, $($message:tt)+) => {
        $crate::SqlError::new($crate::SqlState::$code, format!($($message)+))
    };
}
