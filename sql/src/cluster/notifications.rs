//! LISTEN and NOTIFY: who listens to which channel, and what has been sent to them.
//!
//! Messages line up when their transaction commits, and are sent in that order when the commit is on disk, to all who
//! listen in the same database at that moment. They wait in each listener's queue until its session delivers them.
//!
//! Source: `src/backend/commands/async.c`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

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
    channels: BTreeSet<String>,
    queue: VecDeque<Notification>,
}

/// All listeners of a cluster, by pid.
#[derive(Default)]
pub struct Notifications {
    listeners: Mutex<HashMap<i32, Listener>>,
    /// What waits for the disk, by database, in the order of commits: the commit it depends on, and the messages.
    lined_up: Mutex<HashMap<Oid, VecDeque<(u64, Vec<Notification>)>>>,
}

impl Notifications {
    /// Begins to listen to a channel.
    pub fn listen(&self, backend: &Arc<Backend>, database: Oid, channel: &str) {
        let mut listeners = self.listeners.lock();
        let listener = listeners.entry(backend.pid).or_insert_with(|| Listener {
            backend: backend.clone(),
            database,
            channels: BTreeSet::new(),
            queue: VecDeque::new(),
        });
        listener.channels.insert(channel.to_owned());
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
        listeners.get(&pid).map(|listener| listener.channels.iter().cloned().collect()).unwrap_or_default()
    }

    /// Lines messages up which may be told when this commit is on disk. Called in the order of commits.
    pub(crate) fn enqueue(&self, database: &OpenDatabase, commit: u64, messages: Vec<Notification>) {
        if !messages.is_empty() {
            self.lined_up.lock().entry(database.oid).or_default().push_back((commit, messages));
        }
    }

    /// Sends what has lined up and is on disk. Each committer calls it after its flush, so that none is left.
    pub(crate) fn deliver(&self, database: &OpenDatabase) {
        let mut lined_up = self.lined_up.lock();
        let Some(queue) = lined_up.get_mut(&database.oid) else { return };
        while let Some((_, messages)) = queue.pop_front_if(|(commit, _)| *commit <= database.store.durable())
        {
            self.send(database.oid, &messages);
        }
        if queue.is_empty() {
            lined_up.remove(&database.oid);
        }
    }

    /// Sends messages and wakes those who get any.
    pub fn send(&self, database: Oid, messages: &[Notification]) {
        let mut listeners = self.listeners.lock();
        for listener in listeners.values_mut().filter(|listener| listener.database == database) {
            let before = listener.queue.len();
            let heard = messages.iter().filter(|message| listener.channels.contains(&message.channel));
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
        hub.send(Oid(5), std::slice::from_ref(&message));
        assert!(hub.waiting(one.backend.pid) && !hub.waiting(two.backend.pid));
        assert_eq!(hub.take(one.backend.pid), [message]);
        hub.unlisten(one.backend.pid, Some("jobs"));
        assert!(hub.channels(one.backend.pid).is_empty());
    }
}
