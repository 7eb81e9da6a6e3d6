//! What an upload consists of: parts of the sizes that S3 allows.

use bytes::{Bytes, BytesMut};

/// The size of the first parts. S3 takes no less than 5 MiB, but for the last.
const FIRST_SIZE: usize = 8 << 20;

/// Sizes double after so many parts, so that the 10,000 that S3 allows hold its 5 TiB. Until then
/// they are equal, as some stores will have it.
const PARTS_OF_A_SIZE: u32 = 1_000;

/// Joins and cuts what is written into parts.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    pending: BytesMut,
    cut: u32,
}

impl Cutter {
    /// Takes from `bytes` what fills a part; none if there is too little yet.
    ///
    /// To be called until `bytes` is empty.
    pub(super) fn cut(&mut self, bytes: &mut Bytes) -> Option<Bytes> {
        let size = size_of(self.cut);
        if self.pending.is_empty() && bytes.len() >= size {
            self.cut += 1;
            return Some(bytes.split_to(size));
        }
        if self.pending.capacity() < size {
            self.pending.reserve(size - self.pending.len());
        }
        let taken = bytes.split_to(bytes.len().min(size - self.pending.len()));
        self.pending.extend_from_slice(&taken);
        if self.pending.len() < size {
            return None;
        }
        self.cut += 1;
        Some(std::mem::take(&mut self.pending).freeze())
    }

    /// What is left for the last part.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.pending).freeze()
    }
}

/// The size of a part after `earlier` others.
fn size_of(earlier: u32) -> usize {
    FIRST_SIZE << (earlier / PARTS_OF_A_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_hold_the_largest_object() {
        let sizes = || (0..10_000).map(size_of);
        assert!(sizes().map(|size| size as u64).sum::<u64>() >= 5 << 40);
        assert!(sizes().all(|size| (5 << 20..=5 << 30).contains(&size)));
    }

    #[test]
    fn what_is_cut_is_what_was_written() {
        let body: Bytes =
            (0..20_u32 << 20).map(|i| (i / 7).to_le_bytes()[0]).collect::<Vec<_>>().into();
        for piece in [1 << 20, (3 << 20) + 1, 8 << 20, 20 << 20] {
            let parts = cut(&body, piece);
            let sizes: Vec<usize> = parts.iter().map(Bytes::len).collect();
            assert_eq!(sizes, [8 << 20, 8 << 20, 4 << 20], "{piece}");
            assert!(parts.concat() == body, "{piece}");
        }
    }

    fn cut(body: &Bytes, piece: usize) -> Vec<Bytes> {
        let mut cutter = Cutter::default();
        let mut parts = Vec::new();
        for start in (0..body.len()).step_by(piece) {
            let mut bytes = body.slice(start..body.len().min(start + piece));
            while !bytes.is_empty() {
                parts.extend(cutter.cut(&mut bytes));
            }
        }
        parts.push(cutter.rest());
        parts
    }
}
