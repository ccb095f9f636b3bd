use serde_json::json;

use super::*;
use crate::base::Fields;

const LABEL: &str = "gate: prompt/1\nprompt: label\nversion: 1\nparams: { temperature: 0 }\nvariables:\n  ticket: { type: string, max_length: 500 }\nmessages:\n  - { role: system, content: \"Answer with one word: billing, bug or other.\" }\n  - { role: user, content: \"{{ticket}}\" }\n";

fn decode_as(text: &str, form: Form) -> Result<PromptVersion, String> {
    let source = Source::new("prompts/label/v1.yaml", text);
    let mut found = Diagnostics::new();
    let expected = Expected {
        slug: Slug::new("label").unwrap(),
        number: Some(1),
        form,
    };
    decode(&source, &expected, &mut found).ok_or_else(|| {
        let shown = found
            .iter()
            .map(|d| format!("{}@{:?}", d.rule, d.location().map(|l| (l.1, l.2))));
        shown.collect::<Vec<_>>().join(" ")
    })
}

fn read(text: &str) -> Result<PromptVersion, String> {
    decode_as(text, Form::Yaml)
}

#[test]
fn hashes_the_smallest_project_to_its_published_values() {
    let v1 = read(LABEL).unwrap();
    assert_eq!(
        v1.hash.to_string(),
        "sha256:f5d597cf51db335f9e031f775caa08db19f778321a86fc917f26a8eda1afa0a0"
    );
    let v2 = read(&LABEL.replace("\"Answer with", "\"Be friendly. Answer with")).unwrap();
    assert_eq!(
        v2.hash.to_string(),
        "sha256:afdc85597dd0d6be73db2a8df69626569a1c6ddc7d4212729839515ed64f34f4"
    );
}

#[test]
fn metadata_line_ends_and_number_forms_do_not_change_the_hash() {
    let v1 = read(LABEL).unwrap();
    for same in [
        LABEL.replace("temperature: 0 ", "temperature: 0.0 "),
        LABEL.replace('\n', "\r\n"),
        format!("{LABEL}description: other words\nmodel_hint: ~\n"),
        LABEL.replace("max_length: 500", "max_length: 500, pattern: ~"),
    ] {
        assert_eq!(read(&same).unwrap().hash, v1.hash, "{same}");
    }
    assert_ne!(read(&LABEL.replace("500", "501")).unwrap().hash, v1.hash);
}

#[test]
fn finds_undeclared_and_unused_variables_with_their_places() {
    let text = LABEL.replace("{{ticket}}", "{{tiket}}");
    assert_eq!(
        read(&text).unwrap_err(),
        "undeclared-variable@Some((9, 29)) unused-variable@Some((6, 3))"
    );
}

#[test]
fn finds_every_error_of_a_file_at_once() {
    let text = "gate: prompt/2\nprompt: other\nversion: 3\nparam: {}\nparams: { temperatur: 1, top_p: 7 }\nmessages:\n  - { role: robot, content: \"{{a b}}\" }\n";
    assert_eq!(
        read(text).unwrap_err(),
        "format@Some((1, 7)) prompt-name@Some((2, 9)) prompt-version@Some((3, 10)) out-of-range@Some((5, 33)) unknown-key@Some((5, 11)) unknown-word@Some((7, 13)) template@Some((7, 30)) unknown-key@Some((4, 1))"
    );
}

#[test]
fn a_text_file_is_one_user_message_with_optional_front_matter() {
    let plain = decode_as("Sort this: {{ticket}}\n", Form::Text).unwrap();
    assert_eq!(plain.messages.len(), 1);
    assert_eq!(plain.variables.len(), 1);
    let front = decode_as(
        "---\nparams: { temperature: 0 }\n---\nSort this: {{ticket}}\n",
        Form::Text,
    )
    .unwrap();
    assert_eq!(front.params.temperature, Some(0.0));
    assert_eq!(
        front.messages.first().map(|m| m.content.to_source()),
        Some("Sort this: {{ticket}}\n".into())
    );
    let broken = decode_as("---\nparam: 1\n---\nx {{a b}}\n", Form::Text).unwrap_err();
    assert_eq!(broken, "template@Some((4, 3)) unknown-key@Some((2, 1))");
}

fn vars(value: Value) -> Fields<Value> {
    let Value::Object(fields) = value else {
        return Fields::default();
    };
    Fields::new(
        fields
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect(),
    )
}

#[test]
fn checks_a_case_against_the_declared_types() {
    let text = "gate: prompt/1\nvariables:\n  t: { type: string, max_length: 3, pattern: '[a-z]+' }\n  n: { type: integer, min: 1, max: 5 }\n  e: { type: enum, values: [free, pro] }\n  o: { type: object, required: false, default: {x: 1} }\nmessages:\n  - { role: user, content: '{{t}}{{n}}{{e}}{{o.x}}' }\n";
    let version = read(text).unwrap();
    let good = json!({"t": "abc", "n": 2, "e": "pro"});
    assert_eq!(version.check(&vars(good.clone())), []);
    assert_eq!(
        version
            .render(&vars(good))
            .unwrap()
            .first()
            .map(|m| m.content.clone()),
        Some("abc2pro1".into())
    );
    for (bad, rule) in [
        (json!({"n": 2, "e": "pro"}), "missing-variable"),
        (json!({"t": null, "n": 2, "e": "pro"}), "null-variable"),
        (json!({"t": "abcd", "n": 2, "e": "pro"}), "variable-length"),
        (json!({"t": "aB", "n": 2, "e": "pro"}), "variable-pattern"),
        (
            json!({"t": "a\u{202e}", "n": 2, "e": "pro"}),
            "control-character",
        ),
        (json!({"t": 5, "n": 2, "e": "pro"}), "variable-type"),
        (json!({"t": "a", "n": 2.5, "e": "pro"}), "variable-type"),
        (json!({"t": "a", "n": 9, "e": "pro"}), "variable-range"),
        (json!({"t": "a", "n": 2, "e": "Pro"}), "variable-value"),
        (
            json!({"t": "a", "n": 2, "e": "pro", "o": {"y": 1}}),
            "missing-field",
        ),
    ] {
        let rules: Vec<&str> = version
            .check(&vars(bad.clone()))
            .iter()
            .map(|(_, fault)| fault.rule)
            .collect();
        assert_eq!(rules, [rule], "{bad}");
    }
}
