//! A library whose workers show what the framework offers, run by the end-to-end tests:
//!
//! - `record_main` logs its registration record, and then how it is woken, reloaded and asked to end;
//! - `script_main` carries out the SPI calls that the table `spi_script` lists, in their order, and logs what each
//!   one gave.
//!
//! ```text
//! cargo run --example spi_script
//! CREATE TABLE spi_script (step int, call text, name text, text text, argument text, read_only bool, row_limit int8);
//! SELECT register_dynamic_background_worker('spi_script', 'script_main');
//! ```

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use postilion::sql::Oid;
use postilion::workers::{
    Init, Library, Result, Spi, SpiAccess, SpiArgument, SpiResult, SpiTable, Wake, Worker, WorkerContext,
    async_trait,
};

/// `pg_type.oid` of int4, the type of the one argument that a step can have.
const INT4: Oid = Oid(23);

/// How long `record_main` waits before it looks again.
const NAP: Duration = Duration::from_secs(60);

struct Record;

#[async_trait]
impl Worker for Record {
    async fn main(&mut self, context: &mut WorkerContext) -> Result<()> {
        let record = context.registration().clone();
        context
            .log(format!(
                "record: name={} type={} access={:?} start_time={:?} restart={:?} main={}:{} argument={} extra={} \
                 on_reload={:?} on_terminate={:?}",
                record.name,
                record.kind,
                record.access,
                record.start_time,
                record.restart,
                record.library,
                record.function,
                record.argument,
                String::from_utf8_lossy(&record.extra),
                record.on_reload,
                record.on_terminate,
            ))
            .await?;
        loop {
            let wake = context.wait(NAP).await?;
            let reloaded = context.take_reload();
            context.log(format!("record: woken by {wake:?}, reloaded: {reloaded}")).await?;
            if wake == Wake::Terminate {
                return Ok(());
            }
        }
    }
}

/// One row of the script.
struct Step {
    call: String,
    name: String,
    text: String,
    argument: Option<String>,
    access: SpiAccess,
    row_limit: i64,
}

impl Step {
    fn of(table: &SpiTable, row: usize) -> Result<Self> {
        Ok(Self {
            call: table.get(row, 0)?.unwrap_or_default(),
            name: table.get(row, 1)?.unwrap_or_default(),
            text: table.get(row, 2)?.unwrap_or_default(),
            argument: table.get(row, 3)?,
            access: if table.get(row, 4)?.unwrap_or(false) {
                SpiAccess::ReadOnly
            } else {
                SpiAccess::ReadWrite
            },
            row_limit: table.get(row, 5)?.unwrap_or(0),
        })
    }

    /// Carries it out; what there is to tell of it.
    async fn run(&self, context: &mut WorkerContext) -> Result<String> {
        let arguments: Vec<SpiArgument> = self
            .argument
            .iter()
            .map(|value| SpiArgument { type_oid: INT4.0, value: Some(value.clone()) })
            .collect();
        let types = vec![INT4; arguments.len()];
        let done = |()| "done".to_owned();
        match self.call.as_str() {
            "begin" => context.begin().await.map(done),
            "commit" => context.commit().await.map(done),
            "rollback" => context.rollback().await.map(done),
            "execute" => {
                let result =
                    context.execute_with_arguments(&self.text, arguments, self.access, self.row_limit);
                result.await.map(|result| told(&result))
            }
            // The step's argument only says that the plan has a parameter.
            "prepare" => context.prepare(&self.name, &self.text, &types).await.map(done),
            "execute_plan" => {
                let result = context.execute_plan(&self.name, arguments, self.access, self.row_limit);
                result.await.map(|result| told(&result))
            }
            "free_plan" => context.free_plan(&self.name).await.map(done),
            "cursor_open" => {
                context.cursor_open(&self.name, &self.text, arguments, self.access).await.map(done)
            }
            // The step's text names the plan.
            "cursor_open_plan" => {
                context.cursor_open_plan(&self.name, &self.text, arguments, self.access).await.map(done)
            }
            "cursor_fetch" => {
                context.cursor_fetch(&self.name, self.row_limit).await.map(|result| told(&result))
            }
            "cursor_move" => {
                context.cursor_move(&self.name, self.row_limit).await.map(|result| told(&result))
            }
            "cursor_close" => context.cursor_close(&self.name).await.map(done),
            "begin_subtransaction" => context.begin_subtransaction(&self.name).await.map(done),
            "release_subtransaction" => context.release_subtransaction(&self.name).await.map(done),
            "rollback_subtransaction" => context.rollback_subtransaction(&self.name).await.map(done),
            other => Ok(format!("there is no call \"{other}\"")),
        }
    }
}

/// A result in one line: code, rows processed, and the rows if there are any.
fn told(result: &SpiResult) -> String {
    let counted = format!("code {} processed {}", result.code.number(), result.processed);
    let Some(table) = &result.table else { return counted };
    let row = |row: &Vec<Option<String>>| {
        row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join("|")
    };
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let rows: Vec<String> = table.rows.iter().map(row).collect();
    format!("{counted} [{}] {}", names.join("|"), rows.join(" "))
}

struct Script;

#[async_trait]
impl Worker for Script {
    async fn main(&mut self, context: &mut WorkerContext) -> Result<()> {
        context.connect(Some("postgres"), None).await?;
        context.begin().await?;
        let columns = "SELECT call, name, text, argument, read_only, row_limit FROM spi_script ORDER BY step";
        let script = context.execute(columns, SpiAccess::ReadOnly, 0).await?.table.unwrap_or_default();
        context.commit().await?;
        for row in 0..script.rows.len() {
            let step = Step::of(&script, row)?;
            let told = match step.run(context).await {
                Ok(told) => told,
                Err(error) => format!("error {} {error}", error.code()),
            };
            context.log(format!("step {}: {}: {told}", row + 1, step.call)).await?;
        }
        context.log("the script is done").await
    }
}

struct SpiScript;

impl Library for SpiScript {
    fn name(&self) -> &str {
        "spi_script"
    }

    fn init(&self, _init: &mut Init<'_>) {}

    fn worker(&self, function: &str) -> Option<Box<dyn Worker>> {
        match function {
            "record_main" => Some(Box::new(Record)),
            "script_main" => Some(Box::new(Script)),
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    postilion::main_with(vec![Arc::new(SpiScript)])
}
