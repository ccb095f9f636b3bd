//! What is shown while a run goes on: one line per lost case as it ends, and the state of things,
//! redrawn on a timer on a terminal, as plain lines now and then elsewhere.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use super::output::{self, Terminal};
use super::stream::Stream;
use crate::analysis::table::ArmCell;
use crate::base::text;
use crate::command::calibrate;
use crate::record::{Arm, AttemptFinished, Event, Outcome, Run, TrialFinished};
use crate::report::contrast::{self, Marks};
use crate::runner::{Observer, Status};
use crate::settings::Settings;

/// The forms of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One line that is redrawn.
    Bar,
    /// A plain line now and then.
    Lines,
    /// Nothing.
    None,
}

impl Form {
    /// The form that the setting asks for; `auto` means a bar on a terminal outside of CI.
    #[must_use]
    pub fn choose(settings: &Settings, live: bool) -> Self {
        let in_ci =
            super::env::variable("CI").is_some_and(|value| !value.is_empty() && value != "false");
        match settings.progress.as_str() {
            _ if settings.quiet => Self::None,
            "bar" => Self::Bar,
            "lines" => Self::Lines,
            "none" => Self::None,
            _ if live && !in_ci => Self::Bar,
            _ => Self::Lines,
        }
    }
}

/// Shows a run.
pub struct Progress {
    form: Form,
    stream: Stream,
    drawn: bool,
    last_line: Duration,
    lost: usize,
    quarantined: usize,
    failing: HashMap<u32, String>,
    /// The last answer to each open case, as long as a line may be, on a terminal.
    answers: HashMap<u32, String>,
    screen: Screen,
    spent_usd: f64,
    done: Done,
}

/// What a run has done so far.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    trials: usize,
    requests: usize,
    cached: usize,
    elapsed: Duration,
}

const LINE_EVERY: Duration = Duration::from_secs(5);
const MOST_LOST: usize = 20;
const REASON: usize = 120;
const ANSWER: usize = 600;
const LOST: &str = "lost";
const FAILED: &str = "failed";
const QUARANTINED: &str = "quarantined";
const LOST_INDENT: &str = "      ";

/// What a line may look like.
#[derive(Debug, Clone, Copy)]
struct Screen {
    width: usize,
    marks: Marks,
}

impl Progress {
    /// Progress in a form.
    #[must_use]
    pub fn new(form: Form, stream: Stream, terminal: Terminal) -> Self {
        let marks = if terminal.live_color {
            Marks::Styled
        } else {
            Marks::Plain
        };
        let screen = Screen {
            width: terminal.width,
            marks,
        };
        Self {
            form,
            stream,
            drawn: false,
            last_line: Duration::ZERO,
            lost: 0,
            quarantined: 0,
            failing: HashMap::new(),
            answers: HashMap::new(),
            screen,
            spent_usd: 0.0,
            done: Done::default(),
        }
    }

    /// The stream of events on stdout.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Keeps the beginning of a candidate's answer until its case has ended, where a person looks on.
    fn note_answer(&mut self, attempt: &AttemptFinished) {
        let is_answer = attempt.scorer.is_none() && attempt.class.is_none();
        if self.form == Form::Bar && is_answer && attempt.trial.arm == Arm::Candidate {
            let answer = text::byte_prefix(&attempt.reply, ANSWER).to_owned();
            self.answers.insert(attempt.trial.case, answer);
        }
    }

    /// Takes the redrawn line away.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            output::say_raw("\r\x1b[K");
        }
    }

    fn line(&mut self, line: &str) {
        self.clear();
        output::say(line);
    }

    /// Notes a candidate's failed trial and says so once the case is lost for certain.
    fn trial_finished(&mut self, result: &TrialFinished, run: &Run) {
        if run.header.command == calibrate::COMMAND {
            // A judge that fails an example has lost nothing.
            return;
        }
        let case = result.trial.case;
        if result.trial.arm == Arm::Candidate && result.outcome == Outcome::Failed {
            self.failing.entry(case).or_insert_with(|| reason(result));
        }
        let index = case as usize;
        let cell = |arm| ArmCell::of_trials(run.repeats(index, arm), run.header.scorers.len());
        let done = |arm| {
            run.repeats(index, arm)
                .iter()
                .all(|trial| trial.outcome.is_some())
        };
        if !run.arms().all(done) {
            return;
        }
        let failing = self.failing.remove(&case);
        let answer = self.answers.remove(&case);
        let lost = cell(Arm::Candidate).pass() == Some(false)
            && (!run.is_comparison() || cell(Arm::Baseline).pass() == Some(true));
        let (true, Some(reason), Some(case)) = (lost, failing, run.cases.get(index)) else {
            return;
        };
        // A quarantined case has no say: it is not lost, whatever it answers.
        let (word, count) = if case.is_held_out() {
            (QUARANTINED, &mut self.quarantined)
        } else {
            let word = if run.is_comparison() { LOST } else { FAILED };
            (word, &mut self.lost)
        };
        *count += 1;
        match *count {
            count if count <= MOST_LOST => {
                let id = text::visible_line(case.id.as_str());
                let taken = word.len() + id.chars().count() + 5;
                let room = match self.form {
                    Form::Bar => self.screen.width.saturating_sub(taken),
                    Form::Lines | Form::None => REASON,
                };
                let reason = text::shorten(&reason, room.clamp(20, REASON));
                let word = match word {
                    QUARANTINED => self.screen.marks.heading(word),
                    _ => self.screen.marks.loss(word),
                };
                self.line(&format!("{word}  {id}  {reason}"));
                let expected = case.expected.as_ref().and_then(|value| value.as_str());
                if let Some((expected, answer)) = expected.zip(answer) {
                    let width = self.screen.width.saturating_sub(LOST_INDENT.len() + 1);
                    let edit = contrast::line(expected, &answer, width, self.screen.marks);
                    self.line(&format!("{LOST_INDENT}{edit}"));
                }
            }
            count if count == MOST_LOST + 1 => {
                self.line(&format!("{word}  … more: the reports list all of them"));
            }
            _ => {}
        }
    }

    fn state(&self, status: &Status) -> String {
        use std::fmt::Write as _;
        let mut line = format!(
            "{} of {} trials, {} in flight",
            text::thousands(status.done),
            text::thousands(status.planned),
            status.in_flight
        );
        let seconds = status.elapsed.as_secs_f64();
        if seconds > 1.0 && status.done > 0 {
            let rate = status.done as f64 / seconds;
            let left = (status.planned.saturating_sub(status.done)) as f64 / rate;
            let _ = write!(line, ", {rate:.0}/s, {} left", duration(left));
        }
        if self.spent_usd > 0.0 {
            let _ = write!(line, ", {:.4} USD", self.spent_usd);
        }
        if let Some(batch) = &status.batch {
            let _ = write!(line, ", {batch}");
        }
        if let Some((name, pause)) = &status.pause {
            let _ = write!(
                line,
                ", {name} asks to wait {}",
                duration(pause.as_secs_f64())
            );
        }
        line
    }
}

impl Done {
    /// What is left of the live line at the end: `400 trials in 4.4 s: 400 requests, 0 from the cache`.
    fn line(self, spent_usd: f64) -> String {
        let spent = if spent_usd > 0.0 {
            format!(", {spent_usd:.4} USD")
        } else {
            String::new()
        };
        format!(
            "{} in {:.1} s: {}, {} from the cache{spent}",
            text::count(self.trials, "trial"),
            self.elapsed.as_secs_f64(),
            text::count(self.requests, "request"),
            text::thousands(self.cached),
        )
    }
}

/// Why a trial failed: its first lost gating score, or the fault of the answer.
fn reason(result: &TrialFinished) -> String {
    let lost = result
        .scores
        .iter()
        .find(|score| score.gating && !score.pass);
    match (result.fault, lost) {
        (Some(fault), _) => format!("the answer is {}", fault.as_str()),
        (None, Some(score)) => format!("{}: {}", score.scorer, text::visible_line(&score.reason)),
        (None, None) => String::new(),
    }
}

fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{:.0} s", seconds.ceil())
    } else if seconds < 3_600.0 {
        format!("{:.0} min", (seconds / 60.0).ceil())
    } else {
        format!("{:.1} h", seconds / 3_600.0)
    }
}

impl Observer for Progress {
    fn event(&mut self, event: &Event, run: &Run) {
        if self.form == Form::None {
            return;
        }
        match event {
            Event::TrialFinished(result) => {
                self.done.trials += 1;
                self.trial_finished(result, run);
            }
            Event::AttemptFinished(attempt) => {
                if attempt.cached {
                    self.done.cached += 1;
                } else {
                    self.done.requests += 1;
                    let batch = attempt.batch;
                    let paid = batch.map_or(attempt.cost_usd, |batch| batch.paid_usd);
                    self.spent_usd += paid.unwrap_or(0.0);
                }
                self.note_answer(attempt);
            }
            Event::RunFinished(_) => {
                let done = std::mem::take(&mut self.done);
                let spent_usd = std::mem::take(&mut self.spent_usd);
                if self.form == Form::Bar {
                    let line = done.line(spent_usd);
                    self.line(&line);
                }
            }
            Event::RunStarted(_)
            | Event::CasePlanned(_)
            | Event::RunResumed { .. }
            | Event::BatchSubmitted(_)
            | Event::AttemptStarted { .. } => {}
        }
    }

    fn wants_lines(&self) -> bool {
        self.stream.is_open()
    }

    fn lines(&mut self, lines: &[u8]) {
        self.stream.write(lines);
    }

    fn tick(&mut self, status: &Status, _run: &Run) {
        self.done.elapsed = status.elapsed;
        match self.form {
            Form::None => {}
            Form::Bar => {
                // A line that wraps could not be taken away again.
                let state = self.state(status);
                let state = text::shorten(&state, self.screen.width.saturating_sub(1));
                output::say_raw(&format!("\r\x1b[K{state}"));
                self.drawn = true;
                if status.done == status.planned {
                    self.clear();
                }
            }
            Form::Lines => {
                if status.elapsed >= self.last_line + LINE_EVERY && status.done < status.planned {
                    self.last_line = status.elapsed;
                    let line = self.state(status);
                    self.line(&line);
                }
            }
        }
        // What could not be shown is not worth an error.
        let _ = std::io::stderr().flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_live_line_says_what_was_sent_and_paid() {
        let done = Done {
            trials: 400,
            requests: 1_200,
            cached: 1,
            elapsed: Duration::from_millis(4_440),
        };
        assert_eq!(
            done.line(0.0),
            "400 trials in 4.4 s: 1,200 requests, 1 from the cache"
        );
        assert!(done.line(0.002_1).ends_with("from the cache, 0.0021 USD"));
    }
}
