//! Request bodies whose progress can be seen.
//!
//! The SDK's read time-out counts from the first byte sent, so it can't tell a stalled upload from
//! a slow one. These bodies note whenever the connection takes more of them.

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that a connection takes at once.
const FRAME: usize = 64 << 10;
/// How long a connection may take nothing, or a server may say nothing.
const STALL: Duration = Duration::from_secs(60);
/// Bytes that buffers on the way may still hold once the body is handed over, and the slowest
/// rate (bytes a second) at which they are taken to drain: a sixteenth of an uplink of 2 Mbit/s.
const IN_BUFFERS: u64 = 4 << 20;
const SLOWEST: u64 = 16 << 10;

/// When a request is given up, unless something moves before.
#[derive(Debug)]
pub(super) struct Patience(Mutex<Instant>);

impl Patience {
    /// For requests without a body worth mentioning.
    pub(super) fn new() -> Arc<Self> {
        Self::of(STALL)
    }

    /// For requests that take the server a while.
    pub(super) fn of(wait: Duration) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Instant::now() + wait)))
    }

    /// For a body that is sent in one piece, so that its progress can't be seen.
    fn unseen(size: u64) -> Arc<Self> {
        Self::of(STALL + Duration::from_secs(size / SLOWEST))
    }

    fn extend(&self, wait: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + wait;
    }

    fn deadline(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a request to its end; nothing if it stalled.
    pub(super) async fn hold<F: Future>(&self, request: F) -> Option<F::Output> {
        tokio::pin!(request);
        loop {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                output = &mut request => return Some(output),
                () = tokio::time::sleep_until(deadline) => {
                    if self.deadline() <= deadline {
                        return None;
                    }
                }
            }
        }
    }
}

/// A body in memory, handed out in frames without a copy.
struct Watched {
    rest: Bytes,
    patience: Arc<Patience>,
    drain: Duration,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.rest.len().min(FRAME);
        let frame = self.rest.split_to(size);
        let wait = if self.rest.is_empty() {
            STALL + self.drain
        } else {
            STALL
        };
        self.patience.extend(wait);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// A request body and the patience that goes with it. One that is hashed into the signature must
/// be in one piece; the others are watched.
pub(super) fn body(bytes: Bytes, signed: bool) -> (ByteStream, Arc<Patience>) {
    let size = bytes.len() as u64;
    if signed || bytes.is_empty() {
        return (ByteStream::from(bytes), Patience::unseen(size));
    }
    let patience = Patience::new();
    let watched = Watched {
        rest: bytes,
        patience: Arc::clone(&patience),
        drain: Duration::from_secs(size.min(IN_BUFFERS) / SLOWEST),
    };
    (ByteStream::new(SdkBody::from_body_1_x(watched)), patience)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_frame_that_is_taken_buys_time() {
        let (mut stream, patience) = body(Bytes::from(vec![7; FRAME + 1]), false);
        *patience.0.lock().expect("lock") = Instant::now();
        let before = patience.deadline();
        let frame = stream.next().await.expect("a frame").expect("infallible");
        assert_eq!(frame.len(), FRAME);
        assert!(patience.deadline() >= before + STALL);

        *patience.0.lock().expect("lock") = Instant::now();
        let before = patience.deadline();
        assert_eq!(
            stream
                .next()
                .await
                .expect("the rest")
                .expect("infallible")
                .len(),
            1
        );
        assert!(
            patience.deadline() > before + STALL,
            "buffers need time to drain"
        );
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_request_that_does_not_move_is_given_up() {
        let patience = Patience::of(Duration::ZERO);
        assert_eq!(patience.hold(std::future::pending::<()>()).await, None);
        assert_eq!(patience.hold(async { 7 }).await, Some(7));
    }

    #[test]
    fn a_watched_body_tells_its_length() {
        let (stream, _) = body(Bytes::from_static(b"tide"), false);
        assert_eq!(stream.size_hint(), (4, Some(4)));
    }
}
