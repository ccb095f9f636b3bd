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
    /// A byte of the head now and then, for ever.
    DripHead,
    /// A success whose body is a GiB.
    Huge,
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
    scheme: &'static str,
    address: String,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

/// A connection, plain or encrypted.
trait Line: Read + Write {}

impl<T: Read + Write> Line for T {}

type Connection = BufReader<Box<dyn Line>>;

impl Server {
    /// A server that answers by a script.
    pub fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen("http", |stream| Some(Box::new(stream)), script)
    }

    /// A server that speaks TLS, and answers by a script.
    pub fn encrypted(
        config: rustls::ServerConfig,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let config = Arc::new(config);
        Self::listen("https", move |stream| encrypt(&config, stream), script)
    }

    /// A proxy that opens what is asked through it, and answers in the place of every host.
    pub fn intercepting(
        config: rustls::ServerConfig,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let config = Arc::new(config);
        let intercept = move |stream: TcpStream| {
            let mut head = BufReader::new(&stream);
            let mut line = String::new();
            head.read_line(&mut line).ok()?;
            let is_tunnel = line.starts_with("CONNECT ");
            while line != "\r\n" {
                line.clear();
                head.read_line(&mut line).ok()?;
            }
            let opened = b"HTTP/1.1 200 Connection established\r\n\r\n";
            (&stream).write_all(opened).ok()?;
            encrypt(&config, stream).filter(|_| is_tunnel)
        };
        Self::listen("http", intercept, script)
    }

    /// A server whose connections are closed as soon as the client has said something.
    pub fn closing(scheme: &'static str) -> Self {
        let close = |mut stream: TcpStream| {
            let _ = stream.read(&mut [0; 64]);
            None
        };
        Self::listen(scheme, close, |_| Answer::Reset)
    }

    fn listen(
        scheme: &'static str,
        open: impl Fn(TcpStream) -> Option<Box<dyn Line>> + Send + Sync + 'static,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let server = Self {
            scheme,
            address,
            connections: Arc::default(),
            stop: Arc::default(),
            seen: Arc::default(),
        };
        let counter = Arc::new(AtomicUsize::new(0));
        let (script, open): (Arc<Script>, _) = (Arc::new(script), Arc::new(open));
        let connections = Arc::clone(&server.connections);
        let (stopped, record) = (Arc::clone(&server.stop), Arc::clone(&server.seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (script, record, counter, open) = (
                    Arc::clone(&script),
                    Arc::clone(&record),
                    Arc::clone(&counter),
                    Arc::clone(&open),
                );
                if let Ok(stream) = stream {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.set_nodelay(true);
                    std::thread::spawn(move || {
                        if let Some(line) = open(stream) {
                            serve(line, &script, &record, &counter);
                        }
                    });
                }
            }
        });
        server
    }

    /// A server that always answers with this text.
    pub fn saying(text: &'static str) -> Self {
        Self::start(move |_| Answer::Text(text.to_owned()))
    }

    pub fn base_url(&self) -> String {
        format!("{}://{}/v1", self.scheme, self.address)
    }

    /// Connections that were opened, whatever came over them.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
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

fn encrypt(config: &Arc<rustls::ServerConfig>, stream: TcpStream) -> Option<Box<dyn Line>> {
    let session = rustls::ServerConnection::new(Arc::clone(config)).ok()?;
    Some(Box::new(rustls::StreamOwned::new(session, stream)))
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
    line: Box<dyn Line>,
    script: &Arc<Script>,
    record: &Arc<Mutex<Vec<Seen>>>,
    counter: &AtomicUsize,
) {
    let mut line = BufReader::new(line);
    while let Some((head, body)) = read_request(&mut line) {
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
        if !answer(&mut line, script(&seen)) {
            return;
        }
    }
}

fn read_request(reader: &mut Connection) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            // What is no text is no HTTP: such as the begin of a handshake.
            Err(_) => {
                let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
                let _ = reader.get_mut().write_all(refusal);
                return None;
            }
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
fn answer(line: &mut Connection, answer: Answer) -> bool {
    let writer = line.get_mut();
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
            let mut byte = [0];
            let _ = line.read(&mut byte);
            false
        }
        Answer::Reset => false,
        Answer::Drip => drip(writer, "content-length: 100000\r\n\r\n"),
        Answer::DripHead => drip(writer, "x-slow: "),
        Answer::Huge => {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut whole = writer.write_all(head).is_ok();
            let piece = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
            for _ in 0..1_024 {
                whole = whole && writer.write_all(piece.as_bytes()).is_ok();
            }
            whole && writer.write_all(b"0\r\n\r\n").is_ok()
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

/// Writes a whole reply.
fn send(writer: &mut Box<dyn Line>, status: u16, headers: &[(&str, String)], body: &str) -> bool {
    let mut head = format!("HTTP/1.1 {status} X\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        head.push_str("content-type: application/json\r\n");
    }
    head = format!("{head}content-length: {}\r\n", body.len());
    for (name, value) in headers {
        head = format!("{head}{name}: {value}\r\n");
    }
    let whole = format!("{head}\r\n{body}");
    writer.write_all(whole.as_bytes()).is_ok()
}

/// Begins a reply, and writes a byte of it now and then until the client has had enough.
fn drip(writer: &mut Box<dyn Line>, begin: &str) -> bool {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{begin}");
    let mut heard = writer.write_all(head.as_bytes());
    while heard.is_ok() {
        std::thread::sleep(Duration::from_millis(100));
        heard = writer.write_all(b" ");
    }
    false
}
