//! Where things stand in the statement's text. The tree carries starting places only; those of operators are looked
//! for in the text when an error needs them, so that a statement without errors pays nothing.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::parse;

/// The leftmost place of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// Where its first operand or name stands; line zero: nowhere.
    pub(super) location: Location,
    /// How many prefix operators and opening words stand before that belong to the expression.
    pub(super) prefixes: u8,
}

impl At {
    pub(super) const NOWHERE: At = At { location: Location { line: 0, column: 0 }, prefixes: 0 };

    pub(super) fn new(location: Location) -> Self {
        Self { location, prefixes: 0 }
    }

    /// The same place with one more prefix operator before it.
    pub(super) fn prefixed(self) -> Self {
        Self { location: self.location, prefixes: self.prefixes.saturating_add(1) }
    }

    /// This place, or `other` when this one is nowhere.
    pub(super) fn or(self, other: Self) -> Self {
        if self.location.line == 0 { other } else { self }
    }
}

/// The character position of a place.
pub(super) fn resolve(text: &str, at: At) -> Option<usize> {
    if at.location.line == 0 {
        return None;
    }
    if at.prefixes == 0 {
        return parse::position(text, at.location);
    }
    let tokens = tokens(text);
    let mut index = tokens.iter().position(|token| token.span.start == at.location)?;
    for _ in 0..at.prefixes {
        index = previous_operator(&tokens, index)?;
    }
    parse::position(text, tokens[index].span.start)
}

/// The position of the operator `symbol` between two places, or before `right` when there is no left operand.
pub(super) fn of_operator(text: &str, symbol: &str, left: Option<At>, right: At) -> Option<usize> {
    let tokens = tokens(text);
    let end = if right.location.line == 0 {
        tokens.len()
    } else {
        tokens.iter().position(|token| token.span.start == right.location)?
    };
    let start = match left {
        Some(left) => tokens.iter().position(|token| token.span.start == left.location)?,
        None => 0,
    };
    let matches = |token: &&TokenWithSpan| token_text(&token.token).eq_ignore_ascii_case(symbol);
    let found = tokens.get(start..end)?.iter().rev().find(matches)?;
    parse::position(text, found.span.start)
}

/// The position of the last token before `place` whose text is `word`.
pub(super) fn of_word_before(text: &str, word: &str, place: At) -> Option<usize> {
    of_operator(text, word, None, place)
}

/// The position of the `::` that follows an expression with `before` casts of its own.
pub(super) fn of_cast(text: &str, operand: At, before: usize) -> Option<usize> {
    let tokens = tokens(text);
    let start = tokens.iter().position(|token| token.span.start == operand.location)?;
    let mut depth = 0_i32;
    let mut outside = tokens[start..].iter().filter(|token| {
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = (depth - 1).max(0),
            _ => {}
        }
        depth == 0 && token.token == Token::DoubleColon
    });
    parse::position(text, outside.nth(before)?.span.start)
}

fn previous_operator(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    tokens[..from].iter().rposition(|token| !matches!(token.token, Token::LParen))
}

fn token_text(token: &Token) -> String {
    match token {
        Token::Neq => "<>".to_owned(),
        other => other.to_string(),
    }
}

fn tokens(text: &str) -> Vec<TokenWithSpan> {
    let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().unwrap_or_default();
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    tokens
}
