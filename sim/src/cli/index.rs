//! The page that a suite's reports hang on.

use super::{
    suite::{Row, header},
    words,
};
use anabranch_sim::{report, world};
use maud::{DOCTYPE, PreEscaped, html};

/// What the reports' own style leaves open: more columns than a run has, and a scenario's question above its figures.
const STYLE: &str = "
main { max-width: 76rem; }
thead th { white-space: pre-line; }
tbody tr.name th { padding: 1rem 0 0.1rem; border-bottom: 0; }
tbody tr.name a, tbody tr.name b { font-weight: 600; margin-right: 0.6rem; }
tbody tr.name span { color: var(--muted); }
a { color: var(--accent); }
";

/// The page as HTML.
pub(super) fn page(rows: &[Row]) -> String {
    let header = header();
    let (passed, all) = (rows.iter().filter(|row| row.verdict() == "pass").count(), rows.len());
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Anabranch simulation, all scenarios" }
                style { (PreEscaped(report::STYLE)) (PreEscaped(STYLE)) }
            }
            body { main {
                header {
                    p.where { "Anabranch simulation" }
                    h1 { "All scenarios" }
                    p.where { "world " b { (world::NAME) } " · " b { (passed) } " of " b { (all) } " passed" }
                    p.question { "Each name leads to the report of its run." }
                }
                section.wide tabindex="0" role="group" aria-label="All scenarios" { table.dense {
                    thead { tr {
                        // The name stands above its figures, on a line of its own.
                        @for name in &header[1..] { th.n scope="col" { (name) } }
                    } }
                    @for row in rows {
                        tbody {
                            tr.name { th colspan=(header.len() - 1) scope="rowgroup" {
                                @match row.page() {
                                    Some(page) => a href=(page) { (row.scenario) },
                                    None => b { (row.scenario) },
                                }
                                span { (row.question) }
                            } }
                            tr.bad[row.verdict() != "pass"] {
                                td.n { (words::seed(row.seed)) }
                                @for cell in row.cells() { td.n.zero[cell == "0"] { (cell) } }
                            }
                        }
                    }
                } }
            } }
        }
    };
    markup.into_string()
}
