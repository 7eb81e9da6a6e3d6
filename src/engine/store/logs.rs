//! Reading logs: whole ones, and the pieces of those that are still written.

use super::backup_store::{BackupStore, Error};
use super::document::unpack;
use super::layout::{piece, piece_number};

/// A piece of the log of an operation that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its number; pieces come in the order of their numbers.
    pub number: u32,
    /// Whole lines.
    pub text: String,
}

impl BackupStore {
    /// Reads a packed text; none if there is none. What is no UTF-8 is replaced.
    pub async fn text(&self, key: &str) -> Result<Option<String>, Error> {
        let Some(packed) = self.bytes_if_there(key).await? else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(&unpack(key, &packed)?).into_owned()))
    }

    /// Reads the pieces of a log that come after the number, in order.
    ///
    /// One that went meanwhile is left out: then the whole log is there.
    pub async fn pieces(&self, prefix: &str, after: u32) -> Result<Vec<Piece>, Error> {
        let mut pieces = Vec::new();
        for number in self.numbers(prefix).await? {
            if number <= after {
                continue;
            }
            if let Some(text) = self.text(&piece(prefix, number)).await? {
                pieces.push(Piece { number, text });
            }
        }
        Ok(pieces)
    }

    /// The number of the last piece of a log, 0 if there is none.
    pub(super) async fn last_piece(&self, prefix: &str) -> Result<u32, Error> {
        Ok(self.numbers(prefix).await?.last().copied().unwrap_or_default())
    }

    async fn numbers(&self, prefix: &str) -> Result<Vec<u32>, Error> {
        let keys = self.keys(prefix).await?;
        let mut numbers: Vec<_> = keys.iter().filter_map(|key| piece_number(prefix, key)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}
