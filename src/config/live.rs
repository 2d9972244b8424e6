//! The configuration in force, which changes while the node runs. Who reads a hot key asks at the moment it needs the value.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Config;

/// Acts on a change; `false` unregisters it.
type Watcher = Box<dyn Fn(&Config) -> bool + Send + Sync>;

/// A handle on the configuration in force. Cheap to clone; clones are the same configuration.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    config: ArcSwap<Config>,
    watchers: Mutex<Vec<Watcher>>,
    changed: watch::Sender<()>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

impl From<Arc<Config>> for Live {
    fn from(config: Arc<Config>) -> Self {
        let (changed, _) = watch::channel(());
        Self(Arc::new(Inner { config: ArcSwap::new(config), watchers: Mutex::default(), changed }))
    }
}

impl Live {
    /// The configuration now. Not to be held for long.
    pub fn now(&self) -> Guard<Arc<Config>> {
        self.0.config.load()
    }

    /// The configuration now, to be held as long as one likes.
    pub fn owned(&self) -> Arc<Config> {
        self.0.config.load_full()
    }

    /// Puts a whole configuration in force, and tells those who must act on it. They have when this returns.
    pub fn put(&self, config: Config) {
        let config = Arc::new(config);
        let mut watchers = self.0.watchers.lock();
        self.0.config.store(config.clone());
        watchers.retain(|watcher| watcher(&config));
        drop(watchers);
        self.0.changed.send_replace(());
    }

    /// Calls `watcher` now and after each change, until it returns `false`. The first call covers changes made before.
    pub fn watch(&self, watcher: impl Fn(&Config) -> bool + Send + Sync + 'static) {
        let mut watchers = self.0.watchers.lock();
        if watcher(&self.now()) {
            watchers.push(Box::new(watcher));
        }
    }

    /// One section of it.
    pub fn section<T>(&self, of: fn(&Config) -> &T) -> Section<T> {
        Section(Source::Live(self.clone(), of))
    }
}

/// A section of the configuration in force, or one that never changes (for tests). Cheap to clone.
#[derive(Debug)]
pub struct Section<T: 'static>(Source<T>);

#[derive(Debug)]
enum Source<T: 'static> {
    Live(Live, fn(&Config) -> &T),
    Fixed(Arc<T>),
}

impl<T> Clone for Section<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Source::Live(live, of) => Source::Live(live.clone(), *of),
            Source::Fixed(value) => Source::Fixed(value.clone()),
        })
    }
}

impl<T> From<T> for Section<T> {
    fn from(value: T) -> Self {
        Self(Source::Fixed(Arc::new(value)))
    }
}

impl<T> Section<T> {
    /// The section now. A value that was read earlier does not change.
    pub fn now(&self) -> Now<T> {
        match &self.0 {
            Source::Live(live, of) => Now::Live(live.owned(), *of),
            Source::Fixed(value) => Now::Fixed(value.clone()),
        }
    }

    /// Calls `watcher` now and after each change, until it returns `false`.
    pub fn watch(&self, watcher: impl Fn(&T) -> bool + Send + Sync + 'static) {
        match &self.0 {
            Source::Live(live, of) => {
                let of = *of;
                live.watch(move |config| watcher(of(config)));
            }
            Source::Fixed(value) => {
                watcher(value);
            }
        }
    }

    /// Ticks as often as the section says at that moment.
    pub fn ticker(&self, every: fn(&T) -> Duration) -> Ticker
    where
        T: Send + Sync,
    {
        let changed = match &self.0 {
            Source::Live(live, _) => Some(live.0.changed.subscribe()),
            Source::Fixed(_) => None,
        };
        let section = self.clone();
        Ticker { every: Box::new(move || every(&section.now())), changed, last: None }
    }
}

/// A section as it was at one moment.
#[derive(Debug)]
pub enum Now<T: 'static> {
    /// Of the configuration then in force.
    Live(Arc<Config>, fn(&Config) -> &T),
    /// Of no configuration.
    Fixed(Arc<T>),
}

impl<T> Deref for Now<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Live(config, of) => of(config),
            Self::Fixed(value) => value,
        }
    }
}

/// Ticks at once and then every so often; a changed period holds from the last tick on. A tick that was missed is not made up for.
pub struct Ticker {
    every: Box<dyn Fn() -> Duration + Send + Sync>,
    changed: Option<watch::Receiver<()>>,
    last: Option<Instant>,
}

impl Ticker {
    /// Waits for the next tick. Nothing is lost if it is dropped before.
    pub async fn tick(&mut self) {
        while let Some(last) = self.last {
            let changed = async {
                match &mut self.changed {
                    Some(changed) => changed.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep_until(last + (self.every)()) => break,
                there = changed => if !there { self.changed = None },
            }
        }
        self.last = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::config::Span;

    fn live() -> Live {
        Arc::new(Config::default_embedded()).into()
    }

    #[test]
    fn readers_see_the_new_value_and_what_they_hold_stays() {
        let live = live();
        let points = live.section(|config| &config.points);
        let before = points.now();
        let mut config = Config::default_embedded();
        config.points.welcome = 77;
        live.put(config);
        assert_ne!(before.welcome, 77);
        assert_eq!((points.now().welcome, live.now().points.welcome), (77, 77));
    }

    #[test]
    fn watchers_are_told_until_they_are_gone() {
        let (live, told) = (live(), Arc::new(AtomicUsize::new(0)));
        let weak = Arc::downgrade(&told);
        live.watch(move |_| weak.upgrade().map(|told| told.fetch_add(1, Ordering::SeqCst)).is_some());
        live.put(Config::default_embedded());
        assert_eq!(told.load(Ordering::SeqCst), 2);
        drop(told);
        live.put(Config::default_embedded());
        assert!(live.0.watchers.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_period_holds_from_the_last_tick_on() {
        let live = live();
        let every = |seconds| {
            let mut config = Config::default_embedded();
            config.orders.sweep_every = Span(Duration::from_secs(seconds));
            config
        };
        live.put(every(3600));
        let mut ticker = live.section(|config| &config.orders).ticker(|orders| *orders.sweep_every);
        ticker.tick().await;
        let began = Instant::now();
        let (changed, ()) = tokio::join!(
            async {
                ticker.tick().await;
                began.elapsed()
            },
            async {
                tokio::time::sleep(Duration::from_secs(10)).await;
                live.put(every(30));
            }
        );
        assert_eq!(changed.as_secs(), 30);
    }
}
