//! The command line: PostgreSQL's options. Whatever names a setting ends up in the settings table; nothing is kept twice.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{ArgAction, Parser};
use sql::settings::{ServerSettings, SettingValue};

use crate::directory::DEFAULT_DIRECTORY;

/// A small database server that speaks PostgreSQL's protocol over SQLite and hosts background workers.
///
/// Other commands: `postilion backup --help`, `postilion check --help`.
#[derive(Debug, Parser)]
#[command(name = "postilion", version, disable_help_flag = true)]
pub struct Arguments {
    /// Data directory; made when it is missing.
    #[arg(short = 'D', value_name = "DIRECTORY", env = "PGDATA", default_value = DEFAULT_DIRECTORY)]
    pub directory: PathBuf,
    /// Port to listen on.
    #[arg(short = 'p', value_name = "PORT", env = "PGPORT")]
    port: Option<String>,
    /// Host name or addresses to listen on.
    #[arg(short = 'h', value_name = "HOST")]
    host: Option<String>,
    /// Directory of the Unix socket.
    #[arg(short = 'k', value_name = "DIRECTORY")]
    socket_directory: Option<String>,
    /// Most connections.
    #[arg(short = 'N', value_name = "COUNT")]
    connections: Option<String>,
    /// Debugging level, 1 to 5.
    #[arg(short = 'd', value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=5))]
    debug: Option<u8>,
    /// Sets a setting; also as --name=value.
    #[arg(short = 'c', value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Prints the value of a setting, then exits.
    #[arg(short = 'C', value_name = "NAME")]
    pub show: Option<String>,
    /// Prints all settings with their meaning, then exits.
    #[arg(long)]
    pub describe_config: bool,
    /// Follows the conventions of the official postgres image: environment, start-up scripts, all interfaces.
    #[arg(long)]
    pub container: bool,
    /// Tells by its exit code whether the server on this port takes connections, as pg_isready does.
    #[arg(long)]
    pub is_ready: bool,
    /// Prints this help.
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

impl Arguments {
    /// Reads the command line. `--name=value` of any setting counts as `-c name=value`.
    pub fn read(arguments: impl Iterator<Item = String>) -> Self {
        Self::parse_from(spell_settings(arguments))
    }

    /// The settings that the options name, in order.
    ///
    /// # Errors
    /// A sentence when `-c` has no value.
    pub fn settings(&self) -> Result<Vec<(String, String)>, String> {
        let mut settings = Vec::new();
        let named = [
            ("port", self.port.clone()),
            ("listen_addresses", self.host.clone()),
            ("unix_socket_directories", self.socket_directory.clone()),
            ("max_connections", self.connections.clone()),
            ("log_min_messages", self.debug.filter(|level| *level > 0).map(|level| format!("debug{level}"))),
        ];
        settings.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        for setting in &self.settings {
            match setting.split_once('=') {
                Some((name, value)) => settings.push((name.replace('-', "_"), value.into())),
                None => return Err(format!("-c {setting} requires a value")),
            }
        }
        Ok(settings)
    }
}

/// Turns `--work-mem=1MB` into `-c work-mem=1MB`.
fn spell_settings(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut spelled = Vec::new();
    for argument in arguments {
        match argument.strip_prefix("--") {
            Some(setting) if setting.contains('=') => spelled.extend(["-c".to_owned(), setting.to_owned()]),
            _ => spelled.push(argument),
        }
    }
    spelled
}

/// All settings, by category, as text for people.
pub fn describe_settings() -> String {
    let snapshot = ServerSettings::default().snapshot();
    let mut out = String::new();
    for id in snapshot.sorted() {
        let definition = snapshot.definition(id);
        if definition.hidden {
            continue;
        }
        let default = definition.show(&definition.boot_value());
        let (name, context, description) =
            (definition.name, definition.context.as_str(), definition.description);
        let _ = writeln!(out, "{name} = {}", quoted(&default, &definition.boot_value()));
        let _ = writeln!(out, "    {description}");
        let _ = writeln!(out, "    {}; {context}", definition.kind.as_str());
        for more in [definition.extra, definition.no_effect].into_iter().flatten() {
            let _ = writeln!(out, "    {more}");
        }
    }
    out
}

fn quoted(text: &str, value: &SettingValue) -> String {
    if matches!(value, SettingValue::Text(_)) { format!("'{text}'") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_settings() {
        let line = "postilion -D d -p 6000 -h * -k /run -d 2 --work-mem=8MB -c a.b=c=d";
        let arguments = Arguments::read(line.split(' ').map(str::to_owned));
        let settings = arguments.settings().expect("a good line");
        let shown: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            shown.join(" "),
            "port=6000 listen_addresses=* unix_socket_directories=/run log_min_messages=debug2 work_mem=8MB a.b=c=d"
        );
    }
}
