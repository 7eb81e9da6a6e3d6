//! How AWS is reached: region, credentials, endpoint, certificates.

use std::path::PathBuf;

/// How AWS is reached. What is absent comes from the environment, the shared configuration files or
/// the machine's own role, as with every AWS tool.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The region.
    pub region: Option<String>,
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// A credentials file in place of the shared one.
    pub credentials_file: Option<PathBuf>,
    /// The URL of the service, in place of AWS's own.
    pub endpoint: Option<String>,
    /// A file of PEM certificates that are trusted besides the system's.
    pub ca_cert: Option<PathBuf>,
}
