//! Mixed load over loopback for a given time: `cargo run --release -- SECONDS [FOLDER]`.
//!
//! Clients of axum and tonic work, stream, nest, spawn, panic and disconnect. Each place that can read the context
//! counts whether it found its own request. Every ten seconds, the program prints the counts and the resident memory.
//! With a folder, it writes `soak.csv` and the plot `soak.svg` there. It fails if a read found another request, if an
//! end was not reported, reported twice or wrong, or if memory grew.

#![forbid(unsafe_code)]

mod app;
mod counters;
mod grpc;
mod load;
mod number;
mod plot;
mod samples;

use std::{
    env, fs,
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, Instant, SystemTime},
};

use axum::BoxError;
use fastrand::Rng;
use tokio::{net::TcpListener, time::interval};
use tonic::transport::{Server, server::TcpIncoming};

use self::{counters::COUNTERS, samples::Samples};

/// Number of groups of clients. Each group has its own connections.
const GROUPS: u64 = 6;

#[tokio::main]
async fn main() -> ExitCode {
    match soak().await {
        Ok(failures) if failures.is_empty() => ExitCode::SUCCESS,
        Ok(failures) => {
            eprintln!("{}", failures.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the failures.
async fn soak() -> Result<Vec<String>, BoxError> {
    let (duration, folder) = arguments()?;
    let seed = fastrand::u64(..);
    println!("{} s, seed {seed:#x}", duration.as_secs());

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let http = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app::app()).await });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let grpc = listener.local_addr()?;
    let server = Server::builder().layer(number::layer()).add_service(grpc::Numbers);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let start = Instant::now();
    let until = start + duration;
    let groups = (0..GROUPS).map(|group| load::group(http, grpc, Rng::with_seed(seed ^ group), until));
    let groups: Vec<_> = groups.map(tokio::spawn).collect();

    let mut samples = Samples::default();
    let mut every = interval((duration / 6).min(Duration::from_secs(10)));
    println!("{}", Samples::COLUMNS);
    while start.elapsed() < duration {
        every.tick().await;
        println!("{}", samples.take(start.elapsed())?);
    }
    for group in groups {
        group.await??;
    }
    COUNTERS.settled().await;
    println!("{}", samples.take(start.elapsed())?);

    if let Some(folder) = folder {
        let cores = thread::available_parallelism()?;
        let day = httpdate::fmt_http_date(SystemTime::now());
        let caption = format!("{} s on {cores} cores, {}", duration.as_secs(), &day[5..16]);
        fs::write(folder.join("soak.csv"), samples.csv())?;
        fs::write(folder.join("soak.svg"), plot::svg(&samples, &caption))?;
    }
    let mut failures = COUNTERS.failures();
    failures.extend(samples.growth());
    Ok(failures)
}

fn arguments() -> Result<(Duration, Option<PathBuf>), BoxError> {
    let mut arguments = env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).filter(|seconds| *seconds >= 6);
    let seconds = seconds.ok_or("usage: `cargo run --release -- SECONDS [FOLDER]`, with six seconds at least")?;
    Ok((Duration::from_secs(seconds), arguments.next().map(PathBuf::from)))
}
