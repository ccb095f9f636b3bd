//! Forms of services, right and wrong, for the schema and for the reader.

use super::Kind;
use super::examples::{refuses, short_suite, takes};

fn suite(form: &str) -> String {
    let model = format!("{{ provider: http, base_url: \"https://b.example/ask/\", http: {form} }}");
    short_suite("openai:gpt-4o-2024-08-06", &model)
}

#[test]
fn right_forms_are_taken_by_both() {
    for form in [
        "{ body: { q: \"{{prompt}}\" } }",
        "{ body: [\"{{messages}}\"], answer: $ }",
        "{ method: GET, query: { q: \"{{prompt}}\", n: 3 }, answer: \"$.a[0]\" }",
        "{ method: PUT, headers: { X-Tenant: acme, accept: text/plain }, key_header: x-api-key, body: { q: \"{{prompt}}\" }, usage: { input: $.i, output: $.o } }",
        "{ headers: { content-type: text/plain }, body: \"{{system}}: {{prompt}}\", key_header: \"authorization: Token\" }",
        "{ headers: { content-type: application/vnd.api+json }, body: { q: \"{{messages}}\", t: \"{{temperature}}\", m: \"{{model}}\" } }",
    ] {
        takes(Kind::Suite, form, &suite(form));
    }
}

#[test]
fn wrong_forms_are_refused_by_both() {
    for (why, form) in [
        ("nothing to send", "{ answer: $.a }"),
        (
            "a body with GET",
            "{ method: GET, body: { q: \"{{prompt}}\" } }",
        ),
        (
            "another method",
            "{ method: DELETE, body: { q: \"{{prompt}}\" } }",
        ),
        (
            "a header on two lines",
            "{ headers: { x: \"a\\nhost: b\" }, body: { q: \"{{prompt}}\" } }",
        ),
        (
            "a name with a space",
            "{ headers: { \"x y\": a }, body: { q: \"{{prompt}}\" } }",
        ),
        (
            "a body that is a number",
            "{ body: 3, query: { q: \"{{prompt}}\" } }",
        ),
        (
            "an unknown key",
            "{ body: { q: \"{{prompt}}\" }, transform: x }",
        ),
        (
            "usage that is a path",
            "{ body: { q: \"{{prompt}}\" }, usage: $.u }",
        ),
    ] {
        refuses(Kind::Suite, why, &suite(form));
    }
    let query = "{ provider: http, base_url: \"https://b.example/ask?k=1\", http: { body: [\"{{prompt}}\"] } }";
    let form_of_another = "{ provider: openai, model: m, http: { body: [\"{{prompt}}\"] } }";
    for (why, model) in [
        ("a query in the address", query),
        (
            "no form",
            "{ provider: http, base_url: \"https://b.example/ask\" }",
        ),
        (
            "no address",
            "{ provider: http, http: { body: [\"{{prompt}}\"] } }",
        ),
        ("a form for another", form_of_another),
    ] {
        refuses(
            Kind::Suite,
            why,
            &short_suite("openai:gpt-4o-2024-08-06", model),
        );
    }
}

/// Forms that are wrong in what only the reader knows, and what it says.
const WRONG: [(&str, &str); 20] = [
    ("{ body: { q: a } }", "`http` has no place for the question"),
    (
        "{ body: { q: \"{{prompt}}\", x: \"{{promt}}\" } }",
        "a request has no part `promt`",
    ),
    (
        "{ body: { q: \"{{prompt.text}}\" } }",
        "a request has no part `prompt.text`",
    ),
    ("{ body: { q: \"{{prompt\" } }", "is not closed"),
    ("{ body: \"{{prompt}}\" }", "needs a `content-type`"),
    (
        "{ headers: { content-type: application/json }, body: \"{{prompt}}\" }",
        "needs a `content-type`",
    ),
    (
        "{ headers: { content-type: text/plain }, body: { q: \"{{prompt}}\" } }",
        "`content-type` says otherwise",
    ),
    (
        "{ headers: { Authorization: \"Bearer k\" }, body: { q: \"{{prompt}}\" } }",
        "header `authorization` carries a key",
    ),
    (
        "{ headers: { X-Api-Key: k }, body: { q: \"{{prompt}}\" } }",
        "header `x-api-key` carries a key",
    ),
    (
        "{ headers: { ocp-apim-subscription-key: k }, body: { q: \"{{prompt}}\" } }",
        "carries a key",
    ),
    (
        "{ headers: { x-id: k }, key_header: X-Id, body: { q: \"{{prompt}}\" } }",
        "header `x-id` carries a key",
    ),
    (
        "{ headers: { Host: a.example }, body: { q: \"{{prompt}}\" } }",
        "header `host` is written by the client itself",
    ),
    (
        "{ headers: { content-length: \"3\" }, body: { q: \"{{prompt}}\" } }",
        "header `content-length` is written",
    ),
    (
        "{ headers: { x: a, X: b }, body: { q: \"{{prompt}}\" } }",
        "header `x` is there twice",
    ),
    (
        "{ headers: { x: \"{{prompt}}\" }, body: { q: \"{{prompt}}\" } }",
        "header `x` has a value that no header may have",
    ),
    (
        "{ key_header: host, body: { q: \"{{prompt}}\" } }",
        "header `host` is written",
    ),
    (
        "{ key_header: \"authorization: Bearer sk-1\", body: { q: \"{{prompt}}\" } }",
        "`key_header` is not the name of a header",
    ),
    (
        "{ query: { api_key: k, q: \"{{prompt}}\" } }",
        "`api_key` in an address is a key",
    ),
    (
        "{ body: { q: \"{{prompt}}\" }, answer: data.reply }",
        "invalid JSONPath",
    ),
    (
        "{ body: { q: \"{{prompt}}\" }, usage: { input: in } }",
        "invalid JSONPath",
    ),
];

#[test]
fn the_reader_names_what_is_wrong_with_a_form() {
    for (form, says) in WRONG {
        let errors = Kind::Suite.errors(&suite(form));
        assert!(
            errors.iter().any(|error| error.contains(says)),
            "{form}: {errors:?}"
        );
        assert!(!format!("{errors:?}").contains("sk-1"), "{errors:?}");
    }
    // All that is wrong is said at once.
    let form = "{ method: POKE, headers: { host: a }, body: { q: \"{{x}}\" }, answer: a, usage: { output: b }, more: 1 }";
    assert_eq!(Kind::Suite.errors(&suite(form)).len(), 7);
}

#[test]
fn a_word_that_is_part_of_another_names_no_secret() {
    use crate::suite::http_form::names_a_secret;
    for name in [
        "authorization",
        "X-API-Key",
        "api_key",
        "apikey",
        "x-auth-token",
        "Cookie",
        "client_secret",
        "accessToken",
        "clientSecret",
        "ApiKey",
        "password",
    ] {
        assert!(names_a_secret(name), "{name}");
    }
    for name in [
        "x-tenant",
        "max_tokens",
        "maxTokens",
        "author",
        "x-key",
        "keyboard",
        "x-request-id",
        "accept",
        "content-type",
    ] {
        assert!(!names_a_secret(name), "{name}");
    }
}
