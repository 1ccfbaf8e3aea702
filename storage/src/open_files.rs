//! Which database files this process has open. The file lock of VFS `unix-excl` belongs to the process, so it
//! keeps other processes out but not this one; two write locks for one file would break every promise of
//! [`crate::Database`].

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use parking_lot::Mutex;

use crate::failure;
use crate::{Error, ErrorKind, Result};

static OPEN_FILES: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// The claim on a file; dropping it gives it up.
pub(crate) struct OpenFile {
    path: PathBuf,
}

impl OpenFile {
    /// Claims a file, which need not exist yet (its directory must).
    pub(crate) fn claim(path: &Path) -> Result<Self> {
        let path = canonical(path)?;
        if OPEN_FILES.lock().insert(path.clone()) {
            return Ok(Self { path });
        }
        let message = format!("\"{}\" is already open in this process", path.display());
        Err(Error { kind: ErrorKind::InUse, message })
    }

    /// The file, without links and relative parts.
    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        OPEN_FILES.lock().remove(&self.path);
    }
}

fn canonical(path: &Path) -> Result<PathBuf> {
    let failed = |error| failure::from_io("could not find the database file", &error);
    if let Ok(found) = path.canonicalize() {
        return Ok(found);
    }
    let name = path.file_name().ok_or_else(|| failure::fault("a database path without a file name"))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(directory.canonicalize().map_err(failed)?.join(name))
}
