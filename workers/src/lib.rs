//! Background workers: what runs in the background, when, and after which failure.
//!
//! The life of a worker: a [`Registration`] (static, by a preloaded [`Library`]'s init hook; dynamic, by an SQL function
//! or another worker) → a slot in [`slots`] → the [`supervisor`], which lets the pure [`next`] decide and acts →
//! a host that runs the [`Worker`]'s body in a process of its own or as a task → its exit → unregistered, or started
//! again after its interval.
//!
//! What stands where: `registration` the record; `loader` runs init hooks; `slots` the array that sessions and supervisor share; `next` the rules;
//! `supervisor` the loop; `launch` processes and tasks; `port` the messages between body and server; `host` the
//! server's side of them; `worker` and `spi` what one writes a worker with; `libraries` those that come with Postilion.

mod child;
mod host;
mod launch;
mod libraries;
mod library;
mod loader;
pub mod next;
mod port;
mod registration;
pub mod slots;
mod spi;
pub mod supervisor;
mod worker;

pub use async_trait::async_trait;
pub use child::{is_worker_process, run_worker_process};
pub use host::{Log, Origin};
pub use launch::missing_library;
pub use library::{Init, Libraries, Library};
pub use loader::Loader;
pub use registration::*;
pub use spi::{
    Access as SpiAccess, FromSpi, Spi, SpiArgument, SpiCode, SpiColumn, SpiCommand, SpiRequest, SpiResult,
    SpiTable,
};
pub use sql::backend::State;
pub use sql::settings::definition;
pub use sql::{Result, SqlError, SqlState};
pub use supervisor::Supervisor;
pub use worker::{Connection, Wake, Worker, WorkerContext, WorkerSignals};
