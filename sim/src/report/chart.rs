//! The charts of reports, as SVG text. The only file that knows of `plotters`.
//!
//! A chart is drawn in sentinel colours, near black, each of which names a role. [`STYLE`] gives the roles their colours in
//! a light and a dark page; an SVG without it is still readable on white. Lines differ by their dashes and are named in a
//! legend with a sample of each. Faults in effect are shaded over the plot, and named in lanes above it.
//!
//! Invariant: the same input gives the same bytes.

use super::{
    measure::{QUANTILES, Steps, thin},
    words,
};
use plotters::{
    coord::{Shift, types::RangedCoordf64},
    element::{Drawable, PointCollection},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{ops::Range, time::Duration};

/// What a page must have in its styles for charts to get their colours. Needs `--ink`, `--muted`, `--line`, `--accent` and
/// `--danger`.
pub const STYLE: &str = include_str!("chart.css");

/// The colours of a chart that is a file of its own.
const ALONE: &str = include_str!("chart_alone.css");

const INK: RGBColor = RGBColor(1, 2, 1);
const MUTED: RGBColor = RGBColor(1, 2, 2);
const GRID: RGBColor = RGBColor(1, 2, 3);
const FAULT: RGBColor = RGBColor(1, 2, 4);
/// Line `n` is `#01021n`.
const LINE: [RGBColor; 8] = [
    RGBColor(1, 2, 16),
    RGBColor(1, 2, 17),
    RGBColor(1, 2, 18),
    RGBColor(1, 2, 19),
    RGBColor(1, 2, 20),
    RGBColor(1, 2, 21),
    RGBColor(1, 2, 22),
    RGBColor(1, 2, 23),
];
/// The dashes of each line, in the same order. The first and the fifth are solid, the first twice as wide.
const DASHES: [&str; 8] = ["", "8 4", "2 3", "10 3 2 3", "", "1 5", "16 5", "8 3 2 3 2 3"];

/// Pixels.
const WIDTH: i32 = 920;
const LEFT: i32 = 58;
/// Wide enough for half of the last tick's label.
const RIGHT: i32 = 28;
const PLOT: i32 = 210;
const BELOW: i32 = 44;
const LEGEND: i32 = 26;
const LANE: i32 = 18;
/// More lanes than this push the plot off the screen; the faults that do not fit are counted.
const LANES_MAX: i32 = 8;
/// Width of a character of a label: an estimate, as no font is loaded.
const GLYPH: f64 = 6.2;
const LABEL: f64 = 11.0;
/// No lag axis starts below a millisecond: shorter lags are drawn on it.
const LAG_US_MIN: u64 = 1000;

/// A fault in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// When it begins.
    pub from: Duration,
    /// When it ends.
    pub until: Duration,
    /// What it is, in few words.
    pub label: String,
}

/// What all charts of a run share.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Where the axis of time ends.
    pub until: Duration,
    /// What was wrong meanwhile.
    pub bands: &'a [Band],
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Maps seconds and values to pixels.
struct Plot {
    top: i32,
    plane: Cartesian2d<RangedCoordf64, RangedCoordf64>,
}

impl Plot {
    fn new(top: i32, seconds: f64, values: Range<f64>) -> Self {
        let pixels = (LEFT..WIDTH - RIGHT, top + PLOT..top);
        Self { top, plane: Cartesian2d::new(0.0..seconds, values, pixels) }
    }

    fn at(&self, seconds: f64, value: f64) -> (i32, i32) {
        use plotters::coord::CoordTranslate;
        self.plane.translate(&(seconds, value))
    }
}

/// Numbers that change at instants, as lines with steps. `label` says what the chart shows to those who cannot see it.
pub fn steps(frame: Frame<'_>, label: &str, unit: &str, series: &[(String, &Steps)]) -> String {
    let peak = series.iter().flat_map(|(_, steps)| steps.iter().map(|step| step.1)).max().unwrap_or(0);
    let ticks = ticks(peak.max(1) as f64, 5.0, 1.0);
    let high = ticks.last().copied().unwrap_or(1.0);
    let names: Vec<&str> = series.iter().map(|(name, _)| name.as_str()).collect();
    let ticks: Vec<(f64, String)> =
        ticks.into_iter().map(|tick| (tick, words::count(tick as usize))).collect();
    draw(frame, label, unit, &names, 0.0..high, &ticks, |canvas, plot| {
        for (n, (_, steps)) in series.iter().enumerate() {
            let mut points = Vec::new();
            let mut value = 0;
            // Twice as many as there are pixels: no peak is lost, and a long run makes no long page.
            for (at, next) in thin(steps, WIDTH as usize * 2) {
                let seconds = at.min(frame.until).as_secs_f64();
                points.push(plot.at(seconds, value as f64));
                points.push(plot.at(seconds, next as f64));
                value = next;
            }
            points.push(plot.at(frame.until.as_secs_f64(), value as f64));
            points.dedup();
            line(canvas, points, n);
        }
        if let [(_, steps)] = series
            && let Some((at, peak)) = steps.iter().rev().max_by_key(|step| step.1).filter(|step| step.1 > 0)
        {
            let (x, y) = plot.at(at.as_secs_f64(), *peak as f64);
            let right = x > WIDTH - RIGHT - 80;
            let (x, side) = if right { (x - 5, HPos::Right) } else { (x + 5, HPos::Left) };
            text(canvas, &format!("peak {}", words::count(*peak)), (x, y - 3), INK, side, VPos::Bottom);
        }
    })
}

/// Percentiles of lag by the second, on a logarithmic axis: for each second the values at [`QUANTILES`], in microseconds.
/// Seconds without samples are gaps.
pub fn lag(frame: Frame<'_>, label: &str, seconds: &[(u64, [u64; QUANTILES.len()])]) -> String {
    let all = || seconds.iter().flat_map(|(_, values)| values.iter().copied()).map(|us| us.max(LAG_US_MIN));
    let low = (all().min().unwrap_or(LAG_US_MIN) as f64).log10().floor();
    let high = (all().max().unwrap_or(LAG_US_MIN * 10) as f64).log10().ceil().max(low + 1.0);
    let between: &[f64] = if high - low <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let ticks: Vec<(f64, String)> = (low as i32..=high as i32)
        .flat_map(|decade| between.iter().map(move |part| part * 10f64.powi(decade)))
        .map(|us| (us.log10(), words::micros(us as u64)))
        .filter(|(tick, _)| *tick <= high)
        .collect();
    let names = QUANTILES.map(|(name, _)| name);
    draw(frame, label, "lag, log scale", &names, low..high, &ticks, |canvas, plot| {
        let point = |second: u64, us: u64| {
            let middle = (second as f64 + 0.5).min(frame.until.as_secs_f64());
            plot.at(middle, (us.max(LAG_US_MIN) as f64).log10())
        };
        for run in seconds.chunk_by(|a, b| a.0 + 1 == b.0) {
            let points: Vec<_> =
                run.iter().map(|(second, values)| values.map(|us| point(*second, us))).collect();
            // The median last, over the others.
            for n in (0..QUANTILES.len()).rev() {
                // Dashes over dashes look solid: where a percentile is the next higher one, only that is drawn.
                let is_hidden = |at: &[(i32, i32); QUANTILES.len()]| {
                    n > 0 && at.get(n + 1).is_some_and(|next| next.1.abs_diff(at[n].1) <= 1)
                };
                let mut stroke: Vec<(i32, i32)> = Vec::new();
                for pair in points.windows(2) {
                    if pair.iter().all(is_hidden) {
                        line(canvas, std::mem::take(&mut stroke), n);
                        continue;
                    }
                    if stroke.is_empty() {
                        stroke.push(pair[0][n]);
                    }
                    stroke.push(pair[1][n]);
                }
                line(canvas, stroke, n);
                if let [alone] = &points[..] {
                    put(canvas, &Circle::new(alone[n], 2, LINE[n].filled()));
                }
            }
        }
    })
}

/// A chart as a file of its own, in the colours of the reader's scheme.
pub fn alone(chart: &str) -> String {
    let end = chart.find('>').map_or(0, |end| end + 1);
    format!("{}<style>{ALONE}{STYLE}</style>{}", &chart[..end], &chart[end..])
}

fn draw(
    frame: Frame<'_>,
    label: &str,
    unit: &str,
    names: &[&str],
    values: Range<f64>,
    ticks: &[(f64, String)],
    lines: impl FnOnce(&Canvas<'_>, &Plot),
) -> String {
    let seconds = frame.until.as_secs_f64().max(1.0);
    let across = Plot::new(0, seconds, values.clone());
    let (lanes, left_out) = lanes(frame.bands, |at| across.at(at.as_secs_f64(), 0.0).0);
    let depth = lanes.iter().map(|lane| lane.depth + 1).max().unwrap_or(0);
    let plot = Plot::new(LEGEND + depth * LANE + 10, seconds, values);
    let bottom = plot.top + PLOT;
    let mut svg = String::new();
    {
        let canvas =
            SVGBackend::with_string(&mut svg, (WIDTH as u32, (bottom + BELOW) as u32)).into_drawing_area();
        shade(&canvas, &plot, frame);
        for (tick, name) in ticks {
            let (x, y) = plot.at(0.0, *tick);
            put(&canvas, &PathElement::new([(x, y), (WIDTH - RIGHT, y)], GRID));
            text(&canvas, name, (x - 8, y), MUTED, HPos::Right, VPos::Center);
        }
        for tick in self::ticks(seconds, 10.0, 0.1).into_iter().filter(|tick| *tick <= seconds) {
            let (x, _) = plot.at(tick, 0.0);
            put(&canvas, &PathElement::new([(x, bottom), (x, bottom + 4)], MUTED));
            text(&canvas, &words::plain(tick), (x, bottom + 8), MUTED, HPos::Center, VPos::Top);
        }
        put(&canvas, &PathElement::new([(LEFT, bottom), (WIDTH - RIGHT, bottom)], MUTED));
        text(&canvas, "simulated seconds", (WIDTH - RIGHT, bottom + 26), MUTED, HPos::Right, VPos::Top);
        text(&canvas, unit, (LEFT - 8, 12), MUTED, HPos::Left, VPos::Center);
        for lane in &lanes {
            let y = LEGEND + lane.depth * LANE;
            put(&canvas, &Rectangle::new([(lane.bar.0, y + 13), (lane.bar.1, y + 16)], FAULT.filled()));
            text(&canvas, lane.label, (lane.words, y + 6), INK, HPos::Left, VPos::Center);
        }
        legend(&canvas, names, left_out);
        lines(&canvas, &plot);
        canvas.present().expect(IN_MEMORY);
    }
    finish(&svg, label)
}

/// Dashes and a label, which the backend cannot write.
fn finish(svg: &str, label: &str) -> String {
    let mut svg = svg.replace(" \"/>", "\"/>").replace("\n</text>", "</text>");
    for (n, dashes) in DASHES.iter().enumerate().filter(|(_, dashes)| !dashes.is_empty()) {
        let stroke = format!("stroke=\"#0102{:02X}\"", LINE[n].2);
        svg = svg.replace(&stroke, &format!("{stroke} stroke-dasharray=\"{dashes}\""));
    }
    let label = maud::html! { (label) }.into_string();
    svg.replacen("<svg ", &format!("<svg class=\"chart\" role=\"img\" aria-label=\"{label}\" "), 1)
}

/// A fault's place above the plot.
struct Lane<'a> {
    label: &'a str,
    bar: (i32, i32),
    words: i32,
    depth: i32,
}

/// Packs faults into as few lanes as their bars and labels need, and says how many did not fit.
fn lanes(bands: &[Band], x: impl Fn(Duration) -> i32) -> (Vec<Lane<'_>>, usize) {
    // Where the last entry of each lane ends.
    let (mut lanes, mut ends, mut left_out) = (Vec::new(), [i32::MIN; LANES_MAX as usize], 0);
    let mut bands: Vec<&Band> = bands.iter().collect();
    bands.sort_by_key(|band| band.from);
    for band in bands {
        let long = (band.label.chars().count() as f64 * GLYPH) as i32;
        let from = x(band.from).min(WIDTH - RIGHT);
        // What happens in an instant still needs a mark.
        let until = x(band.until).clamp(from + 3, WIDTH - RIGHT + 3);
        let words = from.min(WIDTH - 4 - long).max(2);
        let (start, end) = (from.min(words), until.max(words + long) + 8);
        let Some((depth, free)) = (0..).zip(&mut ends).find(|(_, ends)| **ends <= start) else {
            left_out += 1;
            continue;
        };
        *free = end;
        lanes.push(Lane { label: &band.label, bar: (from, until), words, depth });
    }
    (lanes, left_out)
}

/// Shades every instant at which some fault was in effect, once.
fn shade(canvas: &Canvas<'_>, plot: &Plot, frame: Frame<'_>) {
    let mut spans: Vec<(Duration, Duration)> =
        frame.bands.iter().map(|band| (band.from, band.until)).collect();
    spans.sort();
    let mut shaded = Duration::ZERO;
    for (from, until) in spans {
        let (from, until) = (from.max(shaded), until.min(frame.until));
        if from < until {
            let (x0, x1) = (plot.at(from.as_secs_f64(), 0.0).0, plot.at(until.as_secs_f64(), 0.0).0);
            put(canvas, &Rectangle::new([(x0, plot.top), (x1, plot.top + PLOT)], FAULT.mix(0.1).filled()));
            shaded = until;
        }
    }
}

fn legend(canvas: &Canvas<'_>, names: &[&str], left_out: usize) {
    const SAMPLE: i32 = 34;
    let mut x = WIDTH - RIGHT;
    if left_out > 0 {
        let more = format!("{left_out} more faults in the schedule");
        text(canvas, &more, (x, 12), MUTED, HPos::Right, VPos::Center);
        x -= (more.len() as f64 * GLYPH) as i32 + 20;
    }
    // A single line is named by the chart's caption.
    for (n, name) in names.iter().enumerate().rev().filter(|_| names.len() > 1) {
        text(canvas, name, (x, 12), INK, HPos::Right, VPos::Center);
        x -= (name.chars().count() as f64 * GLYPH) as i32 + 9;
        line(canvas, vec![(x - SAMPLE, 12), (x, 12)], n);
        x -= SAMPLE + 18;
    }
}

/// Round numbers from zero up to the first that is not below `high`: at most about `most`, no closer than `least`.
fn ticks(high: f64, most: f64, least: f64) -> Vec<f64> {
    let decade = 10f64.powf((high / most).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * decade).into_iter().find(|step| high / step <= most);
    let step = step.unwrap_or(decade * 10.0).max(least);
    (0..=(high / step - 1e-9).ceil() as u32).map(|n| f64::from(n) * step).collect()
}

fn line(canvas: &Canvas<'_>, points: Vec<(i32, i32)>, n: usize) {
    if points.is_empty() {
        return;
    }
    let n = n % LINE.len();
    put(canvas, &PathElement::new(points, LINE[n].stroke_width(if n == 0 { 2 } else { 1 })));
}

fn text(canvas: &Canvas<'_>, words: &str, at: (i32, i32), colour: RGBColor, h: HPos, v: VPos) {
    /// The backend divides sizes by this.
    const SHRINKS: f64 = 1.24;
    let style =
        TextStyle::from(("sans-serif", LABEL * SHRINKS).into_font()).color(&colour).pos(Pos::new(h, v));
    put(canvas, &Text::new(words.to_owned(), at, style));
}

const IN_MEMORY: &str = "drawing into a string does not fail";

fn put<'a, 'b, E>(canvas: &Canvas<'b>, element: &'a E)
where
    &'a E: PointCollection<'a, (i32, i32)>,
    E: Drawable<SVGBackend<'b>>,
{
    canvas.draw(element).expect(IN_MEMORY);
}

#[cfg(test)]
mod tests;
