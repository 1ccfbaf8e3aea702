//! Isolation scripts: several sessions, their steps, and the orders in which the steps are run. What is seen, who waits
//! and who fails is compared with what PostgreSQL 15 did with the same script (after `src/test/isolation` of PostgreSQL).
//!
//! `tests/isolation/NAME.spec` is the script, `NAME.out` what PostgreSQL printed, written by `tests/isolation/record`.
//! Where we differ on purpose, `NAME.differs` has our text of the whole permutation and the reason. A difference that is
//! gone fails the test as one that is new does, so the list stays true.
//!
//! Whether a step waits is asked of the server (`pg_blocking_pids`); no step is given a guessed time to finish.

mod compare;
mod run;
mod script;

pub use compare::{accept, check, record};
pub use script::Script;
