//! LISTEN, UNLISTEN, NOTIFY, and the delivery of what has been heard.

use super::transaction::Listening;
use super::{Destination, Session, SessionServices};
use crate::Result;

impl Session {
    /// LISTEN: from the commit on.
    pub(super) fn listen(&mut self, channel: &str) {
        self.transaction().listening.push(Listening::To(channel.to_owned()));
    }

    /// UNLISTEN: from the commit on.
    pub(super) fn unlisten(&mut self, channel: Option<&str>) {
        let change = channel.map_or(Listening::ToNothing, |channel| Listening::NotTo(channel.to_owned()));
        self.transaction().listening.push(change);
    }

    /// NOTIFY: sent by the commit.
    pub(super) fn notify(&mut self, channel: &str, payload: Option<&str>) -> Result<()> {
        self.transaction();
        self.services.notify(channel, payload.unwrap_or_default())
    }

    /// Whether something has been heard that can be delivered now. Its arrival sets the backend's latch.
    pub fn has_notifications(&self) -> bool {
        self.transaction.is_none() && self.shared.cluster.notifications.waiting(self.backend().pid)
    }

    /// Delivers what has been heard; for a session outside a transaction.
    pub fn deliver_notifications(&self, destination: &mut dyn Destination) {
        for message in self.shared.cluster.notifications.take(self.backend().pid) {
            destination.notification(message.pid, &message.channel, &message.payload);
        }
    }
}
