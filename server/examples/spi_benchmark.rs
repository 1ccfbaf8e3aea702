//! Measures SPI: a worker runs point selects through a prepared plan for two seconds, on a table of 10,000 rows, and
//! logs statements per second. Run by `tests/bench/run`, once for each isolation:
//!
//! ```text
//! cargo run --release --example spi_benchmark -- -c shared_preload_libraries=spi_benchmark -c worker_isolation=task
//! ```

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postilion::workers::{
    Init, Library, Registration, Result, Spi, SpiAccess, SpiArgument, Worker, WorkerContext, async_trait,
};

/// How long it measures.
const SPAN: Duration = Duration::from_secs(2);

/// Rows of the table.
const ROWS: u64 = 10_000;

/// `pg_type.oid` of int4.
const INT4: u32 = 23;

struct Benchmark;

#[async_trait]
impl Worker for Benchmark {
    async fn main(&mut self, context: &mut WorkerContext) -> Result<()> {
        context.connect(Some("postgres"), None).await?;
        context.begin().await?;
        let make = "CREATE TABLE IF NOT EXISTS spi_benchmark (id integer PRIMARY KEY, v text)";
        context.execute(make, SpiAccess::ReadWrite, 0).await?;
        let fill = format!(
            "INSERT INTO spi_benchmark SELECT i, 'value ' || i FROM generate_series(0, {}) i ON CONFLICT DO NOTHING",
            ROWS - 1
        );
        context.execute(&fill, SpiAccess::ReadWrite, 0).await?;
        context.commit().await?;

        context.begin().await?;
        let plan = "point select";
        context
            .prepare(plan, "SELECT v FROM spi_benchmark WHERE id = $1", &[postilion::sql::Oid(INT4)])
            .await?;
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < SPAN {
            let value = Some((count % ROWS).to_string());
            let argument = SpiArgument { type_oid: INT4, value };
            context.execute_plan(plan, vec![argument], SpiAccess::ReadOnly, 0).await?;
            count += 1;
        }
        let rate = count as f64 / began.elapsed().as_secs_f64();
        context.commit().await?;
        context.log(format!("SPI statements per second: {rate:.0}")).await
    }
}

struct Benchmarks;

impl Library for Benchmarks {
    fn name(&self) -> &str {
        "spi_benchmark"
    }

    fn init(&self, init: &mut Init<'_>) {
        if init.preloading {
            (init.register)(Registration::new("spi benchmark", self.name(), "main"));
        }
    }

    fn worker(&self, function: &str) -> Option<Box<dyn Worker>> {
        (function == "main").then(|| Box::new(Benchmark) as Box<dyn Worker>)
    }
}

fn main() -> ExitCode {
    postilion::main_with(vec![Arc::new(Benchmarks)])
}
