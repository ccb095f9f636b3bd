//! Choosing cases: the suite's stratified sample, the flags that narrow a run, the seeded order.

use std::collections::{BTreeMap, BTreeSet};

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

/// What the flags of a command narrow a run to; everything set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Ids, of which one must match; `*` and `?` stand for any characters.
    pub cases: Vec<String>,
    /// Tags, of which one must be there.
    pub tags: Vec<String>,
    /// Segment values, `key=value`, of which one must hold.
    pub segments: Vec<(String, String)>,
    /// The very ids, where a plan is repeated; not shown as a filter.
    pub only: Option<BTreeSet<String>>,
}

impl Filter {
    /// Whether every case is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty() && self.tags.is_empty() && self.segments.is_empty()
    }

    /// Whether a case is taken.
    #[must_use]
    pub fn accepts(&self, case: &Case) -> bool {
        let id = case.id.as_str();
        if self.only.as_ref().is_some_and(|only| !only.contains(id)) {
            return false;
        }
        (self.cases.is_empty() || self.cases.iter().any(|pattern| matches(pattern, id)))
            && (self.tags.is_empty()
                || self
                    .tags
                    .iter()
                    .any(|tag| case.tags.iter().any(|t| t.as_ref() == tag)))
            && (self.segments.is_empty()
                || self
                    .segments
                    .iter()
                    .any(|(key, value)| case.segment.get(key).is_some_and(|v| v.as_ref() == value)))
    }

    /// The filter in words, for reports.
    #[must_use]
    pub fn describe(&self) -> String {
        let parts = [
            ("case", self.cases.join(", ")),
            ("tag", self.tags.join(", ")),
            (
                "segment",
                self.segments
                    .iter()
                    .map(|(k, v)| format!("{k}={v}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        ];
        let shown = parts.iter().filter(|(_, value)| !value.is_empty());
        shown
            .map(|(key, value)| format!("{key} {value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Whether a text matches a pattern in which `*` stands for any characters and `?` for one.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
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

    #[test]
    fn filters_by_id_tag_and_segment() {
        let cases = cases();
        let count = |filter: &Filter| cases.iter().filter(|case| filter.accepts(case)).count();
        assert_eq!(
            count(&Filter {
                cases: vec!["c1?".into()],
                ..Filter::default()
            }),
            10
        );
        assert_eq!(
            count(&Filter {
                tags: vec!["t0".into()],
                ..Filter::default()
            }),
            34
        );
        let pro = Filter {
            segments: vec![("tier".into(), "pro".into())],
            cases: vec!["c9*".into()],
            ..Filter::default()
        };
        assert_eq!(count(&pro), 10);
        assert_eq!(pro.describe(), "case c9*; segment tier=pro");
    }

    #[test]
    fn patterns_match_whole_ids() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*", "", true),
            ("?", "", false),
            ("a**b*", "ab", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
