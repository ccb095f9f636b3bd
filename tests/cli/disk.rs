//! Disks that refuse: read-only, full, forbidden, or cut off within a line. The run stops at once with
//! exit 3 (`io`), nothing is half-written, and what was recorded resumes.

use std::process::{Command, Stdio};

use crate::sandbox::{Ran, Sandbox};
use crate::server::{Answer, Server};

/// Runs the binary after a line of shell, in a mount namespace of its own: what is mounted goes with
/// it. Nothing, said loudly, where this machine does not permit it.
fn mounted(sandbox: &Sandbox, prepare: &str, arguments: &[&str]) -> Option<Ran> {
    let unshared = |line: &str| sandbox.wrapped("unshare", &["-rm", "sh", "-c", line], arguments);
    let mut probe = unshared("mount -t tmpfs tmpfs /mnt");
    if !probe.output().is_ok_and(|probe| probe.status.success()) {
        eprintln!("SKIPPED: no file system can be mounted here");
        return None;
    }
    let line = format!("{prepare} || exit 99; exec \"$0\" \"$@\"");
    let ran = Ran::of(unshared(&line).output().unwrap());
    assert_ne!(ran.code, 99, "{prepare}: {}", ran.stderr);
    Some(ran)
}

/// Runs the binary where no file may grow above so many blocks of 512 bytes: a write fails (EFBIG)
/// after a part of it was done.
fn limited(sandbox: &Sandbox, blocks: u32, arguments: &[&str]) -> Ran {
    let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = sandbox.wrapped("dash", &["-c", &line], arguments);
    Ran::of(command.output().unwrap())
}

fn has_dash() -> bool {
    let mut command = Command::new("dash");
    let found = command.args(["-c", ":"]).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("SKIPPED: no dash, whose blocks are of 512 bytes");
    }
    found
}

const READ_ONLY: &str = "mount --bind \"$PLACE\" \"$PLACE\" && mount -o remount,bind,ro \"$PLACE\"";

/// Names of files in a folder that writers leave when they are cut off.
fn leftovers(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(sandbox.path(folder))
        .into_iter()
        .flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("tmp")).collect()
}

/// Goes on with the run, and expects the result of an undisturbed one, with nothing bought twice.
fn resumes(sandbox: &Sandbox, server: &Server, cases: usize, in_flight: usize) {
    sandbox
        .gate(&["compare", "--resume", "--json", "resumed.json"])
        .exits(0)
        .says("resuming run");
    let suite = &sandbox.json("resumed.json")["suites"][0];
    for arm in ["baseline", "candidate"] {
        assert_eq!(suite["arms"][arm]["passed"], cases, "{arm}");
    }
    let sent = server.requests();
    assert!(
        (2 * cases..=2 * cases + in_flight).contains(&sent),
        "{sent} requests for {cases} cases"
    );
}

#[test]
fn a_read_only_project_is_told_before_anything_is_sent() {
    let server = Server::saying("ok");
    let mut sandbox = Sandbox::remote(&server.base_url(), 40, "");
    let place = sandbox.path("");
    sandbox.set("PLACE", place.to_str().unwrap());
    let Some(ran) = mounted(&sandbox, READ_ONLY, &["compare", "v1", "v2"]) else {
        return;
    };
    ran.exits(3)
        .says("gate: infra: io")
        .says("Read-only file system");
    assert_eq!(server.requests(), 0);
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
}

#[test]
fn a_read_only_cache_stops_the_run_which_resumes() {
    let server = Server::saying("ok");
    let mut sandbox = Sandbox::remote(&server.base_url(), 30, "");
    sandbox.write(".gate/cache/.keep", "");
    let place = sandbox.path(".gate/cache");
    sandbox.set("PLACE", place.to_str().unwrap());
    let Some(ran) = mounted(&sandbox, READ_ONLY, &["compare", "v1", "v2", "-j", "2"]) else {
        return;
    };
    ran.exits(3)
        .says("gate: infra: io")
        .says("Read-only file system");
    let sent = server.requests();
    assert!(sent <= 10, "{sent} requests after the fault");
    resumes(&sandbox, &server, 30, 2);
}

#[test]
fn a_full_cache_stops_the_run_which_resumes() {
    let server = Server::start(|seen| {
        Answer::Text(match seen.number {
            0 => "ok".repeat(1 << 17),
            _ => "ok".to_owned(),
        })
    });
    let mut sandbox = Sandbox::remote(&server.base_url(), 300, "");
    sandbox.write(".gate/cache/.keep", "");
    let place = sandbox.path(".gate/cache");
    sandbox.set("PLACE", place.to_str().unwrap());
    let small = "mount -t tmpfs -o size=64k tmpfs \"$PLACE\"";
    let Some(ran) = mounted(&sandbox, small, &["compare", "v1", "v2", "-j", "2"]) else {
        return;
    };
    ran.exits(3)
        .says("gate: infra: io")
        .says("No space left on device");
    let sent = server.requests();
    assert!(sent < 600, "{sent} requests after the fault");
    let ran = sandbox.gate(&["compare", "--resume", "--json", "resumed.json"]);
    assert!(matches!(ran.code, 0 | 1), "{}", ran.stderr);
    let arms = &sandbox.json("resumed.json")["suites"][0]["arms"];
    let ended =
        |arm: &str| arms[arm]["passed"].as_u64().unwrap() + arms[arm]["failed"].as_u64().unwrap();
    assert_eq!((ended("baseline"), ended("candidate")), (300, 300));
    assert!(
        (600..=602).contains(&server.requests()),
        "{}",
        server.requests()
    );
}

#[test]
fn a_log_that_is_cut_off_within_a_line_stops_the_run_which_resumes() {
    if !has_dash() {
        return;
    }
    let server = Server::saying("ok");
    // The plan of these cases takes about 50 kB.
    for blocks in [150, 177, 203] {
        let before = server.requests();
        let sandbox = Sandbox::remote(&server.base_url(), 200, "");
        let ran = limited(
            &sandbox,
            blocks,
            &["compare", "v1", "v2", "-j", "2", "--no-cache"],
        );
        ran.exits(3).says("gate: infra: io").says("File too large");
        let log = sandbox.log();
        assert_eq!(log.len(), blocks as usize * 512);
        let sent = server.requests() - before;
        assert!((1..400).contains(&sent), "{sent} requests");
        sandbox
            .gate(&["compare", "--resume", "--no-cache", "--json", "out.json"])
            .exits(0);
        let suite = &sandbox.json("out.json")["suites"][0];
        assert_eq!(suite["arms"]["candidate"]["passed"], 200);
        let sent = server.requests() - before;
        assert!((400..=402).contains(&sent), "{sent} requests in all");
    }
}

#[test]
fn a_report_that_is_cut_off_leaves_the_old_one_and_no_rest() {
    if !has_dash() {
        return;
    }
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 50, "");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    for (flag, file) in [
        ("--json", "gate.json"),
        ("--junit", "gate.xml"),
        ("--html", "gate.html"),
        ("--markdown", "gate.md"),
    ] {
        let path = format!("out/{file}");
        sandbox.write(&path, "the one before");
        let ran = limited(&sandbox, 1, &["report", "last", flag, &path]);
        ran.exits(3)
            .says("gate: infra: io")
            .says(&path)
            .says("File too large");
        assert_eq!(sandbox.read(&path), "the one before", "{file}");
        assert_eq!(leftovers(&sandbox, "out"), Vec::<String>::new());
    }
}

#[test]
fn a_summary_that_is_cut_off_is_taken_back_and_costs_nothing_else() {
    if !has_dash() {
        return;
    }
    let mut sandbox = Sandbox::smallest();
    sandbox.gate(&["compare", "v1", "v1"]).exits(0);
    let before = "x".repeat(500);
    sandbox.write("summary.md", &before);
    let summary = sandbox.path("summary.md");
    sandbox.set("GITHUB_ACTIONS", "true");
    sandbox.set("GITHUB_STEP_SUMMARY", summary.to_str().unwrap());
    limited(&sandbox, 1, &["report", "last"])
        .exits(0)
        .says("File too large");
    assert_eq!(sandbox.read("summary.md"), before);
}

#[test]
fn reports_that_can_not_be_written_cost_neither_the_verdict_nor_the_other_reports() {
    let server = Server::saying("ok");
    let mut sandbox = Sandbox::remote(&server.base_url(), 40, "");
    sandbox.write("reports/.keep", "");
    let place = sandbox.path("reports");
    sandbox.set("PLACE", place.to_str().unwrap());
    let arguments = [
        "compare",
        "v1",
        "v2",
        "--junit",
        "reports/gate.xml",
        "--markdown",
        "reports/gate.md",
        "--json",
        "out.json",
    ];
    let Some(ran) = mounted(&sandbox, READ_ONLY, &arguments) else {
        return;
    };
    ran.exits(3)
        .says("gate: infra: io")
        .says("failed to write reports/gate.xml")
        .says("failed to write reports/gate.md")
        .says("Read-only file system")
        .says("gate report")
        .prints("PASS");
    assert_eq!(sandbox.json("out.json")["verdict"], "pass");
    assert_eq!(leftovers(&sandbox, "reports"), Vec::<String>::new());
    sandbox
        .gate(&["report", "last", "--junit", "reports/gate.xml"])
        .exits(0);
    assert_eq!(server.requests(), 80);
}

#[test]
fn a_command_that_can_not_write_its_file_is_no_mistake_of_its_caller() {
    let mut sandbox = Sandbox::smallest();
    sandbox.set("GATE_AUTHOR", "ana");
    sandbox.write(
        "draft.yaml",
        &crate::sandbox::V1.replace("Answer", "Please answer"),
    );
    let add = [
        "prompt",
        "add",
        "draft.yaml",
        "--prompt",
        "label",
        "--description",
        "kind",
    ];
    let import = ["import", "promptfoo", "promptfooconfig.yaml"];
    sandbox.write(
        "promptfooconfig.yaml",
        "prompts: ['Answer {{q}}']\nproviders: [openai:gpt-4o-mini]\ntests: [{ vars: { q: x }, assert: [{ type: equals, value: y }] }]\n",
    );
    for (place, arguments) in [
        ("", &add[..]),
        ("prompts", &add[..]),
        ("", &import[..]),
        ("", &["init"][..]),
    ] {
        let place = sandbox.path(place);
        sandbox.set("PLACE", place.to_str().unwrap());
        let Some(ran) = mounted(&sandbox, READ_ONLY, arguments) else {
            return;
        };
        ran.exits(3)
            .says("gate: infra: io")
            .says("Read-only file system");
        assert!(!ran.stderr.contains(".tmp"), "{}", ran.stderr);
    }
    sandbox.gate(&add).exits(0);
}

#[test]
fn what_a_user_may_not_write_is_told_before_anything_is_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let server = Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 40, "");
    let open = |path: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(sandbox.path(path), mode).unwrap();
    };
    open("", 0o555);
    let mut command = sandbox.command(&["compare", "v1", "v2"]);
    if nix::unistd::geteuid().is_root() {
        // Nothing is forbidden to root.
        command.uid(65_534).gid(65_534);
    }
    let ran = command.output().map(Ran::of);
    open("", 0o755);
    let Ok(ran) = ran else {
        eprintln!("SKIPPED: nobody may not run the binary here");
        return;
    };
    ran.exits(3)
        .says("gate: infra: io")
        .says("Permission denied");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_reader_of_stdout_that_has_gone_changes_nothing() {
    let server = Server::saying("ok");
    for format in ["human", "json", "jsonl", "github"] {
        let sandbox = Sandbox::remote(&server.base_url(), 40, "");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command =
            sandbox.command(&["compare", "v1", "v2", "-f", format, "--json", "out.json"]);
        let ended = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{format}: {said}");
        assert_eq!(sandbox.json("out.json")["verdict"], "pass");
    }
}
