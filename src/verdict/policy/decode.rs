//! Reads a `policy` block: types and ranges.

use super::{
    AMOUNTS, EarlyStop, Limit, Metric, MetricRule, Mode, OnInconclusive, Policy, Preset, Require,
};
use super::{RequireCalibration, SegmentPolicy, Statistic, TestChoice};
use crate::base::decode::{Reader, Table, choices};
use crate::base::{Node, text};
use crate::chat::AnswerFault;

/// Largest `max_ratio` that is taken for meant.
const LARGEST_RATIO: f64 = 1_000.0;

impl Policy {
    /// Reads a `policy` block; without one, the defaults of preset `smoke`. `None` after an error.
    pub fn decode(reader: &mut Reader<'_>, node: Option<&Node>) -> Option<Self> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return Some(Self::default());
        };
        let before = reader.diagnostics.iter().count();
        let policy = Self::decode_block(reader, node);
        let found = reader.diagnostics.iter().skip(before);
        let fine = !found
            .into_iter()
            .any(|finding| finding.severity == crate::base::Severity::Error);
        policy.filter(|_| fine)
    }

    fn decode_block(reader: &mut Reader<'_>, node: &Node) -> Option<Self> {
        if let crate::base::Value::Text(word) = &node.value
            && Preset::WORDS.iter().any(|(known, _)| known == word)
        {
            let help = format!("write policy: {{ preset: {word} }}");
            let message = format!("the policy must be a map, and `{word}` is one of its presets");
            reader.error(node.span, "wrong-type", message, help);
            return None;
        }
        let mut table = Table::new(reader, node, "the policy")?;
        let preset = table
            .get("preset")
            .and_then(|node| reader.word(node, "`preset`", Preset::WORDS));
        let mut policy = Self::preset(preset.unwrap_or(Preset::Smoke));
        read_numbers(reader, &mut table, &mut policy);
        read_words(reader, &mut table, &mut policy);
        if let Some(node) = table.get("segments") {
            read_segments(reader, node, &mut policy.segments);
        }
        if let Some(node) = table.get("require_calibration") {
            policy.require_calibration = RequireCalibration::decode(reader, node);
        }
        if let Some(node) = table.get("metrics") {
            policy.metrics = read_metrics(reader, node);
        }
        if policy.power <= policy.alpha {
            reader.error(
                node.span,
                "out-of-range",
                "`power` is not above `alpha`",
                "write a power such as 0.8",
            );
        }
        table.finish(reader);
        Some(policy)
    }
}

/// A number strictly between two bounds.
fn between(reader: &mut Reader<'_>, node: &Node, what: &str, low: f64, high: f64) -> Option<f64> {
    let number = reader.number(node, what, low, high)?;
    if number > low && number < high {
        return Some(number);
    }
    reader.error(
        node.span,
        "out-of-range",
        format!("{what} is {number}"),
        format!("it must be between {low} and {high}, both excluded"),
    );
    None
}

fn read_numbers(reader: &mut Reader<'_>, table: &mut Table<'_>, policy: &mut Policy) {
    let mut read = |key: &'static str, high: f64, target: &mut f64| {
        if let Some(node) = table.get(key)
            && let Some(number) = between(reader, node, &format!("`{key}`"), 0.0, high)
        {
            *target = number;
        }
    };
    read("alpha", 0.5, &mut policy.alpha);
    read("power", 1.0, &mut policy.power);
    read("margin", 1.0, &mut policy.margin);
    if let Some(node) = table.get("max_missing")
        && let Some(number) = reader.number(node, "`max_missing`", 0.0, 1.0)
    {
        policy.max_missing = number;
    }
    if let Some(node) = table.get("min_pass_rate") {
        policy.min_pass_rate = between(reader, node, "`min_pass_rate`", 0.0, 1.0);
    }
}

fn read_words(reader: &mut Reader<'_>, table: &mut Table<'_>, policy: &mut Policy) {
    if let Some(node) = table.get("require")
        && let Some(word) = reader.word(node, "`require`", Require::WORDS)
    {
        policy.require = word;
    }
    if let Some(node) = table.get("test")
        && let Some(word) = reader.word(node, "`test`", TestChoice::WORDS)
    {
        policy.test = word;
    }
    if let Some(node) = table.get("on_inconclusive")
        && let Some(word) = reader.word(node, "`on_inconclusive`", OnInconclusive::WORDS)
    {
        policy.on_inconclusive = word;
    }
    if let Some(node) = table.get("early_stop")
        && let Some(word) = reader.word(node, "`early_stop`", EarlyStop::WORDS)
    {
        policy.early_stop = word;
    }
    if let Some(node) = table.get("tolerate_within_margin")
        && let Some(value) = reader.boolean(node, "`tolerate_within_margin`")
    {
        policy.tolerate_within_margin = value;
    }
}

fn read_segments(reader: &mut Reader<'_>, node: &Node, segments: &mut SegmentPolicy) {
    let Some(mut table) = Table::new(reader, node, "`segments`") else {
        return;
    };
    if let Some(node) = table.get("keys")
        && let Some(keys) = reader.texts(node, "`keys`")
    {
        for (index, key) in keys.iter().enumerate() {
            if key.is_empty() || keys.iter().take(index).any(|earlier| earlier == key) {
                let message = format!("the key `{key}` stands in `keys` twice or is empty");
                reader.error(node.span, "duplicate", message, "name each key once");
            }
        }
        segments.keys = Some(keys);
    }
    if let Some(node) = table.get("mode")
        && let Some(mode) = reader.word(node, "`mode`", Mode::WORDS)
    {
        segments.mode = mode;
    }
    if let Some(node) = table.get("min_cases")
        && let Some(cases) = reader.whole(node, "`min_cases`", 1)
    {
        segments.min_cases = cases;
    }
    table.finish(reader);
}

fn read_metrics(reader: &mut Reader<'_>, node: &Node) -> Vec<MetricRule> {
    let mut metrics: Vec<MetricRule> = Vec::new();
    for item in reader.list(node, "`metrics`").unwrap_or_default() {
        let Some(rule) = read_metric(reader, item) else {
            continue;
        };
        if metrics.iter().any(|known| known.metric == rule.metric) {
            let message = format!("the metric `{}` stands here twice", rule.metric.name());
            reader.error(item.span, "duplicate", message, "keep one of the two");
        } else {
            metrics.push(rule);
        }
    }
    metrics.sort_by_key(|rule| rule.metric.name());
    metrics
}

fn read_metric(reader: &mut Reader<'_>, node: &Node) -> Option<MetricRule> {
    let mut table = Table::new(reader, node, "the metric")?;
    let name = table.require(reader, "metric");
    let metric = name.and_then(|name| metric_by_name(reader, name));
    let mode = table.get("mode").map_or(Some(Mode::Gate), |node| {
        reader.word(node, "`mode`", Mode::WORDS)
    });
    let limit = match &metric {
        Some(Metric::Score(_) | Metric::Fault(_)) => table
            .require(reader, "margin")
            .and_then(|node| between(reader, node, "`margin`", 0.0, 1.0))
            .map(Limit::Margin),
        Some(Metric::Amount(_)) => {
            let statistic = table
                .get("statistic")
                .map_or(Some(Statistic::Mean), |node| {
                    reader.word(node, "`statistic`", Statistic::WORDS)
                });
            table
                .require(reader, "max_ratio")
                .and_then(|node| between(reader, node, "`max_ratio`", 0.0, LARGEST_RATIO))
                .zip(statistic)
                .map(|(ratio, statistic)| Limit::MaxRatio(ratio, statistic))
        }
        None => {
            // The name is at fault; its keys are not judged.
            for key in ["margin", "max_ratio", "statistic"] {
                table.get(key);
            }
            None
        }
    };
    table.finish(reader);
    Some(MetricRule {
        metric: metric?,
        limit: limit?,
        mode: mode?,
    })
}

fn metric_by_name(reader: &mut Reader<'_>, node: &Node) -> Option<Metric> {
    let name = reader.nonempty(node, "`metric`")?;
    if name == "pass" {
        reader.error(
            node.span,
            "unknown-word",
            "`pass` is always gated and does not stand in `metrics`",
            "its margin is the policy's `margin`",
        );
        return None;
    }
    if let Some((_, amount)) = AMOUNTS.iter().find(|(word, _)| *word == name) {
        return Some(Metric::Amount(*amount));
    }
    if let Some(scorer) = name.strip_prefix("score.").filter(|rest| !rest.is_empty()) {
        return Some(Metric::Score(scorer.to_owned()));
    }
    let faults = AnswerFault::WORDS.map(|(word, fault)| (format!("rate.{word}"), fault));
    if let Some((_, fault)) = faults.iter().find(|(word, _)| word == name) {
        return Some(Metric::Fault(*fault));
    }
    let mut known: Vec<&str> = AMOUNTS.iter().map(|(word, _)| *word).collect();
    known.extend(faults.iter().map(|(word, _)| word.as_str()));
    known.push("score.<scorer>");
    let message = format!("unknown metric `{}`", text::visible_line(name));
    reader.error(node.span, "unknown-word", message, choices(name, &known));
    None
}
