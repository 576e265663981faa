//! A temporary directory for the database file.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use tower_request_context::RequestId;

/// A new directory, which is removed on drop.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("transaction-{}", RequestId::new_v4()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}
