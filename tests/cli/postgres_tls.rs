//! A registry in PostgreSQL on another machine: the connection is encrypted, and the server proves who
//! it is. The other machine is this one by the address 0.0.0.0, which is none of loopback.

use crate::authority::{Authority, Shown};
use crate::postgres::with_a_server::Database;
use crate::sandbox::Sandbox;

/// The address that leads to this machine and is not known to.
const HOST: &str = "0.0.0.0";

/// Has the server show a certificate from now on.
fn shows(database: &Database, file: &str, shown: &Shown) {
    for (name, text) in [
        (format!("{file}.pem"), shown.certificate.pem()),
        (format!("{file}.key"), shown.key.serialize_pem()),
    ] {
        // The server writes it, so that it is the server's own.
        let lines = text.trim().replace(['\r', '\n'], "\n");
        database.sql(&format!(
            "COPY (SELECT unnest(string_to_array('{lines}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
        ));
    }
    database.sql(&format!("ALTER SYSTEM SET ssl_cert_file = '{file}.pem'"));
    database.sql(&format!("ALTER SYSTEM SET ssl_key_file = '{file}.key'"));
    database.sql("ALTER SYSTEM SET ssl = on");
    database.sql("SELECT pg_reload_conf()");
    while database.sql("SHOW ssl_cert_file") != format!("{file}.pem") {
        std::thread::yield_now();
    }
}

/// A project that trusts an authority.
fn trusting(authority: &Authority, address: &str) -> Sandbox {
    let mut sandbox = Sandbox::smallest();
    sandbox.set("GATE_REGISTRY", address);
    sandbox.write("authority.pem", &authority.pem());
    let file = sandbox.path("authority.pem");
    sandbox.set("SSL_CERT_FILE", file.to_str().unwrap());
    sandbox
}

#[test]
fn a_database_on_another_machine_proves_who_it_is() {
    let Some(database) = Database::new() else {
        return;
    };
    let address = database.address_at(HOST);
    let list = ["prompt", "list"];
    let refuses = |sandbox: &Sandbox, why: &str| {
        let ran = sandbox.gate(&list);
        ran.exits(3).says("gate: infra: tls: ").says(why);
    };
    let authority = Authority::new();
    let sandbox = trusting(&authority, &address);

    refuses(&sandbox, "server does not support TLS");

    shows(&database, "good", &authority.sign(HOST, |_| {}));
    sandbox.gate(&["prompt", "migrate"]).exits(0);
    sandbox
        .gate(&[
            "prompt",
            "add",
            "prompts/label/v1.yaml",
            "--description",
            "first",
        ])
        .exits(0);
    sandbox.gate(&list).exits(0).prints("label");
    let mut system = Sandbox::smallest();
    system.set("GATE_REGISTRY", &address);
    refuses(&system, "UnknownIssuer");
    refuses(&trusting(&Authority::new(), &address), "SSL_CERT_FILE");

    shows(
        &database,
        "other",
        &authority.sign("db.example.com", |_| {}),
    );
    refuses(&sandbox, "not valid for name");

    let expired = authority.sign(HOST, |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    shows(&database, "expired", &expired);
    refuses(&sandbox, "expired");

    let mut sandbox = sandbox;
    sandbox.set("SSL_CERT_FILE", "/nowhere.pem");
    refuses(&sandbox, "SSL_CERT_FILE names /nowhere.pem");
}
