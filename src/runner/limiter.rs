//! How fast one (provider, model, key) is asked: a pure state machine over time as a value.
//!
//! It begins with few requests in flight and doubles them with every full window of successes, up
//! to the ceiling. The first push-back (429, 529) ends that: from then on sends are paced by a
//! learned rate, and concurrency stays as the ceiling alone. A push-back also holds back every
//! send until the time that the server named.
//!
//! A server that refuses at random, being overloaded or told to, goes on refusing however slowly it
//! is asked, and each refusal holds everything back: then the fewer requests stand between two
//! pauses, the longer a run takes. So where lowering the rate has not helped for long, a few are sent
//! at once to see. While more than half of such requests are answered the window grows again and no
//! rate is learned; else the rate paces as before, and is believed for four times as long.

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
/// A pause after fewer requests than this is one that a lower rate has not put off.
const FEW_SENDS: u32 = 50;
/// After so many more of such pauses than of others, requests are sent at once to see.
const PATIENCE: u32 = 4;

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
    sends_since_pause: u32,
    /// Pauses after few sends less those after many, and how many of them are borne.
    quick_pauses: u32,
    patience: u32,
    /// What became of requests since they were sent without a learned rate; `None` while one paces.
    unpaced: Option<Tally>,
}

/// Requests answered and refused.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    answered: u32,
    refused: u32,
}

/// The pace that the user asked for.
fn pace_of(per_second: Option<f64>, at: Moment) -> Option<Pace> {
    per_second.map(|per_second| Pace {
        per_second,
        credit: 1.0,
        at,
    })
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
            pace: pace_of(cap_per_second, Moment::ZERO),
            cap_per_second,
            sends_since_pause: 0,
            quick_pauses: 0,
            patience: PATIENCE,
            unpaced: None,
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
        self.sends_since_pause = self.sends_since_pause.saturating_add(1);
        if self.pace.is_none() {
            remember(&mut self.admitted, now);
        }
        Admission::Go
    }

    /// Notes that a request ended with an answer, or with a fault that says nothing about speed.
    pub fn ended(&mut self, now: Moment, succeeded: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(tally) = self.unpaced.as_mut().filter(|_| succeeded) {
            tally.answered += 1;
        }
        if succeeded && (self.pace.is_some() || self.unpaced.is_some()) {
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
        if let Some(tally) = &mut self.unpaced {
            tally.refused += 1;
        }
        if within_a_pause {
            return;
        }
        let quick = std::mem::take(&mut self.sends_since_pause) < FEW_SENDS;
        self.quick_pauses = if quick {
            self.quick_pauses.saturating_add(1)
        } else {
            self.quick_pauses.saturating_sub(1)
        };
        match self.unpaced {
            Some(tally) if tally.refused < tally.answered => self.widen(tally),
            // Too few to tell.
            Some(tally) if tally.refused + tally.answered < START_WINDOW + self.window => {}
            Some(_) => {
                self.unpaced = None;
                self.patience = self.patience.saturating_mul(4);
                self.learn(now);
            }
            None if self.quick_pauses >= self.patience => self.try_at_once(),
            None => self.learn(now),
        }
    }

    /// Sends a few at once when the pause is over, whatever the rate learned.
    fn try_at_once(&mut self) {
        self.quick_pauses = 0;
        self.unpaced = Some(Tally::default());
        self.pace = pace_of(self.cap_per_second, self.not_before);
        self.window = START_WINDOW.min(self.ceiling);
        self.successes = 0;
    }

    /// Doubles the window once a whole one was mostly answered.
    fn widen(&mut self, tally: Tally) {
        if tally.answered + tally.refused >= self.window {
            self.window = self.window.saturating_mul(2).min(self.ceiling);
            self.unpaced = Some(Tally::default());
        }
    }

    /// Lowers the rate, or begins to pace by one.
    fn learn(&mut self, now: Moment) {
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

    /// What a server has done by some time.
    #[derive(Debug, Default)]
    struct Served {
        answered: u32,
        refused: u32,
        millis: u64,
    }

    impl Served {
        fn share_refused(&self) -> f64 {
            f64::from(self.refused) / f64::from(self.answered + self.refused)
        }
    }

    /// Asks a server that replies after 100 ms, and with its refusals names a pause of one second,
    /// until it has answered so often or the time is over.
    fn ask(ceiling: u32, answers: u32, millis: u64, mut admits: impl FnMut(u64) -> bool) -> Served {
        let mut limiter = Limiter::new(ceiling, None, None);
        let mut served = Served::default();
        let mut replies: VecDeque<(u64, bool)> = VecDeque::new();
        while served.millis < millis && served.answered < answers {
            let step = served.millis;
            while replies.front().is_some_and(|(at, _)| *at <= step) {
                match replies.pop_front() {
                    Some((_, true)) => limiter.ended(ms(step), true),
                    _ => limiter.pushed_back(ms(step), Duration::from_secs(1)),
                }
            }
            while limiter.admit(ms(step), 1.0) == Admission::Go {
                let admitted = admits(step);
                served.answered += u32::from(admitted);
                served.refused += u32::from(!admitted);
                replies.push_back((step + 100, admitted));
            }
            served.millis += 1;
        }
        served
    }

    /// A bucket of tokens that fills by so many a second.
    fn bucket(per_second: f64, size: f64) -> impl FnMut(u64) -> bool {
        let (mut tokens, mut last) = (size, 0);
        move |step| {
            tokens = (tokens + (step - last) as f64 / 1e3 * per_second).min(size);
            last = step;
            let admitted = tokens >= 1.0;
            tokens -= f64::from(u8::from(admitted));
            admitted
        }
    }

    /// Refuses such a share of requests, whenever they come.
    fn at_random(share: f64, seed: u64) -> impl FnMut(u64) -> bool {
        let mut stream = crate::base::rng::Stream::new(seed, "refusals");
        move |_| stream.below(1_000) as f64 >= 1_000.0 * share
    }

    #[test]
    fn uses_at_least_nine_tenths_of_an_allowance_with_few_push_backs() {
        let served = ask(32, u32::MAX, 600_000, bucket(40.0, 20.0));
        let used = f64::from(served.answered) / 24_000.0;
        assert!(used >= 0.9, "used {used}");
        assert!(served.share_refused() <= 0.01, "{served:?}");
    }

    /// Paced by a rate alone, a fifth refused takes nine minutes.
    #[test]
    fn a_server_that_refuses_at_random_is_not_asked_ever_more_slowly() {
        for (share, longest) in [(0.05, 40_000), (0.2, 40_000), (0.4, 60_000)] {
            for seed in 1..=8 {
                let served = ask(64, 1_000, 3_600_000, at_random(share, seed));
                assert!(served.answered >= 1_000, "{share}: {served:?}");
                assert!(served.millis <= longest, "{share}: {served:?}");
            }
        }
    }

    /// Without the attempts to send more at once the shares are 0.17, 0.11 and 0.02.
    #[test]
    fn a_small_allowance_is_seldom_taken_for_refusals_at_random() {
        let allowances = [(2.0, 5.0, 0.22), (5.0, 1.0, 0.15), (10.0, 10.0, 0.05)];
        for (per_second, size, most) in allowances {
            let served = ask(64, u32::MAX, 600_000, bucket(per_second, size));
            assert!(served.share_refused() <= most, "{per_second}: {served:?}");
        }
    }
}
