//! Heredocs: which ones a line names.
//!
//! A line is read as a shell would read it (BuildKit's `heredocsFromLine`), always with `\` as the
//! escape character. A line that cannot be read that way names none: that is the shell's affair.

use super::expansion::{Lexer, NoVariables};
use super::expansion_error::ExpansionError;
use super::model::Heredoc;

/// The heredocs that `line` names, in order, still without content.
pub(super) fn named_in(line: &str) -> Result<Vec<Heredoc>, ExpansionError> {
    let lexer = Lexer { keeps_quotes: true, keeps_escapes: true, keeps_unset: true, ..Lexer::new('\\') };
    // A line with, say, an open quote is not wrong: it names no heredoc.
    let words = lexer.expand(line, &NoVariables).map(|expanded| expanded.words).unwrap_or_default();
    words.iter().filter_map(|word| parse(word).transpose()).collect()
}

/// The heredoc that `word` names: digits, `<<` or `<<-`, space, a word.
pub(super) fn parse(word: &str) -> Result<Option<Heredoc>, ExpansionError> {
    let Some(rest) = word.trim_start_matches(|digit: char| digit.is_ascii_digit()).strip_prefix("<<") else {
        return Ok(None);
    };
    let (rest, chomp) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    let name = rest.trim_start_matches(['\t', '\n', '\u{c}', '\r', ' ']);
    if name.is_empty() || name.contains('<') {
        return Ok(None);
    }
    let lexer = Lexer { keeps_unset: true, ..Lexer::new('\\') };
    let words = lexer.expand(name, &NoVariables)?.words;
    let raw = Lexer { keeps_quotes: true, ..lexer }.expand(name, &NoVariables)?.words;
    match (words.as_slice(), raw.as_slice()) {
        ([word], [raw]) => Ok(Some(Heredoc {
            name: word.clone(),
            expand: quotes(word) == quotes(raw),
            chomp,
            content: String::new(),
        })),
        _ => Ok(None),
    }
}

/// Whether `text` is the name of a heredoc and nothing else.
pub fn is_one(text: &str) -> bool {
    matches!(parse(text), Ok(Some(_)))
}

fn quotes(word: &str) -> usize {
    word.matches(['\'', '"']).count()
}

/// The content of a `<<-` heredoc: every line without its leading tabs.
pub fn without_leading_tabs(content: &str) -> String {
    content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[(&str, bool, bool)]) {
        let found = named_in(line).unwrap();
        let found: Vec<_> = found.iter().map(|doc| (doc.name.as_str(), doc.expand, doc.chomp)).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn heredocs_are_found_where_a_shell_finds_them() {
        check("RUN <<EOF", &[("EOF", true, false)]);
        check("RUN cat <<-EOF | sh", &[("EOF", true, true)]);
        check("RUN cat 3<<\"E F\" << 'B'", &[("E F", false, false), ("B", false, false)]);
        check("RUN echo '<<EOF'", &[]);
        check("RUN echo it's <<EOF", &[]);
        check("RUN cat <<<EOF", &[]);
        check("RUN cat <<", &[]);
        check("COPY <<a <<-b /", &[("a", true, false), ("b", true, true)]);
    }
}
