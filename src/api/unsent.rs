//! Answers that an HTTP/2 client leaves lying. By flow control it can ask for many on one connection, take none, and answer
//! pings all the same: nothing is then written that could take too long. So each answer must go on.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

/// Bytes handed on at once: what has left here waits for the client where nobody can see it.
const PIECE: usize = 16 * 1024;

/// The answers of one connection that are not all sent, and when each went on.
#[derive(Debug, Default)]
pub struct Unsent {
    answers: Mutex<HashMap<u64, Instant>>,
    next: AtomicU64,
}

impl Unsent {
    /// Watches over an answer. Streams of events have no length, and nothing waits in them.
    pub fn watch(self: &Arc<Self>, body: Body) -> Body {
        if body.size_hint().exact().is_none_or(|length| length == 0) {
            return body;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.answers.lock().insert(number, Instant::now());
        Body::new(Watched { unsent: self.clone(), number, rest: Bytes::new(), body })
    }

    /// Resolves once an answer has not gone on for longer than `patience`.
    pub async fn stalls(&self, patience: Duration) {
        loop {
            sleep(patience).await;
            let stalled = |since: &Instant| since.elapsed() > patience;
            if self.answers.lock().values().any(stalled) {
                return;
            }
        }
    }
}

struct Watched {
    unsent: Arc<Unsent>,
    number: u64,
    /// Of the frame that is being handed on.
    rest: Bytes,
    body: Body,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        self.unsent.answers.lock().insert(self.number, Instant::now());
        let piece = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.body.size_hint().exact().unwrap_or_default();
        SizeHint::with_exact(left + self.rest.len() as u64)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.unsent.answers.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test(start_paused = true)]
    async fn an_answer_stalls_while_it_does_not_go_on() {
        let unsent = Arc::<Unsent>::default();
        let patience = Duration::from_secs(10);
        let mut body = unsent.watch(Body::from(vec![7; 3 * PIECE]));
        let began = Instant::now();
        let stalls = async { unsent.stalls(patience).await };
        tokio::pin!(stalls);
        for _ in 0..3 {
            assert!(tokio::time::timeout(patience * 9 / 10, &mut stalls).await.is_err());
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), PIECE);
        }
        stalls.await;
        assert!(began.elapsed() < patience * 5);
        drop(body);
        assert!(tokio::time::timeout(patience * 9, unsent.stalls(patience)).await.is_err(), "none is left");
    }

    #[tokio::test]
    async fn what_arrives_is_what_was_sent() {
        let unsent = Arc::<Unsent>::default();
        let sent: Bytes = (0..PIECE * 2 + 5).map(|n| n as u8).collect();
        let body = unsent.watch(Body::from(sent.clone()));
        assert_eq!(body.size_hint().exact(), Some(sent.len() as u64));
        assert_eq!(body.collect().await.unwrap().to_bytes(), sent);
        assert!(unsent.answers.lock().is_empty());
    }
}
