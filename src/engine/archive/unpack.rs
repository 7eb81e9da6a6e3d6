//! From the stream of a store to the bytes of the tar, with an eye on bombs.

use std::io::{self, BufRead, Read};

use bytes::{Buf as _, Bytes};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::Receiver;

use super::digest::hex;
use super::{Error, Limits};

/// The compressed bytes, as a blocking reader on the far side of a channel.
pub(super) struct Feed {
    chunks: Receiver<Bytes>,
    chunk: Bytes,
    size: u64,
    digest: Sha256,
}

impl Feed {
    /// Reads what is sent to `chunks`, to the end of the channel.
    pub(super) fn new(chunks: Receiver<Bytes>) -> Self {
        Self { chunks, chunk: Bytes::new(), size: 0, digest: Sha256::new() }
    }
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            let Some(chunk) = self.chunks.blocking_recv() else { break };
            self.digest.update(&chunk);
            self.chunk = chunk;
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, count: usize) {
        self.chunk.advance(count);
        self.size += count as u64;
    }
}

/// The unpacked bytes.
pub(super) struct Unpack {
    gzip: MultiGzDecoder<Feed>,
    offset: u64,
    total_bytes: u64,
    ratio: u64,
    unsuspicious_bytes: u64,
}

impl Unpack {
    /// Unpacks all members of a gzip.
    pub(super) fn new(feed: Feed, limits: &Limits) -> Self {
        let &Limits { total_bytes, ratio, unsuspicious_bytes, .. } = limits;
        let gzip = MultiGzDecoder::new(feed);
        Self { gzip, offset: 0, total_bytes, ratio, unsuspicious_bytes }
    }

    /// How many bytes were read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Fills `buffer`, or as much of it as there is.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < buffer.len() {
            let count = self.gzip.read(&mut buffer[filled..]).map_err(gzip_error)?;
            if count == 0 {
                break;
            }
            filled += count;
            self.offset += count as u64;
            self.check()?;
        }
        Ok(filled)
    }

    /// The size and the SHA-256, in lower-case hex, of the compressed bytes.
    pub(super) fn finish(self) -> (u64, String) {
        let feed = self.gzip.into_inner();
        (feed.size, hex(feed.digest))
    }

    fn check(&self) -> Result<(), Error> {
        let compressed = self.gzip.get_ref().size;
        if self.offset > self.total_bytes {
            return Err(Error::TooMuch(self.total_bytes));
        }
        let believed = compressed.saturating_mul(self.ratio);
        if self.offset > self.unsuspicious_bytes.saturating_add(believed) {
            return Err(Error::Ratio(self.ratio));
        }
        Ok(())
    }
}

fn gzip_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::Truncated("inside its compressed data"),
        _ => Error::Gzip(error),
    }
}
