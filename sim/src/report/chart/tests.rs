use super::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn bands() -> Vec<Band> {
    let band =
        |from, until, label: &str| Band { from: seconds(from), until: seconds(until), label: label.into() };
    vec![band(2.0, 5.0, "partition {1}"), band(4.0, 4.0, "reset s0 <-> s1"), band(9.9, 12.0, "crash s2")]
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let bands = bands();
    let frame = Frame { until: seconds(12.0), bands: &bands };
    let changes: Steps = (0..5000).map(|n| (Duration::from_millis(n * 2), (n % 17) as usize)).collect();
    let render = || {
        let lags = [(1, [20_000, 40_000, 80_000, 90_000, 95_000]), (2, [1, 2, 3, 4, 5_000_000])];
        let steps = steps(frame, "backlog", "writes", &[("s0".into(), &changes), ("s1".into(), &changes)]);
        (steps, lag(frame, "lag", &lags))
    };
    assert_eq!(render(), render());
    assert!(render().0.len() < 120_000, "a long run makes no long page: {}", render().0.len());
}

#[test]
fn labels_are_escaped_and_lines_differ_by_dashes() {
    let bands = bands();
    let frame = Frame { until: seconds(12.0), bands: &bands };
    let changes = vec![(Duration::ZERO, 0), (seconds(1.0), 3)];
    let svg = steps(frame, "a \"b\" <c>", "keys", &[("s0".into(), &changes), ("s1".into(), &changes)]);
    assert!(svg.contains("role=\"img\" aria-label=\"a &quot;b&quot; &lt;c&gt;\""), "{svg}");
    assert!(svg.contains("reset s0 &lt;-&gt; s1</text>"), "{svg}");
    assert!(svg.contains("stroke=\"#010211\" stroke-dasharray=\"8 4\""), "{svg}");
    assert!(alone(&svg).contains("<style>") && alone(&svg).ends_with("</svg>\n"));
}

#[test]
fn lanes_overlap_neither_in_bars_nor_in_labels() {
    let bands = bands();
    let (lanes, left_out) = lanes(&bands, |at| (at.as_secs_f64() * 50.0) as i32);
    assert_eq!(lanes.iter().map(|lane| lane.depth).collect::<Vec<_>>(), [0, 1, 0]);
    assert_eq!(left_out, 0);
    let crowd = vec![bands[0].clone(); LANES_MAX as usize + 3];
    assert_eq!(super::lanes(&crowd, |at| at.as_secs() as i32).1, 3);
}

#[test]
fn ticks_are_round() {
    assert_eq!(ticks(7.0, 5.0, 1.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
    assert_eq!(ticks(1.0, 5.0, 1.0), [0.0, 1.0]);
    assert_eq!(ticks(40.0, 10.0, 0.1), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0]);
}
