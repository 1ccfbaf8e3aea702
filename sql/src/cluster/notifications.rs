//! LISTEN and NOTIFY: who listens to which channel, and what has been sent to them.
//!
//! Messages line up when their transaction commits, and are sent in that order when the commit is on disk, to all in the
//! same database whose LISTEN has been committed before, or with them. They wait in each listener's queue until its session
//! delivers them.
//!
//! Source: `src/backend/commands/async.c`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::OpenDatabase;
use crate::Oid;
use crate::backend::Backend;

/// How many undelivered messages a listener may have. One that never reads loses the oldest; PostgreSQL's queue, which
/// has room for about as many, makes senders fail instead.
const QUEUE_MAX: usize = 1 << 16;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notification {
    /// Who sent it.
    pub pid: i32,
    /// On which channel.
    pub channel: String,
    /// What it says.
    pub payload: String,
}

struct Listener {
    backend: Arc<Backend>,
    database: Oid,
    /// The channels, each with the first place in line from which on it is heard.
    channels: BTreeMap<String, Place>,
    queue: VecDeque<Notification>,
}

/// A place in the line of those who have committed messages.
pub(crate) type Place = u64;

/// The messages of one transaction, until they are sent.
struct LinedUp {
    place: Place,
    /// The commit that they depend on; 0 when they may be sent.
    commit: u64,
    messages: Vec<Notification>,
}

/// All listeners of a cluster, by pid.
#[derive(Default)]
pub struct Notifications {
    listeners: Mutex<HashMap<i32, Listener>>,
    /// What waits for the disk, by database, in the order of commits.
    lined_up: Mutex<HashMap<Oid, VecDeque<LinedUp>>>,
    next_place: AtomicU64,
}

impl Notifications {
    /// Begins to listen to a channel: to what lines up from now on.
    pub fn listen(&self, backend: &Arc<Backend>, database: Oid, channel: &str) {
        let mut listeners = self.listeners.lock();
        let listener = listeners.entry(backend.pid).or_insert_with(|| Listener {
            backend: backend.clone(),
            database,
            channels: BTreeMap::new(),
            queue: VecDeque::new(),
        });
        let from = self.next_place.load(Ordering::SeqCst);
        listener.channels.entry(channel.to_owned()).or_insert(from);
    }

    /// Ends listening to a channel, or to all.
    pub fn unlisten(&self, pid: i32, channel: Option<&str>) {
        let mut listeners = self.listeners.lock();
        let Some(listener) = listeners.get_mut(&pid) else { return };
        match channel {
            Some(channel) => {
                listener.channels.remove(channel);
            }
            None => listener.channels.clear(),
        }
        if listener.channels.is_empty() && listener.queue.is_empty() {
            listeners.remove(&pid);
        }
    }

    /// The channels that a backend listens to.
    pub fn channels(&self, pid: i32) -> Vec<String> {
        let listeners = self.listeners.lock();
        listeners.get(&pid).map(|listener| listener.channels.keys().cloned().collect()).unwrap_or_default()
    }

    /// Lines messages up which may be told when this commit is on disk; their place. Called in the order of commits.
    pub(crate) fn enqueue(&self, database: &OpenDatabase, commit: u64, messages: Vec<Notification>) -> Place {
        let mut lined_up = self.lined_up.lock();
        let place = self.next_place.fetch_add(1, Ordering::SeqCst);
        lined_up.entry(database.oid).or_default().push_back(LinedUp { place, commit, messages });
        place
    }

    /// Sends what has lined up and may be told, as what stands in this place may: each committer calls it after its flush,
    /// so that none is left.
    pub(crate) fn deliver(&self, database: &OpenDatabase, place: Place) {
        let mut lined_up = self.lined_up.lock();
        let Some(queue) = lined_up.get_mut(&database.oid) else { return };
        if let Some(own) = queue.iter_mut().find(|entry| entry.place == place) {
            own.commit = 0;
        }
        let durable = database.store.durable();
        while let Some(next) = queue.pop_front_if(|entry| entry.commit <= durable) {
            self.send(database.oid, next.place, &next.messages);
        }
        if queue.is_empty() {
            lined_up.remove(&database.oid);
        }
    }

    /// Sends messages and wakes those who get any.
    fn send(&self, database: Oid, place: Place, messages: &[Notification]) {
        let mut listeners = self.listeners.lock();
        for listener in listeners.values_mut().filter(|listener| listener.database == database) {
            let before = listener.queue.len();
            let hears = |channel: &str| listener.channels.get(channel).is_some_and(|from| *from <= place);
            let heard = messages.iter().filter(|message| hears(&message.channel));
            listener.queue.extend(heard.cloned());
            if listener.queue.len() > before {
                let excess = listener.queue.len().saturating_sub(QUEUE_MAX);
                listener.queue.drain(..excess);
                listener.backend.latch.set();
            }
        }
    }

    /// Takes what has been sent to a backend.
    pub fn take(&self, pid: i32) -> Vec<Notification> {
        let mut listeners = self.listeners.lock();
        listeners.get_mut(&pid).map(|listener| listener.queue.drain(..).collect()).unwrap_or_default()
    }

    /// Whether something has been sent to a backend.
    pub fn waiting(&self, pid: i32) -> bool {
        self.listeners.lock().get(&pid).is_some_and(|listener| !listener.queue.is_empty())
    }

    /// A backend has gone.
    pub fn forget(&self, pid: i32) {
        self.listeners.lock().remove(&pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{BackendKind, BackendTable};

    #[test]
    fn messages_reach_listeners_of_the_same_database() {
        let table = Arc::new(BackendTable::default());
        let one = table.register(BackendKind::Client, 0, 0, None);
        let two = table.register(BackendKind::Client, 0, 0, None);
        let hub = Notifications::default();
        hub.listen(&one.backend, Oid(5), "jobs");
        hub.listen(&two.backend, Oid(6), "jobs");
        let message = Notification { pid: 1, channel: "jobs".into(), payload: "x".into() };
        one.backend.latch.reset();
        hub.send(Oid(5), 0, std::slice::from_ref(&message));
        assert!(hub.waiting(one.backend.pid) && !hub.waiting(two.backend.pid));
        assert_eq!(hub.take(one.backend.pid), std::slice::from_ref(&message));
        // What had lined up before it began to listen is none of its business.
        hub.next_place.store(7, Ordering::SeqCst);
        hub.listen(&two.backend, Oid(5), "jobs");
        hub.unlisten(two.backend.pid, None);
        hub.listen(&two.backend, Oid(5), "jobs");
        hub.send(Oid(5), 6, std::slice::from_ref(&message));
        hub.send(Oid(5), 7, std::slice::from_ref(&message));
        assert_eq!((hub.take(one.backend.pid).len(), hub.take(two.backend.pid).len()), (2, 1));
        hub.unlisten(one.backend.pid, Some("jobs"));
        assert!(hub.channels(one.backend.pid).is_empty());
    }
}
