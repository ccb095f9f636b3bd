//! What a provider's headers say about its limits: when nothing is left of an allowance, nothing is
//! sent until it is filled again. Both vendors' forms: OpenAI's durations, Anthropic's points in time.

use std::time::Duration;

use crate::base::Timestamp;
use crate::http::Reply;

/// The allowances that a vendor reports, as the parts of its header names.
const OPENAI: [&str; 2] = ["requests", "tokens"];
const ANTHROPIC: [&str; 4] = ["requests", "tokens", "input-tokens", "output-tokens"];
const LONGEST: Duration = Duration::from_mins(2);

/// How long nothing should be sent, where an allowance is used up.
#[must_use]
pub fn hold(reply: &Reply) -> Option<Duration> {
    let mut names = reply.headers.iter().map(|(name, _)| name);
    if !names.any(|name| name.contains("ratelimit")) {
        return None;
    }
    let openai = OPENAI.iter().filter_map(|kind| {
        is_used_up(reply, &format!("x-ratelimit-remaining-{kind}"))?;
        go_duration(reply.header(&format!("x-ratelimit-reset-{kind}"))?)
    });
    let anthropic = ANTHROPIC.iter().filter_map(|kind| {
        is_used_up(reply, &format!("anthropic-ratelimit-{kind}-remaining"))?;
        until(
            reply,
            reply.header(&format!("anthropic-ratelimit-{kind}-reset"))?,
        )
    });
    openai.chain(anthropic).max().map(|wait| wait.min(LONGEST))
}

fn is_used_up(reply: &Reply, header: &str) -> Option<()> {
    (reply.header(header)?.trim() == "0").then_some(())
}

/// A duration as Go writes it: `1s`, `6m0s`, `120ms`, `1h2m3.5s`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let seconds = match unit {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = after;
    }
    Duration::try_from_secs_f64(total).ok()
}

/// The time until a point in time, by the server's own clock where it tells it.
fn until(reply: &Reply, point: &str) -> Option<Duration> {
    let point: Timestamp = point.trim().parse().ok()?;
    let now: Timestamp = reply.header("date").and_then(super::classify::http_date)?;
    Some(point.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;

    fn reply(headers: &[(&'static str, &'static str)]) -> Reply {
        Reply {
            status: 200,
            headers: Headers::from_pairs(headers.iter().copied()),
            body: Vec::new(),
        }
    }

    #[test]
    fn reads_durations_as_go_writes_them() {
        for (text, millis) in [
            ("1s", 1_000),
            ("6m0s", 360_000),
            ("120ms", 120),
            ("1h2m3.5s", 3_723_500),
        ] {
            assert_eq!(
                go_duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for bad in ["", "soon", "1", "1x", "-1s"] {
            assert!(go_duration(bad).is_none_or(|wait| wait.is_zero()), "{bad}");
        }
    }

    #[test]
    fn holds_only_when_nothing_is_left() {
        let some = reply(&[
            ("x-ratelimit-remaining-requests", "1"),
            ("x-ratelimit-reset-requests", "1s"),
        ]);
        assert_eq!(hold(&some), None);
        let none = reply(&[
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "1m1s"),
        ]);
        assert_eq!(hold(&none), Some(Duration::from_secs(61)));
        let anthropic = reply(&[
            ("date", "Fri, 20 Nov 2026 10:00:00 GMT"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-20T10:00:05Z"),
        ]);
        assert_eq!(hold(&anthropic), Some(Duration::from_secs(5)));
        assert_eq!(hold(&reply(&[])), None);
    }
}
