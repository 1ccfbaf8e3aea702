//! What a worker does next: the whole life of a worker as one pure function, so that every rule about restarting,
//! stopping and crashing can be read here and tested without a clock or a process.
//!
//! ```text
//!             Turn (may start)          Started
//!  Pending ─────────────────▶ Starting ─────────▶ Running ──── Ended ─▶ Sleeping (restart interval) ─┐
//!     ▲  │                        │  Failed          │                      │                         │
//!     │  └── Terminate, Shutdown ─┼──────────────────┼──────────────────────┴──▶ Gone (slot is free)  │
//!     └───────────────────────────┴──────────────────┴──────────────────────────── Turn when due ◀────┘
//! ```
//!
//! Source: `maybe_start_bgworkers`, `CleanupBackgroundWorker`, `ReportBackgroundWorkerExit` in PostgreSQL's
//! `src/backend/postmaster/`.

use std::time::{Duration, Instant};

use crate::{Restart, StartTime};

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Registered; waits for its start time and its turn.
    Pending,
    /// Its host has been asked to run it. `terminate` remembers a request that came meanwhile.
    Starting {
        /// Whether it must be ended as soon as it runs.
        terminate: bool,
    },
    /// It runs. `forget`: it is not to come back, whatever its restart interval.
    Running {
        /// Whether its registrant has asked to end it for good.
        forget: bool,
    },
    /// It failed and is started again at this moment.
    Sleeping {
        /// When.
        due: Instant,
    },
    /// Its registration is over and its slot free.
    Gone,
}

/// What can happen to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is looked at in its turn; the server has reached this state, `None` while it recovers or stops.
    Turn(Option<StartTime>),
    /// Its host runs it.
    Started,
    /// Its host could not run it.
    Failed,
    /// It has ended.
    Ended(Exit),
    /// Its registrant wants it ended for good (`TerminateBackgroundWorker`).
    Terminate,
    /// The server stops: workers are asked to end and none is started.
    Shutdown,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Its main function returned, or it called exit(0): done, whatever its restart interval.
    Done,
    /// Exit code 1: an error escaped, or it was asked to end.
    Failed,
    /// Any other exit code, a signal, a panic.
    Crashed,
}

/// What the supervisor must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Have the host run it.
    Launch,
    /// Ask it to end.
    Terminate,
    /// Free its slot.
    Unregister,
}

/// The rules of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// When it may start.
    pub start_time: StartTime,
    /// Whether it comes back.
    pub restart: Restart,
}

/// What a worker does next. Pure: the caller launches, signals, waits or forgets.
pub fn next(state: State, event: Event, rules: &Rules, now: Instant) -> (State, Option<Action>) {
    use State::{Gone, Pending, Running, Sleeping, Starting};
    match (state, event) {
        (Pending, Event::Turn(Some(reached))) if reached >= rules.start_time => {
            (Starting { terminate: false }, Some(Action::Launch))
        }
        (Sleeping { due }, Event::Turn(Some(_))) if now >= due => {
            (Starting { terminate: false }, Some(Action::Launch))
        }

        (Starting { terminate: true }, Event::Started) => (Running { forget: true }, Some(Action::Terminate)),
        (Starting { terminate: false }, Event::Started) => (Running { forget: false }, None),
        (Starting { terminate: true }, Event::Failed) => (Gone, Some(Action::Unregister)),
        (Starting { terminate: false }, Event::Failed) => after_failure(false, rules, now),

        (Running { .. } | Starting { .. }, Event::Ended(Exit::Done)) => (Gone, Some(Action::Unregister)),
        (Running { forget }, Event::Ended(_)) => after_failure(forget, rules, now),
        (Starting { terminate }, Event::Ended(_)) => after_failure(terminate, rules, now),

        (Pending | Sleeping { .. }, Event::Terminate | Event::Shutdown) => (Gone, Some(Action::Unregister)),
        (Starting { .. }, Event::Terminate | Event::Shutdown) => (Starting { terminate: true }, None),
        (Running { .. }, Event::Terminate | Event::Shutdown) => {
            (Running { forget: true }, Some(Action::Terminate))
        }

        (state, _) => (state, None),
    }
}

/// A worker that did not end well: gone, or back after its interval.
fn after_failure(forget: bool, rules: &Rules, now: Instant) -> (State, Option<Action>) {
    match rules.restart.interval() {
        Some(interval) if !forget => (State::Sleeping { due: now + interval }, None),
        _ => (State::Gone, Some(Action::Unregister)),
    }
}

/// How long the supervisor may sleep for this worker's sake: `None` for as long as nothing happens to it.
pub fn wait(state: State, reached: Option<StartTime>, rules: &Rules, now: Instant) -> Option<Duration> {
    match state {
        State::Pending if reached.is_some_and(|reached| reached >= rules.start_time) => Some(Duration::ZERO),
        State::Sleeping { due } if reached.is_some() => Some(due.saturating_duration_since(now)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Event = Event::Turn(Some(StartTime::RecoveryFinished));

    /// Feeds events, each at its second, to a new worker; the states and actions as text.
    fn life(restart: Restart, events: &[(u64, Event)]) -> String {
        let rules = Rules { start_time: StartTime::RecoveryFinished, restart };
        let start = Instant::now();
        let mut state = State::Pending;
        let mut story = Vec::new();
        for &(second, event) in events {
            let (after, action) = next(state, event, &rules, start + Duration::from_secs(second));
            state = after;
            let name = match state {
                State::Pending => "pending".to_owned(),
                State::Starting { .. } => "starting".to_owned(),
                State::Running { .. } => "running".to_owned(),
                State::Sleeping { due } => format!("sleeping until {}", (due - start).as_secs()),
                State::Gone => "gone".to_owned(),
            };
            story.push(action.map_or(name.clone(), |action| format!("{name} ({action:?})")));
        }
        story.join(", ")
    }

    const RUN: [(u64, Event); 2] = [(0, READY), (0, Event::Started)];

    #[test]
    fn exit_table() {
        let ends = [Exit::Done, Exit::Failed, Exit::Crashed];
        let rules = [Restart::Never, Restart::AfterSeconds(0), Restart::AfterSeconds(3)];
        let mut table = String::new();
        for end in ends {
            for rule in rules {
                let story = life(rule, &[RUN[0], RUN[1], (10, Event::Ended(end))]);
                let last = story.split(", ").last().unwrap_or_default().to_owned();
                table.push_str(&format!("{end:?} {rule:?}: {last}\n"));
            }
        }
        assert_eq!(
            table,
            "Done Never: gone (Unregister)\n\
             Done AfterSeconds(0): gone (Unregister)\n\
             Done AfterSeconds(3): gone (Unregister)\n\
             Failed Never: gone (Unregister)\n\
             Failed AfterSeconds(0): sleeping until 10\n\
             Failed AfterSeconds(3): sleeping until 13\n\
             Crashed Never: gone (Unregister)\n\
             Crashed AfterSeconds(0): sleeping until 10\n\
             Crashed AfterSeconds(3): sleeping until 13\n"
        );
    }

    #[test]
    fn a_restartable_worker_comes_back_when_due_and_not_before() {
        let story = life(
            Restart::AfterSeconds(5),
            &[RUN[0], RUN[1], (1, Event::Ended(Exit::Failed)), (5, READY), (6, READY), (6, Event::Started)],
        );
        assert_eq!(
            story,
            "starting (Launch), running, sleeping until 6, sleeping until 6, starting (Launch), running"
        );
    }

    #[test]
    fn terminate_for_good_beats_the_restart_interval_in_every_state() {
        let rule = Restart::AfterSeconds(1);
        assert_eq!(life(rule, &[(0, Event::Terminate)]), "gone (Unregister)");
        assert_eq!(
            life(
                rule,
                &[RUN[0], (0, Event::Terminate), (0, Event::Started), (0, Event::Ended(Exit::Failed))]
            ),
            "starting (Launch), starting, running (Terminate), gone (Unregister)"
        );
        assert_eq!(
            life(rule, &[RUN[0], RUN[1], (0, Event::Terminate), (1, Event::Ended(Exit::Failed))]),
            "starting (Launch), running, running (Terminate), gone (Unregister)"
        );
        assert_eq!(
            life(rule, &[RUN[0], RUN[1], (0, Event::Ended(Exit::Crashed)), (0, Event::Terminate)]),
            "starting (Launch), running, sleeping until 1, gone (Unregister)"
        );
    }

    #[test]
    fn nothing_starts_before_its_start_time_or_while_the_server_stops() {
        let early = Event::Turn(Some(StartTime::ConsistentState));
        assert_eq!(
            life(Restart::Never, &[(0, early), (0, Event::Turn(None)), (0, READY)]),
            "pending, pending, starting (Launch)"
        );
        assert_eq!(life(Restart::Never, &[(0, Event::Shutdown), (0, READY)]), "gone (Unregister), gone");
    }

    #[test]
    fn a_failed_launch_is_tried_again_after_the_interval() {
        let story = life(Restart::AfterSeconds(2), &[RUN[0], (0, Event::Failed), (2, READY)]);
        assert_eq!(story, "starting (Launch), sleeping until 2, starting (Launch)");
        assert_eq!(
            life(Restart::Never, &[RUN[0], (0, Event::Failed)]),
            "starting (Launch), gone (Unregister)"
        );
    }
}
