//! Comparing what a script prints with what PostgreSQL printed, and keeping the two texts.

use std::path::PathBuf;

use super::run::run;
use super::script::Script;
use crate::{Peer, workspace};

/// What a permutation's text opens with.
const OPENING: &str = "permutation ";

/// What a reason opens with in a list of differences.
const REASON: &str = "because: ";

/// The reason that `accept` writes: somebody must say why before the test passes.
const UNEXPLAINED: &str = "because: ?";

/// One permutation's text: its first line names it.
struct Block {
    name: String,
    /// Why ours differs, in a list of differences.
    reason: Option<String>,
    text: String,
}

fn file(name: &str, extension: &str) -> PathBuf {
    workspace().join("tests/isolation").join(format!("{name}.{extension}"))
}

fn read(name: &str, extension: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(file(name, extension)).unwrap_or_default();
    let mut blocks: Vec<Block> = Vec::new();
    for line in text.lines() {
        if line.starts_with(OPENING) {
            blocks.push(Block { name: line.to_owned(), reason: None, text: String::new() });
        } else if let Some(block) = blocks.last_mut() {
            if line.starts_with(REASON) {
                block.reason = Some(line.to_owned());
            } else if !line.is_empty() {
                block.text.push_str(line);
                block.text.push('\n');
            }
        }
    }
    blocks
}

fn write(name: &str, extension: &str, blocks: &[Block]) {
    let text = |block: &Block| {
        let reason = block.reason.as_ref().map_or_else(String::new, |reason| format!("{reason}\n"));
        format!("{}\n{reason}{}", block.name, block.text)
    };
    let texts: Vec<String> = blocks.iter().map(text).collect();
    std::fs::write(file(name, extension), texts.join("\n")).expect("the file can be written");
}

/// Runs all permutations of a script.
async fn blocks(peer: &Peer, name: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(file(name, "spec")).expect("the script exists");
    let script = Script::parse(&text);
    let mut blocks = Vec::new();
    for permutation in &script.permutations {
        for values in script.combinations() {
            let text = run(peer, &script, permutation, &values).await;
            let name = format!("{OPENING}{}{values}", permutation.text);
            blocks.push(Block { name, reason: None, text });
        }
    }
    blocks
}

/// Writes what the server prints, which is PostgreSQL, as the expected text.
///
/// # Panics
/// When the server is one of ours.
pub async fn record(peer: &Peer, name: &str) {
    assert!(!peer.is_ours(), "expectations are PostgreSQL's: name one with PROOF_SERVER");
    write(name, "out", &blocks(peer, name).await);
}

/// Writes our differences from the expected text, keeping the reasons of those already listed.
pub async fn accept(peer: &Peer, name: &str) {
    let (expected, listed) = (read(name, "out"), read(name, "differs"));
    let mut differences = Vec::new();
    for mut block in blocks(peer, name).await {
        if expected.iter().any(|expected| expected.name == block.name && expected.text == block.text) {
            continue;
        }
        let known = listed.iter().find(|known| known.name == block.name);
        block.reason = known.and_then(|known| known.reason.clone()).or(Some(UNEXPLAINED.to_owned()));
        differences.push(block);
    }
    if differences.is_empty() {
        let _not_there = std::fs::remove_file(file(name, "differs"));
    } else {
        write(name, "differs", &differences);
    }
}

/// Runs a script and compares.
///
/// # Panics
/// When a permutation prints neither what PostgreSQL does nor what the list of differences says, or when the list has an
/// entry that does not differ or has no reason.
pub async fn check(peer: &Peer, name: &str) {
    let (expected, listed) = (read(name, "out"), read(name, "differs"));
    let listed = if peer.is_ours() { listed } else { Vec::new() };
    let mut faults = Vec::new();
    for block in blocks(peer, name).await {
        let difference = listed.iter().find(|difference| difference.name == block.name);
        let postgresql = expected.iter().find(|expected| expected.name == block.name);
        match (difference, postgresql) {
            (_, None) => faults.push(format!("{}: tests/isolation/{name}.out does not have it", block.name)),
            (Some(difference), _)
                if difference.reason.as_deref().is_none_or(|reason| reason == UNEXPLAINED) =>
            {
                faults.push(format!("{}: differs without a reason", block.name));
            }
            (Some(_), Some(postgresql)) if postgresql.text == block.text => {
                faults.push(format!("{}: is listed as different and is not", block.name));
            }
            (difference, Some(postgresql)) => {
                let wanted = difference.map_or(&postgresql.text, |difference| &difference.text);
                if *wanted != block.text {
                    faults.push(format!("{}\n--- expected\n{wanted}--- printed\n{}", block.name, block.text));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{name}: {} permutations fail:\n{}", faults.len(), faults.join("\n"));
}
