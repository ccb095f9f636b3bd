//! Choosing cases: the suite's stratified sample.

use std::collections::BTreeMap;

use super::Case;
use crate::base::rng::Stream;

/// The suite's `sample`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// How many cases are taken.
    pub size: usize,
    /// The segment key whose values keep their shares.
    pub by: Option<String>,
}

/// The indices of a sample of the cases, in the dataset's order. With `by`, each value of that
/// segment key keeps its share (largest remainders); which cases are taken, the seed says.
#[must_use]
pub fn sample(cases: &[Case], sample: &Sample, seed: u64) -> Vec<usize> {
    let mut strata: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, case) in cases.iter().enumerate() {
        let value = sample
            .by
            .as_deref()
            .and_then(|key| case.segment.get(key))
            .map_or("", AsRef::as_ref);
        strata.entry(value).or_default().push(index);
    }
    let size = sample.size.min(cases.len());
    let mut shares: Vec<(usize, usize, &str)> = Vec::new();
    for (value, members) in &strata {
        let product = members.len() * size;
        shares.push((
            product / cases.len().max(1),
            product % cases.len().max(1),
            value,
        ));
    }
    let mut left = size.saturating_sub(shares.iter().map(|(share, _, _)| share).sum());
    shares.sort_by(|a, b| b.1.cmp(&a.1).then(a.2.cmp(b.2)));
    let mut chosen = Vec::with_capacity(size);
    for (share, _, value) in shares {
        let extra = usize::from(left > 0);
        left -= extra;
        let Some(mut members) = strata.remove(value) else {
            continue;
        };
        Stream::new(seed, &format!("sample {value}")).shuffle(&mut members);
        chosen.extend(members.into_iter().take(share + extra));
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Diagnostics;
    use crate::dataset::Decoder;

    fn cases() -> Vec<Case> {
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("d", &mut found);
        for index in 0..100u32 {
            let tier = if index < 70 { "free" } else { "pro" };
            decoder.jsonl_line(&format!("{{\"id\":\"c{index}\",\"segment\":{{\"tier\":\"{tier}\"}},\"tags\":[\"t{}\"]}}", index % 3).into_bytes(), index + 1);
        }
        decoder.finish()
    }

    #[test]
    fn a_stratified_sample_keeps_the_shares_and_is_fixed_by_the_seed() {
        let cases = cases();
        let wanted = Sample {
            size: 10,
            by: Some("tier".into()),
        };
        let chosen = sample(&cases, &wanted, 7);
        assert_eq!(chosen.len(), 10);
        assert_eq!(chosen.iter().filter(|index| **index < 70).count(), 7);
        assert_eq!(chosen, sample(&cases, &wanted, 7));
        assert_ne!(chosen, sample(&cases, &wanted, 8));
        assert_eq!(
            sample(
                &cases,
                &Sample {
                    size: 1_000,
                    by: None
                },
                7
            )
            .len(),
            100
        );
        assert!(sample(&[], &wanted, 7).is_empty());
    }
}
