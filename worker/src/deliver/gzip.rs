//! One gzip member of a block, as hard compressed as pays for what is in it.
//!
//! Calibrated images are mostly noise: nothing in them comes twice, and only the frequencies of
//! their bytes can be used (Huffman coding alone). Tables and masks repeat themselves (LZ77 as
//! well). A sample of the block tells which it is.
//!
//! There are two deflate libraries because neither does both well. On float noise `zlib-rs` with
//! Huffman codes alone packs 161 MiB/s on one thread into 83.8 %, `libdeflate`, which always looks for
//! repeats, 108 MiB/s into 83.6 %: with it alone packaging would be six times as fast as Python's
//! `tarfile`, where eight are promised. On a raw frame of integers `libdeflate` at level 1 gives
//! 39.6 %, Huffman codes alone 41.7 % at two thirds of the speed, and `zlib-rs` at its level 6, the
//! first that packs as well (36.8 %), an eighth of it.

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};
use zlib_rs::{DeflateConfig, ReturnCode, Strategy};

/// Images that repeat themselves a little: more than this takes long and gives nothing.
const FAST: i32 = 1;
/// Tables and masks shrink by another tenth at this level, and quickly.
const SMALL: i32 = 6;
/// How much of a block is looked at, in bytes.
const SAMPLE: usize = 32 << 10;
/// What gzip adds to the format that zlib's bound is for, and some.
const WRAPPING: usize = 64;

/// A member could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a block could not be compressed: {0}")]
pub(super) struct GzipError(String);

/// How a block is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// By the frequencies of its bytes alone.
    HuffmanOnly,
    /// By what comes twice as well, at a level of libdeflate.
    Lz77(i32),
}

/// One gzip member.
pub(super) fn member(block: &[u8]) -> Result<Bytes, GzipError> {
    match method(block)? {
        Method::HuffmanOnly => huffman_only(block),
        Method::Lz77(level) => lz77(level, block),
    }
}

/// What pays, from a stretch in the middle of the block.
fn method(block: &[u8]) -> Result<Method, GzipError> {
    let start = (block.len() / 2).saturating_sub(SAMPLE / 2);
    let sample = block.get(start..).unwrap_or_default();
    let sample = sample.get(..SAMPLE).unwrap_or(sample);
    let found = lz77(FAST, sample)?.len();
    Ok(if found < sample.len() / 2 {
        Method::Lz77(SMALL)
    } else if least_by_huffman(sample) <= found {
        Method::HuffmanOnly
    } else {
        Method::Lz77(FAST)
    })
}

/// The bytes it takes at least when only the frequencies are used: the entropy of the sample.
#[allow(clippy::cast_precision_loss, reason = "a sample is small")]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no more than the sample has"
)]
fn least_by_huffman(sample: &[u8]) -> usize {
    let mut counts = [0_u32; 256];
    for byte in sample {
        counts[usize::from(*byte)] += 1;
    }
    let all = sample.len() as f64;
    let seen = counts.iter().filter(|count| **count > 0);
    let bits: f64 = seen
        .map(|count| f64::from(*count) * (all / f64::from(*count)).log2())
        .sum();
    (bits / 8.0) as usize
}

fn huffman_only(block: &[u8]) -> Result<Bytes, GzipError> {
    let config = DeflateConfig {
        // 15 bits of window, and 16 for gzip instead of zlib around it.
        window_bits: 15 + 16,
        strategy: Strategy::HuffmanOnly,
        ..DeflateConfig::default()
    };
    let mut member = vec![0; zlib_rs::compress_bound(block.len()) + WRAPPING];
    let size = match zlib_rs::compress_slice(&mut member, block, config) {
        (written, ReturnCode::Ok) => written.len(),
        (_, code) => return Err(GzipError(format!("{code:?}"))),
    };
    member.truncate(size);
    Ok(Bytes::from(member))
}

fn lz77(level: i32, block: &[u8]) -> Result<Bytes, GzipError> {
    let level = CompressionLvl::new(level).map_err(|_| GzipError("unknown level".to_owned()))?;
    let mut compressor = Compressor::new(level);
    let mut member = vec![0; compressor.gzip_compress_bound(block.len())];
    let size = compressor
        .gzip_compress(block, &mut member)
        .map_err(|error| GzipError(error.to_string()))?;
    member.truncate(size);
    Ok(Bytes::from(member))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::io::Read as _;

    /// Floats as detectors give them, about 100 with a width of 10.
    fn noise(count: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(1);
        let mut normal = || (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
        (0..count)
            .flat_map(|_| (100.0 + 10.0 * normal()).to_be_bytes())
            .collect()
    }

    fn table(rows: u32) -> Vec<u8> {
        (0..rows)
            .flat_map(|row| (row / 100).to_be_bytes())
            .collect()
    }

    #[test]
    fn noise_is_compressed_huffman_only_and_tables_by_lz77() {
        assert_eq!(method(&noise(1 << 18)).unwrap(), Method::HuffmanOnly);
        assert_eq!(method(&table(1 << 18)).unwrap(), Method::Lz77(SMALL));
        let text: Vec<u8> = noise(1 << 17)
            .chunks(64)
            .flat_map(|chunk| [chunk, &chunk[..40]].concat())
            .collect();
        assert_eq!(method(&text).unwrap(), Method::Lz77(FAST));
    }

    #[test]
    fn no_block_is_larger_than_the_slower_way_makes_it() {
        for block in [noise(1 << 18), table(1 << 18)] {
            let best = (1..=12).map(|level| lz77(level, &block).unwrap().len());
            let best = best.min().unwrap();
            let ours = member(&block).unwrap().len();
            assert!(ours <= best + best / 50, "{ours} {best}");
        }
    }

    #[test]
    fn every_member_gives_its_block_back() {
        let mut random = vec![0; 1 << 20];
        fastrand::Rng::with_seed(2).fill(&mut random);
        for block in [vec![], vec![7], random, noise(1 << 18), table(1 << 18)] {
            for member in [
                member(&block).unwrap(),
                huffman_only(&block).unwrap(),
                lz77(SMALL, &block).unwrap(),
            ] {
                let mut back = Vec::new();
                let mut reader = flate2::read::GzDecoder::new(&*member);
                reader.read_to_end(&mut back).unwrap();
                assert_eq!(back, block);
                assert!(member.len() <= block.len() + block.len() / 500 + 64);
            }
        }
    }
}
