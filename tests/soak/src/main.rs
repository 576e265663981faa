//! Mixed load over loopback, for as long as you like: `cargo run --release -- SECONDS [FOLDER]`.
//!
//! Clients of axum and tonic work, stream, nest, spawn, panic and go away, and every place that can read the context
//! counts whether it found the request that it runs for. Every ten seconds the counts and the resident memory become a
//! line; with a folder, `soak.csv` and the plot `soak.svg` are written there. The program fails if a request was mixed up,
//! if an end was not told, told twice or another than it was, or if memory grew.

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

use self::{counters::LEDGER, samples::Samples};

/// So many groups of clients are there, each with connections of its own.
const GROUPS: u64 = 6;

#[tokio::main]
async fn main() -> ExitCode {
    match soak().await {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            eprintln!("{}", complaints.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns what is wrong.
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
    LEDGER.settled().await;
    println!("{}", samples.take(start.elapsed())?);

    if let Some(folder) = folder {
        let cores = thread::available_parallelism()?;
        let day = httpdate::fmt_http_date(SystemTime::now());
        let caption = format!("{} s on {cores} cores, {}", duration.as_secs(), &day[5..16]);
        fs::write(folder.join("soak.csv"), samples.csv())?;
        fs::write(folder.join("soak.svg"), plot::svg(&samples, &caption))?;
    }
    let mut complaints = LEDGER.complaints();
    complaints.extend(samples.growth());
    Ok(complaints)
}

fn arguments() -> Result<(Duration, Option<PathBuf>), BoxError> {
    let mut arguments = env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).filter(|seconds| *seconds >= 6);
    let seconds = seconds.ok_or("how many seconds? `cargo run --release -- 600`; six at least")?;
    Ok((Duration::from_secs(seconds), arguments.next().map(PathBuf::from)))
}
