//! Tars that say one thing to one reader and another to the next, or that hold what no backup holds.

use super::Case;
use super::craft::{Tar, header, path, set_checksum};

/// Only an entry of this type, with the name of an item.
fn of_type(kind: u8) -> Vec<u8> {
    Tar::new().entry(kind, path("pods/shop/web"), b"").closed()
}

fn sized(field: &[u8; 12]) -> Vec<u8> {
    Tar::new().patched(&[(124, field)]).closed()
}

const WEB: &str = "resources/pods/namespaces/shop/web.json";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a hard link",
        || of_type(b'1'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type '1'; only regular files are accepted",
    ),
    Case::new(
        "a symbolic link",
        || of_type(b'2'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type '2'; only regular files are accepted",
    ),
    Case::new(
        "a character device",
        || of_type(b'3'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type '3'; only regular files are accepted",
    ),
    Case::new(
        "a block device",
        || of_type(b'4'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type '4'; only regular files are accepted",
    ),
    Case::new(
        "a pipe",
        || of_type(b'6'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type '6'; only regular files are accepted",
    ),
    Case::new(
        "a contiguous file",
        || of_type(b'7'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type '7'; only regular files are accepted",
    ),
    Case::new(
        "a global extension header",
        || of_type(b'g'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'g'; only regular files are accepted",
    ),
    Case::new(
        "a long link",
        || of_type(b'K'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'K'; only regular files are accepted",
    ),
    Case::new(
        "a sparse file of GNU",
        || of_type(b'S'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'S'; only regular files are accepted",
    ),
    Case::new(
        "a volume header",
        || of_type(b'V'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'V'; only regular files are accepted",
    ),
    Case::new(
        "a continued file",
        || of_type(b'M'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'M'; only regular files are accepted",
    ),
    Case::new(
        "a dumped directory",
        || of_type(b'D'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'D'; only regular files are accepted",
    ),
    Case::new(
        "a file with a name of old",
        || of_type(b'N'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'N'; only regular files are accepted",
    ),
    Case::new(
        "an access list of Solaris",
        || of_type(b'A'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'A'; only regular files are accepted",
    ),
    Case::new(
        "an extension of Solaris",
        || of_type(b'X'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'X'; only regular files are accepted",
    ),
    Case::new(
        "a type that does not exist",
        || of_type(b'Z'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'Z'; only regular files are accepted",
    ),
    Case::new(
        "an inode",
        || of_type(b'I'),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'I'; only regular files are accepted",
    ),
    Case::new(
        "a type that is no character",
        || of_type(200),
        "entry \"resources/pods/namespaces/shop/web.json\" is of type 'È'; only regular files are accepted",
    ),
    Case::new(
        "a symbolic link with a long name",
        || Tar::new().long_name("x/y").entry(b'2', "z", b"").closed(),
        "entry \"x/y\" is of type '2'; only regular files are accepted",
    ),
    Case::new(
        "a negative size",
        || sized(&[0xff; 12]),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size of minus two in base 256",
        || sized(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size beyond 64 bits",
        || sized(b"\x80\0\0\x01\0\0\0\0\0\0\0\0"),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size with other bits in front",
        || sized(b"\x81\0\0\0\0\0\0\0\0\0\0\0"),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size in decimal digits",
        || sized(b"00000000089\0"),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size with a sign",
        || sized(b"-0000000001\0"),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size of blanks",
        || sized(b"            "),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size of zero bytes",
        || sized(&[0; 12]),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size with a gap",
        || sized(b"0000 000001\0"),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size in hexadecimal",
        || sized(b"0x000000001\0"),
        "the archive is not intact tar: the header at byte 1024 has no valid size",
    ),
    Case::new(
        "a size of a byte too many",
        || sized(b"00020000001\0"),
        "\"resources/pods/namespaces/shop/web.json\" has 4194305 bytes, at most 4194304 are accepted",
    ),
    Case::new(
        "the largest octal size",
        || sized(b"777777777777"),
        "\"resources/pods/namespaces/shop/web.json\" has 68719476735 bytes, at most 4194304 are accepted",
    ),
    Case::new(
        "a size of exabytes",
        || sized(b"\x80\0\0\0\x10\0\0\0\0\0\0\0"),
        "\"resources/pods/namespaces/shop/web.json\" has 1152921504606846976 bytes, at most 4194304 are accepted",
    ),
    Case::new(
        "the largest size",
        || sized(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
        "\"resources/pods/namespaces/shop/web.json\" has 18446744073709551615 bytes, at most 4194304 are accepted",
    ),
    Case::new(
        "a terabyte by an extension",
        || Tar::new().pax(&[("size", "1099511627776")]).item("pods/shop/web").closed(),
        "\"resources/pods/namespaces/shop/web.json\" has 1099511627776 bytes, at most 4194304 are accepted",
    ),
    Case::new(
        "a directory with content",
        || Tar::new().raw(&header(b'5', b"resources/", 512)).raw(&[b'x'; 512]).closed(),
        "\"resources/\" has 512 bytes, at most 0 are accepted",
    ),
    Case::new(
        "a size that hides the next header",
        || {
            Tar::new()
                .raw(&header(b'0', b"notes", 1024))
                .raw(&[b'x'; 512])
                .item("pods/shop/web")
                .closed()
        },
        "the archive is not intact tar: the header at byte 2560 has a wrong checksum",
    ),
    Case::new(
        "a size that is too small",
        || Tar::new().raw(&header(b'0', b"notes", 1)).raw(&[b'x'; 1024]).closed(),
        "the archive is not intact tar: the header at byte 2048 has a wrong checksum",
    ),
    Case::new(
        "a checksum that is off by one",
        || {
            let mut header = header(b'0', WEB.as_bytes(), 0);
            header[0] += 1;
            Tar::new().raw(&header).closed()
        },
        "the archive is not intact tar: the header at byte 1024 has a wrong checksum",
    ),
    Case::new(
        "a checksum of zero bytes",
        || {
            let mut header = header(b'0', WEB.as_bytes(), 0);
            header[148..156].fill(0);
            Tar::new().raw(&header).closed()
        },
        "the archive is not intact tar: the header at byte 1024 has a wrong checksum",
    ),
    Case::new(
        "a checksum in base 256",
        || {
            let mut header = header(b'0', WEB.as_bytes(), 0);
            set_checksum(&mut header);
            header[148] = 0x80;
            Tar::new().raw(&header).closed()
        },
        "the archive is not intact tar: the header at byte 1024 has a wrong checksum",
    ),
    Case::new(
        "text instead of a header",
        || Tar::new().raw(&[b'x'; 512]).closed(),
        "the archive is not intact tar: the header at byte 1024 has a wrong checksum",
    ),
    Case::new(
        "a header of star",
        || Tar::new().patched(&[(345, b"notes"), (508, b"tar\0")]).closed(),
        "the archive is not intact tar: the header at byte 1024 is in a dialect that readers take differently",
    ),
    Case::new(
        "a header with another version",
        || Tar::new().patched(&[(263, b"99")]).closed(),
        "the archive is not intact tar: the header at byte 1024 is in a dialect that readers take differently",
    ),
    Case::new(
        "a header with another magic",
        || Tar::new().patched(&[(257, b"matar\0")]).closed(),
        "the archive is not intact tar: the header at byte 1024 is in a dialect that readers take differently",
    ),
    Case::new(
        "a header of GNU with a name among its times",
        || Tar::new().patched(&[(257, b"ustar  \0"), (345, b"resources/")]).closed(),
        "the archive is not intact tar: the header at byte 1024 is in a dialect that readers take differently",
    ),
    Case::new(
        "a header of GNU with a time that is none",
        || Tar::new().patched(&[(257, b"ustar  \0"), (357, b"99999999999\0")]).closed(),
        "the archive is not intact tar: the header at byte 1024 is in a dialect that readers take differently",
    ),
    Case::new(
        "a tar without an end",
        || Tar::new().item("pods/shop/web").open(),
        "the archive is truncated: it ends without the two empty blocks that close a tar",
    ),
    Case::new(
        "a tar with half of its end",
        || Tar::new().item("pods/shop/web").raw(&[0; 512]).open(),
        "the archive is truncated: it ends without the two empty blocks that close a tar",
    ),
    Case::new(
        "a tar that ends inside an entry",
        || Tar::new().raw(&header(b'0', b"notes", 4096)).raw(&[b'x'; 512]).open(),
        "the archive is truncated: it ends inside an entry",
    ),
    Case::new(
        "a tar that ends inside an extension",
        || Tar::new().raw(&header(b'x', b"x", 4096)).raw(&[b'x'; 512]).open(),
        "the archive is truncated: it ends inside an entry",
    ),
    Case::new(
        "an item behind the end",
        || Tar::new().raw(&[0; 1024]).item("pods/shop/web").closed(),
        "the archive has data behind its end, at byte 2048",
    ),
    Case::new(
        "an item after one empty block",
        || Tar::new().raw(&[0; 512]).item("pods/shop/web").closed(),
        "the archive has data behind its end, at byte 1536",
    ),
    Case::new(
        "a byte in the padding behind the end",
        || Tar::new().raw(&[0; 9000]).raw(b"x").open(),
        "the archive has data behind its end, at byte 10240",
    ),
    Case::new(
        "an archive of a later format",
        || Tar::default().file("metadata/version", b"2.0.0\n").closed(),
        "the archive has format version \"2.0.0\", of which only 1.x is known",
    ),
    Case::new(
        "an archive of format ten",
        || Tar::default().file("metadata/version", b"10").closed(),
        "the archive has format version \"10\", of which only 1.x is known",
    ),
    Case::new(
        "an archive of no format",
        || Tar::default().file("metadata/version", b"").closed(),
        "the archive has format version \"\", of which only 1.x is known",
    ),
    Case::new(
        "an archive of a format in words",
        || Tar::default().file("metadata/version", b"one").closed(),
        "the archive has format version \"one\", of which only 1.x is known",
    ),
    Case::new(
        "an archive of a format with a rest",
        || Tar::default().file("metadata/version", b"1.1.0\nmore").closed(),
        "the archive has format version \"1.1.0\\nmore\", of which only 1.x is known",
    ),
    Case::new(
        "an archive of a format with blanks",
        || Tar::default().file("metadata/version", b" 1.1.0").closed(),
        "the archive has format version \" 1.1.0\", of which only 1.x is known",
    ),
    Case::new(
        "an archive of a format with an empty part",
        || Tar::default().file("metadata/version", b"1..0").closed(),
        "the archive has format version \"1..0\", of which only 1.x is known",
    ),
    Case::new(
        "an archive of a very long format",
        || Tar::default().file("metadata/version", b"1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1").closed(),
        "the archive has format version \"1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1\", of which only 1.x is known",
    ),
    Case::new(
        "two versions of the format",
        || Tar::new().file("metadata/version", b"1.1.0").closed(),
        "item metadata/version is there more than once",
    ),
];
