//! The options of VACUUM, ANALYZE and REINDEX.
//!
//! FREEZE, DISABLE_PAGE_SKIPPING, INDEX_CLEANUP, PROCESS_TOAST, TRUNCATE and PARALLEL have nothing to do here: there are
//! no transaction numbers, visibility maps, toast tables or empty tails of tables, and no index is vacuumed.
//!
//! Source: `src/backend/commands/vacuum.c` (`ExecVacuum`), `indexcmds.c` (`ExecReindex`), `define.c` (`defGetBoolean`).

use crate::parse::{Definition, DefinitionValue};
use crate::settings::parse_boolean;
use crate::{Result, error};

const VACUUM: [&str; 10] = [
    "verbose",
    "skip_locked",
    "analyze",
    "freeze",
    "full",
    "disable_page_skipping",
    "index_cleanup",
    "process_toast",
    "truncate",
    "parallel",
];
const ANALYZE: [&str; 2] = ["verbose", "skip_locked"];
const REINDEX: [&str; 3] = ["verbose", "concurrently", "tablespace"];

/// The most workers that VACUUM may be given (`MAX_PARALLEL_WORKER_LIMIT`).
const PARALLEL_WORKERS_MAX: i64 = 1024;

/// The options that were given; of those given twice the last counts.
pub(super) struct Options(Vec<Given>);

struct Given {
    name: String,
    value: Option<String>,
    position: usize,
}

impl Options {
    /// # Errors
    /// `42601`; `0A000` for options that exclude each other.
    pub(super) fn of_vacuum(options: &[Definition]) -> Result<Self> {
        let options = Self::read("VACUUM", options, &VACUUM)?;
        let parallel = options.parallel()?;
        if options.on("full") {
            if parallel.is_some_and(|workers| workers > 0) {
                return Err(error!(FEATURE_NOT_SUPPORTED, "VACUUM FULL cannot be performed in parallel"));
            }
            if options.on("disable_page_skipping") {
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "VACUUM option DISABLE_PAGE_SKIPPING cannot be used with FULL"
                ));
            }
            if options.is_off("process_toast") {
                return Err(error!(FEATURE_NOT_SUPPORTED, "PROCESS_TOAST required with VACUUM FULL"));
            }
        }
        Ok(options)
    }

    /// # Errors
    /// `42601`.
    pub(super) fn of_analyze(options: &[Definition]) -> Result<Self> {
        Self::read("ANALYZE", options, &ANALYZE)
    }

    /// # Errors
    /// `42601`.
    pub(super) fn of_reindex(options: &[Definition]) -> Result<Self> {
        Self::read("REINDEX", options, &REINDEX)
    }

    fn read(command: &str, options: &[Definition], known: &[&str]) -> Result<Self> {
        let mut given = Vec::new();
        for option in options {
            let name = option.name.to_ascii_lowercase();
            if !known.contains(&name.as_str()) {
                return Err(
                    error!(SYNTAX_ERROR, "unrecognized {command} option \"{name}\"").at(option.position)
                );
            }
            let value = option.value.as_ref().map(DefinitionValue::text);
            let is_truth = match name.as_str() {
                "parallel" | "tablespace" => true,
                "index_cleanup" if value.as_deref() == Some("auto") => true,
                _ => value.as_deref().is_none_or(|text| parse_boolean(text).is_some()),
            };
            if !is_truth {
                return Err(error!(SYNTAX_ERROR, "{name} requires a Boolean value"));
            }
            given.push(Given { name, value, position: option.position });
        }
        Ok(Self(given))
    }

    fn last(&self, name: &str) -> Option<&Given> {
        self.0.iter().rev().find(|option| option.name == name)
    }

    /// Whether an option is on; a word without a value is.
    pub(super) fn on(&self, name: &str) -> bool {
        let given = self.last(name);
        given.is_some_and(|given| given.value.as_deref().and_then(parse_boolean) != Some(false))
    }

    fn is_off(&self, name: &str) -> bool {
        self.last(name).is_some() && !self.on(name)
    }

    /// The text that was given for an option.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.last(name)?.value.as_deref()
    }

    fn parallel(&self) -> Result<Option<i64>> {
        let Some(given) = self.last("parallel") else { return Ok(None) };
        let Some(value) = &given.value else {
            return Err(error!(
                SYNTAX_ERROR,
                "parallel option requires a value between 0 and {PARALLEL_WORKERS_MAX}"
            )
            .at(given.position));
        };
        let workers =
            value.parse().map_err(|_| error!(SYNTAX_ERROR, "parallel requires an integer value"))?;
        if !(0..=PARALLEL_WORKERS_MAX).contains(&workers) {
            return Err(error!(
                SYNTAX_ERROR,
                "parallel workers for vacuum must be between 0 and {PARALLEL_WORKERS_MAX}"
            )
            .at(given.position));
        }
        Ok(Some(workers))
    }
}
