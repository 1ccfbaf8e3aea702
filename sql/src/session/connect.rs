//! Who may enter a database, and with which settings.
//!
//! Source: `src/backend/utils/init/postinit.c`, `src/backend/utils/init/miscinit.c`.

use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use super::named::Named;
use super::services::Services;
use super::{ConnectRequest, Session, SessionShared};
use crate::backend::BackendKind;
use crate::catalog::privileges::Privileges;
use crate::catalog::{Catalog, Database, Role, Setting};
use crate::cluster::{Cluster, fatal};
use crate::settings::{SessionSettings, SettingValue, Source, id};
use crate::{Oid, Result, clock, error};

/// What `client_port` is for clients of Unix sockets.
const UNIX_SOCKET_PORT: i32 = -1;

/// The role that a request without one has (`BOOTSTRAP_SUPERUSERID`).
const BOOTSTRAP_SUPERUSER: Oid = Oid(10);

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// FATAL `3D000`, `28000`, `55000`, `42501`, `57P03`, `53300` with PostgreSQL's texts.
    pub async fn connect(cluster: &Arc<Cluster>, request: ConnectRequest) -> Result<Self> {
        if !cluster.is_ready() {
            return Err(fatal(error!(CANNOT_CONNECT_NOW, "the database system is starting up")));
        }
        let catalog = cluster.shared_catalog();
        let role = find_role(&catalog, &request)?;
        let row = find_database(&catalog, &request, &role)?;
        let oid = row.as_ref().map_or(Oid::INVALID, |row| row.oid);
        // Seen in the database before it is opened, so that DROP DATABASE either finds the session or has removed the row.
        let secret = i32::from_ne_bytes(first_four(Uuid::new_v4().as_bytes()));
        let registration =
            cluster.backends.register(request.kind.clone(), secret, clock::now(), request.process);
        {
            registration.backend.enter_database(oid);
            let mut activity = registration.backend.activity.lock();
            activity.database = row.as_ref().map(|row| (row.oid, row.datname.clone()));
            activity.user = Some((role.oid, role.rolname.clone()));
            activity.client_address = request.client.map(|(address, _)| address);
            let local = (request.kind == BackendKind::Client).then_some(UNIX_SOCKET_PORT);
            activity.client_port = request.client.map(|(_, port)| i32::from(port)).or(local);
        }
        check_limits(cluster, row.as_deref(), &role)?;
        let database = cluster.database(oid)?;
        let settings = start_settings(cluster, &catalog, &role, oid, &request.settings)?;
        registration.backend.activity.lock().application_name =
            settings.text(id::APPLICATION_NAME).to_owned();
        let services =
            Arc::new(Services::new(cluster.clone(), registration.backend.clone(), database.clone()));
        let shared = Arc::new(SessionShared {
            cluster: cluster.clone(),
            backend: registration.backend.clone(),
            database: oid,
            users: Mutex::new((role.oid, role.oid)),
            settings: Mutex::new(settings),
            notices: Mutex::default(),
            functions: Mutex::default(),
            services: services.clone(),
        });
        let mut session = Self {
            transaction: None,
            portals: Named::default(),
            statements: Named::default(),
            shared,
            services,
            database,
            environment: None,
            scratch: Default::default(),
            deadline: None,
            transaction_deadline: None,
            statement_timeout_enabled: true,
            activity_reported: true,
            untold: super::visibility::Untold::default(),
            reads_untold: false,
            passed_over: 0,
            among_others: false,
            statement_time: clock::now(),
            registration,
        };
        session.report_idle();
        Ok(session)
    }
}

fn first_four(bytes: &[u8; 16]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

fn find_role(catalog: &Catalog, request: &ConnectRequest) -> Result<Arc<Role>> {
    let Some(name) = &request.user else {
        let missing = || {
            error!(INVALID_AUTHORIZATION_SPECIFICATION, "role with OID {BOOTSTRAP_SUPERUSER} does not exist")
        };
        return catalog.role(BOOTSTRAP_SUPERUSER).ok_or_else(|| fatal(missing()));
    };
    let missing = || error!(INVALID_AUTHORIZATION_SPECIFICATION, "role \"{name}\" does not exist");
    let role = catalog.role_named(name).ok_or_else(|| fatal(missing()))?;
    if !role.rolcanlogin && !request.bypass_login_check {
        let refused =
            error!(INVALID_AUTHORIZATION_SPECIFICATION, "role \"{name}\" is not permitted to log in");
        return Err(fatal(refused));
    }
    Ok(role)
}

fn find_database(catalog: &Catalog, request: &ConnectRequest, role: &Role) -> Result<Option<Arc<Database>>> {
    let Some(name) = &request.database else { return Ok(None) };
    let missing = || error!(INVALID_CATALOG_NAME, "database \"{name}\" does not exist");
    let row = catalog.database_named(name).ok_or_else(|| fatal(missing()))?;
    if request.bypass_allow_connections {
        return Ok(Some(row));
    }
    if !row.datallowconn {
        let closed = error!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "database \"{name}\" is not currently accepting connections"
        );
        return Err(fatal(closed));
    }
    if catalog.has_database_privilege(role.oid, row.oid, Privileges::CONNECT)? != Some(true) {
        let denied = error!(INSUFFICIENT_PRIVILEGE, "permission denied for database \"{name}\"")
            .detail("User does not have CONNECT privilege.");
        return Err(fatal(denied));
    }
    Ok(Some(row))
}

/// CONNECTION LIMIT of the database and of the role; superusers are above both. The session itself counts already.
fn check_limits(cluster: &Cluster, row: Option<&Database>, role: &Role) -> Result<()> {
    if role.rolsuper {
        return Ok(());
    }
    let count = |in_question: &dyn Fn(&crate::backend::Activity) -> bool| {
        let backends = cluster.backends.all();
        let count = backends.iter().filter(|backend| in_question(&backend.activity.lock())).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    if let Some(row) = row.filter(|row| row.datconnlimit >= 0) {
        let inside = count(&|activity| activity.database.as_ref().is_some_and(|(oid, _)| *oid == row.oid));
        if inside > row.datconnlimit {
            let message =
                error!(TOO_MANY_CONNECTIONS, "too many connections for database \"{}\"", row.datname);
            return Err(fatal(message));
        }
    }
    if role.rolconnlimit >= 0 {
        let own = count(&|activity| activity.user.as_ref().is_some_and(|(oid, _)| *oid == role.oid));
        if own > role.rolconnlimit {
            return Err(fatal(error!(
                TOO_MANY_CONNECTIONS,
                "too many connections for role \"{}\"", role.rolname
            )));
        }
    }
    Ok(())
}

/// The settings of a session: the server's, those of all, of the database, of the role, of both, the client's.
fn start_settings(
    cluster: &Cluster,
    catalog: &Catalog,
    role: &Role,
    database: Oid,
    requested: &[(String, String)],
) -> Result<SessionSettings> {
    let mut settings = SessionSettings::new(cluster.settings.clone());
    settings.set_superuser(role.rolsuper);
    settings.set_fact(id::SESSION_AUTHORIZATION, SettingValue::Text(role.rolname.as_str().into()));
    let none = Oid::INVALID;
    let kept = [
        ((none, none), Source::Database),
        ((database, none), Source::Database),
        ((none, role.oid), Source::User),
        ((database, role.oid), Source::DatabaseUser),
    ];
    for (identity, source) in kept {
        let Some(row) = catalog.get::<Setting>(identity) else { continue };
        for (name, value) in row.setconfig.iter().flatten().filter_map(|pair| pair.split_once('=')) {
            // One that is wrong must not lock anybody out.
            if let Err(error) = settings.set_at_start(name, value, source) {
                tracing::warn!(%error, "a stored setting was not applied");
            }
        }
    }
    for (name, value) in requested {
        settings.set_at_start(name, value, Source::Client).map_err(fatal)?;
    }
    settings.finish_start();
    Ok(settings)
}
