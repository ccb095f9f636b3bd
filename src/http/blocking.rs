//! One exchange for those who wait where no task can: it runs on a thread of its own.

use std::time::Duration;

use super::{Client, ClientOptions, HttpFault, HttpRequest, Reply};

/// Sends a request once, by a client with these limits, and reads the whole reply, whatever its status.
///
/// # Errors
/// When no whole reply came within the deadline.
pub fn ask(
    options: &ClientOptions,
    request: &HttpRequest<'_>,
    deadline: Duration,
) -> Result<Reply, HttpFault> {
    let exchange = || {
        let client = Client::new(options)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| HttpFault::Unsendable {
            detail: error.to_string(),
        })?;
        runtime.block_on(client.send(request, deadline))
    };
    std::thread::scope(|scope| match scope.spawn(exchange).join() {
        Ok(reply) => reply,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
