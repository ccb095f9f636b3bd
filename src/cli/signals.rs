//! SIGINT and SIGTERM as values: the first lets requests in flight end, the second does not.

use tokio::sync::mpsc;

use crate::runner::Interrupt;

/// Signals as they come. The listening ends with the runtime.
#[must_use]
pub fn listen(tasks: &mut tokio::task::JoinSet<()>) -> mpsc::Receiver<Interrupt> {
    let (sender, receiver) = mpsc::channel(4);
    tasks.spawn(forward(sender));
    receiver
}

#[cfg(unix)]
async fn forward(sender: mpsc::Sender<Interrupt>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    loop {
        let signal = tokio::select! {
            Some(()) = interrupt.recv() => Interrupt::Interrupted,
            Some(()) = terminate.recv() => Interrupt::Terminated,
            else => return,
        };
        if sender.send(signal).await.is_err() {
            return;
        }
    }
}

#[cfg(not(unix))]
async fn forward(sender: mpsc::Sender<Interrupt>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if sender.send(Interrupt::Interrupted).await.is_err() {
            return;
        }
    }
}
