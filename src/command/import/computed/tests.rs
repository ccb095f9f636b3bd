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

#[test]
fn what_nunjucks_means_otherwise_is_refused() {
    // Nunjucks 3.2 gives another text for each, or fails.
    for template in [
        "{{ name * 3 }}",
        "{% if yes %}{# it's #}{{ name * 3 }}{% endif %}",
        "{% if yes %}{% raw %}{{ ' {% endraw %}{{ name * 3 }}{% endif %}",
        "{{ neg % 2 }}",
        "{{ 2 ** 60 }}",
        "{{ yes ~ no }}",
        "{{ missing ~ name }}",
        "{{ user.missing ~ name }}",
        "{{ (6 / 2) ~ name }}",
        "{% if missing < 5 %}y{% endif %}",
        "{% if user.missing < 5 %}y{% endif %}",
        "{% if list > 5 %}y{% endif %}",
        "{% if yes > 0 %}y{% endif %}",
        "{% if name > 5 %}y{% endif %}",
        "{% if missing == none %}y{% endif %}",
        "{% if empty == zero %}y{% endif %}",
        "{% if 3 > 2 > 1 %}y{% endif %}",
        "{% if True %}y{% endif %}",
        "{% for x in list if x != 'b' %}{{ x }}{% endfor %}",
        "{% for x in list %}{{ loop.depth }}{% endfor %}",
        "{{ name[1:3] }}",
        "{{ list[n - 5] }}",
        "{{ list.0 }}",
        "{{ '\\u0041' }}",
        "{{ 1e3 }}",
        "{{ 9007199254740993 }}",
        "{{ 100000000 * 100000000 }}",
        "{{ missing.length }}",
        "{{ name | replace('a', missing) }}",
    ] {
        let vars = serde_json::json!({
            "name": "ada", "n": 3, "zero": 0, "neg": -2.5, "yes": true, "no": false, "empty": "",
            "list": ["a", "b"], "user": {"first": "Ada"},
        });
        let given = given_by(template, vars.as_object().unwrap());
        assert!(given.is_err(), "{template}: {given:?}");
    }
}

#[test]
fn values_are_written_as_javascript_does() {
    let vars = serde_json::json!({"list": ["a", "b"], "n": 3, "zero": 0, "two": 2.0});
    for (template, text) in [
        ("{{ list ~ n }}", "a,b3"),
        ("{{ two ~ n }}", "23"),
        ("{{ zero * -1.5 }}", "0"),
        ("{{ list['length'] }}{{ list['1'] }}", "2b"),
        ("{{ missing | dump }}|", "|"),
        ("{{ (n * two) | dump }}", "6"),
        ("{% if list.length > 1 and n < 4 %}y{% endif %}", "y"),
        ("{{ '\u{feff} x ' | trim }}", "x"),
    ] {
        let given = given_by(template, vars.as_object().unwrap());
        assert_eq!(given.as_deref(), Ok(text), "{template}");
    }
}

#[test]
fn code_that_is_too_deep_for_the_stack_is_refused() {
    let many = |text: &str| text.repeat(20_000);
    for template in [
        format!("{{{{ a {} }}}}", many("+ a")),
        format!("{{{{ a {} }}}}", many("| upper")),
        format!("{{{{ a{} }}}}", many(".a")),
        format!("{{{{ a{} }}}}", many("[0]")),
        format!("{{{{ {} a }}}}", many("not ")),
        format!("{{{{ a {} }}}}", many(" and a")),
        format!("{{{{ {}a{} }}}}", many("("), many(")")),
        format!("{{% if a %}}{}{{% endif %}}", many("{% elif a %}")),
        format!("{}{}", many("{% if a %}"), many("{% endif %}")),
        format!("{}{}", many("{% for x in a %}"), many("{% endfor %}")),
    ] {
        assert!(evaluate(&template, &Map::new()).is_err());
        assert!(names(&template).is_empty());
    }
}

#[test]
fn code_that_would_fill_the_memory_is_refused() {
    let doubling = |list: &str, inner: &str, times: usize| {
        let opens = (0..times).map(|at| {
            let name = format!("v{at}");
            format!("{{% for v{} in {} %}}", at + 1, list.replace('@', &name))
        });
        let opens: String = opens.collect();
        format!("{opens}{inner}{}", "{% endfor %}".repeat(times))
    };
    let hundred = "@".repeat(100);
    let replaced = format!(
        "{{{{ v0 {} }}}}",
        format!("| replace('@', '{hundred}')").repeat(20)
    );
    let text = "@".repeat(100_000);
    for template in [
        doubling("[@ ~ @]", "x", 40),
        doubling("[@ + @]", "x", 40),
        doubling("[[@, @]]", "{{ v40 | join }}", 40),
        doubling("range(9999)", "{{ v0 }}", 2),
        replaced,
        format!("{{{{ v0 {} }}}}", "| dump".repeat(60)),
        format!("{{{{ v0 | join(v0) {} }}}}", "| escape".repeat(60)),
        format!("{{{{ v0 {} }}}}", "~ v0".repeat(10_000)),
        "{{ list | join(v0) }}".to_owned(),
        "{{ 'x' * 99999999 }}".to_owned(),
    ] {
        let vars = serde_json::json!({"v0": text, "list": vec!["a"; 1_000]});
        let given = given_by(&template, vars.as_object().unwrap());
        assert!(given.is_err(), "{}", text::shorten(&template, 80));
    }
}
