//! The tables of a report.
//!
//! Invariant: no table has more than [`ROWS_MAX`] rows of a run's data, whatever the run; a table that leaves rows out
//! says how many there are.

use super::{
    measure::{self, Lag, QUANTILES, Steps},
    words,
};
use crate::{
    oracle::{Accounts, End, LostKind},
    outcome::Outcome,
};
use maud::{Markup, html};
use std::{collections::BTreeMap, time::Duration};

/// Rows of data of a table.
const ROWS_MAX: usize = 200;

/// The kinds of loss, in the order of their columns.
const LOST: [(LostKind, &str, &str); 4] = [
    (LostKind::AtBirth, "at birth", "never visible, not even where it was acknowledged"),
    (
        LostKind::OrderInverted,
        "order inverted",
        "beaten by a write that had been acknowledged before it began",
    ),
    (
        LostKind::LostUpdate,
        "lost update",
        "its client handed back context, and a writer that had not seen it won",
    ),
    (LostKind::Concurrent, "concurrent", "beaten by a write at the same time that had not seen it"),
];

/// The ends that keep or rightly end a write, in the order of their columns.
const KEPT: [(End, &str, &str); 6] = [
    (End::Current, "current", "it is what its key shows"),
    (End::Sibling, "sibling", "it is live beside the winner"),
    (End::Noncurrent, "noncurrent", "it is readable as an older version, or as a retained loser"),
    (End::Superseded, "superseded", "a writer that had seen it replaced it"),
    (End::Deleted, "deleted", "a client that had seen it deleted it"),
    (End::Expired, "expired", "a rule of its bucket’s owner ended it"),
];

/// Where every acknowledged write ended; all rows add up to the last.
pub(super) fn ends(accounts: &Accounts) -> Markup {
    let all = accounts.acknowledged();
    let share = |number: usize| match (number, all) {
        (0, _) | (_, 0) => String::new(),
        _ => format!("{:.1} %", number as f64 * 100.0 / all as f64),
    };
    let destroyed = accounts.destroyed();
    let lost = accounts.lost();
    html! {
        div.wide tabindex="0" role="group" aria-label="Ends of writes" { table {
            thead { tr { th scope="col" { "End" } th.n scope="col" { "Writes" } th.n scope="col" { "Share" } th scope="col" { "Meaning" } } }
            tbody {
                @for (end, name, meaning) in KEPT {
                    @let number = accounts.count(|found| found == end);
                    tr { th scope="row" { (name) } (number_cell(number)) td.n { (share(number)) } td { (meaning) } }
                }
                tr {
                    th scope="row" { "destroyed" } (number_cell(destroyed)) td.n { (share(destroyed)) }
                    td {
                        "it went with the only disk that held it"
                        @if destroyed > 0 {
                            "; RPO: " b { (words::count(destroyed)) " writes" } ", " b { (words::bytes(accounts.destroyed_bytes)) }
                            ", up to " b { (words::micros(accounts.destroyed_age.as_micros() as u64)) } " old"
                        }
                    }
                }
                tr.bad[lost > 0] { th scope="row" { "lost" } (number_cell(lost)) td.n { (share(lost)) } td { "none of these" } }
                @for (kind, name, meaning) in LOST {
                    @let number = accounts.count(|end| end == End::Lost(kind));
                    tr.part.bad[number > 0] { th scope="row" { (name) } (number_cell(number)) td.n { (share(number)) } td { (meaning) } }
                }
            }
            tfoot { tr { th scope="row" { "acknowledged" } (number_cell(all)) td.n { (share(all)) } td {} } }
        } }
    }
}

/// The ends under each rule; the first one is Anabranch.
pub(super) fn rules(rules: &[(String, &Accounts)]) -> Markup {
    html! {
        div.wide tabindex="0" role="group" aria-label="Ends of writes under each rule" { table.dense {
            thead {
                tr {
                    th rowspan="2" scope="col" { "Rule" } th.n rowspan="2" scope="col" { "acked" }
                    th.group colspan=(KEPT.len()) scope="colgroup" { "kept, or ended by one who had seen it" }
                    th.n rowspan="2" scope="col" { "destroyed" br; "(RPO)" }
                    th.group colspan=(LOST.len() + 1) scope="colgroup" { "lost" }
                }
                tr {
                    @for (_, name, _) in KEPT { th.n scope="col" { (name) } }
                    th.n scope="col" { "all" }
                    @for (_, name, _) in LOST { th.n scope="col" { (name) } }
                }
            }
            tbody {
                @for (n, (rule, accounts)) in rules.iter().enumerate() {
                    tr.first[n == 0] {
                        th scope="row" { (rule) }
                        (number_cell(accounts.acknowledged()))
                        @for (end, _, _) in KEPT { (number_cell(accounts.count(|found| found == end))) }
                        (number_cell(accounts.destroyed()))
                        (lost_cell(accounts.lost()))
                        @for (kind, _, _) in LOST { (lost_cell(accounts.count(|end| end == End::Lost(kind)))) }
                    }
                }
            }
        } }
    }
}

fn number_cell(number: usize) -> Markup {
    html! { td.n.zero[number == 0] { (words::count(number)) } }
}

fn lost_cell(number: usize) -> Markup {
    html! { td.n.zero[number == 0].bad[number > 0] { (words::count(number)) } }
}

/// Percentiles outside faults, during faults and overall.
pub(super) fn lag(lag: &Lag) -> Markup {
    html! {
        div.wide tabindex="0" role="group" aria-label="Percentiles of replication lag" { table {
            thead { tr {
                th scope="col" { "Acknowledged" } th.n scope="col" { "samples" }
                @for (name, _) in QUANTILES { th.n scope="col" { (name) } }
            } }
            tbody {
                @for (name, samples) in [("outside faults", &lag.outside), ("during faults", &lag.during), ("at any time", &lag.overall)] {
                    tr {
                        th scope="row" { (name) }
                        (number_cell(samples.len() as usize))
                        @match measure::quantiles(samples) {
                            Some(values) => { @for us in values { td.n { (words::micros(us)) } } },
                            None => { @for _ in QUANTILES { td.n.zero { "–" } } },
                        }
                    }
                }
            }
        } }
    }
}

/// The data of the chart of lag: second, samples, and the values at [`QUANTILES`] in microseconds.
pub(super) fn lag_seconds(seconds: &[(u64, u64, [u64; QUANTILES.len()])]) -> Markup {
    let shown = spread(seconds.len());
    html! {
        details {
            summary { (data_of(seconds.len(), shown.len())) }
            table {
                thead { tr {
                    th.n scope="col" { "second" } th.n scope="col" { "samples" }
                    @for (name, _) in QUANTILES { th.n scope="col" { (name) } }
                } }
                tbody { @for n in shown {
                    @let (second, samples, values) = &seconds[n];
                    tr {
                        td.n { (second) } td.n { (samples) }
                        @for us in values { td.n { (words::micros(*us)) } }
                    }
                } }
            }
        }
    }
}

/// The data of a chart of steps: a row for each instant at which some series changed.
pub(super) fn steps(series: &[(String, &Steps)]) -> Markup {
    let changes = |most: usize| {
        let mut instants: Vec<Duration> = Vec::new();
        for (_, steps) in series {
            instants.extend(measure::thin(steps, most).into_iter().map(|step| step.0));
        }
        instants.sort_unstable();
        instants.dedup();
        instants
    };
    let all = changes(usize::MAX);
    // Thinned by series, so that each one's peaks stay.
    let shown = if all.len() <= ROWS_MAX { all.clone() } else { changes(ROWS_MAX / series.len().max(1)) };
    html! {
        details {
            summary { (data_of(all.len(), shown.len())) }
            table {
                thead { tr { th.n scope="col" { "from" } @for (name, _) in series { th.n scope="col" { (name) } } } }
                tbody { @for at in shown {
                    tr {
                        td.n { (words::instant(at)) }
                        @for (_, steps) in series { td.n { (words::count(measure::value_at(steps, at))) } }
                    }
                } }
            }
        }
    }
}

/// Every planned fault and whether it was in effect.
pub(super) fn faults(outcome: &Outcome) -> Markup {
    let faults = &outcome.plan.faults;
    html! {
        div.wide tabindex="0" role="group" aria-label="Fault schedule" { table {
            thead { tr {
                th.n scope="col" { "Begin" } th.n scope="col" { "End" } th scope="col" { "What" } th scope="col" { "Drawn" } th scope="col" { "In effect" }
            } }
            tbody { @for (n, fault) in faults.iter().enumerate().take(ROWS_MAX) {
                @let is_effective = outcome.effective.contains(&n);
                tr {
                    td.n { (words::instant(fault.at)) } td.n { (words::instant(fault.until)) }
                    th scope="row" { (words::fault(&fault.fault)) }
                    td { code { (words::details(fault)) } }
                    td { @if is_effective { "yes" } @else { span.zero { "no" } } }
                }
            } }
        } }
        @if faults.len() > ROWS_MAX { p.note { "… and " (faults.len() - ROWS_MAX) " more." } }
    }
}

/// The engine's marks with how often each was reached.
pub(super) fn marks(marks: &BTreeMap<&'static str, u64>) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Mark" } th.n scope="col" { "Times" } } }
            tbody { @for (mark, times) in marks.iter().take(ROWS_MAX) {
                tr { th scope="row" { code { (mark) } } (number_cell(*times as usize)) }
            } }
        }
    }
}

fn data_of(all: usize, shown: usize) -> String {
    let whole = words::count(all);
    if all == shown {
        format!("Data: {whole} rows")
    } else {
        format!("Data: {} of {whole} rows", words::count(shown))
    }
}

/// Places of at most [`ROWS_MAX`] rows out of many, evenly spread, the first and the last among them.
fn spread(rows: usize) -> Vec<usize> {
    if rows <= ROWS_MAX {
        return (0..rows).collect();
    }
    (0..ROWS_MAX).map(|n| n * (rows - 1) / (ROWS_MAX - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_grows_beyond_its_bound() {
        let saw = |site: u64| {
            (0..9000).map(|n| (Duration::from_micros(n * 1000 + site), (n % 7) as usize)).collect()
        };
        let saws: Vec<Steps> = (0..5).map(saw).collect();
        let series: Vec<(String, &Steps)> = saws.iter().map(|saw| ("s".to_owned(), saw)).collect();
        let table = steps(&series).into_string();
        let rows = table.matches("<tr>").count() - 1;
        assert!((180..=ROWS_MAX).contains(&rows), "{rows}");
        assert!(table.contains("of 45\u{2009}000 rows"));
        assert_eq!(
            (spread(9000).len(), spread(9000)[ROWS_MAX - 1], spread(3)),
            (ROWS_MAX, 8999, vec![0, 1, 2])
        );
    }
}
