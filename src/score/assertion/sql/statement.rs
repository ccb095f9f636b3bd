//! The declared form of `is-sql` and `contains-sql`, and the reading of the statements.

use sqlparser::ast::Statement;
use sqlparser::dialect::{Dialect, dialect_from_str};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::super::super::answer::{Finding, quote};
use super::super::super::error::Fault;
use super::super::super::form::Form;
use super::super::super::spec::Kind;
use super::super::super::template::Operand;
use super::super::{Assertion, Input};
use super::allowed;
use crate::base::text;

/// A long chain of operators is a deep tree, which nothing but its size bounds.
const MOST_TOKENS: usize = 3_000;
const MOST_BYTES: usize = 50_000;

const DIALECTS: &[(&str, &str)] = &[
    ("generic", "generic"),
    ("ansi", "ansi"),
    ("bigquery", "bigquery"),
    ("clickhouse", "clickhouse"),
    ("databricks", "databricks"),
    ("duckdb", "duckdb"),
    ("hive", "hive"),
    ("mssql", "mssql"),
    ("mysql", "mysql"),
    ("oracle", "oracle"),
    ("postgresql", "postgresql"),
    ("redshift", "redshift"),
    ("snowflake", "snowflake"),
    ("spark", "spark"),
    ("sqlite", "sqlite"),
    ("teradata", "teradata"),
];

/// SQL that the answer must be or hold.
#[derive(Debug, Clone)]
pub struct Sql {
    extent: Extent,
    dialect: &'static str,
    tables: Option<Operand>,
    columns: Option<Operand>,
}

#[derive(Debug, Clone, Copy)]
enum Extent {
    Whole,
    Within,
}

pub(super) fn decode_whole(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    decode(form, Extent::Whole)
}

pub(super) fn decode_within(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    decode(form, Extent::Within)
}

fn decode(form: &mut Form<'_, '_, '_>, extent: Extent) -> Option<Kind> {
    let dialect = match form.get("dialect") {
        None => Some("generic"),
        Some(_) => form.word("dialect", DIALECTS),
    };
    let mut names = |key| match form.get(key) {
        None => Some(None),
        Some(_) => form.texts(key).map(Some),
    };
    let (tables, columns) = (names("tables"), names("columns"));
    Some(Kind::Assertion(Assertion::Sql(Sql {
        extent,
        dialect: dialect?,
        tables: tables?,
        columns: columns?,
    })))
}

impl Sql {
    pub(in super::super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let names = |operand: &Option<Operand>| -> Result<Option<Vec<String>>, Fault> {
            let Some(operand) = operand else {
                return Ok(None);
            };
            let texts = operand.texts(input.context.case)?;
            Ok(Some(texts.iter().map(|text| text.to_lowercase()).collect()))
        };
        let (tables, columns) = (names(&self.tables)?, names(&self.columns)?);
        let found = match self.extent {
            Extent::Whole => self.read(input.text)?,
            Extent::Within => self.search(input.text)?,
        };
        let statements = match found {
            Ok(statements) => statements,
            Err(why) => {
                let answer = quote(input.text);
                let reason = match self.extent {
                    Extent::Whole => format!("{answer} is not SQL: {why}"),
                    Extent::Within => format!("no SQL in {answer}: {why}"),
                };
                return Ok(Finding::binary(false, reason));
            }
        };
        let refused = allowed::refused(&statements, tables.as_deref(), columns.as_deref());
        Ok(match refused {
            Some(reason) => Finding::binary(false, reason),
            None => Finding::binary(
                true,
                format!(
                    "the SQL is {} of {}",
                    text::count(statements.len(), "statement"),
                    self.dialect
                ),
            ),
        })
    }

    /// The statements of a text, or why it is not SQL.
    fn read(&self, text: &str) -> Result<Result<Vec<Statement>, String>, Fault> {
        let limit = || Fault::Limit("the SQL is too long".to_owned());
        if text.len() > MOST_BYTES {
            return Err(limit());
        }
        let dialect: Box<dyn Dialect> = dialect_from_str(self.dialect)
            .ok_or_else(|| Fault::Limit("the dialect is not known".to_owned()))?;
        let wrong = |message: String| {
            let message = text::visible_line(text::byte_prefix(&message, 400));
            text::shorten(&message, 120).into_owned()
        };
        let tokens = match Tokenizer::new(&*dialect, text).tokenize_with_location() {
            Ok(tokens) => tokens,
            Err(error) => return Ok(Err(wrong(error.to_string()))),
        };
        let is_word = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_));
        if tokens.iter().filter(is_word).count() > MOST_TOKENS {
            return Err(limit());
        }
        let mut parser = Parser::new(&*dialect).with_tokens_with_locations(tokens);
        Ok(match parser.parse_statements() {
            Ok(statements) if statements.is_empty() => Err("it has no statement".to_owned()),
            Ok(statements) => Ok(statements),
            Err(error) => Err(wrong(error.to_string())),
        })
    }

    /// The statements of the first fenced block that is SQL, or of the whole text.
    fn search(&self, text: &str) -> Result<Result<Vec<Statement>, String>, Fault> {
        const MOST_BLOCKS: usize = 20;
        for block in text.split("```").skip(1).step_by(2).take(MOST_BLOCKS) {
            let (word, inner) = block.split_once('\n').unwrap_or(("", block));
            let inner = match word.trim() {
                "" => inner,
                word if word.eq_ignore_ascii_case("sql") => inner,
                _ => continue,
            };
            if let Ok(statements) = self.read(inner)? {
                return Ok(Ok(statements));
            }
        }
        self.read(text)
    }
}
