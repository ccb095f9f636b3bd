//! Money: what a request can cost at most is set aside before it is sent, and settled by what it did
//! cost. What is spent and set aside together never passes the budget.

use crate::chat::{Price, Request, Tokenizer};

/// The money of one command.
#[expect(
    clippy::struct_field_names,
    reason = "the unit belongs to the name of an amount"
)]
#[derive(Debug, Clone, Default)]
pub struct Budget {
    limit_usd: Option<f64>,
    spent_usd: f64,
    reserved_usd: f64,
    unconfirmed_usd: f64,
}

/// Money set aside for one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reservation(f64);

impl Budget {
    /// A budget of so many USD, or one without a limit.
    #[must_use]
    pub fn new(limit_usd: Option<f64>) -> Self {
        Self {
            limit_usd,
            ..Self::default()
        }
    }

    /// The limit.
    #[must_use]
    pub fn limit_usd(&self) -> Option<f64> {
        self.limit_usd
    }

    /// What was paid, lost replies at their reservation included.
    #[must_use]
    pub fn spent_usd(&self) -> f64 {
        self.spent_usd
    }

    /// What of it was charged for replies that never came.
    #[must_use]
    pub fn unconfirmed_usd(&self) -> f64 {
        self.unconfirmed_usd
    }

    /// Sets money aside for a request that costs at most so much; `None` when there is not enough.
    pub fn reserve(&mut self, worst_usd: f64) -> Option<Reservation> {
        let worst_usd = worst_usd.max(0.0);
        let total = self.spent_usd + self.reserved_usd + worst_usd;
        if self.limit_usd.is_some_and(|limit| total > limit) {
            return None;
        }
        self.reserved_usd += worst_usd;
        Some(Reservation(worst_usd))
    }

    /// Settles a request that was answered; of an unknown cost the whole reservation is taken.
    pub fn settle(&mut self, reservation: Reservation, cost_usd: Option<f64>) {
        self.release(reservation);
        self.spent_usd += cost_usd.unwrap_or(reservation.0);
    }

    /// Settles a request whose reply was lost: it may have been billed, so the reservation is spent.
    pub fn lose(&mut self, reservation: Reservation) {
        self.release(reservation);
        self.spent_usd += reservation.0;
        self.unconfirmed_usd += reservation.0;
    }

    /// Gives back what a request that cost nothing had set aside.
    pub fn release(&mut self, reservation: Reservation) {
        self.reserved_usd = (self.reserved_usd - reservation.0).max(0.0);
    }
}

/// The output tokens assumed at most where neither prompt nor price table limits them.
pub const ASSUMED_OUTPUT: u32 = 16_384;

/// What a request can cost at most: what its question can have of tokens, and the longest answer
/// allowed. Without the model's vocabulary every byte counts as a token: no tokenizer makes more.
#[must_use]
pub fn worst_usd(
    request: &Request,
    tokenizer: &Tokenizer,
    price: &Price,
    most_output: Option<u32>,
) -> f64 {
    const PER_MESSAGE: f64 = 16.0;
    let most_tokens = |text: &str| {
        if tokenizer.counts() {
            tokenizer.text_tokens(text)
        } else {
            text.len() as f64
        }
    };
    let messages: f64 = request
        .messages
        .iter()
        .map(|message| most_tokens(&message.content) + PER_MESSAGE)
        .sum();
    // How a vendor writes tools out for its model is not published.
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| tool.to_string().len())
        .sum();
    let output = request
        .params
        .max_tokens
        .or(most_output)
        .unwrap_or(ASSUMED_OUTPUT);
    let dearest_input = [
        Some(price.input),
        price.cache_write,
        price.long_context.map(|long| long.input),
    ];
    let input_price = dearest_input.into_iter().flatten().fold(0.0, f64::max);
    let output_price = price
        .long_context
        .map_or(price.output, |long| long.output.max(price.output));
    ((messages + tools as f64) * input_price + f64::from(output) * output_price) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, Params, ProviderKind, Role};

    #[test]
    fn never_sets_aside_more_than_the_limit() {
        let mut budget = Budget::new(Some(1.0));
        let first = budget.reserve(0.6).unwrap();
        assert_eq!(budget.reserve(0.6), None);
        budget.settle(first, Some(0.1));
        let second = budget.reserve(0.6).unwrap();
        budget.lose(second);
        assert!((budget.spent_usd() - 0.7).abs() < 1e-12);
        assert!((budget.unconfirmed_usd() - 0.6).abs() < 1e-12);
        assert_eq!(budget.reserve(0.31), None);
        let third = budget.reserve(0.3).unwrap();
        budget.release(third);
        assert!((budget.spent_usd() - 0.7).abs() < 1e-12);
    }

    #[test]
    fn an_unknown_cost_takes_the_reservation() {
        let mut budget = Budget::new(None);
        let reservation = budget.reserve(0.5).unwrap();
        budget.settle(reservation, None);
        assert!((budget.spent_usd() - 0.5).abs() < 1e-12);
    }

    proptest::proptest! {
        #[test]
        fn spent_never_passes_the_limit(steps in proptest::collection::vec((0.0f64..0.5, 0.0f64..1.0, 0u8..3), 0..60)) {
            let mut budget = Budget::new(Some(2.0));
            for (worst, share, end) in steps {
                let Some(reservation) = budget.reserve(worst) else { continue };
                match end {
                    0 => budget.settle(reservation, Some(worst * share)),
                    1 => budget.lose(reservation),
                    _ => budget.release(reservation),
                }
                proptest::prop_assert!(budget.spent_usd() <= 2.0 + 1e-9);
            }
        }
    }

    #[test]
    fn the_worst_case_covers_every_byte_and_the_longest_answer() {
        let request = Request {
            messages: vec![Message::new(Role::User, "x".repeat(984))],
            params: Params {
                max_tokens: Some(100),
                ..Params::default()
            },
            tools: Vec::new(),
            response_format: None,
        };
        let price = Price {
            input: 2.0,
            output: 10.0,
            cache_write: Some(3.0),
            ..Price::default()
        };
        let unknown = Tokenizer::of_model(ProviderKind::Anthropic, "m");
        let worst = worst_usd(&request, &unknown, &price, None);
        assert!(
            (worst - (1_000.0 * 3.0 + 100.0 * 10.0) / 1e6).abs() < 1e-12,
            "{worst}"
        );
    }
}
