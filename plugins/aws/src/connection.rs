//! How AWS is reached: region, credentials, endpoint, certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{self, ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::sdk_ua_metadata::FrameworkMetadata;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// How long a TCP and TLS handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The region by which requests are signed for an endpoint that has none.
const ANY_REGION: &str = "us-east-1";

/// How AWS is reached. What is absent comes from the environment, the shared configuration files or
/// the machine's own role, as with every AWS tool.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The region.
    pub region: Option<String>,
    /// The profile of the shared configuration files. Its credentials go before those of the
    /// environment, which were not chosen by name.
    pub profile: Option<String>,
    /// A credentials file in place of the shared one; as with `profile`, the environment yields.
    pub credentials_file: Option<PathBuf>,
    /// The URL of the service, in place of AWS's own.
    pub endpoint: Option<String>,
    /// A file of PEM certificates that are trusted besides the system's.
    pub ca_cert: Option<PathBuf>,
}

/// Why a connection is not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file that was named is missing or unreadable.
    #[error("failed to read \"{}\"", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The profile that was named is in none of the files.
    #[error("profile \"{name}\" does not exist ({known})")]
    NoProfile {
        /// What was named.
        name: String,
        /// Those that exist, in words.
        known: String,
    },
    /// The CA bundle holds something else than certificates, or none.
    #[error("\"{}\" holds no usable certificates: {reason}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Connection {
    /// Gathers the configuration of AWS clients.
    ///
    /// Reads files and the environment, and at most asks the machine for its region; credentials
    /// are looked up when the first request is signed. The configuration has no region where none
    /// was found.
    pub(crate) async fn load(&self) -> Result<SdkConfig, Error> {
        let http_client = self.http_client().await?;
        if let Some(path) = &self.credentials_file {
            read(path).await?;
        }
        self.check_profile().await?;
        let region = self.find_region().await;
        let mut loader = self.loader().region(region.clone());
        if let Some(credentials) = self.chosen_credentials(region, http_client.as_ref()) {
            loader = loader.credentials_provider(credentials);
        }
        if let Some(client) = http_client {
            loader = loader.http_client(client);
        }
        Ok(loader.load().await)
    }

    /// Makes an HTTP client with connections of its own; none where the SDK's own will do.
    pub(crate) async fn http_client(&self) -> Result<Option<SharedHttpClient>, Error> {
        Ok(match &self.ca_cert {
            Some(path) => Some(client_with(trust_in(path).await?)),
            None => None,
        })
    }

    /// Checks that the profile that was chosen exists.
    ///
    /// The SDK takes a missing one for a machine without credentials, and may not even name it. What
    /// is wrong with the files themselves is told when credentials are read from them.
    async fn check_profile(&self) -> Result<(), Error> {
        let Some(name) = &self.profile else { return Ok(()) };
        let files = self.credentials_file.as_deref().map(profile_files).unwrap_or_default();
        let known = profile::load(&Fs::real(), &Env::real(), &files, None).await;
        match known {
            Ok(known) if known.get_profile(name).is_none() => {
                let mut names: Vec<&str> = known.profiles().collect();
                names.sort_unstable();
                let known = match names[..] {
                    [] => "there are none".to_owned(),
                    _ => format!("there are: {}", names.join(", ")),
                };
                Err(Error::NoProfile { name: name.clone(), known })
            }
            _ => Ok(()),
        }
    }

    fn loader(&self) -> ConfigLoader {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
        if let Ok(bowline) = FrameworkMetadata::new("bowline", Some(env!("CARGO_PKG_VERSION"))) {
            loader = loader.framework_metadata(bowline);
        }
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        loader
    }

    async fn find_region(&self) -> Option<Region> {
        match (&self.region, &self.endpoint) {
            (Some(region), _) => Some(Region::new(region.clone())),
            (None, Some(_)) => self.region_at_an_endpoint().region().await,
            (None, None) => {
                let mut chain = DefaultRegionChain::builder();
                if let Some(profile) = &self.profile {
                    chain = chain.profile_name(profile);
                }
                chain.build().region().await
            }
        }
    }

    /// Leaves the machine out: its region says nothing about an endpoint elsewhere.
    fn region_at_an_endpoint(&self) -> RegionProviderChain {
        let mut profile = ProfileFileRegionProvider::builder();
        if let Some(name) = &self.profile {
            profile = profile.profile_name(name);
        }
        RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(profile.build())
            .or_else(Region::from_static(ANY_REGION))
    }

    /// Looks credentials up in the profile or file that was chosen; none leaves the default chain.
    fn chosen_credentials(
        &self,
        region: Option<Region>,
        http_client: Option<&SharedHttpClient>,
    ) -> Option<ProfileFileCredentialsProvider> {
        if self.profile.is_none() && self.credentials_file.is_none() {
            return None;
        }
        let mut surroundings = ProviderConfig::without_region().with_region(region);
        if let Some(client) = http_client {
            surroundings = surroundings.with_http_client(client.clone());
        }
        let mut provider = ProfileFileCredentialsProvider::builder().configure(&surroundings);
        if let Some(profile) = &self.profile {
            provider = provider.profile_name(profile);
        }
        if let Some(path) = &self.credentials_file {
            provider = provider.profile_files(profile_files(path));
        }
        Some(provider.build())
    }
}

fn profile_files(credentials: &Path) -> EnvConfigFiles {
    EnvConfigFiles::builder()
        .include_default_config_file(true)
        .with_file(EnvConfigFileKind::Credentials, credentials)
        .build()
}

async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let content = tokio::fs::read(path).await;
    content.map_err(|source| Error::Unreadable { path: path.to_owned(), source })
}

/// Trusts the system's certificates and those of a file.
///
/// Each is checked here, since the client takes them unseen and panics on a bad one.
async fn trust_in(path: &Path) -> Result<TlsContext, Error> {
    let refused = |reason| Error::Certificates { path: path.to_owned(), reason };
    let pem = read(path).await?;
    check_certificates(&pem).map_err(refused)?;
    let trusted = TrustStore::default().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(trusted).build();
    context.map_err(|error| refused(error.to_string()))
}

fn check_certificates(pem: &[u8]) -> Result<(), String> {
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        webpki::anchor_from_trusted_cert(&certificate).map_err(|error| error.to_string())?;
        found += 1;
    }
    if found == 0 { Err("no PEM section is a certificate".to_owned()) } else { Ok(()) }
}

/// Makes the SDK's own client, which obeys the environment's proxies, with other trust.
fn client_with(context: TlsContext) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        let connector = connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.tls_context(context.clone()).build()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused_before_the_client_panics_on_it() {
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for bundle in ["", "text", garbage, "-----BEGIN CERTIFICATE-----\n*"] {
            assert!(check_certificates(bundle.as_bytes()).is_err(), "{bundle:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_missing_is_named() {
        let missing = Some(PathBuf::from("/nowhere/file"));
        let ca_cert = Connection { ca_cert: missing.clone(), ..Connection::default() };
        let credentials = Connection { credentials_file: missing, ..Connection::default() };
        for connection in [ca_cert, credentials] {
            let error = connection.load().await.unwrap_err();
            assert_eq!(error.to_string(), "failed to read \"/nowhere/file\"");
        }
    }

    #[tokio::test]
    async fn a_profile_that_does_not_exist_is_named_beside_those_that_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        std::fs::write(&path, "[b-test]\nregion = r\n[a-test]\nregion = r\n").unwrap();
        let connection = |name: &str| Connection {
            profile: Some(name.to_owned()),
            credentials_file: Some(path.clone()),
            ..Connection::default()
        };
        let error = connection("absent").load().await.unwrap_err().to_string();
        assert!(error.starts_with("profile \"absent\" does not exist (there are: "), "{error}");
        assert!(error.contains("a-test, b-test"), "{error}");
        connection("a-test").load().await.unwrap();
    }
}
