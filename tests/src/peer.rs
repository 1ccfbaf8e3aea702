//! The server that a proof runs against: our own, started for it, or any that `PROOF_SERVER` names by a connection string
//! (`host=/run/postgresql user=postgres dbname=postgres`). A proof that PostgreSQL itself does not pass proves nothing,
//! so every one of them can be pointed at a real PostgreSQL.

use tokio_postgres::{Client, Config, NoTls};

use crate::Server;

/// The environment variable that names another server.
pub const SERVER_VARIABLE: &str = "PROOF_SERVER";

/// A server to run proofs against.
pub struct Peer {
    config: Config,
    /// Our own server; it ends with this value.
    server: Option<Server>,
}

impl Peer {
    /// The server that the environment names, or one of ours.
    ///
    /// # Panics
    /// When the connection string is none, or ours does not start.
    pub fn from_environment() -> Self {
        match std::env::var(SERVER_VARIABLE) {
            Ok(text) => {
                Self { config: text.parse().expect("PROOF_SERVER is a connection string"), server: None }
            }
            Err(_) => Self::of(Server::builder().set("max_connections", "200").start()),
        }
    }

    /// One of our servers.
    pub fn of(server: Server) -> Self {
        Self { config: Self::at(server.port()).config, server: Some(server) }
    }

    /// A server of ours that goes on without this value.
    pub fn at(port: u16) -> Self {
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).user("postgres").dbname("postgres");
        Self { config, server: None }
    }

    /// Whether it is ours.
    pub fn is_ours(&self) -> bool {
        self.server.is_some()
    }

    /// What our server has logged; nothing of another.
    pub fn log(&self) -> String {
        self.server.as_ref().map_or_else(String::new, Server::log)
    }

    /// A new connection under this application name.
    ///
    /// # Panics
    /// When the server does not accept it.
    pub async fn connect(&self, name: &str) -> Client {
        let mut config = self.config.clone();
        let (client, connection) = match config.application_name(name).connect(NoTls).await {
            Ok(connected) => connected,
            Err(error) => panic!("{name} cannot connect: {error}\nserver log:\n{}", self.log()),
        };
        tokio::spawn(connection);
        client
    }
}
