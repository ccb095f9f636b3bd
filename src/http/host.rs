//! Which host may get a key: the vendor's own or this machine, any other only when the person who
//! runs the program says so. A file of the repository can not say so.

use std::net::IpAddr;

use reqwest::Url;

/// Why a provider's address is refused: the user's fault, found before any send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It can not be read.
    #[error("`{base_url}` is not an http or https address")]
    Invalid {
        /// The address as written.
        base_url: String,
    },
    /// It holds a user, a password, a query or a fragment.
    #[error("the address of host {host} holds a {part}, which no base_url may")]
    Excess {
        /// The host.
        host: String,
        /// What it holds.
        part: &'static str,
    },
    /// The key would go to a host that nobody allowed.
    #[error("base_url names host {host}, which is not the provider's own")]
    NotAllowed {
        /// The host, with its port where it is not the scheme's.
        host: String,
    },
    /// A request of the file's own making would go to a host that nobody allowed.
    #[error("base_url names host {host}, and the form of `http` says what is sent there")]
    FreeForm {
        /// The host, with its port where it is not the scheme's.
        host: String,
    },
    /// The key would cross the network unencrypted.
    #[error("base_url names host {host} without encryption")]
    Unencrypted {
        /// The host.
        host: String,
    },
}

impl HostError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Invalid { .. } => "write it as https://host/path".to_owned(),
            Self::Excess { .. } => {
                "keep only scheme, host, port and path; keys come from the environment".to_owned()
            }
            Self::NotAllowed { host } => {
                format!("if the key may go there, run with `--allow-host {host}`")
            }
            Self::FreeForm { host } => {
                format!("if the file may send that, run with `--allow-host {host}`")
            }
            Self::Unencrypted { .. } => "write https://".to_owned(),
        }
    }
}

/// Whether a key may go to `base_url`. `own_hosts` are the provider's, where `*` stands for one
/// label of a name; `allowed` come from `--allow-host`, each a host or `host:port`.
///
/// # Errors
/// When the address is not one of a plain host and path, or its host is neither the provider's nor
/// this machine nor allowed.
pub fn check_base_url(
    base_url: &str,
    own_hosts: &[&str],
    allowed: &[String],
) -> Result<(), HostError> {
    let url = plain_address(base_url)?;
    let host = url.host_str().unwrap_or_default();
    if is_loopback(host) || is_allowed(&url, allowed) {
        return Ok(());
    }
    if !own_hosts.iter().any(|pattern| matches_host(pattern, host)) {
        return Err(HostError::NotAllowed {
            host: host_and_port(&url),
        });
    }
    if url.scheme() == "http" {
        return Err(HostError::Unencrypted {
            host: host_and_port(&url),
        });
    }
    Ok(())
}

/// Whether a request whose method, headers and body the file itself writes may go to `base_url`:
/// only to a host of `allowed`. This machine is none by itself, since what such a request does to a
/// service here would be the file's choice.
///
/// # Errors
/// When the address is not one of a plain host and path, or its host is not allowed.
pub fn check_free_form(base_url: &str, allowed: &[String]) -> Result<(), HostError> {
    let url = plain_address(base_url)?;
    if is_allowed(&url, allowed) {
        return Ok(());
    }
    Err(HostError::FreeForm {
        host: host_and_port(&url),
    })
}

/// An address of scheme, host, port and path.
fn plain_address(base_url: &str) -> Result<Url, HostError> {
    let invalid = || HostError::Invalid {
        base_url: base_url.to_owned(),
    };
    let url = Url::parse(base_url).map_err(|_| HostError::Invalid {
        base_url: without_userinfo(base_url),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid());
    }
    let host = url.host_str().ok_or_else(invalid)?;
    let part = if !url.username().is_empty() || url.password().is_some() {
        Some("user or password")
    } else if url.query().is_some() {
        Some("query")
    } else {
        url.fragment().map(|_| "fragment")
    };
    if let Some(part) = part {
        return Err(HostError::Excess {
            host: host.to_owned(),
            part,
        });
    }
    Ok(url)
}

fn is_allowed(url: &Url, allowed: &[String]) -> bool {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default();
    allowed.iter().any(|entry| allows(entry, host, port))
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether an address is one of this machine, where a key is optional.
#[must_use]
pub fn is_loopback_url(base_url: &str) -> bool {
    let url = Url::parse(base_url).ok();
    url.is_some_and(|url| url.host_str().is_some_and(is_loopback))
}

/// Whether a host, as an address writes it, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip: Option<IpAddr> = bare.unwrap_or(host).parse().ok();
    ip.map_or_else(|| host == "localhost", |ip| ip.is_loopback())
}

pub(crate) fn allows(entry: &str, host: &str, port: Option<u16>) -> bool {
    let entry = entry.trim();
    if entry.eq_ignore_ascii_case(host) {
        return true;
    }
    entry.rsplit_once(':').is_some_and(|(name, digits)| {
        name.eq_ignore_ascii_case(host) && digits.parse().ok() == port && port.is_some()
    })
}

fn matches_host(pattern: &str, host: &str) -> bool {
    let mut labels = host.split('.');
    let fits = pattern.split('.').all(|wanted| {
        labels
            .next()
            .is_some_and(|label| wanted == "*" || wanted == label)
    });
    fits && labels.next().is_none()
}

/// Checks an entry of `--allow-host`: a host or `host:port`.
///
/// # Errors
/// What to write instead, in words.
pub fn check_entry(entry: &str) -> Result<(), String> {
    let entry = entry.trim();
    if entry.contains("://") {
        let url = Url::parse(entry).ok();
        let named = url.filter(|url| url.host_str().is_some_and(|host| !host.is_empty()));
        return Err(match named {
            Some(url) => format!("name its host: {}", host_and_port(&url)),
            None => FORM.to_owned(),
        });
    }
    // An address with nothing but host and port says both as they were written.
    let url = Url::parse(&format!("https://{entry}/")).map_err(|_| FORM)?;
    let host = url.host_str().unwrap_or_default();
    let is_known = allows(entry, host, url.port_or_known_default());
    let is_plain = !host.contains('*') && !entry.contains(['/', '@', '?', '#', '%', ',']);
    if is_known && is_plain {
        Ok(())
    } else {
        Err(FORM.to_owned())
    }
}

const FORM: &str = "write a host or host:port, such as bot.example.com or 127.0.0.1:8080";

/// The address as written, but for what stands before an `@`, which may be a password.
fn without_userinfo(base_url: &str) -> String {
    match base_url.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => base_url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[&str] = &["api.openai.com"];

    fn check(base_url: &str, allowed: &[&str]) -> Result<(), String> {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        check_base_url(base_url, OWN, &allowed)
            .map_err(|error| format!("{error}; {}", error.help()))
    }

    #[test]
    fn an_entry_is_a_host_with_or_without_a_port() {
        for good in [
            "bot.example.com",
            "Bot.Example.com:8443",
            "bot.example.com:443",
            "127.0.0.1",
            "127.0.0.1:8080",
            "localhost",
            "[::1]:8080",
            " proxy_host:80 ",
        ] {
            assert_eq!(check_entry(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "not a host!",
            "a/b",
            "a:b",
            "a:99999",
            "*",
            "*.example.com",
            "u@a",
            "a?x",
            "https://",
            "a,b.example",
        ] {
            assert_eq!(check_entry(bad), Err(FORM.to_owned()), "{bad}");
        }
        let url = check_entry("http://127.0.0.1:18742/ask");
        assert_eq!(url, Err("name its host: 127.0.0.1:18742".to_owned()));
    }

    #[test]
    fn lets_a_key_go_to_the_own_host_and_to_this_machine_only() {
        for good in [
            "https://api.openai.com/v1",
            "https://API.OpenAI.com/v1",
            "http://127.0.0.1:8080/v1",
            "http://127.1.2.3/v1",
            "http://localhost:11434",
            "http://[::1]:8080",
        ] {
            assert_eq!(check(good, &[]), Ok(()), "{good}");
        }
        for bad in [
            "https://collector.example/v1",
            "https://api.openai.com.evil.example/v1",
            "https://evil-api.openai.com/v1",
            "https://localhost.evil.example",
            "http://0.0.0.0:80/v1",
            "https://api.openai.com@evil.example/v1",
            "http://api.openai.com/v1",
            "https://user:pw@api.openai.com/v1",
            "https://api.openai.com/v1?x=1",
            "https://api.openai.com/v1#x",
            "ftp://api.openai.com/v1",
            "api.openai.com/v1",
            "",
        ] {
            assert!(check(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_the_host_and_the_flag() {
        let message = check("https://gpu.internal:8443/v1", &[]).unwrap_err();
        assert!(message.contains("gpu.internal:8443"), "{message}");
        assert!(message.contains("--allow-host"), "{message}");
    }

    #[test]
    fn an_allowed_host_may_have_a_port() {
        assert_eq!(
            check("http://gpu.internal:8443/v1", &["gpu.internal"]),
            Ok(())
        );
        assert_eq!(
            check("http://gpu.internal:8443/v1", &["GPU.internal:8443"]),
            Ok(())
        );
        assert!(check("http://gpu.internal:8443/v1", &["gpu.internal:443"]).is_err());
        assert!(check("http://u@gpu.internal/v1", &["gpu.internal"]).is_err());
    }

    #[test]
    fn a_form_of_the_files_own_goes_only_where_a_person_allowed_it() {
        let check = |url: &str, allowed: &[&str]| {
            let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
            check_free_form(url, &allowed).map_err(|error| error.help())
        };
        let url = "http://127.0.0.1:2375/containers/create";
        let help = check(url, &["bot.example.com"]).unwrap_err();
        assert!(help.contains("--allow-host 127.0.0.1:2375"), "{help}");
        assert_eq!(check(url, &["127.0.0.1:2375"]), Ok(()));
        assert!(check(url, &["127.0.0.1:8080"]).is_err());
        assert_eq!(
            check("https://bot.example.com/ask", &["bot.example.com"]),
            Ok(())
        );
        assert!(check("https://bot.example.com/ask?x=1", &["bot.example.com"]).is_err());
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let own = &["bedrock-runtime.*.amazonaws.com"];
        let check = |url| check_base_url(url, own, &[]);
        assert_eq!(
            check("https://bedrock-runtime.eu-west-1.amazonaws.com"),
            Ok(())
        );
        assert!(check("https://bedrock-runtime.a.b.amazonaws.com").is_err());
        assert!(check("https://bedrock-runtime.amazonaws.com").is_err());
        assert!(check("https://bedrock-runtime.a.amazonaws.com.x").is_err());
    }
}
