//! A failed seed in words: what was violated, the evidence, and last the command that shows it again.

use super::{panics, words};
use anabranch_sim::oracle::{Promise, Violation};
use serde_json::{Value, json};
use std::fmt::Write;

/// Violations told of one seed.
const VIOLATIONS_MAX: usize = 8;
/// Lines of evidence told of each; the report page has more.
const LINES_MAX: usize = 30;
/// Characters of each line.
const CHARS_MAX: usize = 300;

/// What failed.
pub(super) struct Told<'a> {
    /// The scenario.
    pub(super) scenario: &'a str,
    /// The seed.
    pub(super) seed: u64,
    /// What was violated; an error is a panic's message.
    pub(super) found: Result<&'a [Violation], &'a str>,
    /// The report page, if there is one.
    pub(super) page: Option<&'a str>,
    /// The command that runs it again.
    pub(super) replay: &'a str,
}

/// The failure in full.
pub(super) fn tell(told: &Told<'_>) -> String {
    let mut text = format!("\n{}\n", headline(told.scenario, told.seed, told.found));
    match told.found {
        Err(panic) => {
            let _ = writeln!(text, "  {}", panics::located(panic).replace('\n', "\n  "));
        }
        Ok(violations) => {
            for violation in violations.iter().take(VIOLATIONS_MAX) {
                let _ = writeln!(text, "  {} ({})", violation.oracle, promise(violation.promise));
                for line in violation.evidence.iter().take(LINES_MAX) {
                    let _ = writeln!(text, "    {}", words::short(line, CHARS_MAX));
                }
                left_out(&mut text, "    ", violation.evidence.len(), LINES_MAX, "line");
            }
            left_out(&mut text, "  ", violations.len(), VIOLATIONS_MAX, "violation");
        }
    }
    if let Some(page) = told.page {
        let _ = writeln!(text, "  report  {page}");
    }
    let _ = writeln!(text, "  replay  {}", told.replay);
    text
}

/// A failure in one line.
pub(super) fn headline(scenario: &str, seed: u64, found: Result<&[Violation], &str>) -> String {
    let what = match found {
        Err(panic) => format!("panic: {}", words::short(panic.lines().next().unwrap_or_default(), 100)),
        Ok(violations) => match violations {
            [] => "nothing was violated".into(),
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                format!("{}: {}{more}", promise(first.promise), first.oracle)
            }
        },
    };
    format!("FAIL {scenario} seed {}  {what}", words::seed(seed))
}

/// A violation as JSON.
pub(super) fn json(violation: &Violation) -> Value {
    json!({
        "oracle": violation.oracle,
        "promise": promise(violation.promise),
        "evidence": violation.evidence,
    })
}

fn promise(promise: Promise) -> &'static str {
    match promise {
        Promise::Safety => "safety",
        Promise::Liveness => "liveness",
    }
}

fn left_out(text: &mut String, indent: &str, all: usize, shown: usize, thing: &str) {
    if all > shown {
        let _ =
            writeln!(text, "{indent}… and {}", words::some((all - shown) as u64, &format!("more {thing}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_its_evidence_and_ends_with_the_command_that_shows_it() {
        let violations = [Violation {
            oracle: "accounting",
            promise: Promise::Safety,
            evidence: (0..40).map(|n| format!("line {n}")).collect(),
        }];
        let replay = "cargo sim replay steady --seed 0x0007";
        let told = Told { scenario: "steady", seed: 7, found: Ok(&violations), page: Some("x.html"), replay };
        let text = tell(&told);
        assert!(text.starts_with("\nFAIL steady seed 0x0007  safety: accounting\n"), "{text}");
        assert!(text.contains("    line 29\n    … and 10 more lines\n"), "{text}");
        assert!(text.ends_with(&format!("  replay  {replay}\n")), "{text}");
        let panicked = tell(&Told { found: Err("no such dot\nat all"), page: None, ..told });
        assert!(panicked.contains("panic: no such dot\n  no such dot\n  at all\n"), "{panicked}");
        assert!(panicked.ends_with(&format!("  replay  {replay}\n")), "{panicked}");
    }
}
