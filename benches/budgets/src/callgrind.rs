//! Runs this program under callgrind and returns the instructions of one repetition: the slope between two numbers of
//! repetitions, which leaves out the cost of start-up. Other load on the machine does not change the result.

use std::{env, error::Error, process::Command};

const REPETITIONS: [u32; 2] = [512, 1536];

/// Returns the instructions of one repetition. The program is called with these arguments and a number of repetitions.
/// With the name of a function, only the instructions inside it count.
pub(crate) fn instructions(arguments: &[String], within: Option<&str>) -> Result<f64, Box<dyn Error>> {
    let [few, many] = REPETITIONS.map(|n| total(arguments, n, within));
    Ok((many? - few?) / f64::from(REPETITIONS[1] - REPETITIONS[0]))
}

fn total(arguments: &[String], n: u32, within: Option<&str>) -> Result<f64, Box<dyn Error>> {
    let callgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(within.map(|function| format!("--toggle-collect=*{function}*")))
        .arg(env::current_exe()?)
        .args(arguments)
        .arg(n.to_string())
        .output()
        .map_err(|error| {
            format!(
                "cannot start valgrind, which counts the instructions ({error}): install it, for example with \
                 `apt-get install valgrind`"
            )
        })?;
    let output = String::from_utf8_lossy(&callgrind.stderr);
    let total = output.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    Ok(total.ok_or_else(|| format!("callgrind reports no instructions: {output}"))?)
}
