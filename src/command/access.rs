//! The access keys of an AWS account, for Bedrock without an API key: from the variables that every
//! tool of AWS reads.

use super::error::CommandError;
use super::project::Project;
use crate::chat::{ModelSpec, ProviderKind};
use crate::http::is_loopback_url;
use crate::provider::auth::AccessKeys;

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

/// The access keys that a model's requests are to be signed with: where the suite names them as its
/// `api_key_env`, or names nothing and there is no API key.
///
/// # Errors
/// When a part of them is missing.
pub fn keys(
    project: &Project,
    spec: &ModelSpec,
    base_url: &str,
) -> Result<Option<AccessKeys>, CommandError> {
    if spec.provider != ProviderKind::Bedrock || !is_wanted(project, spec, base_url) {
        return Ok(None);
    }
    let needed = |name: &str| {
        project.secret(name).ok_or_else(|| {
            CommandError::infra(
                "auth",
                format!(
                    "model `{}` is asked with access keys, and {name} is not set",
                    spec.name
                ),
                Some(&format!(
                    "set {name} in the environment, or use an API key in AWS_BEARER_TOKEN_BEDROCK"
                )),
            )
        })
    };
    let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    let mut set = variables.iter().filter_map(|name| project.variable(name));
    let region = region_of(base_url).or_else(|| set.find(|region| !region.is_empty()));
    let region = region.ok_or_else(|| {
        CommandError::infra(
            "auth",
            format!("the region of model `{}` is not known", spec.name),
            Some("set AWS_REGION, or write `base_url: https://bedrock-runtime.<region>.amazonaws.com`"),
        )
    })?;
    Ok(Some(AccessKeys {
        id: needed(KEY_ID)?,
        secret: needed(SECRET)?,
        session_token: project.secret("AWS_SESSION_TOKEN"),
        region,
    }))
}

fn is_wanted(project: &Project, spec: &ModelSpec, base_url: &str) -> bool {
    let api_key = spec.provider.default_key_variable();
    match spec.api_key_env.as_deref() {
        Some(named) => named == KEY_ID,
        None => {
            !is_loopback_url(base_url)
                && api_key.and_then(|name| project.secret(name)).is_none()
                && project.secret(KEY_ID).is_some()
        }
    }
}

/// The region in the address of Bedrock itself.
fn region_of(base_url: &str) -> Option<String> {
    let host = base_url.split_once("://")?.1.split(['/', ':']).next()?;
    let rest = host.strip_prefix("bedrock-runtime.")?;
    let region = rest.strip_suffix(".amazonaws.com")?;
    (!region.contains('.')).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::region_of;

    #[test]
    fn reads_the_region_of_bedrocks_own_addresses_alone() {
        let region = |host| region_of(&format!("https://{host}"));
        assert_eq!(
            region("bedrock-runtime.eu-central-1.amazonaws.com").as_deref(),
            Some("eu-central-1")
        );
        for host in [
            "127.0.0.1:8080",
            "bedrock-runtime.a.b.amazonaws.com",
            "example.com",
        ] {
            assert_eq!(region(host), None, "{host}");
        }
    }
}
