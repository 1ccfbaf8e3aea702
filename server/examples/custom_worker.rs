//! A server with a worker of one's own: a binary that is Postilion and knows one more library.
//!
//! ```text
//! cargo run --example custom_worker -- -c shared_preload_libraries=my_library
//! ```

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use postilion::workers::definition::{self, Context};
use postilion::workers::{
    Init, Library, OnReload, OnTerminate, Registration, Restart, Result, Spi, SpiAccess, SqlError, SqlState,
    Worker, WorkerContext, async_trait,
};

/// A setting of the library's own: its name, default, least and greatest value.
const NAPTIME: (&str, i32, i32, i32) = ("my_library.naptime", 1, 1, 3600);

struct Counter;

#[async_trait]
impl Worker for Counter {
    async fn main(&mut self, context: &mut WorkerContext) -> Result<()> {
        context.connect(Some("postgres"), None).await?;
        loop {
            let naptime = naptime(context).await?;
            if !context.wait(naptime).await?.goes_on() {
                return Ok(());
            }
            if context.take_reload() {
                context.log("the settings have been read again").await?;
            }
            context.begin().await?;
            let result = context.execute("SELECT count(*) FROM pg_class", SpiAccess::ReadOnly, 0).await?;
            let count: i64 = result.first(0)?.unwrap_or(0);
            context.log(format!("Currently {count} relations in database")).await?;
            context.commit().await?;
        }
    }
}

/// The setting, as SHOW gives it.
async fn naptime(context: &mut WorkerContext) -> Result<Duration> {
    let text = context.setting(NAPTIME.0).await?.unwrap_or_default();
    let seconds = text.parse().map_err(|_| {
        SqlError::new(SqlState::INVALID_PARAMETER_VALUE, format!("\"{text}\" is no number of seconds"))
    })?;
    Ok(Duration::from_secs(seconds))
}

struct MyLibrary;

impl Library for MyLibrary {
    fn name(&self) -> &str {
        "my_library"
    }

    fn init(&self, init: &mut Init<'_>) {
        let (name, default, min, max) = NAPTIME;
        let about = "Seconds between two turns.";
        (init.define)(definition::integer(name, Context::Sighup, default, min, max, about));
        (init.reserve_prefix)("my_library");
        if init.preloading {
            let mut counter = Registration::new("my counter", "my_library", "counter_main");
            counter.argument = 7;
            counter.restart = Restart::AfterSeconds(5);
            counter.on_reload = OnReload::Flag;
            counter.on_terminate = OnTerminate::Flag;
            (init.register)(counter);
        }
    }

    fn worker(&self, function: &str) -> Option<Box<dyn Worker>> {
        (function == "counter_main").then(|| Box::new(Counter) as Box<dyn Worker>)
    }
}

fn main() -> ExitCode {
    postilion::main_with(vec![Arc::new(MyLibrary)])
}
