//! What calls cost. Prices are USD per million tokens; an unknown price stays unknown, never 0.

use serde::Deserialize;

use super::{ProviderKind, Usage};

/// The prices of a model, USD per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
pub struct Price {
    /// Tokens of the question.
    pub input: f64,
    /// Tokens of the answer, reasoning included.
    pub output: f64,
    /// Tokens read from the provider's prompt cache; default: as `input`.
    #[serde(default)]
    pub cached_input: Option<f64>,
    /// Tokens written to the provider's prompt cache; default: as `input`.
    #[serde(default)]
    pub cache_write: Option<f64>,
    /// Tokens of the question in a batch.
    #[serde(default)]
    pub batch_input: Option<f64>,
    /// Tokens of the answer in a batch.
    #[serde(default)]
    pub batch_output: Option<f64>,
    /// The rates of a whole request whose question is long.
    #[serde(default)]
    pub long_context: Option<LongContext>,
}

/// Rates that replace the base rates for the whole request when its question is long.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct LongContext {
    /// The rates hold above so many tokens of the question.
    pub above_input_tokens: u64,
    /// Tokens of the question.
    pub input: f64,
    /// Tokens of the answer.
    pub output: f64,
    /// Tokens read from the cache.
    #[serde(default)]
    pub cached_input: Option<f64>,
    /// Tokens written to the cache.
    #[serde(default)]
    pub cache_write: Option<f64>,
}

impl Price {
    /// The prices of the same calls in a batch; unknown unless both its rates are. What the cache and
    /// long questions cost falls with the price of the question: vendors' discounts stack.
    #[must_use]
    pub fn in_batch(&self) -> Option<Self> {
        let (input, output) = (self.batch_input?, self.batch_output?);
        let scale = |rate: f64, whole: f64, batch: f64| {
            if whole > 0.0 {
                rate * batch / whole
            } else {
                0.0
            }
        };
        let question = |rate: f64| scale(rate, self.input, input);
        Some(Self {
            input,
            output,
            cached_input: self.cached_input.map(question),
            cache_write: self.cache_write.map(question),
            long_context: self.long_context.map(|long| LongContext {
                above_input_tokens: long.above_input_tokens,
                input: question(long.input),
                output: scale(long.output, self.output, output),
                cached_input: long.cached_input.map(question),
                cache_write: long.cache_write.map(question),
            }),
            ..*self
        })
    }

    /// The cost of one call in USD; unknown where a needed token count is.
    #[must_use]
    pub fn cost_usd(&self, usage: &Usage) -> Option<f64> {
        let (input, output) = (usage.input_tokens?, usage.output_tokens?);
        let long = self
            .long_context
            .filter(|long| input > long.above_input_tokens);
        let base = long.map_or(self.input, |long| long.input);
        let out = long.map_or(self.output, |long| long.output);
        let cached_rate = long
            .map_or(self.cached_input, |long| long.cached_input)
            .unwrap_or(base);
        let write_rate = long
            .map_or(self.cache_write, |long| long.cache_write)
            .unwrap_or(base);
        let cached = usage.cached_input_tokens.unwrap_or(0).min(input);
        let written = usage.cache_write_tokens.unwrap_or(0).min(input - cached);
        let fresh = input - cached - written;
        let dollars = tokens(fresh) * base
            + tokens(cached) * cached_rate
            + tokens(written) * write_rate
            + tokens(output) * out;
        Some(dollars / 1e6)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "token counts are far below 2^53"
)]
fn tokens(count: u64) -> f64 {
    count as f64
}

/// The table of list prices that ships with the program.
#[derive(Debug, Clone, Default)]
pub struct PriceTable {
    /// The day on which the prices were taken, `YYYY-MM-DD`.
    pub taken: String,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Deserialize)]
struct Row {
    model: String,
    provider: String,
    input: Option<f64>,
    output: Option<f64>,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
    batch_input: Option<f64>,
    batch_output: Option<f64>,
    long_context: Option<LongContext>,
    max_output_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct TableFile {
    #[serde(rename = "_taken")]
    taken: String,
    models: Vec<Row>,
}

impl PriceTable {
    /// The table inside the program.
    #[must_use]
    pub fn builtin() -> Self {
        // The file is part of the program, and a test reads it.
        Self::from_json(include_str!("model_prices.json")).unwrap_or_default()
    }

    fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let file: TableFile = serde_json::from_str(text)?;
        Ok(Self {
            taken: file.taken,
            rows: file.models,
        })
    }

    fn row(&self, provider: ProviderKind, model: &str) -> Option<&Row> {
        let vendor = match provider {
            ProviderKind::OpenAi | ProviderKind::OpenAiResponses => "openai",
            ProviderKind::AzureOpenAi => "azure",
            other => other.as_str(),
        };
        let of_vendor = |row: &&Row| row.provider == vendor && row.model == model;
        self.rows.iter().find(of_vendor).or_else(|| {
            let azure = provider == ProviderKind::AzureOpenAi;
            self.rows
                .iter()
                .find(|row| azure && row.provider == "openai" && row.model == model)
        })
    }

    /// The list price of a model; unknown unless the table has both its rates.
    #[must_use]
    pub fn price(&self, provider: ProviderKind, model: &str) -> Option<Price> {
        let row = self.row(provider, model)?;
        Some(Price {
            input: row.input?,
            output: row.output?,
            cached_input: row.cached_input,
            cache_write: row.cache_write,
            batch_input: row.batch_input,
            batch_output: row.batch_output,
            long_context: row.long_context,
        })
    }

    /// The most tokens that a model can answer with, where the table knows it.
    #[must_use]
    pub fn max_output_tokens(&self, provider: ProviderKind, model: &str) -> Option<u32> {
        self.row(provider, model)?.max_output_tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_table_that_ships() {
        let file = PriceTable::from_json(include_str!("model_prices.json")).unwrap();
        assert!(!file.rows.is_empty() && file.taken.len() == 10);
        assert!(file.price(ProviderKind::OpenAi, "gpt-6-sol").is_some());
        assert_eq!(file.price(ProviderKind::OpenAi, "no-such-model"), None);
    }

    #[test]
    fn prices_cached_written_and_long_questions() {
        let long = LongContext {
            above_input_tokens: 1_000,
            input: 20.0,
            output: 75.0,
            cached_input: Some(2.0),
            cache_write: None,
        };
        let price = Price {
            input: 10.0,
            output: 50.0,
            cached_input: Some(1.0),
            cache_write: Some(12.5),
            long_context: Some(long),
            ..Price::default()
        };
        let usage = Usage {
            input_tokens: Some(1_000),
            cached_input_tokens: Some(400),
            cache_write_tokens: Some(100),
            output_tokens: Some(10),
            reasoning_tokens: None,
        };
        let expected = (500.0 * 10.0 + 400.0 * 1.0 + 100.0 * 12.5 + 10.0 * 50.0) / 1e6;
        assert!((price.cost_usd(&usage).unwrap() - expected).abs() < 1e-15);
        let long_usage = Usage {
            input_tokens: Some(1_001),
            output_tokens: Some(10),
            ..Usage::default()
        };
        let expected = (1_001.0 * 20.0 + 10.0 * 75.0) / 1e6;
        assert!((price.cost_usd(&long_usage).unwrap() - expected).abs() < 1e-15);
    }

    #[test]
    fn a_batch_halves_every_rate_where_both_of_its_own_are_known() {
        let price = Price {
            input: 10.0,
            output: 50.0,
            cached_input: Some(1.0),
            cache_write: Some(12.5),
            batch_input: Some(5.0),
            batch_output: Some(25.0),
            ..Price::default()
        };
        let usage = Usage {
            input_tokens: Some(1_000),
            cached_input_tokens: Some(400),
            cache_write_tokens: Some(100),
            output_tokens: Some(10),
            reasoning_tokens: None,
        };
        let (whole, half) = (price.cost_usd(&usage), price.in_batch());
        let half = half.and_then(|half| half.cost_usd(&usage));
        assert!((whole.unwrap() - 2.0 * half.unwrap()).abs() < 1e-15);
        let unknown = Price {
            batch_output: None,
            ..price
        };
        assert_eq!(unknown.in_batch(), None);
    }

    #[test]
    fn an_unreported_count_makes_the_cost_unknown() {
        let price = Price {
            input: 1.0,
            output: 1.0,
            ..Price::default()
        };
        assert_eq!(
            price.cost_usd(&Usage {
                input_tokens: Some(5),
                ..Usage::default()
            }),
            None
        );
    }
}
