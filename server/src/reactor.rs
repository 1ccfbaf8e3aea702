//! Reactors: the threads that conversations live on. Each has a runtime of its own; a connection is given to the one
//! with the fewest and stays there, so that no statement hops between threads.
//!
//! There is one for each processor. More of them would hand the right to write, and the processor itself, to each other
//! all the time: with four each, `pgbench -N` with 16 clients took twice the work for a transaction, most of it the
//! kernel's for changing threads. What may take long (`sql::session`, pump) leaves its reactor for a thread of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use sql::settings::id;
use sql::{Result, SqlError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::conversation::{Stream, converse};
use crate::server::Shared;

/// The stack of threads that run statements: deeply nested queries and documents are refused by their depth limits
/// before it is used up. Only what is touched costs memory.
pub(crate) const STACK_BYTES: usize = 32 << 20;

/// How many reactors there are at least, unless `reactors` says otherwise.
const REACTORS_MIN: usize = 2;

/// A connection on its way to its reactor: sockets are tied to a runtime only where they stay.
pub(crate) enum Arrival {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

struct Reactor {
    arrivals: UnboundedSender<Arrival>,
    /// How many conversations it has.
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// All reactors.
pub(crate) struct Reactors(Vec<Reactor>);

impl Reactors {
    /// Starts the threads.
    ///
    /// # Errors
    /// `XX000` when the system gives none.
    pub(crate) fn start(shared: &Arc<Shared>) -> Result<Self> {
        let count = match usize::try_from(shared.settings.integer(id::REACTORS)).unwrap_or(0) {
            0 => std::thread::available_parallelism().map_or(1, usize::from).max(REACTORS_MIN),
            set => set,
        };
        (0..count).map(|number| Reactor::start(number, shared.clone())).collect::<Result<_>>().map(Self)
    }

    /// Gives a connection to the reactor with the fewest.
    pub(crate) fn assign(&self, arrival: Arrival) {
        let least = self.0.iter().min_by_key(|reactor| reactor.load.load(Ordering::Relaxed));
        if let Some(reactor) = least {
            reactor.load.fetch_add(1, Ordering::Relaxed);
            // A reactor that has ended drops the connection, which closes it.
            let _ = reactor.arrivals.send(arrival);
        }
    }

    /// Waits until all conversations have ended.
    pub(crate) async fn finish(self) {
        let threads: Vec<JoinHandle<()>> = self.0.into_iter().map(|reactor| reactor.thread).collect();
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }
}

impl Reactor {
    fn start(number: usize, shared: Arc<Shared>) -> Result<Self> {
        let failed =
            |error: std::io::Error| SqlError::internal(format!("could not start a reactor: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(failed)?;
        let (arrivals, receiver) = unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let counted = load.clone();
        let thread = std::thread::Builder::new()
            .name(format!("reactor {number}"))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, serve(shared, receiver, counted));
            })
            .map_err(failed)?;
        Ok(Self { arrivals, load, thread })
    }
}

/// Takes connections until no more can come, then waits for those that are left.
async fn serve(shared: Arc<Shared>, mut arrivals: UnboundedReceiver<Arrival>, load: Arc<AtomicUsize>) {
    let left = Rc::new(tokio::sync::Notify::new());
    while let Some(arrival) = arrivals.recv().await {
        let (shared, load, left) = (shared.clone(), Leaving(load.clone()), left.clone());
        tokio::task::spawn_local(async move {
            if let Some(stream) = arrival.into_stream(&shared) {
                converse(shared, stream).await;
            }
            drop(load);
            left.notify_one();
        });
    }
    while load.load(Ordering::SeqCst) > 0 {
        left.notified().await;
    }
}

/// Counts a conversation off, whatever ends it.
struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Arrival {
    /// Ties the socket to this thread's runtime.
    fn into_stream(self, shared: &Shared) -> Option<Stream> {
        match self {
            Self::Tcp(stream) => {
                crate::listener::tune(&stream, shared);
                tokio::net::TcpStream::from_std(stream).ok().map(Stream::Tcp)
            }
            Self::Unix(stream) => tokio::net::UnixStream::from_std(stream).ok().map(Stream::Unix),
        }
    }
}
