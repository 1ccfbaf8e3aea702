//! Functions about the system rather than about values: session, settings, objects, privileges, control, statistics,
//! transactions, sizes, and the helpers of `information_schema`.

pub mod control;
pub mod extensions;
pub mod information_schema;
mod keywords;
pub mod objects;
pub mod privileges;
mod roles;
pub mod session;
pub mod settings;
pub mod sizes;
pub mod statistics;
pub mod transactions;
