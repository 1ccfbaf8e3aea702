//! A server with a worker of one's own: a binary that is Postilion and knows one more library.
//!
//! ```text
//! cargo run --example custom_worker -- -c shared_preload_libraries=my_library
//! ```

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use postilion::workers::{
    Init, Library, OnReload, OnTerminate, Registration, Restart, Result, Spi, SpiAccess, Worker,
    WorkerContext, async_trait,
};

struct Counter;

#[async_trait]
impl Worker for Counter {
    async fn main(&mut self, context: &mut WorkerContext) -> Result<()> {
        context.connect(Some("postgres"), None).await?;
        while context.wait(Duration::from_secs(1)).await?.goes_on() {
            context.begin().await?;
            let result = context.execute("SELECT count(*) FROM pg_class", SpiAccess::ReadOnly, 0).await?;
            let count: i64 = result.first(0)?.unwrap_or(0);
            context.log(format!("Currently {count} relations in database")).await?;
            context.commit().await?;
        }
        Ok(())
    }
}

struct MyLibrary;

impl Library for MyLibrary {
    fn name(&self) -> &str {
        "my_library"
    }

    fn init(&self, init: &mut Init<'_>) {
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
