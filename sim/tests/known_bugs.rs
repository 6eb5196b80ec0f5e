//! Seeds that found bugs, each with the bug. A seed rots when the code around it moves; it still costs little to ask.

use anabranch_sim::{oracle::Verdict, runner, scenario::Scenario};
use std::path::Path;

/// Scenario, seed (of the madsim world), and what it found.
const FOUND: [(&str, u64, &str); 16] = [
    ("bad-wires", 135, "a bit flipped in a frame's length made the reader swallow all frames after it"),
    ("bit-rot", 8, "state merges spread the mark of a damaged record to every site"),
    (
        "bit-rot",
        97,
        "the body of a version that ended while its record was out of service was wanted for ever",
    ),
    ("bit-rot", 103, "a withdrawn record was sent as absent in a state merge, and read as purged"),
    (
        "bit-rot",
        279,
        "repair on top of a partial record kept versions alive that the lost part had known to be dead",
    ),
    (
        "bit-rot",
        993,
        "a rotten row of a replaced body ended the process, and redb could not be repaired after it",
    ),
    ("bit-rot", 429, "a corrupt record that nobody read kept its body from the sites that wanted it"),
    ("crash-restart", 0, "a body purged at every other site was taken for lost"),
    ("site-rebuild", 62, "a caller that died before it said who it was held up a site's listener for ever"),
    (
        "site-rebuild",
        132,
        "what was staged of a state that logs had overtaken kept a site from ever being compared",
    ),
    (
        "split-brain",
        2,
        "an audit waited ten minutes for a peer that a partition had silenced, and kept all others waiting",
    ),
    (
        "delete-race",
        0,
        "a version shown again since a moment ago counted as seen by a client that had not seen it",
    ),
    ("full-disk", 19, "a site that had come back was kept from its peers while it was read out"),
    ("lost-bodies", 16, "a replaced version's body was collected while its successor's was at one site only"),
    ("lost-bodies", 0, "the body before a lost one was brought back without looking whether it can be read"),
    ("lost-bodies", 9, "a run ended while its clients were still writing"),
];

#[test]
fn what_was_found_once_stays_fixed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for (name, seed, bug) in FOUND {
        let scenario = Scenario::load(&folder, name).expect("a scenario of ours is valid");
        let run =
            runner::run(&scenario, seed).unwrap_or_else(|panic| panic!("{name} {seed} ({bug}): {panic}"));
        let verdict = run.judgement.verdict();
        assert!(
            !matches!(verdict, Verdict::Unsafe | Verdict::NotLive),
            "{name} {seed}, which once found that {bug}: {:#?}",
            run.judgement.violations
        );
    }
}
