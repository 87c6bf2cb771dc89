//! How wide a text is at most, in whatever sans-serif font a viewer has.
//!
//! Nobody tells a file which fonts there are where it is shown. The table holds, for each letter of ASCII, the
//! width in the wider of two families that stand for most others: Helvetica (and what copies its widths) and
//! DejaVu Sans. All other letters count as the widest there are. A box that is made for such a width
//! holds its text.

/// Widths from the space to the tilde, in hundredths of the font's size.
const WIDTHS: [u8; 95] = [
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    34, 34, 84, 84, 84, 56, 102, 69, 69, 73, 78, 67, 62, 78, 76, 30, 50, 67, 56, 87, 75, 79, 67, 79, 73, 67,
    62, 74, 69, 99, 69, 67, 69, 40, 34, 40, 84, 56, 50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98,
    64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
];
/// The width of any other letter.
const WIDEST: f64 = 1.5;

/// The width of `text` at most, in the units of `size`, the size of the font.
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(width).sum::<f64>() * size
}

/// `text`, with what is too much for `room` taken out of its middle.
pub fn shortened(text: &str, size: f64, room: f64) -> String {
    if text_width(text, size) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let mut left = room / size - WIDEST;
    let (mut start, mut end) = (0, letters.len());
    while start < end {
        let from_start = start + end <= letters.len();
        let next = width(letters[if from_start { start } else { end - 1 }]);
        if next > left {
            break;
        }
        left -= next;
        if from_start { start += 1 } else { end -= 1 }
    }
    letters[..start].iter().chain(&['…']).chain(&letters[end..]).collect()
}

/// The width of a letter, as a part of the font's size.
fn width(letter: char) -> f64 {
    let known = u32::from(letter).checked_sub(u32::from(' ')).and_then(|at| WIDTHS.get(at as usize));
    known.map_or(WIDEST, |hundredths| f64::from(*hundredths) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_a_width() {
        for (text, expected) in [("", 0.0), (" ", 3.2), ("~", 8.4), ("iii", 8.4), ("W", 9.9), ("é", 15.0)] {
            assert!((text_width(text, 10.0) - expected).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn a_long_text_loses_its_middle_and_a_short_one_nothing() {
        let long = "//services/a-very-long-folder/of-a-service:the-image";
        for (text, room, expected) in [
            ("//a:b", 100.0, "//a:b"),
            (long, 160.0, "//services/a-v…vice:the-image"),
            (long, 20.0, "/…"),
            (long, 0.0, "…"),
            ("äöüäöüäöü", 100.0, "äöü…öü"),
        ] {
            assert_eq!(shortened(text, 10.0, room), expected);
            assert!(room < 15.0 || text_width(expected, 10.0) <= room, "{text}");
        }
    }
}
