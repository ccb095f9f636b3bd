//! Whether a failed attempt is made again, and when: a function of what failed, how often, and a
//! random number, by the policy of reliability-security.md.

use std::time::Duration;

use crate::chat::ErrorClass;
use crate::provider::CallError;

/// The longest delay that a server may ask for; beyond it the provider is given up.
pub const LONGEST_WAIT: Duration = Duration::from_mins(2);
const LADDER_STEP: Duration = Duration::from_millis(500);
const LADDER_TOP: Duration = Duration::from_mins(1);
const PUSH_BACK_STEP: Duration = Duration::from_secs(2);
const PUSH_BACK_TOP: Duration = Duration::from_secs(32);
const PUSH_BACK_RETRIES: u32 = 20;

/// How often the attempts of one call have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// By the server's push-back.
    pub push_backs: u32,
    /// By faults that are tried once more at most.
    pub once: u32,
    /// By all other faults.
    pub others: u32,
}

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again after a delay.
    After(Duration),
    /// Try again; the pause of the whole provider, which lasts so long, paces the attempt.
    Paced(Duration),
    /// No more attempts of this call.
    Never,
    /// The server asks for a wait that is too long: give up the provider.
    TooLong(Duration),
}

/// Whether a class says that the server has too much to do.
#[must_use]
pub fn is_push_back(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::RateLimit | ErrorClass::Overloaded)
}

/// Decides about a failed attempt. `failures` counts this one too; `retries` is the user's limit
/// for ordinary faults; `unit` is a random number in [0, 1).
#[must_use]
pub fn decide(error: &CallError, failures: Failures, retries: u32, unit: f64) -> Retry {
    if error.retry_after.is_some_and(|wait| wait > LONGEST_WAIT) {
        return Retry::TooLong(error.retry_after.unwrap_or_default());
    }
    let (allowed, made) = match error.class {
        ErrorClass::RateLimit | ErrorClass::Overloaded => (PUSH_BACK_RETRIES, failures.push_backs),
        ErrorClass::Server | ErrorClass::Conflict | ErrorClass::Connect => {
            (retries, failures.others)
        }
        ErrorClass::Timeout | ErrorClass::BadBody | ErrorClass::Dns | ErrorClass::Empty => {
            (retries.min(1), failures.once)
        }
        ErrorClass::Auth
        | ErrorClass::Quota
        | ErrorClass::Tls
        | ErrorClass::ContextLength
        | ErrorClass::RequestTooLarge
        | ErrorClass::FilteredInput
        | ErrorClass::ModelMissing
        | ErrorClass::BadRequest
        | ErrorClass::ReplyTooLarge
        | ErrorClass::UnknownFinish
        | ErrorClass::Judge
        | ErrorClass::Internal
        | ErrorClass::NoRecording => (
            u32::from(error.should_retry == Some(true)).min(retries),
            failures.others,
        ),
    };
    if error.should_retry == Some(false) || made > allowed {
        return Retry::Never;
    }
    let wait = delay(error, made, unit);
    if is_push_back(error.class) {
        Retry::Paced(wait)
    } else {
        Retry::After(wait)
    }
}

/// The server's own delay with up to a quarter added, else a random part of a growing ladder (full
/// jitter); push-backs without a delay climb 2, 4, 8, 16, 32, 32, … seconds, since token windows
/// last a minute.
fn delay(error: &CallError, made: u32, unit: f64) -> Duration {
    if let Some(wait) = error.retry_after {
        return wait + wait.mul_f64(0.25 * unit);
    }
    let doubled = |step: Duration| {
        step.saturating_mul(1u32.checked_shl(made.saturating_sub(1)).unwrap_or(u32::MAX))
    };
    if is_push_back(error.class) {
        return doubled(PUSH_BACK_STEP).min(PUSH_BACK_TOP);
    }
    doubled(LADDER_STEP).min(LADDER_TOP).mul_f64(unit)
}

/// Counts a failure under its kind.
pub fn count(failures: &mut Failures, class: ErrorClass) {
    let tried_once = [
        ErrorClass::Timeout,
        ErrorClass::BadBody,
        ErrorClass::Dns,
        ErrorClass::Empty,
    ];
    if is_push_back(class) {
        failures.push_backs += 1;
    } else if tried_once.contains(&class) {
        failures.once += 1;
    } else {
        failures.others += 1;
    }
}

/// The bucket that keeps retries a small share of requests: a fifth of them, and ten besides.
#[derive(Debug, Clone, Copy)]
pub struct RetryBudget {
    tokens: f64,
}

impl RetryBudget {
    /// A full bucket.
    #[must_use]
    pub fn new() -> Self {
        Self { tokens: 10.0 }
    }

    /// Notes a first attempt.
    pub fn request(&mut self) {
        self.tokens += 0.2;
    }

    /// Whether a retry may be made; it then counts. Push-backs do not draw on the bucket.
    pub fn take(&mut self, class: ErrorClass) -> bool {
        if is_push_back(class) {
            return true;
        }
        let allowed = self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass, retry_after: Option<f64>) -> CallError {
        CallError {
            retry_after: retry_after.map(Duration::from_secs_f64),
            ..CallError::new(class, "x")
        }
    }

    fn after(class: ErrorClass, made: u32, retry_after: Option<f64>, unit: f64) -> Retry {
        let failures = Failures {
            push_backs: made,
            once: made,
            others: made,
        };
        decide(&error(class, retry_after), failures, 4, unit)
    }

    #[test]
    fn retries_each_class_as_often_as_the_policy_says() {
        let last = |class| {
            (1..50)
                .take_while(|made| !matches!(after(class, *made, None, 0.5), Retry::Never))
                .count()
        };
        assert_eq!(last(ErrorClass::Server), 4);
        assert_eq!(last(ErrorClass::Connect), 4);
        assert_eq!(last(ErrorClass::Timeout), 1);
        assert_eq!(last(ErrorClass::BadBody), 1);
        assert_eq!(last(ErrorClass::RateLimit), 20);
        assert_eq!(last(ErrorClass::Overloaded), 20);
        for class in [
            ErrorClass::Auth,
            ErrorClass::Quota,
            ErrorClass::Tls,
            ErrorClass::BadRequest,
            ErrorClass::UnknownFinish,
            ErrorClass::NoRecording,
        ] {
            assert_eq!(last(class), 0, "{class:?}");
        }
    }

    #[test]
    fn the_servers_delay_wins_and_gets_up_to_a_quarter_more() {
        assert_eq!(
            after(ErrorClass::Server, 1, Some(2.0), 0.0),
            Retry::After(Duration::from_secs(2))
        );
        assert_eq!(
            after(ErrorClass::RateLimit, 1, Some(2.0), 1.0),
            Retry::Paced(Duration::from_millis(2_500))
        );
        assert_eq!(
            after(ErrorClass::RateLimit, 1, Some(121.0), 0.5),
            Retry::TooLong(Duration::from_secs(121))
        );
    }

    #[test]
    fn ladders_grow_and_end() {
        assert_eq!(
            after(ErrorClass::Server, 1, None, 1.0),
            Retry::After(Duration::from_millis(500))
        );
        assert_eq!(
            after(ErrorClass::Server, 3, None, 1.0),
            Retry::After(Duration::from_secs(2))
        );
        assert_eq!(
            after(ErrorClass::Server, 3, None, 0.0),
            Retry::After(Duration::ZERO)
        );
        let waits: Vec<Retry> = (1..=6)
            .map(|made| after(ErrorClass::Overloaded, made, None, 0.3))
            .collect();
        let seconds = [2, 4, 8, 16, 32, 32].map(|s| Retry::Paced(Duration::from_secs(s)));
        assert_eq!(waits, seconds);
    }

    #[test]
    fn the_servers_word_on_retrying_overrides_the_class() {
        let mut fatal = error(ErrorClass::Server, None);
        fatal.should_retry = Some(false);
        assert_eq!(
            decide(
                &fatal,
                Failures {
                    others: 1,
                    ..Failures::default()
                },
                4,
                0.5
            ),
            Retry::Never
        );
        let mut soft = error(ErrorClass::BadRequest, None);
        soft.should_retry = Some(true);
        assert!(matches!(
            decide(
                &soft,
                Failures {
                    others: 1,
                    ..Failures::default()
                },
                4,
                0.5
            ),
            Retry::After(_)
        ));
    }

    #[test]
    fn the_budget_allows_a_fifth_and_ten() {
        let mut budget = RetryBudget::new();
        for _ in 0..100 {
            budget.request();
        }
        let allowed = (0..100).filter(|_| budget.take(ErrorClass::Server)).count();
        assert!((29..=30).contains(&allowed), "{allowed}");
        assert!(budget.take(ErrorClass::RateLimit));
    }
}
