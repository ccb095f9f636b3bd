//! The only sources of chance: a seeded stream for order and sampling, and a draw that is a pure
//! function of its name, the same in any order and at any concurrency.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::json;

use super::Digest;

/// Bytes that differ from call to call: the keys of the standard library's hasher come from the
/// operating system's random source. They name things and decide nothing.
#[must_use]
pub fn fresh_bytes<const N: usize>() -> [u8; N] {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let words = std::iter::repeat_with(|| RandomState::new().build_hasher().finish().to_be_bytes());
    let mut bytes = [0; N];
    for (byte, random) in bytes.iter_mut().zip(words.flatten()) {
        *byte = random;
    }
    bytes
}

/// A stream of random numbers that its seed and purpose fix for ever (PCG XSL 128/64 MCG).
#[derive(Debug, Clone)]
pub struct Stream(Pcg64Mcg);

impl Stream {
    /// The stream of this seed for one purpose; different purposes are independent.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let digest = Digest::of_json(&json!([seed.to_string(), purpose]));
        Self(Pcg64Mcg::seed_from_u64(digest.leading_u64()))
    }

    /// A number below `bound`, each equally likely; 0 for a bound of 0. (Lemire's method without
    /// the rejection step: the bias is below 2^-32 for every bound up to 2^32.)
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.0.next_u64()) * (bound as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number in [0, 1) with 53 bits.
    pub fn unit(&mut self) -> f64 {
        unit_interval(self.0.next_u64())
    }

    /// Puts a list into random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The upper 53 bits of a word as a number in [0, 1).
#[must_use]
pub fn unit_interval(word: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let numerator = (word >> 11) as f64;
    numerator / 9_007_199_254_740_992.0
}

/// A draw by name, formats.md section 9: SHA-256 over the canonical JSON of
/// `[seed, stream, subject, repeat]`.
#[must_use]
pub fn draw(seed: u64, stream: &str, subject: &str, repeat: u32) -> Digest {
    Digest::of_json(&json!([seed, stream, subject, repeat]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_published_check_value() {
        let u = unit_interval(draw(7, "base", "c1", 1).leading_u64());
        assert!((u - 0.700_436_957_171_442_3).abs() < 1e-16, "{u}");
    }

    #[test]
    fn a_stream_is_fixed_by_seed_and_purpose() {
        let order = |seed, purpose| {
            let mut items: Vec<u32> = (0..20).collect();
            Stream::new(seed, purpose).shuffle(&mut items);
            items
        };
        assert_eq!(order(1, "order"), order(1, "order"));
        assert_ne!(order(1, "order"), order(2, "order"));
        assert_ne!(order(1, "order"), order(1, "sample"));
        assert_eq!(Stream::new(1, "x").below(0), 0);
    }
}
