//! `list-contains` as in autoevals: the items of the answer against the items wanted, each matched
//! with at most one so that the matches are as like as possible.

use serde_json::Value;

use super::super::answer::Finding;
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::{Operand, print};
use super::distance::similarity;
use super::ngram::number;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] =
    &[ScorerType::new("list-contains", &["value", "allow_extra"], decode).graded()];

/// The most items of a list: their matching takes time with the third power.
const MOST_ITEMS: usize = 300;

/// Items that the answer must list.
#[derive(Debug, Clone)]
pub struct ListContains {
    value: Operand,
    allow_extra: bool,
}

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let value = form.texts("value");
    let allow_extra = form.flag("allow_extra");
    Some(Kind::Assertion(Assertion::List(ListContains {
        value: value?,
        allow_extra,
    })))
}

impl ListContains {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let wanted = self.value.texts(input.context.case)?;
        let found = items(input.text);
        if found.is_empty() {
            return Ok(Finding::graded(0.0, "the answer lists nothing"));
        }
        let most = wanted.len().max(found.len());
        if most > MOST_ITEMS {
            let limit = format!("lists of more than {MOST_ITEMS} items are not compared");
            return Err(Fault::Limit(limit));
        }
        let mut costs = vec![vec![0.0; most]; most];
        for (row, found) in costs.iter_mut().zip(&found) {
            for (cell, wanted) in row.iter_mut().zip(&wanted) {
                *cell = -similarity(found, wanted)?;
            }
        }
        let all = if self.allow_extra { wanted.len() } else { most };
        let score = (least_cost(&costs).abs() / number(all)).min(1.0);
        let (found, wanted) = (found.len(), wanted.len());
        let reason = format!("{found} items match the {wanted} wanted by {score:.4}");
        Ok(Finding::graded(score, reason))
    }
}

/// The items of a JSON list, else the lines that are not blank, without list marks.
fn items(text: &str) -> Vec<String> {
    if let Ok(Value::Array(items)) = serde_json::from_str(text) {
        return items.iter().map(|item| print(item).into_owned()).collect();
    }
    text.lines()
        .map(|line| {
            let line = line.trim();
            let mark = line.strip_prefix(['-', '*', '\u{2022}']).unwrap_or(line);
            mark.trim().to_owned()
        })
        .filter(|line| !line.is_empty())
        .collect()
}

/// The least sum of a square table with one cell from each row and column: the Hungarian method
/// with potentials (Jonker and Volgenant, 1987).
fn least_cost(costs: &[Vec<f64>]) -> f64 {
    let size = costs.len();
    let cost = |row: usize, column: usize| {
        let row = row.checked_sub(1).and_then(|row| costs.get(row));
        let column = column.checked_sub(1);
        row.zip(column)
            .and_then(|(row, column)| row.get(column).copied())
            .unwrap_or(0.0)
    };
    let mut rows = Cells(vec![0.0; size + 1]);
    let mut columns = Cells(vec![0.0; size + 1]);
    let mut row_of = vec![0usize; size + 1];
    for row in 1..=size {
        let mut way = vec![0usize; size + 1];
        let mut least = Cells(vec![f64::INFINITY; size + 1]);
        let mut used = vec![false; size + 1];
        put(&mut row_of, 0, row);
        let mut column = 0;
        loop {
            put(&mut used, column, true);
            let current = at(&row_of, column);
            let (mut delta, mut next) = (f64::INFINITY, 0);
            for other in (1..=size).filter(|other| !at(&used, *other)) {
                let reduced = cost(current, other) - rows.at(current) - columns.at(other);
                if reduced < least.at(other) {
                    least.put(other, reduced);
                    put(&mut way, other, column);
                }
                if least.at(other) < delta {
                    (delta, next) = (least.at(other), other);
                }
            }
            for other in 0..=size {
                if at(&used, other) {
                    let matched = at(&row_of, other);
                    rows.put(matched, rows.at(matched) + delta);
                    columns.put(other, columns.at(other) - delta);
                } else {
                    least.put(other, least.at(other) - delta);
                }
            }
            column = next;
            if at(&row_of, column) == 0 {
                break;
            }
        }
        while column != 0 {
            let before = at(&way, column);
            let moved = at(&row_of, before);
            put(&mut row_of, column, moved);
            column = before;
        }
    }
    (1..=size)
        .map(|column| cost(at(&row_of, column), column))
        .sum()
}

/// Numbers by place; there is none outside.
struct Cells(Vec<f64>);

impl Cells {
    fn at(&self, index: usize) -> f64 {
        self.0.get(index).copied().unwrap_or(f64::INFINITY)
    }

    fn put(&mut self, index: usize, value: f64) {
        put(&mut self.0, index, value);
    }
}

fn at<T: Copy + Default>(items: &[T], index: usize) -> T {
    items.get(index).copied().unwrap_or_default()
}

fn put<T>(items: &mut [T], index: usize, value: T) {
    if let Some(item) = items.get_mut(index) {
        *item = value;
    }
}
