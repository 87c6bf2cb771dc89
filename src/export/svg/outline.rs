//! The outline of a box, which says what it is.
//!
//! Each outline touches the middle of the left and the right side of its rectangle, where lines end, and is
//! told from the others without colour.

use super::number;
use crate::export::layered_layout::Rectangle;
use crate::export::picture::Shape;

/// How round the corners of an image are.
const ROUND: f64 = 8.0;
/// How far the points of a stage stand out.
const POINT: f64 = 9.0;
/// From the sides of a built base to its second pair of sides.
const SECOND: f64 = 5.0;
/// How high the lid of a cylinder is, from its middle.
const LID: f64 = 3.5;
/// How large the folded corner of a file is.
const FOLD: f64 = 9.0;

/// The path around `rectangle`.
pub(super) fn outline(shape: Shape, rectangle: &Rectangle) -> String {
    let (left, right) = (number(rectangle.left), number(rectangle.right()));
    let (top, bottom) = (number(rectangle.top), number(rectangle.bottom()));
    let inside = |by: f64| (number(rectangle.left + by), number(rectangle.right() - by));
    let rectangular = format!("M{left} {top}H{right}V{bottom}H{left}Z");
    match shape {
        Shape::Group => rectangular,
        Shape::File => {
            let (corner, below) = (number(rectangle.right() - FOLD), number(rectangle.top + FOLD));
            format!("M{left} {top}H{corner}L{right} {below}V{bottom}H{left}ZM{corner} {top}V{below}H{right}")
        }
        Shape::Image => {
            let (from, to) = inside(ROUND);
            let (high, low) = (number(rectangle.top + ROUND), number(rectangle.bottom() - ROUND));
            let corner = |x: &str, y: &str| format!("A{ROUND} {ROUND} 0 0 1 {x} {y}");
            format!(
                "M{from} {top}H{to}{}V{low}{}H{from}{}V{high}{}Z",
                corner(&right, &high),
                corner(&to, &bottom),
                corner(&left, &low),
                corner(&from, &top)
            )
        }
        Shape::Stage => {
            let ((from, to), middle) = (inside(POINT), number(rectangle.middle()));
            format!("M{from} {top}H{to}L{right} {middle}L{to} {bottom}H{from}L{left} {middle}Z")
        }
        Shape::BuiltBase => {
            let (from, to) = inside(SECOND);
            format!("{rectangular}M{from} {top}V{bottom}M{to} {top}V{bottom}")
        }
        Shape::ExternalBase | Shape::Undeclared => {
            let (high, low) = (number(rectangle.top + LID), number(rectangle.bottom() - LID));
            let radii = format!("{} {LID} 0 0", number(rectangle.width / 2.0));
            format!(
                "M{left} {high}A{radii} 1 {right} {high}V{low}A{radii} 1 {left} {low}ZM{left} {high}A{radii} 0 {right} {high}"
            )
        }
    }
}
