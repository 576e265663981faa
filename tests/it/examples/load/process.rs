//! The open files and the memory of an example, as Linux reports them in `/proc`.

use std::{fs, time::Duration};

use tokio::time::sleep;

/// A process, by its id.
pub(super) struct Process(u32);

impl Process {
    /// Returns `None` where `/proc` does not show the process: on other systems, and in some sandboxes.
    pub(super) fn find(id: u32) -> Option<Self> {
        let process = Self(id);
        process.try_open_files().and(process.try_resident_kib()).map(|_| process)
    }

    /// Returns how many files and sockets it has open.
    pub(super) fn open_files(&self) -> usize {
        self.try_open_files().expect("`/proc` shows a running process as long as it runs")
    }

    /// Waits until at most this many files and sockets are open. It polls, since the kernel sends no notification.
    pub(super) async fn wait_for_open_files(&self, files: usize) {
        while self.open_files() > files {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns its resident memory.
    pub(super) fn resident_kib(&self) -> u64 {
        self.try_resident_kib().expect("`/proc` shows a running process as long as it runs")
    }

    fn try_open_files(&self) -> Option<usize> {
        Some(fs::read_dir(format!("/proc/{}/fd", self.0)).ok()?.count())
    }

    fn try_resident_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}
