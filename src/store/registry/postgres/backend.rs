//! The trait of backends over the tables of `schema.sql`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::connection::Connection;
use crate::base::{Diagnostics, Digest, Name, Slug, Source};
use crate::http::{Roots, Secret};
use crate::prompt::{self, Form};
use crate::registry::change::{EvidenceCopy, NewVersion};
use crate::registry::reference::parse_slug;
use crate::registry::repair::{RepairError, Repaired};
use crate::registry::{Change, Channel, Entry, Log, Stamp, VersionRef};
use crate::store::registry::address::Address;
use crate::store::registry::backend::{Looked, Whole};
use crate::store::registry::{self, Backend, RegistryError, VersionFile, VersionText};

/// The version that a channel points to, with the log that says so: what an application asks.
pub(in crate::store::registry) const BY_CHANNEL: &str = "SELECT v.number, v.form, v.text, (SELECT string_agg(l.line || E'\\n', '' ORDER BY l.seq) FROM gate.log AS l WHERE l.slug = $1) FROM gate.live AS c JOIN gate.version AS v ON v.slug = c.slug AND v.number = c.version WHERE c.slug = $1 AND c.channel = $2";
const BY_NUMBER: &str = "SELECT v.number, v.form, v.text, (SELECT string_agg(l.line || E'\\n', '' ORDER BY l.seq) FROM gate.log AS l WHERE l.slug = $1) FROM gate.version AS v WHERE v.slug = $1 AND v.number = $2";

/// A registry in a PostgreSQL database.
pub struct PostgresRegistry {
    connection: Connection,
}

impl fmt::Debug for PostgresRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresRegistry({})", self.connection.address)
    }
}

impl PostgresRegistry {
    /// The registry at an address. The connection is made when it is first needed.
    #[must_use]
    pub fn new(
        address: Address,
        user: String,
        password: Option<Secret>,
        roots: Arc<Roots>,
    ) -> Self {
        Self {
            connection: Connection::new(address, user, password, roots),
        }
    }

    fn get<'a, T: FromSql<'a>>(&self, row: &'a Row, column: usize) -> Result<T, RegistryError> {
        row.try_get(column)
            .map_err(|error| RegistryError::Database {
                doing: "read the registry",
                address: self.connection.address.to_string(),
                source: Box::new(error),
            })
    }

    fn number(&self, row: &Row, column: usize) -> Result<u32, RegistryError> {
        let number: i32 = self.get(row, column)?;
        // A check of the table keeps it above zero.
        Ok(u32::try_from(number).unwrap_or_default())
    }

    fn file(&self, slug: &Slug, row: &Row) -> Result<VersionFile, RegistryError> {
        let number = self.number(row, 0)?;
        let form = if self.get::<&str>(row, 1)? == "yaml" {
            Form::Yaml
        } else {
            Form::Text
        };
        let name = self.name_of(slug, &format!("v{number}"));
        Ok(VersionFile { number, form, name })
    }

    /// The first column of a query for one prompt, row by row.
    fn texts(&self, sql: &str, slug: &Slug) -> Result<Vec<String>, RegistryError> {
        let rows = self
            .connection
            .rows("read the registry", sql, &[&slug.as_str()])?;
        rows.iter().map(|row| self.get(row, 0)).collect()
    }

    /// A version as the server takes it, with the document that applications read.
    fn version_json(&self, slug: &Slug, version: &NewVersion) -> Value {
        let text = VersionText {
            file: VersionFile {
                number: version.number,
                form: version.form,
                name: self.name_of(slug, &format!("v{}", version.number)),
            },
            text: version.text.clone(),
        };
        let decoded = registry::decode(self, slug, &text, &mut Diagnostics::new());
        json!({
            "number": version.number,
            "form": if version.form == Form::Yaml { "yaml" } else { "text" },
            "text": version.text,
            "document": decoded.as_ref().map_or(json!({}), prompt::version::to_json),
        })
    }

    fn append(
        &self,
        slug: &Slug,
        (expected, entries): (Option<Digest>, &[Entry]),
        versions: &[NewVersion],
        evidence: &[EvidenceCopy],
    ) -> Result<(), RegistryError> {
        if let Some(astray) = evidence.iter().find(|copy| !is_evidence_path(&copy.path)) {
            return Err(RegistryError::EvidencePath {
                path: astray.path.clone(),
            });
        }
        let expected = expected.map(|head| head.to_string());
        let lines: Vec<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
        let versions: Value = versions
            .iter()
            .map(|version| self.version_json(slug, version))
            .collect();
        let evidence: Value = evidence
            .iter()
            .map(|copy| json!({"path": copy.path, "text": copy.text}))
            .collect();
        let (versions, evidence) = (versions.to_string(), evidence.to_string());
        self.connection.change(
            "change the registry",
            "SELECT gate.append($1, $2, $3, $4::text::jsonb, $5::text::jsonb)",
            &[&slug.as_str(), &expected, &lines, &versions, &evidence],
        )
    }
}

/// Whether a path of evidence is one that a folder could hold too.
fn is_evidence_path(path: &str) -> bool {
    path.strip_prefix("evidence/").is_some_and(|rest| {
        rest.split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
    })
}

impl Backend for PostgresRegistry {
    fn location(&self) -> &str {
        self.connection.address.as_str()
    }

    fn name_of(&self, slug: &Slug, file: &str) -> String {
        format!("{}/{slug}/{file}", self.connection.address)
    }

    fn is_in_project(&self) -> bool {
        false
    }

    fn slugs(&self) -> Result<Vec<Slug>, RegistryError> {
        let rows = self.connection.rows(
            "read the registry",
            "SELECT slug FROM gate.prompt AS p WHERE EXISTS (SELECT FROM gate.log AS l WHERE l.slug = p.slug)",
            &[],
        )?;
        let mut found = BTreeSet::new();
        for row in &rows {
            found.extend(parse_slug(self.get(row, 0)?).ok());
        }
        Ok(found.into_iter().collect())
    }

    fn tenants(&self, slug: &Slug) -> Result<Vec<Name>, RegistryError> {
        let all = self.slugs()?;
        let layers = all.iter().filter_map(Slug::tenant);
        let own = layers.filter(|(base, _)| base == slug);
        Ok(own.map(|(_, tenant)| tenant).collect())
    }

    fn has(&self, slug: &Slug) -> Result<bool, RegistryError> {
        let sql = "SELECT 'yes' FROM gate.log WHERE slug = $1 LIMIT 1";
        Ok(!self.texts(sql, slug)?.is_empty())
    }

    fn versions(&self, slug: &Slug) -> Result<Vec<VersionFile>, RegistryError> {
        let rows = self.connection.rows(
            "read the registry",
            "SELECT number, form FROM gate.version WHERE slug = $1 ORDER BY number",
            &[&slug.as_str()],
        )?;
        rows.iter().map(|row| self.file(slug, row)).collect()
    }

    fn read(&self, slug: &Slug, file: &VersionFile) -> Result<VersionText, RegistryError> {
        let number = i32::try_from(file.number).unwrap_or(i32::MAX);
        let rows = self.connection.rows(
            "read the registry",
            "SELECT text FROM gate.version WHERE slug = $1 AND number = $2",
            &[&slug.as_str(), &number],
        )?;
        let row = rows.first().ok_or_else(|| RegistryError::FileMissing {
            slug: slug.clone(),
            number: file.number,
        })?;
        Ok(VersionText {
            file: file.clone(),
            text: self.get(row, 0)?,
        })
    }

    fn log_text(&self, slug: &Slug) -> Result<Arc<Source>, RegistryError> {
        let sql = "SELECT line FROM gate.log WHERE slug = $1 ORDER BY seq";
        let lines = self.texts(sql, slug)?;
        let text: String = lines
            .iter()
            .flat_map(|line| [line.as_str(), "\n"])
            .collect();
        Ok(Source::new(self.name_of(slug, "log"), &text))
    }

    fn commit(&self, slug: &Slug, change: &Change) -> Result<Log, RegistryError> {
        let mut log = self.log(slug)?;
        let before = log.entries().len();
        let overtaken = |log: &Log| RegistryError::Overtaken {
            slug: slug.clone(),
            last: log.entries().last().cloned().map(Box::new),
        };
        if log.head() != change.expected {
            return Err(overtaken(&log));
        }
        for draft in &change.drafts {
            log.append(draft.clone());
        }
        let new = log.entries().get(before..).unwrap_or_default();
        let version = change.version.as_slice();
        match self.append(slug, (change.expected, new), version, &change.evidence) {
            Err(RegistryError::OvertakenThere { .. }) => Err(overtaken(&self.log(slug)?)),
            Err(other) => Err(other),
            Ok(()) => Ok(log),
        }
    }

    fn evidence(&self, slug: &Slug) -> Result<BTreeMap<String, Digest>, RegistryError> {
        let rows = self.connection.rows(
            "read the evidence",
            "SELECT DISTINCT ON (path) path, gate.digest(text) FROM gate.evidence WHERE slug = $1 ORDER BY path, id DESC",
            &[&slug.as_str()],
        )?;
        let mut found = BTreeMap::new();
        for row in &rows {
            let digest: String = self.get(row, 1)?;
            if let Ok(digest) = digest.parse() {
                found.insert(self.get(row, 0)?, digest);
            }
        }
        Ok(found)
    }

    fn evidence_text(&self, slug: &Slug, path: &str) -> Result<String, RegistryError> {
        let rows = self.connection.rows(
            "read the evidence",
            "SELECT text FROM gate.evidence WHERE slug = $1 AND path = $2 ORDER BY id DESC LIMIT 1",
            &[&slug.as_str(), &path],
        )?;
        match rows.first() {
            Some(row) => self.get(row, 0),
            None => Err(RegistryError::EvidencePath {
                path: path.to_owned(),
            }),
        }
    }

    fn settings_text(&self, slug: &Slug) -> Result<Option<Arc<Source>>, RegistryError> {
        let found = self.texts("SELECT text FROM gate.settings WHERE slug = $1", slug)?;
        let name = self.name_of(slug, "prompt.yaml");
        Ok(found.first().map(|text| Source::new(name, text)))
    }

    fn signatures(&self, slug: &Slug) -> Result<Arc<Source>, RegistryError> {
        let sql = "SELECT line FROM gate.signature WHERE slug = $1 ORDER BY id";
        let text: String = self.texts(sql, slug)?.concat();
        Ok(Source::new(self.name_of(slug, "signatures"), &text))
    }

    fn add_signatures(&self, slug: &Slug, lines: &str) -> Result<(), RegistryError> {
        let lines: Vec<&str> = lines.split_inclusive('\n').collect();
        self.connection.change(
            "sign the log",
            "SELECT gate.sign($1, $2)",
            &[&slug.as_str(), &lines],
        )
    }

    fn repair_merge(&self, _slug: &Slug, _stamp: Stamp) -> Result<Repaired, RegistryError> {
        // A database has one log, and no branches of it.
        Err(RepairError::NotForked.into())
    }

    fn import(&self, slug: &Slug, whole: &Whole) -> Result<(), RegistryError> {
        let there = self.log(slug)?;
        let new = whole
            .lines_after(&there)
            .ok_or_else(|| RegistryError::OtherHistory {
                slug: slug.clone(),
                location: self.location().to_owned(),
            })?;
        if !new.is_empty() {
            let known = self.evidence(slug)?;
            let is_new = |copy: &&EvidenceCopy| {
                known.get(&copy.path) != Some(&Digest::of_bytes(copy.text.as_bytes()))
            };
            let evidence: Vec<EvidenceCopy> =
                whole.evidence.iter().filter(is_new).cloned().collect();
            self.append(slug, (there.head(), new), &whole.versions, &evidence)?;
        }
        let signed = self.signatures(slug)?;
        let missing: String = whole
            .signatures
            .split_inclusive('\n')
            .filter(|line| !signed.text.contains(line))
            .collect();
        if !missing.is_empty() {
            self.add_signatures(slug, &missing)?;
        }
        let settings = self.settings_text(slug)?;
        if let Some(text) = &whole.settings
            && settings.is_none_or(|known| known.text != *text)
        {
            self.connection.change(
                "set the prompt's settings",
                "SELECT gate.configure($1, $2)",
                &[&slug.as_str(), text],
            )?;
        }
        Ok(())
    }

    fn migrate(&self) -> Result<bool, RegistryError> {
        self.connection.migrate()
    }

    fn look(&self, slug: &Slug, reference: &VersionRef) -> Result<Option<Looked>, RegistryError> {
        let doing = "read the registry";
        let rows = match reference {
            VersionRef::Channel(channel) => {
                let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                    [&slug.as_str(), &channel.as_str()];
                self.connection.rows(doing, BY_CHANNEL, &parameters)?
            }
            VersionRef::Number(number) => {
                let number = i32::try_from(*number).unwrap_or(i32::MAX);
                self.connection
                    .rows(doing, BY_NUMBER, &[&slug.as_str(), &number])?
            }
            VersionRef::Hash(_)
            | VersionRef::Git { .. }
            | VersionRef::Worktree
            | VersionRef::File(_)
            | VersionRef::Run { .. }
            | VersionRef::Langfuse { .. } => return Ok(None),
        };
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let version = VersionText {
            file: self.file(slug, row)?,
            text: self.get(row, 2)?,
        };
        let log: Option<String> = self.get(row, 3)?;
        let log = Source::new(self.name_of(slug, "log"), &log.unwrap_or_default());
        Ok(Some(Looked { version, log }))
    }

    fn live(&self, slug: &Slug) -> Result<Option<BTreeMap<Channel, u32>>, RegistryError> {
        let rows = self.connection.rows(
            "read the registry",
            "SELECT channel, version FROM gate.live WHERE slug = $1",
            &[&slug.as_str()],
        )?;
        let mut found = BTreeMap::new();
        for row in &rows {
            if let Ok(channel) = Channel::new(self.get(row, 0)?) {
                found.insert(channel, self.number(row, 1)?);
            }
        }
        Ok(Some(found))
    }
}
