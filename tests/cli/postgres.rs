//! A registry in PostgreSQL, from the command line. Needs the feature `postgres` and a server:
//! `.ci/postgres cargo test --features postgres`.

use crate::sandbox::Sandbox;

#[test]
fn an_address_with_a_password_is_refused_and_not_repeated() {
    let sandbox = Sandbox::smallest();
    for command in [
        vec![
            "prompt",
            "list",
            "--registry",
            "postgres://me:hunter2@localhost/db",
        ],
        vec![
            "prompt",
            "copy",
            "--from",
            "prompts",
            "--to",
            "postgres://me:hunter2@localhost/db",
        ],
    ] {
        let ran = sandbox.gate(&command);
        ran.exits(2).says("holds a password");
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
    sandbox
        .gate(&["prompt", "list", "--registry", "mysql://me@localhost/db"])
        .exits(2)
        .says("`mysql://` is no registry");
}

#[test]
fn a_file_may_not_choose_the_host_that_gets_the_password() {
    let sandbox = Sandbox::smallest();
    let suite = sandbox.read("evals/label.yaml");
    sandbox.write(
        "evals/label.yaml",
        &format!("{suite}registry: postgres://me@db.example.com/prompts\n"),
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("the registry's host `db.example.com` is not allowed")
        .says("--allow-host db.example.com");
    sandbox.write("evals/label.yaml", &suite);
    sandbox.write(
        "gate.yaml",
        "gate: settings/1\nregistry: postgres://me@db.example.com/prompts\n",
    );
    sandbox
        .gate(&["prompt", "list"])
        .exits(2)
        .says("is not allowed");
}

#[cfg(not(feature = "postgres"))]
#[test]
fn a_program_without_the_feature_names_it() {
    Sandbox::smallest()
        .gate(&["prompt", "list", "--registry", "postgres://me@localhost/db"])
        .exits(2)
        .says("was built without PostgreSQL")
        .says("--features postgres");
}

#[cfg(feature = "postgres")]
pub mod with_a_server {
    use super::*;
    use crate::sandbox::{V1, v2};
    use std::process::{Command, Stdio};

    /// A database of the test's own, and its address.
    pub struct Database {
        name: String,
        host: String,
        port: String,
        address: String,
    }

    impl Database {
        pub fn new() -> Option<Self> {
            use std::sync::atomic::{AtomicU32, Ordering};
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let Ok(server) = std::env::var("GATE_TEST_POSTGRES") else {
                eprintln!("SKIPPED: GATE_TEST_POSTGRES names no server");
                return None;
            };
            let (_, rest) = server.split_once('@').unwrap();
            let (place, _) = rest.split_once('/').unwrap();
            let (host, port) = place.split_once(':').unwrap();
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("cli_{}_{number}", std::process::id());
            let database = Self {
                address: format!("postgres://postgres@{place}/{name}"),
                host: host.replace("%2F", "/"),
                port: port.to_owned(),
                name,
            };
            database.psql(
                "postgres",
                &format!("CREATE DATABASE {} TEMPLATE template0", database.name),
            );
            Some(database)
        }

        fn psql(&self, database: &str, sql: &str) -> String {
            let output = Command::new("psql")
                .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
                .args(["-h", &self.host, "-p", &self.port, "-U", "postgres"])
                .args(["-d", database, "-c", sql])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        }

        /// The address of the database at a host that is not the socket.
        pub fn address_at(&self, host: &str) -> String {
            format!("postgres://postgres@{host}:{}/{}", self.port, self.name)
        }

        pub fn sql(&self, sql: &str) -> String {
            self.psql(&self.name, sql)
        }
    }

    impl Drop for Database {
        fn drop(&mut self) {
            self.psql(
                "postgres",
                &format!("DROP DATABASE {} WITH (FORCE)", self.name),
            );
        }
    }

    /// The smallest project with its prompts in a database.
    fn moved() -> Option<(Database, Sandbox)> {
        let database = Database::new()?;
        let mut sandbox = Sandbox::smallest();
        sandbox.set("GATE_AUTHOR", "ana");
        for file in ["prompts/label/v1.yaml", "prompts/label/v2.yaml"] {
            sandbox
                .gate(&["prompt", "add", file, "--description", file])
                .exits(0);
        }
        sandbox
            .gate(&[
                "prompt",
                "copy",
                "--from",
                "prompts",
                "--to",
                &database.address,
            ])
            .exits(0)
            .prints("label: 2 log lines, 2 new in");
        sandbox.set("GATE_REGISTRY", &database.address);
        std::fs::remove_dir_all(sandbox.path("prompts")).unwrap();
        Some((database, sandbox))
    }

    #[test]
    fn a_database_takes_the_place_of_the_folder() {
        let Some((database, sandbox)) = moved() else {
            return;
        };
        sandbox.gate(&["prompt", "list"]).exits(0).prints("label");
        let ran = sandbox.gate(&["prompt", "promote", "label@v1", "--force", "--why", "first"]);
        ran.exits(0).prints("label: stable nothing -> v1");
        assert!(!ran.stdout.contains("git add"), "{}", ran.stdout);
        sandbox.gate(&["compare", "v1", "v1"]).exits(0);
        sandbox
            .gate(&["compare", "stable", "v2"])
            .exits(0)
            .prints("v2");
        sandbox
            .gate(&["prompt", "promote", "label@v2"])
            .exits(1)
            .says("label@v2 can not become stable");
        let draft = V1.replace("Answer with", "Please answer with");
        sandbox.write("draft.yaml", &draft);
        sandbox
            .gate(&["prompt", "add", "draft.yaml", "--description", "kind"])
            .exits(0)
            .prints("label@v3 added");
        sandbox.gate(&["run", "v3", "--no-gate"]).exits(0);
        sandbox
            .gate(&["prompt", "get", "label"])
            .exits(0)
            .prints("\"version\": 1");
        let live = "SELECT version FROM gate.live WHERE slug = 'label' AND channel = 'stable'";
        assert_eq!(database.sql(live), "1");
        sandbox
            .gate(&["prompt", "promote", "label@v3", "--force", "--why", "x"])
            .exits(0);
        assert_eq!(database.sql(live), "3");
        sandbox.gate(&["prompt", "rollback", "label"]).exits(0);
        assert_eq!(database.sql(live), "1");
        sandbox.gate(&["prompt", "verify"]).exits(0);
        sandbox
            .gate(&["compare", "git:HEAD", "v1"])
            .exits(2)
            .says("looks into the project");
        sandbox
            .gate(&["prompt", "migrate"])
            .exits(0)
            .prints("of this program's format already");
    }

    #[test]
    fn a_promotion_on_evidence_goes_to_the_database_and_back_to_a_folder() {
        let Some((database, sandbox)) = moved() else {
            return;
        };
        sandbox
            .gate(&["prompt", "promote", "label@v2", "--force", "--why", "x"])
            .exits(0);
        let policy = format!(
            "{}policy: {{ margin: 0.9 }}\n",
            sandbox.read("evals/label.yaml")
        );
        sandbox.write("evals/label.yaml", &policy);
        sandbox.gate(&["compare", "stable", "v1"]).exits(0);
        sandbox
            .gate(&["prompt", "promote", "label@v1"])
            .exits(0)
            .prints("label: stable v2 -> v1");
        sandbox
            .gate(&[
                "prompt",
                "copy",
                "--from",
                &database.address,
                "--to",
                "back",
            ])
            .exits(0)
            .prints("label: 4 log lines, 4 new in back");
        let log = database.sql("SELECT string_agg(line, E'\\n' ORDER BY seq) FROM gate.log");
        assert_eq!(sandbox.read("back/label/log.jsonl").trim_end(), log);
        let evidence = sandbox.json("back/label/evidence/v1/label.json");
        assert_eq!(evidence["verdict"], "pass");
        sandbox
            .gate(&["prompt", "verify", "--registry", "back"])
            .exits(0);
        assert_eq!(
            sandbox.read("back/label/v2.yaml").contains("friendly"),
            v2().contains("friendly")
        );
    }

    #[test]
    fn a_killed_change_leaves_no_half_in_the_database() {
        let Some((_database, sandbox)) = moved() else {
            return;
        };
        for round in 0..crate::registry::kills() {
            let draft = V1.replace("Answer with", &format!("Answer {round} with"));
            sandbox.write("draft.yaml", &draft);
            let command: Vec<&str> = match round % 3 {
                0 => vec!["prompt", "add", "draft.yaml", "--description", "d"],
                1 => vec!["prompt", "promote", "label@latest", "--force", "--why", "w"],
                _ => vec!["prompt", "rollback", "label"],
            };
            let mut child = sandbox
                .command(&command)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            for _ in 0..round * 37 % 3_000 {
                std::thread::yield_now();
            }
            let _ = child.kill();
            child.wait().unwrap();
            sandbox.gate(&["prompt", "verify"]).exits(0);
        }
    }

    #[test]
    fn of_two_promotions_at_once_in_the_database_one_wins_and_the_other_is_told() {
        let Some((_database, sandbox)) = moved() else {
            return;
        };
        for round in 0..6 {
            let channel = format!("race-{round}");
            let race = |version: &str| {
                sandbox
                    .command(&["prompt", "promote", version, "--channel", &channel])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            };
            let racers = [race("label@v1"), race("label@v2")];
            let ends = racers.map(|racer| racer.wait_with_output().unwrap());
            let lost: Vec<_> = ends.iter().filter(|end| !end.status.success()).collect();
            for end in &lost {
                let said = String::from_utf8_lossy(&end.stderr);
                assert!(said.contains("was changed meanwhile, by ana"), "{said}");
            }
            assert!(lost.len() < 2);
        }
        sandbox.gate(&["prompt", "verify"]).exits(0);
    }
}
