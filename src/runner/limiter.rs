//! How fast one (provider, model, key) is asked: a pure state machine over time as a value.
//!
//! It begins with few requests in flight and doubles them with every full window of successes, up
//! to the ceiling. The first push-back (429, 529) ends that: from then on sends are paced by a
//! learned rate, and concurrency stays as the ceiling alone. A push-back also holds back every
//! send until the time that the server named.

use std::collections::VecDeque;
use std::time::Duration;

/// A point in time since the run began.
pub type Moment = Duration;

/// The numbers of the policy in reliability-security.md.
const START_WINDOW: u32 = 8;
const RATE_MEMORY: Duration = Duration::from_secs(5);
const BACK_OFF: f64 = 0.8;
const GROWTH_PER_SECOND: f64 = 0.5;
const GROWTH_SHARE: f64 = 0.01;

/// Whether a request may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes; it counts as in flight.
    Go,
    /// Not before so long from now.
    Wait(Duration),
    /// Not before another request ends.
    Full,
}

/// What the limiter is doing, for the progress display.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimiterStatus {
    /// Requests in flight.
    pub in_flight: u32,
    /// The pause still to wait for, where a push-back asked for one.
    pub pause: Option<Duration>,
    /// The learned rate in requests a second, where there is one.
    pub rate: Option<f64>,
}

/// The state for one (provider, model, key).
#[derive(Debug, Clone)]
pub struct Limiter {
    ceiling: u32,
    window: u32,
    successes: u32,
    in_flight: u32,
    not_before: Moment,
    admitted: VecDeque<Moment>,
    answered: VecDeque<Moment>,
    pace: Option<Pace>,
    cap_per_second: Option<f64>,
    tokens: Option<Tokens>,
}

/// The allowance of tokens a minute: a request goes while there is credit, and draws what it needs.
#[derive(Debug, Clone, Copy)]
struct Tokens {
    per_second: f64,
    credit: f64,
    at: Moment,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    per_second: f64,
    credit: f64,
    at: Moment,
}

impl Limiter {
    /// A limiter with at most `ceiling` requests in flight and, where given, at most so many
    /// requests and tokens a minute.
    #[must_use]
    pub fn new(ceiling: u32, per_minute: Option<f64>, tokens_per_minute: Option<f64>) -> Self {
        let ceiling = ceiling.max(1);
        let cap_per_second = per_minute
            .map(|rate| rate / 60.0)
            .filter(|rate| *rate > 0.0);
        Self {
            ceiling,
            window: START_WINDOW.min(ceiling),
            successes: 0,
            in_flight: 0,
            not_before: Moment::ZERO,
            admitted: VecDeque::new(),
            answered: VecDeque::new(),
            pace: cap_per_second.map(|per_second| Pace {
                per_second,
                credit: 1.0,
                at: Moment::ZERO,
            }),
            cap_per_second,
            tokens: tokens_per_minute.map(|rate| Tokens {
                per_second: rate / 60.0,
                credit: rate / 60.0,
                at: Moment::ZERO,
            }),
        }
    }

    /// Asks to send a request of so many tokens now.
    pub fn admit(&mut self, now: Moment, tokens: f64) -> Admission {
        if now < self.not_before {
            return Admission::Wait(self.not_before.saturating_sub(now));
        }
        if self.in_flight >= self.window {
            return Admission::Full;
        }
        self.accrue(now);
        if let Some(allowance) = &mut self.tokens {
            let elapsed = now.saturating_sub(allowance.at).as_secs_f64();
            allowance.at = now;
            allowance.credit =
                (allowance.credit + elapsed * allowance.per_second).min(allowance.per_second);
            if allowance.credit < 0.0 {
                let seconds = -allowance.credit / allowance.per_second;
                return Admission::Wait(Duration::from_secs_f64(seconds.clamp(0.001, 3_600.0)));
            }
        }
        if let Some(pace) = &mut self.pace {
            if pace.credit < 1.0 {
                let seconds = (1.0 - pace.credit) / pace.per_second;
                return Admission::Wait(Duration::from_secs_f64(seconds.clamp(0.000_1, 3_600.0)));
            }
            pace.credit -= 1.0;
        }
        if let Some(allowance) = &mut self.tokens {
            allowance.credit -= tokens;
        }
        self.in_flight += 1;
        if self.pace.is_none() {
            remember(&mut self.admitted, now);
        }
        Admission::Go
    }

    /// Notes that a request ended with an answer, or with a fault that says nothing about speed.
    pub fn ended(&mut self, now: Moment, succeeded: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if succeeded && self.pace.is_some() {
            remember(&mut self.answered, now);
        }
        if succeeded && self.window < self.ceiling {
            self.successes += 1;
            if self.successes >= self.window {
                self.window = self.window.saturating_mul(2).min(self.ceiling);
                self.successes = 0;
            }
        }
    }

    /// Notes that the server's own numbers say to send nothing for so long.
    pub fn hold(&mut self, now: Moment, wait: Duration) {
        self.not_before = self.not_before.max(now + wait);
    }

    /// Notes that the server pushed back, and how long nothing may be sent.
    pub fn pushed_back(&mut self, now: Moment, pause: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let within_a_pause = now < self.not_before;
        self.not_before = self.not_before.max(now + pause);
        if within_a_pause {
            return;
        }
        self.accrue(now);
        let capped = |pace: &Pace| {
            self.cap_per_second
                .is_some_and(|cap| pace.per_second >= cap)
        };
        let learned = self
            .pace
            .filter(|pace| !capped(pace))
            .map(|pace| pace.per_second);
        // What the server has just been answering it will go on answering: a server that refuses at
        // random is not taken for one that has become slow.
        let floor = self.answered_rate(now);
        let rate = learned.unwrap_or_else(|| self.admitted_rate(now)) * BACK_OFF;
        let per_second = rate.max(floor).max(0.1);
        self.pace = Some(Pace {
            per_second,
            credit: 1.0,
            at: self.not_before,
        });
        // A learned rate paces from here on: concurrency is the ceiling alone.
        self.window = self.ceiling;
    }

    /// What the limiter is doing.
    #[must_use]
    pub fn status(&self, now: Moment) -> LimiterStatus {
        let pause = (now < self.not_before).then(|| self.not_before.saturating_sub(now));
        LimiterStatus {
            in_flight: self.in_flight,
            pause,
            rate: self.pace.map(|pace| pace.per_second),
        }
    }

    /// Requests a second that were admitted over the last five, or since the first where that is less.
    fn admitted_rate(&self, now: Moment) -> f64 {
        let Some(first) = self.admitted.front() else {
            return 1.0;
        };
        let seconds = now
            .saturating_sub(*first)
            .as_secs_f64()
            .clamp(0.5, RATE_MEMORY.as_secs_f64());
        self.admitted.len() as f64 / seconds
    }

    /// Requests a second that were answered over the last five.
    fn answered_rate(&mut self, now: Moment) -> f64 {
        forget(&mut self.answered, now);
        self.answered.len() as f64 / RATE_MEMORY.as_secs_f64()
    }

    /// Adds the credit of the time since the last look, and lets the learned rate grow.
    fn accrue(&mut self, now: Moment) {
        let Some(pace) = &mut self.pace else { return };
        let elapsed = now.saturating_sub(pace.at).as_secs_f64();
        if elapsed <= 0.0 {
            return;
        }
        pace.at = now;
        pace.credit =
            (pace.credit + elapsed * pace.per_second).min((pace.per_second * 0.1).max(1.0));
        let growth = (pace.per_second * GROWTH_SHARE).max(GROWTH_PER_SECOND);
        pace.per_second += growth * elapsed;
        if let Some(cap) = self.cap_per_second {
            pace.per_second = pace.per_second.min(cap);
        }
    }
}

fn remember(moments: &mut VecDeque<Moment>, now: Moment) {
    moments.push_back(now);
    forget(moments, now);
}

fn forget(moments: &mut VecDeque<Moment>, now: Moment) {
    while moments
        .front()
        .is_some_and(|first| *first + RATE_MEMORY < now)
    {
        moments.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Moment {
        Duration::from_millis(millis)
    }

    #[test]
    fn starts_with_eight_and_doubles_with_each_window_of_successes() {
        let mut limiter = Limiter::new(32, None, None);
        for _ in 0..8 {
            assert_eq!(limiter.admit(ms(0), 1.0), Admission::Go);
        }
        assert_eq!(limiter.admit(ms(0), 1.0), Admission::Full);
        for _ in 0..8 {
            limiter.ended(ms(0), true);
        }
        let admitted = (0..40)
            .filter(|_| limiter.admit(ms(1), 1.0) == Admission::Go)
            .count();
        assert_eq!(admitted, 16);
    }

    #[test]
    fn sends_nothing_before_the_time_that_the_server_named() {
        let mut limiter = Limiter::new(8, None, None);
        assert_eq!(limiter.admit(ms(0), 1.0), Admission::Go);
        limiter.pushed_back(ms(10), Duration::from_secs(2));
        assert_eq!(limiter.admit(ms(1_000), 1.0), Admission::Wait(ms(1_010)));
        assert_eq!(limiter.admit(ms(2_010), 1.0), Admission::Go);
        assert!(matches!(limiter.admit(ms(2_010), 1.0), Admission::Wait(_)));
    }

    #[test]
    fn one_pause_lowers_the_rate_once() {
        let mut limiter = Limiter::new(8, None, None);
        for _ in 0..8 {
            limiter.admit(ms(0), 1.0);
        }
        limiter.pushed_back(ms(1_000), Duration::from_secs(1));
        let rate = limiter.status(ms(1_000)).rate.unwrap();
        limiter.pushed_back(ms(1_001), Duration::from_secs(1));
        assert_eq!(limiter.status(ms(1_001)).rate, Some(rate));
        assert!((rate - 8.0 * 0.8).abs() < 1e-9, "{rate}");
    }

    #[test]
    fn a_rate_from_the_user_is_never_passed() {
        let mut limiter = Limiter::new(100, Some(600.0), None);
        let mut sent = 0;
        for step in 0..10_000u64 {
            if limiter.admit(ms(step), 1.0) == Admission::Go {
                sent += 1;
                limiter.ended(ms(step), true);
            }
        }
        assert!(
            (95..=102).contains(&sent),
            "{sent} in ten seconds at 600 a minute"
        );
    }

    #[test]
    fn tokens_a_minute_are_never_passed_for_long() {
        let mut limiter = Limiter::new(100, None, Some(6_000.0));
        let mut used = 0.0;
        for step in 0..60_000u64 {
            if limiter.admit(ms(step), 50.0) == Admission::Go {
                used += 50.0;
                limiter.ended(ms(step), true);
            }
        }
        assert!((5_900.0..=6_200.0).contains(&used), "{used} in a minute");
    }

    #[test]
    fn holds_when_the_servers_numbers_say_so() {
        let mut limiter = Limiter::new(8, None, None);
        limiter.hold(ms(0), Duration::from_secs(3));
        assert_eq!(limiter.admit(ms(1_000), 1.0), Admission::Wait(ms(2_000)));
        assert_eq!(limiter.admit(ms(3_000), 1.0), Admission::Go);
    }

    /// A server that admits 40 requests a second with a bucket of 20, answers after 100 ms, and
    /// names a pause of one second otherwise, over ten simulated minutes.
    #[test]
    fn uses_at_least_nine_tenths_of_an_allowance_with_few_push_backs() {
        let mut limiter = Limiter::new(32, None, None);
        let (mut bucket, mut served, mut refused) = (20.0f64, 0u32, 0u32);
        let mut replies: VecDeque<(u64, bool)> = VecDeque::new();
        for step in 0..600_000u64 {
            bucket = (bucket + 0.04).min(20.0);
            while replies.front().is_some_and(|(at, _)| *at <= step) {
                match replies.pop_front() {
                    Some((_, true)) => limiter.ended(ms(step), true),
                    _ => limiter.pushed_back(ms(step), Duration::from_secs(1)),
                }
            }
            while limiter.admit(ms(step), 1.0) == Admission::Go {
                let admitted = bucket >= 1.0;
                if admitted {
                    bucket -= 1.0;
                    served += 1;
                } else {
                    refused += 1;
                }
                replies.push_back((step + 100, admitted));
            }
        }
        let (used, share) = (
            f64::from(served) / 24_000.0,
            f64::from(refused) / f64::from(served + refused),
        );
        assert!(used >= 0.9, "used {used}");
        assert!(share <= 0.01, "refused {share}");
    }
}
