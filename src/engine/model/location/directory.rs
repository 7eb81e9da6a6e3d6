//! A directory of this host, as a URL.

use std::path::{Path, PathBuf};

use url::Url;

use super::error::{EXAMPLE, Fault};

/// Reads what follows `file:`: it must be `//`, no host, and an absolute path.
pub(super) fn parse(text: &str, rest: &str) -> Result<PathBuf, Fault> {
    let Some(path) = rest.strip_prefix("//") else {
        return Err(Fault::new("a file URL begins with file:///", EXAMPLE));
    };
    if !path.starts_with('/') {
        let host = path.split('/').next().unwrap_or_default();
        let reason = format!("it names the host \"{host}\", and a relative path is not possible");
        return Err(Fault::new(reason, format!("write file:///{path} or the absolute path")));
    }
    let url = Url::parse(text).map_err(|error| Fault::new(error.to_string(), EXAMPLE))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(without_options());
    }
    match url.to_file_path() {
        Ok(path) if !path.as_os_str().as_encoded_bytes().contains(&0) => {
            Ok(path.components().collect())
        }
        _ => Err(Fault::new("it holds no path of this system", EXAMPLE)),
    }
}

pub(super) fn without_options() -> Fault {
    Fault::new("a directory has no options", "write ? as %3F and # as %23 in a path")
}

/// The URL of an absolute path.
pub(super) fn url(path: &Path) -> Option<String> {
    Url::from_file_path(path).ok().map(String::from)
}
