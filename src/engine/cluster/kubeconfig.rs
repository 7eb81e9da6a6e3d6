//! Which cluster is meant, and as whom: the kubeconfig, or the pod's own service account.

use std::io;
use std::path::Path;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::client::Options;
use super::error::Error;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client's configuration, and the name of the context it is from.
pub(super) struct Chosen {
    pub(super) config: Config,
    pub(super) context: Option<String>,
    /// Whether the kubeconfig itself names a proxy.
    names_proxy: bool,
}

/// Reads the configuration that `options` name, as kubectl would.
///
/// Without any kubeconfig, and unless a context is asked for, that of the pod it runs in.
pub(super) async fn choose(options: &Options) -> Result<Chosen, Error> {
    let mut chosen = match read(options.kubeconfig.as_deref()) {
        Ok(file) => from_file(file, options.context.clone()).await?,
        Err(error) if is_absent(&error) && options.asks_for_nothing() => {
            let config = Config::incluster().map_err(|_| unusable(error))?;
            Chosen { config, context: None, names_proxy: false }
        }
        Err(error) => return Err(unusable(error)),
    };
    adjust(&mut chosen);
    Ok(chosen)
}

/// The names of all contexts of this kubeconfig, or of the usual ones.
pub fn contexts(kubeconfig: Option<&Path>) -> Result<Vec<String>, Error> {
    let file = read(kubeconfig).map_err(unusable)?;
    Ok(file.contexts.into_iter().map(|context| context.name).collect())
}

fn read(kubeconfig: Option<&Path>) -> Result<Kubeconfig, KubeconfigError> {
    kubeconfig.map_or_else(Kubeconfig::read, Kubeconfig::read_from)
}

async fn from_file(file: Kubeconfig, context: Option<String>) -> Result<Chosen, Error> {
    let context = context.or_else(|| file.current_context.clone());
    if let Some(context) = &context {
        let available: Vec<_> = file.contexts.iter().map(|known| known.name.clone()).collect();
        if !available.contains(context) {
            return Err(Error::NoSuchContext { context: context.clone(), available });
        }
    }
    let names_proxy = names_proxy(&file, context.as_deref());
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(file, &options).await.map_err(unusable)?;
    Ok(Chosen { config, context, names_proxy })
}

fn names_proxy(file: &Kubeconfig, context: Option<&str>) -> bool {
    let context = file.contexts.iter().find(|named| Some(named.name.as_str()) == context);
    let cluster = context.and_then(|named| Some(named.context.as_ref()?.cluster.as_str()));
    let cluster = file.clusters.iter().find(|named| Some(named.name.as_str()) == cluster);
    let proxy = cluster.and_then(|named| named.cluster.as_ref()?.proxy_url.as_deref());
    proxy.is_some_and(|url| !url.is_empty())
}

/// Turns off what kube does by itself and is done here: retries that know no verbs, and timeouts
/// that do not end with the reply's body.
fn adjust(chosen: &mut Chosen) {
    let config = &mut chosen.config;
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = None;
    if is_loopback(&config.cluster_url) && !chosen.names_proxy {
        // As in Go, the environment's proxy is not for this machine's own addresses.
        config.proxy_url = None;
    }
}

fn is_loopback(url: &http::Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(source, _) => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

fn unusable(source: KubeconfigError) -> Error {
    Error::Kubeconfig { source: source.into() }
}
