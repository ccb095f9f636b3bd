//! What a run would send and cost, before it is begun: the numbers of `--dry-run`.

use crate::chat::Price;

/// How long a burst of requests writes the same new prefix before the first write can be read: the
/// time that a provider needs to answer a long question.
pub const REFILL_SECONDS: f64 = 5.0;

/// The requests of one model within a run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// Requests that would be sent.
    pub requests: u64,
    /// Answers that the cache has.
    pub cached: u64,
    /// Tokens of the questions.
    pub input_tokens: f64,
    /// The least tokens of the answers: one each.
    pub least_output: f64,
    /// The most tokens of the answers, where they are limited.
    pub most_output: Option<f64>,
    /// What that costs at least and at most, USD; unknown where the price or the limit is.
    pub cost_usd: Option<(f64, f64)>,
}

impl Estimate {
    /// Adds a request that would be sent.
    /// `input` are the tokens of its question, `most_output` those of its longest answer.
    pub fn add(&mut self, input: f64, most_output: Option<u32>, price: Option<&Price>) {
        let most = most_output.map(f64::from);
        let first = self.requests == 0;
        self.requests += 1;
        self.input_tokens += input;
        self.least_output += 1.0;
        let so_far = if first { Some(0.0) } else { self.most_output };
        self.most_output = so_far.zip(most).map(|(sum, most)| sum + most);
        let cost = price.zip(most).map(|(price, most)| {
            let question = input * price.input / 1e6;
            (
                question + price.output / 1e6,
                question + most * price.output / 1e6,
            )
        });
        let so_far = if first {
            Some((0.0, 0.0))
        } else {
            self.cost_usd
        };
        self.cost_usd = so_far
            .zip(cost)
            .map(|(sum, cost)| (sum.0 + cost.0, sum.1 + cost.1));
    }
}

/// What an edit of a prompt costs in production, where the provider keeps prefixes of prompts in a
/// cache: until the new prefix is written and can be read, every request of [`REFILL_SECONDS`] pays
/// for writing it instead of reading it. With 10,000 requests an hour, a prefix of 100,000 tokens,
/// 12.50 USD for a million tokens written and 1 USD read, that is 16 USD.
#[must_use]
pub fn refill_usd(prefix_tokens: f64, price: &Price, requests_per_hour: f64) -> f64 {
    let written = price.cache_write.unwrap_or(price.input);
    let read = price.cached_input.unwrap_or(price.input);
    let burst = requests_per_hour / 3_600.0 * REFILL_SECONDS;
    burst.max(1.0) * prefix_tokens * (written - read).max(0.0) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_at_ten_thousand_requests_an_hour_costs_sixteen_dollars() {
        let price = Price {
            input: 10.0,
            output: 50.0,
            cached_input: Some(1.0),
            cache_write: Some(12.5),
            ..Price::default()
        };
        let cost = refill_usd(100_000.0, &price, 10_000.0);
        assert!((cost - 15.97).abs() < 0.01, "{cost}");
    }

    #[test]
    fn an_unlimited_answer_or_an_unknown_price_makes_the_cost_unknown() {
        let price = Price {
            input: 1.0,
            output: 2.0,
            ..Price::default()
        };
        let mut estimate = Estimate::default();
        estimate.add(100.0, Some(50), Some(&price));
        assert_eq!(estimate.cost_usd, Some((102.0 / 1e6, 200.0 / 1e6)));
        estimate.add(100.0, None, Some(&price));
        assert_eq!((estimate.cost_usd, estimate.most_output), (None, None));
        estimate.add(100.0, Some(50), Some(&price));
        assert_eq!((estimate.cost_usd, estimate.requests), (None, 3));
    }
}
