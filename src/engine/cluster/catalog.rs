//! Discovery: which kinds a cluster serves.

use futures::{StreamExt as _, TryFutureExt as _, stream};

use super::client::Cluster;
use super::discovery::{self, CoreVersions, Group, GroupList, ResourceList, Version};
use super::error::Error;
use super::path;
use super::wire::Call;
use crate::engine::model::Catalog;

/// Aggregated discovery where it is served, in its final or its beta form, else the old one.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// How many documents of old discovery are read at once.
const DOCUMENTS: usize = 10;

impl Cluster {
    /// Asks the cluster which kinds it serves.
    ///
    /// A group whose backend does not answer is named in [`Catalog::unavailable`]; only when the
    /// API server itself does not tell its groups, the whole fails.
    pub async fn catalog(&self) -> Result<Catalog, Error> {
        let (core, named) = futures::try_join!(self.core_group(), self.named_groups())?;
        Ok(discovery::assemble([core, named].concat()))
    }

    async fn core_group(&self) -> Result<Vec<Group>, Error> {
        let call = discover("/api");
        let document = self.call(&call).await?;
        if let Some(groups) = discovery::aggregated(&document) {
            return Ok(groups);
        }
        let listed: CoreVersions = call.parse(&document)?;
        Ok(vec![self.group(String::new(), listed.versions).await])
    }

    async fn named_groups(&self) -> Result<Vec<Group>, Error> {
        let call = discover("/apis");
        let document = self.call(&call).await?;
        if let Some(groups) = discovery::aggregated(&document) {
            return Ok(groups);
        }
        let listed: GroupList = call.parse(&document)?;
        let groups = listed.groups.into_iter();
        let groups = groups.map(|group| self.group(group.name.clone(), group.versions()));
        Ok(stream::iter(groups).buffered(DOCUMENTS).collect().await)
    }

    async fn group(&self, name: String, versions: Vec<String>) -> Group {
        let versions = versions.into_iter().map(|version| self.group_version(&name, version));
        let versions = futures::future::join_all(versions).await;
        Group { name, versions }
    }

    async fn group_version(&self, group: &str, version: String) -> Version {
        let call = discover(&path::group_version(group, &version));
        let listed = self.ask(&call).map_ok(|list: ResourceList| list.kinds(group, &version));
        let resources = listed.map_err(|error| error.to_string()).await;
        Version { name: version, resources }
    }
}

fn discover(path: &str) -> Call {
    Call::get(path.to_owned(), format!("discover {path}")).accepting(ACCEPT)
}
