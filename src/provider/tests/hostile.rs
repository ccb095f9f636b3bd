use proptest::prelude::*;

use super::exchanges;
use crate::chat::{Finish, ProviderKind};
use crate::http::{Headers, Reply};
use crate::provider::codec;

const REMOTE: [ProviderKind; 8] = [
    ProviderKind::OpenAi,
    ProviderKind::OpenAiResponses,
    ProviderKind::AzureOpenAi,
    ProviderKind::Anthropic,
    ProviderKind::Gemini,
    ProviderKind::Bedrock,
    ProviderKind::Ollama,
    ProviderKind::Http,
];

fn decode_all(status: u16, body: &[u8]) {
    let reply = Reply {
        status,
        headers: Headers::default(),
        body: body.to_vec(),
    };
    for kind in REMOTE {
        let decoded = codec(kind)
            .unwrap()
            .decode(&super::spec(kind, "m", None), &reply);
        if let Err(error) = decoded {
            assert!(error.message.len() < 900, "{}", error.message);
            assert!(
                !error.message.contains(|c: char| c.is_control()),
                "{}",
                error.message
            );
        }
    }
}

fn chat(body: &[u8]) -> crate::chat::Response {
    let reply = Reply {
        status: 200,
        headers: Headers::default(),
        body: body.to_vec(),
    };
    codec(ProviderKind::OpenAi)
        .unwrap()
        .decode(&super::spec(ProviderKind::OpenAi, "m", None), &reply)
        .unwrap()
}

#[test]
fn text_that_is_no_text_is_replaced_and_marked() {
    let body = |content: &[u8]| {
        let mut body = br#"{"choices":[{"finish_reason":"stop","message":{"content":""#.to_vec();
        body.extend_from_slice(content);
        body.extend_from_slice(br#""}}]}"#);
        chat(&body)
    };
    for (content, text, lossy) in [
        (&b"a\\ud83d"[..], "a\u{fffd}", true),
        (b"a\xff", "a\u{fffd}", true),
        (b"a\x1b\\u0000", "a\u{1b}\0", false),
        (b"\\ud83d\\ude00", "\u{1f600}", false),
    ] {
        let response = body(content);
        assert_eq!((response.text.as_str(), response.lossy), (text, lossy));
        assert_eq!(response.finish, Finish::Stop);
    }
}

#[test]
fn a_very_deep_body_is_a_bad_body() {
    let deep = format!("{{\"choices\":{}", "[".repeat(1_000_000));
    decode_all(200, deep.as_bytes());
    decode_all(500, deep.as_bytes());
    let ignored = format!(
        "{{\"x\":{}{}}}",
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    decode_all(200, ignored.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_are_read_without_a_panic(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        status in prop_oneof![Just(200_u16), Just(400), Just(429), 100..600_u16],
    ) {
        decode_all(status, &body);
    }

    #[test]
    fn any_json_of_known_keys_is_read_without_a_panic(
        key in "choices|error|content|output|candidates|usage|message|status|done|promptFeedback",
        inner in "choices|error|content|parts|message|code|finish_reason|text|type",
        value in r#"null|true|-1|1e300|"x"|\[\]|\[null\]|\{\}|\[\{\}\]|\[\[\]\]"#,
    ) {
        decode_all(200, format!("{{\"{key}\":{value}}}").as_bytes());
        decode_all(200, format!("{{\"{key}\":{{\"{inner}\":{value}}}}}").as_bytes());
        decode_all(200, format!("{{\"{key}\":[{{\"{inner}\":{value}}}]}}").as_bytes());
        decode_all(400, format!("{{\"{key}\":{{\"{inner}\":{value}}}}}").as_bytes());
    }

    #[test]
    fn a_damaged_reply_is_read_without_a_panic(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        thread_local! {
            static REPLIES: Vec<Reply> = exchanges().iter().map(super::Exchange::reply).collect();
        }
        let mut reply = REPLIES.with(|replies| which.get(replies).clone());
        if !reply.body.is_empty() {
            let at = at.index(reply.body.len());
            reply.body[at] = byte;
            if cut {
                reply.body.truncate(at);
            }
        }
        decode_all(reply.status, &reply.body);
    }
}
