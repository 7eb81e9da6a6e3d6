//! A place that holds backups, from a URL and as one.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::directory;
use super::error::{EXAMPLE, Error, Fault};
use super::s3::S3Location;

/// A place that holds backups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A directory of this host, by its absolute path: `file:///var/backups`.
    Directory(PathBuf),
    /// A bucket, or the part of it below a prefix: `s3://bucket/prefix?region=eu-west-1`.
    S3(Box<S3Location>),
}

impl Location {
    /// Reads a URL whose options are partly given apart from it, as in a configuration file.
    pub fn with_options(text: &str, options: &[(String, String)]) -> Result<Self, Error> {
        match text.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
                let path = directory::parse(text, rest).map_err(|fault| fault.of(text))?;
                match options {
                    [] => Ok(Self::Directory(path)),
                    _ => Err(directory::without_options().of(text)),
                }
            }
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("s3") => {
                S3Location::parse(rest, options)
                    .map(|location| Self::S3(Box::new(location)))
                    .map_err(|fault| fault.of(&without_secrets(text)))
            }
            Some((scheme, rest)) if rest.starts_with("//") => {
                let reason = format!("there is no location of kind \"{scheme}\"");
                Err(Fault::new(reason, EXAMPLE).of(&without_secrets(text)))
            }
            _ if text.is_empty() => Err(Fault::new("it is empty", EXAMPLE).of(text)),
            _ => Err(Error::Path { text: text.to_owned() }),
        }
    }

    /// The part of a bucket below a prefix, as Velero's flags name it.
    pub fn of_bucket(
        bucket: &str,
        prefix: &str,
        options: &[(String, String)],
    ) -> Result<Self, Error> {
        S3Location::of_bucket(bucket.to_owned(), prefix, options.iter().cloned())
            .map(|location| Self::S3(Box::new(location)))
            .map_err(|fault| fault.of(&format!("s3://{bucket}")))
    }
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::with_options(text, &[])
    }
}

/// The URL for messages: what stands before an `@` may be a password, and so may an option.
fn without_secrets(text: &str) -> String {
    let text = text.split('?').next().unwrap_or_default();
    match (text.split_once("//"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}//{rest}"),
        _ => text.to_owned(),
    }
}

/// The URL, without credentials: for messages, records and reports.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => {
                f.pad(&directory::url(path).unwrap_or_else(|| format!("file://{}", path.display())))
            }
            Self::S3(location) => f.pad(&location.url()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> PathBuf {
        match text.parse().unwrap_or_else(|error| panic!("{error}")) {
            Location::Directory(path) => path,
            other @ Location::S3(_) => panic!("{other}"),
        }
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
