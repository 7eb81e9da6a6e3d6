//! Where backups lie: one URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

/// A place that holds backups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A directory of this host, by its absolute path: `file:///var/backups`.
    Directory(PathBuf),
}

/// A text that is no location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A path, not a URL.
    #[error("\"{text}\" is a path, not a URL")]
    Path {
        /// The path as given.
        text: String,
    },
    /// Not a URL of a place that we know.
    #[error("\"{text}\" is not a location: {reason}")]
    Url {
        /// The URL as given, without credentials.
        text: String,
        /// What is wrong with it.
        reason: String,
        /// What would help.
        hint: String,
    },
    /// A location that needs a part which was left out of this program.
    #[error("this build has no S3 support")]
    NoS3,
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> String {
        match self {
            Self::Path { text } => match file_url(Path::new(text)) {
                Some(url) => format!("write {url}"),
                None => EXAMPLE.to_owned(),
            },
            Self::Url { hint, .. } => hint.clone(),
            Self::NoS3 => "use a directory, such as file:///var/backups".to_owned(),
        }
    }
}

const EXAMPLE: &str = "write the absolute path of a directory, such as file:///var/backups";

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => directory(text, rest),
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("s3") => Err(Error::NoS3),
            Some((scheme, rest)) if rest.starts_with("//") => {
                let reason = format!("there is no location of kind \"{scheme}\"");
                Err(refused(&without_credentials(text), reason, EXAMPLE))
            }
            _ if text.is_empty() => Err(refused(text, "it is empty".to_owned(), EXAMPLE)),
            _ => Err(Error::Path { text: text.to_owned() }),
        }
    }
}

/// What follows `file:` must be `//`, no host, and an absolute path.
fn directory(text: &str, rest: &str) -> Result<Location, Error> {
    let fail = |reason: &str, hint: &str| Err(refused(text, reason.to_owned(), hint));
    let Some(path) = rest.strip_prefix("//") else {
        return fail("a file URL begins with file:///", EXAMPLE);
    };
    if !path.starts_with('/') {
        let host = path.split('/').next().unwrap_or_default();
        let reason = format!("it names the host \"{host}\", and a relative path is not possible");
        return fail(&reason, &format!("write file:///{path} or the absolute path"));
    }
    let url = Url::parse(text).map_err(|error| refused(text, error.to_string(), EXAMPLE))?;
    if url.query().is_some() || url.fragment().is_some() {
        return fail("a directory has no options", "write ? as %3F and # as %23 in a path");
    }
    match url.to_file_path() {
        Ok(path) if !path.as_os_str().as_encoded_bytes().contains(&0) => {
            Ok(Location::Directory(path.components().collect()))
        }
        _ => fail("it holds no path of this system", EXAMPLE),
    }
}

fn refused(text: &str, reason: String, hint: &str) -> Error {
    Error::Url { text: text.to_owned(), reason, hint: hint.to_owned() }
}

/// The URL for messages: what stands before an `@` may be a password.
fn without_credentials(text: &str) -> String {
    match (text.split_once("//"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}//{rest}"),
        _ => text.to_owned(),
    }
}

fn file_url(path: &Path) -> Option<String> {
    Url::from_file_path(path).ok().map(String::from)
}

/// The URL, without credentials: for messages, records and reports.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => {
                f.pad(&file_url(path).unwrap_or_else(|| format!("file://{}", path.display())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> PathBuf {
        let Location::Directory(path) = text.parse().unwrap_or_else(|error| panic!("{error}"));
        path
    }

    fn refusal(text: &str) -> (String, String) {
        let error = text.parse::<Location>().unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn a_file_url_is_a_directory() {
        for (text, expected) in [
            ("file:///var/backups", "/var/backups"),
            ("file:///var/backups/", "/var/backups"),
            ("FILE:///var/a%20b", "/var/a b"),
            ("file:///var/a b", "/var/a b"),
            ("file:///var/100%25%3F%23", "/var/100%?#"),
            ("file:///var/%C3%A4", "/var/ä"),
            ("file:///var/x/../y", "/var/y"),
            ("file:///", "/"),
        ] {
            assert_eq!(path(text), Path::new(expected), "{text}");
        }
    }

    #[test]
    fn a_host_or_a_relative_path_is_refused_with_the_way_to_write_it() {
        let (error, hint) = refusal("file://backups/daily");
        assert_eq!(
            error,
            "\"file://backups/daily\" is not a location: \
             it names the host \"backups\", and a relative path is not possible"
        );
        assert_eq!(hint, "write file:///backups/daily or the absolute path");
        for text in ["file:backups", "file:/var", "file:", "file://", "file://localhost/var"] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_path_is_refused_with_its_url() {
        let (error, hint) = refusal("/var/my backups");
        assert_eq!(error, "\"/var/my backups\" is a path, not a URL");
        assert_eq!(hint, "write file:///var/my%20backups");
        assert_eq!(refusal("backups").1, EXAMPLE);
        assert_eq!(refusal("./a:b").1, EXAMPLE);
    }

    #[test]
    fn what_a_directory_does_not_have_is_refused() {
        assert!(refusal("file:///var?region=x").0.contains("no options"));
        assert_eq!(refusal("file:///var#x").1, "write ? as %3F and # as %23 in a path");
        assert!(refusal("file:///var/%00").0.contains("no path of this system"));
        assert!(refusal("").0.contains("it is empty"));
    }

    #[test]
    fn s3_is_known_but_not_built_in() {
        assert_eq!(refusal("s3://bucket/prefix").0, "this build has no S3 support");
    }

    #[test]
    fn an_unknown_kind_is_refused_without_telling_its_password() {
        let (error, _) = refusal("ftp://me:secret@host/x");
        assert_eq!(
            error,
            "\"ftp://host/x\" is not a location: there is no location of kind \"ftp\""
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(parts in prop::collection::vec("[^/\0]{1,8}", 0..4)) {
            let normal = parts.iter().filter(|part| *part != "." && *part != "..");
            let path: PathBuf = std::iter::once("/").chain(normal.map(String::as_str)).collect();
            let location = Location::Directory(path);
            prop_assert_eq!(location.to_string().parse::<Location>().unwrap(), location);
        }
    }
}
