//! `--chmod`: an octal number, or letters as `chmod` takes them (BuildKit's `dchapes-mode`).

/// How modes are changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModeChange {
    /// To this one.
    To(u32),
    /// As these letters say, `u+x` and the like. They were checked with the slice.
    By(String),
}

impl ModeChange {
    /// Reads a value of `--chmod`, which was checked with the slice.
    pub fn of(text: &str) -> Self {
        u32::from_str_radix(text, 8)
            .map_or_else(|_letters| Self::By(text.to_owned()), |mode| Self::To(mode & 0o7777))
    }

    /// The mode of something that had `mode`.
    pub fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        match self {
            Self::To(to) => *to,
            Self::By(letters) => {
                letters.split(',').fold(mode, |mode, clause| by_clause(mode, clause, is_folder))
            }
        }
    }
}

/// `[augo]*([-+=][rwxXstugo]*)+`.
fn by_clause(mode: u32, clause: &str, is_folder: bool) -> u32 {
    let at = clause.find(['+', '-', '=']).unwrap_or(clause.len());
    let (who, mut rest) = clause.split_at(at);
    let who = if who.is_empty() || who.contains('a') { "ugo" } else { who };
    let mut mode = mode;
    while let Some(operation) = rest.chars().next() {
        let after = &rest[1..];
        let end = after.find(['+', '-', '=']).unwrap_or(after.len());
        mode = by_operation(mode, who, operation, &after[..end], is_folder);
        rest = &after[end..];
    }
    mode
}

fn by_operation(mode: u32, who: &str, operation: char, letters: &str, is_folder: bool) -> u32 {
    let shift = |letter| match letter {
        'u' => 6,
        'g' => 3,
        _ => 0,
    };
    let (mut bits, mut mask) = (0, 0);
    for class in who.chars() {
        mask |= 0o7 << shift(class);
        mask |= match class {
            'u' => 0o4000,
            'g' => 0o2000,
            _ => 0,
        };
        for letter in letters.chars() {
            bits |= match letter {
                'r' => 0o4 << shift(class),
                'w' => 0o2 << shift(class),
                'x' => 0o1 << shift(class),
                'X' if is_folder || mode & 0o111 != 0 => 0o1 << shift(class),
                's' if class == 'u' => 0o4000,
                's' if class == 'g' => 0o2000,
                't' => 0o1000,
                'u' | 'g' | 'o' => (mode >> shift(letter) & 0o7) << shift(class),
                _ => 0,
            };
        }
    }
    match operation {
        '+' => mode | bits,
        '-' => mode & !bits,
        _ => mode & !mask | bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_change_as_chmod_changes_them() {
        let check = |text: &str, mode: u32, is_folder: bool, expected: u32| {
            assert_eq!(ModeChange::of(text).apply(mode, is_folder), expected, "{text}");
        };
        check("755", 0o600, false, 0o755);
        check("04755", 0o600, false, 0o4755);
        check("u+x", 0o644, false, 0o744);
        check("+x", 0o644, false, 0o755);
        check("a=rX", 0o600, true, 0o555);
        check("a=rX", 0o600, false, 0o444);
        check("go-rwx,u=rw", 0o777, false, 0o600);
        check("g=u", 0o640, false, 0o660);
        check("u+s,+t", 0o755, false, 0o5755);
        check("u+x-w", 0o644, false, 0o544);
    }
}
