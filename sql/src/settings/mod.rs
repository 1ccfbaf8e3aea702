//! Settings (PostgreSQL's GUC): one table declares them; file, command line, SET, SHOW, `pg_settings` and the manual
//! all read it.
//!
//! | file | what lives there |
//! |---|---|
//! | `definition.rs` | what a setting is |
//! | `definitions/` | the table |
//! | `id.rs` | numbers of settings that code reads often |
//! | `value.rs`, `checks.rs` | values from and to text, with PostgreSQL's errors |
//! | `file.rs` | the configuration file's syntax |
//! | `snapshot.rs`, `server.rs` | the server's values: defaults, files, command line, reload, ALTER SYSTEM |
//! | `session.rs` | a session's values: SET, SET LOCAL, RESET, SHOW, transactions |
//! | `touched.rs` | what it keeps of each setting that it has set |

mod checks;
pub mod definition;
mod definitions;
pub mod file;
pub mod id;
mod server;
mod session;
mod snapshot;
#[cfg(test)]
mod tests;
mod touched;
pub mod value;

pub use checks::split_identifiers;
pub use definition::SettingDefinition;
pub use id::SettingId;
pub use server::{AUTO_FILE_NAME, CONFIG_FILE_NAME, ServerSettings};
pub use session::{SessionSettings, SetScope, SettingRow};
pub use snapshot::{Assigned, Snapshot, Source};
/// The zone that a setting's value names; UTC for one that has gone from the database.
pub fn time_zone(name: &str) -> jiff::tz::TimeZone {
    checks::find_time_zone(name).unwrap_or(jiff::tz::TimeZone::UTC)
}
pub use value::{SettingValue, parse_boolean};
