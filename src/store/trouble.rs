//! A database that is lost in the middle of an operation, for tests: from a chosen call on it does not answer until it is healed.

use super::StoreError;

#[cfg(feature = "sabotage")]
mod armed {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::StoreError;

    /// Whether the calls of one store work. Cheap to clone.
    #[derive(Clone, Default)]
    pub struct Trouble(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        loss: Option<Loss>,
        /// Whether a call has failed.
        reached: bool,
    }

    /// Which calls fail.
    #[derive(Debug, Clone, Copy)]
    pub struct Loss {
        /// Calls, reads and writes, that still work.
        pub after: u32,
        /// Whether the first one that fails is carried out, and only its answer is lost.
        pub deaf: bool,
        /// Whether all work again after that one.
        pub once: bool,
    }

    impl Trouble {
        /// From now on, these are lost.
        pub fn lose(&self, loss: Loss) {
            *self.0.lock() = State { loss: Some(loss), reached: false };
        }

        /// Whether a call has failed.
        pub fn is_reached(&self) -> bool {
            self.0.lock().reached
        }

        /// All calls work again. Whether one had failed.
        pub fn heal(&self) -> bool {
            std::mem::take(&mut *self.0.lock()).reached
        }

        /// Whether a call works; `None`: it is carried out, and its answer is lost.
        fn fate(&self) -> Option<bool> {
            let mut state = self.0.lock();
            let Some(loss) = state.loss else { return Some(true) };
            if loss.after > 0 {
                state.loss = Some(Loss { after: loss.after - 1, ..loss });
                return Some(true);
            }
            state.loss = (!loss.once).then_some(Loss { deaf: false, ..loss });
            state.reached = true;
            (!loss.deaf).then_some(false)
        }

        pub(in crate::store) async fn around<R>(
            &self,
            call: impl Future<Output = Result<R, StoreError>>,
        ) -> Result<R, StoreError> {
            let lost = || StoreError::unavailable("lost, for a test");
            match self.fate() {
                Some(true) => call.await,
                Some(false) => Err(lost()),
                None => call.await.and_then(|_| Err(lost())),
            }
        }
    }
}

#[cfg(feature = "sabotage")]
pub use armed::{Loss, Trouble};

/// Nothing is lost in a build for use.
#[cfg(not(feature = "sabotage"))]
#[derive(Clone, Default)]
pub struct Trouble;

#[cfg(not(feature = "sabotage"))]
impl Trouble {
    pub(super) async fn around<R>(&self, call: impl Future<Output = Result<R, StoreError>>) -> Result<R, StoreError> {
        call.await
    }
}
