//! A vendor of batches on loopback: keeps to the documented protocols of `OpenAI` and Anthropic, and
//! goes wrong where a test says so.

#![expect(
    clippy::expect_used,
    reason = "a helper of tests: a client that breaks the protocol fails the test"
)]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::server::{Answer, Seen, Server, completion};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    OpenAi,
    Anthropic,
}

/// What becomes of one request of a batch.
pub enum Fate {
    Says(&'static str),
    /// A status with an error of this type.
    Fails(u16, &'static str),
    Expires,
    /// No line at all.
    Vanishes,
}

/// What a look at a batch gets.
pub enum Look {
    Working,
    Ended,
    Refused,
    Answer(Answer),
}

/// One request of a batch as the vendor took it.
#[derive(Clone)]
pub struct Taken {
    /// The number of its batch, from 0.
    pub batch: usize,
    pub custom_id: String,
    pub body: Value,
}

type Fates = dyn Fn(&Taken) -> Fate + Send + Sync;
type Looks = dyn Fn(usize, usize) -> Look + Send + Sync;

pub struct Bureau {
    pub server: Server,
    vendor: Vendor,
    desk: Arc<Mutex<Desk>>,
}

#[derive(Default)]
struct Desk {
    files: Vec<String>,
    batches: Vec<Vec<Taken>>,
    looks: Vec<usize>,
    extra_lines: Vec<String>,
}

impl Bureau {
    /// A vendor by the fates of its requests, and what looks (batch, number) get.
    pub fn open(
        vendor: Vendor,
        fates: impl Fn(&Taken) -> Fate + Send + Sync + 'static,
        looks: impl Fn(usize, usize) -> Look + Send + Sync + 'static,
    ) -> Self {
        let desk = Arc::new(Mutex::new(Desk::default()));
        let (fates, looks): (Box<Fates>, Box<Looks>) = (Box::new(fates), Box::new(looks));
        let shared = Arc::clone(&desk);
        let server = Server::start(move |seen| {
            let mut desk = shared.lock().unwrap();
            match vendor {
                Vendor::OpenAi => desk.openai(seen, &fates, &looks),
                Vendor::Anthropic => desk.anthropic(seen, &fates, &looks),
            }
        });
        Self {
            server,
            vendor,
            desk,
        }
    }

    /// A vendor that answers everything with `ok`, at once.
    pub fn saying_ok(vendor: Vendor) -> Self {
        Self::open(vendor, |_| Fate::Says("ok"), |_, _| Look::Ended)
    }

    /// Adds a line to all results.
    pub fn add_line(&self, line: &str) {
        self.desk.lock().unwrap().extra_lines.push(line.to_owned());
    }

    /// All requests taken, in order.
    pub fn taken(&self) -> Vec<Taken> {
        self.desk.lock().unwrap().batches.concat()
    }

    pub fn batches(&self) -> usize {
        self.desk.lock().unwrap().batches.len()
    }

    /// A project that asks this vendor, with `cases` cases that expect `ok`.
    pub fn project(&self, cases: usize) -> Sandbox {
        let mut sandbox = Sandbox::remote(&self.server.base_url(), cases, "");
        let provider = match self.vendor {
            Vendor::OpenAi => "provider: openai,",
            Vendor::Anthropic => "provider: anthropic,",
        };
        let price = "price: { input: 10.0, output: 100.0, batch_input: 5.0, batch_output: 50.0 },";
        let suite = sandbox
            .read("evals/remote.yaml")
            .replace("provider: openai,", provider)
            .replace(
                "model: test-model,",
                &format!("model: test-model, params: {{ max_tokens: 10 }}, {price}"),
            );
        sandbox.write("evals/remote.yaml", &suite);
        sandbox.set("GATE_BATCH_POLL", "5ms");
        sandbox
    }
}

fn last_part<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    line.split_once(before).map(|(_, rest)| rest)
}

fn number(text: &str) -> usize {
    text.rsplit(['_', '-'])
        .next()
        .and_then(|digits| digits.parse().ok())
        .expect("an id of this server")
}

impl Desk {
    fn look(&mut self, batch: usize, looks: &Looks) -> Look {
        let count = &mut self.looks[batch];
        let look = looks(batch, *count);
        *count += 1;
        look
    }

    fn take(&mut self, requests: impl Iterator<Item = (String, Value)>) -> usize {
        let batch = self.batches.len();
        let taken = requests.map(|(custom_id, body)| Taken {
            batch,
            custom_id,
            body,
        });
        self.batches.push(taken.collect());
        self.looks.push(0);
        batch
    }

    /// Results stand in another order than the requests did.
    fn results(&self, batch: usize, line: impl Fn(&Taken) -> Option<Value>) -> Answer {
        let lines = self.batches[batch].iter().rev().filter_map(line);
        let mut text: String = lines.map(|line| format!("{line}\n")).collect();
        for line in &self.extra_lines {
            text = format!("{text}{line}\n");
        }
        Answer::Body(text)
    }

    fn openai(&mut self, seen: &Seen, fates: &Fates, looks: &Looks) -> Answer {
        let line = seen.line();
        if line == "POST /v1/files" {
            return self.openai_upload(seen);
        }
        if line == "POST /v1/batches" {
            return self.openai_create(&seen.body);
        }
        if let Some(id) = last_part(line, "GET /v1/batches/") {
            return self.openai_look(id, looks);
        }
        let id = last_part(line, "GET /v1/files/").and_then(|rest| rest.strip_suffix("/content"));
        let Some(id) = id else {
            let error = json!({"error": {"message": format!("no {line}")}});
            return Answer::Status(404, Vec::new(), error.to_string());
        };
        let errors = id.contains("err");
        self.results(number(id), |taken| {
            openai_line(taken, &fates(taken), errors)
        })
    }

    fn openai_upload(&mut self, seen: &Seen) -> Answer {
        let body = seen.body.as_str().expect("a form");
        let head = seen.head.to_lowercase();
        assert!(
            head.contains("content-type: multipart/form-data; boundary="),
            "{head}"
        );
        assert!(body.contains("name=\"purpose\"\r\n\r\nbatch\r\n"), "{body}");
        let file = last_part(body, "Content-Type: application/jsonl\r\n\r\n").expect("a file");
        let end = file.rfind("\r\n--gate-").expect("the end of the form");
        self.files.push(file[..end].to_owned());
        let id = format!("file-{}", self.files.len() - 1);
        Answer::Body(json!({"id": id}).to_string())
    }

    fn openai_create(&mut self, body: &Value) -> Answer {
        assert_eq!(body["completion_window"], "24h");
        assert_eq!(body["endpoint"], "/v1/chat/completions");
        let file = self.files[number(body["input_file_id"].as_str().unwrap())].clone();
        let lines = file.lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            assert_eq!(
                (&line["method"], &line["url"]),
                (&json!("POST"), &body["endpoint"])
            );
            let id = line["custom_id"].as_str().unwrap().to_owned();
            (id, line["body"].clone())
        });
        let id = format!("batch_{}", self.take(lines));
        Answer::Body(json!({"id": id, "object": "batch", "status": "validating"}).to_string())
    }

    fn openai_look(&mut self, id: &str, looks: &Looks) -> Answer {
        let batch = number(id);
        let state = match self.look(batch, looks) {
            Look::Answer(answer) => return answer,
            Look::Working => json!({
                "id": id, "status": "in_progress",
                "request_counts": {"total": 9, "completed": 1, "failed": 0},
            }),
            Look::Refused => json!({
                "id": id, "status": "failed",
                "errors": {"data": [{"code": "token_limit_exceeded", "message": "too much at once"}]},
            }),
            Look::Ended => json!({
                "id": id, "status": "completed",
                "output_file_id": format!("file-out_{batch}"), "error_file_id": format!("file-err_{batch}"),
            }),
        };
        Answer::Body(state.to_string())
    }

    fn anthropic(&mut self, seen: &Seen, fates: &Fates, looks: &Looks) -> Answer {
        let line = seen.line();
        assert!(
            seen.head.contains("anthropic-version: 2023-06-01"),
            "{}",
            seen.head
        );
        if line == "POST /v1/messages/batches" {
            let requests = seen.body["requests"].as_array().expect("a list").clone();
            let requests = requests.into_iter().map(|request| {
                let id = request["custom_id"].as_str().unwrap().to_owned();
                assert!(
                    id.len() <= 64
                        && id
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
                );
                (id, request["params"].clone())
            });
            let batch = self.take(requests);
            return Answer::Body(json!({"id": format!("msgbatch_{batch}"), "type": "message_batch", "processing_status": "in_progress", "results_url": null}).to_string());
        }
        let id = last_part(line, "GET /v1/messages/batches/").expect("a batch");
        let Some(id) = id.strip_suffix("/results") else {
            let batch = number(id);
            let status = match self.look(batch, looks) {
                Look::Answer(answer) => return answer,
                Look::Working | Look::Refused => "in_progress",
                Look::Ended => "ended",
            };
            // An address elsewhere must not get the key.
            return Answer::Body(json!({
                "id": id, "processing_status": status, "results_url": "http://127.0.0.1:1/steal",
                "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
            }).to_string());
        };
        self.results(number(id), |taken| {
            let result = match fates(taken) {
                Fate::Says(text) => json!({"type": "succeeded", "message": {
                    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test",
                    "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
                    "usage": {"input_tokens": 20, "output_tokens": 2},
                }}),
                Fate::Fails(_, kind) => json!({"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": format!("it is {kind}")}}}),
                Fate::Expires => json!({"type": "expired"}),
                Fate::Vanishes => return None,
            };
            Some(json!({"custom_id": taken.custom_id, "result": result}))
        })
    }
}

/// A line of the file of answers, or of the one of errors.
fn openai_line(taken: &Taken, fate: &Fate, errors: bool) -> Option<Value> {
    let with = |response: Value, error: Value| {
        Some(json!({
            "id": "batch_req_1", "custom_id": taken.custom_id, "response": response, "error": error,
        }))
    };
    match fate {
        Fate::Says(text) if !errors => {
            let body: Value = serde_json::from_str(&completion(text)).unwrap();
            let response = json!({"status_code": 200, "request_id": "r1", "body": body});
            with(response, Value::Null)
        }
        Fate::Fails(status, kind) if errors => {
            let error = json!({"message": format!("it is {kind}"), "type": kind, "code": kind});
            let response = json!({"status_code": status, "body": {"error": error}});
            with(response, Value::Null)
        }
        Fate::Expires if errors => {
            let error = json!({"code": "batch_expired", "message": "expired"});
            with(Value::Null, error)
        }
        Fate::Says(_) | Fate::Fails(..) | Fate::Expires | Fate::Vanishes => None,
    }
}
