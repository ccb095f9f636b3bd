//! Matches the rows of two files by case, and refuses what can not be compared.

use std::collections::{BTreeMap, HashMap};

use super::row::{Outcomes, Row};

/// Ids named in a message.
const NAMED: usize = 5;

/// Two files, matched.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matched {
    /// The cases in the baseline's order, each with the trials of both sides in order.
    pub pairs: Vec<Pair>,
    /// Trials of each case.
    pub repeat: u32,
    /// Whether scores are compared as they are.
    pub graded: bool,
    /// What was left out.
    pub notes: Vec<String>,
}

/// A case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    /// The baseline's trials.
    pub baseline: Vec<Row>,
    /// The candidate's.
    pub candidate: Vec<Row>,
}

/// Why two files can not be compared.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Mismatch {
    #[error("{name}: trial {trial} of `{id}` stands there twice")]
    Twice {
        name: String,
        id: String,
        trial: u32,
    },
    #[error("{name}: `{id}` stands there more than once")]
    Unnumbered { name: String, id: String },
    #[error("the two files do not hold the same cases: {0}")]
    Unmatched(String),
    #[error("the two files have no case in common")]
    Nothing,
    #[error("`{id}` is another case in the second file: {what} differs")]
    Other { id: String, what: &'static str },
    #[error("cases have different numbers of trials, from {least} to {most}")]
    Trials { least: usize, most: usize },
    #[error("some rows say `pass` and others only `score`, such as that of `{id}`")]
    Mixed { id: String },
}

impl Mismatch {
    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Twice { .. } => "keep one of the rows",
            Self::Unnumbered { .. } => "number the repeats of a case with `trial`, from 1",
            Self::Unmatched(_) => {
                "run both sides on the same cases, or leave the others out with --allow-unmatched"
            }
            Self::Nothing => "the files must name their cases by the same `id`",
            Self::Other { .. } => "a pair is the same case with the same content on both sides",
            Self::Trials { .. } => {
                "run each case equally often, or cut to the least with --allow-unmatched"
            }
            Self::Mixed { .. } => "give all rows `pass`, or say from which score on with --pass-at",
        }
    }
}

/// What to do where the files differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rules {
    /// A score from here on is a pass.
    pub pass_at: Option<f64>,
    /// Whether cases of one side alone are left out.
    pub allow_unmatched: bool,
}

/// Matches two files.
pub(super) fn matched(
    baseline: Outcomes,
    candidate: Outcomes,
    rules: Rules,
) -> Result<Matched, Mismatch> {
    let (order, mut before) = by_case(baseline)?;
    let (order_after, mut after) = by_case(candidate)?;
    let only_before = missing(&order, &after);
    let only_after = missing(&order_after, &before);
    let mut notes = Vec::new();
    if !(only_before.is_empty() && only_after.is_empty()) {
        let said = format!(
            "{} only in the first{}, {} only in the second{}",
            only_before.len(),
            named(&only_before),
            only_after.len(),
            named(&only_after)
        );
        if !rules.allow_unmatched {
            return Err(Mismatch::Unmatched(said));
        }
        notes.push(format!("cases left out: {said}"));
    }
    let pairs = order.iter().filter_map(|id| {
        Some(Pair {
            baseline: before.remove(id)?,
            candidate: after.remove(id)?,
        })
    });
    let mut pairs: Vec<Pair> = pairs.collect();
    if pairs.is_empty() {
        return Err(Mismatch::Nothing);
    }
    for pair in &pairs {
        check_same(pair)?;
    }
    let repeat = even_out(&mut pairs, rules.allow_unmatched, &mut notes)?;
    let graded = settle(&mut pairs, rules.pass_at)?;
    Ok(Matched {
        pairs,
        repeat,
        graded,
        notes,
    })
}

type Cases = HashMap<String, Vec<Row>>;

/// The ids in the order of the file, and the trials of each in their order.
fn by_case(file: Outcomes) -> Result<(Vec<String>, Cases), Mismatch> {
    let mut order = Vec::new();
    let mut cases = Cases::with_capacity(file.rows.len());
    for row in file.rows {
        let trials = cases.entry(row.id.clone()).or_insert_with(|| {
            order.push(row.id.clone());
            Vec::new()
        });
        trials.push(row);
    }
    for (id, trials) in &mut cases {
        if trials.len() > 1 && trials.iter().any(|row| row.trial.is_none()) {
            return Err(Mismatch::Unnumbered {
                name: file.name,
                id: id.clone(),
            });
        }
        trials.sort_by_key(|row| row.trial);
        for (row, next) in trials.iter().zip(trials.iter().skip(1)) {
            if row.trial == next.trial {
                return Err(Mismatch::Twice {
                    name: file.name,
                    id: id.clone(),
                    trial: row.trial.unwrap_or_default(),
                });
            }
        }
    }
    Ok((order, cases))
}

fn missing(ids: &[String], other: &Cases) -> Vec<String> {
    let alone = ids.iter().filter(|id| !other.contains_key(*id));
    alone.cloned().collect()
}

fn named(ids: &[String]) -> String {
    if ids.is_empty() {
        return String::new();
    }
    let shown: Vec<&str> = ids.iter().take(NAMED).map(String::as_str).collect();
    let more = if ids.len() > NAMED { ", …" } else { "" };
    format!(" ({}{more})", shown.join(", "))
}

/// The same id must be the same case.
fn check_same(pair: &Pair) -> Result<(), Mismatch> {
    let rows = || pair.baseline.iter().chain(&pair.candidate);
    let id = rows().next().map_or("", |row| row.id.as_str());
    let other = |what| {
        Err(Mismatch::Other {
            id: id.to_owned(),
            what,
        })
    };
    if differ(rows().filter_map(|row| row.content.as_ref())) {
        return other("what was asked");
    }
    if differ(rows().filter_map(|row| row.cluster.as_ref())) {
        return other("`cluster`");
    }
    let mut segment = BTreeMap::new();
    for (key, value) in rows().flat_map(|row| &row.segment) {
        if segment
            .insert(key, value)
            .is_some_and(|known| known != value)
        {
            return other("`segment`");
        }
    }
    Ok(())
}

fn differ<T: PartialEq>(mut values: impl Iterator<Item = T>) -> bool {
    let first = values.next();
    values.any(|value| Some(value) != first)
}

/// All cases get the same number of trials.
fn even_out(pairs: &mut [Pair], allow: bool, notes: &mut Vec<String>) -> Result<u32, Mismatch> {
    let counts = || {
        pairs
            .iter()
            .flat_map(|pair| [pair.baseline.len(), pair.candidate.len()])
    };
    let least = counts().min().unwrap_or(1);
    let most = counts().max().unwrap_or(1);
    if least != most {
        if !allow {
            return Err(Mismatch::Trials { least, most });
        }
        notes.push(format!(
            "trials beyond the first {least} of a case were left out"
        ));
        for pair in pairs.iter_mut() {
            pair.baseline.truncate(least);
            pair.candidate.truncate(least);
        }
    }
    Ok(u32::try_from(least).unwrap_or(u32::MAX))
}

/// Gives each finished row its pass; whether scores are compared as they are instead.
fn settle(pairs: &mut [Pair], pass_at: Option<f64>) -> Result<bool, Mismatch> {
    let finished = |rows: &Pair| -> Vec<(bool, bool, String)> {
        let rows = rows.baseline.iter().chain(&rows.candidate);
        rows.filter(|row| row.is_finished())
            .map(|row| (row.pass.is_some(), row.score.is_some(), row.id.clone()))
            .collect()
    };
    let mut graded = false;
    if pass_at.is_none() {
        graded = pairs.iter().flat_map(&finished).any(|(pass, _, _)| !pass);
        let unscored = pairs
            .iter()
            .flat_map(&finished)
            .find(|(_, score, _)| !score);
        if let Some((_, _, id)) = unscored.filter(|_| graded) {
            return Err(Mismatch::Mixed { id });
        }
    }
    let limit = pass_at.unwrap_or(0.5);
    for pair in pairs.iter_mut() {
        for row in pair.baseline.iter_mut().chain(&mut pair.candidate) {
            let by_score = row.score.map(|score| match pass_at {
                Some(_) => score >= limit,
                None => score > limit,
            });
            row.pass = if graded {
                by_score
            } else {
                row.pass.or(by_score)
            };
        }
    }
    Ok(graded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    type Told<'t> = (&'t str, Option<bool>, Option<f64>);

    fn file(rows: &[Told<'_>]) -> Outcomes {
        let rows = rows.iter().map(|(id, pass, score)| Row {
            id: (*id).to_owned(),
            pass: *pass,
            score: *score,
            ..Row::default()
        });
        Outcomes {
            name: "file".to_owned(),
            digest: Digest::of_bytes(b""),
            rows: rows.collect(),
        }
    }

    const STRICT: Rules = Rules {
        pass_at: None,
        allow_unmatched: false,
    };
    const LENIENT: Rules = Rules {
        allow_unmatched: true,
        ..STRICT
    };

    #[test]
    fn cases_of_one_side_alone_are_refused_unless_allowed() {
        let passes = |ids: &[&'static str]| {
            file(
                &ids.iter()
                    .map(|id| (*id, Some(true), None))
                    .collect::<Vec<_>>(),
            )
        };
        let refused = matched(passes(&["a", "b"]), passes(&["b", "c"]), STRICT).unwrap_err();
        assert!(
            refused.to_string().contains("1 only in the first (a)"),
            "{refused}"
        );
        let allowed = matched(passes(&["a", "b"]), passes(&["b", "c"]), LENIENT).unwrap();
        assert_eq!((allowed.pairs.len(), allowed.notes.len()), (1, 1));
        let none = matched(passes(&["a"]), passes(&["c"]), LENIENT);
        assert_eq!(none.unwrap_err(), Mismatch::Nothing);
    }

    #[test]
    fn scores_are_graded_unless_a_limit_is_given() {
        let scores = || file(&[("a", None, Some(0.7)), ("b", None, Some(0.3))]);
        let graded = matched(scores(), scores(), STRICT).unwrap();
        assert!(graded.graded);
        let rules = Rules {
            pass_at: Some(0.7),
            ..STRICT
        };
        let passes = matched(scores(), scores(), rules).unwrap();
        assert!(!passes.graded);
        assert_eq!(passes.pairs[0].candidate[0].pass, Some(true));
        assert_eq!(passes.pairs[1].candidate[0].pass, Some(false));
        let mixed = matched(
            scores(),
            file(&[("a", Some(true), None), ("b", None, Some(0.3))]),
            STRICT,
        );
        assert!(matches!(mixed, Err(Mismatch::Mixed { .. })));
    }

    #[test]
    fn repeats_are_numbered_and_even() {
        let row = |trial| Row {
            id: "a".to_owned(),
            pass: Some(true),
            trial,
            ..Row::default()
        };
        let of = |rows: &[Row]| Outcomes {
            rows: rows.to_vec(),
            ..file(&[])
        };
        let twice = of(&[row(Some(1)), row(Some(1))]);
        assert!(matches!(
            matched(twice.clone(), twice, STRICT),
            Err(Mismatch::Twice { .. })
        ));
        let plain = of(&[row(None), row(None)]);
        assert!(matches!(
            matched(plain.clone(), plain, STRICT),
            Err(Mismatch::Unnumbered { .. })
        ));
        let (two, one) = (of(&[row(Some(2)), row(Some(1))]), of(&[row(Some(1))]));
        assert!(matches!(
            matched(two.clone(), one.clone(), STRICT),
            Err(Mismatch::Trials { least: 1, most: 2 })
        ));
        assert_eq!(matched(two, one, LENIENT).unwrap().repeat, 1);
    }

    #[test]
    fn one_id_of_two_cases_is_refused() {
        let row = |content: &[u8], tier: &str| Outcomes {
            rows: vec![Row {
                id: "a".to_owned(),
                pass: Some(true),
                content: Some(Digest::of_bytes(content)),
                segment: vec![("tier".to_owned(), tier.to_owned())],
                ..Row::default()
            }],
            ..file(&[])
        };
        assert!(matched(row(b"x", "pro"), row(b"x", "pro"), STRICT).is_ok());
        assert!(matched(row(b"x", "pro"), row(b"y", "pro"), LENIENT).is_err());
        assert!(matched(row(b"x", "pro"), row(b"x", "free"), LENIENT).is_err());
    }
}
