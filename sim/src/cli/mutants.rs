//! `mutants`: bugs planted in the engine, each of which some oracle must catch.

use super::Exit;

/// TODO(once the planted bugs are in `sim/mutants`): build each and sweep it.
pub(super) fn run() -> Exit {
    eprintln!("not built yet");
    Exit::Usage
}
