//! The comment on a pull request, posted: the one place that talks to GitHub's interface.
//!
//! Nothing here touches a verdict: what goes wrong is said and forgotten. The token comes from the
//! environment alone and goes only to the address that the environment names, encrypted unless it is
//! this machine's.

use std::time::Duration;

use camino::Utf8Path;
use serde::Deserialize;
use serde_json::{Value, json};

use super::project::Project;
use crate::base::text::visible_line;
use crate::http::{
    Client, ClientOptions, HttpRequest, Method, Redactor, Reply, Secret, SecretHeader,
    check_base_url,
};
use crate::report::comment::{Action, Comment, Found};
use crate::store::fs;

const DEFAULT_API: &str = "https://api.github.com";
/// The interface's own largest page.
const PER_PAGE: usize = 100;
/// No pull request has more comments than this many pages.
const MOST_PAGES: usize = 100;
const DEADLINE: Duration = Duration::from_secs(30);
/// The waits before a request is sent again.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// The longest wait that the server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const EVENT_BYTES: u64 = 32 << 20;

/// Why there is no comment, for people.
#[derive(Debug, thiserror::Error)]
pub enum CommentError {
    /// The environment lacks something, or holds what can not be used.
    #[error("{0}")]
    Setting(String),
    /// The interface could not be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The interface refused.
    #[error("{what} ended with {status}{said}")]
    Refused {
        /// What was being done.
        what: &'static str,
        /// The status of the reply.
        status: u16,
        /// Its message, with what leads to it.
        said: String,
    },
    /// The interface answered with what it never answers.
    #[error("{0} was answered with something else than documented")]
    Unreadable(&'static str),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// There was nothing to say, or it is said already.
    Nothing,
    /// It was written.
    Created,
    /// It was changed.
    Updated,
}

/// Where a comment goes.
pub struct Target {
    api: String,
    graphql: String,
    repository: String,
    number: u64,
    auth: SecretHeader,
    redactor: Redactor,
    options: ClientOptions,
}

impl Target {
    /// Reads the environment; `number` is that of `--pr`, else the event's.
    ///
    /// # Errors
    /// When something is missing, or an address may not get the token.
    pub fn of(project: &Project, number: Option<u64>) -> Result<Self, CommentError> {
        let given = |name: &str| project.variable(name).filter(|value| !value.is_empty());
        let setting = |words: &str| CommentError::Setting(words.to_owned());
        let token = project
            .secret("GITHUB_TOKEN")
            .ok_or_else(|| setting("GITHUB_TOKEN is not set"))?;
        let repository = given("GITHUB_REPOSITORY").filter(|name| is_repository(name));
        let repository =
            repository.ok_or_else(|| setting("GITHUB_REPOSITORY is not OWNER/NAME"))?;
        let number = match number {
            Some(number) => number,
            None => event_number(given("GITHUB_EVENT_PATH").as_deref())?,
        };
        let api = given("GITHUB_API_URL").unwrap_or_else(|| DEFAULT_API.to_owned());
        let api = api.trim_end_matches('/').to_owned();
        check_address(&api)?;
        let graphql = match api.strip_suffix("/v3") {
            Some(server) => format!("{server}/graphql"),
            None => format!("{api}/graphql"),
        };
        let redactor = Redactor::new([&token]);
        let bearer = Secret::new(format!("Bearer {}", token.expose()));
        Ok(Self {
            api,
            graphql,
            repository,
            number,
            auth: ("authorization".into(), bearer),
            redactor,
            options: project.client_options(),
        })
    }
}

/// The owner's environment names the address; it must still be a plain one, and encrypted.
fn check_address(api: &str) -> Result<(), CommentError> {
    let own = api
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split(['/', ':']).next());
    let checked = check_base_url(api, &[own.unwrap_or_default()], &[]);
    checked.map_err(|error| CommentError::Setting(format!("GITHUB_API_URL: {error}")))
}

fn is_repository(name: &str) -> bool {
    let is_part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && part.chars().all(plain) && !part.chars().all(|c| c == '.')
    };
    name.split_once('/')
        .is_some_and(|(owner, name)| is_part(owner) && is_part(name))
}

/// The number of the pull request that an event is about.
fn event_number(path: Option<&str>) -> Result<u64, CommentError> {
    let setting = |words: String| CommentError::Setting(words);
    let path = path.ok_or_else(|| {
        setting("no pull request is known: give --pr, or set GITHUB_EVENT_PATH".to_owned())
    })?;
    let text = fs::read_text(Utf8Path::new(path), EVENT_BYTES)
        .map_err(|error| setting(format!("GITHUB_EVENT_PATH: {error}")))?;
    let event: Value = serde_json::from_str(&text)
        .map_err(|error| setting(format!("GITHUB_EVENT_PATH is no JSON: {error}")))?;
    let number = event.pointer("/pull_request/number");
    let issue = || {
        event
            .pointer("/issue/pull_request")
            .and(event.pointer("/issue/number"))
    };
    number
        .or_else(issue)
        .and_then(Value::as_u64)
        .ok_or_else(|| setting("the event is about no pull request: give --pr".to_owned()))
}

/// Posts a comment, or changes the one that is there; `wait` waits.
///
/// # Errors
/// When the interface can not be reached, or refuses.
pub async fn post(
    target: &Target,
    comment: &Comment,
    wait: impl AsyncFn(Duration),
) -> Result<Posted, CommentError> {
    let client = Client::new(&target.options)
        .map_err(|error| CommentError::Unreachable(error.to_string()))?;
    let github = GitHub {
        target,
        client,
        wait,
    };
    let author = github.author().await?;
    let comments = github.comments(&comment.marker).await?;
    let path = format!("{}/repos/{}/issues", target.api, target.repository);
    let body = json!({ "body": comment.body }).to_string();
    let (what, method, url, posted) = match comment.action(&comments, &author) {
        Action::Nothing => return Ok(Posted::Nothing),
        Action::Create => {
            let url = format!("{path}/{}/comments", target.number);
            ("writing the comment", Method::Post, url, Posted::Created)
        }
        Action::Update(id) => {
            let url = format!("{path}/comments/{id}");
            ("changing the comment", Method::Patch, url, Posted::Updated)
        }
    };
    github.send(what, method, &url, &body).await?;
    Ok(posted)
}

struct GitHub<'t, W> {
    target: &'t Target,
    client: Client,
    wait: W,
}

#[derive(Deserialize)]
struct RawComment {
    id: u64,
    user: Option<RawUser>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct RawUser {
    login: String,
}

impl<W: AsyncFn(Duration)> GitHub<'_, W> {
    /// Who asks. `viewer` of the GraphQL interface answers for the tokens of people and of apps;
    /// `/user` refuses the latter.
    async fn author(&self) -> Result<String, CommentError> {
        const WHAT: &str = "asking who owns the token";
        let query = json!({ "query": "query { viewer { login } }" }).to_string();
        let reply = self
            .send(WHAT, Method::Post, &self.target.graphql, &query)
            .await?;
        let answer: Value =
            serde_json::from_slice(&reply.body).map_err(|_| CommentError::Unreadable(WHAT))?;
        let login = answer.pointer("/data/viewer/login").and_then(Value::as_str);
        login
            .map(str::to_owned)
            .ok_or(CommentError::Unreadable(WHAT))
    }

    /// The comments that begin with a marker, of all pages.
    async fn comments(&self, marker: &str) -> Result<Vec<Found>, CommentError> {
        const WHAT: &str = "listing the comments";
        let Target {
            api,
            repository,
            number,
            ..
        } = self.target;
        let mut found = Vec::new();
        for page in 1..=MOST_PAGES {
            let url = format!(
                "{api}/repos/{repository}/issues/{number}/comments?per_page={PER_PAGE}&page={page}"
            );
            let reply = self.send(WHAT, Method::Get, &url, "").await?;
            let comments: Vec<RawComment> =
                serde_json::from_slice(&reply.body).map_err(|_| CommentError::Unreadable(WHAT))?;
            let is_full = comments.len() >= PER_PAGE;
            let is_empty = comments.is_empty();
            found.extend(comments.into_iter().filter_map(|raw| {
                let body = raw.body.filter(|body| body.starts_with(marker))?;
                Some(Found {
                    id: raw.id,
                    author: raw.user?.login,
                    body,
                })
            }));
            let has_more = match reply.header("link") {
                Some(links) => links.contains("rel=\"next\""),
                None => is_full,
            };
            if is_empty || !has_more {
                break;
            }
        }
        Ok(found)
    }

    /// Sends a request, and again where that can do no harm: after a limit, and after a fault of
    /// the server or the wire unless it would write a second comment.
    async fn send(
        &self,
        what: &'static str,
        method: Method,
        url: &str,
        body: &str,
    ) -> Result<Reply, CommentError> {
        let headers = [
            ("accept".into(), "application/vnd.github+json".to_owned()),
            ("x-github-api-version".into(), "2022-11-28".to_owned()),
        ];
        let request = HttpRequest {
            method,
            url,
            headers: &headers,
            auth: std::slice::from_ref(&self.target.auth),
            body: body.as_bytes(),
            max_body: None,
        };
        let may_repeat = method != Method::Post || url == self.target.graphql;
        let mut waits = WAITS.into_iter();
        loop {
            let (error, pause) = match self.client.send(&request, DEADLINE).await {
                Ok(reply) if (200..300).contains(&reply.status) => return Ok(reply),
                Ok(reply) => {
                    let asked = asked_to_wait(&reply);
                    let again = asked.is_some() || (reply.status >= 500 && may_repeat);
                    (self.refused(what, &reply), again.then_some(asked))
                }
                Err(fault) => {
                    let text = self.target.redactor.redact(&fault.to_string()).into_owned();
                    let again = may_repeat || !fault.may_be_billed();
                    (CommentError::Unreachable(text), again.then_some(None))
                }
            };
            let (Some(asked), Some(own)) = (pause, waits.next()) else {
                return Err(error);
            };
            match asked {
                Some(asked) if asked > LONGEST_WAIT => return Err(error),
                asked => (self.wait)(asked.unwrap_or(own)).await,
            }
        }
    }

    fn refused(&self, what: &'static str, reply: &Reply) -> CommentError {
        let message: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let message = message.and_then(|body| Some(body.get("message")?.as_str()?.to_owned()));
        let message = message.map_or_else(String::new, |message| {
            let message = visible_line(&self.target.redactor.redact(&message));
            format!(": {}", crate::base::text::shorten(&message, 200))
        });
        let hint = match reply.status {
            401 => " (is GITHUB_TOKEN right?)",
            403 | 404 if asked_to_wait(reply).is_none() => {
                " (the token needs `pull-requests: write`; a fork's has only read)"
            }
            _ => "",
        };
        CommentError::Refused {
            what,
            status: reply.status,
            said: format!("{message}{hint}"),
        }
    }
}

/// The wait that a limit asks for: `retry-after` of a 429 or 403.
fn asked_to_wait(reply: &Reply) -> Option<Duration> {
    let seconds = reply.header("retry-after")?.trim().parse().ok()?;
    matches!(reply.status, 403 | 429).then(|| Duration::from_secs(seconds))
}
