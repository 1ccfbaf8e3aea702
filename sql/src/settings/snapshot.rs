//! All settings with their values for the whole server, at one moment. Sessions keep one and read it without a lock; a
//! reload or a newly loaded library makes another.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::definition::SettingDefinition;
use super::definitions::FILES;
use super::id::SettingId;
use super::value::SettingValue;
use crate::{Result, SqlError, error};

/// Where a value comes from, from weakest to strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
pub enum Source {
    Default,
    Environment,
    File,
    CommandLine,
    Database,
    User,
    DatabaseUser,
    Client,
    Override,
    Session,
}

impl Source {
    /// As `pg_settings.source` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Environment => "environment variable",
            Self::File => "configuration file",
            Self::CommandLine => "command line",
            Self::Database => "database",
            Self::User => "user",
            Self::DatabaseUser => "database user",
            Self::Client => "client",
            Self::Override => "override",
            Self::Session => "session",
        }
    }
}

/// A value, and where it comes from.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// The value.
    pub value: SettingValue,
    /// Its source.
    pub source: Source,
    /// The file and line, for the source `File`.
    pub place: Option<(Arc<str>, u32)>,
    /// Whether the file holds another value that needs a restart.
    pub pending_restart: bool,
}

/// The category of settings that libraries define.
const CUSTOMIZED: &str = "Customized Options";

/// All settings at one moment.
#[derive(Clone)]
pub struct Snapshot {
    pub(super) definitions: Vec<(SettingDefinition, &'static str)>,
    pub(super) names: HashMap<String, SettingId>,
    /// The setting whose value one without a value of its own has, by [`SettingDefinition::fallback`].
    fallbacks: Vec<Option<SettingId>>,
    /// The settings that clients are told about, by name.
    pub(super) reported: Vec<SettingId>,
    pub(super) values: Vec<Assigned>,
    /// Values given to names like `library.setting` that no library has defined yet.
    pub(super) placeholders: BTreeMap<String, Assigned>,
    pub(super) reserved: Vec<String>,
    /// Counts the snapshots.
    pub(super) generation: u64,
}

impl Default for Snapshot {
    fn default() -> Self {
        let mut snapshot = Self {
            definitions: Vec::new(),
            names: HashMap::new(),
            fallbacks: Vec::new(),
            reported: Vec::new(),
            values: Vec::new(),
            placeholders: BTreeMap::new(),
            reserved: Vec::new(),
            generation: 0,
        };
        for (category, settings) in FILES.iter().copied().flatten() {
            for definition in *settings {
                snapshot.add(*definition, category);
            }
        }
        snapshot.derive();
        snapshot
    }
}

impl Snapshot {
    fn add(&mut self, definition: SettingDefinition, category: &'static str) -> SettingId {
        let id = SettingId(self.definitions.len());
        self.names.insert(definition.name.to_ascii_lowercase(), id);
        self.values.push(Assigned {
            value: definition.boot_value(),
            source: Source::Default,
            place: None,
            pending_restart: false,
        });
        self.definitions.push((definition, category));
        id
    }

    /// Adds a library's setting, or gives the id it has.
    pub(super) fn add_customized(&mut self, definition: SettingDefinition) -> SettingId {
        match self.find(definition.name) {
            Some(id) => id,
            None => {
                let id = self.add(definition, CUSTOMIZED);
                self.derive();
                id
            }
        }
    }

    /// Derives what follows from the definitions.
    fn derive(&mut self) {
        self.fallbacks =
            self.definitions.iter().map(|(definition, _)| self.find(definition.fallback?)).collect();
        self.reported = self.sorted();
        let definitions = &self.definitions;
        self.reported.retain(|id| definitions[id.0].0.reported);
    }

    /// The setting whose value this one has as long as it has none of its own.
    pub(super) fn fallback(&self, id: SettingId) -> Option<SettingId> {
        self.fallbacks[id.0]
    }

    /// The setting of this name, in any case.
    pub fn find(&self, name: &str) -> Option<SettingId> {
        const OLD_NAMES: &[(&str, &str)] =
            &[("sort_mem", "work_mem"), ("vacuum_mem", "maintenance_work_mem")];
        let name = name.to_ascii_lowercase();
        let name = OLD_NAMES.iter().find(|(old, _)| *old == name).map_or(name.as_str(), |(_, new)| new);
        self.names.get(name).copied()
    }

    /// What a setting is.
    pub fn definition(&self, id: SettingId) -> &SettingDefinition {
        &self.definitions[id.0].0
    }

    /// The server-wide value.
    pub fn value(&self, id: SettingId) -> &SettingValue {
        &self.values[id.0].value
    }

    /// All settings, by name without regard to case.
    pub fn sorted(&self) -> Vec<SettingId> {
        let mut ids: Vec<SettingId> = (0..self.definitions.len()).map(SettingId).collect();
        ids.sort_by_key(|id| self.definition(*id).name.to_ascii_lowercase());
        ids
    }

    /// Whether a name that nobody has defined may be given a value: `prefix.name`, the prefix not reserved.
    ///
    /// # Errors
    /// `42704` for names without a dot, `42602` for malformed names and reserved prefixes.
    pub(super) fn check_placeholder(&self, name: &str) -> Result<()> {
        if !name.contains('.') {
            return Err(unrecognized(name));
        }
        let invalid = || error!(INVALID_NAME, "invalid configuration parameter name \"{name}\"");
        let part_is_name = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii())
        };
        if !name.split('.').all(part_is_name) {
            return Err(invalid()
                .detail("Custom parameter names must be two or more simple identifiers separated by dots."));
        }
        let prefix = name.split('.').next().unwrap_or(name);
        match self.reserved.iter().find(|reserved| reserved.eq_ignore_ascii_case(prefix)) {
            Some(reserved) => Err(invalid().detail(format!("\"{reserved}\" is a reserved prefix."))),
            None => Ok(()),
        }
    }
}

/// `42704`.
pub(super) fn unrecognized(name: &str) -> SqlError {
    error!(UNDEFINED_OBJECT, "unrecognized configuration parameter \"{name}\"")
}
