//! Reading the log of a backup or a restore, also while it runs and from another machine.

use std::collections::HashMap;

use super::model::backup::Attempt;
use super::model::started::Started;
use super::store::{BackupKeys, BackupStore, Error, RestoreKeys, check_name};

/// Reads a log further each time it is asked.
#[derive(Debug)]
pub struct Reader<'a> {
    subject: Subject<'a>,
    /// The lines that were read, and how often each.
    read: Lines,
    /// Those of them that were in pieces.
    in_pieces: Lines,
    /// Whose pieces were read, and up to which.
    pieces: (String, u32),
}

/// What the log is of.
#[derive(Clone, Debug)]
enum Subject<'a> {
    Backup {
        store: &'a BackupStore,
        name: &'a str,
    },
    /// Its records lie in one of several places.
    Restore {
        places: Vec<&'a BackupStore>,
        name: &'a str,
    },
}

/// What a log says beyond what was read before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Whole lines, each ended.
    pub text: String,
    /// Whether more may come.
    pub state: State,
}

/// How a log is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is whole.
    Whole,
    /// What it is of runs, or was interrupted.
    Running,
    /// There is none, and there will be none.
    Absent,
}

type Lines = HashMap<String, usize>;

/// Where a part of a log lies.
struct Place<'a> {
    store: &'a BackupStore,
    /// The keys of the whole logs, in the order of the runs that wrote them.
    whole: Vec<String>,
    /// What is running: the prefix of its pieces; none if nothing is.
    pieces: Option<String>,
}

impl<'a> Reader<'a> {
    /// Reads the log of a backup.
    pub fn of_backup(store: &'a BackupStore, name: &'a str) -> Self {
        Self::new(Subject::Backup { store, name })
    }

    /// Reads the log of a restore, whose records may have been refused by the location.
    pub fn of_restore(
        store: &'a BackupStore,
        local_records: Option<&'a BackupStore>,
        name: &'a str,
    ) -> Self {
        let places = std::iter::once(store).chain(local_records).collect();
        Self::new(Subject::Restore { places, name })
    }

    fn new(subject: Subject<'a>) -> Self {
        let (read, in_pieces) = (Lines::new(), Lines::new());
        Self { subject, read, in_pieces, pieces: (String::new(), 0) }
    }

    /// Reads what was not read before.
    pub async fn read_on(&mut self) -> Result<Chunk, Error> {
        // First whether it runs: the log is written whole before it ends, and pieces go after that.
        let places = self.subject.places().await?;
        let running = places.iter().find_map(|it| Some((it.store, it.pieces.as_deref()?)));
        // A restore that was interrupted at its very end is resumed, and has more to say.
        let is_resumable = matches!(self.subject, Subject::Restore { .. }) && running.is_some();
        let state_of_whole = if is_resumable { State::Running } else { State::Whole };
        let whole = self.whole(&places).await?;
        if let (Some(text), State::Whole) = (&whole, state_of_whole) {
            return Ok(Chunk { text: text.clone(), state: State::Whole });
        }
        let Some((store, prefix)) = running else {
            return Ok(Chunk { text: String::new(), state: State::Absent });
        };
        let mut text = whole.unwrap_or_default();
        text.push_str(&self.pieces(store, prefix).await?);
        if text.is_empty() {
            // They may just have gone.
            if let Some(text) = self.whole(&places).await? {
                return Ok(Chunk { text, state: state_of_whole });
            }
        }
        if self.read.is_empty() {
            text = self.earlier().await?;
        }
        Ok(Chunk { text, state: State::Running })
    }

    async fn whole(&mut self, places: &[Place<'_>]) -> Result<Option<String>, Error> {
        for place in places {
            if let Some(text) = self.whole_in(place).await? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    async fn whole_in(&mut self, place: &Place<'_>) -> Result<Option<String>, Error> {
        let (mut found, mut lines) = (None, Lines::new());
        for key in &place.whole {
            let Some(text) = place.store.text(key).await? else { continue };
            let new = beyond(&mut self.read, &mut lines, &text);
            found.get_or_insert_with(String::new).push_str(&new);
        }
        Ok(found)
    }

    async fn pieces(&mut self, store: &BackupStore, prefix: &str) -> Result<String, Error> {
        if self.pieces.0 != prefix {
            self.pieces = (prefix.to_owned(), 0);
        }
        let mut text = String::new();
        for piece in store.pieces(&self.pieces.0, self.pieces.1).await? {
            text.push_str(&beyond(&mut self.read, &mut self.in_pieces, &piece.text));
            self.pieces.1 = piece.number;
        }
        Ok(text)
    }

    /// What a backup said before its first piece was written, if that is known.
    async fn earlier(&mut self) -> Result<String, Error> {
        let Subject::Backup { store, name } = self.subject else { return Ok(String::new()) };
        let started = store.readable::<Started>(&BackupKeys(name).pending()).await?;
        let text = started.map(|started| started.log.join("\n")).unwrap_or_default();
        Ok(beyond(&mut self.read, &mut Lines::new(), &text))
    }
}

impl<'a> Subject<'a> {
    async fn places(&self) -> Result<Vec<Place<'a>>, Error> {
        let mut found = Vec::new();
        match self {
            Self::Backup { name, .. } | Self::Restore { name, .. } if check_name(name).is_err() => {
            }
            Self::Backup { store, name } => found.push(of_backup(store, name).await?),
            Self::Restore { places, name } => {
                for store in places {
                    found.push(of_restore(store, name).await?);
                }
            }
        }
        Ok(found)
    }
}

async fn of_backup<'a>(store: &'a BackupStore, name: &str) -> Result<Place<'a>, Error> {
    let keys = BackupKeys(name);
    let is_over = store.exists(&keys.metadata()).await? || store.exists(&keys.tombstone()).await?;
    let attempt: Option<Attempt> =
        if is_over { None } else { store.readable(&keys.attempt()).await? };
    let pieces = attempt.map(|attempt| keys.running_log(&attempt.uid));
    Ok(Place { store, whole: vec![keys.logs()], pieces })
}

async fn of_restore<'a>(store: &'a BackupStore, name: &str) -> Result<Place<'a>, Error> {
    let keys = RestoreKeys(name);
    let Some(entry) = store.restore(name).await? else {
        return Ok(Place { store, whole: vec![keys.logs()], pieces: None });
    };
    let pieces = entry.is_unfinished().then(|| keys.running_log(&entry.record.uid));
    Ok(Place { store, whole: entry.logs, pieces })
}

/// The lines of a source that were not read from it, nor from another one, so many times.
fn beyond(read: &mut Lines, of_source: &mut Lines, text: &str) -> String {
    let mut new = String::new();
    for line in text.lines() {
        let count = of_source.entry(line.to_owned()).or_default();
        *count += 1;
        let known = read.entry(line.to_owned()).or_default();
        if *count > *known {
            *known = *count;
            new.push_str(line);
            new.push('\n');
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_often_as_the_source_that_has_it_most_often_says_it() {
        let (mut read, mut pieces) = (Lines::new(), Lines::new());
        assert_eq!(beyond(&mut read, &mut pieces, "a\nb\nb\n"), "a\nb\nb\n");
        assert_eq!(beyond(&mut read, &mut pieces, "b\nc"), "b\nc\n", "again in a later piece");
        let whole = "a\nb\nb\nb\nb\nc\nd\n";
        assert_eq!(beyond(&mut read, &mut Lines::new(), whole), "b\nd\n");
        assert_eq!(beyond(&mut read, &mut Lines::new(), whole), "");
    }
}
