//! Run with `cargo run --example quickstart`.
//!
//! It serves the application in `app.rs`, has a thousand users ask at once (`storm.rs`), prints what each part of the
//! application saw of them, and goes on serving. `-- --once` stops after that. `PORT` chooses the port.

mod app;
#[path = "../shared/mod.rs"]
mod shared;
mod storm;
mod task_local;

use std::process::ExitCode;

use self::{
    shared::{say, serve},
    storm::Storm,
};

#[tokio::main]
async fn main() -> ExitCode {
    let storm = Storm::new();
    serve(app::app(storm.routes()), async |visitor| {
        let report = storm.run(visitor.address).await?;
        say(&report)?;
        report.verdict()?;
        visitor.invite("/", &[("x-user-id", "7")]);
        visitor.invite("/", &[]);
        Ok(())
    })
    .await
}
