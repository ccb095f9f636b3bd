//! The examples of RFC 9535 (`fixtures/score/json-path/rfc9535.json`), all of them: what a path
//! selects, where that is, and which paths are refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// Where the crate is apart from the RFC, with the reason; `docs/scorers.md` says so too.
const APART: [(&str, &str); 3] = [
    // A filter within a filter is not tried on the members that the outer one looks at.
    ("$[?@[?@.b]]", "selects []"),
    // These are not well-typed (section 2.4.3), and taken all the same: the first compares the
    // length of many nodes, the second tests the value of a function as if it were a node.
    ("$[?length(@.*) < 3]", "is taken"),
    ("$[?value(@..color)]", "is taken"),
];

fn sorted(values: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut values: Vec<String> = values.into_iter().collect();
    values.sort();
    values
}

/// What is wrong with a case of the file. The order of an object's members is open in the RFC.
fn fault(documents: &Value, case: &Value) -> Option<String> {
    let path = case["path"].as_str().unwrap();
    let document = &documents[case["document"].as_str().unwrap()];
    let wanted = case["selects"].as_array();
    let (parsed, wanted) = match (JsonPath::parse(path), wanted) {
        (Err(_), None) => return None,
        (Err(error), Some(_)) => return Some(format!("is refused: {error}")),
        (Ok(_), None) => return Some("is taken".to_owned()),
        (Ok(parsed), Some(wanted)) => (parsed, wanted),
    };
    let found = match parsed.select(document) {
        Ok(found) => sorted(found.into_iter().map(Value::to_string)),
        Err(fault) => return Some(format!("fails: {fault:?}")),
    };
    if found != sorted(wanted.iter().map(Value::to_string)) {
        return Some(format!("selects {found:?}"));
    }
    let wanted = case["paths"].as_array()?.iter().filter_map(Value::as_str);
    let places = js_path_process(&parsed.query, document).unwrap();
    let places = sorted(places.into_iter().map(|found| found.path));
    (places != sorted(wanted.map(str::to_owned))).then(|| format!("is at {places:?}"))
}

#[test]
fn the_examples_of_the_rfc_select_what_it_says() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/score/json-path/rfc9535.json"
    );
    let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 100, "only {} cases", cases.len());
    let faults = cases.iter().filter_map(|case| {
        let path = case["path"].as_str().unwrap().to_owned();
        Some((path, fault(&file["documents"], case)?))
    });
    let faults: BTreeMap<String, String> = faults.collect();
    let known: BTreeMap<String, String> = APART
        .iter()
        .map(|(path, why)| ((*path).to_owned(), (*why).to_owned()))
        .collect();
    assert_eq!(faults, known);
}
