//! Libraries: what `shared_preload_libraries`, `bgw_library_name` and `CREATE FUNCTION … AS 'library', 'symbol'` name.
//! A library offers an init hook, worker entry points and SQL functions, each by symbol, and the files of its
//! extensions. Whoever embeds Postilion adds libraries of their own by implementing [`Library`].

use std::collections::BTreeMap;
use std::sync::Arc;

use sql::cluster::LibraryFunction;
use sql::settings::SettingDefinition;

use crate::slots::Slots;
use crate::{Registration, Worker};

/// A native library.
pub trait Library: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// Runs once when the library is loaded (`_PG_init`): defines settings and, while
    /// `shared_preload_libraries` is processed, registers static workers.
    fn init(&self, init: &mut Init<'_>);

    /// A new body for the worker entry point of this name.
    fn worker(&self, function: &str) -> Option<Box<dyn Worker>>;

    /// The SQL function of this symbol; `slots` is what it launches workers with.
    fn function(&self, symbol: &str, slots: &Arc<Slots>) -> Option<LibraryFunction> {
        let _ = (symbol, slots);
        None
    }

    /// Its extensions' control and SQL files: name and text.
    fn extension_files(&self) -> &[(&'static str, &'static str)] {
        &[]
    }
}

/// What an init hook can do.
pub struct Init<'a> {
    /// Whether the library is being preloaded: only then are static workers and postmaster-level settings accepted
    /// (`process_shared_preload_libraries_in_progress`).
    pub preloading: bool,
    /// Reads a setting's value as the configuration has it now.
    pub setting: &'a dyn Fn(&str) -> Option<String>,
    /// Defines a setting.
    pub define: &'a mut dyn FnMut(SettingDefinition),
    /// Registers a static worker.
    pub register: &'a mut dyn FnMut(Registration),
    /// Reserves a prefix of setting names, so that misspelt ones are refused.
    pub reserve_prefix: &'a mut dyn FnMut(&str),
}

/// All libraries that a server knows, by name.
#[derive(Clone, Default)]
pub struct Libraries {
    by_name: BTreeMap<String, Arc<dyn Library>>,
}

impl Libraries {
    /// The libraries that come with Postilion.
    pub fn built_in() -> Self {
        let mut libraries = Self::default();
        for library in crate::libraries::all() {
            libraries.add(library);
        }
        libraries
    }

    /// Adds a library; one of the same name is replaced.
    pub fn add(&mut self, library: Arc<dyn Library>) {
        self.by_name.insert(library.name().to_owned(), library);
    }

    /// The library of this name. A path prefix such as `$libdir/` and the ending `.so` do not count.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Library>> {
        let name = name.strip_prefix("$libdir/").unwrap_or(name);
        self.by_name.get(name.strip_suffix(".so").unwrap_or(name))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Library>> {
        self.by_name.values()
    }
}
