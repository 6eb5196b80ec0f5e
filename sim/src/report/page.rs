//! One run as one HTML page: the verdict first, then its evidence, then how the run went.
//!
//! Invariants: the page loads nothing and runs no script; everything that came from a run is escaped; every chart is
//! followed by its data; lists that a run could make arbitrarily long are bounded, and say what they leave out.

use super::{
    Report,
    chart::{self, Band, Frame},
    measure::{self, Measures, Steps},
    tables, words,
};
use crate::{
    oracle::{Judgement, Promise, Verdict, Violation},
    outcome::Outcome,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::time::Duration;

/// The style of all pages, light and dark.
pub const STYLE: &str = include_str!("page.css");

/// Violations shown in full. With the two bounds below, evidence stays under half a megabyte before it is escaped.
const VIOLATIONS_MAX: usize = 16;
/// Lines of evidence shown of each.
const EVIDENCE_LINES_MAX: usize = 100;
/// Characters of such a line.
const EVIDENCE_CHARS_MAX: usize = 300;

/// The page of a run.
pub(super) fn page(report: &Report<'_>) -> Markup {
    let outcome = report.outcome;
    let plan = &outcome.plan;
    let measures = measure::measure(outcome);
    let bands = bands(outcome);
    let frame = Frame { until: axis_end(outcome, &measures), bands: &bands };
    let title = format!("{}, seed {}, {}", plan.scenario, plan.seed, report.judgement.verdict().word());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Anabranch simulation" }
                style { (PreEscaped(STYLE)) (PreEscaped(chart::STYLE)) }
            }
            body {
                main {
                    header {
                        p.where { "Anabranch simulation" }
                        h1 { (plan.scenario) }
                        p.where {
                            "seed " b { (plan.seed) } " · world " b { (report.world) } " · "
                            b { (plan.sites) } " sites"
                        }
                        p.question { (report.question) }
                    }
                    (banner(report))
                    (violations(&report.judgement.violations))
                    (ends(report))
                    (lag(frame, &measures))
                    (divergence(frame, &measures))
                    (backlog(frame, &measures))
                    (faults(outcome))
                    (marks(outcome))
                    (environment(report))
                }
            }
        }
    }
}

fn banner(report: &Report<'_>) -> Markup {
    let judgement = report.judgement;
    let verdict = judgement.verdict();
    let tone = match verdict {
        Verdict::Pass => "good",
        Verdict::Unsafe | Verdict::NotLive => "bad",
        Verdict::Inconclusive => "open",
    };
    html! {
        section.banner.(tone) aria-label="Verdict" {
            p.verdict { (verdict.word()) }
            p { (summary(judgement)) }
            @for reason in &judgement.inconclusive { p { "The run proves little: " (reason) "." } }
            p.replay { "Run it again: " code tabindex="0" { (report.replay) } }
        }
    }
}

fn summary(judgement: &Judgement) -> String {
    let accounts = &judgement.accounts;
    let writes = words::count(accounts.acknowledged());
    let safety = judgement.violations.iter().filter(|v| v.promise == Promise::Safety).count();
    match (judgement.violations.len(), accounts.lost()) {
        (0, 0) => format!("No promise was broken. None of {writes} acknowledged writes was lost."),
        (all, lost) => format!(
            "Broken promises: {safety} of safety, {} of liveness. Lost: {} of {writes} acknowledged writes.",
            all - safety,
            words::count(lost),
        ),
    }
}

fn violations(violations: &[Violation]) -> Markup {
    if violations.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "What was violated" }
            @for violation in violations.iter().take(VIOLATIONS_MAX) {
                @let left_out = violation.evidence.len().saturating_sub(EVIDENCE_LINES_MAX);
                h3 {
                    (violation.oracle) " "
                    span.kind {
                        @match violation.promise { Promise::Safety => "safety", Promise::Liveness => "liveness" }
                    }
                }
                pre tabindex="0" {
                    @for line in violation.evidence.iter().take(EVIDENCE_LINES_MAX) {
                        @let whole = line.char_indices().nth(EVIDENCE_CHARS_MAX);
                        @match whole {
                            Some((end, _)) => { (line[..end]) "…" },
                            None => (line),
                        }
                        "\n"
                    }
                    @if left_out > 0 { "… and " (left_out) " more lines\n" }
                }
            }
            @if violations.len() > VIOLATIONS_MAX {
                p.note { "… and " (violations.len() - VIOLATIONS_MAX) " more violations." }
            }
        }
    }
}

fn ends(report: &Report<'_>) -> Markup {
    let accounts = &report.judgement.accounts;
    let rules: Vec<(String, &_)> = std::iter::once(("Anabranch".to_owned(), accounts))
        .chain(report.baselines.iter().map(|(rule, accounts)| (rule.clone(), accounts)))
        .collect();
    html! {
        section {
            h2 { "What happened to every acknowledged write" }
            (tables::ends(accounts))
        }
        section {
            h2 { "Lost writes next to other rules" }
            p.note {
                "The same plan under each rule. Destroyed writes went with the only disk that held them: no rule could have \
                 kept them, and they are what the recovery point objective (RPO) allows. Lost writes are the rule's own."
            }
            (tables::rules(&rules))
        }
    }
}

fn lag(frame: Frame<'_>, measures: &Measures) -> Markup {
    let lag = &measures.lag;
    let seconds: Vec<_> = lag
        .per_second
        .iter()
        .filter_map(|(second, samples)| Some((*second, samples.len(), measure::quantiles(samples)?)))
        .collect();
    let points: Vec<_> = seconds.iter().map(|(second, _, values)| (*second, *values)).collect();
    let label = match measure::quantiles(&lag.overall) {
        Some([median, .., max]) => format!(
            "Replication lag over simulated time: percentiles by the second, median {}, largest {}.",
            words::micros(median),
            words::micros(max),
        ),
        None => "Replication lag over simulated time: no samples.".to_owned(),
    };
    html! {
        section {
            h2 { "Replication lag" }
            p.note {
                "From the answer to a write's client until another site durably covers that write: one sample for each of "
                (words::count(lag.writes)) " writes and each other site. A write counts as during faults if one was in effect \
                 when it was acknowledged. "
                @if lag.never == 0 { "Every write reached every site." }
                @else { strong.bad { (words::count(lag.never)) " times a write never reached a site." } }
            }
            (tables::lag(lag))
            (figure(&chart::lag(frame, &label, &points), "Lag by the second in which the write was acknowledged. Where percentiles coincide, the highest is drawn."))
            (tables::lag_seconds(&seconds))
        }
    }
}

fn divergence(frame: Frame<'_>, measures: &Measures) -> Markup {
    let divergence = &measures.divergence;
    let peak = words::count(divergence.peak);
    let above = words::instant(divergence.above_zero);
    let label =
        format!("Divergence over simulated time: at most {peak} keys at once, above zero for {above}.");
    let series = [("keys".to_owned(), &divergence.steps)];
    html! {
        section {
            h2 { "Divergence" }
            p.note {
                "Keys with an acknowledged write that some sites have and others lack: at most " b { (peak) }
                " at once, at least one for " b { (above) } " in all."
            }
            (figure(&chart::steps(frame, &label, "keys", &series), "Keys on which the sites differ."))
            (tables::steps(&series))
        }
    }
}

fn backlog(frame: Frame<'_>, measures: &Measures) -> Markup {
    let series: Vec<(String, &Steps)> =
        measures.backlog.iter().map(|(site, steps)| (format!("s{site}"), steps)).collect();
    let peaks: Vec<String> = series
        .iter()
        .map(|(site, steps)| format!("{site} {}", steps.iter().map(|step| step.1).max().unwrap_or(0)))
        .collect();
    let label = format!("Backlog of each site over simulated time. Peaks: {}.", peaks.join(", "));
    html! {
        section {
            h2 { "Backlog" }
            (figure(&chart::steps(frame, &label, "writes", &series), "Acknowledged writes that another site has and this one lacks."))
            (tables::steps(&series))
        }
    }
}

fn figure(chart: &str, caption: &str) -> Markup {
    html! {
        figure {
            div.wide tabindex="0" role="group" aria-label=(caption) { (PreEscaped(chart)) }
            figcaption { (caption) " Shaded: a fault was in effect." }
        }
    }
}

fn faults(outcome: &Outcome) -> Markup {
    html! {
        section {
            h2 { "Fault schedule" }
            @if outcome.plan.faults.is_empty() { p.note { "No faults were planned." } }
            @else { (tables::faults(outcome)) }
        }
    }
}

fn marks(outcome: &Outcome) -> Markup {
    html! {
        section {
            h2 { "Marks reached" }
            @if outcome.marks.is_empty() { p.note { "The engine reached no mark." } }
            @else {
                p.note { "Rare paths of the engine that this run went through." }
                (tables::marks(&outcome.marks))
            }
        }
    }
}

fn environment(report: &Report<'_>) -> Markup {
    let (outcome, judgement) = (report.outcome, report.judgement);
    let plan = &outcome.plan;
    let (begun, planned) = (outcome.history.operations.len(), plan.ops.len());
    let (answered, healthy) = judgement.acknowledged;
    let rows = [
        ("World", report.world.to_owned()),
        ("Scenario and seed", format!("{}, {}", plan.scenario, plan.seed)),
        ("Sites", format!("{}, with {} clients each", plan.sites, plan.clients)),
        ("Links, one way", links(outcome)),
        ("Operations", format!("{} begun of {} planned", words::count(begun), words::count(planned))),
        ("Answered at healthy sites", format!("{} of {}", words::count(answered), words::count(healthy))),
        ("Conflicts", format!("{} pairs of concurrent writes", words::count(judgement.conflicts as usize))),
        ("Faults in effect", format!("{} of {} planned", judgement.faults, plan.faults.len())),
        ("Faults end", words::instant(plan.heal_at)),
        ("Converged", outcome.converged_at.map_or("never".to_owned(), words::instant)),
        ("Simulated time", words::instant(outcome.simulated)),
        (
            "Network",
            format!(
                "{} in {} chunks",
                words::bytes(outcome.traffic.0),
                words::count(outcome.traffic.1 as usize)
            ),
        ),
        ("Trace", format!("{:016x} over {} events", outcome.trace.0, words::count(outcome.trace.1 as usize))),
    ];
    html! {
        section {
            h2 { "Environment" }
            table.pairs { tbody {
                @for (name, value) in rows { tr { th scope="row" { (name) } td { (value) } } }
            } }
            @if !outcome.stuck.is_empty() {
                h3 { "What the sites said of themselves at the end" }
                pre tabindex="0" { @for line in outcome.stuck.iter().take(EVIDENCE_LINES_MAX) { (line) "\n" } }
            }
        }
    }
}

fn links(outcome: &Outcome) -> String {
    let delays = || outcome.plan.links.values().map(|link| link.latency.as_micros() as u64);
    match (delays().min(), delays().max()) {
        (Some(low), Some(high)) if low < high => format!("{} to {}", words::micros(low), words::micros(high)),
        (Some(low), _) => words::micros(low),
        _ => "none".to_owned(),
    }
}

/// The faults that were in effect, for the charts.
fn bands(outcome: &Outcome) -> Vec<Band> {
    let in_effect = outcome.effective.iter().filter_map(|place| outcome.plan.faults.get(*place));
    in_effect.map(|f| Band { from: f.at, until: f.until, label: words::fault(&f.fault) }).collect()
}

/// Where the axes of time end: at the first whole second after everything has happened, not at the end of a long quiet.
fn axis_end(outcome: &Outcome, measures: &Measures) -> Duration {
    let steps = measures.backlog.values().chain([&measures.divergence.steps]);
    let changes = steps.filter_map(|steps| steps.last().map(|last| last.0));
    let faults = outcome.plan.faults.iter().map(|fault| fault.until);
    let acked = measures.lag.per_second.keys().map(|second| Duration::from_secs(second + 1));
    let ends = changes.chain(faults).chain(acked).chain(outcome.converged_at);
    let last = ends.max().unwrap_or(outcome.simulated);
    // A backlog that never drains is shown to the end.
    let is_stuck = measures.divergence.steps.last().is_some_and(|(_, keys)| *keys > 0);
    let last = if is_stuck { outcome.simulated.max(last) } else { last };
    Duration::from_secs(last.as_secs_f64().ceil().max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::{render, sample};
    use super::*;
    use crate::oracle::End;

    fn rendered(judgement: &Judgement) -> String {
        let outcome = sample::outcome();
        let baselines =
            [("last write <wins>".to_owned(), sample::accounts([(1, End::Current), (2, sample::LOST)]))];
        let (replay, question) = ("cargo sim run split --seed 7", "Does a split & heal lose writes?");
        render(&Report {
            question,
            world: "turmoil",
            outcome: &outcome,
            judgement,
            baselines: &baselines,
            replay,
        })
    }

    #[test]
    fn a_page_has_the_essentials_and_loads_nothing() {
        let page = rendered(&sample::judgement());
        for needed in [
            "<h1>split</h1>",
            "seed <b>7</b>",
            "world <b>turmoil</b>",
            "Does a split &amp; heal lose writes?",
            "cargo sim run split --seed 7",
            "VIOLATION",
            "last write &lt;wins&gt;",
            "partition s1",
            "00000000deadbeef",
            "RPO",
        ] {
            assert!(page.contains(needed), "{needed} is missing");
        }
        assert_eq!(page.matches("role=\"img\"").count(), 3);
        let charts = page.matches("</figure>").count();
        assert_eq!(page.matches("</figure><details>").count(), charts, "every chart is followed by its data");
        for refused in ["src=", "href=", "@import", "url(", "<script"] {
            assert!(!page.contains(refused), "{refused}");
        }
        assert_eq!(page, rendered(&sample::judgement()));
    }

    #[test]
    fn evidence_is_escaped_and_bounded() {
        let mut judgement = sample::judgement();
        judgement.violations[0].evidence = vec!["<script>alert(\"é\")</script>".repeat(100); 10_000];
        judgement.violations = vec![judgement.violations[0].clone(); 20];
        let page = rendered(&judgement);
        assert!(page.contains("&lt;script&gt;alert(&quot;é&quot;)"));
        assert!(!page.contains("<script"));
        assert!(page.contains("… and 9900 more lines"));
        assert!(page.len() < 1_000_000, "{}", page.len());
    }

    #[test]
    fn a_run_that_passed_says_so() {
        let mut judgement = sample::judgement();
        judgement.violations.clear();
        judgement.accounts = sample::accounts([(1, End::Current), (2, End::Superseded)]);
        let page = rendered(&judgement);
        assert!(page.contains("None of 2 acknowledged writes was lost"));
        assert!(!page.contains("What was violated"));
    }
}
