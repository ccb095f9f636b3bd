//! Results of promptfoo (`promptfoo eval -o results.json`), versions 2 and 3 of the file.

use serde_json::Value;

use super::row::{Row, number_trials};
use crate::base::Digest;

/// Why a file can not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// No row.
    #[error("the file has no result")]
    Empty,
    /// More than one prompt or provider, and none chosen.
    #[error("the file holds the results of {0} prompts or providers")]
    Several(usize),
    /// A prompt that is not there.
    #[error("the file has no prompt number {0}")]
    NoPrompt(u64),
}

/// The list of results, if the document is promptfoo's.
pub(super) fn results(document: &Value) -> Option<&Vec<Value>> {
    let nested = document.pointer("/results/results");
    let list = nested.or_else(|| document.get("results"))?.as_array()?;
    let is_ours = |row: &Value| row.get("success").is_some();
    list.first().is_none_or(is_ours).then_some(list)
}

/// Rows of one column of the table: a prompt with a provider.
pub(super) fn rows(results: &[Value], prompt: Option<u64>) -> Result<Vec<Row>, Fault> {
    let column = |row: &Value| {
        let prompt = row.get("promptIdx").and_then(Value::as_u64).unwrap_or(0);
        let provider = row.get("provider").map_or(String::new(), |provider| {
            let id = provider.get("id").unwrap_or(provider);
            id.to_string()
        });
        (prompt, provider)
    };
    let mut columns: Vec<(u64, String)> = results.iter().map(column).collect();
    columns.sort();
    columns.dedup();
    let chosen: Vec<&Value> = results
        .iter()
        .filter(|row| prompt.is_none_or(|wanted| column(row).0 == wanted))
        .collect();
    match prompt {
        None if columns.len() > 1 => return Err(Fault::Several(columns.len())),
        Some(wanted) if chosen.is_empty() => return Err(Fault::NoPrompt(wanted)),
        Some(_) | None => {}
    }
    let mut rows: Vec<Row> = chosen
        .iter()
        .zip(1..)
        .map(|(row, line)| read(row, line))
        .collect();
    if rows.is_empty() {
        return Err(Fault::Empty);
    }
    tell_apart(&mut rows);
    number_trials(&mut rows);
    Ok(rows)
}

fn read(row: &Value, line: u32) -> Row {
    let test = row.get("testCase");
    let vars = row
        .get("vars")
        .or_else(|| test?.get("vars"))
        .unwrap_or(&Value::Null);
    let content = Digest::of_json(vars);
    let metadata = test
        .and_then(|test| test.get("metadata"))
        .or_else(|| row.get("metadata"));
    let named = metadata
        .and_then(|metadata| metadata.get("id"))
        .or_else(|| vars.get("id"))
        .or_else(|| test?.get("description"))
        .or_else(|| row.get("description"))
        .and_then(plain_text);
    let number = |value: Option<&Value>| value.and_then(Value::as_f64).filter(|n| *n >= 0.0);
    let tokens = |key: &str| {
        let usage = row
            .pointer("/response/tokenUsage")
            .or_else(|| row.get("tokenUsage"));
        usage?.get(key)?.as_u64()
    };
    // Failure reason 2 is an error of the call; older files have none, but then no answer either.
    let errored = match row.get("failureReason").and_then(Value::as_u64) {
        Some(reason) => reason == 2,
        None => {
            row.get("error").is_some_and(|error| !error.is_null())
                && row.get("gradingResult").is_none_or(Value::is_null)
        }
    };
    let said = row.get("error").and_then(plain_text);
    Row {
        id: named.unwrap_or_else(|| format!("case-{}", content.short(12))),
        line,
        pass: row.get("success").and_then(Value::as_bool),
        score: number(row.get("score")).filter(|score| *score <= 1.0),
        error: errored.then(|| said.unwrap_or_else(|| "the call failed".to_owned())),
        segment: segment(metadata),
        cluster: metadata
            .and_then(|metadata| metadata.get("cluster"))
            .and_then(plain_text),
        cost_usd: number(row.get("cost")),
        latency_ms: number(row.get("latencyMs")),
        input_tokens: tokens("prompt"),
        output_tokens: tokens("completion"),
        output: row.pointer("/response/output").map(output_text),
        content: Some(content),
        ..Row::default()
    }
}

/// An answer as text; promptfoo parses some answers as JSON.
fn output_text(output: &Value) -> String {
    output
        .as_str()
        .map_or_else(|| output.to_string(), str::to_owned)
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn segment(metadata: Option<&Value>) -> Vec<(String, String)> {
    let segment = metadata.and_then(|metadata| metadata.get("segment"));
    let entries = segment.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), plain_text(value)?)))
        .collect()
}

/// A description may stand on several tests: where the variables differ they are different cases.
fn tell_apart(rows: &mut [Row]) {
    let mut contents = std::collections::HashMap::<String, std::collections::HashSet<_>>::new();
    for row in rows.iter() {
        contents
            .entry(row.id.clone())
            .or_default()
            .insert(row.content);
    }
    for row in rows {
        if contents.get(&row.id).is_some_and(|found| found.len() > 1)
            && let Some(content) = row.content
        {
            row.id = format!("{} #{}", row.id, content.short(8));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(prompt: u64, ticket: &str, success: bool) -> Value {
        json!({"promptIdx": prompt, "testIdx": 0, "success": success, "score": f64::from(u8::from(success)),
            "vars": {"ticket": ticket}, "provider": {"id": "openai:gpt"}, "latencyMs": 120, "cost": 0.001,
            "failureReason": u8::from(!success), "error": if success { Value::Null } else { json!("Expected x") },
            "response": {"tokenUsage": {"prompt": 10, "completion": 3}}, "testCase": {"vars": {"ticket": ticket}, "description": "refund"}})
    }

    #[test]
    fn a_lost_assertion_is_a_failure_and_a_failed_call_an_error() {
        let mut failed = result(0, "b", false);
        let mut broken = result(0, "c", false);
        broken["failureReason"] = json!(2);
        failed["testCase"]["metadata"] = json!({"id": "b", "segment": {"tier": "pro"}});
        let document =
            json!({"results": {"version": 3, "results": [result(0, "a", true), failed, broken]}});
        let rows = rows(results(&document).unwrap(), None).unwrap();
        assert_eq!(rows.len(), 3);
        assert!(rows[0].id.starts_with("refund #"));
        assert_eq!((rows[1].id.as_str(), rows[1].pass), ("b", Some(false)));
        assert_eq!(rows[1].segment.len(), 1);
        assert!(rows[1].is_finished() && !rows[2].is_finished());
        assert_eq!(
            (rows[0].latency_ms, rows[0].output_tokens),
            (Some(120.0), Some(3))
        );
    }

    #[test]
    fn several_prompts_need_a_choice_and_repeats_are_numbered() {
        let both = [
            result(0, "a", true),
            result(1, "a", false),
            result(1, "a", true),
        ];
        assert!(matches!(rows(&both, None), Err(Fault::Several(2))));
        assert!(matches!(rows(&both, Some(2)), Err(Fault::NoPrompt(2))));
        let second = rows(&both, Some(1)).unwrap();
        assert_eq!(second[0].id, "refund");
        assert_eq!((second[0].trial, second[1].trial), (Some(1), Some(2)));
        assert!(results(&json!({"results": [{"name": "x"}]})).is_none());
    }
}
