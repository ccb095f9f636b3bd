//! The texts that `gate init` writes.

use crate::command::schema;

/// The first prompt, where there is none.
pub const PROMPT: &str = "---
params: { temperature: 0, max_tokens: 10 }
variables:
  ticket: { type: string, max_length: 4000 }
---
Answer with one word: billing, bug or other.

{{ticket}}
";

/// The first cases.
pub const CASES: [(&str, &str); 10] = [
    ("I was charged twice for March", "billing"),
    ("The app crashes when I open the settings", "bug"),
    ("Do you have a shop in Graz?", "other"),
    ("My invoice shows the wrong address", "billing"),
    ("The export button does nothing", "bug"),
    ("Who founded the company?", "other"),
    ("Please refund my last payment", "billing"),
    ("I see an empty page after signing in", "bug"),
    ("Can I visit your office?", "other"),
    ("Why did the price go up this month?", "billing"),
];

/// The rules of a mock that answers what is expected, until the prompt says otherwise.
#[must_use]
pub fn mock(has_expected: bool) -> String {
    let reply = if has_expected {
        "{{expected}}"
    } else {
        "An answer of the mock to {{case.id}}."
    };
    let lost = if has_expected {
        "Sure! That must be {{expected}}, I think."
    } else {
        "I am sorry, but I cannot help with that."
    };
    format!(
        "{}# A model that costs nothing: the first rule that fits answers (docs/mock-and-cassettes.md).
gate: mock/1
rules:
  # Breaks every case when the prompt says \"be friendly\", to see a gate fail.
  - {{ when: {{ user: \"(?i)be friendly\" }}, reply: \"{lost}\" }}
  - {{ reply: \"{reply}\" }}
",
        schema::modeline("mock")
    )
}

/// What a suite names.
pub struct SuiteText<'a> {
    /// The key `prompt`, where the suite's name does not say it.
    pub prompt: &'a str,
    /// The dataset's path, relative to the suite.
    pub dataset: &'a str,
    /// The model, `openai:gpt-4o-2024-08-06`, or the path of mock rules.
    pub model: Result<&'a str, &'a str>,
    /// The scorer.
    pub scorer: &'a str,
    /// The model to name in place of a mock.
    pub real_model: &'a str,
}

/// A suite in its short form.
#[must_use]
pub fn suite(text: &SuiteText<'_>) -> String {
    let model = match text.model {
        Ok(model) => format!("model: {model}\n"),
        Err(rules) => format!(
            "# A mock, since no key was set. A real model: `model: {}` in place of the next line.\nmodels: [{{ name: main, provider: mock, rules: {rules} }}]\n",
            text.real_model
        ),
    };
    format!(
        "{}gate: suite/1\nprompt: {}\ndataset: {}\n{model}scorers:\n  - {}\n",
        schema::modeline("suite"),
        text.prompt,
        text.dataset,
        text.scorer
    )
}

/// The workflow of a whole gate.
#[must_use]
pub fn workflow(key: &str) -> String {
    format!(
        "name: prompts
on: {{ pull_request: {{}}, merge_group: {{}} }}
permissions: {{ contents: read, pull-requests: write }}
jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@93cb6efe18208431cddfb8368fd83d5badbf9bfd # v5.0.1
        with: {{ fetch-depth: 2, persist-credentials: false }}
      - uses: promptgate/gate@v{} # pin the commit of the release that you have read
        env: {{ {key}: \"${{{{ secrets.{key} }}}}\" }}
",
        env!("CARGO_PKG_VERSION")
    )
}
