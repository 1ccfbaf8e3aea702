//! Loading libraries: each one's init hook runs once in a server. Those of `shared_preload_libraries` run before the
//! first worker starts; another's runs when the library is first used, by one of its SQL functions or workers.
//!
//! PostgreSQL loads such a library into the process that uses it; here there is one server for all, so that its settings
//! are known everywhere from its first use: clients' sessions take them over before their next message.
//!
//! Source: `process_shared_preload_libraries` in PostgreSQL's `src/backend/utils/init/miscinit.c`;
//! `RegisterBackgroundWorker` in `src/backend/postmaster/bgworker.c`.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use sql::backend::{BackendKind, BackendTable, Signal};
use sql::settings::definition::{Context, SettingDefinition};
use sql::settings::{ServerSettings, split_identifiers};
use sql::{Report, Result, Severity, SqlError, SqlState};

use crate::host::{Log, Origin};
use crate::slots::Slots;
use crate::{Init, Libraries, Library, Registration, missing_library};

/// Runs init hooks.
pub struct Loader {
    libraries: Libraries,
    settings: Arc<ServerSettings>,
    backends: Arc<BackendTable>,
    log: Log,
    loaded: Mutex<BTreeSet<String>>,
}

impl Loader {
    /// A loader that has loaded nothing yet.
    pub fn new(
        libraries: Libraries,
        settings: Arc<ServerSettings>,
        backends: Arc<BackendTable>,
        log: Log,
    ) -> Arc<Self> {
        Arc::new(Self { libraries, settings, backends, log, loaded: Mutex::default() })
    }

    /// All libraries, loaded or not.
    pub fn libraries(&self) -> &Libraries {
        &self.libraries
    }

    /// Loads what `shared_preload_libraries` lists, in its order. Static workers go into `slots`.
    ///
    /// # Errors
    /// FATAL `58P01` for a library that is not there, `22023` for a list that is none.
    pub fn preload(&self, list: &str, slots: &Slots) -> Result<()> {
        let names = split_identifiers(list).ok_or_else(|| {
            sql::error!(
                INVALID_PARAMETER_VALUE,
                "invalid list syntax in parameter \"shared_preload_libraries\""
            )
            .severity(Severity::Fatal)
        })?;
        for name in names {
            let found = self.libraries.get(&name).cloned();
            let library = found.ok_or_else(|| missing_library(&name).severity(Severity::Fatal))?;
            self.load_once(&library, Some(slots));
        }
        Ok(())
    }

    /// Loads a library that something of is used, unless it is loaded. One that is not there is the user's to report.
    pub fn load(&self, name: &str) {
        let Some(library) = self.libraries.get(name) else { return };
        if self.load_once(library, None) {
            for backend in self.backends.all() {
                if backend.kind == BackendKind::Client {
                    backend.signal(Signal::Reload);
                }
            }
        }
    }

    /// `slots` while static workers are accepted. Whether it was loaded just now.
    fn load_once(&self, library: &Arc<dyn Library>, slots: Option<&Slots>) -> bool {
        // Held while the hook runs: whoever uses the library next finds its settings defined.
        let mut loaded = self.loaded.lock();
        if !loaded.insert(library.name().to_owned()) {
            return false;
        }
        let settings = &self.settings;
        library.init(&mut Init {
            preloading: slots.is_some(),
            setting: &|name| show(settings, name),
            define: &mut |definition| self.define(definition, slots.is_some()),
            register: &mut |registration| self.register(registration, slots),
            reserve_prefix: &mut |prefix| self.report_all(settings.reserve_prefix(prefix)),
        });
        true
    }

    fn define(&self, definition: SettingDefinition, preloading: bool) {
        if definition.context == Context::Postmaster && !preloading {
            let refused = SqlError::internal("cannot create PGC_POSTMASTER variables after startup");
            return self.report(Report { severity: Severity::Warning, ..*refused.0 });
        }
        let (_, reports) = self.settings.define(definition);
        self.report_all(reports);
    }

    /// Registers a static worker. What is refused is logged: a server does not stay away for one worker.
    fn register(&self, registration: Registration, slots: Option<&Slots>) {
        let name = registration.name.clone();
        let refused = |state, why: &str| {
            self.report(Report::new(Severity::Log, state, format!("background worker \"{name}\": {why}")));
        };
        let Some(slots) = slots else {
            return refused(
                SqlState::FEATURE_NOT_SUPPORTED,
                "must be registered in \"shared_preload_libraries\"",
            );
        };
        let registering = format!("registering background worker \"{name}\"");
        self.report(Report::new(Severity::Debug1, SqlState::SUCCESSFUL_COMPLETION, registering));
        let dynamic_only = registration.notify_pid.is_some();
        match registration.checked() {
            Err(error) => self.report(Report { severity: Severity::Log, ..*error.0 }),
            Ok(_) if dynamic_only => refused(
                SqlState::FEATURE_NOT_SUPPORTED,
                "only dynamic background workers can request notification",
            ),
            Ok(checked) => match slots.register(checked) {
                Ok(Some(_)) => {}
                Ok(None) => self.report(too_many(slots.capacity())),
                Err(error) => self.report(Report { severity: Severity::Log, ..*error.0 }),
            },
        }
    }

    fn report_all(&self, reports: Vec<Report>) {
        reports.into_iter().for_each(|report| self.report(report));
    }

    /// Writes to the log as the server itself.
    fn report(&self, report: Report) {
        (self.log)(&Origin::default(), &report);
    }
}

/// A setting's value as SHOW gives it.
pub(crate) fn show(settings: &ServerSettings, name: &str) -> Option<String> {
    let snapshot = settings.snapshot();
    snapshot.find(name).map(|id| snapshot.definition(id).show(snapshot.value(id)))
}

fn too_many(capacity: usize) -> Report {
    let workers = if capacity == 1 { "worker" } else { "workers" };
    let mut report =
        Report::new(Severity::Log, SqlState::CONFIGURATION_LIMIT_EXCEEDED, "too many background workers");
    report.detail =
        Some(format!("Up to {capacity} background {workers} can be registered with the current settings."));
    report.hint = Some("Consider increasing the configuration parameter \"max_worker_processes\".".into());
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Restart;

    /// What the log says while these libraries are preloaded with so many slots.
    fn preloading(list: &str, capacity: usize) -> String {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = lines.clone();
        let log: Log = Arc::new(move |_, report| {
            let detail = report.detail.clone().unwrap_or_default();
            if report.severity != Severity::Debug1 {
                let (severity, code) = (report.severity.as_str(), report.code);
                seen.lock().push(format!("{severity} {code} {}|{detail}", report.message));
            }
        });
        let mut libraries = Libraries::built_in();
        libraries.add(Arc::new(Odd));
        let loader = Loader::new(libraries, Arc::default(), Arc::default(), log);
        if let Err(error) = loader.preload(list, &Slots::new(capacity, Arc::default())) {
            return error.to_string();
        }
        loader.load("worker_spi");
        let known = show(&loader.settings, "worker_spi.naptime");
        lines.lock().push(known.unwrap_or_default());
        lines.lock().join("\n")
    }

    /// Registers workers that are refused.
    struct Odd;

    impl Library for Odd {
        fn name(&self) -> &str {
            "odd"
        }
        fn init(&self, init: &mut Init<'_>) {
            let mut worker = Registration::new("w", "odd", "main");
            worker.notify_pid = Some(1);
            (init.register)(worker.clone());
            worker.restart = Restart::AfterSeconds(-7);
            (init.register)(worker);
        }
        fn worker(&self, _function: &str) -> Option<Box<dyn crate::Worker>> {
            None
        }
    }

    #[test]
    fn refusals_are_logged_and_settings_are_known_after_the_first_use() {
        assert_eq!(
            preloading("odd", 8),
            "LOG 0A000 background worker \"w\": only dynamic background workers can request notification|\n\
             LOG 22023 background worker \"w\": invalid restart interval|\n\
             10"
        );
        assert_eq!(
            preloading("worker_spi, worker_spi", 1),
            "LOG 53400 too many background workers|\
             Up to 1 background worker can be registered with the current settings.\n\
             10"
        );
        assert_eq!(preloading("none", 1), "could not access file \"none\": No such file or directory");
    }
}
