//! The labels of backups and restores: how they are given, and how they are shown.

use clap::Args;

use super::selection::Labels;
use crate::cli::table::Table;
use crate::cli::values;

/// What is put on a backup or a restore.
#[derive(Args, Clone, Debug, Default)]
pub struct MetadataArgs {
    /// Labels to find it by
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = values::label)]
    pub labels: Vec<(String, String)>,
    /// Annotations, which hold any text
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::annotation)]
    pub annotations: Vec<(String, String)>,
}

/// Which labels a table shows.
#[derive(Args, Clone, Debug, Default)]
pub struct LabelColumnArgs {
    /// Labels that get a column each
    #[arg(short = 'L', long, value_name = "KEY", value_delimiter = ',')]
    pub label_columns: Vec<String>,
    /// Show all labels in a last column
    #[arg(long)]
    pub show_labels: bool,
}

impl LabelColumnArgs {
    /// Adds the columns; a row without the label has none there.
    pub(super) fn add_to<const N: usize>(&self, table: &mut Table<N>, rows: &[Option<&Labels>]) {
        for key in &self.label_columns {
            let name = key.rsplit('/').next().unwrap_or(key);
            let cells = rows.iter().map(|labels| {
                labels.and_then(|labels| labels.get(key)).cloned().unwrap_or_default()
            });
            table.add_column(name, cells);
        }
        if self.show_labels {
            let cells = rows.iter().map(|labels| labels.map(joined).unwrap_or_default());
            table.add_column("LABELS", cells);
        }
    }
}

/// `team=web,tier=front`
pub(super) fn joined(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_name_of_the_label_without_its_domain() {
        let labels = Labels::from([
            ("example.com/team".to_owned(), "web".to_owned()),
            ("tier".to_owned(), "front".to_owned()),
        ]);
        let mut table = Table::new(["NAME"]);
        table.extend([["a".to_owned()], ["b".to_owned()]]);
        let keys = ["example.com/team".to_owned(), "other".to_owned()];
        let args = LabelColumnArgs { label_columns: keys.to_vec(), show_labels: true };
        args.add_to(&mut table, &[Some(&labels), None]);
        let expected = "\
NAME   TEAM     OTHER    LABELS
a      web      <none>   example.com/team=web,tier=front
b      <none>   <none>   <none>
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn an_annotation_may_hold_commas_and_labels_are_parted_by_them() {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            metadata: MetadataArgs,
        }
        let words = ["x", "--labels", "a=1,b=2", "--annotations", "a=1,b=2", "--annotations", "c="];
        let Cli { metadata } = clap::Parser::parse_from(words);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(metadata.labels, [pair("a", "1"), pair("b", "2")]);
        assert_eq!(metadata.annotations, [pair("a", "1,b=2"), pair("c", "")]);
    }
}
