//! `README.md` and `docs/first-gate.md`, followed to the letter: their files are written, their commands
//! run, and what they show is what is printed.

use crate::sandbox::{Ran, Sandbox};

/// The fenced blocks of the page with their language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// The block of a language that contains a text, with its last newline.
#[track_caller]
fn block(page: &str, language: &str, part: &str) -> String {
    let mut found = blocks(page)
        .into_iter()
        .filter(|(of, text)| *of == language && text.contains(part));
    let (_, text) = found.next().unwrap();
    format!("{text}\n")
}

/// Both streams, as a terminal shows them where nothing happens at once.
fn screen(ran: &Ran) -> String {
    format!("{}{}", ran.stderr, ran.stdout)
}

#[test]
fn the_files_in_the_readme_are_what_init_writes_and_its_commands_end_as_it_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let page = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    let mut keyed = Sandbox::empty();
    keyed.set("OPENAI_API_KEY", "sk-of-a-test");
    keyed.git(&["init", "-q"]);
    keyed.gate(&["init"]).exits(0);
    assert_eq!(
        keyed.read("prompts/label.md"),
        block(&page, "text", "Answer with")
    );
    let cases = block(&page, "json", "c01");
    assert!(
        keyed.read("fixtures/label.jsonl").starts_with(&cases),
        "{cases}"
    );
    let suite = keyed.read("evals/label.yaml");
    assert!(suite.ends_with(&block(&page, "yaml", "suite/1")), "{suite}");

    let sandbox = Sandbox::empty();
    sandbox.git(&["init", "-q"]);
    sandbox.gate(&["init"]).exits(0);
    assert_eq!(sandbox.read("fixtures/label.jsonl").lines().count(), 10);
    sandbox.gate(&["run", "--no-gate"]).exits(0);
    let linted = sandbox.gate(&["lint"]);
    let sentence = page.split("which `gate lint` says: `").nth(1);
    let sentence = sentence.and_then(|text| text.split('`').next()).unwrap();
    linted.exits(0).prints(sentence);
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-q", "-m", "first gate"]);
    let prompt = sandbox.read("prompts/label.md");
    sandbox.write(
        "prompts/label.md",
        &prompt.replace("\nAnswer", "\nBe friendly. Answer"),
    );
    sandbox
        .gate(&["compare"])
        .exits(1)
        .prints("of 10 cases it loses 10");
}

#[test]
fn the_first_gate_of_the_book_does_what_the_book_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/first-gate.md");
    let page = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    let sandbox = Sandbox::empty();
    sandbox.write("prompts/label.md", &block(&page, "text", "Answer with"));
    sandbox.write("fixtures/label.jsonl", &block(&page, "json", "c1"));
    sandbox.write("fixtures/label.mock.yaml", &block(&page, "yaml", "mock/1"));
    sandbox.write("evals/label.yaml", &block(&page, "yaml", "suite/1"));
    let linted = sandbox.gate(&["lint"]);
    let shown = block(&page, "console", "$ gate lint\n");
    assert_eq!(shown, format!("$ gate lint\n{}", screen(linted.exits(0))));

    sandbox.write("prompts/label.md", &block(&page, "text", "max_length: 500"));
    sandbox
        .gate(&["lint"])
        .exits(0)
        .prints("0 errors, 0 warnings");
    let edited = |sandbox: &Sandbox| {
        sandbox.git(&["init", "-q"]);
        sandbox.git(&["add", "-A"]);
        sandbox.git(&["commit", "-q", "-m", "first prompt"]);
        let prompt = sandbox.read("prompts/label.md");
        let friendly = prompt.replace("\nAnswer", "\nBe friendly. Answer");
        assert_ne!(prompt, friendly);
        sandbox.write("prompts/label.md", &friendly);
        sandbox.gate(&["compare"])
    };
    let shown = block(&page, "console", "first prompt");
    let compared = shown.split("$ gate compare\n").nth(1).unwrap();
    assert_eq!(compared, screen(edited(&sandbox).exits(0)));
    sandbox
        .gate(&["show", "c2"])
        .exits(0)
        .prints("Sure! That is a bug.");

    let sixty = Sandbox::empty();
    let row = |n| {
        let id = if n % 10 == 0 { "lost" } else { "kept" };
        format!(
            "{{\"id\": \"{id}-{n}\", \"vars\": {{\"ticket\": \"t\"}}, \"expected\": \"bug\"}}\n"
        )
    };
    sixty.write("prompts/label.md", &block(&page, "text", "max_length: 500"));
    sixty.write(
        "fixtures/label.jsonl",
        &(0..60).map(row).collect::<String>(),
    );
    let rules = block(&page, "yaml", "mock/1").replace("case: c2", "case: \"lost-*\"");
    sixty.write("fixtures/label.mock.yaml", &rules);
    sixty.write("evals/label.yaml", &block(&page, "yaml", "suite/1"));
    let failed = edited(&sixty);
    let shown = block(&page, "console", "loses 6");
    let shown = shown.trim_start_matches("$ gate compare\n");
    let shown = shown.split("$ echo").next().unwrap();
    failed.exits(1).prints(shown);
}
