//! `count_relations`: counts the relations of a database every second and logs the number. The smallest useful worker,
//! and a model for writing one: no schema of its own, no SQL functions, only `shared_preload_libraries`.

use std::time::Duration;

use async_trait::async_trait;
use sql::Result;
use sql::settings::definition::{self, Context, string};

use crate::spi::{Access, Spi};
use crate::{Init, Library, OnReload, OnTerminate, Registration, Restart, Worker, WorkerContext};

pub(super) struct CountRelations;

impl Library for CountRelations {
    fn name(&self) -> &str {
        "count_relations"
    }

    fn init(&self, init: &mut Init<'_>) {
        (init.define)(definition::integer(
            "count_relations.naptime",
            Context::Sighup,
            1,
            1,
            i32::MAX,
            "Duration between each count (in seconds).",
        ));
        if !init.preloading {
            return;
        }
        (init.define)(string(
            "count_relations.database",
            Context::Postmaster,
            "postgres",
            "Database to connect to.",
        ));
        (init.define)(definition::integer(
            "count_relations.restart_time",
            Context::Postmaster,
            -1,
            -1,
            crate::RESTART_SECONDS_MAX as i32,
            "Seconds after which a failed worker is restarted (-1: never).",
        ));
        (init.reserve_prefix)("count_relations");
        let restart =
            (init.setting)("count_relations.restart_time").and_then(|text| text.parse().ok()).unwrap_or(-1);
        let mut worker = Registration::new("count relations", self.name(), "count_relations_main");
        worker.restart = Restart::from_seconds(restart);
        worker.on_reload = OnReload::Flag;
        worker.on_terminate = OnTerminate::Flag;
        (init.register)(worker);
    }

    fn worker(&self, function: &str) -> Option<Box<dyn Worker>> {
        (function == "count_relations_main").then(|| Box::new(Counter) as Box<dyn Worker>)
    }
}

struct Counter;

#[async_trait]
impl Worker for Counter {
    async fn main(&mut self, context: &mut WorkerContext) -> Result<()> {
        let database = context.setting("count_relations.database").await?;
        context.connect(database.as_deref(), None).await?;
        let mut naptime = naptime(context).await?;
        while context.wait(naptime).await?.goes_on() {
            if context.take_reload() {
                context.log("got sighup").await?;
                naptime = self::naptime(context).await?;
            }
            context.begin().await?;
            let result = context.execute("SELECT count(*) FROM pg_class", Access::ReadOnly, 0).await?;
            let count: i64 = result.first(0)?.unwrap_or(0);
            context.log(format!("Currently {count} relations in database")).await?;
            context.commit().await?;
        }
        Ok(())
    }
}

async fn naptime(context: &mut WorkerContext) -> Result<Duration> {
    let seconds = context.setting("count_relations.naptime").await?.and_then(|text| text.parse().ok());
    Ok(Duration::from_secs(seconds.unwrap_or(1)))
}
