//! A request as raw text, as promptfoo's `http` provider takes it: a line, headers, a blank line, the
//! body (RFC 9112).

use serde_json::Value as Json;

use super::http_form::Written;

/// Reads a request; `secure` says whether its host is reached by https.
///
/// # Errors
/// When it is none, or stands elsewhere.
pub fn read(text: &str, secure: bool) -> Result<Written, String> {
    if text.starts_with("file://") {
        return Err("its `request` stands in a file: write it into the config".to_owned());
    }
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let target = first.split_once(' ').and_then(|(method, rest)| {
        let (target, version) = rest.rsplit_once(' ')?;
        version
            .starts_with("HTTP/")
            .then_some((method, target.trim()))
    });
    let (method, target) = target.ok_or("its `request` does not begin as `POST /path HTTP/1.1`")?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line
            .split_once(':')
            .ok_or("its `request` has a line among the headers that is none")?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let host = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, host)| host.clone())
        .ok_or("its `request` has no header `host`")?;
    let url = if target.contains("://") {
        target.to_owned()
    } else {
        let scheme = if secure { "https" } else { "http" };
        format!("{scheme}://{host}{target}")
    };
    let body = match body.trim() {
        "" => Json::Null,
        body => body.into(),
    };
    Ok(Written {
        url,
        method: Some(method.to_owned()),
        headers,
        body,
        raw: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_request_is_taken_apart() {
        let text = "POST /v1/ask?x=1 HTTP/1.1\r\nHost: bot.example.com\r\nX-Tenant:  acme\r\n\r\n{\"q\": \"{{prompt}}\"}\r\n";
        let written = read(text, true).unwrap();
        assert_eq!(written.url, "https://bot.example.com/v1/ask?x=1");
        assert_eq!(written.method.as_deref(), Some("POST"));
        assert_eq!(written.headers.len(), 2);
        assert_eq!(written.body, "{\"q\": \"{{prompt}}\"}");
        let bare = read("GET http://h/a?q={{prompt}} HTTP/1.1\nHost: h", false).unwrap();
        assert_eq!(
            (bare.url.as_str(), bare.body),
            ("http://h/a?q={{prompt}}", Json::Null)
        );
    }

    #[test]
    fn what_is_no_request_is_said() {
        for (text, says) in [
            ("", "does not begin as"),
            ("POST /a", "does not begin as"),
            ("POST /a HTTP/1.1\nX: 1", "no header `host`"),
            ("POST /a HTTP/1.1\nnonsense\n", "that is none"),
            ("file://request.txt", "stands in a file"),
        ] {
            let error = read(text, true).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
