//! The simplest model of a prompt's registry, and random operations on both.

use super::*;
use crate::registry::Status;
use crate::registry::movement::{rollback, set_status};

/// What the registry must add up to, kept in the simplest way.
#[derive(Default)]
pub(super) struct Model {
    contents: Vec<u64>,
    statuses: Vec<Status>,
    /// Where `stable` was, without what was withdrawn.
    stack: Vec<u32>,
    ever: Vec<u32>,
}

impl Model {
    fn set(&mut self, version: u32, status: Status) {
        let index = usize::try_from(version - 1).unwrap();
        self.statuses[index] = status;
    }

    fn stable(&self) -> Option<u32> {
        self.stack.last().copied()
    }

    fn status(&self, version: u32) -> Option<Status> {
        let index = usize::try_from(version).unwrap().checked_sub(1)?;
        self.statuses.get(index).copied()
    }

    fn add(&mut self, content: u64) -> bool {
        let is_new = !self.contents.contains(&content);
        if is_new {
            self.contents.push(content);
            self.statuses.push(Status::Draft);
        }
        is_new
    }

    fn promote(&mut self, version: u32) -> bool {
        if self.status(version).is_none() || self.stable() == Some(version) {
            return false;
        }
        if let Some(old) = self.stable() {
            self.set(old, Status::Deprecated);
        }
        self.set(version, Status::Active);
        self.stack.push(version);
        self.ever.push(version);
        true
    }

    fn rollback(&mut self, to: Option<u32>) -> bool {
        let previous = self
            .stack
            .len()
            .checked_sub(2)
            .map(|index| self.stack[index]);
        let Some(to) = to.or(previous).filter(|to| self.ever.contains(to)) else {
            return false;
        };
        if self.stable() == Some(to) {
            return false;
        }
        let old = self.stable().unwrap();
        match self.stack.iter().rposition(|version| *version == to) {
            Some(index) => self.stack.truncate(index + 1),
            None => self.stack.push(to),
        }
        self.set(old, Status::Deprecated);
        self.set(to, Status::Active);
        true
    }

    fn set_status(&mut self, version: u32, to: Status) -> bool {
        let allowed = self.status(version).is_some_and(|from| to > from)
            && to != Status::Active
            && self.stable() != Some(version);
        if allowed {
            self.set(version, to);
        }
        allowed
    }
}

/// One random operation on both, which must agree on whether it is done and on what is so then.
pub(super) fn step(registry: &dyn Backend, slug: &Slug, model: &mut Model, draw: &mut Draw) {
    let version = u32::try_from(draw.below(8)).unwrap();
    let commit = |change: Change| registry.commit(slug, &change).is_ok();
    let state = State::of(&registry.log(slug).unwrap());
    let (done, expected) = match draw.below(5) {
        0 => {
            let content = draw.below(12);
            let added = add_version(registry, slug, &format!("text {content}"));
            (added.is_ok(), model.add(content))
        }
        1 => {
            let change = promotion(registry, slug, version);
            (change.is_ok_and(commit), model.promote(version))
        }
        2 => {
            let change = rollback(&state, &Channel::stable(), None, stamp(2));
            (change.is_ok_and(commit), model.rollback(None))
        }
        3 => {
            let change = rollback(&state, &Channel::stable(), Some(version), stamp(2));
            (change.is_ok_and(commit), model.rollback(Some(version)))
        }
        _ => {
            let index = usize::try_from(draw.below(4)).unwrap();
            let status = Status::ALL[index];
            let change = set_status(&state, version, status, stamp(3));
            (change.is_ok_and(commit), model.set_status(version, status))
        }
    };
    assert_eq!(done, expected);
    model.check(registry, slug);
}

/// One random operation of somebody who does not know what others do; whether it was done.
pub(super) fn try_step(registry: &dyn Backend, slug: &Slug, draw: &mut Draw) -> bool {
    let version = u32::try_from(draw.below(8)).unwrap();
    let state = State::of(&registry.log(slug).unwrap());
    let change = match draw.below(4) {
        0 => return add_version(registry, slug, &format!("text {}", draw.below(40))).is_ok(),
        1 => promotion(registry, slug, version),
        2 => rollback(&state, &Channel::stable(), None, stamp(2)).map_err(|e| e.to_string()),
        _ => set_status(&state, version, Status::Testing, stamp(3)).map_err(|e| e.to_string()),
    };
    match change.map(|change| registry.commit(slug, &change)) {
        Ok(Ok(_)) => true,
        Ok(Err(RegistryError::Overtaken { .. })) | Err(_) => false,
        Ok(Err(other)) => panic!("{other:?}"),
    }
}

impl Model {
    /// What an entry of a log does, said by its line alone.
    pub(super) fn apply(&mut self, action: &Action) {
        let done = match action {
            Action::Add { version, .. } => self.add(u64::from(*version)),
            Action::Promote { version, .. } => self.promote(*version),
            Action::Rollback { version, .. } => self.rollback(Some(*version)),
            Action::Status { version, to, .. } => self.set_status(*version, *to),
            Action::Approve { .. } | Action::Repair => true,
        };
        assert!(done, "{action:?}");
    }

    /// Holds a registry against the model.
    pub(super) fn check(&self, registry: &dyn Backend, slug: &Slug) {
        let state = State::of(&registry.log(slug).unwrap());
        assert_eq!(state.stable(), self.stable());
        let versions = state.versions().values();
        let statuses: Vec<Status> = versions.map(|version| version.status).collect();
        assert_eq!(statuses, self.statuses);
    }
}

/// A seeded stream of numbers.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 += 1;
        Digest::of_bytes(&self.0.to_be_bytes()).leading_u64() % limit
    }
}
