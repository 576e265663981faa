//! The load generators: wrk for HTTP/1.1, h2load for HTTP/2, on a core of their own.

use std::{error::Error, process::Command};

use crate::server::Server;

pub(crate) struct Load {
    pub(crate) protocol: &'static str,
    pub(crate) program: &'static str,
    /// Its arguments, without the duration and the URL.
    arguments: &'static [&'static str],
    /// The start of the line whose first number is the requests per second.
    rate: &'static str,
    /// A part of the line whose first number is the requests.
    requests: &'static str,
    /// Returns whether all responses had status 200, from the output of the program.
    all_ok: fn(&str) -> bool,
}

pub(crate) const PROTOCOLS: [Load; 2] = [
    Load {
        protocol: "HTTP/1.1",
        program: "wrk",
        arguments: &["--threads=1", "--connections=32", "--duration"],
        rate: "Requests/sec:",
        requests: " requests in ",
        all_ok: |output| !output.contains("Non-2xx") && !output.contains("Socket errors"),
    },
    Load {
        protocol: "HTTP/2",
        program: "h2load",
        arguments: &["--threads=1", "--clients=8", "--max-concurrent-streams=16", "--duration"],
        rate: "finished in",
        requests: "requests: ",
        all_ok: |output| output.contains(" 0 3xx, 0 4xx, 0 5xx") && output.contains(" 0 failed, 0 errored, 0 timeout"),
    },
];

#[derive(Clone, Copy)]
pub(crate) struct Measurement {
    pub(crate) requests_per_second: f64,
    /// The CPU time of the server per request, in microseconds.
    pub(crate) cpu_micros: f64,
}

impl Load {
    pub(crate) fn measure(&self, server: &Server, seconds: u32) -> Result<Measurement, Box<dyn Error>> {
        let Self { program, .. } = self;
        let before = server.cpu_time()?;
        let result = pinned(1, program).args(self.arguments).arg(seconds.to_string()).arg(server.url()).output();
        let result = result.map_err(|error| format!("cannot start {program}: {error}"))?;
        let cpu_time = server.cpu_time()?.saturating_sub(before);
        let output = String::from_utf8_lossy(&result.stdout);
        let rate = output.lines().find_map(|line| first_number(line.trim().strip_prefix(self.rate)?));
        let requests = output.lines().find(|line| line.contains(self.requests)).and_then(first_number);
        match rate.zip(requests) {
            Some((requests_per_second, requests)) if (self.all_ok)(&output) => {
                Ok(Measurement { requests_per_second, cpu_micros: cpu_time.as_secs_f64() * 1e6 / requests })
            }
            Some(_) => Err(format!("{program} reports failed requests: {output}").into()),
            None => {
                let error = String::from_utf8_lossy(&result.stderr);
                let fix = "install it with `apt-get install wrk nghttp2-client`";
                Err(format!("{program} reports no requests per second; {fix}: {output}{error}").into())
            }
        }
    }
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().find_map(|word| word.parse().ok())
}

/// Returns a command that runs a program on one core, if `taskset` is installed.
pub(crate) fn pinned(core: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let taskset = Command::new("taskset").arg("--version").output().is_ok();
    if !taskset {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}
