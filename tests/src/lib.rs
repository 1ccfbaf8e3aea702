//! What the end-to-end tests share: a server of the built binary in a directory of its own, psql against it, and its log.
//!
//! The binary is `POSTILION_BINARY`, or the newest of the workspace's release and debug builds. psql must be on the
//! path: `tests/run` installs it where it can.

mod golden;
mod server;

pub use golden::replay;
pub use server::{Psql, Server, ServerBuilder, binary, eventually, process_titles, workspace};
