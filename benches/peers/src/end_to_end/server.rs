//! The server under load, in a process of its own, with one thread on one core.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use tokio::{net::TcpListener, runtime};
use tower_request_context_peers::{app_with_context, app_without};

use crate::load::pinned;

pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start(app: &str) -> Result<Self, Box<dyn Error>> {
        let mut process = pinned(0, env::current_exe()?).args(["serve", app]).stdout(Stdio::piped()).spawn()?;
        let mut port = String::new();
        BufReader::new(process.stdout.take().ok_or("the output of the server is not piped")?).read_line(&mut port)?;
        Ok(Self { process, port: port.trim().parse()? })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Prints its port, then serves until the process is killed.
pub(crate) fn serve(app: &str) -> Result<(), Box<dyn Error>> {
    let app = match app {
        "context" => app_with_context(),
        "without" => app_without(),
        _ => return Err("usage: serve context|without".into()),
    };
    runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        Ok(axum::serve(listener, app).await?)
    })
}
