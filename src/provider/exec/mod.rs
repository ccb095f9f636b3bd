//! The exec provider and what it shares with the exec scorer (formats.md section 9): a kept-alive
//! command of the user's own that gets one JSON object a line and gives one, matched by `id`.
//!
//! What is no answer is an error of the call, never a fail:
//! - `connect`: the command can not be started;
//! - `server`: it ended, or it answers with an `error`;
//! - `bad_body`: a line that is no JSON object, an unknown `id`, an `id` answered twice, or a reply
//!   with unknown keys or without `output`;
//! - `reply_too_large`: a line of more than 16 MiB;
//! - `empty`: an empty `output` without a `finish_reason`.
//!
//! A line that belongs to no call can not be trusted, nor can what comes after it: all calls in
//! flight get its error, the process is killed, and the next call starts a new one. The reply to a
//! call that its caller gave up is dropped. The command sees the variables that its caller hands
//! over and no others: those of [`INHERITED`], and the suite's `api_key_env`.

mod flight;
mod message;
mod process;
#[cfg(test)]
mod tests;

pub use message::{decode, encode};
pub use process::{Exec, ExecCommand, ExecReply, INHERITED, MAX_REPLY_BYTES};
