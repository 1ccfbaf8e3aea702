//! What plans depend on besides the statement: the catalog, the user, `search_path`, the settings by which literals are
//! read. A session works it out once and keeps it until one of them changes. Environments of equal content have one
//! number in their database, by which plans are looked up, so that sessions share plans and nobody compares contents.

use std::sync::Arc;

use super::Session;
use crate::Oid;
use crate::catalog::Catalog;
use crate::catalog::privileges::Privileges;
use crate::oid::namespaces;
use crate::settings::id;
use crate::types::FormatSettings;

/// The content of an environment.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct EnvironmentKey {
    /// [`Catalog::version`].
    catalog: u64,
    user: Oid,
    search_path: Arc<[Oid]>,
    /// `DateStyle`, `TimeZone`, `IntervalStyle`.
    format: [String; 3],
}

/// See the head of this file.
pub(super) struct Environment {
    /// By which plans are looked up.
    pub(super) number: u64,
    /// The schemas of `search_path` that exist and may be used, `pg_catalog` first unless it is named.
    pub(super) search_path: Arc<[Oid]>,
    pub(super) user: Oid,
    /// What text forms depend on; its time is not set.
    format: FormatSettings,
    catalog: u64,
    /// [`crate::settings::SessionSettings::version`].
    settings: u64,
}

impl Environment {
    /// What text forms depend on in a transaction that has begun at this time (µs since 2000-01-01 UTC).
    pub(super) fn format(&self, transaction_time: i64) -> FormatSettings {
        FormatSettings { transaction_time, ..self.format.clone() }
    }
}

impl Session {
    /// The session's environment on a catalog.
    pub(super) fn environment(&mut self, catalog: &Catalog) -> Arc<Environment> {
        let user = self.shared.users.lock().1;
        let settings = self.shared.settings.lock();
        if let Some(known) = &self.environment
            && (known.catalog, known.user, known.settings) == (catalog.version(), user, settings.version())
        {
            return known.clone();
        }
        let search_path: Arc<[Oid]> = resolve_search_path(catalog, &settings.search_path(), user).into();
        let format = [id::DATE_STYLE, id::TIME_ZONE, id::INTERVAL_STYLE];
        let key = EnvironmentKey {
            catalog: catalog.version(),
            user,
            search_path: search_path.clone(),
            format: format.map(|setting| settings.text(setting).to_owned()),
        };
        let environment = Arc::new(Environment {
            number: self.database.plans.lock().environment(key),
            search_path,
            user,
            format: settings.format(0),
            catalog: catalog.version(),
            settings: settings.version(),
        });
        drop(settings);
        self.environment = Some(environment.clone());
        environment
    }

    /// Makes the session's next statements be planned anew.
    pub(super) fn forget_plans(&mut self) {
        self.database.plans.lock().clear();
        self.environment = None;
    }
}

fn resolve_search_path(catalog: &Catalog, names: &[String], user: Oid) -> Vec<Oid> {
    let mut path = Vec::new();
    for name in names {
        let own = || catalog.role(user).map(|role| role.rolname.clone());
        let name = if name == "$user" { own() } else { Some(name.clone()) };
        let Some(namespace) = name.and_then(|name| catalog.namespace_named(&name)) else { continue };
        let usable = catalog.has_namespace_privilege(user, namespace.oid, Privileges::USAGE);
        if matches!(usable, Ok(Some(true))) && !path.contains(&namespace.oid) {
            path.push(namespace.oid);
        }
    }
    if !path.contains(&namespaces::PG_CATALOG) {
        path.insert(0, namespaces::PG_CATALOG);
    }
    path
}
