//! Whether a gzip file is intact, whatever is in it.

use bowline_api::ByteStream;
use tokio::sync::mpsc;

use super::reader::{CHUNKS_WAITING, feed};
use super::unpack::{Feed, Unpack};
use super::{Error, Limits};

/// How much is unpacked at once.
const PIECE: usize = 64 << 10;

/// Unpacks a gzip file to its end, keeps nothing of it, and tells how many bytes it unpacks to.
///
/// Its checksums must match, and nothing may follow it. A checksum of 32 bits finds what an accident
/// did, and nothing that was done on purpose.
pub async fn check_gzip(stream: ByteStream, limits: Limits) -> Result<u64, Error> {
    let (sender, chunks) = mpsc::channel(CHUNKS_WAITING);
    let unpacked = tokio::task::spawn_blocking(move || {
        let mut unpack = Unpack::new(Feed::new(chunks), &limits);
        let mut piece = vec![0; PIECE];
        while unpack.fill(&mut piece)? > 0 {}
        Ok(unpack.offset())
    });
    let fed = feed(stream, sender).await;
    let unpacked = unpacked.await?;
    // A failed transfer looks like a truncated file from the other side.
    fed?;
    unpacked
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures::{StreamExt as _, stream};

    use super::super::testing::run;
    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(content).unwrap();
        gzip.finish().unwrap()
    }

    fn checked(content: &[u8]) -> Result<u64, Error> {
        let pieces: Vec<_> = content.chunks(7).map(|it| Ok(Bytes::copy_from_slice(it))).collect();
        run(check_gzip(stream::iter(pieces).boxed(), Limits::default()))
    }

    #[test]
    fn what_unpacks_to_its_end_is_intact() {
        let two = [packed(b"one "), packed(&vec![0; 200_000])].concat();
        assert_eq!(checked(&two).unwrap(), 200_004);
    }

    #[test]
    fn what_lost_a_bit_or_its_end_or_got_a_tail_is_not() {
        let good = packed(b"some text, long enough to be cut");
        assert!(matches!(checked(&good[..good.len() - 3]), Err(Error::Truncated(_))));
        let mut flipped = good.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        assert!(checked(&flipped).is_err());
        assert!(checked(&[&good[..], b"tail"].concat()).is_err());
        assert!(checked(b"no gzip at all").is_err());
    }
}
