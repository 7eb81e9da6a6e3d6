//! The keys and certificates of one control plane.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

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
        let server = server()?.signed_by(&server_key, &authority)?;
        Ok(Self {
            authority: authority.pem(),
            server: server.pem(),
            server_key: server_key.serialize_pem(),
            token_key: token_key.serialize_pem(),
            token_public_key: token_key.public_key_pem(),
        })
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "testkit");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn server() -> Result<CertificateParams> {
    let names = ["127.0.0.1", "10.0.0.1", "localhost", "kubernetes.default.svc"];
    let mut params = CertificateParams::new(names.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}
