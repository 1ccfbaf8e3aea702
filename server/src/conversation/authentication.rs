//! How a client proves who it is: the method that `pg_hba.conf` names for it, and the exchange of that method.
//!
//! Source: `src/backend/libpq/auth.c`.

use std::ops::Not;

use sql::scram::{self, Exchange, Verifier};
use sql::{Result, Severity, SqlError, error};

use super::codec;
use super::destination::connection_lost;
use super::frame::{Frame, next_password_frame};
use super::startup::Startup;
use super::wire::{Stream, Wire};
use crate::hba::{self, Applicant, Method};
use crate::server::Shared;

/// Authenticates the client as the user of its startup packet.
///
/// # Errors
/// FATAL `28000`, `28P01`, `08P01`.
pub(super) async fn authenticate(shared: &Shared, wire: &mut Wire, startup: &Startup) -> Result<()> {
    let client = wire.stream.client();
    let applicant = Applicant {
        user: &startup.user,
        database: &startup.database,
        address: client.map(|(address, _)| address),
        tls: wire.stream.is_tls(),
    };
    let rules = shared.hba();
    let method = hba::find(&rules, &applicant).map(|rule| rule.method);
    match method {
        None => Err(refused(&applicant, "no pg_hba.conf entry")),
        Some(Method::Reject) => Err(refused(&applicant, "pg_hba.conf rejects connection")),
        Some(Method::Trust) => Ok(()),
        Some(Method::Peer) => peer(wire, startup),
        Some(Method::Password) => password(shared, wire, startup).await,
        Some(Method::ScramSha256) => scram(shared, wire, startup).await,
    }
}

fn refused(applicant: &Applicant<'_>, why: &str) -> SqlError {
    let host = match applicant.address {
        Some(address) => address.to_string(),
        None => "[local]".into(),
    };
    let encryption = if applicant.tls { "SSL encryption" } else { "no encryption" };
    error!(
        INVALID_AUTHORIZATION_SPECIFICATION,
        "{why} for host \"{host}\", user \"{}\", database \"{}\", {encryption}",
        applicant.user,
        applicant.database
    )
}

/// `peer`: the operating system says who is at the other end of the socket.
fn peer(wire: &Wire, startup: &Startup) -> Result<()> {
    let name = match &wire.stream {
        Stream::Unix(stream) => stream.peer_cred().ok().and_then(|peer| user_name(peer.uid())),
        _ => None,
    };
    if name.as_deref() == Some(startup.user.as_str()) {
        return Ok(());
    }
    Err(error!(
        INVALID_AUTHORIZATION_SPECIFICATION,
        "Peer authentication failed for user \"{}\"", startup.user
    ))
}

/// The name of an account of the machine.
fn user_name(uid: u32) -> Option<String> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The verifier of the role's password, if it has one that still holds.
fn verifier(shared: &Shared, user: &str) -> Option<Verifier> {
    let role = shared.cluster.shared_catalog().role_named(user)?;
    if role.rolvaliduntil.as_deref().is_some_and(has_passed) {
        return None;
    }
    Verifier::parse(role.rolpassword.as_deref()?)
}

/// Whether a moment (VALID UNTIL) has passed. One that cannot be read counts as passed: better locked out than let in.
fn has_passed(moment: &str) -> bool {
    match moment {
        "infinity" => false,
        moment => moment.parse::<jiff::Timestamp>().is_ok_and(|until| until >= jiff::Timestamp::now()).not(),
    }
}

fn wrong_password(user: &str) -> SqlError {
    error!(INVALID_PASSWORD, "password authentication failed for user \"{user}\"").severity(Severity::Fatal)
}

async fn password(shared: &Shared, wire: &mut Wire, startup: &Startup) -> Result<()> {
    wire.output.authentication_cleartext();
    let frame = next_password(wire).await?;
    let password = codec::password(frame.body)?;
    match verifier(shared, &startup.user) {
        Some(verifier) if verifier.matches(&password) => Ok(()),
        _ => Err(wrong_password(&startup.user)),
    }
}

async fn scram(shared: &Shared, wire: &mut Wire, startup: &Startup) -> Result<()> {
    wire.output.authentication_sasl(&[scram::MECHANISM]);
    let frame = next_password(wire).await?;
    let (mechanism, client_first) = codec::sasl_initial_response(frame.body)?;
    if mechanism != scram::MECHANISM {
        return Err(error!(PROTOCOL_VIOLATION, "client selected an invalid SASL authentication mechanism"));
    }
    let (exchange, server_first) = Exchange::begin(verifier(shared, &startup.user), &client_first)?;
    wire.output.authentication_sasl_continue(server_first);
    let frame = next_password(wire).await?;
    match exchange.finish(&codec::sasl_response(frame.body)?)? {
        Some(server_final) => {
            wire.output.authentication_sasl_final(server_final);
            Ok(())
        }
        None => Err(wrong_password(&startup.user)),
    }
}

/// Sends what is buffered and waits for the client's answer.
async fn next_password(wire: &mut Wire) -> Result<Frame> {
    wire.flush().await.map_err(|_| connection_lost())?;
    loop {
        if let Some(frame) = next_password_frame(&mut wire.input)? {
            return Ok(frame);
        }
        if !wire.read_more().await {
            return Err(connection_lost());
        }
    }
}
