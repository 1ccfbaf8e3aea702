//! Sessions on a cluster in a temporary directory, seen through a destination that collects text.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::backend::Signal;
use crate::settings::ServerSettings;
use crate::{SqlError, types};

/// Collects what a client would be sent, a line each.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    input: Vec<Bytes>,
}

#[async_trait]
impl Destination for Lines {
    fn columns(&mut self, shape: &RowShape<'_>) -> Result<()> {
        let names: Vec<_> = shape.columns.iter().map(|column| column.name.as_str()).collect();
        self.lines.push(format!("[{}]", names.join(",")));
        Ok(())
    }
    fn row(&mut self, row: &OutputRow<'_>) -> Result<bool> {
        let mut texts = Vec::new();
        for ((value, column), format) in row.values.iter().zip(row.shape.columns).zip(row.shape.formats) {
            texts.push(match (value, format) {
                (ValueRef::Null, _) => "null".to_owned(),
                (value, Format::Text) => types::to_text(column.ty.oid, *value, &row.types)?,
                (value, Format::Binary) => {
                    let mut bytes = bytes::BytesMut::new();
                    types::send(column.ty.oid, *value, &row.types, &mut bytes)?;
                    format!("{:?}", &bytes[..])
                }
            });
        }
        self.lines.push(texts.join("|"));
        Ok(false)
    }
    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }
    fn complete(&mut self, completion: &Completion) {
        self.lines.push(match completion {
            Completion::Complete(tag) => match tag.rows {
                Some(rows) => format!("{} {rows}", tag.command),
                None => tag.command.clone(),
            },
            Completion::Suspended => "suspended".to_owned(),
            Completion::Empty => "empty".to_owned(),
        });
    }
    fn notice(&mut self, report: &Report) {
        self.lines.push(format!("{}: {}", report.severity.as_str(), report.message));
    }
    fn parameter(&mut self, _: &str, _: &str) {}
    fn notification(&mut self, _: i32, channel: &str, payload: &str) {
        self.lines.push(format!("{channel}: {payload}"));
    }
    async fn copy_in(&mut self, _: usize, _: Format) -> Result<()> {
        self.input.reverse();
        Ok(())
    }
    async fn copy_data(&mut self) -> Result<Option<Bytes>> {
        Ok(self.input.pop())
    }
    fn copy_out(&mut self, columns: usize, _: Format) -> Result<()> {
        self.lines.push(format!("copy of {columns}"));
        Ok(())
    }
    fn copy_row(&mut self, data: &[u8]) -> Result<bool> {
        self.lines.push(String::from_utf8_lossy(data).into_owned());
        Ok(false)
    }
    fn copy_done(&mut self) {}
}

fn open(directory: &std::path::Path) -> Arc<Cluster> {
    Cluster::open(directory, Arc::new(ServerSettings::default())).unwrap()
}

fn request(database: Option<&str>, user: Option<&str>) -> ConnectRequest {
    ConnectRequest {
        database: database.map(Into::into),
        user: user.map(Into::into),
        settings: Vec::new(),
        kind: BackendKind::Client,
        process: None,
        client: None,
        bypass_allow_connections: false,
        bypass_login_check: false,
    }
}

async fn connect(cluster: &Arc<Cluster>) -> Session {
    Session::connect(cluster, request(Some("postgres"), Some("postgres"))).await.unwrap()
}

/// What a query string answers; an error as its code and message.
async fn run(session: &mut Session, sql: &str) -> Vec<String> {
    let mut lines = Lines::default();
    if let Err(error) = session.simple_query(sql, &mut lines).await {
        lines.lines.push(told(&error));
    }
    lines.lines
}

fn told(error: &SqlError) -> String {
    format!("{} {}", error.code(), error.message())
}

/// A table made below SQL's commands, so that these tests need nothing of them.
async fn make_table(session: &mut Session, sql: &str) {
    let answer = run(session, sql).await;
    assert_eq!(answer, ["CREATE TABLE"], "{sql}");
}

#[tokio::test]
async fn a_query_answers() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = open(directory.path());
    let mut session = connect(&cluster).await;
    assert_eq!(run(&mut session, "SELECT 1 AS a, 'x'").await, ["[a,?column?]", "1|x", "SELECT 1"]);
    assert_eq!(run(&mut session, "").await, ["empty"]);
    assert_eq!(run(&mut session, "SELECT 1; SELECT 2").await.len(), 6);
    assert_eq!(run(&mut session, "SHOW server_version_num").await[0], "[server_version_num]");
    drop(session);
    cluster.close().unwrap();
}

#[tokio::test]
async fn connecting_is_refused_in_postgresqls_words() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = open(directory.path());
    let refused = async |database, user| {
        let error = Session::connect(&cluster, request(database, user)).await.err().unwrap();
        assert_eq!(error.0.severity, crate::Severity::Fatal);
        told(&error)
    };
    assert_eq!(refused(Some("nowhere"), None).await, "3D000 database \"nowhere\" does not exist");
    assert_eq!(refused(Some("postgres"), Some("nobody")).await, "28000 role \"nobody\" does not exist");
    let closed = "55000 database \"template0\" is not currently accepting connections";
    assert_eq!(refused(Some("template0"), None).await, closed);
    assert!(Session::connect(&cluster, request(None, None)).await.is_ok());
}

#[tokio::test]
async fn blocks_begin_end_and_fail() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = open(directory.path());
    let mut session = connect(&cluster).await;
    assert_eq!(run(&mut session, "COMMIT").await, ["WARNING: there is no transaction in progress", "COMMIT"]);
    assert_eq!(run(&mut session, "BEGIN").await, ["BEGIN"]);
    assert_eq!(session.transaction_status(), TransactionStatus::InTransaction);
    assert_eq!(
        run(&mut session, "BEGIN").await,
        ["WARNING: there is already a transaction in progress", "BEGIN"]
    );
    assert!(run(&mut session, "SELECT nonsense").await[0].starts_with("42703"));
    assert_eq!(session.transaction_status(), TransactionStatus::Failed);
    assert_eq!(
        run(&mut session, "SELECT 1").await,
        ["25P02 current transaction is aborted, commands ignored until end of transaction block"]
    );
    assert_eq!(run(&mut session, "COMMIT").await, ["ROLLBACK"]);
    assert_eq!(run(&mut session, "SAVEPOINT a").await, ["25P01 SAVEPOINT can only be used in transaction blocks"]);
}
