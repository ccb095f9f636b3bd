//! A prompt over HTTP from Langfuse's public API, read and never written: keys from the environment,
//! which go to Langfuse's own hosts, this machine, or where the owner allows.

use std::sync::Arc;
use std::time::Duration;

use super::error::CommandError;
use super::project::Project;
use super::versions::Resolved;
use crate::base::{Diagnostics, Slug, Source};
use crate::http::{self, HttpFault, HttpRequest, Method, Secret};
use crate::prompt::{self, Expected, Form, langfuse};
use crate::registry::reference::LangfusePick;

/// Langfuse's cloud in Europe, as its own libraries have it.
const DEFAULT_HOST: &str = "https://cloud.langfuse.com";
/// The clouds: Europe, and the regions under it.
const OWN_HOSTS: [&str; 2] = ["cloud.langfuse.com", "*.cloud.langfuse.com"];
const DEADLINE: Duration = Duration::from_secs(30);

/// The version that a reference to Langfuse means now.
///
/// # Errors
/// When keys are missing, the host is not allowed or does not answer, or there is no such prompt.
pub fn resolve(
    project: &Project,
    slug: &Slug,
    name: &str,
    pick: &LangfusePick,
) -> Result<Resolved, CommandError> {
    let reference = format!("langfuse:{name}@{pick}");
    if project.settings.offline {
        return Err(CommandError::usage(
            format!("`{reference}` is asked for over the network, and --offline forbids it"),
            "keep the prompt as a version: gate prompt show REFERENCE > draft.yaml, then gate prompt add",
        ));
    }
    let reply = ask(project, name, pick, &reference)?;
    let found = langfuse::decode(&Source::new(reference.clone(), &reply)).map_err(|error| {
        CommandError::usage(
            format!("`{reference}`: {error}"),
            "a prompt is a text, or a chat of system, user and assistant messages",
        )
    })?;
    let label = format!("langfuse:{name}@{}", found.version);
    let expected = Expected {
        slug: slug.clone(),
        number: None,
        form: Form::Yaml,
    };
    let mut diagnostics = Diagnostics::new();
    let source = Source::new(label.clone(), &found.text);
    let version = prompt::decode(&source, &expected, &mut diagnostics);
    let (version, _) = diagnostics.finish(version)?;
    Ok(Resolved {
        reference,
        label,
        prompt: Arc::new(version),
        stored: None,
        status: None,
        head: None,
    })
}

fn ask(
    project: &Project,
    name: &str,
    pick: &LangfusePick,
    reference: &str,
) -> Result<String, CommandError> {
    let host = ["LANGFUSE_HOST", "LANGFUSE_BASE_URL"]
        .iter()
        .find_map(|variable| project.variable(variable).filter(|host| !host.is_empty()));
    let host = host.unwrap_or_else(|| DEFAULT_HOST.to_owned());
    http::check_base_url(&host, &OWN_HOSTS, &project.permissions.hosts).map_err(|error| {
        CommandError::Usage {
            message: format!("`{reference}`: {error}"),
            help: Some(error.help()),
        }
    })?;
    let key = |variable: &str| {
        project.secret(variable).ok_or_else(|| {
            CommandError::infra(
                "auth",
                format!("`{reference}` needs Langfuse's keys, and {variable} is not set"),
                Some("set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY in the environment"),
            )
        })
    };
    let (public, secret) = (key("LANGFUSE_PUBLIC_KEY")?, key("LANGFUSE_SECRET_KEY")?);
    let query = match pick {
        LangfusePick::Version(version) => format!("version={version}"),
        LangfusePick::Label(label) => format!("label={}", http::percent_encoded(label)),
    };
    let name = http::percent_encoded(name);
    let url = format!(
        "{}/api/public/v2/prompts/{name}?{query}",
        host.trim_end_matches('/')
    );
    let auth = (
        "authorization".into(),
        Secret::basic(public.expose(), &secret),
    );
    let request = HttpRequest {
        method: Method::Get,
        auth: std::slice::from_ref(&auth),
        ..HttpRequest::post(&url, &[])
    };
    let reply = http::ask(&project.client_options(), &request, DEADLINE).map_err(|fault| {
        let reason = match fault {
            HttpFault::Tls { .. } | HttpFault::Setup(_) => "tls",
            HttpFault::Dns { .. } => "dns",
            _ => "provider_down",
        };
        CommandError::infra(
            reason,
            format!("`{reference}`: {fault}"),
            Some("try again, or keep the prompt as a version of the registry"),
        )
    })?;
    check_status(reply.status, reference)?;
    String::from_utf8(reply.body).map_err(|_| {
        CommandError::infra(
            "provider_down",
            format!("`{reference}`: the reply is not UTF-8"),
            None,
        )
    })
}

/// What a status means, by the API's description: 401 and 403 for the keys, 404 for the prompt.
fn check_status(status: u16, reference: &str) -> Result<(), CommandError> {
    match status {
        200 => Ok(()),
        401 | 403 => Err(CommandError::infra(
            "auth",
            format!("`{reference}`: Langfuse refuses the keys (HTTP {status})"),
            Some("LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are those of one project"),
        )),
        404 => Err(CommandError::usage(
            format!("`{reference}`: Langfuse has no such prompt, version or label"),
            "write langfuse:NAME, langfuse:NAME@LABEL or langfuse:NAME@7",
        )),
        other => Err(CommandError::infra(
            "provider_down",
            format!("`{reference}`: Langfuse answers with HTTP {other}"),
            Some("try again later"),
        )),
    }
}
