//! The client against a server that does what it is told to, byte by byte.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

const DEADLINE: Duration = Duration::from_secs(5);

/// Takes one connection, reads a whole request (or the first bytes of a handshake), and answers.
async fn serve<F, Fut>(answer: F) -> (SocketAddr, JoinHandle<String>)
where
    F: FnOnce(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"{\"q\":1}") && !request.starts_with(&[0x16]) {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => request.extend_from_slice(&buffer[..count]),
            }
        }
        answer(stream).await;
        String::from_utf8_lossy(&request).into_owned()
    });
    (address, task)
}

async fn serve_bytes(bytes: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    serve(async move |mut stream: TcpStream| {
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
    })
    .await
}

fn client() -> Client {
    Client::new(&ClientOptions::default()).unwrap()
}

async fn post(client: &Client, url: &str, deadline: Duration) -> Result<Reply, HttpFault> {
    client
        .send(&HttpRequest::post(url, b"{\"q\":1}"), deadline)
        .await
}

async fn post_to(address: SocketAddr) -> Result<Reply, HttpFault> {
    post(&client(), &format!("http://{address}/v1"), DEADLINE).await
}

fn head(extra: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{extra}content-length: {length}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn sends_what_the_request_says_and_reads_the_reply() {
    let mut bytes = head("X-Request-Id: r1\r\n", 4);
    bytes.extend_from_slice(b"pong");
    let (address, task) = serve_bytes(bytes).await;
    let auth = ("authorization".into(), Secret::new("Bearer k"));
    let headers = [("anthropic-version".into(), "2023-06-01".to_owned())];
    let url = format!("http://{address}/v1/x");
    let request = HttpRequest {
        headers: &headers,
        auth: std::slice::from_ref(&auth),
        ..HttpRequest::post(&url, b"{\"q\":1}")
    };
    let reply = client().send(&request, DEADLINE).await.unwrap();
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (200, b"pong".as_slice())
    );
    assert_eq!(reply.header("x-request-id"), Some("r1"));
    let sent = task.await.unwrap().to_lowercase();
    for line in [
        "post /v1/x http/1.1\r\n",
        "authorization: bearer k\r\n",
        "anthropic-version: 2023-06-01\r\n",
        "content-type: application/json\r\n",
        "accept: application/json\r\n",
        "user-agent: gate/",
        "accept-encoding: gzip\r\n",
        "content-length: 7\r\n",
    ] {
        assert!(sent.contains(line), "{line:?} in {sent}");
    }
    assert!(!format!("{request:?}").contains("Bearer"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_cut() {
    let mut bytes = head("", 100);
    bytes.extend_from_slice(b"{\"half\":");
    let (address, _task) = serve_bytes(bytes).await;
    let fault = post_to(address).await.unwrap_err();
    assert!(
        matches!(fault, HttpFault::Cut { received: 8, .. }),
        "{fault:?}"
    );
    assert!(fault.may_be_billed());
}

#[tokio::test]
async fn a_chunked_body_without_its_end_is_cut() {
    let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec();
    let (address, _task) = serve_bytes(bytes).await;
    let fault = post_to(address).await.unwrap_err();
    assert!(
        matches!(fault, HttpFault::Cut { received: 3, .. }),
        "{fault:?}"
    );
}

#[tokio::test]
async fn a_slow_body_ends_at_the_deadline() {
    let (address, task) = serve(async |mut stream: TcpStream| {
        let _ = stream.write_all(&head("", 1000)).await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let client = client();
    let deadline = Duration::from_millis(250);
    let start = Instant::now();
    let fault = post(&client, &format!("http://{address}/"), deadline)
        .await
        .unwrap_err();
    assert!(
        matches!(fault, HttpFault::Timeout { replying: true, .. }),
        "{fault:?}"
    );
    assert!(
        (225..400).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    task.abort();
}

#[tokio::test]
async fn no_head_ends_at_the_deadline_and_a_silent_body_at_the_idle_time() {
    let (address, task) = serve(async |stream: TcpStream| {
        tokio::time::sleep(DEADLINE).await;
        drop(stream);
    })
    .await;
    let url = format!("http://{address}/");
    let fault = post(&client(), &url, Duration::from_millis(100))
        .await
        .unwrap_err();
    assert!(
        matches!(
            fault,
            HttpFault::Timeout {
                replying: false,
                ..
            }
        ),
        "{fault:?}"
    );
    task.abort();

    let (address, task) = serve(async |mut stream: TcpStream| {
        let _ = stream.write_all(&head("", 10)).await;
        let _ = stream.write_all(b"abc").await;
        tokio::time::sleep(DEADLINE).await;
    })
    .await;
    let options = ClientOptions {
        idle_timeout: Duration::from_millis(100),
        ..ClientOptions::default()
    };
    let client = Client::new(&options).unwrap();
    let fault = post(&client, &format!("http://{address}/"), DEADLINE)
        .await
        .unwrap_err();
    let HttpFault::Timeout {
        after, replying, ..
    } = fault
    else {
        panic!("{fault:?}");
    };
    assert_eq!((after, replying), (options.idle_timeout, true));
    task.abort();
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes() {
    let options = ClientOptions {
        max_body: 1000,
        ..ClientOptions::default()
    };
    let client = Client::new(&options).unwrap();
    let (address, _task) = serve_bytes(head("", 1001)).await;
    let fault = post(&client, &format!("http://{address}/"), DEADLINE)
        .await
        .unwrap_err();
    assert!(
        matches!(fault, HttpFault::TooLarge { limit: 1000, .. }),
        "{fault:?}"
    );
    let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    bytes.resize(bytes.len() + 1001, b'x');
    let (address, _task) = serve_bytes(bytes).await;
    let fault = post(&client, &format!("http://{address}/"), DEADLINE)
        .await
        .unwrap_err();
    assert!(matches!(fault, HttpFault::TooLarge { .. }), "{fault:?}");
}

/// A gzip stream that unpacks to `mib` MiB of zeros, from stored bits alone: one fixed block whose
/// matches of length 258 and distance 1 repeat a single zero byte.
fn gzip_of_zeros(mib: usize) -> Vec<u8> {
    let mut bits: Vec<u8> = Vec::new();
    let mut used = 0;
    let mut put = |value: u32, count: u32| {
        for index in 0..count {
            if used % 8 == 0 {
                bits.push(0);
            }
            *bits.last_mut().unwrap() |= u8::from(value >> index & 1 == 1) << (used % 8);
            used += 1;
        }
    };
    put(0b011, 3);
    put(0b0000_1100, 8);
    for _ in 0..mib * (1 << 20) / 258 {
        put(0b1010_0011, 8);
        put(0, 5);
    }
    put(0, 7);
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    gzip.append(&mut bits);
    gzip.extend_from_slice(&[0; 8]);
    gzip
}

fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_gzip_bomb_ends_at_the_limit_with_little_memory() {
    let bomb = gzip_of_zeros(256);
    let mut bytes = head("content-encoding: gzip\r\n", bomb.len());
    bytes.extend_from_slice(&bomb);
    let (address, _task) = serve_bytes(bytes).await;
    let before = peak_rss_kib();
    let fault = post_to(address).await.unwrap_err();
    assert!(matches!(fault, HttpFault::TooLarge { .. }), "{fault:?}");
    assert!(
        peak_rss_kib() - before < 100 << 10,
        "{} KiB",
        peak_rss_kib() - before
    );
}

#[tokio::test]
async fn a_broken_gzip_body_is_cut() {
    let mut bytes = head("content-encoding: gzip\r\n", 5);
    bytes.extend_from_slice(b"abcde");
    let (address, _task) = serve_bytes(bytes).await;
    let fault = post_to(address).await.unwrap_err();
    assert!(matches!(fault, HttpFault::Cut { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_redirect_is_a_reply_like_any_other() {
    let bytes = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (address, _task) = serve_bytes(bytes.to_vec()).await;
    assert_eq!(post_to(address).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_closed_port_and_a_reset_are_faults_of_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let fault = post_to(address).await.unwrap_err();
    assert!(matches!(fault, HttpFault::Connect { .. }), "{fault:?}");
    assert!(fault.to_string().contains(&address.to_string()), "{fault}");
    assert!(!fault.may_be_billed());

    let (address, _task) = serve(async |stream: TcpStream| {
        stream.set_zero_linger().unwrap();
        drop(stream);
    })
    .await;
    let fault = post_to(address).await.unwrap_err();
    assert!(matches!(fault, HttpFault::Connect { .. }), "{fault:?}");
}

#[tokio::test]
async fn an_unknown_host_has_no_address() {
    let fault = post(&client(), "http://nonexistent.invalid/", DEADLINE)
        .await
        .unwrap_err();
    assert!(matches!(fault, HttpFault::Dns { .. }), "{fault:?}");
    assert!(fault.to_string().contains("nonexistent.invalid"), "{fault}");
}

#[tokio::test]
async fn a_host_that_speaks_no_tls_is_not_trusted() {
    let (address, _task) = serve_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    let fault = post(&client(), &format!("https://{address}/"), DEADLINE)
        .await
        .unwrap_err();
    assert!(matches!(fault, HttpFault::Tls { .. }), "{fault:?}");
}

#[tokio::test]
async fn what_http_can_not_send_is_said_without_the_secret() {
    let auth = ("authorization".into(), Secret::new("canary\nkey"));
    let request = HttpRequest {
        auth: std::slice::from_ref(&auth),
        ..HttpRequest::post("http://127.0.0.1:1/", b"")
    };
    let fault = client().send(&request, DEADLINE).await.unwrap_err();
    assert!(matches!(fault, HttpFault::Unsendable { .. }), "{fault:?}");
    assert!(!format!("{fault} {fault:?}").contains("canary"));
    let fault = post(&client(), "nowhere", DEADLINE).await.unwrap_err();
    assert!(matches!(fault, HttpFault::Unsendable { .. }), "{fault:?}");
}
