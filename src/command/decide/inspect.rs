//! Logs of Inspect: JSON, and `.eval`, a zip of one JSON file a sample.

use serde_json::Value;

use super::row::{Row, number_trials};
use super::zip;
use crate::base::Digest;

/// Why a log can not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// No sample.
    #[error("the log has no sample")]
    Empty,
    /// More than one scorer, and none chosen.
    #[error("the log has several scorers: {0}")]
    Several(String),
    /// A sample whose score is neither a letter, a truth value nor a number from 0 to 1.
    #[error("sample `{0}` has a score that is no pass, fail or number from 0 to 1")]
    Score(String),
    /// A sample that can not be read.
    #[error("the log has a sample that is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The archive can not be read.
    #[error("the log can not be unpacked: {0}")]
    Zip(#[from] zip::ZipError),
}

/// The samples of a JSON log, if the document is one.
pub(super) fn samples(document: &Value) -> Option<&Vec<Value>> {
    document.get("eval")?.as_object()?;
    document.get("samples")?.as_array()
}

/// The samples of a `.eval` file.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<Value>, Fault> {
    let is_sample = |name: &str| {
        let file = name.strip_prefix("samples/");
        file.is_some_and(|file| {
            std::path::Path::new(file)
                .extension()
                .is_some_and(|extension| extension == "json")
        })
    };
    zip::read(bytes, is_sample)?
        .into_iter()
        .map(|(_, content)| Ok(serde_json::from_slice(&content)?))
        .collect()
}

/// Rows of the samples by one scorer.
pub(super) fn rows(samples: &[Value], scorer: Option<&str>) -> Result<Vec<Row>, Fault> {
    let scorer = match scorer {
        Some(scorer) => scorer.to_owned(),
        None => only_scorer(samples)?,
    };
    let mut rows = Vec::with_capacity(samples.len());
    for (sample, line) in samples.iter().zip(1..) {
        rows.push(read(sample, &scorer, line)?);
    }
    if rows.is_empty() {
        return Err(Fault::Empty);
    }
    // Where one sample is graded all are: letters then count as 1 and 0.
    let graded = |row: &Row| row.is_finished() && row.pass.is_none();
    if rows.iter().any(graded) {
        for row in &mut rows {
            row.pass = None;
        }
    }
    rows.sort_by(|a, b| (&a.id, a.trial).cmp(&(&b.id, b.trial)));
    number_trials(&mut rows);
    Ok(rows)
}

fn only_scorer(samples: &[Value]) -> Result<String, Fault> {
    let names = samples
        .iter()
        .filter_map(|sample| sample.get("scores")?.as_object())
        .flat_map(|scores| scores.keys());
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [] => Ok(String::new()),
        [name] => Ok((*name).to_owned()),
        several => Err(Fault::Several(several.join(", "))),
    }
}

fn read(sample: &Value, scorer: &str, line: u32) -> Result<Row, Fault> {
    let id = match sample.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(other) => other.to_string(),
        None => line.to_string(),
    };
    let input = sample.get("input").unwrap_or(&Value::Null);
    let value = sample
        .get("scores")
        .and_then(|scores| scores.get(scorer)?.get("value"));
    let mut error = sample
        .get("error")
        .filter(|error| !error.is_null())
        .map(|error| {
            let message = error.get("message").and_then(Value::as_str);
            message.map_or_else(|| error.to_string(), str::to_owned)
        });
    let mut row = Row {
        line,
        trial: sample
            .get("epoch")
            .and_then(Value::as_u64)
            .and_then(|epoch| u32::try_from(epoch).ok()),
        latency_ms: sample
            .get("total_time")
            .and_then(Value::as_f64)
            .filter(|seconds| *seconds >= 0.0)
            .map(|seconds| seconds * 1000.0),
        input_tokens: tokens(sample, "input_tokens"),
        output_tokens: tokens(sample, "output_tokens"),
        output: sample
            .pointer("/output/completion")
            .and_then(Value::as_str)
            .map(str::to_owned),
        content: Some(Digest::of_json(input)),
        ..Row::default()
    };
    match value {
        Some(value) => {
            (row.pass, row.score) = graded(value).ok_or_else(|| Fault::Score(id.clone()))?;
        }
        None => error = error.or_else(|| Some("the sample has no score".to_owned())),
    }
    row.error = error;
    row.id = id;
    Ok(row)
}

/// Pass and score of a value: C, I, P, N as Inspect reads them, a truth value, or a number.
fn graded(value: &Value) -> Option<(Option<bool>, Option<f64>)> {
    let known = |pass: bool| (Some(pass), Some(f64::from(u8::from(pass))));
    match value {
        Value::String(letter) => match letter.as_str() {
            "C" => Some(known(true)),
            "I" | "N" => Some(known(false)),
            "P" => Some((None, Some(0.5))),
            _ => None,
        },
        Value::Bool(pass) => Some(known(*pass)),
        Value::Number(number) => {
            let number = number.as_f64().filter(|n| (0.0..=1.0).contains(n))?;
            Some(if (number * (1.0 - number)).abs() > 0.0 {
                (None, Some(number))
            } else {
                known(number > 0.5)
            })
        }
        _ => None,
    }
}

/// Tokens of all models of a sample.
fn tokens(sample: &Value, key: &str) -> Option<u64> {
    let models = sample.get("model_usage")?.as_object()?;
    let mut sum = 0_u64;
    for usage in models.values() {
        sum = sum.saturating_add(usage.get(key)?.as_u64()?);
    }
    (!models.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(id: u64, epoch: u64, value: &Value) -> Value {
        json!({"id": id, "epoch": epoch, "input": format!("question {id}"), "target": "x",
            "scores": {"match": {"value": value}}, "total_time": 1.5,
            "model_usage": {"openai/gpt": {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}}})
    }

    #[test]
    fn letters_are_passes_and_epochs_are_trials() {
        let log = json!({"version": 2, "status": "success", "eval": {"task": "t"},
            "samples": [sample(1, 2, &json!("I")), sample(1, 1, &json!("C")), sample(2, 1, &json!("C"))]});
        let rows = rows(samples(&log).unwrap(), None).unwrap();
        assert_eq!(
            (rows[0].id.as_str(), rows[0].trial, rows[0].pass),
            ("1", Some(1), Some(true))
        );
        assert_eq!((rows[1].trial, rows[1].pass), (Some(2), Some(false)));
        assert_eq!(
            (rows[0].latency_ms, rows[0].output_tokens),
            (Some(1500.0), Some(4))
        );
    }

    #[test]
    fn one_graded_sample_makes_the_log_graded() {
        let graded = [
            sample(1, 1, &json!("C")),
            sample(2, 1, &json!("P")),
            sample(3, 1, &json!(0.25)),
        ];
        let rows = rows(&graded, None).unwrap();
        assert!(rows.iter().all(|row| row.pass.is_none()));
        assert_eq!(rows[0].score, Some(1.0));
    }

    #[test]
    fn errors_are_missing_and_several_scorers_a_question() {
        let mut broken = sample(1, 1, &json!("C"));
        broken["scores"] = json!({});
        broken["error"] = json!({"message": "timeout", "traceback": "…"});
        let found = rows(&[broken], None).unwrap();
        assert_eq!(found[0].error.as_deref(), Some("timeout"));
        let mut two = sample(1, 1, &json!("C"));
        two["scores"]["judge"] = json!({"value": 0.5});
        let two = [two];
        assert!(matches!(rows(&two, None), Err(Fault::Several(_))));
        assert_eq!(rows(&two, Some("judge")).unwrap()[0].score, Some(0.5));
        assert!(matches!(
            rows(&[sample(1, 1, &json!(7))], None),
            Err(Fault::Score(_))
        ));
    }
}
