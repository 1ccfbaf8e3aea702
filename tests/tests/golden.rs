//! The golden scripts: what psql prints on PostgreSQL 15 is what it prints here.

use harness::{Server, replay};

#[test]
fn psql_describe() {
    replay(&Server::start(), "psql_describe");
}

#[test]
fn psql_catalog() {
    replay(&Server::start(), "psql_catalog");
}

#[test]
fn psql_queries() {
    replay(&Server::start(), "psql_queries");
}

#[test]
fn transactions() {
    replay(&Server::start(), "transactions");
}

#[test]
fn functions() {
    replay(&Server::start(), "functions");
}

#[test]
fn tables() {
    replay(&Server::start(), "tables");
}

#[test]
fn maintenance() {
    replay(&Server::start(), "maintenance");
}

#[test]
fn updates() {
    replay(&Server::start(), "updates");
}

#[test]
fn row_locks() {
    replay(&Server::start(), "row_locks");
}

#[test]
fn own_changes() {
    replay(&Server::start(), "own_changes");
}

#[test]
fn large_values() {
    replay(&Server::start(), "large_values");
}
