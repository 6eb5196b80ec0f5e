//! `validate`: the simulated network, disk and clocks against their own models.

use super::{Exit, put};

/// Prints what was checked; a model that does not hold makes every other verdict worthless.
pub(super) fn run() -> Exit {
    let holds = anabranch_sim::validate::run(&mut |line| put(&format!("{line}\n")));
    if holds { Exit::Passed } else { Exit::Unsafe }
}
