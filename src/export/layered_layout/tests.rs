//! That layouts of graphs of many shapes keep what they promise, and that small ones are as a person draws them.

use std::time::Instant;

use super::*;

const BOX: Size = Size { width: 100.0, height: 30.0 };

/// Pseudo-random numbers below `below`, the same each time.
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    }
}

/// `count` nodes of which each needs up to three before it, and all of the last layers the first one.
fn random(count: usize, seed: u64) -> Vec<(usize, usize)> {
    let mut number = numbers(seed);
    let mut edges = Vec::new();
    for node in 1..count {
        let reach = if number(4) == 0 { node } else { node.min(12) };
        for _ in 0..=number(3) {
            edges.push((node, number(reach)));
        }
    }
    edges
}

fn laid_out(count: usize, edges: &[(usize, usize)]) -> Layout {
    let sizes: Vec<Size> =
        (0..count).map(|node| Size { width: 60.0 + (node % 7) as f64 * 20.0, ..BOX }).collect();
    layout(&sizes, edges)
}

/// Whether the curve between two points enters `rectangle`: sampled, with the tangents level at both ends.
fn enters(from: Point, to: Point, rectangle: &Rectangle) -> bool {
    (1..64).any(|step| {
        let t = f64::from(step) / 64.0;
        let y = from.y + (to.y - from.y) * (3.0 - 2.0 * t) * t * t;
        let x = from.x + (to.x - from.x) * (1.5 * t - 1.5 * t * t + t * t * t);
        let inside_x = rectangle.left + 0.01 < x && x < rectangle.right() - 0.01;
        inside_x && rectangle.top + 0.01 < y && y < rectangle.bottom() - 0.01
    })
}

fn check(count: usize, edges: &[(usize, usize)]) -> Layout {
    let layout = laid_out(count, edges);
    let mut by_column: Vec<&Rectangle> = layout.boxes.iter().collect();
    by_column.sort_by(|a, b| a.left.total_cmp(&b.left).then(a.top.total_cmp(&b.top)));
    for pair in by_column.windows(2) {
        let below = pair[0].bottom() + 5.0 <= pair[1].top && pair[0].left == pair[1].left;
        assert!(below || pair[0].right() + 20.0 <= pair[1].left, "{pair:?}");
    }
    for (line, (from, to)) in layout.lines.iter().zip(edges) {
        let (start, end) = (line.points[0], line.points[line.points.len() - 1]);
        assert_eq!(start, Point { x: layout.boxes[*from].right(), y: layout.boxes[*from].middle() });
        assert_eq!(end, Point { x: layout.boxes[*to].left, y: layout.boxes[*to].middle() });
        if line.is_direct {
            continue;
        }
        for pair in line.points.windows(2) {
            assert!(pair[0].x <= pair[1].x, "{line:?} goes back");
            for rectangle in &layout.boxes {
                assert!(!enters(pair[0], pair[1], rectangle), "{line:?} crosses {rectangle:?}");
            }
        }
    }
    for point in layout.lines.iter().flat_map(|line| &line.points) {
        assert!((0.0..=layout.width).contains(&point.x) && (0.0..=layout.height).contains(&point.y));
    }
    assert_eq!(layout, laid_out(count, edges), "the same input gives the same output");
    layout
}

#[test]
fn layouts_keep_their_promises() {
    check(0, &[]);
    check(1, &[]);
    check(3, &[]);
    check(2, &[(0, 1), (0, 1)]);
    for seed in 1..30 {
        check(40, &random(40, seed));
    }
    check(200, &random(200, 7));
}

#[test]
fn a_chain_is_one_straight_line() {
    let layout = check(4, &[(0, 1), (1, 2), (2, 3)]);
    assert!(layout.boxes.iter().all(|rectangle| rectangle.top == 0.0), "{layout:?}");
    assert!(layout.boxes.windows(2).all(|pair| pair[0].left < pair[1].left));
}

#[test]
fn what_is_needed_by_many_layers_is_reached_by_one_line() {
    // A chain of which each link needs the last one.
    let layout = check(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (0, 4), (1, 4), (2, 4)]);
    let ends = |line: &Line| line.points[line.points.len() - 3..].to_vec();
    assert_eq!(ends(&layout.lines[4]), ends(&layout.lines[5]));
    assert_eq!(layout.lines[4].points.len(), 2 + 2 * 3);
    let rows: Vec<f64> = layout.lines[4].points[1..6].iter().map(|point| point.y).collect();
    assert!(rows.iter().all(|row| *row == rows[0]), "{rows:?}");
}

#[test]
fn lines_that_need_not_cross_do_not() {
    // Three pairs, given crosswise, and a zigzag.
    for edges in [vec![(0, 5), (1, 4), (2, 3)], vec![(0, 4), (1, 4), (1, 3), (2, 3), (2, 5)]] {
        let layout = check(6, &edges);
        for (one, (a, b)) in edges.iter().enumerate() {
            for (c, d) in &edges[one + 1..] {
                let above = |p: usize, q: usize| layout.boxes[p].top - layout.boxes[q].top;
                assert!(above(*a, *c) * above(*b, *d) >= 0.0, "{a}-{b} crosses {c}-{d}: {layout:?}");
            }
        }
    }
}

#[test]
fn circles_and_loops_end() {
    let layout = check(3, &[(0, 1), (1, 2), (2, 0), (1, 1)]);
    let direct: Vec<bool> = layout.lines.iter().map(|line| line.is_direct).collect();
    assert_eq!(direct, [false, false, true, true]);
}

#[test]
fn a_layer_of_very_many_becomes_several() {
    let edges: Vec<(usize, usize)> = (1..300).map(|node| (node, 0)).collect();
    let layout = check(300, &edges);
    assert!(layout.height < 60.0 * 44.0, "{}", layout.height);
}

#[test]
fn very_large_graphs_end() {
    let began = Instant::now();
    let count = 10_000;
    let mut chain: Vec<(usize, usize)> = (1..count).map(|node| (node, node - 1)).collect();
    chain.extend((1..count).map(|node| (node, 0)));
    let layout = laid_out(count, &chain);
    assert!(layout.lines.iter().any(|line| line.is_direct));
    laid_out(count, &random(count, 3));
    laid_out(count, &(1..count).map(|node| (node, 0)).collect::<Vec<_>>());
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}
