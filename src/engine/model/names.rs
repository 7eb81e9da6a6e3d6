//! What names may look like, and what labels can hold of them.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The longest DNS label, and the longest value of a Kubernetes label.
const LABEL_MAX: usize = 63;
/// The longest DNS subdomain, which most Kubernetes names are.
const SUBDOMAIN_MAX: usize = 253;
/// How many characters of a digest stand for the end of a name that is too long for a label.
const DIGEST_CHARS: usize = 6;

/// A name that can't be used, and what it must be instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" is not a valid name: it {reason}")]
pub struct Invalid {
    /// The name as given.
    pub name: String,
    /// The rule it breaks: `must not be empty`.
    pub reason: String,
}

impl Invalid {
    /// What would help.
    pub fn hint(&self) -> String {
        "use lower-case letters, digits, '-' and '.', such as nightly-7".to_owned()
    }
}

/// Checks a DNS-1123 label, such as the name of a namespace.
///
/// At most 63 lower-case letters, digits and `-`, beginning and ending with a letter or digit.
pub fn check_label(name: &str) -> Result<(), Invalid> {
    refuse(name, too_long(name, LABEL_MAX).or_else(|| label_fault(name)))
}

/// Checks a DNS-1123 subdomain, which the names of most objects are.
///
/// Labels joined by dots, at most 253 characters; a label is not bound to 63 here, as in Kubernetes.
pub fn check_subdomain(name: &str) -> Result<(), Invalid> {
    let fault = too_long(name, SUBDOMAIN_MAX).or_else(|| name.split('.').find_map(label_fault));
    refuse(name, fault)
}

/// Checks a name that is only a segment of a URL path: the least that any Kubernetes object obeys.
///
/// Roles, for one, have names such as `system:node`.
pub fn check_path_segment(name: &str) -> Result<(), Invalid> {
    let fault = match name {
        "" => Some("must not be empty".to_owned()),
        "." | ".." => Some("must not be \".\" or \"..\"".to_owned()),
        _ => name.chars().find(|c| matches!(c, '/' | '%')).map(|c| format!("must not hold '{c}'")),
    };
    refuse(name, fault)
}

/// Checks a name as a backup's list of objects has it, `shop/web`; gives back its namespace and name.
pub fn check_listed(listed: &str) -> Result<(Option<&str>, &str), Invalid> {
    let Some((namespace, name)) = listed.split_once('/') else {
        return check_path_segment(listed).map(|()| (None, listed));
    };
    check_label(namespace)?;
    check_path_segment(name)?;
    Ok((Some(namespace), name))
}

/// Checks the name of a backup, a restore or a schedule: a DNS-1123 subdomain, as in Velero.
pub fn check_backup(name: &str) -> Result<(), Invalid> {
    check_subdomain(name)
}

/// Shortens a name to what the value of a label can hold, as Velero does.
///
/// Up to 63 bytes stay as they are; of a longer one the first 57 stay, followed by the first six hex
/// digits of its SHA-256, so that two long names with one beginning stay apart.
pub fn label_value(name: &str) -> Cow<'_, str> {
    if name.len() <= LABEL_MAX {
        return Cow::Borrowed(name);
    }
    let mut short = name[..name.floor_char_boundary(LABEL_MAX - DIGEST_CHARS)].to_owned();
    for byte in Sha256::digest(name.as_bytes()).iter().take(DIGEST_CHARS / 2) {
        // Writing to a String can't fail.
        write!(short, "{byte:02x}").unwrap_or_default();
    }
    Cow::Owned(short)
}

fn refuse(name: &str, fault: Option<String>) -> Result<(), Invalid> {
    match fault {
        Some(reason) => Err(Invalid { name: name.to_owned(), reason }),
        None => Ok(()),
    }
}

fn too_long(name: &str, max: usize) -> Option<String> {
    (name.len() > max).then(|| format!("must be at most {max} characters, not {}", name.len()))
}

fn label_fault(label: &str) -> Option<String> {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if label.is_empty() {
        return Some("must not be empty, nor have an empty part between dots".to_owned());
    }
    if let Some(c) = label.chars().find(|&c| !is_alphanumeric(c) && c != '-') {
        return Some(format!("must hold only lower-case letters, digits and '-', not '{c}'"));
    }
    let ends_well = label.starts_with(is_alphanumeric) && label.ends_with(is_alphanumeric);
    (!ends_well).then(|| "must begin and end with a letter or a digit".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(result: Result<(), Invalid>) -> String {
        result.unwrap_err().reason
    }

    #[test]
    fn a_label_is_short_lower_case_and_begins_and_ends_alphanumeric() {
        for good in ["a", "0", "shop", "kube-system", &"x".repeat(63)] {
            check_label(good).unwrap();
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ä", &"x".repeat(64)] {
            assert!(check_label(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_subdomain_is_labels_joined_by_dots() {
        for good in ["a", "nightly-7", "nightly.2026.03", &"x".repeat(253)] {
            check_subdomain(good).unwrap();
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a.-b", "a/b", "a b", "Ab", &"x".repeat(254)] {
            assert!(check_subdomain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_reason_names_what_is_wrong() {
        assert!(reason(check_label("a_b")).contains("not '_'"));
        assert!(reason(check_label(&"x".repeat(70))).contains("at most 63 characters, not 70"));
        assert!(reason(check_subdomain("a-")).contains("begin and end"));
        assert!(reason(check_subdomain("a..b")).contains("between dots"));
        assert_eq!(
            check_backup("My Backup").unwrap_err().to_string(),
            "\"My Backup\" is not a valid name: \
             it must hold only lower-case letters, digits and '-', not 'M'"
        );
    }

    #[test]
    fn a_path_segment_is_anything_that_cannot_leave_its_place_in_a_path() {
        for good in ["system:node", "A", "...", "a b", "-"] {
            check_path_segment(good).unwrap();
        }
        for bad in ["", ".", "..", "a/b", "a%2fb", "/"] {
            assert!(check_path_segment(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_that_a_label_can_hold_stays_as_it_is() {
        let longest = "x".repeat(63);
        assert_eq!(label_value("nightly"), "nightly");
        assert_eq!(label_value(&longest), longest.as_str());
    }

    #[test]
    fn a_longer_name_ends_in_its_digest() {
        // printf %s "$(printf x%.0s {1..64})" | sha256sum
        let name = "x".repeat(64);
        assert_eq!(label_value(&name), format!("{}7ce100", "x".repeat(57)));
        let multibyte = "ä".repeat(40);
        assert_eq!(label_value(&multibyte).len(), 62);
    }
}
