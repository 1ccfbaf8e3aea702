//! A server on a disk that misbehaves: `tests/fault/shim.c`, compiled once and loaded before the C library.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use crate::{Server, ServerBuilder, workspace};

/// The compiled shim.
///
/// # Panics
/// When it cannot be compiled.
pub fn shim() -> PathBuf {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let build = || {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let library = directory.path().join("shim.so");
        let compiled = Command::new("cc")
            .args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(workspace().join("tests/fault/shim.c"))
            .args(["-ldl", "-lpthread"])
            .status()
            .expect("a C compiler runs");
        assert!(compiled.success(), "the shim does not compile");
        (directory, library)
    };
    BUILT.get_or_init(build).1.clone()
}

/// A data directory's parent and the switch of a fault that lasts while a file exists.
pub struct Faults {
    directory: Arc<TempDir>,
    switch: PathBuf,
}

impl Default for Faults {
    fn default() -> Self {
        Self::in_directory(Arc::new(tempfile::tempdir().expect("a temporary directory")))
    }
}

impl Faults {
    /// Faults in an existing server's directory.
    pub fn in_directory(directory: Arc<TempDir>) -> Self {
        let switch = directory.path().join("fault");
        Self { directory, switch }
    }

    /// A server with the shim, whose faults concern the files of databases.
    #[must_use]
    pub fn builder(&self) -> ServerBuilder {
        let base = self.directory.path().canonicalize().expect("it exists").join("data");
        Server::builder()
            .directory(self.directory.clone())
            .environment("LD_PRELOAD", &shim().display().to_string())
            .environment("FAULT_DIR", &base.display().to_string())
    }

    /// A server whose flushes wait while the fault is on.
    #[must_use]
    pub fn holding_flushes(&self) -> ServerBuilder {
        self.builder().environment("FAULT_FLUSH_HOLD", &self.switch.display().to_string())
    }

    /// A server whose writes or flushes (`on`) fail while the fault is on.
    #[must_use]
    pub fn failing(&self, error: &str, on: &str) -> ServerBuilder {
        self.builder()
            .environment("FAULT_ERROR", error)
            .environment("FAULT_ERROR_ON", on)
            .environment("FAULT_ERROR_WHILE", &self.switch.display().to_string())
    }

    /// A server that dies at one of its first writes, and loses what was not flushed.
    #[must_use]
    pub fn losing(&self, seed: u64, events: u64) -> ServerBuilder {
        self.builder()
            .environment("FAULT_CRASH_SEED", &seed.to_string())
            .environment("FAULT_CRASH_EVENTS", &events.to_string())
    }

    /// Begins the fault.
    ///
    /// # Panics
    /// When the switch cannot be made.
    pub fn begin(&self) {
        std::fs::write(&self.switch, "").expect("the switch can be made");
    }

    /// Ends the fault.
    ///
    /// # Panics
    /// When it has not begun.
    pub fn end(&self) {
        std::fs::remove_file(&self.switch).expect("the fault has begun");
    }
}

impl Drop for Faults {
    /// A server that is held would not end.
    fn drop(&mut self) {
        let _not_begun = std::fs::remove_file(&self.switch);
    }
}
