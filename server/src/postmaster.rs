//! The server's life: starting, running, the three ways of shutting down. A pure state machine says what happens when;
//! [`crate::Server::run`] does it.
//!
//! ```text
//! Init ──opened──> Recovered ──listening──> Run ──┬─smart──> WaitClients ──clients gone──┐
//!                                                 └─fast / immediate─────────────────────┴─> StopBackends
//!      StopBackends ──all gone──> Checkpoint ──done──> Stopped          (immediate: StopBackends ──> Stopped)
//! ```
//!
//! A smart shutdown lets clients and workers finish; when the last client has left it goes on as a fast one. A harder
//! request during a softer one takes over.
//!
//! Source: `src/backend/postmaster/postmaster.c` (`PMState`, `pmdie`, `PostmasterStateMachine`).

use async_trait::async_trait;

/// How to shut down, from soft to hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShutdownMode {
    /// SIGTERM: no new clients; ends when the last one leaves.
    Smart,
    /// SIGINT: transactions are rolled back, clients sent away.
    Fast,
    /// SIGQUIT: at once, without a checkpoint; the next start recovers.
    Immediate,
}

/// When workers may start (`bgw_start_time`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartPoint {
    /// The server's files and settings are there; no database can be reached.
    PostmasterStart,
    /// The databases are consistent.
    ConsistentState,
    /// Everything is open.
    RecoveryFinished,
}

/// Background work that lives with the server: the worker supervisor. Calls come from the server's main task, in the
/// order of its life.
#[async_trait(?Send)]
pub trait BackgroundWork {
    /// A start point has been reached.
    fn reached(&mut self, point: StartPoint);
    /// The settings have changed.
    fn reload(&mut self);
    /// A shutdown has been asked for. Smart: start nothing new. Fast and immediate: end all.
    fn shut_down(&mut self, mode: ShutdownMode);
    /// Waits until all work has ended after a fast or immediate [`Self::shut_down`].
    async fn finished(&mut self);
}

/// Where the server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostmasterState {
    /// Settings read, directory locked.
    Init,
    /// The databases are open.
    Recovered,
    /// Clients are let in.
    Run,
    /// Smart shutdown: waiting for clients to leave.
    WaitClients,
    /// Backends have been told to end.
    StopBackends(ShutdownMode),
    /// The last checkpoint.
    Checkpoint,
    /// The end.
    Stopped,
}

/// What happens to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostmasterEvent {
    /// The databases are open.
    Opened,
    /// The sockets are open.
    Listening,
    /// A request to shut down.
    Shutdown(ShutdownMode),
    /// The last client has left.
    ClientsGone,
    /// The last backend and worker have ended.
    AllGone,
    /// The last checkpoint is done.
    Checkpointed,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostmasterAction {
    /// Write a LOG line.
    Log(&'static str),
    /// Tell background work that a start point has been reached.
    Reach(StartPoint),
    /// Let clients in.
    OpenDoor,
    /// Refuse new clients with 57P03.
    CloseDoor(ShutdownMode),
    /// Tell clients and workers to end.
    Terminate(ShutdownMode),
    /// Write the last checkpoint and note the orderly end.
    Checkpoint,
}

/// The next state and what is to be done on the way. An event that means nothing in a state changes nothing.
pub(crate) fn next(
    state: PostmasterState,
    event: PostmasterEvent,
) -> (PostmasterState, Vec<PostmasterAction>) {
    use PostmasterAction as Do;
    use PostmasterEvent as On;
    use PostmasterState as Is;
    use ShutdownMode::{Fast, Immediate, Smart};
    match (state, event) {
        (Is::Init, On::Opened) => (
            Is::Recovered,
            vec![Do::Reach(StartPoint::PostmasterStart), Do::Reach(StartPoint::ConsistentState)],
        ),
        (Is::Recovered, On::Listening) => (
            Is::Run,
            vec![
                Do::OpenDoor,
                Do::Reach(StartPoint::RecoveryFinished),
                Do::Log("database system is ready to accept connections"),
            ],
        ),
        (Is::Init | Is::Recovered, On::Shutdown(mode)) => (Is::StopBackends(mode), vec![Do::Terminate(mode)]),
        (Is::Run, On::Shutdown(Smart)) => {
            (Is::WaitClients, vec![Do::Log("received smart shutdown request"), Do::CloseDoor(Smart)])
        }
        (Is::Run | Is::WaitClients, On::Shutdown(Fast)) => (
            Is::StopBackends(Fast),
            vec![
                Do::Log("received fast shutdown request"),
                Do::CloseDoor(Fast),
                Do::Log("aborting any active transactions"),
                Do::Terminate(Fast),
            ],
        ),
        (Is::Run | Is::WaitClients | Is::StopBackends(Smart | Fast), On::Shutdown(Immediate)) => (
            Is::StopBackends(Immediate),
            vec![
                Do::Log("received immediate shutdown request"),
                Do::CloseDoor(Immediate),
                Do::Terminate(Immediate),
            ],
        ),
        (Is::WaitClients, On::ClientsGone) => (Is::StopBackends(Smart), vec![Do::Terminate(Smart)]),
        (Is::StopBackends(Immediate), On::AllGone) => (Is::Stopped, Vec::new()),
        (Is::StopBackends(_), On::AllGone) => {
            (Is::Checkpoint, vec![Do::Log("shutting down"), Do::Checkpoint])
        }
        (Is::Checkpoint, On::Checkpointed) => (Is::Stopped, Vec::new()),
        (state, _) => (state, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The states and actions of a life, a line for each event.
    fn live(events: &[PostmasterEvent]) -> String {
        let mut state = PostmasterState::Run;
        let mut lines = Vec::new();
        for event in events {
            let (after, actions) = next(state, *event);
            state = after;
            let actions: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
            lines.push(format!("{state:?}: {}", actions.join(", ")));
        }
        lines.join("\n")
    }

    #[test]
    fn smart_waits_for_clients_and_fast_takes_over() {
        use PostmasterEvent::*;
        use ShutdownMode::*;
        assert_eq!(
            live(&[Shutdown(Smart), Shutdown(Smart), Shutdown(Fast), ClientsGone, AllGone, Checkpointed]),
            "WaitClients: Log(\"received smart shutdown request\"), CloseDoor(Smart)\n\
             WaitClients: \n\
             StopBackends(Fast): Log(\"received fast shutdown request\"), CloseDoor(Fast), \
             Log(\"aborting any active transactions\"), Terminate(Fast)\n\
             StopBackends(Fast): \n\
             Checkpoint: Log(\"shutting down\"), Checkpoint\n\
             Stopped: "
        );
    }

    #[test]
    fn immediate_leaves_the_checkpoint_out() {
        use PostmasterEvent::*;
        use ShutdownMode::*;
        assert_eq!(live(&[Shutdown(Fast), Shutdown(Immediate), AllGone]).lines().last(), Some("Stopped: "));
    }
}
