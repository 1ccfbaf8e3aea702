//! The wall clock, in PostgreSQL's unit: microseconds since 2000-01-01 00:00 UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds from 1970 to 2000.
const EPOCH_SECONDS: i64 = 946_684_800;

/// Now.
pub fn now() -> i64 {
    from_system_time(SystemTime::now())
}

/// A moment of the system's clock.
pub fn from_system_time(time: SystemTime) -> i64 {
    let since_1970 = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    since_1970.saturating_sub(EPOCH_SECONDS * 1_000_000)
}
