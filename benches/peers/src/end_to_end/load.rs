//! The load generators: wrk for HTTP/1.1, h2load for HTTP/2, each on a core of its own.

use std::{error::Error, process::Command};

use crate::server::Server;

pub(crate) struct Load {
    pub(crate) protocol: &'static str,
    pub(crate) program: &'static str,
    /// Its arguments, without the duration and the URL.
    arguments: &'static [&'static str],
    /// The start of the line whose first number is the requests per second.
    line: &'static str,
    /// Returns whether all responses had status 200, from the output of the program.
    all_ok: fn(&str) -> bool,
}

pub(crate) const PROTOCOLS: [Load; 2] = [
    Load {
        protocol: "HTTP/1.1",
        program: "wrk",
        arguments: &["--threads=1", "--connections=32", "--duration"],
        line: "Requests/sec:",
        all_ok: |output| !output.contains("Non-2xx") && !output.contains("Socket errors"),
    },
    Load {
        protocol: "HTTP/2",
        program: "h2load",
        arguments: &["--threads=1", "--clients=8", "--max-concurrent-streams=16", "--duration"],
        line: "finished in",
        all_ok: |output| output.contains(" 0 3xx, 0 4xx, 0 5xx") && output.contains(" 0 failed, 0 errored, 0 timeout"),
    },
];

impl Load {
    pub(crate) fn requests_per_second(&self, server: &Server, seconds: u32) -> Result<f64, Box<dyn Error>> {
        let Self { program, line, .. } = self;
        let result = pinned(1, program).args(self.arguments).arg(seconds.to_string()).arg(server.url()).output();
        let result = result.map_err(|error| format!("cannot start {program}: {error}"))?;
        let output = String::from_utf8_lossy(&result.stdout);
        let rate = output.lines().find_map(|text| text.trim().strip_prefix(line));
        let rate = rate.and_then(|rate| rate.split_whitespace().find_map(|word| word.parse().ok()));
        match rate {
            Some(rate) if (self.all_ok)(&output) => Ok(rate),
            Some(_) => Err(format!("{program} reports failed requests: {output}").into()),
            None => {
                let error = String::from_utf8_lossy(&result.stderr);
                let fix = "install it with `apt-get install wrk nghttp2-client`";
                Err(format!("{program} reports no requests per second; {fix}: {output}{error}").into())
            }
        }
    }
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
