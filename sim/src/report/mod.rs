//! Reports: what one run was asked, what came out, and everything needed to see why.
//!
//! - [`measure`]: lag, divergence and backlog of a run, as plain data;
//! - `words`: figures, times and faults in words;
//! - [`chart`]: plain data as SVG, in the house style of charts;
//! - `tables`: where writes ended, lag, faults and the data behind the charts, as tables;
//! - `page`: all of it as one self-contained HTML page.
//!
//! A report only reads an outcome and its judgement: it decides nothing. The same run gives the same bytes.

pub mod chart;
pub mod measure;
mod page;
mod tables;
mod words;

pub use page::STYLE;

#[cfg(test)]
mod sample;

use crate::{
    oracle::{Accounts, Judgement},
    outcome::Outcome,
};

/// Everything that a report shows.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The scenario's question.
    pub question: &'a str,
    /// Which simulated world ran it.
    pub world: &'a str,
    /// The run.
    pub outcome: &'a Outcome,
    /// What it is worth.
    pub judgement: &'a Judgement,
    /// The same plan's writes under other rules, by the rule's name.
    pub baselines: &'a [(String, Accounts)],
    /// The command that runs it again.
    pub replay: &'a str,
}

/// The page as HTML: one file that needs no network and no script.
pub fn render(report: &Report<'_>) -> String {
    page::page(report).into_string()
}
