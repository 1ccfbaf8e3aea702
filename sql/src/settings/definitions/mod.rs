//! The table of all settings, by file and group. A setting is declared here once; parsing, `SHOW`, `pg_settings`, the
//! sample file and the manual follow from its entry.
//!
//! A setting that nothing in Postilion depends on, but that clients or dumps set, says so in its entry (`accepted`) and
//! in `--describe-config`. PostgreSQL's remaining settings are absent: `SET` of one answers 42704.

mod client;
mod logging;
mod planner;
mod postilion;
mod server;

use super::definition::SettingDefinition;

/// A category, as `pg_settings` shows it, and its settings.
pub(super) type Group = (&'static str, &'static [SettingDefinition]);

/// Why planner settings change nothing.
pub(super) const PLANS: &str = "Accepted for clients that set it. SQLite makes the plans.";

/// Why other accepted settings change nothing.
pub(super) const NO_EFFECT: &str = "Accepted for clients that set it. Nothing in Postilion depends on it.";

/// The files of the table. Setting ids number the settings in this order.
pub(super) const FILES: &[&[Group]] =
    &[client::GROUPS, server::GROUPS, logging::GROUPS, planner::GROUPS, postilion::GROUPS];
