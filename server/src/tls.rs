//! TLS: certificate and key from files, and the configuration that connections negotiate with.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sql::settings::{ServerSettings, id};
use sql::{Result, error};

/// The name by which clients that begin with TLS at once ask for PostgreSQL.
const APPLICATION_PROTOCOL: &[u8] = b"postgresql";

/// The configuration, or `None` when `ssl` is off. File names are relative to the data directory.
///
/// # Errors
/// `F0000` naming the file.
pub(crate) fn configuration(
    settings: &ServerSettings,
    directory: &Path,
) -> Result<Option<Arc<ServerConfig>>> {
    if !settings.boolean(id::SSL) {
        return Ok(None);
    }
    let certificate_file = directory.join(settings.text(id::SSL_CERT_FILE));
    let key_file = directory.join(settings.text(id::SSL_KEY_FILE));
    let certificates = read_certificates(&certificate_file)?;
    let key = read_key(&key_file)?;
    let versions: &[&rustls::SupportedProtocolVersion] =
        match settings.text(id::SSL_MIN_PROTOCOL_VERSION).as_str() {
            "TLSv1.3" => &[&rustls::version::TLS13],
            _ => &[&rustls::version::TLS12, &rustls::version::TLS13],
        };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| error!(CONFIG_FILE_ERROR, "could not set up TLS: {error}"))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| {
            let file = certificate_file.display();
            error!(CONFIG_FILE_ERROR, "could not load server certificate file \"{file}\": {error}")
        })?;
    configuration.alpn_protocols = vec![APPLICATION_PROTOCOL.to_vec()];
    Ok(Some(Arc::new(configuration)))
}

fn read_certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>> {
    let failed = |error: &dyn std::fmt::Display| {
        error!(CONFIG_FILE_ERROR, "could not load server certificate file \"{}\": {error}", path.display())
    };
    let file = File::open(path).map_err(|error| failed(&error))?;
    rustls_pemfile::certs(&mut BufReader::new(file)).collect::<Result<_, _>>().map_err(|error| failed(&error))
}

fn read_key(path: &PathBuf) -> Result<PrivateKeyDer<'static>> {
    let failed = |error: &dyn std::fmt::Display| {
        error!(CONFIG_FILE_ERROR, "could not load private key file \"{}\": {error}", path.display())
    };
    let file = File::open(path).map_err(|error| failed(&error))?;
    rustls_pemfile::private_key(&mut BufReader::new(file))
        .map_err(|error| failed(&error))?
        .ok_or_else(|| failed(&"it holds no private key"))
}
