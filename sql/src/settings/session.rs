//! The settings of one session: its own values over the server's.
//!
//! A value set in a transaction goes away when the transaction is rolled back, one set by SET LOCAL at its end; and the
//! same for savepoints. So each setting that was touched keeps a stack: one entry for each level at which it was set,
//! with the value to go back to. Level 0 is outside any transaction, 1 the transaction, more its savepoints.
//!
//! Source: `src/backend/utils/misc/guc.c` (`push_old_value`, `AtEOXact_GUC`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::checks;
use super::definition::{Context, Kind, ListForm, SettingDefinition};
use super::id::{self, SettingId};
use super::server::{ServerSettings, needs_restart};
use super::snapshot::{Assigned, Snapshot, Source, unrecognized};
use super::touched::{Key, Touched, TouchedSettings};
use super::value::SettingValue;
use crate::types::{FormatSettings, IntervalStyle};
use crate::{Result, error};

/// How long a SET holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetScope {
    /// To the end of the session, if the transaction commits.
    Session,
    /// To the end of the transaction (SET LOCAL).
    Local,
}

/// A row of `pg_settings`, all as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the view's columns")]
pub struct SettingRow {
    pub name: String,
    pub setting: String,
    pub unit: Option<String>,
    pub category: String,
    pub short_desc: String,
    pub extra_desc: Option<String>,
    pub context: String,
    pub vartype: String,
    pub source: String,
    pub min_val: Option<String>,
    pub max_val: Option<String>,
    pub enumvals: Option<Vec<String>>,
    pub boot_val: Option<String>,
    pub reset_val: Option<String>,
    pub sourcefile: Option<String>,
    pub sourceline: Option<i32>,
    pub pending_restart: bool,
}

/// The settings of one session.
pub struct SessionSettings {
    server: Arc<ServerSettings>,
    snapshot: Arc<Snapshot>,
    touched: TouchedSettings,
    level: u32,
    /// Whether the session's user is a superuser, for settings that only those change.
    superuser: bool,
    /// Whether the session has started: settings of context `backend` are then fixed.
    started: bool,
    /// Whether a reported setting may have changed since [`Self::take_reported_changes`].
    dirty: bool,
    /// Counts the changes, but those of a transaction's properties: see [`Self::version`].
    version: u64,
    told: BTreeMap<SettingId, String>,
}

impl SessionSettings {
    /// The settings of a session that starts.
    pub fn new(server: Arc<ServerSettings>) -> Self {
        let snapshot = server.snapshot();
        Self {
            server,
            snapshot,
            touched: TouchedSettings::default(),
            level: 0,
            superuser: false,
            started: false,
            dirty: true,
            version: 0,
            told: BTreeMap::new(),
        }
    }

    /// The server's settings.
    pub fn server(&self) -> &Arc<ServerSettings> {
        &self.server
    }

    /// Tells whether the user may change settings of superusers; also the value of `is_superuser`.
    pub fn set_superuser(&mut self, superuser: bool) {
        self.superuser = superuser;
        self.set_fact(id::IS_SUPERUSER, SettingValue::Boolean(superuser));
    }

    /// The session has started: settings of context `backend` are fixed from now on.
    pub fn finish_start(&mut self) {
        self.started = true;
    }

    /// Takes over the server's present settings, after a reload.
    pub fn refresh(&mut self) {
        self.snapshot = self.server.snapshot();
        self.changed();
    }

    /// Another number after each change of any setting but the properties of a transaction, which come and go with it:
    /// for what is derived from settings and kept.
    pub fn version(&self) -> u64 {
        self.version
    }

    fn changed(&mut self) {
        self.dirty = true;
        self.version += 1;
    }

    fn key_changed(&mut self, key: &Key) {
        if !is_transaction_property(key) {
            self.changed();
        }
    }

    // Reading.

    /// The value of a setting.
    pub fn value(&self, id: SettingId) -> &SettingValue {
        if let Some(touched) = self.touched.defined(id) {
            if let Some((value, _)) = &touched.value {
                return value;
            }
            if let Some((value, _)) = &touched.reset {
                return value;
            }
        }
        match self.snapshot.fallback(id) {
            Some(fallback) => self.value(fallback),
            None => self.snapshot.value(id),
        }
    }

    /// The value of a boolean setting.
    pub fn boolean(&self, id: SettingId) -> bool {
        matches!(self.value(id), SettingValue::Boolean(true))
    }

    /// The value of an integer setting, in its unit.
    ///
    /// # Panics
    /// When the setting is none.
    pub fn integer(&self, id: SettingId) -> i32 {
        match self.value(id) {
            SettingValue::Integer(value) => *value,
            other => unreachable!("an integer setting holds {other:?}"),
        }
    }

    /// The value of a floating-point setting.
    ///
    /// # Panics
    /// When the setting is none.
    pub fn real(&self, id: SettingId) -> f64 {
        match self.value(id) {
            SettingValue::Real(value) => *value,
            other => unreachable!("a real setting holds {other:?}"),
        }
    }

    /// The value of a text or enum setting.
    pub fn text(&self, id: SettingId) -> &str {
        self.value(id).as_text()
    }

    /// A value as SHOW gives it, with the setting's own spelling of its name.
    ///
    /// # Errors
    /// `42704`; `42501` for settings that only superusers see.
    pub fn show(&self, name: &str) -> Result<(String, String)> {
        match self.find(name)? {
            Key::Defined(id) => {
                let definition = self.snapshot.definition(id);
                if definition.superuser_only && !self.superuser {
                    return Err(error!(
                        INSUFFICIENT_PRIVILEGE,
                        "must be superuser or have privileges of pg_read_all_settings to examine \"{}\"",
                        definition.name
                    ));
                }
                Ok((definition.name.into(), definition.show(self.value(id))))
            }
            Key::Custom(key) => {
                let own = self.touched.custom(key.clone());
                let own = own.and_then(|touched| touched.value.as_ref().or(touched.reset.as_ref()));
                let value = own
                    .map(|(value, _)| value)
                    .or_else(|| Some(&self.snapshot.placeholders.get(&key)?.value));
                Ok((name.into(), value.map(|value| value.as_text().to_owned()).unwrap_or_default()))
            }
        }
    }

    /// What SHOW ALL gives: name, value, description, by name.
    pub fn show_all(&self) -> Vec<(String, String, String)> {
        self.visible()
            .map(|id| {
                let definition = self.snapshot.definition(id);
                (definition.name.into(), definition.show(self.value(id)), definition.description.into())
            })
            .collect()
    }

    /// The rows of `pg_settings`.
    pub fn rows(&self) -> Vec<SettingRow> {
        self.visible().map(|id| self.row(id)).collect()
    }

    fn visible(&self) -> impl Iterator<Item = SettingId> {
        self.snapshot.sorted().into_iter().filter(|id| {
            let definition = self.snapshot.definition(*id);
            !definition.hidden && (!definition.superuser_only || self.superuser)
        })
    }

    fn row(&self, id: SettingId) -> SettingRow {
        let definition = self.snapshot.definition(id);
        let server = &self.snapshot.values[id.0];
        let touched = self.touched.defined(id);
        let own = touched.and_then(|touched| touched.value.as_ref().or(touched.reset.as_ref()));
        let source = own.map_or(server.source, |(_, source)| *source);
        let reset =
            touched.and_then(|touched| touched.reset.as_ref()).map_or(&server.value, |(value, _)| value);
        let place = server.place.as_ref().filter(|_| source == Source::File && self.superuser);
        let (min, max, options) = bounds(definition);
        SettingRow {
            name: definition.name.into(),
            setting: definition.plain(self.value(id)),
            unit: definition.unit.map(|unit| unit.as_str().into()),
            category: self.snapshot.definitions[id.0].1.into(),
            short_desc: definition.description.into(),
            extra_desc: definition.extra.or(definition.no_effect).map(Into::into),
            context: definition.context.as_str().into(),
            vartype: definition.kind.as_str().into(),
            source: source.as_str().into(),
            min_val: min,
            max_val: max,
            enumvals: options,
            boot_val: Some(definition.plain(&definition.boot_value())),
            reset_val: Some(definition.plain(reset)),
            sourcefile: place.map(|(file, _)| file.to_string()),
            sourceline: place.and_then(|(_, line)| i32::try_from(*line).ok()),
            pending_restart: server.pending_restart,
        }
    }

    /// What reading and writing values depends on. `transaction_time` is in µs since 2000-01-01 UTC.
    pub fn format(&self, transaction_time: i64) -> FormatSettings {
        let (date_style, date_order) = checks::read_date_style(self.text(id::DATE_STYLE));
        FormatSettings {
            time_zone: checks::find_time_zone(self.text(id::TIME_ZONE)).unwrap_or(jiff::tz::TimeZone::UTC),
            date_style,
            date_order,
            interval_style: match self.text(id::INTERVAL_STYLE) {
                "postgres_verbose" => IntervalStyle::PostgresVerbose,
                "sql_standard" => IntervalStyle::SqlStandard,
                "iso_8601" => IntervalStyle::Iso8601,
                _ => IntervalStyle::Postgres,
            },
            extra_float_digits: self.integer(id::EXTRA_FLOAT_DIGITS),
            bytea_escape: self.text(id::BYTEA_OUTPUT) == "escape",
            transaction_time,
        }
    }

    /// The names in `search_path`, in order, as written there (`$user` included).
    pub fn search_path(&self) -> Vec<String> {
        checks::split_identifiers(self.text(id::SEARCH_PATH)).unwrap_or_default()
    }

    /// The settings that clients are told about, with their values.
    pub fn reported(&self) -> Vec<(&'static str, String)> {
        self.reported_ids().map(|(_, name, value)| (name, value)).collect()
    }

    /// Those whose values differ from what the last call gave. All of them at first.
    pub fn take_reported_changes(&mut self) -> Vec<(&'static str, String)> {
        if !std::mem::take(&mut self.dirty) {
            return Vec::new();
        }
        let now: Vec<_> = self.reported_ids().collect();
        let mut changes = Vec::new();
        for (id, name, value) in now {
            if self.told.get(&id) != Some(&value) {
                self.told.insert(id, value.clone());
                changes.push((name, value));
            }
        }
        changes
    }

    fn reported_ids(&self) -> impl Iterator<Item = (SettingId, &'static str, String)> {
        self.snapshot.reported.iter().map(|id| {
            let definition = self.snapshot.definition(*id);
            (*id, definition.name, definition.show(self.value(*id)))
        })
    }

    // Changing.

    /// SET. `None` is DEFAULT.
    ///
    /// # Errors
    /// `42704`, `42602`, `22023`, `0A000`, `42501`, `55P02`.
    pub fn set(&mut self, name: &str, value: Option<&str>, scope: SetScope) -> Result<()> {
        let Some(text) = value else { return self.reset_in(name, scope) };
        let (key, value) = self.checked(name, text)?;
        self.store(key, Some((value, Source::Session)), scope);
        Ok(())
    }

    /// The text that SET stores for these arguments: one, or a list for settings that take one.
    ///
    /// # Errors
    /// `22023` for more arguments than the setting takes.
    pub fn join_arguments(&self, name: &str, arguments: &[String]) -> Result<String> {
        let form = match self.snapshot.find(name) {
            Some(id) => self.snapshot.definition(id).list,
            None => ListForm::Single,
        };
        match (form, arguments) {
            (ListForm::Quoted, _) => {
                Ok(arguments.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", "))
            }
            (_, [one]) => Ok(one.clone()),
            (ListForm::Plain, _) => Ok(arguments.join(", ")),
            (ListForm::Single, _) => {
                Err(error!(INVALID_PARAMETER_VALUE, "SET {name} takes only one argument"))
            }
        }
    }

    /// A value from a role's or database's settings or from the startup packet: RESET goes back to it.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_at_start(&mut self, name: &str, text: &str, source: Source) -> Result<()> {
        let (key, value) = self.checked(name, text)?;
        let touched = self.touched.entry(key);
        if touched.reset.as_ref().is_none_or(|(_, present)| *present <= source) {
            touched.reset = Some((value, source));
        }
        self.changed();
        Ok(())
    }

    /// Sets what the session itself knows (`is_superuser`, `session_authorization`), whatever the setting's context.
    pub fn set_fact(&mut self, id: SettingId, value: SettingValue) {
        self.touched.entry(Key::Defined(id)).reset = Some((value, Source::Override));
        self.changed();
    }

    /// Sets a transaction's property (`transaction_isolation`, …) until its end; the caller has checked that it may.
    pub fn set_for_transaction(&mut self, id: SettingId, value: SettingValue) {
        self.store(Key::Defined(id), Some((value, Source::Session)), SetScope::Local);
    }

    /// RESET.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn reset(&mut self, name: &str) -> Result<()> {
        self.reset_in(name, SetScope::Session)
    }

    fn reset_in(&mut self, name: &str, scope: SetScope) -> Result<()> {
        let key = match self.find(name) {
            Ok(key) => key,
            Err(missing) => {
                self.snapshot.check_placeholder(name)?;
                // SET a.b TO DEFAULT makes the placeholder, RESET of one that is unknown fails.
                return if scope == SetScope::Local { Ok(()) } else { Err(missing) };
            }
        };
        if let Key::Defined(id) = key {
            self.check_context(self.snapshot.definition(id))?;
        }
        self.store(key, None, scope);
        Ok(())
    }

    /// RESET ALL: what the user may set and has set, but the transaction's properties.
    pub fn reset_all(&mut self) {
        let keys: Vec<Key> = self.touched.keys().cloned().collect();
        for key in keys {
            let resettable = match &key {
                Key::Custom(_) => true,
                Key::Defined(id) => {
                    let definition = self.snapshot.definition(*id);
                    definition.context >= Context::Superuser
                        && definition.fallback.is_none()
                        && !definition.hidden
                }
            };
            if resettable {
                self.store(key, None, SetScope::Session);
            }
        }
    }

    fn find(&self, name: &str) -> Result<Key> {
        if let Some(id) = self.snapshot.find(name) {
            return Ok(Key::Defined(id));
        }
        let key = name.to_ascii_lowercase();
        if self.touched.custom(key.clone()).is_some() || self.snapshot.placeholders.contains_key(&key) {
            return Ok(Key::Custom(key));
        }
        Err(unrecognized(name))
    }

    /// Finds the setting and checks value and right to set it.
    fn checked(&mut self, name: &str, text: &str) -> Result<(Key, SettingValue)> {
        if self.server.generation() != self.snapshot.generation && self.snapshot.find(name).is_none() {
            self.adopt_new_definitions();
        }
        match self.snapshot.find(name) {
            Some(id) => {
                let definition = *self.snapshot.definition(id);
                self.check_context(&definition)?;
                let value = definition.parse(text, self.value(id))?;
                Ok((Key::Defined(id), value))
            }
            None => {
                self.snapshot.check_placeholder(name)?;
                Ok((Key::Custom(name.to_ascii_lowercase()), SettingValue::Text(text.into())))
            }
        }
    }

    /// A library has been loaded since: values given to its settings before become theirs if they fit.
    pub fn adopt_new_definitions(&mut self) {
        self.refresh();
        let customs: Vec<String> = self
            .touched
            .keys()
            .filter_map(|key| match key {
                Key::Custom(name) => Some(name.clone()),
                Key::Defined(_) => None,
            })
            .collect();
        for name in customs {
            let Some(id) = self.snapshot.find(&name) else { continue };
            let Some(custom) = self.touched.take_custom(name) else { continue };
            let definition = *self.snapshot.definition(id);
            let text = custom.value.or(custom.reset).map(|(value, _)| value.as_text().to_owned());
            if let Some(Ok(value)) = text.map(|text| definition.parse(&text, self.snapshot.value(id))) {
                let touched = self.touched.entry(Key::Defined(id));
                touched.value = Some((value, Source::Session));
            }
        }
    }

    fn check_context(&self, definition: &SettingDefinition) -> Result<()> {
        let name = definition.name;
        let denied = || error!(INSUFFICIENT_PRIVILEGE, "permission denied to set parameter \"{name}\"");
        match definition.context {
            Context::Internal => {
                Err(error!(CANT_CHANGE_RUNTIME_PARAM, "parameter \"{name}\" cannot be changed"))
            }
            Context::Postmaster => Err(needs_restart(name)),
            Context::Sighup => {
                Err(error!(CANT_CHANGE_RUNTIME_PARAM, "parameter \"{name}\" cannot be changed now"))
            }
            Context::SuperuserBackend | Context::Backend if self.started => Err(error!(
                CANT_CHANGE_RUNTIME_PARAM,
                "parameter \"{name}\" cannot be set after connection start"
            )),
            Context::SuperuserBackend | Context::Superuser if !self.superuser => Err(denied()),
            _ => Ok(()),
        }
    }

    fn store(&mut self, key: Key, value: Option<(SettingValue, Source)>, scope: SetScope) {
        let level = self.level;
        if level == 0 && scope == SetScope::Local {
            return;
        }
        self.key_changed(&key);
        let touched = self.touched.entry(key);
        if level > 0 {
            touched.save(level, scope);
        }
        touched.value = value;
    }

    // Transactions.

    /// A transaction, explicit or implicit, or a savepoint begins.
    pub fn begin_level(&mut self) {
        self.level += 1;
    }

    /// The innermost level ends well: what SET did holds, what SET LOCAL did is undone at the end of the transaction.
    pub fn commit_level(&mut self) {
        self.end_level(Touched::commit);
    }

    /// The innermost level is undone.
    pub fn abort_level(&mut self) {
        self.end_level(Touched::abort);
    }

    /// The transaction and all its savepoints end well.
    pub fn commit(&mut self) {
        while self.level > 0 {
            self.commit_level();
        }
    }

    /// The transaction and all its savepoints are undone.
    pub fn rollback(&mut self) {
        while self.level > 0 {
            self.abort_level();
        }
    }

    /// How many levels are open.
    pub fn level(&self) -> u32 {
        self.level
    }

    fn end_level(&mut self, end: impl Fn(&mut Touched, u32) -> bool) {
        let level = self.level;
        self.level = level.saturating_sub(1);
        let matters = |key: &Key| !is_transaction_property(key);
        if self.touched.end_level(|touched| end(touched, level), matters) {
            self.changed();
        }
    }
}

/// Whether a setting is a property of the transaction: given anew by each BEGIN, told to nobody, read by nothing that
/// is kept.
fn is_transaction_property(key: &Key) -> bool {
    matches!(
        key,
        Key::Defined(id::TRANSACTION_ISOLATION | id::TRANSACTION_READ_ONLY | id::TRANSACTION_DEFERRABLE)
    )
}

/// The columns of `pg_settings` that come from the type.
fn bounds(definition: &SettingDefinition) -> (Option<String>, Option<String>, Option<Vec<String>>) {
    match definition.kind {
        Kind::Integer { min, max, .. } => (Some(min.to_string()), Some(max.to_string()), None),
        Kind::Real { min, max, .. } => {
            let show = |bound| definition.plain(&SettingValue::Real(bound));
            (Some(show(min)), Some(show(max)), None)
        }
        Kind::Enum { options, .. } => {
            (None, None, Some(options.iter().map(|option| (*option).into()).collect()))
        }
        Kind::Boolean { .. } | Kind::String { .. } => (None, None, None),
    }
}

/// A name as a list holds it: quoted unless it is plain lower case.
fn quote_identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A reading of one server-wide value, for code outside sessions.
impl ServerSettings {
    /// The server-wide value of a boolean setting.
    pub fn boolean(&self, id: SettingId) -> bool {
        matches!(self.snapshot().value(id), SettingValue::Boolean(true))
    }

    /// The server-wide value of an integer setting, in its unit.
    pub fn integer(&self, id: SettingId) -> i32 {
        match self.snapshot().value(id) {
            SettingValue::Integer(value) => *value,
            other => unreachable!("an integer setting holds {other:?}"),
        }
    }

    /// The server-wide value of a text or enum setting.
    pub fn text(&self, id: SettingId) -> String {
        self.snapshot().value(id).as_text().to_owned()
    }

    /// The server-wide assignment of a setting: value, source, place.
    pub fn assigned(&self, id: SettingId) -> Assigned {
        self.snapshot().values[id.0].clone()
    }
}
