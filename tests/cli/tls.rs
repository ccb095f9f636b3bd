//! Connections that can not be trusted: found at the first attempt, said with what to do, and never a
//! request sent; and the authorities that a user trusts besides the system's.

use std::time::{Duration, Instant};

use crate::authority::{Authority, Shown};
use crate::sandbox::{Ran, Sandbox};
use crate::server::{Answer, Server};

fn ok(shown: &Shown) -> Server {
    Server::encrypted(shown.server(), |_| Answer::Text("ok".into()))
}

/// A project that asks a server, and trusts an authority.
fn trusting(server: &Server, authority: &Authority) -> Sandbox {
    let mut sandbox = Sandbox::remote(&server.base_url(), 40, "");
    sandbox.write("authority.pem", &authority.pem());
    let file = sandbox.path("authority.pem");
    sandbox.set("SSL_CERT_FILE", file.to_str().unwrap());
    sandbox
}

/// Runs against a server that is not to be trusted: it ends at once, and nothing is sent or decided.
fn refuses(sandbox: &Sandbox, server: &Server) -> Ran {
    let begun = Instant::now();
    let ran = sandbox.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    ran.exits(3)
        .says("gate: infra: tls: ")
        .says("nothing can be sent: no trusted connection to 127.0.0.1:");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(server.requests(), 0);
    // Not more than were begun before the first had failed, and none tried again.
    let connections = server.connections();
    assert!((1..=8).contains(&connections), "{connections} connections");
    let result = sandbox.json("out.json");
    let exit = &result["exit"];
    assert_eq!(
        (result["verdict"].as_str(), exit["reason"].as_str()),
        (Some("error"), Some("tls"))
    );
    for arm in ["baseline", "candidate"] {
        let count = |key: &str| result["suites"][0]["arms"][arm][key].as_u64().unwrap();
        assert_eq!(count("errored") + count("skipped"), 40);
        assert_eq!(count("retries"), 0);
    }
    ran
}

#[test]
fn an_expired_certificate_is_not_trusted() {
    let authority = Authority::new();
    let server = ok(&authority.sign("127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }));
    refuses(&trusting(&server, &authority), &server)
        .says("expired")
        .says("renew the certificate, or set this machine's clock right");
}

#[test]
fn a_certificate_of_the_future_is_not_trusted() {
    let authority = Authority::new();
    let server = ok(&authority.sign("127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(3000, 1, 1);
        params.not_after = rcgen::date_time_ymd(3001, 1, 1);
    }));
    refuses(&trusting(&server, &authority), &server)
        .says("not valid yet")
        .says("set this machine's clock right");
}

#[test]
fn a_certificate_for_another_host_is_not_trusted() {
    let authority = Authority::new();
    let server = ok(&authority.sign("api.example.com", |_| {}));
    refuses(&trusting(&server, &authority), &server)
        .says("not valid for name")
        .says("name the host as its certificate does");
}

#[test]
fn an_authority_that_nobody_named_is_not_trusted() {
    let authority = Authority::new();
    let hint = "name the file of that authority's certificate in SSL_CERT_FILE";
    let server = ok(&authority.sign("127.0.0.1", |_| {}));
    let system = Sandbox::remote(&server.base_url(), 40, "");
    refuses(&system, &server).says("UnknownIssuer").says(hint);
    // One of the same name that has another key.
    let server = ok(&authority.sign("127.0.0.1", |_| {}));
    let remade = trusting(&server, &Authority::new());
    refuses(&remade, &server).says(hint);
}

#[test]
fn a_certificate_that_a_host_signed_itself_is_trusted_where_its_user_names_it() {
    let sign = |is_ca| {
        let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Shown { certificate, key }
    };
    let shown = sign(rcgen::IsCa::ExplicitNoCa);
    let server = ok(&shown);
    refuses(&trusting(&server, &Authority::new()), &server).says("SSL_CERT_FILE");
    let named = trusting(&server, &Authority::new());
    named.write("authority.pem", &shown.certificate.pem());
    named.gate(&["compare", "v1", "v2"]).exits(0);

    // As OpenSSL makes them where nothing else is said.
    let constraints = rcgen::BasicConstraints::Unconstrained;
    let shown = sign(rcgen::IsCa::Ca(constraints));
    let server = ok(&shown);
    let named = trusting(&server, &Authority::new());
    named.write("authority.pem", &shown.certificate.pem());
    refuses(&named, &server).says("make it anew with basicConstraints=CA:FALSE");
}

#[test]
fn plain_http_where_tls_is_expected_and_tls_where_plain_http_is_are_told() {
    let plain = Server::saying("ok");
    let url = plain.base_url().replace("http://", "https://");
    refuses(&Sandbox::remote(&url, 40, ""), &plain).says("the port may be one without TLS");

    let encrypted = ok(&Authority::new().sign("127.0.0.1", |_| {}));
    let url = encrypted.base_url().replace("https://", "http://");
    Sandbox::remote(&url, 40, "")
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("gate: infra: provider_down");
    assert_eq!(encrypted.requests(), 0);
}

#[test]
fn a_handshake_that_is_cut_is_a_fault_of_the_connection() {
    let server = Server::closing("https");
    let sandbox = Sandbox::remote(&server.base_url(), 40, "");
    let begun = Instant::now();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(3)
        .says("gate: infra: provider_down")
        .says("no connection to 127.0.0.1:");
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    let connections = server.connections();
    assert!(connections <= 20, "{connections} connections");
}

#[test]
fn an_authority_named_in_a_file_or_a_folder_is_trusted() {
    let authority = Authority::new();
    let server = ok(&authority.sign("127.0.0.1", |_| {}));
    let by_file = trusting(&server, &authority);
    by_file.gate(&["compare", "v1", "v2"]).exits(0);
    assert_eq!(server.requests(), 80);

    let mut by_folder = Sandbox::remote(&server.base_url(), 40, "");
    by_folder.write("trusted/authority.pem", &authority.pem());
    by_folder.write("trusted/other.pem", &Authority::new().pem());
    let folder = by_folder.path("trusted");
    by_folder.set("SSL_CERT_DIR", folder.to_str().unwrap());
    by_folder.gate(&["compare", "v1", "v2"]).exits(0);
    assert_eq!(server.requests(), 160);
}

#[test]
fn a_proxy_that_signs_by_its_own_authority_is_trusted_where_its_user_names_it() {
    let authority = Authority::new();
    let shown = authority.sign("api.openai.com", |_| {});
    let proxy = Server::intercepting(shown.server(), |_| Answer::Text("ok".into()));
    let mut sandbox = Sandbox::remote("https://api.openai.com/v1", 40, "");
    sandbox.set("OPENAI_API_KEY", "sk-of-a-test");
    sandbox.set("HTTPS_PROXY", proxy.base_url().trim_end_matches("/v1"));
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("no trusted connection to api.openai.com")
        .says("SSL_CERT_FILE");
    assert_eq!(proxy.requests(), 0);
    sandbox.write("authority.pem", &authority.pem());
    let file = sandbox.path("authority.pem");
    sandbox.set("SSL_CERT_FILE", file.to_str().unwrap());
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    assert_eq!(proxy.requests(), 80);
}

#[test]
fn langfuse_and_github_are_trusted_by_the_same_authorities() {
    let authority = Authority::new();
    let server = Server::encrypted(authority.sign("127.0.0.1", |_| {}).server(), |_| {
        Answer::Status(404, vec![], "{}".into())
    });
    let mut sandbox = Sandbox::smallest();
    let host = server.base_url().replace("/v1", "");
    for (name, value) in [
        ("LANGFUSE_HOST", host.as_str()),
        ("LANGFUSE_PUBLIC_KEY", "pk-lf-1"),
        ("LANGFUSE_SECRET_KEY", "sk-lf-2"),
        ("GITHUB_API_URL", &host),
        ("GITHUB_TOKEN", "ghs_0"),
        ("GITHUB_REPOSITORY", "owner/name"),
    ] {
        sandbox.set(name, value);
    }
    let langfuse = ["compare", "langfuse:label@production", "v1"];
    let github = ["compare", "v1", "v1", "--github-comment", "--pr", "7"];
    sandbox
        .gate(&langfuse)
        .exits(3)
        .says("no trusted connection to 127.0.0.1:")
        .says("SSL_CERT_FILE");
    sandbox
        .gate(&github)
        .exits(0)
        .says("no comment on the pull request")
        .says("no trusted connection to 127.0.0.1:");
    assert_eq!(server.requests(), 0);
    sandbox.write("authority.pem", &authority.pem());
    let file = sandbox.path("authority.pem");
    sandbox.set("SSL_CERT_FILE", file.to_str().unwrap());
    sandbox
        .gate(&langfuse)
        .exits(2)
        .says("Langfuse has no such prompt");
    sandbox
        .gate(&github)
        .exits(0)
        .says("no comment on the pull request")
        .says("404");
}

#[test]
fn a_file_of_authorities_that_holds_none_is_named() {
    let server = ok(&Authority::new().sign("127.0.0.1", |_| {}));
    let mut sandbox = Sandbox::remote(&server.base_url(), 40, "");
    sandbox.write("empty.pem", "");
    sandbox.write("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    sandbox.write(
        "key.pem",
        &rcgen::KeyPair::generate().unwrap().serialize_pem(),
    );
    for (file, why) in [
        ("nowhere.pem", "failed to read PEM"),
        ("empty.pem", "no certificate of an authority"),
        ("torn.pem", "failed to read PEM"),
        ("key.pem", "no certificate of an authority"),
    ] {
        let path = sandbox.path(file);
        sandbox.set("SSL_CERT_FILE", path.to_str().unwrap());
        sandbox
            .gate(&["compare", "v1", "v2"])
            .exits(3)
            .says("gate: infra: tls: ")
            .says(&format!("SSL_CERT_FILE names {}", path.display()))
            .says(why);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn no_file_of_the_project_turns_the_checks_off() {
    let server = ok(&Authority::new().sign("127.0.0.1", |_| {}));
    for key in ["insecure", "tls", "verify", "ssl_cert_file"] {
        let sandbox = Sandbox::remote(&server.base_url(), 1, "");
        sandbox.write("gate.yaml", &format!("gate: settings/1\n{key}: false\n"));
        sandbox.gate(&["compare", "v1", "v2"]).exits(2).says(key);
        let sandbox = Sandbox::remote(&server.base_url(), 1, &format!("{key}: false\n"));
        sandbox.gate(&["compare", "v1", "v2"]).exits(2).says(key);
    }
    assert_eq!(server.connections(), 0);
}
