//! One run in words: what was asked, what came out, and what it rests on.

use super::{judged::Judged, words};
use anabranch_sim::{
    history::Ending,
    oracle::{Accounts, End, LostKind},
    outcome::Outcome,
    report::measure::{self, Lag, QUANTILES},
    world,
};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::{fmt::Write, time::Duration};

/// Where a write can end, in the order of the table's lines.
const ENDS: [(&str, End); 11] = [
    ("current", End::Current),
    ("sibling", End::Sibling),
    ("noncurrent", End::Noncurrent),
    ("superseded", End::Superseded),
    ("deleted", End::Deleted),
    ("expired", End::Expired),
    ("destroyed (RPO)", End::Destroyed),
    ("lost at birth", End::Lost(LostKind::AtBirth)),
    ("lost, order inverted", End::Lost(LostKind::OrderInverted)),
    ("lost update", End::Lost(LostKind::LostUpdate)),
    ("lost, concurrent", End::Lost(LostKind::Concurrent)),
];

/// The whole summary.
pub(super) fn tell(question: &str, judged: &Judged) -> String {
    let (outcome, judgement) = (&judged.finished.outcome, &judged.finished.judgement);
    let plan = &outcome.plan;
    let (answered, asked) = judgement.acknowledged;
    let converged = match outcome.converged_at {
        Some(at) => format!("at {}, faults had healed at {}", words::time(at), words::time(plan.heal_at)),
        None => format!("never; it had until {}", words::time(plan.deadline)),
    };
    let measures = measure::measure(outcome);
    let divergence = &measures.divergence;
    let diverged = format!("at most {}", words::some(divergence.peak as u64, "key"));
    let rows = [
        ("question", question.to_owned()),
        ("verdict", judgement.verdict().word().to_owned()),
        (
            "world",
            format!("{}, {} sites, {} simulated", world::NAME, plan.sites, words::time(outcome.simulated)),
        ),
        ("operations", operations(outcome)),
        ("at healthy sites", format!("{answered} of {asked} operations answered")),
        (
            "conflicts",
            format!("{} of writes that had not seen each other", words::some(judgement.conflicts, "pair")),
        ),
        ("converged", converged),
        ("diverged", format!("{diverged}, for {} in all", words::time(divergence.above_zero))),
        ("traffic", format!("{} between sites", words::bytes(outcome.traffic.0))),
    ];
    let mut text = format!("{}  seed {}\n", plan.scenario, words::seed(plan.seed));
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:17} {value}");
    }
    for reason in &judgement.inconclusive {
        let _ = writeln!(text, "  proves little     {reason}");
    }
    let _ = write!(text, "\nends of acknowledged writes, here and under other rules\n{}", ends(judged));
    if judgement.accounts.destroyed() > 0 {
        let accounts = &judgement.accounts;
        let (bytes, age) = (words::bytes(accounts.destroyed_bytes), words::time(accounts.destroyed_age));
        let _ = writeln!(text, "  destroyed: {bytes}, written up to {age} before their only disk went");
    }
    let _ = write!(
        text,
        "\nreplication lag, from a write's acknowledgement until another site has it\n{}",
        lag(&measures.lag)
    );
    let _ = write!(text, "\nfaults\n{}", faults(outcome));
    let marks: Vec<String> = outcome.marks.iter().map(|(mark, times)| format!("{mark} {times}")).collect();
    let _ = writeln!(text, "\nmarks\n  {}", if marks.is_empty() { "none".into() } else { marks.join(" · ") });
    for line in &outcome.stuck {
        let _ = writeln!(text, "  stuck: {line}");
    }
    text
}

/// A bare table: numbers to the right, its first column to the left.
pub(super) fn table(header: Vec<String>, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A table's text with its lines indented and nothing at their ends.
pub(super) fn lines(table: &Table) -> String {
    table.lines().fold(String::new(), |text, line| text + " " + line.trim_end() + "\n")
}

fn operations(outcome: &Outcome) -> String {
    let (planned, begun) = (outcome.plan.ops.len(), outcome.history.operations.len());
    let ended =
        |is: fn(&Ending) -> bool| outcome.history.operations.values().filter(|o| is(&o.ending)).count();
    let acked = ended(|ending| *ending == Ending::Acked);
    let refused = ended(|ending| matches!(ending, Ending::Refused(_)));
    let unknown = ended(|ending| *ending == Ending::Unknown);
    let not_begun = planned - begun.min(planned);
    format!(
        "{planned}: {acked} acknowledged, {refused} refused, {unknown} without answer, {not_begun} not begun"
    )
}

fn ends(judged: &Judged) -> String {
    let here = ("anabranch".to_owned(), judged.finished.judgement.accounts.clone());
    let columns: Vec<&(String, Accounts)> = std::iter::once(&here).chain(&judged.baselines).collect();
    let cells = |name: &str, count: &dyn Fn(&Accounts) -> usize| -> Vec<String> {
        std::iter::once(name.to_owned())
            .chain(columns.iter().map(|(_, accounts)| words::count(count(accounts) as u64)))
            .collect()
    };
    let header =
        std::iter::once(String::new()).chain(columns.iter().map(|(name, _)| name.replace(' ', "\n")));
    let mut rows: Vec<Vec<String>> =
        ENDS.map(|(name, end)| cells(name, &|accounts| accounts.count(|found| found == end))).into();
    rows.retain(|row| row[1..].iter().any(|cell| cell != "0"));
    rows.push(cells("all acknowledged", &Accounts::acknowledged));
    lines(&table(header.collect(), rows))
}

fn lag(lag: &Lag) -> String {
    let header =
        ["", "samples"].into_iter().chain(QUANTILES.map(|(name, _)| name)).map(str::to_owned).collect();
    let spans =
        [("outside faults", &lag.outside), ("during faults", &lag.during), ("at any time", &lag.overall)];
    let rows = spans.map(|(name, samples)| {
        let values = measure::quantiles(samples)
            .map_or_else(|| QUANTILES.map(|_| "–".to_owned()), |values| values.map(words::micros));
        [name.to_owned(), words::count(samples.len())].into_iter().chain(values).collect()
    });
    let mut text = lines(&table(header, rows.into()));
    if lag.never > 0 {
        let _ = writeln!(
            text,
            "  {} of a write and a site that never got it",
            words::some(lag.never as u64, "pair")
        );
    }
    text
}

fn faults(outcome: &Outcome) -> String {
    let seconds = |at: Duration| at.as_secs_f64();
    let mut text = String::new();
    for (place, fault) in outcome.plan.faults.iter().enumerate() {
        let effect = if outcome.effective.contains(&place) { "" } else { "  (had no effect)" };
        let (at, until) = (seconds(fault.at), seconds(fault.until));
        let _ = writeln!(text, "  {at:>7.3}s – {until:>7.3}s  {:?}{effect}", fault.fault);
    }
    if text.is_empty() { "  none\n".into() } else { text }
}
