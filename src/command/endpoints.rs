//! From a model of a suite to an endpoint that can be asked: keys from the environment, hosts
//! checked, rules and cassettes read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use super::access;
use super::error::CommandError;
use super::project::Project;
use crate::base::{Diagnostic, Diagnostics, Digest, Name, Span};
use crate::chat::{ModelSpec, Price, PriceTable, ProviderKind};
use crate::http::{self, Client, HostError, Redactor, Secret};
use crate::provider::exec::{self, Exec, ExecCommand};
use crate::provider::mock::MockRules;
use crate::provider::replay::CassetteDecoder;
use crate::provider::{Auth, Codec, Endpoint, Transport, codec, own_hosts};
use crate::score::{Kind, ScorerSpec};
use crate::store::fs;
use crate::suite::Suite;

const MAX_RULES: u64 = 8 << 20;

/// The endpoints of one suite, each made once, so that all who ask a model share its limits.
pub struct Endpoints<'p> {
    project: &'p Project,
    made: BTreeMap<String, Arc<Endpoint>>,
    /// Rules files and cassettes that are wrong, and were said to be.
    refused: BTreeSet<String>,
    sends: bool,
    /// The models whose key is not there: said once all else is checked, and only where something is sent.
    missing_keys: Vec<(Name, CommandError)>,
    /// The digests of rules files and cassettes, by path.
    pub files: BTreeMap<String, Digest>,
    prices: PriceTable,
}

impl<'p> Endpoints<'p> {
    /// No endpoint yet.
    #[must_use]
    pub fn new(project: &'p Project) -> Self {
        Self {
            project,
            made: BTreeMap::new(),
            refused: BTreeSet::new(),
            sends: true,
            missing_keys: Vec::new(),
            files: BTreeMap::new(),
            prices: PriceTable::builtin(),
        }
    }

    /// Endpoints that are looked at and never asked, which takes no key and no permission.
    #[must_use]
    pub fn unasked(project: &'p Project) -> Self {
        Self {
            sends: false,
            ..Self::new(project)
        }
    }

    /// The first key that is not there, of the models that will be asked.
    pub fn missing_key(&mut self, is_asked: impl Fn(&Name) -> bool) -> Option<CommandError> {
        let missing = std::mem::take(&mut self.missing_keys).into_iter();
        let mut asked = missing.filter(|(model, _)| is_asked(model));
        asked.next().map(|(_, missing)| missing)
    }

    /// The price of a model: the suite's, else the list price, else unknown.
    #[must_use]
    pub fn price(&self, spec: &ModelSpec) -> Option<Price> {
        spec.price
            .or_else(|| self.prices.price(spec.provider, spec.model.as_deref()?))
    }

    /// The most tokens that a model answers with, where the price table knows it.
    #[must_use]
    pub fn most_output(&self, spec: &ModelSpec) -> Option<u32> {
        self.prices
            .max_output_tokens(spec.provider, spec.model.as_deref()?)
    }

    /// The endpoint of a model's embeddings; none where its provider has none.
    ///
    /// # Errors
    /// As of [`Self::get`].
    pub fn embeddings(
        &mut self,
        suite: &Suite,
        spec: &ModelSpec,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Arc<Endpoint>>, CommandError> {
        let identity = format!("embeddings of {spec:?}");
        if let Some(made) = self.made.get(&identity) {
            return Ok(Some(Arc::clone(made)));
        }
        let transport = self.transport(suite, spec, diagnostics)?;
        let endpoint = transport.and_then(|way| Endpoint::of_embeddings(spec.clone(), way));
        let endpoint = endpoint.map(Arc::new);
        if let Some(endpoint) = &endpoint {
            self.made.insert(identity, Arc::clone(endpoint));
        }
        Ok(endpoint)
    }

    /// The endpoint of a model.
    ///
    /// # Errors
    /// When a key is missing or a host is not allowed; findings in rules or cassettes go to
    /// `diagnostics`.
    pub fn get(
        &mut self,
        suite: &Suite,
        spec: &ModelSpec,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Arc<Endpoint>>, CommandError> {
        let identity = format!("{spec:?}");
        if let Some(made) = self.made.get(&identity) {
            return Ok(Some(Arc::clone(made)));
        }
        let Some(transport) = self.transport(suite, spec, diagnostics)? else {
            return Ok(None);
        };
        let endpoint = Arc::new(Endpoint::new(spec.clone(), transport));
        self.made.insert(identity, Arc::clone(&endpoint));
        Ok(Some(endpoint))
    }

    fn transport(
        &mut self,
        suite: &Suite,
        spec: &ModelSpec,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Transport>, CommandError> {
        Ok(match spec.provider {
            ProviderKind::Mock => self.mock(suite, spec, diagnostics),
            ProviderKind::Replay => self.replay(suite, spec, diagnostics)?,
            ProviderKind::Exec => Some(self.exec(spec)?),
            ProviderKind::OpenAi
            | ProviderKind::OpenAiResponses
            | ProviderKind::AzureOpenAi
            | ProviderKind::Anthropic
            | ProviderKind::Gemini
            | ProviderKind::Bedrock
            | ProviderKind::Ollama
            | ProviderKind::Http => Some(self.remote(spec)?),
        })
    }

    /// The endpoint of a model that is not going to be asked, which takes no key and no permission.
    ///
    /// # Errors
    /// As for [`Endpoints::get`].
    pub fn get_unasked(
        &mut self,
        suite: &Suite,
        spec: &ModelSpec,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Arc<Endpoint>>, CommandError> {
        let sends = std::mem::replace(&mut self.sends, false);
        let endpoint = self.get(suite, spec, diagnostics);
        self.sends = sends;
        endpoint
    }

    fn mock(
        &mut self,
        suite: &Suite,
        spec: &ModelSpec,
        diagnostics: &mut Diagnostics,
    ) -> Option<Transport> {
        let path = spec.rules.as_ref()?;
        if self.refused.contains(path) {
            return None;
        }
        let source = match self.project.read(path, MAX_RULES) {
            Ok(source) => source,
            Err(error) => {
                self.refused.insert(path.clone());
                return missing(suite, spec, "rules", &error, diagnostics);
            }
        };
        let Some(rules) = MockRules::decode(&source, diagnostics) else {
            self.refused.insert(path.clone());
            return None;
        };
        self.files.insert(path.clone(), rules.digest());
        Some(Transport::Mock(Arc::new(rules)))
    }

    fn replay(
        &mut self,
        suite: &Suite,
        spec: &ModelSpec,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Transport>, CommandError> {
        let Some(path) = spec
            .cassette
            .as_ref()
            .filter(|path| !self.refused.contains(*path))
        else {
            return Ok(None);
        };
        let opened = self.project.root.resolve(path).map_err(CommandError::from);
        let file = match opened.and_then(|full| fs::open(&full).map_err(CommandError::from)) {
            Ok(file) => file,
            Err(error) => {
                self.refused.insert(path.clone());
                return Ok(missing(suite, spec, "cassette", &error, diagnostics));
            }
        };
        let mut decoder = CassetteDecoder::new(path.clone(), diagnostics);
        for (line, number) in BufReader::new(file).lines().zip(1u32..) {
            let line = line.map_err(|error| {
                CommandError::usage(
                    format!("{path}:{number}: {error}"),
                    "save the cassette as UTF-8 text",
                )
            })?;
            decoder.line(&line, number);
        }
        let cassette = decoder.finish();
        if cassette.is_none() {
            self.refused.insert(path.clone());
        }
        Ok(cassette.map(|cassette| {
            self.files.insert(path.clone(), cassette.digest());
            Transport::Replay(Arc::new(cassette))
        }))
    }

    fn exec(&self, spec: &ModelSpec) -> Result<Transport, CommandError> {
        self.check_command(&format!("model `{}`", spec.name))?;
        let key = spec
            .api_key_env
            .as_ref()
            .and_then(|name| Some((name.clone(), self.project.secret(name)?)));
        let redactor = Redactor::new(key.iter().map(|(_, key)| key));
        let mut command = self.own_command(&spec.command)?;
        let key = key.map(|(name, key)| (name, key.expose().to_owned()));
        command.environment.extend(key);
        Ok(Transport::Exec {
            exec: Arc::new(Exec::new(command)),
            redactor: Arc::new(redactor),
        })
    }

    /// The commands of scorers, which get no key; the same words are one process.
    ///
    /// # Errors
    /// When the owner does not allow commands.
    pub fn scorer_commands<'s>(
        &self,
        scorers: impl Iterator<Item = &'s ScorerSpec>,
    ) -> Result<HashMap<Vec<String>, Exec>, CommandError> {
        let mut commands = HashMap::new();
        for scorer in scorers {
            if let Kind::Exec(exec) = &scorer.kind
                && !commands.contains_key(&exec.command)
            {
                self.check_command(&format!("scorer `{}`", scorer.name))?;
                let command = Exec::new(self.own_command(&exec.command)?);
                commands.insert(exec.command.clone(), command);
            }
        }
        Ok(commands)
    }

    fn check_command(&self, who: &str) -> Result<(), CommandError> {
        if self.sends && !self.project.permissions.exec {
            return Err(CommandError::usage(
                format!("{who} runs a command of this project"),
                "allow it with --allow-exec, if you trust the project",
            ));
        }
        Ok(())
    }

    /// A command with the environment that every command gets.
    fn own_command(&self, words: &[String]) -> Result<ExecCommand, CommandError> {
        let (program, arguments) = words.split_first().ok_or_else(|| {
            CommandError::usage(
                "the command is empty",
                "write `command:` as a list of words",
            )
        })?;
        let inherited = exec::INHERITED.iter();
        Ok(ExecCommand {
            program: program.clone(),
            arguments: arguments.to_vec(),
            folder: self.project.root.path().as_std_path().to_owned(),
            environment: inherited
                .filter_map(|name| Some(((*name).to_owned(), self.project.variable(name)?)))
                .collect(),
        })
    }

    fn remote(&mut self, spec: &ModelSpec) -> Result<Transport, CommandError> {
        let provider = spec.provider;
        let base_url = spec
            .base_url
            .as_deref()
            .or_else(|| provider.default_base_url())
            .unwrap_or_default();
        let allowed = &self.project.permissions.hosts;
        let checked = match provider {
            ProviderKind::Http => match http::check_free_form(base_url, allowed) {
                // As a command: what is only looked at takes no permission.
                Err(HostError::FreeForm { .. }) if !self.sends => Ok(()),
                checked => checked,
            },
            _ => http::check_base_url(base_url, own_hosts(provider), allowed),
        };
        checked.map_err(|error| CommandError::Usage {
            message: format!("model `{}`: {error}", spec.name),
            help: Some(error.help()),
        })?;
        let codec = codec(provider).ok_or_else(|| {
            CommandError::usage("the provider is not on the network", "use another provider")
        })?;
        let client = Client::new(&self.project.client_options())
            .map_err(|error| CommandError::infra("tls", error.to_string(), None))?;
        let (auth, redactor) = self.auth(spec, base_url, codec)?;
        Ok(Transport::Remote {
            codec,
            client,
            auth,
            redactor: Arc::new(redactor),
        })
    }

    /// What lets a model's requests in, and what keeps it out of every text.
    fn auth(
        &mut self,
        spec: &ModelSpec,
        base_url: &str,
        codec: &dyn Codec,
    ) -> Result<(Auth, Redactor), CommandError> {
        let asks = self.sends && !self.project.settings.offline;
        let keys = if asks {
            access::keys(self.project, spec, base_url).unwrap_or_else(|missing| {
                self.missing_keys.push((spec.name.clone(), missing));
                None
            })
        } else {
            None
        };
        let Some(keys) = keys else {
            let key = self.key(spec, base_url);
            let redactor = Redactor::new(key.iter());
            let header = key.map(|key| codec.auth(spec, &key));
            return Ok((
                header.map_or(Auth::Open, |header| Auth::Key(Box::new(header))),
                redactor,
            ));
        };
        let secrets = [
            Some(&keys.id),
            Some(&keys.secret),
            keys.session_token.as_ref(),
        ];
        let redactor = Redactor::new(secrets.into_iter().flatten());
        let auth = Auth::signed(keys, Arc::clone(&self.project.clock)).ok_or_else(|| {
            CommandError::infra(
                "auth",
                format!(
                    "model `{}` needs signed requests, and this build can not sign (cargo feature `bedrock`)",
                    spec.name
                ),
                Some("build with --features bedrock, or use an API key in AWS_BEARER_TOKEN_BEDROCK"),
            )
        })?;
        Ok((auth, redactor))
    }

    /// The key of a model. On this machine a key is optional unless the suite names its variable;
    /// offline nothing is sent, so none is needed.
    fn key(&mut self, spec: &ModelSpec, base_url: &str) -> Option<Secret> {
        let loopback = http::is_loopback_url(base_url);
        let variable = match &spec.api_key_env {
            Some(named) => named.as_str(),
            None if loopback => return None,
            None => spec.provider.default_key_variable()?,
        };
        let key = self.project.secret(variable);
        if key.is_none() && self.sends && !self.project.settings.offline {
            let missing = CommandError::infra(
                "auth",
                format!(
                    "model `{}` needs a key, and {variable} is not set",
                    spec.name
                ),
                Some(&format!(
                    "set {variable} in the environment, or use --offline to answer from the cache"
                )),
            );
            self.missing_keys.push((spec.name.clone(), missing));
        }
        key
    }
}

fn missing(
    suite: &Suite,
    spec: &ModelSpec,
    key: &str,
    error: &CommandError,
    diagnostics: &mut Diagnostics,
) -> Option<Transport> {
    let message = format!(
        "`{key}` of model `{}`: {}",
        spec.name,
        super::error::chain(error)
    );
    let diagnostic = Diagnostic::error(
        if key == "rules" {
            "mock-rules"
        } else {
            "cassette"
        },
        message,
    );
    diagnostics.push(
        diagnostic
            .at(&suite.source, Span::default())
            .help("write its path, relative to the suite's file"),
    );
    None
}
