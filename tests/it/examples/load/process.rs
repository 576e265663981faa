//! What an example takes of the machine, as Linux says.

use std::{fs, time::Duration};

use tokio::time::sleep;

/// A process by its id.
pub(super) struct Process(pub(super) u32);

impl Process {
    /// How many files and sockets it has open.
    pub(super) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap().count()
    }

    /// Waits until it has so many files and sockets open. Only the kernel knows, and it has to be asked.
    pub(super) async fn closes_all_but(&self, files: usize) {
        while self.open_files() > files {
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }
}
