//! A copy of a running cluster: a directory that a server can be started on.
//!
//! Each database is copied from one snapshot while others go on writing; the cluster's own file is copied first, so that
//! every database it names is there. Sequences are written as far as they have come, so the copy goes on from there, with
//! a gap if values were drawn meanwhile, and so do the numbers of transactions, whose counter is written last. Nobody else
//! changes shared rows while it lasts, so that no database is dropped or made between its row's copy and its own. Settings
//! and the client rules come along; the log and the lock file do not.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::{Cluster, DIRECTORY_MODE, OpenDatabase, Sequences, database, storage_error};
use crate::catalog::{self, Database};
use crate::{Oid, Result, SqlError, error};

/// Files of a data directory that a server reads and no database holds.
const SETTINGS_FILES: [&str; 4] = ["PG_VERSION", "postilion.conf", "postilion.auto.conf", "pg_hba.conf"];

impl Cluster {
    /// Copies the cluster into a directory that is missing or empty; the names of the databases copied. It waits for the
    /// disk, and everything is on it when this returns. A copy that fails leaves the directory as it was.
    ///
    /// # Errors
    /// `58030`, `53100`; `58P02` when the directory is not empty.
    pub fn back_up(&self, target: &Path) -> Result<Vec<String>> {
        let was_there = claim(target)?;
        self.fill_copy(target).inspect_err(|_| {
            if let Err(error) = empty(target, was_there) {
                tracing::error!("could not remove what has been copied to \"{}\": {error}", target.display());
            }
        })
    }

    fn fill_copy(&self, target: &Path) -> Result<Vec<String>> {
        let failed = |error| failed(target, &error);
        // To the end of the databases: what the copy names must have its file.
        let lock = self.shared.store.write_lock_blocking();
        self.shared.copy_into(target)?;
        let mut names = Vec::new();
        for row in self.shared_catalog().relation::<Database>().rows() {
            self.database(row.oid)?.copy_into(target)?;
            names.push(row.datname.clone());
        }
        drop(lock);
        // After the last copy, so that no row there has a number that is yet to be given out.
        self.transaction_ids.copy_into(target)?;
        for name in SETTINGS_FILES {
            let source = self.directory.join(name);
            if source.exists() {
                fs::copy(&source, target.join(name)).map_err(failed)?;
            }
        }
        let extensions = self.extension_directory();
        if extensions.is_dir() {
            fs::create_dir(target.join("extension")).map_err(failed)?;
            for entry in fs::read_dir(extensions).map_err(failed)?.flatten() {
                fs::copy(entry.path(), target.join("extension").join(entry.file_name())).map_err(failed)?;
            }
        }
        // A directory that a server was given is complete: it is no first start.
        fs::write(target.join("postilion.state"), "shut down\n").map_err(failed)?;
        for directory in [target.join("base"), target.to_owned()] {
            fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        }
        Ok(names)
    }
}

/// Makes a directory, which is missing or empty, a backup's own; whether it was there. Who makes `base` in it has it, so
/// that two backups do not mix.
fn claim(target: &Path) -> Result<bool> {
    let not_empty = || error!(DUPLICATE_FILE, "directory \"{}\" exists but is not empty", target.display());
    let was_there = match fs::read_dir(target).map(|entries| entries.count()) {
        Ok(0) => true,
        Ok(_) => return Err(not_empty()),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(failed(target, &error)),
    };
    let mut builder = fs::DirBuilder::new();
    builder.mode(DIRECTORY_MODE);
    let made = builder.recursive(true).create(target);
    match made.and_then(|()| builder.recursive(false).create(target.join("base"))) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(not_empty()),
        made => made.map(|()| was_there).map_err(|error| failed(target, &error)),
    }
}

/// Removes what is in a directory, and the directory unless it was there.
fn empty(target: &Path, was_there: bool) -> std::io::Result<()> {
    if !was_there {
        return fs::remove_dir_all(target);
    }
    for entry in fs::read_dir(target)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn failed(target: &Path, error: &std::io::Error) -> SqlError {
    let message = format!("could not write to directory \"{}\": {error}", target.display());
    match error.kind() {
        ErrorKind::StorageFull => error!(DISK_FULL, "{message}"),
        _ => error!(IO_ERROR, "{message}"),
    }
}

impl OpenDatabase {
    fn copy_into(&self, target: &Path) -> Result<()> {
        let (file, _) = database::place(target, self.oid);
        self.store.copy_to(&file).map_err(storage_error)?;
        if self.oid == Oid::INVALID {
            return Ok(());
        }
        let copy = Sequences::new(file.with_extension("sequences.sqlite"));
        for sequence in self.catalog().relation::<catalog::Sequence>().rows() {
            let (value, is_called) = self.sequences.read_for_copy(&sequence)?;
            copy.set(&sequence, "", value, is_called)?;
        }
        copy.close()
    }
}
