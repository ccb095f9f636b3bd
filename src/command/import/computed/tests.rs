//! What Nunjucks itself gives for the templates of `fixtures/import/nunjucks.json`: ours gives the
//! same or refuses.

use super::*;
use crate::command::import::nunjucks;

/// What is refused though Nunjucks gives something.
const REFUSED: [&str; 18] = [
    "{{ name | replace(\"a\", \"o\", 1) }}",
    "{{ name | truncate(5) }}",
    "{{ name | wordcount }}",
    "{{ name | urlencode }}",
    "{{ list | sort | join }}",
    "{{ numbers | sum }}",
    "{{ list[-1] }}|",
    "{{ \"a\" + n }}",
    "{{ name.toUpperCase() }}",
    "{% if digits == 3 %}same{% endif %}",
    "{% if n == \"3\" %}same{% endif %}",
    "{% if none_of == empty %}same{% endif %}",
    "{% for k, v in user %}{{ k }}{% endfor %}",
    "{% for x in user %}{{ x }}{% endfor %}|",
    "{% set a = 1 %}{{ a }}",
    "{% macro f() %}{% endmacro %}x",
    "{{ env.HOME }}",
    "{{ {} }}|",
];

fn given_by(template: &str, vars: &Map<String, Json>) -> Result<String, String> {
    let pieces = nunjucks::parse_code(template).map_err(|error| error.to_string())?;
    nunjucks::render(&pieces, vars)
}

#[test]
fn code_gives_what_nunjucks_gives_or_is_refused() {
    let fixture: Json =
        serde_json::from_str(include_str!("../../../../fixtures/import/nunjucks.json")).unwrap();
    let vars = fixture["vars"].as_object().unwrap();
    let (mut wrong, mut refused) = (Vec::new(), Vec::new());
    for line in fixture["templates"].as_array().unwrap() {
        let template = line["template"].as_str().unwrap();
        match (given_by(template, vars), line["text"].as_str()) {
            (Ok(ours), Some(theirs)) if ours == theirs => {}
            (Err(why), Some(_)) => refused.push((template, why)),
            (Err(_), None) => {}
            (Ok(ours), theirs) => wrong.push(format!("{template}: {ours:?}, not {theirs:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let found: Vec<&str> = refused.iter().map(|(template, _)| *template).collect();
    assert_eq!(found, REFUSED, "{refused:#?}");
}

#[test]
fn a_refusal_says_what_there_is_no_counterpart_of() {
    let vars = Map::new();
    let why = |source: &str| evaluate(source, &vars).unwrap_err();
    assert_eq!(
        why("{{ a | wordwrap(3) }}"),
        "`{{ a | wordwrap(3) }}`: the filter `wordwrap` has no counterpart"
    );
    assert!(why("{{ env.KEY | upper }}").contains("`env` is no variable of a test"));
    assert!(why("{{ a | }}").contains("it is not read"));
    assert!(
        why("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}")
            .contains("too long")
    );
    assert!(why("{% for a in range(99999999) %}{% endfor %}").contains("ten thousand"));
}

#[test]
fn the_variables_of_code_are_those_from_outside() {
    let found =
        names("{% for x in list %}{{ x }}{{ user.name | upper }}{{ loop.index }}{% endfor %}");
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["list", "user"]);
    assert!(names("{{ range(3) | join }}").is_empty());
}

proptest::proptest! {
    #[test]
    fn any_code_is_evaluated_without_a_panic(code in "[a-c|.()\\[\\]\"'=!<>+*/ ,0-9-]{0,30}") {
        let vars = serde_json::json!({"a": "x", "b": [1, "y"], "c": {"d": 2}});
        let _ = evaluate(&format!("{{{{ {code} }}}}"), vars.as_object().unwrap());
        let _ = evaluate(&format!("{{% if {code} %}}x{{% endif %}}"), vars.as_object().unwrap());
    }
}
