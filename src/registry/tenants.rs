//! Which tenants a change of the base is gated over: the critical ones always, of the rest a sample.
//! The sample is stratified by what the layers change, since tenants that change the same blocks
//! answer a change of the base alike, and drawn by a seed.

use std::collections::BTreeMap;

use crate::base::{Digest, Name};

/// What `prompt.yaml` says about tenants; the default takes all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tiers {
    /// Tenants that are always taken.
    pub critical: Vec<Name>,
    /// How many of the rest are taken; all where it is not said.
    pub sample: Option<u32>,
}

/// A tenant that is taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The tenant.
    pub tenant: Name,
    /// Its tier.
    pub tier: Tier,
}

/// Why a tenant is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// It is critical.
    Critical,
    /// All of the rest are taken.
    Rest,
    /// It was drawn.
    Sampled,
}

impl Tiers {
    /// The critical tenants that have no layer.
    #[must_use]
    pub fn unknown<'t>(&'t self, tenants: &BTreeMap<Name, Vec<String>>) -> Vec<&'t Name> {
        let unknown = |name: &&Name| !tenants.contains_key(*name);
        self.critical.iter().filter(unknown).collect()
    }

    /// The tenants to take, of all tenants with the blocks that their layers change: the critical ones
    /// first, each group by name. Every stratum gives its share of the sample, by the largest
    /// remainder, and its members are drawn in an order that the seed fixes.
    #[must_use]
    pub fn take(&self, tenants: &BTreeMap<Name, Vec<String>>, seed: u64) -> Vec<Taken> {
        let is_critical = |name: &Name| self.critical.contains(name);
        let critical = tenants.keys().filter(|name| is_critical(name));
        let mut taken: Vec<Taken> = critical
            .map(|name| Taken {
                tenant: name.clone(),
                tier: Tier::Critical,
            })
            .collect();
        let mut strata: BTreeMap<&[String], Vec<&Name>> = BTreeMap::new();
        let rest = tenants.iter().filter(|(name, _)| !is_critical(name));
        for (name, blocks) in rest {
            strata.entry(blocks).or_default().push(name);
        }
        let total: usize = strata.values().map(Vec::len).sum();
        let size = self.sample.map_or(total, |size| size as usize).min(total);
        let tier = if size < total {
            Tier::Sampled
        } else {
            Tier::Rest
        };
        let shares = shares(&strata.values().map(Vec::len).collect::<Vec<_>>(), size);
        let mut drawn: Vec<&Name> = Vec::new();
        for (members, share) in strata.into_values().zip(shares) {
            let mut members = members;
            members.sort_by_key(|name| Digest::of_bytes(format!("{seed} {name}").as_bytes()));
            drawn.extend(members.into_iter().take(share));
        }
        drawn.sort();
        taken.extend(drawn.into_iter().map(|name| Taken {
            tenant: name.clone(),
            tier,
        }));
        taken
    }
}

/// How many of `size` each stratum gives: its share rounded down, and one more to those with the
/// largest remainders (Hamilton's method); the first of equals.
fn shares(strata: &[usize], size: usize) -> Vec<usize> {
    let total: usize = strata.iter().sum();
    if total == 0 {
        return vec![0; strata.len()];
    }
    let mut shares: Vec<usize> = strata.iter().map(|count| count * size / total).collect();
    let mut order: Vec<usize> = (0..strata.len()).collect();
    let remainder = |index: &usize| strata.get(*index).map_or(0, |count| count * size % total);
    order.sort_by_key(|index| std::cmp::Reverse(remainder(index)));
    let missing = size - shares.iter().sum::<usize>();
    for index in order.into_iter().take(missing) {
        if let Some(share) = shares.get_mut(index) {
            *share += 1;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tenants(counts: &[usize]) -> BTreeMap<Name, Vec<String>> {
        let mut tenants = BTreeMap::new();
        for (stratum, count) in counts.iter().enumerate() {
            for number in 0..*count {
                let name = Name::new(&format!("t{stratum}-{number}")).unwrap();
                tenants.insert(name, vec![format!("block-{stratum}")]);
            }
        }
        tenants
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn takes_all_where_nothing_is_said() {
        let all = Tiers::default().take(&tenants(&[2, 1]), 1);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|taken| taken.tier == Tier::Rest));
    }

    #[test]
    fn takes_the_critical_and_of_the_rest_each_strata_share() {
        let tiers = Tiers {
            critical: vec![name("t0-3")],
            sample: Some(4),
        };
        let taken = tiers.take(&tenants(&[7, 2]), 1);
        assert_eq!(taken[0].tenant, name("t0-3"));
        assert_eq!(taken[0].tier, Tier::Critical);
        let of = |stratum: &str| {
            let drawn = taken.iter().filter(|taken| taken.tier == Tier::Sampled);
            drawn
                .filter(|taken| taken.tenant.as_str().starts_with(stratum))
                .count()
        };
        assert_eq!((of("t0"), of("t1")), (3, 1));
        assert_eq!(taken, tiers.take(&tenants(&[7, 2]), 1));
        let seeds: std::collections::BTreeSet<_> = (0..20)
            .map(|seed| format!("{:?}", tiers.take(&tenants(&[7, 2]), seed)))
            .collect();
        assert!(seeds.len() > 1);
        assert_eq!(
            tiers.unknown(&tenants(&[2, 0])),
            [&name("t0-3")],
            "a critical tenant without a layer"
        );
    }

    proptest! {
        #[test]
        fn shares_add_up_and_no_stratum_gives_more_than_it_has(
            strata in proptest::collection::vec(0_usize..20, 0..6),
            size in 0_usize..60,
        ) {
            let total: usize = strata.iter().sum();
            let size = size.min(total);
            let shares = shares(&strata, size);
            prop_assert_eq!(shares.iter().sum::<usize>(), size);
            for (share, count) in shares.iter().zip(&strata) {
                prop_assert!(share <= count);
                let exact = *count as f64 * size as f64 / total.max(1) as f64;
                prop_assert!((*share as f64 - exact).abs() < 1.0);
            }
        }
    }
}
