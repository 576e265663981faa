//! Run with `cargo run --example quickstart`.
//!
//! A request context that handler, service, spawned task and streamed body all read, with 1,000 overlapping requests
//! that test it. The application is in `app.rs`. `task_local.rs` has the same streamed body with `tokio::task_local!`.
//! `self_test.rs` sends the requests and compares what each reader saw.
//!
//! The example then serves until Ctrl-C. `-- --once` stops it after the self-test. `PORT` chooses the port.

mod app;
mod self_test;
#[path = "../shared/mod.rs"]
mod shared;
mod task_local;

use self::{
    self_test::SelfTest,
    shared::{Demo, print},
};

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let self_test = SelfTest::new();
    let app = app::app(self_test.routes());
    let server = axum::serve(listener, app).with_graceful_shutdown(demo.shutdown_signal());
    demo.run(server, async |client| {
        let report = self_test.run(client.address).await?;
        print(&report)?;
        report.result()?;
        client.suggest("/", &[("x-user-id", "7")]);
        client.suggest("/", &[]);
        Ok(())
    })
    .await
}
