//! How bytes are packed into a row: plain when small, compressed above a size.

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use std::io::{Read, Write};

/// Below this, compressing costs more time than the bytes are worth: a page of disk is 4 KiB anyway.
const COMPRESS_FROM: usize = 1024;

/// What unpacking may make of one row at most; more is damage or malice.
const UNPACKED_MAX: u64 = 1 << 30;

const PLAIN: u8 = b'p';
const ZLIB: u8 = b'z';

/// One byte that says how, then the bytes.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() >= COMPRESS_FROM {
        let mut encoder = ZlibEncoder::new(vec![ZLIB], Compression::fast());
        // Writing to memory cannot fail; were it to, the plain form below is right too.
        if encoder.write_all(bytes).is_ok()
            && let Ok(packed) = encoder.finish()
            && packed.len() < bytes.len()
        {
            return packed;
        }
    }
    let mut out = Vec::with_capacity(bytes.len() + 1);
    out.push(PLAIN);
    out.extend_from_slice(bytes);
    out
}

/// The bytes that were packed; the error is a fragment that says what is wrong with them.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    match packed.split_first() {
        Some((&PLAIN, bytes)) => Ok(bytes.to_vec()),
        Some((&ZLIB, bytes)) => {
            let mut out = Vec::new();
            ZlibDecoder::new(bytes).take(UNPACKED_MAX).read_to_end(&mut out).map_err(|error| format!("does not decompress ({error})"))?;
            Ok(out)
        }
        Some((other, _)) => Err(format!("has the unknown encoding {other:#04x}")),
        None => Err("is empty".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};

    #[test]
    fn what_is_packed_unpacks_to_the_same_bytes() {
        for len in [0, 1, 1023, 1024, 100_000] {
            let bytes: Vec<u8> = (0..len).map(|i: usize| (i % 7) as u8).collect();
            assert_eq!(unpack(&pack(&bytes)), Ok(bytes));
        }
    }

    #[test]
    fn repetitive_bytes_above_the_size_shrink() {
        assert!(pack(&vec![b'a'; 100_000]).len() < 1000);
    }

    #[test]
    fn a_flipped_byte_in_compressed_bytes_is_an_error() {
        let mut packed = pack(&vec![b'a'; 100_000]);
        let last = packed.len() - 1;
        packed[last] ^= 0xff;
        assert!(unpack(&packed).is_err());
    }
}
