//! End to end: what a run costs beside a bare loop of the same HTTP calls.
//!
//! `cargo bench --bench fanout` starts a model server in this process, runs the release binary and a
//! bare reqwest loop against it as child processes, and prints wall time, CPU time for each request
//! and the most memory of each. A name as argument runs one scenario. See benches/README.md.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::unchecked_time_subtraction,
    clippy::disallowed_methods,
    reason = "a bench: what goes wrong ends it, and its result is what it prints"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const REPLY: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"bench-2026","system_fingerprint":null,"choices":[{"index":0,"finish_reason":"stop","logprobs":null,"message":{"role":"assistant","content":"billing","refusal":null}}],"usage":{"prompt_tokens":120,"completion_tokens":2,"total_tokens":122,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#;

/// How long the server takes.
#[derive(Clone, Copy)]
enum Latency {
    Fixed(u64),
    LogNormal { median_ms: f64, sigma: f64 },
}

struct Scenario {
    name: &'static str,
    cases: usize,
    concurrency: usize,
    latency: Latency,
}

const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "overhead",
        cases: 10_000,
        concurrency: 64,
        latency: Latency::Fixed(0),
    },
    Scenario {
        name: "ideal",
        cases: 1_000,
        concurrency: 64,
        latency: Latency::Fixed(50),
    },
    Scenario {
        name: "compare-2000",
        cases: 2_000,
        concurrency: 64,
        latency: Latency::Fixed(50),
    },
    Scenario {
        name: "lognormal",
        cases: 10_000,
        concurrency: 256,
        latency: Latency::LogNormal {
            median_ms: 200.0,
            sigma: 0.5,
        },
    },
    Scenario {
        name: "one",
        cases: 1,
        concurrency: 32,
        latency: Latency::Fixed(0),
    },
    Scenario {
        name: "memory",
        cases: 100_000,
        concurrency: 64,
        latency: Latency::Fixed(0),
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let [mode, url, requests, concurrency] = arguments.as_slice()
        && mode == "--bare"
    {
        bare(
            url,
            requests.parse().expect("a number"),
            concurrency.parse().expect("a number"),
        );
        return;
    }
    let wanted = arguments.first().map(String::as_str);
    println!(
        "{:<14}{:>9}{:>7}{:>10}{:>10}{:>12}{:>12}{:>8}{:>10}{:>10}{:>10}",
        "scenario",
        "requests",
        "at once",
        "wall s",
        "ideal s",
        "gate us/req",
        "bare us/req",
        "ratio",
        "peak MiB",
        "in flight",
        "bare"
    );
    for scenario in SCENARIOS
        .iter()
        .filter(|scenario| wanted.is_none_or(|name| name == scenario.name))
    {
        if wanted.is_none() && scenario.name == "memory" {
            continue;
        }
        run(scenario);
    }
    if wanted.is_none() || wanted == Some("cached") {
        cached();
    }
    if wanted.is_none() || wanted == Some("start") {
        start();
    }
}

struct Cost {
    wall: Duration,
    cpu: Duration,
    peak_mib: f64,
}

/// Runs a command to its end; what it used is the difference of what all children used.
fn measure(command: &mut Command) -> Cost {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("resource usage");
        let seconds = |time: nix::sys::time::TimeVal| {
            Duration::new(
                time.tv_sec().unsigned_abs(),
                u32::try_from(time.tv_usec()).unwrap_or(0) * 1_000,
            )
        };
        (
            seconds(usage.user_time()) + seconds(usage.system_time()),
            usage.max_rss(),
        )
    };
    let (before, _) = used();
    let begun = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the command runs");
    let wall = begun.elapsed();
    let (after, peak) = used();
    assert!(
        status.code().is_some_and(|code| code < 2 || code == 4),
        "{command:?}: {status}"
    );
    Cost {
        wall,
        cpu: after - before,
        peak_mib: peak as f64 / 1024.0,
    }
}

fn gate(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gate"));
    command.args(arguments).current_dir(folder);
    command
}

fn run(scenario: &Scenario) {
    let server = Server::start(scenario.latency, scenario.concurrency);
    let folder = project(&server.url, scenario.cases);
    let concurrency = scenario.concurrency.to_string();
    let requests = 2 * scenario.cases;
    let cost = measure(&mut gate(
        folder.path(),
        &[
            "compare",
            "v1",
            "v2",
            "-j",
            &concurrency,
            "--quiet",
            "--json",
            "out.json",
            "--junit",
            "out.xml",
        ],
    ));
    let served = server.served.load(Ordering::SeqCst);
    assert_eq!(served, requests as u64, "requests served");
    let in_flight = server.take_share();
    let bare = measure(
        Command::new(std::env::current_exe().expect("this program")).args([
            "--bare",
            &server.url,
            &requests.to_string(),
            &concurrency,
        ]),
    );
    let bare_in_flight = server.take_share();
    let share = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.3}"));
    let micros = |cost: &Cost| cost.cpu.as_secs_f64() * 1e6 / requests as f64;
    let ideal = match scenario.latency {
        Latency::Fixed(ms) => requests as f64 * ms as f64 / 1e3 / scenario.concurrency as f64,
        Latency::LogNormal { median_ms, sigma } => {
            requests as f64 * median_ms / 1e3 * (sigma * sigma / 2.0).exp()
                / scenario.concurrency as f64
        }
    };
    println!(
        "{:<14}{:>9}{:>7}{:>10.2}{:>10.2}{:>12.1}{:>12.1}{:>8.2}{:>10.1}{:>10}{:>10}",
        scenario.name,
        requests,
        scenario.concurrency,
        cost.wall.as_secs_f64(),
        ideal,
        micros(&cost),
        micros(&bare),
        micros(&cost) / micros(&bare),
        cost.peak_mib,
        share(in_flight),
        share(bare_in_flight)
    );
}

/// All answers from the cache, with reports.
fn cached() {
    let server = Server::start(Latency::Fixed(0), 64);
    let folder = project(&server.url, 10_000);
    let arguments = [
        "compare", "v1", "v2", "-j", "64", "--quiet", "--json", "out.json", "--junit", "out.xml",
    ];
    measure(&mut gate(folder.path(), &arguments));
    let before = server.served.load(Ordering::SeqCst);
    let cost = measure(&mut gate(folder.path(), &arguments));
    assert_eq!(
        server.served.load(Ordering::SeqCst),
        before,
        "nothing is sent"
    );
    println!(
        "cached: 10,000 cases x 2 with JSON and JUnit: {:.3} s of CPU, {:.3} s wall",
        cost.cpu.as_secs_f64(),
        cost.wall.as_secs_f64()
    );
}

fn start() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cpu: Vec<f64> = (0..20)
        .map(|_| {
            measure(&mut gate(folder.path(), &["--version"]))
                .cpu
                .as_secs_f64()
                * 1e3
        })
        .collect();
    cpu.sort_by(f64::total_cmp);
    println!(
        "gate --version: {:.2} ms of CPU (median of 20)",
        cpu.get(10).copied().unwrap_or_default()
    );
}

/// A project of generated cases.
fn project(url: &str, cases: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path: PathBuf = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("the folder");
        std::fs::write(path, text).expect("the file");
    };
    write(
        "evals/bench.yaml",
        &format!(
            "gate: suite/1\nprompt: bench\ndataset: ../cases.jsonl\nmodels: [{{ name: main, provider: openai, model: bench, base_url: \"{url}\" }}]\nscorers: [{{ type: equals, value: \"{{{{expected}}}}\", transform: [trim] }}]\n"
        ),
    );
    for number in [1, 2] {
        write(
            &format!("prompts/bench/v{number}.yaml"),
            &format!(
                "gate: prompt/1\nversion: {number}\nparams: {{ temperature: 0 }}\nvariables: {{ ticket: {{ type: string, max_length: 500 }} }}\nmessages:\n  - {{ role: system, content: \"You sort support tickets of a software company, version {number}. Answer with one word: billing, bug or other.\" }}\n  - {{ role: user, content: \"{{{{ticket}}}}\" }}\n"
            ),
        );
    }
    let file = std::fs::File::create(folder.path().join("cases.jsonl")).expect("the file");
    let mut file = std::io::BufWriter::new(file);
    for number in 0..cases {
        writeln!(file, "{{\"id\":\"case-{number:06}\",\"vars\":{{\"ticket\":\"My invoice number {number} shows a charge that I do not understand\"}},\"expected\":\"billing\"}}").expect("a row");
    }
    file.flush().expect("the rows");
    folder
}

/// The same calls without us: so many requests, so many at once, each reply read whole.
fn bare(url: &str, requests: usize, concurrency: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let address = format!("{url}/chat/completions");
        let mut tasks = tokio::task::JoinSet::new();
        for worker in 0..concurrency {
            let (client, address) = (client.clone(), address.clone());
            tasks.spawn(async move {
                for number in (worker..requests).step_by(concurrency) {
                    let body = format!("{{\"messages\":[{{\"content\":\"You sort support tickets of a software company, version 1. Answer with one word: billing, bug or other.\",\"role\":\"system\"}},{{\"content\":\"My invoice number {number} shows a charge that I do not understand\",\"role\":\"user\"}}],\"model\":\"bench\",\"temperature\":0}}");
                    let reply = client.post(&address).header("content-type", "application/json").header("accept", "application/json").body(body).send().await.expect("a reply");
                    let bytes = reply.bytes().await.expect("a body");
                    assert!(!bytes.is_empty());
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("a worker");
        }
    });
}

/// How many requests the server has at once, over time.
struct Load {
    limit: usize,
    now: usize,
    since: Instant,
    /// When there were first as many as allowed, and the sum of requests over time from there on.
    reached: Option<Instant>,
    area: f64,
    last: Instant,
}

impl Load {
    fn new(limit: usize) -> Self {
        let now = Instant::now();
        Self {
            limit,
            now: 0,
            since: now,
            reached: None,
            area: 0.0,
            last: now,
        }
    }

    fn arrive(&mut self) {
        self.pass();
        self.now += 1;
        if self.now >= self.limit {
            self.reached.get_or_insert(self.since);
        }
    }

    fn leave(&mut self) {
        self.pass();
        self.now -= 1;
        self.last = self.since;
    }

    fn pass(&mut self) {
        let now = Instant::now();
        if self.reached.is_some() {
            self.area += self.now as f64 * (now - self.since).as_secs_f64();
        }
        self.since = now;
    }

    /// The mean from when the limit was reached to the last answer, over the limit; the end, when
    /// there is nothing left to send, included.
    fn share(&self) -> Option<f64> {
        let span = (self.last - self.reached?).as_secs_f64();
        (span > 0.0).then(|| self.area / span / self.limit as f64)
    }
}

/// A model server that answers at once or after a time, and knows how many requests it had at once.
struct Server {
    url: String,
    served: Arc<AtomicU64>,
    load: Arc<Mutex<Load>>,
}

impl Server {
    fn start(latency: Latency, limit: usize) -> Self {
        let (send, receive) = std::sync::mpsc::channel();
        let served = Arc::new(AtomicU64::new(0));
        let load = Arc::new(Mutex::new(Load::new(limit)));
        let (counter, shared) = (Arc::clone(&served), Arc::clone(&load));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                send.send(listener.local_addr().expect("an address"))
                    .expect("a listener");
                let mut tasks = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let (counter, load) = (Arc::clone(&counter), Arc::clone(&shared));
                    tasks.spawn(serve(stream, latency, counter, load));
                }
            });
        });
        let address = receive.recv().expect("the server starts");
        Self {
            url: format!("http://{address}/v1"),
            served,
            load,
        }
    }

    /// The share of the limit in flight since it was reached; the next client begins anew.
    fn take_share(&self) -> Option<f64> {
        let mut load = self.load.lock().expect("the load");
        let limit = load.limit;
        std::mem::replace(&mut *load, Load::new(limit)).share()
    }
}

async fn serve(
    mut stream: tokio::net::TcpStream,
    latency: Latency,
    served: Arc<AtomicU64>,
    load: Arc<Mutex<Load>>,
) {
    let _ = stream.set_nodelay(true);
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{REPLY}",
        REPLY.len()
    );
    let (mut buffer, mut filled) = (vec![0u8; 16 * 1024], 0);
    loop {
        let Some(end) = request_end(&buffer[..filled]) else {
            match stream.read(&mut buffer[filled..]).await {
                Ok(0) | Err(_) => return,
                Ok(read) => filled += read,
            }
            continue;
        };
        buffer.copy_within(end..filled, 0);
        filled -= end;
        load.lock().expect("the load").arrive();
        let number = served.fetch_add(1, Ordering::SeqCst);
        let wait = match latency {
            Latency::Fixed(ms) => Duration::from_millis(ms),
            Latency::LogNormal { median_ms, sigma } => {
                Duration::from_secs_f64(median_ms / 1e3 * (sigma * normal(number)).exp())
            }
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        load.lock().expect("the load").leave();
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Where the first whole request in the buffer ends.
fn request_end(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let end = head + length.unwrap_or(0);
    (buffer.len() >= end).then_some(end)
}

/// A number from the standard normal distribution by its index, the same in every run (Box-Muller
/// over a multiplicative hash).
fn normal(index: u64) -> f64 {
    let unit = |salt: u64| {
        let mut word = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt;
        word ^= word >> 31;
        word = word.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word ^= word >> 29;
        ((word >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    };
    (-2.0 * unit(1).ln()).sqrt() * (std::f64::consts::TAU * unit(0x1234_5678)).cos()
}
