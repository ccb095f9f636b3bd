//! The seeded random numbers of resampling and simulation.
//!
//! A stream is `Pcg64Mcg`, whose sequence is fixed by its definition, seeded here from a seed
//! and the number of a block of draws. Work is cut into the same blocks whatever the number of
//! threads, so that a result depends on the seed alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng;
use rand_pcg::Pcg64Mcg;

/// Draws that share a stream.
const BLOCK: usize = 256;

/// A reproducible stream of random numbers.
pub(super) struct Stream(Pcg64Mcg);

impl Stream {
    /// The stream number `block` of `seed`.
    pub(super) fn new(seed: u64, block: u64) -> Self {
        let high = mix(seed.wrapping_add(mix(block)));
        let low = mix(high ^ seed.rotate_left(32));
        Self(Pcg64Mcg::new((u128::from(high) << 64) | u128::from(low)))
    }

    /// A whole number below `bound`; 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.0.next_u64()) * (bound as u128);
        usize::try_from(product >> 64).unwrap_or_default()
    }

    /// A number in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// The generator, for distributions of others.
    pub(super) fn generator(&mut self) -> &mut Pcg64Mcg {
        &mut self.0
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// `SplitMix64` finaliser (Steele, Lea and Flood 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Runs `draws` draws in blocks, each with its own stream, and returns the blocks' results in
/// order. `run` gets the stream and the number of draws of its block.
pub(super) fn in_blocks<T: Send>(
    draws: usize,
    seed: u64,
    threads: usize,
    run: impl Fn(&mut Stream, usize) -> T + Sync,
) -> Vec<T> {
    let blocks = draws.div_ceil(BLOCK);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                return done;
            }
            let size = BLOCK.min(draws - block * BLOCK);
            done.push((block, run(&mut Stream::new(seed, block as u64), size)));
        }
    };
    let helpers = threads.clamp(1, 16).min(blocks.max(1)) - 1;
    let mut results = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for handle in handles {
            match handle.join() {
                Ok(part) => results.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_unstable_by_key(|&(block, _)| block);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The number of threads worth using on this machine.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_fixed_by_its_seed_and_block() {
        let bits = |seed, block| Stream::new(seed, block).bits();
        assert_eq!(bits(1, 0), bits(1, 0));
        assert_ne!(bits(1, 0), bits(1, 1));
        assert_ne!(bits(1, 0), bits(2, 0));
        assert_eq!(Stream::new(1, 0).below(0), 0);
    }

    #[test]
    fn numbers_are_even_over_their_range() {
        let mut stream = Stream::new(3, 0);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[stream.below(10)] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
        let mean = (0..10_000).map(|_| stream.uniform()).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02);
    }

    #[test]
    fn blocks_come_in_order_whatever_the_threads() {
        let run = |threads| in_blocks(1000, 5, threads, |stream, size| (size, stream.bits()));
        assert_eq!(run(1), run(4));
        assert_eq!(run(2).iter().map(|block| block.0).sum::<usize>(), 1000);
        assert!(in_blocks(0, 5, 3, |_, size| size).is_empty());
    }
}
