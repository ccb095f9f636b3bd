//! The process of a command: started when it is first needed and again after it ended, fed and read
//! line by line, killed when it is dropped.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::flight::Flight;
use crate::base::digest::canonical_json;
use crate::base::{Node, Source, json, text};
use crate::chat::ErrorClass;
use crate::provider::CallError;

/// The longest line that a command may answer with.
pub const MAX_REPLY_BYTES: usize = 16 << 20;
/// How much of the standard error is kept.
const TAIL_BYTES: usize = 2_048;
/// How many lines may wait until the command reads them.
const WAITING_LINES: usize = 64;
/// How long a process whose output ended may take to end itself, and its standard error too.
const GRACE: Duration = Duration::from_millis(500);

/// The variables that a command inherits; all others, above all keys, are kept from it.
pub const INHERITED: [&str; 24] = [
    "APPDATA",
    "COMSPEC",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LOCALAPPDATA",
    "LOGNAME",
    "PATH",
    "PATHEXT",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "USERPROFILE",
];

/// A command of the user's own.
pub struct ExecCommand {
    /// The program.
    pub program: String,
    /// Its arguments, which no shell reads.
    pub arguments: Vec<String>,
    /// Its working folder.
    pub folder: PathBuf,
    /// All of its environment.
    pub environment: Vec<(String, String)>,
}

/// A reply of a command, still to be read as an answer or a score.
#[derive(Debug)]
pub struct ExecReply {
    /// The line, for messages about it.
    pub source: Arc<Source>,
    /// The JSON object, without a (non-null) `error`.
    pub node: Node,
    /// Whether bytes that are no text were replaced.
    pub lossy: bool,
}

/// A kept-alive command.
pub struct Exec {
    command: ExecCommand,
    process: Mutex<Option<Arc<Process>>>,
}

impl Exec {
    /// A command that is started by the first call.
    #[must_use]
    pub fn new(command: ExecCommand) -> Self {
        Self {
            command,
            process: Mutex::new(None),
        }
    }

    /// The command.
    #[must_use]
    pub fn command(&self) -> &ExecCommand {
        &self.command
    }

    /// Sends a message, to which an `id` is added, and waits for the reply. Any number of calls may
    /// be in flight; a caller that waits no longer drops the future.
    ///
    /// # Errors
    /// When the command can not be started, ends, breaks the protocol, or answers with an `error`.
    pub async fn ask(&self, message: Map<String, Value>) -> Result<ExecReply, CallError> {
        let reply = self.process()?.ask(message).await?;
        match reply.node.get("error").filter(|error| !error.is_null()) {
            None => Ok(reply),
            Some(error) => {
                let said = match error.as_text() {
                    Some(said) => said.to_owned(),
                    None => canonical_json(&error.to_json()),
                };
                let said = text::visible_line(&said);
                let said = text::byte_prefix(&said, 400);
                let message = format!("`{}` reports: {said}", self.command.program);
                Err(CallError::new(ErrorClass::Server, message))
            }
        }
    }

    fn process(&self) -> Result<Arc<Process>, CallError> {
        let mut current = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(process) = &*current
            && !process.flight.has_ended()
        {
            return Ok(Arc::clone(process));
        }
        let process = Arc::new(Process::start(&self.command)?);
        *current = Some(Arc::clone(&process));
        Ok(process)
    }
}

/// A running process with the tasks that serve it, which end with it.
struct Process {
    lines: mpsc::Sender<Vec<u8>>,
    flight: Arc<Flight>,
    _tasks: JoinSet<()>,
}

impl Process {
    fn start(command: &ExecCommand) -> Result<Self, CallError> {
        let name = command.program.as_str();
        let failed = |cause: &dyn std::fmt::Display| {
            let message = format!("failed to start `{name}`: {cause}");
            CallError::new(ErrorClass::Connect, text::visible_line(&message))
        };
        let environment = command.environment.iter();
        let mut child = Command::new(name)
            .args(&command.arguments)
            .current_dir(&command.folder)
            .env_clear()
            .envs(environment.map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(failed(&"it has no standard streams"));
        };
        let (lines, outbox) = mpsc::channel(WAITING_LINES);
        let (drained, words) = oneshot::channel();
        let tail = Arc::new(Mutex::new(Vec::new()));
        let flight = Arc::new(Flight::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(feed(stdin, outbox));
        tasks.spawn(drain(stderr, Arc::clone(&tail), drained));
        tasks.spawn({
            let (name, flight) = (name.to_owned(), Arc::clone(&flight));
            async move {
                let end = read_replies(stdout, &flight).await;
                let status = stop(child, &end).await;
                // What a grandchild keeps open is not waited for.
                let _ = timeout(GRACE, words).await;
                let tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                flight.end(&end.error(&name, &status, &last_words(&tail)));
            }
        });
        Ok(Self {
            lines,
            flight,
            _tasks: tasks,
        })
    }

    async fn ask(&self, mut message: Map<String, Value>) -> Result<ExecReply, CallError> {
        let ticket = self.flight.enter()?;
        message.insert("id".to_owned(), ticket.id().into());
        let mut line = Value::Object(message).to_string().into_bytes();
        line.push(b'\n');
        // A process that reads no more is ending: the ticket tells how.
        let _ = self.lines.send(line).await;
        ticket.outcome().await
    }
}

async fn feed(mut stdin: ChildStdin, mut outbox: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = outbox.recv().await {
        if stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

/// Reads the standard error to its end, keeping the last of it.
async fn drain(
    mut stderr: impl AsyncRead + Unpin,
    tail: Arc<Mutex<Vec<u8>>>,
    drained: oneshot::Sender<()>,
) {
    let mut chunk = [0; TAIL_BYTES];
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(chunk.get(..length).unwrap_or_default());
        let excess = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..excess);
    }
    let _ = drained.send(());
}

/// The last lines of the standard error, on one line.
fn last_words(tail: &[u8]) -> String {
    let tail = String::from_utf8_lossy(tail);
    let lines: Vec<&str> = tail
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines.iter().skip(lines.len().saturating_sub(3));
    let shown: Vec<&str> = last.map(|line| line.trim()).collect();
    let shown = shown.join(" | ");
    let characters = shown.chars().count();
    shown.chars().skip(characters.saturating_sub(240)).collect()
}

/// Why no more replies are read.
enum End {
    Closed,
    Unreadable(std::io::Error),
    TooLong,
    NotJson { line: String, cause: String },
    UnknownId { id: String },
}

impl End {
    fn error(&self, name: &str, status: &str, words: &str) -> CallError {
        let (class, message) = match self {
            Self::Closed => (ErrorClass::Server, format!("`{name}` ended ({status})")),
            Self::Unreadable(error) => (
                ErrorClass::Server,
                format!("failed to read from `{name}`: {error}"),
            ),
            Self::TooLong => (
                ErrorClass::ReplyTooLarge,
                format!(
                    "`{name}` answered with a line of more than {} MiB",
                    MAX_REPLY_BYTES >> 20
                ),
            ),
            Self::NotJson { line, cause } => (
                ErrorClass::BadBody,
                format!("`{name}` wrote a line that is no JSON object ({cause}): {line}"),
            ),
            Self::UnknownId { id } => (
                ErrorClass::BadBody,
                format!("`{name}` answered a call that is not in flight: id {id}"),
            ),
        };
        let message = if words.is_empty() {
            message
        } else {
            format!("{message}; its last words: {words}")
        };
        CallError::new(class, text::visible_line(&message))
    }
}

/// Hands replies to the calls in flight until there are no more or one can not be matched.
async fn read_replies(stdout: ChildStdout, flight: &Flight) -> End {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_REPLY_BYTES as u64 + 1;
        match (&mut stdout).take(limit).read_until(b'\n', &mut line).await {
            Ok(0) => return End::Closed,
            Ok(_) if line.len() > MAX_REPLY_BYTES && !line.ends_with(b"\n") => {
                return End::TooLong;
            }
            Ok(_) if line.trim_ascii().is_empty() => {}
            Ok(_) => {
                if let Err(end) = land(&line, flight) {
                    // A line that death cut short is no breach of the protocol.
                    let whole = line.ends_with(b"\n");
                    return if whole { end } else { End::Closed };
                }
            }
            Err(error) => return End::Unreadable(error),
        }
    }
}

fn land(line: &[u8], flight: &Flight) -> Result<(), End> {
    let decoded = String::from_utf8_lossy(line);
    let lossy = matches!(decoded, std::borrow::Cow::Owned(_));
    let excerpt = |text: &str| text::shorten(text.trim(), 120).into_owned();
    let not_json = |cause: &str| End::NotJson {
        line: excerpt(&decoded),
        cause: cause.to_owned(),
    };
    let source = Source::row("the reply", decoded.trim_end(), 1);
    let node = json::parse(&source).map_err(|found| {
        let first = found.iter().next();
        not_json(first.map_or("not valid", |first| first.message.as_str()))
    })?;
    let id = node.get("id").ok_or_else(|| not_json("it has no `id`"))?;
    let unknown = || End::UnknownId {
        id: excerpt(&canonical_json(&id.to_json())),
    };
    let id = id.as_text().ok_or_else(unknown)?.to_owned();
    let reply = ExecReply {
        source,
        node,
        lossy,
    };
    flight
        .land(&id, reply)
        .map_err(|_| End::UnknownId { id: excerpt(&id) })
}

/// Ends the process, and says how it ended.
async fn stop(mut child: Child, end: &End) -> String {
    if let End::Closed = end
        && let Ok(status) = timeout(GRACE, child.wait()).await
    {
        return status.map_or_else(|error| error.to_string(), |status| status.to_string());
    }
    match child.kill().await {
        Ok(()) => "it closed its output".to_owned(),
        Err(error) => error.to_string(),
    }
}
