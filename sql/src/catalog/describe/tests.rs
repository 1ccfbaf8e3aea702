//! Descriptions compared with PostgreSQL's own.

use super::*;
#[test]
fn oracle_views() {
    let text = std::fs::read_to_string("/tmp/catgen/views.txt").unwrap();
    let (mut good, mut bad) = (0, 0);
    for entry in text.split('\u{1}').filter(|e| !e.trim().is_empty()) {
        let (full, want) = entry.trim_start_matches('\n').split_once('\u{2}').unwrap();
        let got = pretty(full);
        if got == want {
            good += 1
        } else {
            bad += 1;
            for (a, b) in got.lines().zip(want.lines()) {
                if a != b {
                    eprintln!("GOT  {a}\nWANT {b}");
                }
            }
        }
    }
    eprintln!("good {good} bad {bad}");
}
