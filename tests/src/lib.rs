//! What the end-to-end tests share: a server of the built binary in a directory of its own, psql against it, and its log.
//!
//! The binary is `POSTILION_BINARY`, or the newest of the workspace's release and debug builds. psql must be on the
//! path: `tests/run` installs it where it can.

mod fault;
mod golden;
mod load;
mod server;

pub use fault::{Faults, shim};
pub use golden::replay;
pub use load::Load;
pub use server::{Psql, Server, ServerBuilder, binary, eventually, process_titles, workspace};
