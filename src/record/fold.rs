//! The fold from events to a [`Run`]. It keys by trial and scorer and never by time of arrival, so
//! that the order in which answers came, a repetition of an event, or a resume change nothing.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::event::{AttemptFinished, Event, Outcome, TrialFinished};
use super::run::{CallRecord, JudgeCall, LogSpan, Run, ScoreSummary, TrialRecord};
use super::{RunHeader, TrialId};
use crate::base::Timestamp;
use crate::dataset::Case;
use crate::score::judge::duel;

/// Collects the events of one run.
#[derive(Debug)]
pub struct Fold {
    run: Run,
    scorer_index: HashMap<String, u16>,
}

impl Fold {
    /// Begins with the first event and the planned cases.
    #[must_use]
    pub fn new(header: RunHeader, cases: Arc<Vec<Case>>, at: Timestamp) -> Self {
        let trials = cases.len() * header.arms.len() * header.repeat as usize;
        let served = header
            .arms
            .iter()
            .map(|arm| (arm.arm, Vec::new()))
            .collect();
        let scorers: Vec<Arc<str>> = header
            .scorers
            .iter()
            .map(|s| s.name.as_str().into())
            .collect();
        let scorer_index = scorers
            .iter()
            .zip(0u16..)
            .map(|(name, index)| (name.to_string(), index))
            .collect();
        let run = Run {
            header,
            cases,
            scorers,
            finishes: Vec::new(),
            trials: vec![TrialRecord::default(); trials],
            served,
            judges_served: Vec::new(),
            finished: None,
            started_at: at,
            last_at: at,
            resumes: 0,
            batches: Vec::new(),
        };
        Self { run, scorer_index }
    }

    /// The run so far.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The run, when there are no more events.
    #[must_use]
    pub fn finish(self) -> Run {
        self.run
    }

    /// Goes on with a run that was read back.
    #[must_use]
    pub fn resume(run: Run) -> Self {
        let names = run.scorers.iter().zip(0u16..);
        let scorer_index = names
            .map(|(name, index)| (name.to_string(), index))
            .collect();
        Self { run, scorer_index }
    }

    /// Takes an event. `span` is the event's line in the log.
    pub fn take(&mut self, at: Timestamp, event: &Event, span: LogSpan) {
        self.run.last_at = self.run.last_at.max(at);
        match event {
            Event::RunStarted(_) | Event::CasePlanned(_) => {}
            Event::RunResumed { offline, .. } => {
                self.run.header.offline = *offline;
                self.run.resumes = self.run.resumes.saturating_add(1);
                self.run.finished = None;
            }
            Event::AttemptStarted {
                trial,
                scorer,
                call,
                attempt,
                ..
            } => {
                let asked = scorer.as_deref().map(|scorer| (scorer, call.as_deref()));
                if let Some(call) = self.call(*trial, asked) {
                    call.sends = call.sends.max(*attempt);
                }
            }
            Event::BatchSubmitted(batch) => {
                if !self.run.batches.contains(batch) {
                    self.run.batches.push(batch.clone());
                }
            }
            Event::AttemptFinished(attempt) => self.attempt_finished(attempt, span),
            Event::TrialFinished(result) => self.trial_finished(result, span),
            Event::RunFinished(reason) => self.run.finished = Some(reason.clone()),
        }
    }

    fn attempt_finished(&mut self, attempt: &AttemptFinished, span: LogSpan) {
        let command = self.run.resumes;
        let scorer = attempt.scorer.as_deref();
        let asked = scorer.map(|scorer| (scorer, attempt.call.as_deref()));
        let Some(call) = self.call(attempt.trial, asked) else {
            return;
        };
        call.sends = call.sends.max(attempt.attempt);
        let new = attempt.cached || attempt.attempt > call.ended;
        call.ended = call.ended.max(attempt.attempt);
        if attempt.class.is_some() {
            return;
        }
        call.answered = true;
        call.reply_at = Some(span);
        call.cached = attempt.cached;
        call.cost_usd = attempt.cost_usd.into();
        if new && !attempt.cached {
            if call.paid_in != command {
                (call.paid_in, call.paid_usd, call.paid_unknown) = (command, 0.0, false);
            }
            let paid = attempt
                .batch
                .map_or(attempt.cost_usd, |batch| batch.paid_usd);
            call.paid_usd += paid.unwrap_or(0.0);
            call.paid_unknown |= paid.is_none();
        }
        let served = attempt
            .served_model
            .as_ref()
            .map(|model| match &attempt.fingerprint {
                Some(fingerprint) => format!("{model} ({fingerprint})"),
                None => model.clone(),
            });
        if attempt.scorer.is_some() {
            push_new(&mut self.run.judges_served, served);
            return;
        }
        push_new(
            self.run.served.entry(attempt.trial.arm).or_default(),
            served,
        );
        let finish = attempt.finish.as_ref();
        let finish = finish.map(|finish| index_of(&mut self.run.finishes, finish.as_str()));
        if let Some(record) = self.record(attempt.trial) {
            record.finish = finish;
            record.usage = attempt.usage.into();
            record.latency_ms = attempt.latency_ms.into();
        }
    }

    fn trial_finished(&mut self, result: &TrialFinished, span: LogSpan) {
        let mut scores = SmallVec::with_capacity(result.scores.len());
        if matches!(result.outcome, Outcome::Passed | Outcome::Failed) {
            for score in &result.scores {
                let scorer = self.scorer(&score.scorer);
                scores.push(ScoreSummary {
                    scorer,
                    pass: score.pass,
                    gating: score.gating,
                    score: score.score,
                    position: duel::position_of(&score.parts),
                });
            }
        }
        if let Some(record) = self.record(result.trial) {
            record.outcome = Some(result.outcome);
            record.fault = result.fault;
            record.skipped = result.skipped;
            record.error = result.error.clone().map(Box::new);
            record.scores = scores;
            record.result_at = Some(span);
        }
    }

    fn record(&mut self, trial: TrialId) -> Option<&mut TrialRecord> {
        let index = self.run.index(trial)?;
        self.run.trials.get_mut(index)
    }

    /// The call for the answer of a trial, or a call of one of its judges: a scorer with the name
    /// of the call, where it makes several.
    fn call(
        &mut self,
        trial: TrialId,
        asked: Option<(&str, Option<&str>)>,
    ) -> Option<&mut CallRecord> {
        let Some((scorer, name)) = asked else {
            return self.record(trial).map(|record| &mut record.answer);
        };
        let scorer = self.scorer(scorer);
        let judges = &mut self.record(trial)?.judges;
        let is_it = |call: &JudgeCall| call.scorer == scorer && call.name.as_deref() == name;
        if !judges.iter().any(is_it) {
            let mut all = std::mem::take(judges).into_vec();
            all.push(JudgeCall {
                scorer,
                name: name.map(Into::into),
                record: CallRecord::default(),
            });
            *judges = all.into();
        }
        judges
            .iter_mut()
            .find(|call| is_it(call))
            .map(|call| &mut call.record)
    }

    fn scorer(&mut self, name: &str) -> u16 {
        if let Some(index) = self.scorer_index.get(name) {
            return *index;
        }
        let index = u16::try_from(self.run.scorers.len()).unwrap_or(u16::MAX);
        self.run.scorers.push(name.into());
        self.scorer_index.insert(name.to_owned(), index);
        index
    }
}

/// The place of a word in a list, where it is put if it is new.
fn index_of(words: &mut Vec<Arc<str>>, word: &str) -> u16 {
    let known = words.iter().position(|known| known.as_ref() == word);
    let index = known.unwrap_or_else(|| {
        words.push(word.into());
        words.len() - 1
    });
    u16::try_from(index).unwrap_or(u16::MAX)
}

fn push_new(list: &mut Vec<String>, item: Option<String>) {
    if let Some(item) = item
        && !list.contains(&item)
    {
        list.push(item);
        list.sort();
    }
}
