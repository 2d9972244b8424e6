//! Work on a connection as one type, whatever its result. What runs it (tasks, deadlines, transactions, queues) is compiled once, not
//! for each of the hundreds of statements: that was a fifth of the program.

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::StoreError;

/// Work on a connection `C`, of which only its success is known here. [`erase`] makes it.
pub(super) type Work<C> = Box<dyn for<'c> FnOnce(&'c mut C) -> BoxFuture<'c, Result<(), StoreError>> + Send>;

/// Where [`Work`] leaves its result.
pub(super) struct Outcome<R>(oneshot::Receiver<R>);

impl<R: Send + 'static> Outcome<R> {
    /// Waits until the work has been run, and takes its result.
    pub(super) async fn of(mut self, run: impl Future<Output = Result<(), StoreError>>) -> Result<R, StoreError> {
        run.await?;
        self.0.try_recv().map_err(|_| StoreError::internal("work on the database left no result"))
    }
}

/// Separates work from its result.
pub(super) fn erase<C, R, F>(work: F) -> (Work<C>, Outcome<R>)
where
    R: Send + 'static,
    F: for<'c> FnOnce(&'c mut C) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
{
    let (result, outcome) = oneshot::channel();
    let work: Work<C> = Box::new(move |conn| deliver(work(conn), result));
    (work, Outcome(outcome))
}

/// A function of its own, because it depends on the result's type only.
fn deliver<R: Send + 'static>(
    work: BoxFuture<'_, Result<R, StoreError>>,
    result: oneshot::Sender<R>,
) -> BoxFuture<'_, Result<(), StoreError>> {
    Box::pin(async move {
        // The caller may be gone; what was done stands all the same.
        let _gone = result.send(work.await?);
        Ok(())
    })
}
