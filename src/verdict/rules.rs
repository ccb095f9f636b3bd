//! The rules of a policy, one file a family: what each finds on a table, before it becomes a
//! sentence. `family` corrects and concludes, `missing` asks what missing pairs could change.

pub(super) mod absolute;
pub(super) mod evidence;
pub(super) mod family;
pub(super) mod metrics;
pub(super) mod missing;
pub(super) mod pass_rate;
pub(super) mod scenario;
