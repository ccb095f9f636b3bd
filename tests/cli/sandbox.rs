//! A project of a test's own: makes a folder, writes files, runs the binary there.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a helper of tests: a sandbox that can not be made or read fails the test, and the binary gets PATH and HOME"
)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder that is removed with the test.
pub struct Sandbox {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What a run of the binary gave.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The prompt of the smallest complete project (formats.md section 11).
pub const V1: &str = "gate: prompt/1\nprompt: label\nversion: 1\nparams: { temperature: 0 }\nvariables:\n  ticket: { type: string, max_length: 500 }\nmessages:\n  - { role: system, content: \"Answer with one word: billing, bug or other.\" }\n  - { role: user, content: \"{{ticket}}\" }\n";
pub const SUITE: &str = "gate: suite/1\nname: label\nprompt: label\ndataset: ../fixtures/label.jsonl\nmodels: [{ name: main, provider: mock, rules: ../fixtures/label.mock.yaml }]\nscorers: [{ type: equals, value: \"{{expected}}\", transform: [trim] }]\n";
pub const CASES: &str = "{\"id\": \"c1\", \"vars\": {\"ticket\": \"I was charged twice\"}, \"expected\": \"billing\"}\n{\"id\": \"c2\", \"vars\": {\"ticket\": \"The app crashes at start\"}, \"expected\": \"bug\"}\n{\"id\": \"c3\", \"vars\": {\"ticket\": \"Do you have a shop in Graz?\"}, \"expected\": \"other\"}\n";
pub const RULES: &str = "gate: mock/1\nrules:\n  - { when: { system: friendly, case: c2 }, reply: \"Sure! That is a bug.\" }\n  - { reply: \"{{expected}}\" }\n";

/// The second version of the smallest project.
pub fn v2() -> String {
    V1.replace("version: 1", "version: 2")
        .replace("\"Answer with", "\"Be friendly. Answer with")
}

impl Sandbox {
    /// An empty folder.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("gate-test-")
            .tempdir()
            .expect("a temporary folder");
        Self {
            folder,
            variables: Vec::new(),
        }
    }

    /// The smallest complete project.
    pub fn smallest() -> Self {
        let sandbox = Self::empty();
        sandbox.write("evals/label.yaml", SUITE);
        sandbox.write("prompts/label/v1.yaml", V1);
        sandbox.write("prompts/label/v2.yaml", &v2());
        sandbox.write("fixtures/label.mock.yaml", RULES);
        sandbox.write("fixtures/label.jsonl", CASES);
        sandbox
    }

    /// A project whose model is an HTTP server, with `cases` cases that expect `ok`.
    pub fn remote(base_url: &str, cases: usize, extra: &str) -> Self {
        let sandbox = Self::empty();
        sandbox.write("evals/remote.yaml", &format!(
            "gate: suite/1\nprompt: remote\ndataset: ../cases.jsonl\nmodels: [{{ name: main, provider: openai, model: test-model, base_url: \"{base_url}\" }}]\nscorers: [{{ type: equals, value: \"{{{{expected}}}}\" }}]\n{extra}"
        ));
        for (number, word) in [(1, "plain"), (2, "friendly")] {
            sandbox.write(&format!("prompts/remote/v{number}.yaml"), &format!(
                "gate: prompt/1\nversion: {number}\nvariables: {{ q: {{ type: string, max_length: 200 }} }}\nmessages:\n  - {{ role: system, content: \"Be {word}.\" }}\n  - {{ role: user, content: \"{{{{q}}}}\" }}\n"
            ));
        }
        let row = |n| {
            format!(
                "{{\"id\": \"c{n}\", \"vars\": {{\"q\": \"question {n}\"}}, \"expected\": \"ok\"}}\n"
            )
        };
        let rows = (0..cases).map(row).collect::<Vec<_>>().concat();
        sandbox.write("cases.jsonl", &rows);
        sandbox
    }

    /// Sets a variable for all runs.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(path, text).expect("the file can be written");
    }

    pub fn read(&self, relative: &str) -> String {
        let bytes = std::fs::read(self.path(relative)).expect("the file can be read");
        String::from_utf8(bytes).expect("the file is text")
    }

    pub fn json(&self, relative: &str) -> Value {
        serde_json::from_str(&self.read(relative)).expect("the file is JSON")
    }

    /// The events of the newest run.
    pub fn events(&self) -> Vec<Value> {
        let log = self.log();
        log.lines()
            .map(|line| serde_json::from_str(line).expect("an event"))
            .collect()
    }

    /// The log of the newest run.
    pub fn log(&self) -> String {
        let runs = self.path(".gate/runs");
        let mut folders: Vec<_> = std::fs::read_dir(runs)
            .expect("a run")
            .map(|entry| entry.expect("a folder").path().join("events.jsonl"))
            .collect();
        folders.sort();
        let newest = folders.pop().expect("a run");
        std::fs::read_to_string(newest).expect("the log can be read")
    }

    /// The binary with arguments, in the sandbox, without the caller's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gate"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_clear();
        for name in ["PATH", "HOME", "SYSTEMROOT", "TEMP", "TMP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("COLUMNS", "100")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Another program that is given the binary and its arguments, in the same surroundings.
    #[cfg(target_os = "linux")]
    pub fn wrapped(&self, program: &str, before: &[&str], arguments: &[&str]) -> Command {
        let own = self.command(arguments);
        let mut command = Command::new(program);
        command
            .args(before)
            .arg(own.get_program())
            .args(own.get_args())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_clear()
            .envs(
                own.get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        command
    }

    pub fn gate(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("the binary runs"))
    }

    /// Runs git in the sandbox.
    pub fn git(&self, arguments: &[&str]) {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=Test",
                "-c",
                "user.email=test@example.com",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("git runs");
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
        let code = output.status.code().unwrap_or(-1);
        let ran = Self {
            code,
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert_ne!(ran.code, 101, "the program panicked:\n{}", ran.stderr);
        ran
    }

    /// Checks the exit code, with everything printed where it is another.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Checks that stderr holds a text.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "stderr does not say {text:?}:\n{}",
            self.stderr
        );
        self
    }

    /// Checks that stdout holds a text.
    #[track_caller]
    pub fn prints(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text),
            "stdout does not print {text:?}:\n{}",
            self.stdout
        );
        self
    }
}
