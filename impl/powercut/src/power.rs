//! The power of one disk: when it goes, nothing that the process does reaches the disk any more, and nothing answers.
//!
//! A cut is set to a step, a request that would change the disk, and happens instead of it: before, between and within
//! syncs alike, for of a sync that was cut off a part of the sectors may be written. Requests then wait until the process
//! was killed, so that it never sees an error: it ends in the middle of what it does.

use crate::disk::{Disk, Dropped, Keep, Lie};
use std::sync::{Condvar, Mutex, MutexGuard};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Supply {
    On,
    /// Nothing answers.
    Cut,
    /// The process is being ended: its last requests are refused, so that it can go.
    Off,
}

struct State {
    disk: Disk,
    supply: Supply,
    /// Steps until the cut, if one is to come.
    left: Option<u64>,
    steps: u64,
}

/// A disk and its power.
pub(crate) struct Power {
    state: Mutex<State>,
    changed: Condvar,
}

/// A request to the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// It changes nothing.
    Look,
    /// It changes what is shown, or what is durable.
    Step,
}

/// Access to the disk while the power is on.
pub(crate) struct Held<'a>(MutexGuard<'a, State>);

impl std::ops::Deref for Held<'_> {
    type Target = Disk;
    fn deref(&self) -> &Disk {
        &self.0.disk
    }
}

impl std::ops::DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Disk {
        &mut self.0.disk
    }
}

impl Power {
    /// An empty disk without power.
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { disk: Disk::new(seed), supply: Supply::Off, left: None, steps: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Takes a request; none if the power is gone and the process with it.
    pub(crate) fn take(&self, request: Request) -> Option<Held<'_>> {
        let mut state = self.state();
        if state.supply == Supply::On && request == Request::Step {
            state.steps += 1;
            match &mut state.left {
                Some(0) => state.supply = Supply::Cut,
                Some(left) => *left -= 1,
                None => {}
            }
        }
        let state = self.changed.wait_while(state, |state| state.supply == Supply::Cut);
        let state = state.expect("no holder of this lock panics");
        (state.supply == Supply::On).then_some(Held(state))
    }

    /// Power comes, with a cut after so many steps, or without one.
    pub(crate) fn on(&self, cut_after: Option<u64>) {
        let mut state = self.state();
        (state.supply, state.left) = (Supply::On, cut_after);
    }

    /// Sets the next cut, or takes it back.
    pub(crate) fn cut_after(&self, steps: Option<u64>) {
        self.state().left = steps;
    }

    /// Whether the cut has come.
    pub(crate) fn is_cut(&self) -> bool {
        self.state().supply == Supply::Cut
    }

    /// Refuses what still waits. The process must have been sent its kill.
    pub(crate) fn off(&self) {
        self.state().supply = Supply::Off;
        self.changed.notify_all();
    }

    /// Drops what was not durable. The process must have ended.
    pub(crate) fn forget(&self, keep: Keep) -> Dropped {
        let mut state = self.state();
        assert!(state.supply == Supply::Off, "nobody uses the disk while it forgets");
        state.disk.cut(keep)
    }

    /// Lies about syncs from now on.
    pub(crate) fn lie(&self, lie: Lie) {
        self.state().disk.lie(lie);
    }

    /// Requests so far that changed the disk.
    pub(crate) fn steps(&self) -> u64 {
        self.state().steps
    }
}
