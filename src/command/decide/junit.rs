//! `JUnit` XML of any test runner: each test case is a case.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::row::{Row, number_trials};

/// Reads a file; what is wrong with it, in words.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut rows: Vec<Row> = Vec::new();
    let mut open: Option<Row> = None;
    loop {
        let event = reader
            .read_event()
            .map_err(|error| format!("no well-formed XML: {error}"))?;
        match event {
            Event::Start(tag) if is(&tag, "testcase") => {
                open = Some(test_case(&tag, rows.len())?);
            }
            Event::Empty(tag) if is(&tag, "testcase") => {
                rows.push(test_case(&tag, rows.len())?);
            }
            Event::Start(tag) | Event::Empty(tag) => {
                if let Some(row) = &mut open {
                    mark(&tag, row)?;
                }
            }
            Event::End(tag) => {
                let name = tag.name();
                let name: &str = name.as_ref();
                if name == "testcase" {
                    rows.extend(open.take());
                }
            }
            Event::Eof => break,
            Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
    if open.is_some() {
        return Err("the file ends within a test case".to_owned());
    }
    if rows.is_empty() {
        return Err("the file has no test case".to_owned());
    }
    number_trials(&mut rows);
    Ok(rows)
}

fn is(tag: &BytesStart<'_>, name: &str) -> bool {
    let found = tag.name();
    let found: &str = found.as_ref();
    found == name
}

fn attribute(tag: &BytesStart<'_>, key: &str) -> Result<Option<String>, String> {
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| format!("no well-formed XML: {error}"))?;
        let name: &str = attribute.key.as_ref();
        if name == key {
            let raw = attribute.value.to_string();
            let value = quick_xml::escape::unescape(&raw)
                .map_err(|error| format!("no well-formed XML: {error}"))?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

fn test_case(tag: &BytesStart<'_>, before: usize) -> Result<Row, String> {
    let name = attribute(tag, "name")?.filter(|name| !name.is_empty());
    let name = name.ok_or("there is a test case without a name")?;
    let id = match attribute(tag, "classname")?.filter(|class| !class.is_empty()) {
        Some(class) => format!("{class}/{name}"),
        None => name,
    };
    let seconds = attribute(tag, "time")?.and_then(|time| time.parse::<f64>().ok());
    Ok(Row {
        id,
        line: u32::try_from(before + 1).unwrap_or(u32::MAX),
        pass: Some(true),
        latency_ms: seconds
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
            .map(|seconds| seconds * 1000.0),
        ..Row::default()
    })
}

/// What an element within a test case says of it. A flaky failure passed in the end.
fn mark(tag: &BytesStart<'_>, row: &mut Row) -> Result<(), String> {
    if is(tag, "failure") {
        row.pass = Some(false);
    } else if is(tag, "error") {
        let message = attribute(tag, "message")?.filter(|message| !message.is_empty());
        row.error = Some(message.unwrap_or_else(|| "the test errored".to_owned()));
    } else if is(tag, "skipped") {
        row.skipped = true;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_errors_and_skips_are_told_apart() {
        let text = "<?xml version=\"1.0\"?><testsuites><testsuite name=\"s\">\
            <testcase classname=\"a\" name=\"one\" time=\"0.250\"/>\
            <testcase classname=\"a\" name=\"two &amp; three\"><failure message=\"no\">text</failure></testcase>\
            <testcase name=\"four\"><error message=\"timeout\"/></testcase>\
            <testcase name=\"five\"><skipped/></testcase>\
            </testsuite></testsuites>";
        let rows = rows(text).unwrap();
        assert_eq!(
            (rows[0].id.as_str(), rows[0].latency_ms),
            ("a/one", Some(250.0))
        );
        assert_eq!(
            (rows[1].id.as_str(), rows[1].pass),
            ("a/two & three", Some(false))
        );
        assert_eq!(rows[2].error.as_deref(), Some("timeout"));
        assert!(rows[3].skipped && !rows[3].is_finished());
    }

    #[test]
    fn what_is_no_junit_is_refused() {
        assert!(rows("<testsuites></testsuites>").is_err());
        assert!(rows("<testsuites><testcase").is_err());
        assert!(rows("<testcase classname=\"a\"/>").is_err());
    }
}
