//! A model server on loopback that answers by a script: what it is asked is counted, and how it
//! answers, or fails to, the test says.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a helper of tests: what goes wrong here fails the test"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How a request is answered.
pub enum Answer {
    /// Chat completion with this text.
    Text(String),
    /// A status with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// The head, and half of the body that it promises.
    Cut,
    /// Nothing, until the client goes away.
    Hang,
    /// The connection is closed without a byte.
    Reset,
    /// A success with this body.
    Body(String),
    /// A byte of the body now and then, for ever.
    Drip,
    /// Chat completion with this text, after which the connection is closed without a word.
    TextThenClose(String),
    /// Chat completion with this text, and the same reply once more that nobody asked for.
    Twice(String),
}

/// A request as the server saw it.
#[derive(Clone)]
pub struct Seen {
    /// The number of the request, from 0.
    pub number: usize,
    pub at: Instant,
    pub head: String,
    /// The body as JSON; as text where it is none.
    pub body: Value,
}

impl Seen {
    /// The last user message.
    pub fn user(&self) -> &str {
        let messages = self.body["messages"].as_array();
        let user = messages
            .into_iter()
            .flatten()
            .rev()
            .find(|message| message["role"] == "user");
        user.and_then(|message| message["content"].as_str())
            .unwrap_or_default()
    }

    /// Method and path.
    pub fn line(&self) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.strip_suffix(" HTTP/1.1").unwrap_or(line)
    }

    /// The system message.
    pub fn system(&self) -> &str {
        self.body["messages"][0]["content"]
            .as_str()
            .unwrap_or_default()
    }
}

pub struct Server {
    address: String,
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

impl Server {
    /// A server that answers by a script.
    pub fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let counter = Arc::new(AtomicUsize::new(0));
        let script: Arc<Script> = Arc::new(script);
        let (stopped, record) = (Arc::clone(&stop), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (script, record, counter) = (
                    Arc::clone(&script),
                    Arc::clone(&record),
                    Arc::clone(&counter),
                );
                if let Ok(stream) = stream {
                    std::thread::spawn(move || serve(stream, &script, &record, &counter));
                }
            }
        });
        Self {
            address,
            stop,
            seen,
        }
    }

    /// A server that always answers with this text.
    pub fn saying(text: &'static str) -> Self {
        Self::start(move |_| Answer::Text(text.to_owned()))
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the record").clone()
    }

    pub fn requests(&self) -> usize {
        self.seen.lock().expect("the record").len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

/// A chat completion with this text.
pub fn completion(text: &str) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_760_000_000, "model": "test-model-2026",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
    })
    .to_string()
}

fn serve(
    stream: TcpStream,
    script: &Arc<Script>,
    record: &Arc<Mutex<Vec<Seen>>>,
    counter: &AtomicUsize,
) {
    let _ = stream.set_nodelay(true);
    let Ok(clone) = stream.try_clone() else {
        return;
    };
    let (mut reader, mut writer) = (BufReader::new(clone), stream);
    while let Some((head, body)) = read_request(&mut reader) {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
        let seen = Seen {
            number,
            at: Instant::now(),
            head,
            body,
        };
        record.lock().expect("the record").push(seen.clone());
        if !answer(&mut reader, &mut writer, script(&seen)) {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Writes an answer; `false` when the connection is to be closed.
fn answer(reader: &mut BufReader<TcpStream>, writer: &mut TcpStream, answer: Answer) -> bool {
    let send = |writer: &mut TcpStream, status: u16, headers: &[(&str, String)], body: &str| {
        let mut head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head = format!("{head}{name}: {value}\r\n");
        }
        writer
            .write_all(format!("{head}\r\n{body}").as_bytes())
            .is_ok()
    };
    match answer {
        Answer::Text(text) => send(writer, 200, &[], &completion(&text)),
        Answer::Body(body) => send(writer, 200, &[], &body),
        Answer::Status(status, headers, body) => send(writer, status, &headers, &body),
        Answer::Cut => {
            let body = completion("cut");
            let half = body.get(..body.len() / 2).unwrap_or_default();
            let _ = write!(
                writer,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{half}",
                body.len()
            );
            false
        }
        Answer::Hang => {
            // Ends when the client closes the connection.
            let _ = writer.set_read_timeout(Some(Duration::from_mins(1)));
            let mut byte = [0];
            let _ = reader.read(&mut byte);
            false
        }
        Answer::Reset => false,
        Answer::Drip => {
            let _ = writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n");
            while writer.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
            false
        }
        Answer::Twice(text) => {
            let body = completion(&text);
            send(writer, 200, &[], &body) && send(writer, 200, &[], &body)
        }
        Answer::TextThenClose(text) => {
            send(writer, 200, &[], &completion(&text));
            false
        }
    }
}
