//! Pictures of small graphs, as snapshots, and that the order of what is given shows in none.

use super::*;
use crate::types::ids::{DenseId, NodeId};

type Node<'t> = (&'t str, &'static str, Option<&'t str>);
type Edge<'t> = (usize, usize, &'t str);

fn picture(nodes: &[Node<'_>], edges: &[Edge<'_>]) -> Picture {
    let node = |(label, kind, platform): &Node<'_>| PictureNode {
        label: (*label).to_owned(),
        kind,
        platform: platform.map(|platform| platform.parse().unwrap()),
        shape: match *kind {
            "image" => Shape::Image,
            "stage" => Shape::Stage,
            "base" => Shape::ExternalBase,
            _ => Shape::Group,
        },
        state: None,
    };
    let id = NodeId::from_index;
    let edge =
        |(from, to, why): &Edge<'_>| PictureEdge { from: id(*from), to: id(*to), why: (*why).to_owned() };
    Picture { nodes: nodes.iter().map(node).collect(), edges: edges.iter().map(edge).collect() }
}

const LINUX: Option<&str> = Some("linux/amd64");

/// Two images on one base, through a stage that both use.
fn diamond() -> Picture {
    let nodes = [
        ("//web:web", "image", LINUX),
        ("//api:api", "image", LINUX),
        ("//:builder", "stage", LINUX),
        ("debian:bookworm-slim", "base", LINUX),
        ("//:all", "group", None),
    ];
    let edges = [
        (0, 2, "COPY --from=builder"),
        (1, 2, "FROM builder"),
        (1, 2, "COPY --from=builder"),
        (1, 2, "FROM builder"),
        (2, 3, "FROM debian:bookworm-slim"),
        (0, 3, "FROM debian:bookworm-slim"),
        (4, 1, ""),
        (4, 0, ""),
    ];
    picture(&nodes, &edges)
}

/// Names that each format has to escape, for two platforms.
fn awkward() -> Picture {
    let nodes = [
        ("//a\"b\\c#d;&<e>`f`|g\n\u{1b}[1m:x", "image", LINUX),
        ("//a\"b\\c#d;&<e>`f`|g\n\u{1b}[1m:x", "image", Some("linux/arm64")),
        ("end", "base", LINUX),
    ];
    picture(&nodes, &[(0, 2, "\"q\" | x\\"), (1, 2, "")])
}

#[test]
fn a_diamond_is_drawn_in_every_format() {
    insta::assert_snapshot!("diamond_dot", draw(&diamond(), PictureFormat::Dot));
    insta::assert_snapshot!("diamond_json", draw(&diamond(), PictureFormat::Json));
    insta::assert_snapshot!("diamond_mermaid", draw(&diamond(), PictureFormat::Mermaid));
    insta::assert_snapshot!("diamond_text", draw(&diamond(), PictureFormat::Text));
}

/// The diamond, with what a build would do: something is dirty, something else waits for it.
fn planned() -> Picture {
    let states = [StateWord::Waits, StateWord::Waits, StateWord::Dirty, StateWord::Cached];
    let mut picture = diamond();
    for (id, state) in picture.nodes.ids().collect::<Vec<_>>().into_iter().zip(states) {
        picture.nodes[id].state = Some(state);
    }
    picture
}

#[test]
fn states_are_drawn_in_every_format() {
    insta::assert_snapshot!("planned_dot", draw(&planned(), PictureFormat::Dot));
    insta::assert_snapshot!("planned_json", draw(&planned(), PictureFormat::Json));
    insta::assert_snapshot!("planned_mermaid", draw(&planned(), PictureFormat::Mermaid));
    insta::assert_snapshot!("planned_svg", draw(&planned(), PictureFormat::Svg));
    insta::assert_snapshot!("planned_text", draw(&planned(), PictureFormat::Text));
}

#[test]
fn every_drawing_is_well_formed() {
    for picture in [diamond(), awkward(), planned(), Picture::default()] {
        let drawn = draw(&picture, PictureFormat::Svg);
        let document = roxmltree::Document::parse(&drawn).unwrap();
        let root = document.root_element();
        assert_eq!((root.tag_name().name(), root.attribute("role")), ("svg", Some("img")));
        let boxes = document.descendants().filter(|node| node.attribute("class") == Some("name"));
        assert_eq!(boxes.count(), picture.nodes.len());
    }
}

#[test]
fn awkward_names_are_escaped_in_every_format() {
    insta::assert_snapshot!("awkward_dot", draw(&awkward(), PictureFormat::Dot));
    insta::assert_snapshot!("awkward_json", draw(&awkward(), PictureFormat::Json));
    insta::assert_snapshot!("awkward_mermaid", draw(&awkward(), PictureFormat::Mermaid));
    insta::assert_snapshot!("awkward_text", draw(&awkward(), PictureFormat::Text));
}

const FORMATS: [PictureFormat; 5] = [
    PictureFormat::Dot,
    PictureFormat::Json,
    PictureFormat::Mermaid,
    PictureFormat::Svg,
    PictureFormat::Text,
];

/// The same picture, given backwards.
fn reversed(picture: &Picture) -> Picture {
    let last = picture.nodes.len() - 1;
    let other = |id: NodeId| NodeId::from_index(last - id.index());
    let edge = |edge: &PictureEdge| PictureEdge {
        from: other(edge.from),
        to: other(edge.to),
        why: edge.why.clone(),
    };
    Picture {
        nodes: picture.nodes.values().iter().rev().cloned().collect(),
        edges: picture.edges.iter().rev().map(edge).collect(),
    }
}

#[test]
fn the_order_in_which_a_picture_is_given_does_not_show() {
    for format in FORMATS {
        for picture in [diamond(), awkward()] {
            assert_eq!(draw(&picture, format), draw(&reversed(&picture), format));
        }
    }
}

#[test]
fn nothing_is_drawn_as_nothing() {
    assert_eq!(draw(&Picture::default(), PictureFormat::Text), "");
    assert_eq!(draw(&Picture::default(), PictureFormat::Mermaid), "flowchart LR\n");
    let document: serde_json::Value =
        serde_json::from_str(&draw(&Picture::default(), PictureFormat::Json)).unwrap();
    assert_eq!(document, serde_json::json!({ "schema": 1, "nodes": [], "edges": [] }));
}

#[test]
fn a_cycle_and_a_long_chain_end() {
    let cycle = picture(&[("a", "x", None), ("b", "x", None)], &[(0, 1, ""), (1, 0, "")]);
    assert_eq!(draw(&cycle, PictureFormat::Text), "a x\n└── b x\n    └── a x (*)\n");
    let length = 2_000;
    let nodes: Vec<Node<'_>> = vec![("n", "x", None); length];
    let edges: Vec<Edge<'_>> = (1..length).map(|node| (node - 1, node, "")).collect();
    assert_eq!(draw(&picture(&nodes, &edges), PictureFormat::Text).lines().count(), length);
}
