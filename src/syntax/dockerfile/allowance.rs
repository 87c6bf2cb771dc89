//! How much the variables of one Dockerfile may hold.
//!
//! A single value is bounded by its lexer. A thousand values of that length, each passed on to a thousand
//! stages, are not: so whoever sets a variable, passes it on, or makes a text of it, takes so many bytes of
//! the Dockerfile's allowance.
//!
//! **Invariant:** a text without variables is never refused, for the file itself is its bound.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::expansion::{Expanded, Lexer, Variables, is_plain};
use super::expansion_error::{ExpansionError, MOST_OF_ALL};

/// What is left to one Dockerfile.
#[derive(Debug, Default)]
pub struct Allowance {
    taken: AtomicUsize,
}

impl Allowance {
    /// Expands `text`, and takes what variables added to it.
    ///
    /// # Errors
    /// As [`Lexer::expand`]; when nothing is left.
    pub fn expand(
        &self,
        lexer: Lexer,
        text: &str,
        variables: &dyn Variables,
    ) -> Result<Expanded, ExpansionError> {
        if is_plain(text, lexer.escape) {
            return lexer.expand(text, variables);
        }
        // Before the work, too.
        self.take(0)?;
        let expanded = lexer.expand(text, variables)?;
        self.take(expanded.text.len().saturating_sub(text.len()))?;
        Ok(expanded)
    }

    /// Takes so many bytes.
    ///
    /// # Errors
    /// When there are not so many, and from then on.
    pub fn take(&self, bytes: usize) -> Result<(), ExpansionError> {
        let taken = |taken: usize| Some(taken.saturating_add(bytes));
        let before = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
        let before = before.unwrap_or_else(|before| before);
        match before.saturating_add(bytes) > MOST_OF_ALL {
            true => Err(ExpansionError::TooMuch),
            false => Ok(()),
        }
    }

    /// Whether more was asked for than there is.
    pub fn is_spent(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > MOST_OF_ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_counted_once_and_for_all() {
        let allowance = Allowance::default();
        let value = "x".repeat(64 << 10);
        let expand = |text: &str| {
            let lexer = Lexer::new('\\');
            allowance.expand(lexer, text, &One(&value)).map(|expanded| expanded.text.len())
        };
        assert_eq!(expand("$A$A"), Ok(128 << 10));
        let refused = (0..1000).find_map(|_| expand("$A$A").err());
        assert_eq!(refused, Some(ExpansionError::TooMuch));
        assert!(allowance.is_spent());
        assert_eq!(
            (expand("$A"), allowance.take(1)),
            (Err(ExpansionError::TooMuch), Err(ExpansionError::TooMuch))
        );
        assert_eq!(expand("plain"), Ok(5));
    }

    struct One<'v>(&'v str);

    impl Variables for One<'_> {
        fn get(&self, _name: &str) -> Option<&str> {
            Some(self.0)
        }
    }
}
