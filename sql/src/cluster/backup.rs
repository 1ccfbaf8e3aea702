//! A copy of a running cluster: a directory that a server can be started on.
//!
//! Each database is copied from one snapshot while others go on writing; the cluster's own file is copied first, so that
//! every database it names is there. Sequences are written as far as they have come, so the copy goes on from there, with
//! a gap if values were drawn meanwhile, and so do the numbers of transactions, whose counter is written last. Nobody else
//! changes shared rows while it lasts, so that no database is dropped or made between its row's copy and its own. Settings
//! and the client rules come along; the log and the lock file do not.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::{Cluster, DIRECTORY_MODE, OpenDatabase, Sequences, database, storage_error};
use crate::catalog::{self, Database};
use crate::{Oid, Result, error};

/// Files of a data directory that a server reads and no database holds.
const SETTINGS_FILES: [&str; 4] = ["PG_VERSION", "postilion.conf", "postilion.auto.conf", "pg_hba.conf"];

impl Cluster {
    /// Copies the cluster into a directory that is missing or empty; the names of the databases copied. It waits for the
    /// disk, and everything is on it when this returns.
    ///
    /// # Errors
    /// `58030`, `53100`; `58P02` when the directory is not empty.
    pub fn back_up(&self, target: &Path) -> Result<Vec<String>> {
        let made = fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(target.join("base"));
        let failed =
            |error| error!(IO_ERROR, "could not write to directory \"{}\": {error}", target.display());
        made.map_err(failed)?;
        if fs::read_dir(target).map_err(failed)?.count() > 1 {
            return Err(error!(DUPLICATE_FILE, "directory \"{}\" exists but is not empty", target.display()));
        }
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
