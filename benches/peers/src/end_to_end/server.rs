//! The server under load, in a process of its own, with one thread on one core.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::Duration,
};

use tokio::{net::TcpListener, runtime};

use crate::{arguments::way, load::pinned};

pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts a server with the app of a way.
    pub(crate) fn start(key: &str) -> Result<Self, Box<dyn Error>> {
        let mut process = pinned(0, env::current_exe()?).args(["serve", key]).stdout(Stdio::piped()).spawn()?;
        let mut port = String::new();
        BufReader::new(process.stdout.take().ok_or("the output of the server is not piped")?).read_line(&mut port)?;
        let port = port.trim().parse().map_err(|_| format!("the server `{key}` did not start, or printed no port"));
        Ok(Self { process, port: port? })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Returns the CPU time of the server so far, in user code and in the kernel.
    ///
    /// The scheduler counts it in nanoseconds. `/proc/PID/stat` has it in clock ticks only, which are 10 ms each.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Box<dyn Error>> {
        let file = format!("/proc/{}/schedstat", self.process.id());
        let text = fs::read_to_string(&file).map_err(|error| format!("cannot read the CPU time in {file}: {error}"))?;
        let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        Ok(Duration::from_nanos(nanos.ok_or_else(|| format!("no CPU time in {file}: {text}"))?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Prints its port, then serves until the process is killed.
pub(crate) fn serve(key: &str) -> Result<(), Box<dyn Error>> {
    let app = (way(key)?.app)();
    // The main thread runs everything: `/proc/PID/schedstat` counts only this thread.
    runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        Ok(axum::serve(listener, app).await?)
    })
}
