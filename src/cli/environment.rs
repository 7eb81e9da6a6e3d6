//! What the environment says. Nothing else of ours reads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variables that matter, as they are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    /// `BOWLINE_LOCATION`: where backups are kept.
    ///
    /// An empty one stays, to be refused: a script that forgot to fill it in does not mean the
    /// default.
    pub location: Option<String>,
    /// `BOWLINE_NOTIFY`: who is told of a schedule's runs; the URL may hold a secret.
    pub notify: Option<String>,
    /// Whether `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// The file that AWS tools are set up in, if it is not where it usually is.
    aws_config: Option<PathBuf>,
    /// Whether a variable says in which region, or by which profile, AWS is used.
    names_aws: bool,
    home: Option<PathBuf>,
    data_home: Option<PathBuf>,
    state_home: Option<PathBuf>,
    config_home: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub(super) fn read() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let location = variable("BOWLINE_LOCATION");
        Self {
            location: location.map(|value| value.to_string_lossy().into_owned()),
            notify: set("BOWLINE_NOTIFY").map(|value| value.to_string_lossy().into_owned()),
            no_color: set("NO_COLOR").is_some(),
            aws_config: set("AWS_CONFIG_FILE").map(PathBuf::from),
            names_aws: ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"]
                .into_iter()
                .any(|name| set(name).is_some()),
            home: set("HOME").map(PathBuf::from),
            data_home: set("XDG_DATA_HOME").map(PathBuf::from),
            state_home: set("XDG_STATE_HOME").map(PathBuf::from),
            config_home: set("XDG_CONFIG_HOME").map(PathBuf::from),
        }
    }

    /// Where this user's data lies; none without a home.
    pub(super) fn data_directory(&self) -> Option<PathBuf> {
        self.own_directory(self.data_home.as_deref(), ".local/share")
    }

    /// Where this user's state lies; none without a home.
    pub(super) fn state_directory(&self) -> Option<PathBuf> {
        self.own_directory(self.state_home.as_deref(), ".local/state")
    }

    /// Where this user's configuration lies; none without a home.
    pub(super) fn config_directory(&self) -> Option<PathBuf> {
        self.own_directory(self.config_home.as_deref(), ".config")
    }

    /// Whether AWS is set up on this machine: a region or a profile is named, or its configuration
    /// file is there.
    pub(super) fn has_aws(&self) -> bool {
        let usual = || Some(self.home.as_ref()?.join(".aws/config"));
        let file = self.aws_config.clone().or_else(usual);
        self.names_aws || file.is_some_and(|file| file.exists())
    }

    /// By the XDG Base Directory Specification, a relative path counts as not set.
    fn own_directory(&self, xdg: Option<&Path>, below_home: &str) -> Option<PathBuf> {
        let set = xdg.filter(|path| path.is_absolute()).map(Path::to_owned);
        let home = || Some(self.home.as_ref()?.join(below_home));
        Some(set.or_else(home)?.join("bowline"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    fn state(variables: &[(&str, &str)]) -> Option<String> {
        let directory = environment(variables).state_directory();
        directory.map(|path| path.display().to_string())
    }

    #[test]
    fn directories_are_where_xdg_says_and_below_the_home_otherwise() {
        const HOME: (&str, &str) = ("HOME", "/home/me");
        let below_home = Some("/home/me/.local/state/bowline".to_owned());
        assert_eq!(state(&[HOME, ("XDG_STATE_HOME", "/state")]), Some("/state/bowline".to_owned()));
        assert_eq!(state(&[HOME]), below_home);
        assert_eq!(state(&[HOME, ("XDG_STATE_HOME", "")]), below_home);
        assert_eq!(state(&[HOME, ("XDG_STATE_HOME", "relative")]), below_home);
        assert_eq!(state(&[("HOME", "")]), None);
        let data = environment(&[HOME, ("XDG_STATE_HOME", "/state")]).data_directory();
        assert_eq!(data, Some(PathBuf::from("/home/me/.local/share/bowline")));
        let config = environment(&[("XDG_CONFIG_HOME", "/etc/me")]).config_directory();
        assert_eq!(config, Some(PathBuf::from("/etc/me/bowline")));
    }

    #[test]
    fn aws_is_set_up_where_a_variable_or_a_file_says_so() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().display().to_string();
        assert!(!environment(&[("HOME", &path)]).has_aws());
        assert!(!environment(&[("HOME", &path), ("AWS_REGION", "")]).has_aws());
        assert!(environment(&[("AWS_REGION", "eu-west-1")]).has_aws());
        assert!(environment(&[("AWS_PROFILE", "work")]).has_aws());
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), "").unwrap();
        assert!(environment(&[("HOME", &path)]).has_aws());
    }

    #[test]
    fn any_value_but_the_empty_one_refuses_colour() {
        assert!(environment(&[("NO_COLOR", "0")]).no_color);
        assert!(!environment(&[("NO_COLOR", "")]).no_color);
        assert!(!environment(&[]).no_color);
    }

    #[test]
    fn a_location_that_was_left_empty_is_not_the_default() {
        assert_eq!(environment(&[("BOWLINE_LOCATION", "")]).location, Some(String::new()));
        assert_eq!(environment(&[]).location, None);
    }
}
