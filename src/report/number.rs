//! How numbers are written for people: rates, points, intervals, probabilities, money.
//!
//! A minus is U+2212, so that it lines up with a plus; what is unknown is an en dash.

use crate::verdict::RuleResult;

/// What stands where a number is unknown.
pub const UNKNOWN: &str = "\u{2013}";

/// How the values of a metric are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A share, its change in points.
    Rate,
    /// A score between 0 and 1, its change as it is.
    Score,
    /// Money, tokens or time, its change a ratio.
    Ratio,
}

impl Scale {
    /// The scale of a rule's metric.
    #[must_use]
    pub fn of(rule: &RuleResult) -> Self {
        if rule.max_ratio.is_some() {
            return Self::Ratio;
        }
        match rule.metric.as_str() {
            "cost_usd" | "latency_ms" | "input_tokens" | "output_tokens" => Self::Ratio,
            metric if ["score", "kappa"].contains(&metric) || metric.starts_with("score.") => {
                Self::Score
            }
            _ => Self::Rate,
        }
    }

    /// A value of the metric.
    #[must_use]
    pub fn value(self, metric: &str, value: Option<f64>) -> String {
        let Some(value) = value else {
            return UNKNOWN.to_owned();
        };
        match self {
            Self::Rate => percent(value),
            Self::Score => format!("{value:.3}"),
            Self::Ratio => match metric {
                "cost_usd" => usd(Some(value)),
                "latency_ms" => format!("{value:.0} ms"),
                _ => format!("{value:.0}"),
            },
        }
    }

    /// A change, with its sign and without a unit but for ratios.
    #[must_use]
    pub fn change(self, change: Option<f64>) -> String {
        let Some(change) = change else {
            return UNKNOWN.to_owned();
        };
        match self {
            Self::Rate => signed(change * 100.0, 1),
            Self::Score => signed(change, 3),
            Self::Ratio => format!("{} %", signed((change - 1.0) * 100.0, 1)),
        }
    }

    /// The interval of a rule's change, `−7.3 to −1.3`; of its value where there is no change.
    #[must_use]
    pub fn interval(self, rule: &RuleResult) -> String {
        let Some(ci) = rule.ci else {
            return UNKNOWN.to_owned();
        };
        let bound = |bound| match rule.estimate {
            Some(_) => self.change(Some(bound)),
            None => self.value(&rule.metric, Some(bound)),
        };
        let (low, high) = (bound(ci.low), bound(ci.high));
        let low = low.strip_suffix(" %").unwrap_or(&low);
        format!("{low} to {high}")
    }

    /// The size of a loss: `5 points`.
    #[must_use]
    pub fn size(self, loss: f64) -> String {
        match self {
            Self::Rate => format!("{} points", points(loss)),
            Self::Score | Self::Ratio => format!("{loss:.3}"),
        }
    }

    /// A change in a sentence: `−4.0 points`.
    #[must_use]
    pub fn change_in_words(self, change: Option<f64>) -> String {
        let number = self.change(change);
        match self {
            Self::Rate => format!("{number} points"),
            Self::Score | Self::Ratio => number,
        }
    }
}

/// A share as a percentage: `94.0 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A number with its sign; a rounded zero has none.
#[must_use]
pub fn signed(number: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", number.abs());
    if text.chars().all(|c| c == '0' || c == '.') {
        text
    } else if number < 0.0 {
        format!("\u{2212}{text}")
    } else {
        format!("+{text}")
    }
}

/// Points without needless decimals: `5`, `12.5`.
#[must_use]
pub fn points(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A probability: `0.011`, `<0.0001`.
#[must_use]
pub fn probability(p: Option<f64>) -> String {
    match p {
        None => UNKNOWN.to_owned(),
        Some(p) if p < 1e-4 => "<0.0001".to_owned(),
        Some(p) if p < 1e-3 => format!("{p:.4}"),
        Some(p) => format!("{p:.3}"),
    }
}

/// Money: four decimals below a dollar.
#[must_use]
pub fn usd(amount: Option<f64>) -> String {
    match amount {
        None => "unknown".to_owned(),
        Some(amount) if amount.abs() < 1.0 => format!("{amount:.4} USD"),
        Some(amount) => format!("{amount:.2} USD"),
    }
}

/// Milliseconds.
#[must_use]
pub fn millis(time: Option<f64>) -> String {
    time.map_or_else(|| UNKNOWN.to_owned(), |time| format!("{time:.0} ms"))
}

/// A count that may be unknown.
#[must_use]
pub fn count(number: Option<u64>) -> String {
    number.map_or_else(
        || "unknown".to_owned(),
        |number| crate::base::text::thousands(usize::try_from(number).unwrap_or(usize::MAX)),
    )
}

/// A level of confidence: `90 %`.
#[must_use]
pub fn level(level: f64) -> String {
    let text = format!("{:.1}", level * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// A test's name in words.
#[must_use]
pub fn test_name(name: &str) -> &str {
    match name {
        "mcnemar-midp" => "McNemar mid-p",
        "mcnemar-exact" => "McNemar exact",
        "mcnemar-score" => "McNemar score",
        "two-proportion-z" => "two-proportion z",
        "paired-t" => "paired t",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_changes_with_a_minus_that_lines_up() {
        assert_eq!(Scale::Rate.change(Some(-0.04)), "\u{2212}4.0");
        assert_eq!(Scale::Rate.change(Some(-0.000_01)), "0.0");
        assert_eq!(Scale::Ratio.change(Some(1.08)), "+8.0 %");
        assert_eq!(Scale::Score.change(None), UNKNOWN);
    }

    #[test]
    fn never_writes_a_probability_as_zero() {
        assert_eq!(probability(Some(0.0)), "<0.0001");
        assert_eq!(probability(Some(0.000_49)), "0.0005");
        assert_eq!(probability(Some(0.011_23)), "0.011");
        assert_eq!(points(0.125), "12.5");
        assert_eq!(points(0.05), "5");
    }
}
