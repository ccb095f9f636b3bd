//! `OpenAI`'s batches: the requests go up as a file of JSON lines, the results come down as two.

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::line::custom_id;
use super::protocol::{BatchState, Limits, Protocol, Step};
use crate::base::Digest;
use crate::base::text::{shorten, visible_line};
use crate::chat::ErrorClass;
use crate::http::{Header, Headers, Reply};
use crate::provider::call::CallError;
use crate::provider::classify;
use crate::provider::codec::path_segment;
use crate::provider::endpoint::Sealed;

/// Batches of calls to one route, such as `/v1/chat/completions`.
pub(super) struct OpenAi {
    pub(super) route: &'static str,
}

#[derive(Deserialize)]
struct Object {
    id: String,
}

#[derive(Deserialize)]
struct Batch {
    status: String,
    #[serde(default)]
    output_file_id: Option<String>,
    #[serde(default)]
    error_file_id: Option<String>,
    #[serde(default)]
    errors: Option<Errors>,
    #[serde(default)]
    request_counts: Option<Counts>,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    data: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Counts {
    completed: u64,
    failed: u64,
}

#[derive(Deserialize)]
struct Line<'a> {
    custom_id: String,
    #[serde(borrow, default)]
    response: Option<LineResponse<'a>>,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct LineResponse<'a> {
    status_code: u16,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(borrow)]
    body: &'a RawValue,
}

impl Protocol for OpenAi {
    fn limits(&self) -> Limits {
        Limits {
            requests: 50_000,
            bytes: 190 << 20,
        }
    }

    fn headers(&self) -> Vec<Header> {
        Vec::new()
    }

    fn upload(&self, base: &str, calls: &[&Sealed]) -> Option<Step> {
        let mut lines = Vec::new();
        for call in calls {
            let id = custom_id(&call.key());
            let head = format!(
                "{{\"custom_id\":\"{id}\",\"method\":\"POST\",\"url\":\"{}\",\"body\":",
                self.route
            );
            lines.extend_from_slice(head.as_bytes());
            lines.extend_from_slice(call.body().as_bytes());
            lines.extend_from_slice(b"}\n");
        }
        // A digest of the content does not stand in the content.
        let boundary = format!("gate-{}", Digest::of_bytes(&lines).hex());
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"gate.jsonl\"\r\n\
             Content-Type: application/jsonl\r\n\r\n"
        )
        .into_bytes();
        body.append(&mut lines);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Some(Step::post(format!("{base}/files"), content_type, body))
    }

    fn create(
        &self,
        base: &str,
        _: &[&Sealed],
        uploaded: Option<&Reply>,
    ) -> Result<Step, CallError> {
        let none = Reply::default();
        let uploaded = uploaded.unwrap_or(&none);
        let file: Object = serde_json::from_slice(&uploaded.body)
            .map_err(|error| classify::bad_body(uploaded, &format!("not a file: {error}")))?;
        let body = json!({
            "input_file_id": file.id,
            "endpoint": self.route,
            "completion_window": "24h",
        });
        let body = body.to_string().into_bytes();
        Ok(Step::post(
            format!("{base}/batches"),
            "application/json",
            body,
        ))
    }

    fn look(&self, base: &str, id: &str) -> Step {
        Step::get(format!("{base}/batches/{}", path_segment(id)))
    }

    fn state(&self, base: &str, _: &str, reply: &Reply) -> Result<BatchState, CallError> {
        let batch: Batch = serde_json::from_slice(&reply.body)
            .map_err(|error| classify::bad_body(reply, &format!("not a batch: {error}")))?;
        let files = [batch.output_file_id, batch.error_file_id];
        let address = |id: String| format!("{base}/files/{}/content", path_segment(&id));
        let counts = batch.request_counts.unwrap_or_default();
        Ok(match batch.status.as_str() {
            "completed" | "expired" | "cancelled" => {
                BatchState::Ended(files.into_iter().flatten().map(address).collect())
            }
            "failed" => {
                let faults = batch.errors.map(|errors| errors.data).unwrap_or_default();
                let why: Vec<String> = faults.iter().take(3).map(Fault::text).collect();
                BatchState::Refused(why.join("; "))
            }
            // `validating`, `in_progress`, `finalizing`, `cancelling`, and what may come.
            _ => BatchState::Working {
                done: counts.completed.saturating_add(counts.failed),
            },
        })
    }

    fn line(&self, line: &[u8]) -> Option<(String, Result<Reply, CallError>)> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let answer = match (line.response, line.error) {
            (Some(response), _) => {
                let id = response.request_id.unwrap_or_default();
                Ok(Reply {
                    status: response.status_code,
                    headers: Headers::from_pairs([("x-request-id", id.as_str())]),
                    body: response.body.get().as_bytes().to_vec(),
                })
            }
            (None, Some(fault)) if fault.code.as_deref() == Some("batch_expired") => Err(expired()),
            (None, fault) => Err(CallError::new(
                ErrorClass::Server,
                fault.map_or_else(
                    || "a line without an answer".to_owned(),
                    |fault| fault.text(),
                ),
            )),
        };
        Some((line.custom_id, answer))
    }
}

/// The fault of a request that the vendor did not come to within the time of its batch.
pub(super) fn expired() -> CallError {
    CallError::new(
        ErrorClass::Timeout,
        "the batch expired before this request was answered",
    )
}

impl Fault {
    fn text(&self) -> String {
        let message = self.message.as_deref().unwrap_or_default();
        let text = match &self.code {
            Some(code) => format!("{code}: {message}"),
            None => message.to_owned(),
        };
        visible_line(&shorten(&text, 300))
    }
}
