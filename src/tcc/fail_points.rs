//! Named places where a test can abort the process or one call: before and after each commit.

#[cfg(feature = "sabotage")]
mod armed {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::sync::Notify;

    /// Where calls are to end. Cheap to clone.
    #[derive(Clone, Default)]
    pub struct FailPoints(Arc<Inner>);

    #[derive(Default)]
    struct Inner {
        armed: Mutex<Option<&'static str>>,
        reached: Notify,
    }

    impl FailPoints {
        /// The next call that comes to `name` goes no further; nobody hears of it again.
        pub fn arm(&self, name: &'static str) {
            *self.0.armed.lock() = Some(name);
        }

        /// Waits until a call has come to the armed point.
        pub async fn reached(&self) {
            self.0.reached.notified().await;
        }

        /// Ends here if this point is armed. `DOORBUSTER_SABOTAGE=crash.NAME` ends the process, as SIGKILL would.
        pub async fn pass(&self, name: &'static str) {
            if crate::kernel::sabotage::active(&format!("crash.{name}")) {
                std::process::abort();
            }
            let armed = self.0.armed.lock().take_if(|armed| *armed == name).is_some();
            if armed {
                self.0.reached.notify_one();
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(feature = "sabotage")]
pub use armed::FailPoints;

/// Nothing ends here in a build for use.
#[cfg(not(feature = "sabotage"))]
#[derive(Clone, Default)]
pub struct FailPoints;

#[cfg(not(feature = "sabotage"))]
impl FailPoints {
    /// Goes on.
    pub async fn pass(&self, _: &'static str) {}
}
