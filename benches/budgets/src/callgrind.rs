//! What callgrind counts when it runs this program: the slope between two numbers of times, so that what it costs to get
//! there is left out. What the machine is doing meanwhile makes no difference.

use std::{env, error::Error, process::Command};

const TIMES: [u32; 2] = [512, 1536];

/// The instructions of one time, of the program that is called with these arguments and a number of times. With the name
/// of a function, only those inside of it.
pub(crate) fn instructions(arguments: &[String], within: Option<&str>) -> Result<f64, Box<dyn Error>> {
    let [few, many] = TIMES.map(|times| total(arguments, times, within));
    Ok((many? - few?) / f64::from(TIMES[1] - TIMES[0]))
}

fn total(arguments: &[String], times: u32, within: Option<&str>) -> Result<f64, Box<dyn Error>> {
    let callgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(within.map(|function| format!("--toggle-collect=*{function}*")))
        .arg(env::current_exe()?)
        .args(arguments)
        .arg(times.to_string())
        .output()
        .map_err(|error| {
            format!(
                "valgrind does not start ({error}): it counts the instructions, and nothing else here needs it; \
                 it comes with the system's packages, as with `apt-get install valgrind`"
            )
        })?;
    let said = String::from_utf8_lossy(&callgrind.stderr);
    let total = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    Ok(total.ok_or_else(|| format!("callgrind counted nothing: {said}"))?)
}
