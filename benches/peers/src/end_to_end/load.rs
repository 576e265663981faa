//! Who asks: wrk for HTTP/1.1, h2load for HTTP/2, each on a core of its own.

use std::{error::Error, process::Command};

use crate::server::Server;

pub(crate) struct Load {
    pub(crate) protocol: &'static str,
    pub(crate) program: &'static str,
    /// Its arguments, less the time and the address.
    arguments: &'static [&'static str],
    /// How the line starts whose first number is the requests a second.
    line: &'static str,
    /// Whether all were answered with a 200.
    answered: fn(&str) -> bool,
}

pub(crate) const PROTOCOLS: [Load; 2] = [
    Load {
        protocol: "HTTP/1.1",
        program: "wrk",
        arguments: &["--threads=1", "--connections=32", "--duration"],
        line: "Requests/sec:",
        answered: |said| !said.contains("Non-2xx") && !said.contains("Socket errors"),
    },
    Load {
        protocol: "HTTP/2",
        program: "h2load",
        arguments: &["--threads=1", "--clients=8", "--max-concurrent-streams=16", "--duration"],
        line: "finished in",
        answered: |said| said.contains(" 0 3xx, 0 4xx, 0 5xx") && said.contains(" 0 failed, 0 errored, 0 timeout"),
    },
];

impl Load {
    pub(crate) fn requests_a_second(&self, server: &Server, seconds: u32) -> Result<f64, Box<dyn Error>> {
        let Self { program, line, .. } = self;
        let output = pinned(1, program).args(self.arguments).arg(seconds.to_string()).arg(server.url()).output();
        let output = output.map_err(|error| format!("{program} does not start: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let rate = said.lines().find_map(|said| said.trim().strip_prefix(line));
        let rate = rate.and_then(|rate| rate.split_whitespace().find_map(|word| word.parse().ok()));
        match rate {
            Some(rate) if (self.answered)(&said) => Ok(rate),
            Some(_) => Err(format!("not every request of {program} was answered: {said}").into()),
            None => {
                let error = String::from_utf8_lossy(&output.stderr);
                let cure = "`apt-get install wrk nghttp2-client` installs what asks";
                Err(format!("{program} told no requests a second; {cure}: {said}{error}").into())
            }
        }
    }
}

/// Starts a program on one core, where `taskset` is there to see to it.
pub(crate) fn pinned(core: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let taskset = Command::new("taskset").arg("--version").output().is_ok();
    if !taskset {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}
