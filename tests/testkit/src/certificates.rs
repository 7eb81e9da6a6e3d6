//! The keys and certificates of one control plane, and of what its API server calls.

use anyhow::{Result, anyhow};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// PEM texts: an authority, a server certificate of it, and a key for service account tokens.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) server: String,
    pub(crate) server_key: String,
    pub(crate) token_key: String,
    pub(crate) token_public_key: String,
}

impl Certificates {
    /// Makes new ones for servers on 127.0.0.1.
    pub(crate) fn generate() -> Result<Self> {
        let authority = authority()?;
        let server_key = KeyPair::generate()?;
        let token_key = KeyPair::generate()?;
        let names = ["127.0.0.1", "10.0.0.1", "localhost", "kubernetes.default.svc"];
        let server = server(&names)?.signed_by(&server_key, &authority)?;
        Ok(Self {
            authority: authority.pem(),
            server: server.pem(),
            server_key: server_key.serialize_pem(),
            token_key: token_key.serialize_pem(),
            token_public_key: token_key.public_key_pem(),
        })
    }
}

/// What a server that the API server calls shows of itself.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The authority to trust, PEM.
    pub(crate) authority: String,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Makes a new one for a server on 127.0.0.1 that is called by these names, too.
    pub(crate) fn generate(names: &[&str]) -> Result<Self> {
        let authority = authority()?;
        let key = KeyPair::generate()?;
        let names = [&["127.0.0.1", "localhost"], names].concat();
        let certificate = server(&names)?.signed_by(&key, &authority)?.der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| anyhow!(error))?;
        Ok(Self { authority: authority.pem(), certificate, key })
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "testkit");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn server(names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}
