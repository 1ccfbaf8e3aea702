//! Listening sockets: TCP for `listen_addresses`, a Unix socket in each of `unix_socket_directories`.
//!
//! Source: `src/backend/libpq/pqcomm.c` (`StreamServerPort`).

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use sql::settings::{ServerSettings, SettingId, id, split_identifiers};
use sql::{Report, Result, Severity, SqlState, error};
use tokio::net::{TcpListener, UnixListener};

use crate::log::Logger;
use crate::reactor::{Arrival, Reactors};
use crate::server::Shared;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;
/// The pause after a failed accept (no descriptors left, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listening sockets. Dropping it removes the Unix sockets' files.
pub(crate) struct Listeners {
    tcp: Vec<TcpListener>,
    unix: Vec<UnixListener>,
    files: Vec<PathBuf>,
}

impl Listeners {
    /// Opens all sockets; what fails is logged, and at least one must succeed.
    ///
    /// # Errors
    /// FATAL `55000` when the server could not be reached at all.
    pub(crate) fn open(settings: &ServerSettings, log: &Logger) -> Result<Self> {
        let mut listeners = Self { tcp: Vec::new(), unix: Vec::new(), files: Vec::new() };
        let port = u16::try_from(settings.integer(id::PORT)).expect("the setting's bounds are a port's");
        let names = split_identifiers(&settings.text(id::LISTEN_ADDRESSES)).unwrap_or_default();
        for name in &names {
            listeners.open_tcp(name, port, log);
        }
        if !names.is_empty() && listeners.tcp.is_empty() {
            return Err(error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "could not create any TCP/IP sockets")
                .hint(format!("Stop the server that has port {port}, or choose another with -p."))
                .severity(Severity::Fatal));
        }
        let directories = list(settings, id::UNIX_SOCKET_DIRECTORIES);
        for directory in &directories {
            listeners.open_unix(Path::new(directory), port, settings, log);
        }
        if listeners.tcp.is_empty() && listeners.unix.is_empty() {
            return Err(error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "no socket created for listening")
                .hint("Set listen_addresses or unix_socket_directories.")
                .severity(Severity::Fatal));
        }
        Ok(listeners)
    }

    fn open_tcp(&mut self, name: &str, port: u16, log: &Logger) {
        let addresses: Vec<SocketAddr> = match name {
            "*" => vec![
                SocketAddr::new(IpAddr::from([0; 4]), port),
                SocketAddr::new(IpAddr::from([0_u16; 8]), port),
            ],
            name => match (name, port).to_socket_addrs() {
                Ok(addresses) => addresses.collect(),
                Err(error) => {
                    warn(
                        log,
                        format!("could not translate host name \"{name}\", service \"{port}\": {error}"),
                        None,
                    );
                    return;
                }
            },
        };
        for address in addresses {
            let kind = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            match bind_tcp(address) {
                Ok(listener) => {
                    log.log(format!("listening on {kind} address \"{}\", port {port}", address.ip()));
                    self.tcp.push(listener);
                }
                // A machine without IPv6 is no reason to complain.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && address.is_ipv6() => {}
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => {
                }
                Err(error) => {
                    let taken = error.kind() == io::ErrorKind::AddrInUse;
                    let hint = taken.then(|| {
                        format!(
                            "Is another postmaster already running on port {port}? \
                             If not, wait a few seconds and retry."
                        )
                    });
                    let text = os_text(&error);
                    warn(log, format!("could not bind {kind} address \"{}\": {text}", address.ip()), hint);
                }
            }
        }
    }

    fn open_unix(&mut self, directory: &Path, port: u16, settings: &ServerSettings, log: &Logger) {
        let path = directory.join(format!(".s.PGSQL.{port}"));
        let shown = path.display();
        match bind_unix(&path, settings) {
            Ok(listener) => {
                log.log(format!("listening on Unix socket \"{shown}\""));
                self.unix.push(listener);
                self.files.push(path);
            }
            Err(error) => {
                let taken = error.kind() == io::ErrorKind::AddrInUse;
                let hint = taken.then(|| {
                    format!(
                        "Is another postmaster already running on port {port}? \
                         If not, remove socket file \"{shown}\" and retry."
                    )
                });
                warn(log, format!("could not bind Unix address \"{shown}\": {}", os_text(&error)), hint);
            }
        }
    }

    /// Accepts connections for ever and gives them to reactors.
    pub(crate) async fn accept(&self, reactors: &Reactors, log: &Logger) {
        let tcp = self.tcp.iter().map(|listener| async move {
            loop {
                match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => reactors.assign(Arrival::Tcp(stream)),
                    Err(error) => accept_failed(&error, log).await,
                }
            }
        });
        let unix = self.unix.iter().map(|listener| async move {
            loop {
                match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => reactors.assign(Arrival::Unix(stream)),
                    Err(error) => accept_failed(&error, log).await,
                }
            }
        });
        let (tcp, unix): (Vec<_>, Vec<_>) = (tcp.collect(), unix.collect());
        let _: (Vec<()>, Vec<()>) =
            futures::future::join(futures::future::join_all(tcp), futures::future::join_all(unix)).await;
    }

    /// The addresses, for `postmaster.pid`: the first Unix socket directory and the first TCP address.
    pub(crate) fn first(&self) -> (String, String) {
        let directory = self.files.first().and_then(|path| path.parent());
        let address = self.tcp.first().and_then(|listener| listener.local_addr().ok());
        (
            directory.map(|directory| directory.display().to_string()).unwrap_or_default(),
            address.map(|address| address.ip().to_string()).unwrap_or_default(),
        )
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Binds a Unix socket. A file that a dead server has left, which nobody answers at, is removed first.
fn bind_unix(path: &Path, settings: &ServerSettings) -> io::Result<UnixListener> {
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let mode = u32::try_from(settings.integer(id::UNIX_SOCKET_PERMISSIONS)).unwrap_or(0o700);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    let group = settings.text(id::UNIX_SOCKET_GROUP);
    if !group.is_empty() {
        let number = group_number(&group).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("group \"{group}\" does not exist"))
        })?;
        std::os::unix::fs::chown(path, None, Some(number))?;
    }
    Ok(listener)
}

fn group_number(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

/// Sets a client socket's options. Failures cost speed or an early notice of a dead client, nothing else.
pub(crate) fn tune(stream: &std::net::TcpStream, shared: &Shared) {
    let setting = |id: SettingId| u32::try_from(shared.settings.integer(id)).ok().filter(|value| *value > 0);
    let seconds = |id: SettingId| setting(id).map(|value| Duration::from_secs(value.into()));
    let mut keepalive = TcpKeepalive::new();
    if let Some(idle) = seconds(id::TCP_KEEPALIVES_IDLE) {
        keepalive = keepalive.with_time(idle);
    }
    if let Some(interval) = seconds(id::TCP_KEEPALIVES_INTERVAL) {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(count) = setting(id::TCP_KEEPALIVES_COUNT) {
        keepalive = keepalive.with_retries(count);
    }
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&keepalive);
}

async fn accept_failed(error: &io::Error, log: &Logger) {
    log.log(format!("could not accept new connection: {}", os_text(error)));
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn warn(log: &Logger, message: String, hint: Option<String>) {
    let mut report = Report::new(Severity::Log, SqlState::SUCCESSFUL_COMPLETION, message);
    report.hint = hint;
    log.server(&report);
}

/// A comma-separated list of directories. Unlike identifiers they keep their case.
fn list(settings: &ServerSettings, id: SettingId) -> Vec<String> {
    let text = settings.text(id);
    text.split(',')
        .map(|part| part.trim().trim_matches('"').to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// An operating system error without Rust's `(os error 2)`.
pub(crate) fn os_text(error: &io::Error) -> String {
    let text = match error.kind() {
        io::ErrorKind::AddrInUse => "Address already in use".to_owned(),
        _ => error.to_string(),
    };
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
