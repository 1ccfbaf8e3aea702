//! Background work of this server: the supervisor of crate `workers`, on threads of its own, so that neither a launch nor
//! a busy worker delays a client's connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sql::cluster::{self, Cluster, LibraryFunction};
use sql::settings::id;
use sql::{Report, Result, SqlError};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use workers::slots::Slots;
use workers::{Libraries, Library, Loader, StartTime, Supervisor};

use crate::BackgroundWorkFactory;
use crate::log::{Logger, Origin};
use crate::postmaster::{BackgroundWork, ShutdownMode, StartPoint};

/// The threads that serve workers and run those that are tasks.
const THREADS: usize = 2;
/// How long the end of the workers' threads is waited for.
const ABANDON_AFTER: Duration = Duration::from_secs(1);

/// The background workers of these libraries, for [`crate::Builder::background_work`].
pub fn background_workers(libraries: Libraries) -> BackgroundWorkFactory {
    Box::new(move |cluster, logger| Ok(Box::new(Workers::start(cluster, logger, libraries)?)))
}

/// All libraries of a server: those that come with it, and others.
pub fn libraries(others: Vec<Arc<dyn Library>>) -> Libraries {
    let mut libraries = Libraries::built_in();
    others.into_iter().for_each(|library| libraries.add(library));
    libraries
}

struct Workers {
    life: Life,
    /// `None` once it has been shut down.
    runtime: Option<Runtime>,
}

enum Life {
    Running(Supervisor),
    /// Workers have been asked to end, or are being abandoned with their threads.
    Ending(JoinHandle<()>),
    Over,
}

impl Workers {
    /// Loads the preloaded libraries and starts the supervisor; it launches nothing before a start point is reached.
    ///
    /// # Errors
    /// FATAL `58P01` for a library that is not there; `XX000` when the system gives no threads.
    fn start(cluster: &Arc<Cluster>, logger: &Arc<Logger>, libraries: Libraries) -> Result<Self> {
        let settings = cluster.settings.clone();
        let log = write_to(logger.clone());
        let capacity = usize::try_from(settings.integer(id::MAX_WORKER_PROCESSES)).unwrap_or(0);
        let slots = Slots::new(capacity, cluster.backends.clone());
        let loader = Loader::new(libraries, settings.clone(), cluster.backends.clone(), log.clone());
        loader.preload(&settings.text(id::SHARED_PRELOAD_LIBRARIES), &slots)?;
        offer(cluster, &loader, &slots);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("workers")
            .thread_stack_size(crate::reactor::STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| SqlError::internal(format!("could not start threads for workers: {error}")))?;
        let supervisor = {
            let _inside = runtime.enter();
            Supervisor::start(cluster.clone(), slots, loader, log)
        };
        Ok(Self { life: Life::Running(supervisor), runtime: Some(runtime) })
    }
}

#[async_trait(?Send)]
impl BackgroundWork for Workers {
    fn reached(&mut self, point: StartPoint) {
        if let Life::Running(supervisor) = &self.life {
            supervisor.reached(match point {
                StartPoint::PostmasterStart => StartTime::PostmasterStart,
                StartPoint::ConsistentState => StartTime::ConsistentState,
                StartPoint::RecoveryFinished => StartTime::RecoveryFinished,
            });
        }
    }

    fn reload(&mut self) {
        if let Life::Running(supervisor) = &self.life {
            supervisor.reload();
        }
    }

    fn shut_down(&mut self, mode: ShutdownMode) {
        let ending = match mode {
            ShutdownMode::Smart => return,
            ShutdownMode::Fast => self.ask_to_end(),
            ShutdownMode::Immediate => self.abandon(),
        };
        if let Some(ending) = ending {
            self.life = Life::Ending(ending);
        }
    }

    async fn finished(&mut self) {
        // First the workers, then their threads.
        while !matches!(self.life, Life::Over) {
            if let Life::Ending(ending) = &mut self.life {
                // The supervisor has logged a panic of its own.
                let _ended = ending.await;
            }
            self.life = self.abandon().map_or(Life::Over, Life::Ending);
        }
    }
}

impl Workers {
    /// Has the supervisor end all workers and wait for them.
    fn ask_to_end(&mut self) -> Option<JoinHandle<()>> {
        match (std::mem::replace(&mut self.life, Life::Over), &self.runtime) {
            (Life::Running(supervisor), Some(runtime)) => Some(runtime.spawn(supervisor.stop())),
            (life, _) => {
                self.life = life;
                None
            }
        }
    }

    /// Ends the threads: dropping a worker's task kills its process and rolls its transaction back.
    fn abandon(&mut self) -> Option<JoinHandle<()>> {
        let runtime = self.runtime.take()?;
        Some(tokio::task::spawn_blocking(move || runtime.shutdown_timeout(ABANDON_AFTER)))
    }
}

impl Drop for Workers {
    /// A server that fails to start drops this inside a runtime, where another must not be waited for.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes the libraries' functions and extensions known to SQL.
fn offer(cluster: &Cluster, loader: &Arc<Loader>, slots: &Arc<Slots>) {
    for library in loader.libraries().iter() {
        let name = library.name().to_owned();
        let functions = Functions { library: library.clone(), loader: loader.clone(), slots: slots.clone() };
        cluster.libraries.write().insert(name, Arc::new(functions));
        let files = library.extension_files().iter();
        let files = files.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        cluster.extensions.write().extend(files);
    }
}

/// The SQL functions of one library.
struct Functions {
    library: Arc<dyn Library>,
    loader: Arc<Loader>,
    slots: Arc<Slots>,
}

impl cluster::Library for Functions {
    fn name(&self) -> &str {
        self.library.name()
    }

    /// Whoever asks for a function is about to define or call it: that is the library's first use.
    fn function(&self, symbol: &str) -> Option<LibraryFunction> {
        let function = self.library.function(symbol, &self.slots)?;
        self.loader.load(self.library.name());
        Some(function)
    }
}

/// Sends what workers say to the server's log.
fn write_to(logger: Arc<Logger>) -> workers::Log {
    Arc::new(move |speaker: &workers::Origin, report: &Report| {
        if speaker.pid == 0 {
            return logger.server(report);
        }
        let origin = Origin {
            pid: Some(speaker.pid),
            backend_type: Cow::Owned(speaker.kind.clone()),
            lines: speaker.lines.clone(),
            ..Origin::default()
        };
        logger.session(report, &origin, None);
    })
}
