//! Run with `cargo run --example quickstart`.
//!
//! It serves the application in `app.rs`, has a thousand users ask at once (`storm.rs`), prints what each part of the
//! application saw of them, and goes on serving. `-- --once` stops after that. `PORT` chooses the port.

mod app;
mod storm;
mod task_local;

use std::{
    env,
    io::{Write, stdout},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use axum::BoxError;
use tokio::{net::TcpListener, select, signal, sync::oneshot, try_join};

use self::storm::Storm;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let once = once()?;
    let listener = listen().await?;
    let address = listener.local_addr()?;
    let storm = Storm::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, app::app(storm.routes())).with_graceful_shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(server.into_future());

    let report = storm.run(address).await?;
    writeln!(stdout(), "{report}")?;
    report.verdict()?;

    if !once {
        let invite = format!("curl -H 'x-user-id: 7' http://{address}/\n  curl http://{address}/");
        let invite = async { writeln!(stdout(), "\nServing until Ctrl-C. Try:\n  {invite}") };
        // In this order: whoever reads the invitation may interrupt at once.
        try_join!(signal::ctrl_c(), invite)?;
    }
    drop(stop);
    select! {
        result = server => Ok(result??),
        _ = signal::ctrl_c() => Err("interrupted again, while requests were still being answered".into()),
    }
}

fn once() -> Result<bool, BoxError> {
    match env::args_os().skip(1).find(|argument| argument != "--once") {
        Some(unknown) => Err(format!("the only argument accepted is --once, not {unknown:?}").into()),
        None => Ok(env::args_os().len() > 1),
    }
}

async fn listen() -> Result<TcpListener, BoxError> {
    let port = match env::var_os("PORT") {
        Some(port) => port
            .to_str()
            .and_then(|port| port.parse().ok())
            .ok_or_else(|| format!("PORT must be a number from 0 (any free port) to 65535, not {port:?}"))?,
        None => 3000,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listening = TcpListener::bind(address).await;
    listening.map_err(|error| format!("cannot listen on {address}: {error}; set PORT to choose another port").into())
}
