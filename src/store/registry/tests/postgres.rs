//! What holds in the database whatever program is used: who may do what, and that nothing is changed
//! unseen.

use std::sync::Arc;

use super::*;
use crate::store::registry::postgres::server::{self, Database};
use crate::store::registry::{Address, PostgresRegistry};

fn filled() -> Option<(Database, PostgresRegistry)> {
    let database = server::database()?;
    let registry = database.registry("postgres");
    let slug = slug("p");
    add_version(&registry, &slug, "one").unwrap();
    add_version(&registry, &slug, "zw\u{f6}lf").unwrap();
    let change = promotion(&registry, &slug, 1).unwrap();
    registry.commit(&slug, &change).unwrap();
    Some((database, registry))
}

#[test]
fn the_schema_is_made_once_and_an_empty_database_has_no_prompt() {
    let Some(database) = server::empty() else {
        return;
    };
    let registry = database.registry("postgres");
    assert!(registry.slugs().unwrap().is_empty());
    assert!(!registry.has(&slug("p")).unwrap());
    let made = std::thread::scope(|scope| {
        let makers = [0, 1, 2].map(|_| scope.spawn(|| database.registry("postgres").migrate()));
        makers.map(|maker| maker.join().unwrap().unwrap())
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    assert!(!registry.migrate().unwrap());
    add_version(&registry, &slug("p"), "one").unwrap();
    database.sql("UPDATE gate.format SET version = 2");
    let newer = database.registry("postgres").slugs().unwrap_err();
    let said = newer.to_string();
    assert!(
        said.contains("format 2, this program knows format 1"),
        "{said}"
    );
}

#[test]
fn a_reader_reads_and_changes_nothing() {
    let Some((database, _)) = filled() else {
        return;
    };
    let user = database.login("gate_reader");
    let registry = database.registry(&user);
    let slug = slug("p");
    assert!(find(&registry, &slug, &"stable".parse().unwrap()).is_ok());
    assert!(verify(&registry, &slug, None).unwrap().is_empty());
    let refused = add_version(&registry, &slug, "two").unwrap_err();
    assert!(
        refused.contains("not allowed to change the registry"),
        "{refused}"
    );
    for statement in [
        "SELECT gate.append('p', NULL, '{}', '[]', '[]')",
        "SELECT gate.configure('p', 'x')",
        "INSERT INTO gate.log VALUES ('p', 9, 'x', 'x')",
        "UPDATE gate.live SET version = 2",
        "DELETE FROM gate.log",
        "TRUNCATE gate.version",
    ] {
        let refused = database.sql_as(&user, statement).unwrap_err();
        assert!(
            refused.contains("permission denied"),
            "{statement}: {refused}"
        );
    }
}

#[test]
fn an_author_adds_and_does_not_promote_whatever_the_program() {
    let Some((database, _)) = filled() else {
        return;
    };
    let user = database.login("gate_author");
    let registry = database.registry(&user);
    let slug = slug("p");
    assert_eq!(add_version(&registry, &slug, "three"), Ok(3));
    let change = promotion(&registry, &slug, 3).unwrap();
    let refused = registry.commit(&slug, &change).unwrap_err();
    assert!(
        matches!(refused, RegistryError::Denied { .. }),
        "{refused:?}"
    );
    let said = refused.to_string();
    assert!(said.contains("that takes the role gate_promoter"), "{said}");
    // Without our program, too: the line is true, and refused.
    let log = registry.log(&slug).unwrap();
    let mut longer = log.clone();
    longer.append(change.drafts[0].clone());
    let line = &longer.entries().last().unwrap().text;
    let head = log.head().unwrap();
    let append = |line: &str| {
        let line = line.replace('\'', "''");
        format!("SELECT gate.append('p', '{head}', ARRAY['{line}'], '[]', '[]')")
    };
    let refused = database.sql_as(&user, &append(line)).unwrap_err();
    assert!(refused.contains("gate_promoter"), "{refused}");
    for (forged, because) in [
        (line.replace("\"seq\": ", "\"seq\":1"), "does not follow"),
        (line.replace("promote", "bless"), "does not follow"),
        (line.replace("\"v3\"", "\"v2\""), "gate_promoter"),
    ] {
        let refused = database.sql_as(&user, &append(&forged)).unwrap_err();
        assert!(refused.contains(because), "{forged}: {refused}");
    }
    for statement in [
        "UPDATE gate.live SET version = 3",
        "INSERT INTO gate.live SELECT slug, 'stable', 3, hash, document FROM gate.live",
        "SELECT gate.configure('p', 'x')",
        "SELECT gate.point('p', 'stable', 3, NULL)",
        "SELECT gate.append_line('p', 4, NULL, '{}', '[]')",
    ] {
        assert!(database.sql_as(&user, statement).is_err(), "{statement}");
    }
    let evidence = format!(
        "SELECT gate.append('p', '{head}', '{{}}', '[]', '[{{\"path\": \"evidence/v1/x.json\", \"text\": \"x\"}}]')"
    );
    assert!(
        database
            .sql_as(&user, &evidence)
            .unwrap_err()
            .contains("gate_promoter")
    );
    let promoter = database.registry(&database.login("gate_promoter"));
    promoter.commit(&slug, &change).unwrap();
    assert_eq!(
        database.sql("SELECT version FROM gate.live WHERE slug = 'p' AND channel = 'stable'"),
        ["3"]
    );
    assert!(verify(&promoter, &slug, None).unwrap().is_empty());
}

#[test]
fn no_version_or_line_is_updated_or_deleted_by_anybody() {
    let Some((database, _)) = filled() else {
        return;
    };
    for table in ["version", "log", "evidence"] {
        for statement in [
            format!("UPDATE gate.{table} SET slug = slug"),
            format!("DELETE FROM gate.{table}"),
            format!("TRUNCATE gate.{table} CASCADE"),
        ] {
            let refused = database.sql_as("postgres", &statement).unwrap_err();
            assert!(refused.contains("is never changed"), "{refused}");
        }
    }
}

/// Statements that only who owns the server can run: the triggers are off.
fn behind_the_triggers(database: &Database, statements: &str) {
    database.sql(&format!(
        "SET session_replication_role = replica; {statements}"
    ));
}

fn faults(registry: &PostgresRegistry) -> String {
    let found = verify(registry, &slug("p"), None).unwrap();
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    said.join("; ")
}

#[test]
fn what_the_servers_owner_changes_is_found_with_its_line() {
    let Some((database, registry)) = filled() else {
        return;
    };
    let faults = || faults(&registry);
    for seq in 0..3 {
        let line = database.sql(&format!("SELECT line FROM gate.log WHERE seq = {seq}"))[0].clone();
        let set = |line: &str| {
            let line = line.replace('\'', "''");
            behind_the_triggers(
                &database,
                &format!("UPDATE gate.log SET line = '{line}' WHERE seq = {seq}"),
            );
        };
        for place in (0..line.chars().count()).step_by(7) {
            let flip = |(at, c): (usize, char)| match c {
                c if at != place => c,
                'x' => 'y',
                _ => 'x',
            };
            set(&line.chars().enumerate().map(flip).collect::<String>());
            let found = faults();
            let named = [seq + 1, seq + 2].map(|line| format!("line {line}"));
            let is_named = named.iter().any(|line| found.contains(line));
            assert!(is_named, "{place}: {found}");
        }
        set(&line);
    }
    assert_eq!(faults(), "");
    behind_the_triggers(
        &database,
        "UPDATE gate.log SET seq = 7 WHERE seq = 0; UPDATE gate.log SET seq = 0 WHERE seq = 1; UPDATE gate.log SET seq = 1 WHERE seq = 7",
    );
    assert!(faults().contains("line 1"), "{}", faults());
    behind_the_triggers(&database, "DELETE FROM gate.log WHERE seq = 0");
    assert!(faults().contains("line 1"), "{}", faults());
}

#[test]
fn a_version_or_channel_that_the_servers_owner_changes_is_not_handed_out() {
    let Some((database, registry)) = filled() else {
        return;
    };
    let slug = slug("p");
    let faults = || faults(&registry);
    behind_the_triggers(
        &database,
        "UPDATE gate.version SET text = text || ' ' WHERE number = 2",
    );
    assert!(
        faults().contains("is not what line 2 added"),
        "{}",
        faults()
    );
    assert!(find(&registry, &slug, &"v2".parse().unwrap()).is_err());
    behind_the_triggers(
        &database,
        "UPDATE gate.version SET text = rtrim(text, ' ') WHERE number = 2",
    );
    database.sql("UPDATE gate.live SET version = 2 WHERE channel = 'stable'");
    assert!(
        faults().contains("`stable` at v2, the log has it at v1"),
        "{}",
        faults()
    );
    let strayed = find(&registry, &slug, &"stable".parse().unwrap());
    assert!(matches!(strayed, Err(RegistryError::LiveDiffers { .. })));
    database.sql("UPDATE gate.live SET version = 1 WHERE channel = 'stable'");
}

#[test]
fn an_application_finds_a_channel_by_one_indexed_query() {
    let Some((database, registry)) = filled() else {
        return;
    };
    // 500 prompts with 50 versions each, put in by the server's owner.
    behind_the_triggers(
        &database,
        "INSERT INTO gate.prompt SELECT 'many-' || n FROM generate_series(1, 500) AS n;
         INSERT INTO gate.version SELECT 'many-' || n, v, 'yaml', 'text', 'hash', '{}' FROM generate_series(1, 500) AS n, generate_series(1, 50) AS v;
         INSERT INTO gate.log SELECT 'many-' || n, v, 'digest', 'line' FROM generate_series(1, 500) AS n, generate_series(1, 50) AS v;
         INSERT INTO gate.live SELECT 'many-' || n, 'stable', 50, 'hash', '{}' FROM generate_series(1, 500) AS n;
         ANALYZE gate.live; ANALYZE gate.version; ANALYZE gate.log",
    );
    let ours = crate::store::registry::postgres::BY_CHANNEL
        .replace("$1", "'p'")
        .replace("$2", "'stable'");
    let theirs = "SELECT version, document FROM gate.live WHERE slug = 'p' AND channel = 'stable'";
    for query in [ours.as_str(), theirs] {
        let plan = database.sql(&format!("EXPLAIN {query}")).join("\n");
        assert!(plan.contains("live_pkey"), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
    let row = database.sql(
        "SELECT document ->> 'hash' FROM gate.live WHERE slug = 'p' AND channel = 'stable' AND updated_at <= now()",
    );
    let found = find(&registry, &slug("p"), &"stable".parse().unwrap()).unwrap();
    assert_eq!(row, [found.recorded.unwrap().hash.to_string()]);
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().to_str().unwrap().replace('/', "%2F");
    let address = Address::parse(&format!("postgres://me@{host}/db")).unwrap();
    let registry = PostgresRegistry::new(address, "me".to_owned(), None, Arc::default());
    let error = registry.slugs().unwrap_err();
    assert!(matches!(error, RegistryError::Database { .. }), "{error:?}");
    assert!(error.to_string().contains("failed to connect"), "{error}");
}

#[test]
fn a_call_waits_within_a_runtime_too() {
    let Some((_database, registry)) = filled() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let slugs = runtime.block_on(async {
        let slugs = registry.slugs().unwrap();
        drop(registry);
        slugs
    });
    assert_eq!(slugs, [slug("p")]);
}
