//! The flags that say which backups of a schedule are kept: restic's, by name and meaning.

use crate::engine::model::keep::KeepRules;
use crate::engine::model::within::Within;

/// Which backups of a schedule are kept.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which backups are kept; what one of these keeps stays")]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub struct KeepArgs {
    /// Keep the newest N ("unlimited" or -1: all)
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_last: Option<i32>,
    /// Keep the newest of each of the newest N hours that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_hourly: Option<i32>,
    /// Keep the newest of each of the newest N days that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_daily: Option<i32>,
    /// Keep the newest of each of the newest N weeks that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_weekly: Option<i32>,
    /// Keep the newest of each of the newest N months that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_monthly: Option<i32>,
    /// Keep the newest of each of the newest N years that have one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub keep_yearly: Option<i32>,
    /// Keep all that are not older than this when the newest is made, such as 1y5m7d2h
    #[arg(long, value_name = "SPAN")]
    pub keep_within: Option<Within>,
}

impl KeepArgs {
    /// What is asked.
    pub(super) fn rules(&self) -> KeepRules {
        KeepRules {
            last: self.keep_last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            within: self.keep_within,
            rest: serde_json::Map::new(),
        }
    }
}

/// Reads how many are kept; as in restic 0 is no rule.
fn count(text: &str) -> Result<i32, &'static str> {
    match text {
        "unlimited" => Ok(-1),
        _ => text.parse().ok().filter(|number| *number >= -1).ok_or(
            "it is not a number of backups: write how many are kept, or \"unlimited\" for all",
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn read(words: &[&str]) -> Result<KeepRules, clap::Error> {
        let command = KeepArgs::augment_args(Command::new("x").no_binary_name(true));
        let matches = command.try_get_matches_from(words)?;
        Ok(KeepArgs::from_arg_matches(&matches)?.rules())
    }

    #[test]
    fn every_flag_is_a_rule_of_its_own() {
        let words = "--keep-last 1 --keep-hourly 2 --keep-daily 3 --keep-weekly 4 --keep-monthly -1 \
                     --keep-yearly unlimited --keep-within 1y2h";
        let rules = read(&words.split_whitespace().collect::<Vec<_>>()).unwrap();
        let counts = [rules.last, rules.hourly, rules.daily, rules.weekly];
        assert_eq!(counts, [Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!((rules.monthly, rules.yearly), (Some(-1), Some(-1)));
        assert_eq!(rules.within.unwrap().to_string(), "1y2h");
        assert!(read(&[]).unwrap().is_empty());
        assert!(read(&["--keep-last", "0"]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_number_and_no_span_is_refused() {
        for words in [["--keep-last", "-2"], ["--keep-daily", "7d"], ["--keep-within", "2w"]] {
            assert!(read(&words).is_err(), "{words:?}");
        }
    }
}
