//! The page that a suite's reports hang on.

use super::{
    suite::{Row, header},
    words,
};
use anabranch_sim::world;
use maud::{DOCTYPE, PreEscaped, html};

const STYLE: &str = "
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 100rem; margin: 2rem auto; padding: 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; vertical-align: top; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
th:first-child { text-align: left } thead th { white-space: pre-line; vertical-align: bottom }
th small { display: block; font-weight: normal; max-width: 34rem }
.failed { font-weight: bold }
";

/// The page as HTML.
pub(super) fn page(rows: &[Row]) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Anabranch simulation, all scenarios" }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
                h1 { "All scenarios" }
                p { "World " b { (world::NAME) } ". Each name leads to the report of its run." }
                div.wide tabindex="0" role="group" aria-label="All scenarios" { table {
                    thead { tr { @for name in header() { th scope="col" { (name) } } } }
                    tbody {
                        @for row in rows {
                            tr.failed[row.verdict() != "pass"] {
                                th scope="row" {
                                    @match row.page() {
                                        Some(page) => { a href=(page) { (row.scenario) } },
                                        None => { (row.scenario) },
                                    }
                                    small { (row.question) }
                                }
                                td { (words::seed(row.seed)) }
                                @for cell in row.cells() { td { (cell) } }
                            }
                        }
                    }
                } }
            } }
        }
    };
    markup.into_string()
}
