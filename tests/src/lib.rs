//! What the end-to-end tests share: a server of the built binary in a directory of its own, psql against it, and its log;
//! golden scripts and isolation scripts; and the proofs of isolation that run at random, short or long.
//!
//! The binary is `POSTILION_BINARY`, or the newest of the workspace's release and debug builds. psql must be on the
//! path: `tests/run` installs it where it can.

pub mod bank;
mod fault;
mod golden;
pub mod history;
pub mod isolation;
pub mod jobs;
mod load;
mod peer;
mod random;
mod server;

pub use fault::{Faults, shim};
pub use golden::replay;
pub use load::Load;
pub use peer::{Peer, SERVER_VARIABLE};
pub use random::Random;
pub use server::{Psql, Server, ServerBuilder, binary, eventually, example, process_titles, workspace};
