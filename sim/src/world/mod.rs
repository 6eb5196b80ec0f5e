//! The simulated world: N real sites on simulated machines, driven by a plan.
//!
//! In reading order: [`ground`] is what both simulators share, over [`disk`], [`clock`], [`link`] and [`watch`]; [`env`]
//! and [`conn`] are a site's view of it; [`control`] carries faults out; [`site`] is a site's process; `fabric` is the
//! simulator itself, madsim or turmoil, chosen by the build.

pub mod clock;
pub mod conn;
pub mod control;
pub mod disk;
pub mod env;
pub mod ground;
pub mod link;
pub mod site;
pub mod watch;

#[cfg(not(madsim))]
pub mod interposer;
#[cfg(madsim)]
pub mod madsim;
#[cfg(not(madsim))]
pub mod turmoil;

/// The simulator that this build runs on.
#[cfg(madsim)]
pub use madsim as fabric;
#[cfg(not(madsim))]
pub use turmoil as fabric;

use crate::{outcome::Outcome, plan::Plan};
use env::SimEnv;
use std::sync::Arc;

/// What the host around a simulation happens to be: nothing that the simulation computes may depend on it. A second run
/// under another ambience shows what does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ambience(pub u64);

/// Puts something between the engine and its simulated world: nothing in a real run, a planted leak in the test that the
/// determinism check finds one.
pub trait Wrap: 'static {
    /// What the engine is given.
    type Env: anabranch::env::Env;
    /// Wraps a site's world.
    fn wrap(env: SimEnv) -> Self::Env;
}

/// Nothing between them.
pub struct Plain;

impl Wrap for Plain {
    type Env = SimEnv;

    fn wrap(env: SimEnv) -> SimEnv {
        env
    }
}

/// The name of this build's world.
pub const NAME: &str = fabric::NAME;

/// Runs a plan on a thread of its own. A panic in the world is handed on as its message.
pub fn run(plan: Arc<Plan>) -> Result<Outcome, String> {
    run_in::<Plain>(plan, Ambience::default())
}

/// [`run`] in a given ambience, with something between engine and world.
pub fn run_in<W: Wrap>(plan: Arc<Plan>, ambience: Ambience) -> Result<Outcome, String> {
    // A fresh thread: thread-local state of the standard library and of the simulators starts anew with each seed.
    let thread = std::thread::Builder::new().name(format!("seed {}", plan.seed)).stack_size(8 << 20);
    let running =
        thread.spawn(move || fabric::run::<W>(&plan, ambience)).expect("the host can start a thread");
    running.join().map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "panic".into())
    })
}

/// Whether a run is over: all sites read out, or given up on.
fn finished(
    run: &site::Run,
    now: std::time::Duration,
    quiet_since: &mut Option<std::time::Duration>,
    converged_at: &mut Option<std::time::Duration>,
    asked_at: &mut Option<std::time::Duration>,
) -> bool {
    /// How long reading a site out may take.
    const READ_OUT: std::time::Duration = std::time::Duration::from_secs(10);
    /// How long all must have claimed it: longer than between two claims.
    const CLAIMED: std::time::Duration = std::time::Duration::from_millis(600);
    match *asked_at {
        None => {
            if now < run.plan.heal_at || !run.all_clients_finished() {
                *quiet_since = None;
            }
            let quiet = *quiet_since.get_or_insert(now);
            if now >= quiet + CLAIMED && run.all_claim_convergence(quiet) {
                *converged_at = Some(now);
            }
            if converged_at.is_some() || now >= run.plan.deadline {
                *asked_at = Some(now);
                run.ask_for_dumps();
            }
            false
        }
        Some(asked) => run.has_all_dumps() || now >= asked + READ_OUT,
    }
}
