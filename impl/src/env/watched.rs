//! A value that tasks follow: each sees the latest, not every one.
//!
//! Like `tokio::sync::watch`, which this crate cannot use: that draws the order in which it wakes its followers from a
//! process-wide counter, so the second run of a seed in one process would differ from the first. Here followers wake in
//! the order in which they began to wait.

use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

struct Shared<T> {
    value: Mutex<(T, u64)>,
    changed: Notify,
}

/// The side that changes the value.
pub struct Watched<T> {
    shared: Arc<Shared<T>>,
}

/// One follower.
pub struct Follower<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T: Clone> Shared<T> {
    fn with<R>(&self, run: impl FnOnce(&mut (T, u64)) -> R) -> R {
        run(&mut self.value.lock().expect("no holder of this lock panics"))
    }
}

impl<T: Clone> Watched<T> {
    /// A value that nobody follows yet.
    pub fn new(value: T) -> Self {
        Self { shared: Arc::new(Shared { value: Mutex::new((value, 0)), changed: Notify::new() }) }
    }

    /// The value now.
    pub fn get(&self) -> T {
        self.shared.with(|(value, _)| value.clone())
    }

    /// A follower that has seen the value as it is now.
    pub fn follow(&self) -> Follower<T> {
        Follower { shared: self.shared.clone(), seen: self.shared.with(|(_, version)| *version) }
    }

    /// Changes the value; followers wake if `change` says that it did.
    pub fn change(&self, change: impl FnOnce(&mut T) -> bool) {
        let changed = self.shared.with(|(value, version)| {
            let changed = change(value);
            *version += u64::from(changed);
            changed
        });
        if changed {
            self.shared.changed.notify_waiters();
        }
    }
}

impl<T: Clone> Follower<T> {
    /// The value now; it counts as seen.
    pub fn latest(&mut self) -> T {
        self.shared.with(|(value, version)| {
            self.seen = *version;
            value.clone()
        })
    }

    /// Waits for a value that has not been seen, and counts it as seen. Safe to cancel.
    pub async fn changed(&mut self) {
        loop {
            let changed = self.shared.changed.notified();
            let now = self.shared.with(|(_, version)| *version);
            if now != self.seen {
                self.seen = now;
                return;
            }
            changed.await;
        }
    }

    /// Waits until the value is as wished.
    pub async fn wait_for(&mut self, is_it: impl Fn(&T) -> bool) {
        while !is_it(&self.latest()) {
            self.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test is a runtime of its own")]
    fn a_follower_sees_the_latest_value_and_misses_no_change() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let watched = Arc::new(Watched::new(0));
            let mut follower = watched.follow();
            let changing = watched.clone();
            let task = tokio::spawn(async move {
                for _ in 0..100 {
                    changing.change(|value| {
                        *value += 1;
                        true
                    });
                    tokio::task::yield_now().await;
                }
            });
            follower.wait_for(|value| *value == 100).await;
            task.await.expect("no panic");
            watched.change(|_| false);
            let waits = tokio::select! { biased; () = follower.changed() => false, () = tokio::task::yield_now() => true };
            assert!(waits, "an unchanged value wakes nobody");
        });
    }
}
