//! The rules of the house, as tests: which crate may know which, who may name SQLite and sqlparser, how files open.

use std::fs;
use std::path::{Path, PathBuf};

use harness::workspace;

/// No file of the sources is longer.
const FILE_LINES_MAX: usize = 2000;

/// The crates in the order in which they may know each other: each those after it.
const CRATES: [&str; 4] = ["server", "workers", "sql", "storage"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable folder") {
        let path = entry.expect("readable entry").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn all_sources() -> Vec<PathBuf> {
    let folders = CRATES.iter().chain(&["tests"]);
    folders.flat_map(|folder| sources(&workspace().join(folder))).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("readable source")
}

/// The code of a file: its lines without comments.
fn code(path: &Path) -> Vec<String> {
    read(path).lines().filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
}

/// The files whose code names one of these words, relative to the workspace.
fn naming(words: &[&str]) -> Vec<String> {
    let files = all_sources().into_iter().filter(|path| !path.ends_with("tests/tests/house.rs"));
    let hits =
        files.filter(|path| code(path).iter().any(|line| words.iter().any(|word| line.contains(word))));
    hits.map(|path| path.strip_prefix(workspace()).expect("inside").to_string_lossy().into_owned()).collect()
}

#[test]
fn crates_know_only_those_below_them() {
    for (height, name) in CRATES.iter().enumerate() {
        let manifest = read(&workspace().join(name).join("Cargo.toml"));
        for above in &CRATES[..=height] {
            let entries = manifest.lines().filter(|line| {
                line.starts_with(&format!("{above}.")) || line.starts_with(&format!("{above} ="))
            });
            assert_eq!(entries.count(), 0, "{name} must not depend on {above}");
        }
    }
}

#[test]
fn server_and_workers_do_not_know_the_engine() {
    for name in ["server", "workers"] {
        let manifest = read(&workspace().join(name).join("Cargo.toml"));
        for below in ["storage.workspace", "rusqlite", "sqlparser"] {
            assert!(!manifest.contains(below), "{name} must not depend on {below}: a session is a boundary");
        }
    }
}

#[test]
fn only_storage_names_sqlites_interface() {
    let outside: Vec<_> =
        naming(&["rusqlite", "sqlite3_"]).into_iter().filter(|path| !path.starts_with("storage/")).collect();
    assert_eq!(outside, Vec::<String>::new());
}

#[test]
fn only_parser_and_binder_name_sqlparser() {
    let allowed = |path: &String| path.starts_with("sql/src/parse") || path.starts_with("sql/src/bind");
    let outside: Vec<_> = naming(&["sqlparser"]).into_iter().filter(|path| !allowed(path)).collect();
    assert_eq!(outside, Vec::<String>::new());
}

#[test]
fn unsafe_code_is_in_storage_alone() {
    let outside: Vec<_> = naming(&["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code"])
        .into_iter()
        .filter(|path| !path.starts_with("storage/"))
        .collect();
    assert_eq!(outside, Vec::<String>::new());
}

#[test]
fn every_file_says_what_lives_there() {
    for path in all_sources() {
        assert!(read(&path).starts_with("//! "), "{} does not open with //!", path.display());
    }
}

#[test]
fn no_file_is_too_long() {
    for path in all_sources() {
        let lines = read(&path).lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", path.display());
    }
}

#[test]
fn nothing_is_left_to_be_done() {
    let unfinished = naming(&["todo!(", "unimplemented!(", "dbg!(", "#[ignore"]);
    assert_eq!(unfinished, Vec::<String>::new());
}
