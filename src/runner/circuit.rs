//! When a provider is given up: at once for faults that no retry can mend, else after ten failures
//! in a row of one class, or thirty of any, without a success between.

use std::time::Duration;

use crate::chat::ErrorClass;
use crate::provider::CallError;
use crate::record::Skip;

/// Why a run is stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// How the trials that are left are recorded.
    pub skip: Skip,
    /// One word, as in reliability-security.md.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
}

const IN_A_ROW: u32 = 10;
/// A server that fails in several ways by turns is as dead as one that fails in one.
const IN_A_ROW_OF_ANY: u32 = 30;

/// The failures in a row of one endpoint.
#[derive(Debug, Clone, Default)]
pub struct Circuit {
    row: Option<(ErrorClass, u32)>,
    of_any: u32,
    paused_until: Duration,
    answered: bool,
}

impl Circuit {
    /// Notes an answer.
    pub fn success(&mut self) {
        self.row = None;
        self.of_any = 0;
        self.answered = true;
    }

    /// Notes a failure, and says whether the run is to be stopped. Push-backs during one pause count
    /// once: `pause_ends` is when the pause of this one ends.
    pub fn failure(
        &mut self,
        error: &CallError,
        now: Duration,
        pause_ends: Option<Duration>,
    ) -> Option<Stop> {
        if let Some(stop) = fatal(error) {
            return Some(stop);
        }
        let class = error.class;
        if let Some(end) = pause_ends {
            if now < self.paused_until {
                return None;
            }
            self.paused_until = end;
        }
        if !counts(class) {
            return None;
        }
        let kind = match class {
            ErrorClass::Overloaded => ErrorClass::RateLimit,
            other => other,
        };
        let count = match self.row {
            Some((last, count)) if last == kind => count + 1,
            _ => 1,
        };
        self.row = Some((kind, count));
        // A fault of single cases stops the run only when nothing has ever been answered.
        if self.answered && is_of_the_request(class) {
            return None;
        }
        self.of_any += 1;
        let in_a_row = count.max(self.of_any);
        let stops = count >= IN_A_ROW || self.of_any >= IN_A_ROW_OF_ANY;
        stops.then(|| Stop {
            skip: Skip::Infra,
            reason: reason(class),
            message: format!(
                "{in_a_row} attempts in a row failed with no answer between: {}",
                error.message
            ),
        })
    }
}

/// Faults that no further attempt of any trial can mend.
pub(super) fn fatal(error: &CallError) -> Option<Stop> {
    let what = match error.class {
        ErrorClass::Auth => "the provider refuses the key",
        ErrorClass::Quota => "the account has no quota left",
        ErrorClass::ModelMissing => "the provider has no such model",
        ErrorClass::Tls => "nothing can be sent",
        _ => return None,
    };
    let message = format!("{what}: {}", error.message);
    Some(Stop {
        skip: Skip::Infra,
        reason: reason(error.class),
        message,
    })
}

fn counts(class: ErrorClass) -> bool {
    !matches!(
        class,
        ErrorClass::NoRecording
            | ErrorClass::Judge
            | ErrorClass::Internal
            | ErrorClass::FilteredInput
    )
}

fn is_of_the_request(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::BadRequest | ErrorClass::ContextLength | ErrorClass::RequestTooLarge
    )
}

pub(super) fn reason(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Auth => "auth",
        ErrorClass::Quota => "quota",
        ErrorClass::ModelMissing => "model_missing",
        ErrorClass::Tls => "tls",
        ErrorClass::Dns => "dns",
        ErrorClass::BadRequest | ErrorClass::ContextLength | ErrorClass::RequestTooLarge => {
            "bad_request"
        }
        ErrorClass::RateLimit
        | ErrorClass::Overloaded
        | ErrorClass::Server
        | ErrorClass::Timeout
        | ErrorClass::Conflict
        | ErrorClass::Connect
        | ErrorClass::FilteredInput
        | ErrorClass::BadBody
        | ErrorClass::ReplyTooLarge
        | ErrorClass::Empty
        | ErrorClass::UnknownFinish
        | ErrorClass::Judge
        | ErrorClass::Internal
        | ErrorClass::NoRecording => "provider_down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass) -> CallError {
        CallError::new(class, "x")
    }

    #[test]
    fn ten_failures_in_a_row_of_one_class_stop_the_run() {
        let mut circuit = Circuit::default();
        for _ in 0..9 {
            assert_eq!(
                circuit.failure(&error(ErrorClass::Connect), Duration::ZERO, None),
                None
            );
        }
        let stop = circuit.failure(&error(ErrorClass::Connect), Duration::ZERO, None);
        assert_eq!(stop.map(|stop| stop.reason), Some("provider_down"));
    }

    #[test]
    fn a_success_begins_the_count_again_and_another_class_does_not_for_ever() {
        let mut circuit = Circuit::default();
        let mut fails = |round: u32| {
            let class = if round.is_multiple_of(2) {
                ErrorClass::Server
            } else {
                ErrorClass::Timeout
            };
            circuit.failure(&error(class), Duration::ZERO, None)
        };
        for round in 0..29 {
            assert_eq!(fails(round), None);
        }
        let stop = fails(29).unwrap();
        assert!(stop.message.starts_with("30 attempts"), "{}", stop.message);
        let mut circuit = Circuit::default();
        for _ in 0..9 {
            assert_eq!(
                circuit.failure(&error(ErrorClass::Server), Duration::ZERO, None),
                None
            );
        }
        circuit.success();
        assert_eq!(
            circuit.failure(&error(ErrorClass::Server), Duration::ZERO, None),
            None
        );
    }

    #[test]
    fn a_bad_key_stops_at_once_and_a_bad_request_only_when_nothing_was_answered() {
        let mut circuit = Circuit::default();
        let stop = circuit.failure(&error(ErrorClass::Auth), Duration::ZERO, None);
        assert_eq!(stop.map(|stop| stop.reason), Some("auth"));
        circuit.success();
        for _ in 0..30 {
            assert_eq!(
                circuit.failure(&error(ErrorClass::BadRequest), Duration::ZERO, None),
                None
            );
        }
    }

    #[test]
    fn push_backs_of_both_classes_are_one_row() {
        let mut circuit = Circuit::default();
        let classes = [ErrorClass::RateLimit, ErrorClass::Overloaded];
        let fails = |(second, class): (u64, &ErrorClass)| {
            let now = Duration::from_secs(second);
            circuit.failure(&error(*class), now, Some(now))
        };
        let stops = (0..10).zip(classes.iter().cycle()).map(fails);
        assert_eq!(stops.flatten().count(), 1);
    }

    #[test]
    fn push_backs_of_one_pause_count_once() {
        let mut circuit = Circuit::default();
        let end = Duration::from_secs(5);
        for millis in 0..100 {
            let now = Duration::from_millis(millis);
            assert_eq!(
                circuit.failure(&error(ErrorClass::RateLimit), now, Some(end)),
                None
            );
        }
    }
}
