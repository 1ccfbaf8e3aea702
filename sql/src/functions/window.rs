//! Window functions: SQLite has the standard's under the same names.

use super::{Body, Function};

const fn window(symbol: &'static str, name: &'static str) -> Function {
    Function { symbol, body: Body::NativeWindow(name) }
}

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    window("window_row_number", "row_number"),
    window("window_rank", "rank"),
    window("window_dense_rank", "dense_rank"),
    window("window_percent_rank", "percent_rank"),
    window("window_cume_dist", "cume_dist"),
    window("window_ntile", "ntile"),
    window("window_lag", "lag"),
    window("window_lag_with_offset", "lag"),
    window("window_lag_with_offset_and_default", "lag"),
    window("window_lead", "lead"),
    window("window_lead_with_offset", "lead"),
    window("window_lead_with_offset_and_default", "lead"),
    window("window_first_value", "first_value"),
    window("window_last_value", "last_value"),
    window("window_nth_value", "nth_value"),
];
