//! `imgraph graph --format svg`: what it draws of an example, and that a drawing of two hundred targets is whole.
//!
//! The drawing is read back: boxes are where their outlines are, lines where their paths begin and end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use imgraph::export::text_width::text_width;
use roxmltree::{Document, Node};

/// Runs the command in `folder`, with no engine in reach.
fn graph(folder: &Path, arguments: &[&str]) -> Output {
    let caches = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgraph"));
    command.arg("-C").arg(folder).args(["graph", "//..."]).args(arguments);
    command.arg("--cache-dir").arg(caches.path());
    command.arg("--docker-host").arg(format!("unix://{}/none.sock", caches.path().display()));
    command.output().unwrap()
}

fn drawn(folder: &Path, arguments: &[&str]) -> String {
    let output = graph(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn market() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/market")
}

/// Two hundred targets: images on stages on stages on bases, some images on others.
fn two_hundred(root: &Path) {
    let write = |path: String, text: String| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let declare = |folder: String, kind: &str, contexts: &[(String, String)]| {
        let (_, name) = folder.rsplit_once('/').unwrap();
        let needed: Vec<String> =
            contexts.iter().map(|(name, label)| format!("{name} = '{label}'")).collect();
        write(
            format!("{folder}/BUILD.toml"),
            format!("[{kind}.{name}]\ncontexts = {{ {} }}\n", needed.join(", ")),
        );
        let copies = contexts.iter().skip(1).map(|(name, _)| format!("COPY --from={name} / /\n"));
        write(format!("{folder}/Dockerfile"), format!("FROM base\n{}", copies.collect::<String>()));
    };
    let base = |label: &str| ("base".to_owned(), label.to_owned());
    write(
        "BUILD.toml".to_owned(),
        "[workspace]\n[base.runtime]\nimage = 'debian:12'\n[base.builder]\ndockerfile = 'builder.dockerfile'\n"
            .to_owned(),
    );
    write("builder.dockerfile".to_owned(), "FROM rust:1.95\n".to_owned());
    for tool in 0..8 {
        declare(format!("tools/tool-{tool}"), "stage", &[base("//:builder")]);
    }
    for library in 0..30 {
        let tool = library % 7;
        let mut needed = vec![base("//:builder"), ("tool".to_owned(), format!("//tools/tool-{tool}"))];
        if library > 9 {
            needed.push(("below".to_owned(), format!("//libraries/library-{}", library - 10)));
        }
        declare(format!("libraries/library-{library}"), "stage", &needed);
    }
    for service in 0..159 {
        let mut needed = vec![base("//:runtime")];
        for (name, library) in [("one", service * 7 % 30), ("two", service * 11 % 29)] {
            needed.push((name.to_owned(), format!("//libraries/library-{library}")));
        }
        if service % 9 == 8 {
            needed.push(("parent".to_owned(), format!("//services/a-service-of-many-{}", service - 8)));
        }
        declare(format!("services/a-service-of-many-{service}"), "image", &needed);
    }
}

#[derive(Clone, Copy, Debug)]
struct Extent {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// The points in which the pieces of a path end.
fn points(path: &str) -> Vec<(f64, f64)> {
    let starts: Vec<usize> = path.match_indices(char::is_alphabetic).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([path.len()]);
    let (mut x, mut y) = (0.0, 0.0);
    let mut points = Vec::new();
    for (start, end) in starts.iter().zip(ends) {
        let numbers: Vec<f64> =
            path[start + 1..end].split_whitespace().map(|word| word.parse().unwrap()).collect();
        match (&path[*start..=*start], numbers.as_slice()) {
            ("M" | "L" | "C" | "A", [.., to_x, to_y]) => (x, y) = (*to_x, *to_y),
            ("H", [to_x]) => x = *to_x,
            ("V", [to_y]) => y = *to_y,
            ("Z", []) => continue,
            other => panic!("{other:?} in {path}"),
        }
        points.push((x, y));
    }
    points
}

fn child<'d>(node: Node<'d, 'd>, class: &str) -> Node<'d, 'd> {
    node.children().find(|child| child.attribute("class") == Some(class)).unwrap()
}

fn title<'d>(node: Node<'d, 'd>) -> &'d str {
    node.children().find(|child| child.has_tag_name("title")).unwrap().text().unwrap()
}

/// The groups of the graph that have a child of this class, and none of the legend.
fn groups<'d>(document: &'d Document<'d>, class: &str) -> Vec<Node<'d, 'd>> {
    let has = |node: &Node<'d, 'd>| node.children().any(|child| child.attribute("class") == Some(class));
    let titled = |node: &Node<'d, 'd>| node.children().any(|child| child.has_tag_name("title"));
    document.descendants().filter(|node| node.has_tag_name("g") && has(node) && titled(node)).collect()
}

fn extent(points: &[(f64, f64)]) -> Extent {
    let of = |at: fn(&(f64, f64)) -> f64, choose: fn(f64, f64) -> f64| {
        points.iter().map(at).reduce(choose).unwrap()
    };
    Extent {
        left: of(|point| point.0, f64::min),
        top: of(|point| point.1, f64::min),
        right: of(|point| point.0, f64::max),
        bottom: of(|point| point.1, f64::max),
    }
}

/// Where each target is, and that its text is within.
fn boxes(document: &Document<'_>) -> BTreeMap<String, Extent> {
    let mut boxes = BTreeMap::new();
    for group in groups(document, "box") {
        let extent = extent(&points(child(group, "box").attribute("d").unwrap()));
        for (class, size) in [("name", 13.0), ("kind", 10.5)] {
            let text = child(group, class);
            let number = |name: &str| text.attribute(name).unwrap().parse::<f64>().unwrap();
            let right = number("x") + text_width(text.text().unwrap(), size);
            assert!(
                extent.left + 10.0 < number("x") && right + 10.0 < extent.right,
                "{text:?} leaves {extent:?}"
            );
            assert!(
                extent.top < number("y") - size * 0.7 && number("y") + size / 4.0 < extent.bottom,
                "{text:?}"
            );
        }
        let (name, _kind) = title(group).split_once('\n').unwrap();
        assert!(boxes.insert(name.to_owned(), extent).is_none(), "{name} is drawn twice");
    }
    boxes
}

#[test]
fn a_drawing_of_two_hundred_targets_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    two_hundred(folder.path());
    let text = drawn(folder.path(), &["--format", "svg"]);
    assert_eq!(text, drawn(folder.path(), &["--format", "svg"]), "the same graph is the same drawing");
    let document = Document::parse(&text).unwrap();
    let boxes = boxes(&document);
    // Of these `rust:1.95` is no target.
    assert_eq!(boxes.len(), 200);
    let all: Vec<&Extent> = boxes.values().collect();
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            let apart = one.right < other.left
                || other.right < one.left
                || one.bottom < other.top
                || other.bottom < one.top;
            assert!(apart, "{one:?} overlaps {other:?}");
        }
    }
    let mut edges = Vec::new();
    for group in groups(&document, "line") {
        let (from, rest) = title(group).split_once(" needs ").unwrap();
        let (to, _why) = rest.split_once(": ").unwrap();
        let points = points(child(group, "line").attribute("d").unwrap());
        let near = |(x, y): (f64, f64), side: f64, extent: &Extent| {
            (x - side).abs() < 0.2 && (y - f64::midpoint(extent.top, extent.bottom)).abs() < 2.0
        };
        let (start, end) = (&boxes[from], &boxes[to]);
        assert!(near(points[0], start.right, start), "{from} to {to}: {points:?}, {start:?}");
        assert!(near(points[points.len() - 1], end.left, end), "{from} to {to}: {points:?}, {end:?}");
        edges.push((from.to_owned(), to.to_owned()));
    }
    edges.sort();
    assert_eq!(edges, edges_of_document(&drawn(folder.path(), &["--format", "json"])));
}

/// The edges that the document of the same graph tells.
fn edges_of_document(text: &str) -> Vec<(String, String)> {
    let document: serde_json::Value = serde_json::from_str(text).unwrap();
    let label = |edge: &serde_json::Value, end: &str| edge[end]["label"].as_str().unwrap().to_owned();
    let edges = document["edges"].as_array().unwrap().iter();
    let mut edges: Vec<_> = edges.map(|edge| (label(edge, "from"), label(edge, "to"))).collect();
    edges.sort();
    edges.dedup();
    edges
}

#[test]
fn the_market_is_drawn() {
    insta::assert_snapshot!("market", drawn(&market(), &["--format", "svg"]));
}

#[test]
fn only_states_ask_the_engine() {
    for format in ["text", "json", "dot", "mermaid", "svg"] {
        assert!(drawn(&market(), &["--format", format]).contains("//slasher:slasher"), "{format}");
        let output = graph(&market(), &["--format", format, "--state"]);
        assert_eq!(output.status.code(), Some(3), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{format}");
    }
}
