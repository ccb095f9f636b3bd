use std::time::Duration;

use crate::chat::ErrorClass;
use crate::http::{Headers, HttpFault, Reply};
use crate::provider::classify::{exchange_error, reply_error, retry_after};

const NOW: &str = "Fri, 20 Nov 2026 06:00:00 GMT";

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    Reply {
        status,
        headers: Headers::from_pairs(headers.iter().copied()),
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn reads_a_wait_in_every_form_and_ignores_nonsense() {
    let ms = |millis| Some(Duration::from_millis(millis));
    for (headers, expected) in [
        (&[("retry-after", "2")][..], ms(2_000)),
        (&[("retry-after", "1.5")], ms(1_500)),
        (&[("retry-after", " 3 ")], ms(3_000)),
        (&[("retry-after-ms", "250")], ms(250)),
        (&[("retry-after-ms", "250"), ("retry-after", "9")], ms(250)),
        (
            &[("retry-after-ms", "abc"), ("retry-after", "9")],
            ms(9_000),
        ),
        (&[("retry-after-ms", "0"), ("retry-after", "9")], ms(9_000)),
        (&[("retry-after", "600")], ms(600_000)),
        (
            &[
                ("retry-after", "Fri, 20 Nov 2026 06:00:31 GMT"),
                ("date", NOW),
            ],
            ms(31_000),
        ),
        (
            &[
                ("retry-after", "Fri, 20 Nov 2026 05:59:00 GMT"),
                ("date", NOW),
            ],
            None,
        ),
        (&[("retry-after", "Fri, 20 Nov 2026 06:00:31 GMT")], None),
        (&[("retry-after", "abc"), ("date", NOW)], None),
        (&[("retry-after", "-1")], None),
        (&[("retry-after", "0")], None),
        (&[("retry-after", "1e308")], None),
        (&[("retry-after", "inf")], None),
        (&[("retry-after", "NaN")], None),
        (&[("retry-after", "")], None),
        (&[], None),
    ] {
        assert_eq!(
            retry_after(&reply(429, headers, "")),
            expected,
            "{headers:?}"
        );
    }
}

#[test]
fn a_status_without_a_body_has_a_class() {
    for (status, class) in [
        (301, ErrorClass::BadRequest),
        (302, ErrorClass::BadRequest),
        (400, ErrorClass::BadRequest),
        (401, ErrorClass::Auth),
        (402, ErrorClass::Quota),
        (403, ErrorClass::Auth),
        (404, ErrorClass::ModelMissing),
        (408, ErrorClass::Timeout),
        (409, ErrorClass::Conflict),
        (413, ErrorClass::RequestTooLarge),
        (418, ErrorClass::BadRequest),
        (422, ErrorClass::BadRequest),
        (424, ErrorClass::BadRequest),
        (429, ErrorClass::RateLimit),
        (500, ErrorClass::Server),
        (502, ErrorClass::Server),
        (503, ErrorClass::Overloaded),
        (504, ErrorClass::Server),
        (529, ErrorClass::Overloaded),
        (599, ErrorClass::Server),
    ] {
        let error = reply_error(&reply(status, &[], ""));
        assert_eq!(error.class, class, "{status}");
        assert_eq!(error.message, format!("HTTP {status}: no body"));
    }
}

/// As `LiteLLM` 1.106.2 says it: the status as a text, and the class in the message alone.
#[test]
fn a_gateway_that_names_its_exception_alone_is_understood() {
    let body = r#"{"error": {"message": "litellm.ContextWindowExceededError: litellm.BadRequestError: this is a mock context window exceeded error model=mock-ctx.", "type": "invalid_request_error", "param": null, "code": "400"}}"#;
    let error = reply_error(&reply(400, &[], body));
    assert_eq!(error.class, ErrorClass::ContextLength);
}

#[test]
fn the_provider_has_a_word_on_trying_again() {
    for (value, expected) in [
        ("true", Some(true)),
        ("false", Some(false)),
        ("maybe", None),
    ] {
        let error = reply_error(&reply(500, &[("x-should-retry", value)], ""));
        assert_eq!(error.should_retry, expected);
    }
}

#[test]
fn a_long_or_hostile_body_is_short_and_escaped_in_the_message() {
    let body = format!("\u{1b}[2J::error::{}", "x".repeat(5_000));
    let error = reply_error(&reply(500, &[], &body));
    assert!(
        error.message.starts_with("HTTP 500: \\x1b[2J::error::x"),
        "{}",
        error.message
    );
    assert!(error.message.len() < 520);
    let body = format!(
        "{{\"error\":{{\"message\":\"\\u001b{}\"}}}}",
        "y".repeat(5_000)
    );
    let error = reply_error(&reply(500, &[], &body));
    assert!(
        error.message.starts_with("HTTP 500: \\x1byyy"),
        "{}",
        error.message
    );
    assert!(error.message.len() < 520);
}

#[test]
fn an_exchange_without_a_reply_has_a_class() {
    let host = || "h:1".to_owned();
    let detail = String::new;
    for (fault, class) in [
        (
            HttpFault::Unsendable { detail: detail() },
            ErrorClass::BadRequest,
        ),
        (
            HttpFault::Connect {
                host: host(),
                detail: detail(),
            },
            ErrorClass::Connect,
        ),
        (
            HttpFault::Dns {
                host: host(),
                detail: detail(),
            },
            ErrorClass::Dns,
        ),
        (
            HttpFault::Tls {
                host: host(),
                detail: detail(),
            },
            ErrorClass::Tls,
        ),
        (
            HttpFault::Timeout {
                host: host(),
                after: Duration::from_secs(1),
                replying: true,
            },
            ErrorClass::Timeout,
        ),
        (
            HttpFault::Cut {
                host: host(),
                received: 1,
                detail: detail(),
            },
            ErrorClass::BadBody,
        ),
        (
            HttpFault::TooLarge {
                host: host(),
                limit: 1,
            },
            ErrorClass::ReplyTooLarge,
        ),
    ] {
        assert_eq!(exchange_error(&fault).class, class, "{fault}");
    }
}
