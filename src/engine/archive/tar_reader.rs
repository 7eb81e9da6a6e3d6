//! Goes through a tar, and accepts no more of the format than Velero, GNU tar and we write.
//!
//! The `tar` crate reads extension headers of any size into memory and takes what follows the end
//! for granted, so headers are read here. Sources: POSIX `pax`, GNU tar's manual ("Basic Tar
//! Format"), and Go's `archive/tar`, with which Velero reads: what the three would read differently
//! is refused.

use super::error::shown;
use super::unpack::Unpack;
use super::{Error, Limits};

const BLOCK: usize = 512;

/// The largest extension header that is read, in bytes.
const LARGEST_EXTENSION: u64 = 64 << 10;

/// A regular file or a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TarEntry {
    /// Its name, of whatever characters.
    pub(super) name: String,
    pub(super) directory: bool,
    /// The size of its content in bytes; not above the limit.
    pub(super) size: usize,
}

/// Reads entry by entry. The content of each must be read before the next.
pub(super) struct TarReader {
    source: Unpack,
    item_bytes: u64,
}

impl TarReader {
    pub(super) fn new(source: Unpack, limits: &Limits) -> Self {
        Self { source, item_bytes: limits.item_bytes }
    }

    /// The next entry; none at the end, behind which there is nothing.
    pub(super) fn next(&mut self) -> Result<Option<TarEntry>, Error> {
        let mut overrides = Overrides::default();
        loop {
            let offset = self.source.offset();
            let Some(header) = self.header()? else {
                return overrides.check_unused(offset).map(|()| None);
            };
            match header.kind {
                b'L' => overrides.set_long_name(&self.extension(offset, header.size)?),
                b'x' => overrides.set_pax(&self.extension(offset, header.size)?),
                _ => return self.entry(header, overrides).map(Some),
            }
            .map_err(|reason| Error::Extension { offset, reason })?;
        }
    }

    /// Reads the content of an entry.
    pub(super) fn content(&mut self, entry: &TarEntry, into: &mut Vec<u8>) -> Result<(), Error> {
        into.clear();
        into.resize(entry.size.next_multiple_of(BLOCK), 0);
        let filled = self.source.fill(into)?;
        if filled < into.len() {
            return Err(Error::Truncated("inside an entry"));
        }
        into.truncate(entry.size);
        Ok(())
    }

    /// The size and the SHA-256, in lower-case hex, of the compressed archive.
    pub(super) fn finish(self) -> (u64, String) {
        self.source.finish()
    }

    fn entry(&self, header: Header, overrides: Overrides) -> Result<TarEntry, Error> {
        let name = overrides.name.unwrap_or(header.name);
        let name = String::from_utf8(name).map_err(|error| {
            Error::name(&String::from_utf8_lossy(error.as_bytes()), "it is not UTF-8")
        })?;
        let directory = match header.kind {
            b'0' | 0 => false,
            b'5' => true,
            kind => return Err(Error::Type { name: shown(&name), kind: char::from(kind) }),
        };
        let size = overrides.size.unwrap_or(header.size);
        let limit = if directory { 0 } else { self.item_bytes };
        match usize::try_from(size) {
            Ok(fits) if size <= limit => Ok(TarEntry { name, directory, size: fits }),
            _ => Err(Error::TooLarge { name: shown(&name), size, limit }),
        }
    }

    fn header(&mut self) -> Result<Option<Header>, Error> {
        let offset = self.source.offset();
        let mut block = [0; BLOCK];
        if self.source.fill(&mut block)? < BLOCK {
            return Err(Error::Truncated("without the two empty blocks that close a tar"));
        }
        if block == [0; BLOCK] {
            return self.end().map(|()| None);
        }
        Header::parse(&block).map(Some).map_err(|reason| Error::Tar { offset, reason })
    }

    /// Reads the second empty block, and the padding that GNU tar adds, to the end of the file.
    fn end(&mut self) -> Result<(), Error> {
        let mut block = [0; BLOCK];
        if self.source.fill(&mut block)? < BLOCK {
            return Err(Error::Truncated("without the two empty blocks that close a tar"));
        }
        let mut filled = BLOCK;
        while filled > 0 {
            if block[..filled].iter().any(|&byte| byte != 0) {
                return Err(Error::Trailing(self.source.offset() - filled as u64));
            }
            filled = self.source.fill(&mut block)?;
        }
        Ok(())
    }

    fn extension(&mut self, offset: u64, size: u64) -> Result<Vec<u8>, Error> {
        match usize::try_from(size) {
            Ok(fits) if size <= LARGEST_EXTENSION => {
                let entry = TarEntry { name: String::new(), directory: false, size: fits };
                let mut data = Vec::new();
                self.content(&entry, &mut data)?;
                Ok(data)
            }
            _ => Err(Error::Extension { offset, reason: "it is too large" }),
        }
    }
}

struct Header {
    name: Vec<u8>,
    size: u64,
    kind: u8,
}

impl Header {
    fn parse(block: &[u8; BLOCK]) -> Result<Self, &'static str> {
        let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        let blank = u64::from(b' ') * 8;
        let actual = sum(&block[..148]) + blank + sum(&block[156..]);
        if number(&block[148..156]) != Some(actual) {
            return Err("has a wrong checksum");
        }
        let size = number(&block[124..136]).ok_or("has no valid size")?;
        Ok(Self { name: name(block)?, size, kind: block[156] })
    }
}

/// Reads the name, with its prefix where the dialect of the header has one.
///
/// Readers tell the dialects apart in different ways, and then see different names: Go takes a
/// shorter prefix where a header ends in `tar`, and one for GNU's if the times there are none.
fn name(block: &[u8; BLOCK]) -> Result<Vec<u8>, &'static str> {
    let name = until_nul(&block[..100]);
    let prefix = match &block[257..265] {
        b"ustar\x0000" if block[500..] == [0; 12] => until_nul(&block[345..500]),
        b"ustar  \0" if [345..357, 357..369].into_iter().all(|at| is_time(&block[at])) => b"",
        b"\0\0\0\0\0\0\0\0" => b"",
        _ => return Err("is in a dialect that readers take differently"),
    };
    Ok(if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() })
}

fn is_time(field: &[u8]) -> bool {
    field[0] == 0 || number(field).is_some()
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Reads a number in octal digits, or in GNU's binary form if that fits.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_last_chunk()?;
        let fits = high.first() == Some(&0x80) && high[1..].iter().all(|&byte| byte == 0);
        return fits.then(|| u64::from_be_bytes(*low));
    }
    let digits = str::from_utf8(until_nul(field)).ok()?.trim_matches(' ');
    let octal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    if octal { u64::from_str_radix(digits, 8).ok() } else { None }
}

/// What extension headers say of the next entry.
#[derive(Default)]
struct Overrides {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    pax: bool,
}

impl Overrides {
    fn check_unused(&self, offset: u64) -> Result<(), Error> {
        if self.name.is_some() || self.pax {
            return Err(Error::Extension { offset, reason: "no entry follows it" });
        }
        Ok(())
    }

    fn set_long_name(&mut self, data: &[u8]) -> Result<(), &'static str> {
        self.set_name(data.strip_suffix(b"\0").unwrap_or(data))
    }

    fn set_pax(&mut self, mut data: &[u8]) -> Result<(), &'static str> {
        if std::mem::replace(&mut self.pax, true) {
            return Err("another one precedes it");
        }
        while !data.is_empty() {
            let (key, value, rest) = pax_record(data).ok_or("its records are damaged")?;
            match key {
                b"path" => self.set_name(value)?,
                b"size" => self.set_size(value)?,
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err("sparse files are not accepted");
                }
                _ => {}
            }
            data = rest;
        }
        Ok(())
    }

    fn set_name(&mut self, name: &[u8]) -> Result<(), &'static str> {
        let earlier = self.name.replace(name.to_vec());
        if earlier.is_some() { Err("it names the entry a second time") } else { Ok(()) }
    }

    fn set_size(&mut self, value: &[u8]) -> Result<(), &'static str> {
        let size = str::from_utf8(value).ok().and_then(decimal).ok_or("its size is no number")?;
        let earlier = self.size.replace(size);
        if earlier.is_some() { Err("it sizes the entry a second time") } else { Ok(()) }
    }
}

/// Splits `LENGTH KEY=VALUE\n` off, where the length is that of the whole record.
fn pax_record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().take(8).position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(str::from_utf8(&data[..space]).ok()?)?).ok()?;
    let (record, rest) = data.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], rest))
}

fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
