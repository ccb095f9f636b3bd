//! The questions that go into batches: those without an answer in log or cache, each once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Digest;
use crate::chat::Price;
use crate::provider::{Call, CallError, Endpoint, Sealed};
use crate::record::TrialId;
use crate::runner::budget::{self, Reservation};
use crate::runner::executor::{Shared, request, subject};
use crate::runner::job::ArmJob;
use crate::runner::retry::Failures;

/// One question.
pub(super) struct Wanted {
    pub(super) trial: TrialId,
    /// Other trials that ask the very same.
    pub(super) twins: Vec<TrialId>,
    pub(super) sealed: Sealed,
    /// The price of a direct answer.
    pub(super) price: Option<Price>,
    /// What it can cost at most, in a batch.
    pub(super) worst_usd: f64,
    /// Requests sent so far, those of an interrupted run included.
    pub(super) attempts: u32,
    pub(super) failures: Failures,
    /// How it failed last.
    pub(super) error: Option<CallError>,
    /// Whether its answer, or that it has none, is settled.
    pub(super) settled: bool,
    pub(super) reservation: Option<Reservation>,
}

/// The questions to one model, in the order of the plan, and where each key stands among them.
pub(super) struct Questions {
    pub(super) list: Vec<Wanted>,
    places: HashMap<String, usize>,
}

impl Questions {
    /// Finds them.
    pub(super) fn of(shared: &Shared, endpoint: &Arc<Endpoint>, order: &[TrialId]) -> Self {
        let mut questions = Self {
            list: Vec::new(),
            places: HashMap::new(),
        };
        for trial in order {
            let arm = shared.job.arms.iter().find(|arm| arm.arm == trial.arm);
            let asks = |arm: &&ArmJob| arm.stored.is_none() && Arc::ptr_eq(&arm.endpoint, endpoint);
            if let Some(arm) = arm.filter(asks) {
                questions.add(shared, arm, *trial);
            }
        }
        questions
    }

    /// Adds the question of a trial. One that can not be put is left to the trial, which says why.
    fn add(&mut self, shared: &Shared, arm: &ArmJob, trial: TrialId) {
        let Some(case) = shared.job.cases.get(trial.case as usize) else {
            return;
        };
        let Ok(request) = request(arm, case) else {
            return;
        };
        let call = Call {
            request: &request,
            subject: subject(arm, case, trial.repeat),
        };
        let Ok(sealed) = arm.endpoint.seal(&call) else {
            return;
        };
        let key = sealed.key();
        let (attempts, reply) = shared.job.prior_call(trial, None);
        if reply.is_some_and(|reply| reply.key == key) || shared.cached(&sealed).is_some() {
            return;
        }
        let id = crate::provider::batch::custom_id(&key);
        if let Some(twin) = self.places.get(&id).and_then(|at| self.list.get_mut(*at)) {
            twin.twins.push(trial);
            return;
        }
        let price = arm.price.and_then(|price| price.in_batch());
        let limited = shared.budget().limit_usd().is_some();
        let worst_usd = price.filter(|_| limited).map_or(0.0, |price| {
            budget::worst_usd(&request, &arm.endpoint.tokenizer, &price, arm.most_output)
        });
        self.places.insert(id, self.list.len());
        self.list.push(Wanted {
            trial,
            twins: Vec::new(),
            sealed,
            price: arm.price,
            worst_usd,
            attempts,
            failures: Failures::default(),
            error: None,
            settled: false,
            reservation: None,
        });
    }

    /// The place of the question with an id.
    pub(super) fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The places of the questions that still want an answer.
    pub(super) fn open(&self) -> Vec<usize> {
        let numbered = self.list.iter().enumerate();
        let open = numbered.filter(|(_, wanted)| !wanted.settled);
        open.map(|(place, _)| place).collect()
    }
}

impl Wanted {
    pub(super) fn key(&self) -> Digest {
        self.sealed.key()
    }

    /// The trials that ask this.
    pub(super) fn trials(&self) -> impl Iterator<Item = TrialId> {
        std::iter::once(self.trial).chain(self.twins.iter().copied())
    }
}
