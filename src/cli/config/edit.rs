//! Changing the configuration file; comments and order stay.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;
use toml_edit::{Item, Table, value};

use super::{Config, Error, Named};
use crate::engine::model::location::Location;
use crate::engine::model::names::check_backup;

impl Config {
    /// Adds a location under a new name.
    pub(in crate::cli) fn add(&mut self, name: &str, location: Location) -> Result<(), Error> {
        check_backup(name)?;
        if self.locations.iter().any(|named| named.name == name) {
            return Err(Error::NameInUse { name: name.to_owned(), path: self.path.clone() });
        }
        let mut entry = Table::new();
        entry.insert("url", value(location.to_string()));
        let all = self.document.entry("locations").or_insert_with(implicit);
        if let Some(all) = all.as_table_like_mut() {
            all.insert(name, Item::Table(entry));
        }
        self.locations.push(Named { name: name.to_owned(), location });
        Ok(())
    }

    /// Makes a location the one that is used where none is asked for.
    pub(in crate::cli) fn set_default(&mut self, name: &str) -> Result<(), Error> {
        self.location(name)?;
        self.document.insert("default", value(name));
        self.default = Some(name.to_owned());
        Ok(())
    }

    /// Removes a location; if it was the default there is none afterwards.
    pub(in crate::cli) fn remove(&mut self, name: &str) -> Result<(), Error> {
        self.location(name)?;
        if let Some(all) = self.document.get_mut("locations").and_then(Item::as_table_like_mut) {
            all.remove(name);
        }
        self.locations.retain(|named| named.name != name);
        if self.default.as_deref() == Some(name) {
            self.document.remove("default");
            self.default = None;
        }
        Ok(())
    }

    /// Writes the file, whole or not at all; only its owner may read it.
    pub(in crate::cli) fn save(&self) -> Result<(), Error> {
        // A link stays one: what it points to is replaced.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        replace(&path, &self.document.to_string()).map_err(|source| Error::File {
            operation: "write",
            path,
            source,
        })
    }
}

fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    fs::create_dir_all(directory)?;
    // A temporary file is readable by its owner only, and stays so.
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const TEXT: &str = "\
# mine
default = \"lab\" # for now

[locations.lab]
url = \"file:///lab\"

# the other
[locations.far]
url = \"file:///far\"
";

    #[test]
    fn comments_and_order_stay() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/config.toml");
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, TEXT).unwrap();
        let mut config = Config::read(&path).unwrap();
        config.add("new", "file:///new".parse().unwrap()).unwrap();
        config.save().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{TEXT}\n[locations.new]\nurl = \"file:///new\"\n"));
        config.remove("new").unwrap();
        config.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), TEXT);
        config.remove("lab").unwrap();
        config.save().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("# the other") && !text.contains("lab"), "{text}");
        assert_eq!(Config::read(&path).unwrap().default, None);
    }

    #[test]
    fn the_first_one_makes_a_file_that_only_its_owner_reads() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/config.toml");
        let mut config = Config::read(&path).unwrap();
        config.add("lab", "file:///lab".parse().unwrap()).unwrap();
        config.set_default("lab").unwrap();
        config.save().unwrap();
        let expected = "default = \"lab\"\n\n[locations.lab]\nurl = \"file:///lab\"\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_stays_a_link() {
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("real.toml"), home.path().join("config.toml"));
        fs::write(&real, TEXT).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut config = Config::read(&link).unwrap();
        config.set_default("far").unwrap();
        config.save().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("default = \"far\""));
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut config = Config::read(Path::new("/nowhere/config.toml")).unwrap();
        config.add("lab", "file:///lab".parse().unwrap()).unwrap();
        let again = config.add("lab", "file:///other".parse().unwrap());
        assert!(matches!(again, Err(Error::NameInUse { .. })), "{again:?}");
        assert!(matches!(config.remove("lap"), Err(Error::UnknownLocation { .. })));
        let invalid = config.add("a/b", "file:///x".parse().unwrap());
        assert!(matches!(invalid, Err(Error::InvalidName(_))), "{invalid:?}");
    }
}
