//! The language of `imgraph query`: text into an expression that knows its places.
//!
//! It is Bazel's query language (its reference manual, "The Bazel Query Reference"), over our own graph:
//! words are target patterns, `+`, `-` and `^` are of one precedence and read from left to right, functions
//! take expressions, words, regular expressions and numbers. Functions of ours stand beside Bazel's.
//! What a word means and what a function gives is said in `graph/query`.
//!
//! **Invariant:** nothing here knows a target. Whatever the text, the answer is an expression or a
//! diagnostic that points into it, and the stack that it takes is bounded.

mod token;
pub mod function;
pub mod expression;
mod parser;

pub use expression::{Call, Expression, Operator, Pattern};
pub use function::Function;
pub use parser::parse;
