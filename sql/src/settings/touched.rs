//! What a session has set: for each setting that it has touched, its value, what RESET goes back to, and what the ends of
//! its transaction and savepoints go back to.
//!
//! A session touches few settings and reads many, at every message. So which ones it has touched is kept as bits: a
//! setting that it has not is read from the server's without a search.
//!
//! Source: `src/backend/utils/misc/guc.c` (`push_old_value`, `AtEOXact_GUC`).

use std::collections::BTreeMap;

use super::id::SettingId;
use super::session::SetScope;
use super::snapshot::Source;
use super::value::SettingValue;

/// Names a value: a defined setting, or a custom one that nobody has defined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Defined(SettingId),
    Custom(String),
}

/// What a session knows of one setting that it has touched.
#[derive(Clone, Default)]
pub(super) struct Touched {
    /// The present value; the reset value when `None`.
    pub(super) value: Option<(SettingValue, Source)>,
    /// What RESET goes back to, from role, database or startup packet; the server's when `None`.
    pub(super) reset: Option<(SettingValue, Source)>,
    /// Values to go back to, innermost level last.
    saved: Vec<Saved>,
}

/// What happened to a setting at a level.
#[derive(Clone)]
struct Saved {
    level: u32,
    state: SavedState,
    /// The value before the level.
    prior: Option<(SettingValue, Source)>,
    /// The value of SET, hidden by a later SET LOCAL.
    masked: Option<(SettingValue, Source)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SavedState {
    Set,
    Local,
    SetLocal,
}

/// The settings that a session has touched.
#[derive(Default)]
pub(super) struct TouchedSettings {
    settings: BTreeMap<Key, Touched>,
    /// Of the defined settings among them, by their ids.
    bits: Vec<u64>,
}

impl TouchedSettings {
    /// What is known of a defined setting.
    pub(super) fn defined(&self, id: SettingId) -> Option<&Touched> {
        let (word, bit) = place(id);
        let known = self.bits.get(word).is_some_and(|bits| bits & bit != 0);
        if known { self.settings.get(&Key::Defined(id)) } else { None }
    }

    /// What is known of a setting that nobody has defined.
    pub(super) fn custom(&self, name: String) -> Option<&Touched> {
        self.settings.get(&Key::Custom(name))
    }

    /// The setting's own entry, made if there is none.
    pub(super) fn entry(&mut self, key: Key) -> &mut Touched {
        if let Key::Defined(id) = key {
            let (word, bit) = place(id);
            if self.bits.len() <= word {
                self.bits.resize(word + 1, 0);
            }
            self.bits[word] |= bit;
        }
        self.settings.entry(key).or_default()
    }

    /// Takes out what is known of a setting that nobody had defined.
    pub(super) fn take_custom(&mut self, name: String) -> Option<Touched> {
        self.settings.remove(&Key::Custom(name))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.settings.keys()
    }

    /// Ends a level of all settings by `end`; whether one that `matters` may have changed.
    pub(super) fn end_level(
        &mut self,
        end: impl Fn(&mut Touched) -> bool,
        matters: impl Fn(&Key) -> bool,
    ) -> bool {
        // The usual case: nothing was set at any level.
        if self.settings.values().all(|touched| touched.saved.is_empty()) {
            return false;
        }
        let mut changed = false;
        for (key, touched) in &mut self.settings {
            changed |= end(touched) && matters(key);
        }
        let bits = &mut self.bits;
        self.settings.retain(|key, touched| {
            let empty = touched.value.is_none() && touched.reset.is_none() && touched.saved.is_empty();
            match key {
                Key::Defined(id) if empty => {
                    let (word, bit) = place(*id);
                    bits[word] &= !bit;
                    false
                }
                // A custom name once used stays known, as in PostgreSQL.
                _ => true,
            }
        });
        changed
    }
}

/// Where the bit of a setting is: in which word, and which.
fn place(id: SettingId) -> (usize, u64) {
    let bits = u64::BITS as usize;
    (id.0 / bits, 1 << (id.0 % bits))
}

impl Touched {
    /// Remembers the present value before it changes at this level.
    pub(super) fn save(&mut self, level: u32, scope: SetScope) {
        let present = self.value.clone();
        if let Some(saved) = self.saved.last_mut().filter(|saved| saved.level >= level) {
            match scope {
                SetScope::Session => {
                    saved.masked = None;
                    saved.state = SavedState::Set;
                }
                SetScope::Local if saved.state == SavedState::Set => {
                    saved.masked = present;
                    saved.state = SavedState::SetLocal;
                }
                SetScope::Local => {}
            }
            return;
        }
        let state = match scope {
            SetScope::Session => SavedState::Set,
            SetScope::Local => SavedState::Local,
        };
        self.saved.push(Saved { level, state, prior: present, masked: None });
    }

    /// Whether the value may have changed.
    pub(super) fn abort(&mut self, level: u32) -> bool {
        let Some(saved) = self.saved.pop_if(|saved| saved.level >= level) else { return false };
        self.value = saved.prior;
        true
    }

    /// Whether the value may have changed.
    pub(super) fn commit(&mut self, level: u32) -> bool {
        let Some(saved) = self.saved.pop_if(|saved| saved.level >= level) else { return false };
        if level == 1 {
            match saved.state {
                SavedState::Set => return false,
                SavedState::Local => self.value = saved.prior,
                SavedState::SetLocal => self.value = saved.masked,
            }
            return true;
        }
        let outer = level - 1;
        match self.saved.last_mut().filter(|below| below.level == outer) {
            None => self.saved.push(Saved { level: outer, ..saved }),
            Some(below) => below.merge(saved),
        }
        false
    }
}

impl Saved {
    /// Takes in what a savepoint inside this level did, when it is released.
    fn merge(&mut self, inner: Saved) {
        match inner.state {
            SavedState::Set => {
                self.masked = None;
                self.state = SavedState::Set;
            }
            SavedState::Local if self.state == SavedState::Set => {
                self.masked = inner.prior;
                self.state = SavedState::SetLocal;
            }
            SavedState::Local => {}
            SavedState::SetLocal => {
                self.masked = inner.masked;
                self.state = SavedState::SetLocal;
            }
        }
    }
}
