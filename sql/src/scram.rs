//! Passwords: SCRAM-SHA-256 verifiers as `pg_authid.rolpassword` holds them, and the server's side of the exchange.
//!
//! ```text
//! SCRAM-SHA-256$4096:salt$StoredKey:ServerKey        (salt and keys in base64)
//!
//! client-first   n,,n=,r=NONCE                   the user name is that of the startup packet
//! server-first   r=NONCE+MORE,s=SALT,i=4096
//! client-final   c=biws,r=NONCE+MORE,p=PROOF     PROOF = ClientKey xor HMAC(StoredKey, all of the above)
//! server-final   v=HMAC(ServerKey, all of the above)
//! ```
//!
//! It lives here because CREATE ROLE makes verifiers and the server checks them. Left out: channel binding, and the
//! normalisation of passwords that are not ASCII (RFC 4013): those are used as they are.
//!
//! Source: RFC 5802, RFC 7677; `src/backend/libpq/auth-scram.c`.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

use crate::{Result, SqlError, error};

/// The mechanism's name, in messages and verifiers.
pub const MECHANISM: &str = "SCRAM-SHA-256";
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("4096 is not zero");
const SALT_LENGTH: usize = 16;
const NONCE_LENGTH: usize = 18;
const KEY_LENGTH: usize = 32;
/// `n,,` in base64: what a client without channel binding repeats in its second message.
const NO_CHANNEL_BINDING: &str = "biws";
const NO_CHANNEL_BINDING_SUPPORTED: &str = "eSws";

type Key = [u8; KEY_LENGTH];

/// What is kept of a password: enough to check it, not enough to log in with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl Verifier {
    /// Makes one with a new salt.
    ///
    /// # Errors
    /// `XX000` when the system gives no random numbers.
    pub fn new(password: &str) -> Result<Self> {
        Ok(Self::derive(password, &random::<SALT_LENGTH>()?, ITERATIONS))
    }

    fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let mut salted: Key = [0; KEY_LENGTH];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
        let stored_key = hash(&keyed_hash(&salted, b"Client Key"));
        let server_key = keyed_hash(&salted, b"Server Key");
        Self { iterations, salt: salt.to_vec(), stored_key, server_key }
    }

    /// Reads the form of `rolpassword`; `None` when it is another.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(MECHANISM)?.strip_prefix('$')?;
        let (head, keys) = rest.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        Some(Self {
            iterations: iterations.parse().ok()?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }

    /// Whether this is the password.
    pub fn matches(&self, password: &str) -> bool {
        let derived = Self::derive(password, &self.salt, self.iterations);
        equal(&derived.stored_key, &self.stored_key)
    }

    /// One that no password fits, for roles that do not exist: the exchange takes its course and fails at its end.
    fn impossible() -> Result<Self> {
        let salt = random::<SALT_LENGTH>()?.to_vec();
        Ok(Self { iterations: ITERATIONS, salt, stored_key: random()?, server_key: random()? })
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let (salt, stored, server) = (encode(&self.salt), encode(&self.stored_key), encode(&self.server_key));
        write!(f, "{MECHANISM}${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// The server's side, after the client's first message.
pub struct Exchange {
    verifier: Verifier,
    nonce: String,
    /// The messages so far that both sides sign.
    signed: String,
}

impl Exchange {
    /// Answers the client's first message. Without a verifier the exchange goes on, to fail at its end.
    ///
    /// # Errors
    /// `08P01 malformed SCRAM message`; `0A000` for channel binding.
    pub fn begin(verifier: Option<Verifier>, client_first: &str) -> Result<(Self, String)> {
        let bare = match client_first.split_at_checked(3) {
            Some(("n,,", bare) | ("y,,", bare)) => bare,
            _ if client_first.starts_with("p=") => {
                return Err(SqlError::unsupported("SCRAM channel binding"));
            }
            _ => return Err(malformed()),
        };
        let client_nonce = attribute(bare, 'r').filter(|nonce| !nonce.is_empty()).ok_or_else(malformed)?;
        let verifier = match verifier {
            Some(verifier) => verifier,
            None => Verifier::impossible()?,
        };
        let nonce = format!("{client_nonce}{}", STANDARD.encode(random::<NONCE_LENGTH>()?));
        let server_first =
            format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
        let signed = format!("{bare},{server_first}");
        Ok((Self { verifier, nonce, signed }, server_first))
    }

    /// Checks the client's last message: the server's last one, or `None` for a wrong password.
    ///
    /// # Errors
    /// `08P01 malformed SCRAM message`.
    pub fn finish(self, client_final: &str) -> Result<Option<String>> {
        let (unsigned, proof) = client_final.rsplit_once(",p=").ok_or_else(malformed)?;
        let binding = attribute(unsigned, 'c').ok_or_else(malformed)?;
        if binding != NO_CHANNEL_BINDING && binding != NO_CHANNEL_BINDING_SUPPORTED
            || attribute(unsigned, 'r') != Some(&self.nonce)
        {
            return Err(malformed());
        }
        let proof: Key =
            STANDARD.decode(proof).ok().and_then(|proof| proof.try_into().ok()).ok_or_else(malformed)?;
        let signed = format!("{},{unsigned}", self.signed);
        let signature = keyed_hash(&self.verifier.stored_key, signed.as_bytes());
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
        if !equal(&hash(&client_key), &self.verifier.stored_key) {
            return Ok(None);
        }
        let server = keyed_hash(&self.verifier.server_key, signed.as_bytes());
        Ok(Some(format!("v={}", STANDARD.encode(server))))
    }
}

/// The value of an attribute in `a=…,b=…`.
fn attribute(message: &str, name: char) -> Option<&str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn malformed() -> SqlError {
    error!(PROTOCOL_VIOLATION, "malformed SCRAM message")
}

/// Random bytes of the system.
///
/// # Errors
/// `XX000`.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| SqlError::internal("could not generate random bytes"))?;
    Ok(bytes)
}

fn hash(bytes: &[u8]) -> Key {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

fn keyed_hash(key: &[u8], message: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    tag.as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes")
}

/// Compares without telling by its time where the difference is.
fn equal(left: &Key, right: &Key) -> bool {
    left.iter().zip(right).fold(0, |difference, (left, right)| difference | (left ^ right)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client's last message and the signature it expects.
    fn client_final(password: &str, bare: &str, server_first: &str) -> (String, String) {
        let salt = STANDARD.decode(attribute(server_first, 's').expect("a salt")).expect("base64");
        let mut salted = [0; KEY_LENGTH];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        let unsigned = format!("c=biws,r={}", attribute(server_first, 'r').expect("a nonce"));
        let signed = format!("{bare},{server_first},{unsigned}");
        let client_key = keyed_hash(&salted, b"Client Key");
        let signature = keyed_hash(&hash(&client_key), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(left, right)| left ^ right).collect();
        let server = keyed_hash(&keyed_hash(&salted, b"Server Key"), signed.as_bytes());
        (format!("{unsigned},p={}", STANDARD.encode(proof)), format!("v={}", STANDARD.encode(server)))
    }

    #[test]
    fn an_exchange_succeeds_with_the_password_only() {
        let verifier = Verifier::new("secret").expect("random numbers");
        assert_eq!(Verifier::parse(&verifier.to_string()).as_ref(), Some(&verifier));
        assert!(verifier.matches("secret") && !verifier.matches("Secret"));
        for (password, known, succeeds) in
            [("secret", true, true), ("wrong", true, false), ("secret", false, false)]
        {
            let known = known.then(|| verifier.clone());
            let (exchange, server_first) = Exchange::begin(known, "n,,n=,r=abc").expect("well formed");
            let (message, expected) = client_final(password, "n=,r=abc", &server_first);
            let reply = exchange.finish(&message).expect("well formed");
            assert_eq!(reply, succeeds.then_some(expected));
        }
    }
}
