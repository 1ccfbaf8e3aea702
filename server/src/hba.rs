//! `pg_hba.conf`: who may connect from where to what, and how they prove who they are. The first line that fits decides.
//!
//! ```text
//! # TYPE  DATABASE  USER  ADDRESS       METHOD
//! local   all       all                 trust
//! host    all       all   10.0.0.0/8    scram-sha-256
//! ```
//!
//! Supported: all connection types; names, lists, `all`, `sameuser`; addresses with a mask, `all`, `samehost`; the methods
//! `trust`, `reject`, `scram-sha-256` (also as `md5`, as PostgreSQL does for SCRAM passwords), `password`, `peer`. What
//! PostgreSQL knows beyond that is refused when the file is read, never skipped.
//!
//! Source: PostgreSQL manual, "The pg_hba.conf File"; `src/backend/libpq/hba.c`.

use std::net::IpAddr;

/// The file that a new data directory gets: everybody on this machine is trusted, as after `initdb`.
pub(crate) const SAMPLE: &str = "\
# Who may connect from where to what, and how they prove who they are. The first line that fits decides.
# Methods: trust, reject, scram-sha-256, password, peer. Reload the server after changes.
#
# TYPE  DATABASE        USER            ADDRESS                 METHOD
local   all             all                                     trust
host    all             all             127.0.0.1/32            trust
host    all             all             ::1/128                 trust
";

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Trust,
    Reject,
    ScramSha256,
    Password,
    Peer,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    connection: Connection,
    databases: Vec<Name>,
    users: Vec<Name>,
    address: Address,
    pub(crate) method: Method,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    Local,
    Host,
    HostTls,
    HostPlain,
}

/// A name, or a word with a meaning. Quoting takes a word's meaning away.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    All,
    SameUser,
    Is(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Any,
    SameHost,
    Network(IpAddr, u32),
}

/// Who asks to be let in.
#[derive(Clone, Debug)]
pub(crate) struct Applicant<'a> {
    pub(crate) user: &'a str,
    pub(crate) database: &'a str,
    /// `None` on a Unix socket.
    pub(crate) address: Option<IpAddr>,
    pub(crate) tls: bool,
}

/// Reads a file's text.
///
/// # Errors
/// A message for each line that cannot be read, with its number.
pub(crate) fn parse(text: &str) -> Result<Vec<Rule>, Vec<(usize, String)>> {
    let (mut rules, mut errors) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let tokens = tokens(line);
        if tokens.is_empty() {
            continue;
        }
        match parse_rule(&tokens) {
            Ok(rule) => rules.push(rule),
            Err(message) => errors.push((index + 1, message)),
        }
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}

/// The first rule that fits.
pub(crate) fn find<'a>(rules: &'a [Rule], applicant: &Applicant<'_>) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.fits(applicant))
}

impl Rule {
    fn fits(&self, applicant: &Applicant<'_>) -> bool {
        let connection = match (self.connection, applicant.address) {
            (Connection::Local, address) => address.is_none(),
            (_, None) => false,
            (Connection::Host, Some(_)) => true,
            (Connection::HostTls, Some(_)) => applicant.tls,
            (Connection::HostPlain, Some(_)) => !applicant.tls,
        };
        let named = |names: &[Name], name: &str| {
            names.iter().any(|candidate| match candidate {
                Name::All => true,
                Name::SameUser => applicant.user == applicant.database,
                Name::Is(candidate) => candidate == name,
            })
        };
        connection
            && applicant.address.is_none_or(|address| self.address.contains(address))
            && named(&self.databases, applicant.database)
            && named(&self.users, applicant.user)
    }
}

impl Address {
    fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::SameHost => address.is_loopback(),
            Self::Network(network, bits) => match (network, address.to_canonical()) {
                (IpAddr::V4(network), IpAddr::V4(address)) => {
                    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                    network.to_bits() & mask == address.to_bits() & mask
                }
                (IpAddr::V6(network), IpAddr::V6(address)) => {
                    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                    network.to_bits() & mask == address.to_bits() & mask
                }
                _ => false,
            },
        }
    }
}

/// A token: its text, whether it was quoted, and whether a comma follows.
struct Token {
    text: String,
    quoted: bool,
    comma: bool,
}

fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        let mut token = Token { text: String::new(), quoted: false, comma: false };
        let mut in_quotes = false;
        let before = characters.peek().copied();
        while let Some(character) = characters.peek().copied() {
            match character {
                '"' => {
                    in_quotes = !in_quotes;
                    token.quoted = true;
                }
                '#' if !in_quotes => {
                    if !token.text.is_empty() || token.quoted {
                        tokens.push(token);
                    }
                    return tokens;
                }
                ',' if !in_quotes => {
                    token.comma = true;
                    characters.next();
                    break;
                }
                space if space.is_whitespace() && !in_quotes => break,
                other => token.text.push(other),
            }
            characters.next();
        }
        if before.is_none() {
            return tokens;
        }
        tokens.push(token);
    }
}

/// The tokens of one field: those joined by commas.
fn field<'a>(tokens: &mut &'a [Token]) -> &'a [Token] {
    let end = tokens.iter().position(|token| !token.comma).map_or(tokens.len(), |last| last + 1);
    let (field, rest) = tokens.split_at(end);
    *tokens = rest;
    field
}

fn parse_rule(tokens: &[Token]) -> Result<Rule, String> {
    let mut rest = tokens;
    let kind = &field(&mut rest)[0].text;
    let connection = match kind.as_str() {
        "local" => Connection::Local,
        "host" | "hostnogssenc" => Connection::Host,
        "hostssl" => Connection::HostTls,
        "hostnossl" => Connection::HostPlain,
        "hostgssenc" => return Err("hostgssenc record cannot match because GSSAPI is not supported".into()),
        _ => return Err(format!("invalid connection type \"{kind}\"")),
    };
    let databases = names(field(&mut rest), "database")?;
    let users = names(field(&mut rest), "role")?;
    let address = if connection == Connection::Local { Address::Any } else { parse_address(&mut rest)? };
    let [method, options @ ..] = rest else {
        return Err("end-of-line before authentication method".into());
    };
    if let Some(option) = options.first() {
        return Err(format!("unrecognized authentication option name: \"{}\"", option.text));
    }
    Ok(Rule { connection, databases, users, address, method: parse_method(&method.text, connection)? })
}

fn parse_method(name: &str, connection: Connection) -> Result<Method, String> {
    match name {
        "trust" => Ok(Method::Trust),
        "reject" => Ok(Method::Reject),
        "scram-sha-256" | "md5" => Ok(Method::ScramSha256),
        "password" => Ok(Method::Password),
        "peer" if connection == Connection::Local => Ok(Method::Peer),
        "peer" => Err("peer authentication is only supported on local sockets".into()),
        "ident" | "gss" | "sspi" | "pam" | "bsd" | "ldap" | "cert" | "radius" => {
            Err(format!("invalid authentication method \"{name}\": not supported by this build"))
        }
        _ => Err(format!("invalid authentication method \"{name}\"")),
    }
}

fn names(field: &[Token], what: &str) -> Result<Vec<Name>, String> {
    if field.is_empty() {
        return Err(format!("end-of-line before {what} specification"));
    }
    field
        .iter()
        .map(|token| match token.text.as_str() {
            _ if token.quoted => Ok(Name::Is(token.text.clone())),
            "all" => Ok(Name::All),
            "sameuser" if what == "database" => Ok(Name::SameUser),
            "samerole" | "samegroup" | "replication" if what == "database" => {
                Err(format!("\"{}\" is not supported as a {what}", token.text))
            }
            text if text.starts_with(['+', '@', '/']) => {
                Err(format!("\"{text}\" is not supported as a {what}"))
            }
            text => Ok(Name::Is(text.into())),
        })
        .collect()
}

fn parse_address(rest: &mut &[Token]) -> Result<Address, String> {
    let field = field(rest);
    let [token] = field else {
        return Err(if field.is_empty() {
            "end-of-line before IP address specification".into()
        } else {
            "multiple values specified for host address".into()
        });
    };
    match token.text.as_str() {
        "all" => return Ok(Address::Any),
        "samehost" => return Ok(Address::SameHost),
        "samenet" => return Err("\"samenet\" is not supported as an address".into()),
        _ => {}
    }
    let (address, bits) = match token.text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (token.text.as_str(), None),
    };
    let Ok(network) = address.parse::<IpAddr>() else {
        return Err(format!("invalid IP address \"{address}\": host names are not supported"));
    };
    let most = if network.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= most),
        None => {
            let mask = rest.first().ok_or("end-of-line before netmask specification")?;
            *rest = &rest[1..];
            mask_bits(&mask.text).filter(|bits| *bits <= most)
        }
    };
    match bits {
        Some(bits) => Ok(Address::Network(network, bits)),
        None => Err(format!("invalid CIDR mask in address \"{}\"", token.text)),
    }
}

/// How many leading ones a mask has.
fn mask_bits(mask: &str) -> Option<u32> {
    let (bits, ones) = match mask.parse().ok()? {
        IpAddr::V4(mask) => (mask.to_bits().leading_ones(), mask.to_bits().count_ones()),
        IpAddr::V6(mask) => (mask.to_bits().leading_ones(), mask.to_bits().count_ones()),
    };
    (bits == ones).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(text: &str, user: &str, database: &str, address: Option<&str>, tls: bool) -> Option<Method> {
        let rules = parse(text).expect("good rules");
        let address = address.map(|address| address.parse().expect("an address"));
        find(&rules, &Applicant { user, database, address, tls }).map(|rule| rule.method)
    }

    #[test]
    fn the_first_line_that_fits_decides() {
        let text = "local all all peer # comment\nhost \"all\" bob,amy 10.0.0.0/8 reject\nhostssl all all 10.0.0.0 255.0.0.0 md5\nhost sameuser all ::1/128 trust\n";
        assert_eq!(decide(text, "amy", "all", None, false), Some(Method::Peer));
        assert_eq!(decide(text, "amy", "all", Some("10.1.2.3"), true), Some(Method::Reject));
        assert_eq!(decide(text, "amy", "shop", Some("10.1.2.3"), true), Some(Method::ScramSha256));
        assert_eq!(decide(text, "amy", "shop", Some("10.1.2.3"), false), None);
        assert_eq!(decide(text, "amy", "amy", Some("::1"), false), Some(Method::Trust));
        assert_eq!(decide(SAMPLE, "amy", "shop", Some("192.0.2.1"), false), None);
    }

    #[test]
    fn lines_that_cannot_be_read_are_named() {
        let errors =
            parse("host all all\nhost all all 10.0.0.0/33 trust\nlocal all all ldap\nhost all all h trust");
        let lines: Vec<usize> =
            errors.expect_err("all are wrong").into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
    }
}
