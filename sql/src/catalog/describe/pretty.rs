//! The pretty form of an expression: which parentheses of the full form PostgreSQL leaves out
//! (`isSimpleNode` and its callers in `ruleutils.c`).
//!
//! The full form puts every operator, test and boolean connective in parentheses of its own:
//! `((c > (0)::numeric) AND (b <> ''::text))`. What stands inside a pair and what stands around it decide whether the
//! pretty form, `c > 0::numeric AND b <> ''::text`, needs it. Parentheses that belong to calls, lists, types and
//! subqueries always stay.

/// A piece of an expression: a word, a literal, an operator or a punctuation mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    /// Where it begins, in bytes.
    pub(super) start: usize,
    pub(super) text: &'t str,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
    /// A name, a keyword or a number.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '$'))
    }
    fn is_operator(&self) -> bool {
        is_operator_character(self.text.chars().next()) && self.text != "::" || self.text == "OPERATOR"
    }
}

fn is_operator_character(character: Option<char>) -> bool {
    character.is_some_and(|c| "+-*/<>=~!@#%^&|`?".contains(c))
}

/// The pieces of an expression as this server itself writes them.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let length = match first {
            c if c.is_whitespace() => {
                start += c.len_utf8();
                continue;
            }
            '\'' => quoted(rest, '\'', false),
            'E' if rest[1..].starts_with('\'') => 1 + quoted(&rest[1..], '\'', true),
            'B' | 'X' if rest[1..].starts_with('\'') => 1 + quoted(&rest[1..], '\'', false),
            '"' => quoted(rest, '"', false),
            ':' if rest.starts_with("::") => 2,
            c if c.is_ascii_digit() => end_of(rest, |c| c.is_alphanumeric() || c == '.'),
            c if c.is_alphanumeric() || matches!(c, '_' | '$') => {
                end_of(rest, |c| c.is_alphanumeric() || matches!(c, '_' | '$'))
            }
            c if is_operator_character(Some(c)) => end_of(rest, |c| is_operator_character(Some(c))),
            c => c.len_utf8(),
        };
        tokens.push(Token { start, text: &rest[..length] });
        start += length;
    }
    tokens
}

fn end_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// The length of a quoted piece: doubled quotes do not end it.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if escapes && character == '\\' {
            characters.next();
        } else if character == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => {
                    characters.next();
                }
                _ => return index + 1,
            }
        }
    }
    text.len()
}

/// What an expression in parentheses is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing that binds more loosely than a call.
    Simple,
    /// A conversion written `x::type`.
    Cast,
    /// `+` or `-` with two operands.
    Additive,
    /// `*`, `/` or `%`.
    Multiplicative,
    /// Any other operator.
    Operator,
    /// `IS NULL`, `IS TRUE`, `IS DISTINCT FROM`, `~~ ANY (…)`, …
    Test,
    Not,
    And,
    Or,
    /// `a JOIN b ON …`.
    Join,
    /// A subquery or another list that keeps its parentheses.
    Fixed,
}

/// A pair of parentheses around an expression.
struct Pair {
    open: usize,
    close: usize,
    kind: Kind,
}

/// An expression of the full form in its pretty form. Text that has no such parentheses is returned as it is.
pub fn pretty(text: &str) -> String {
    let tokens = tokens(text);
    let pairs = pairs(&tokens);
    let mut dropped = vec![false; tokens.len()];
    for pair in &pairs {
        if !is_needed(&tokens, &pairs, pair) {
            (dropped[pair.open], dropped[pair.close]) = (true, true);
        }
    }
    let (mut result, mut copied) = (String::with_capacity(text.len()), 0);
    for (token, _) in tokens.iter().zip(&dropped).filter(|(_, dropped)| **dropped) {
        result.push_str(&text[copied..token.start]);
        copied = token.end();
    }
    result.push_str(&text[copied..]);
    result
}

/// The pairs that stand around one expression each.
fn pairs(tokens: &[Token<'_>]) -> Vec<Pair> {
    let (mut open, mut pairs) = (Vec::new(), Vec::new());
    for (index, token) in tokens.iter().enumerate() {
        match token.text {
            "(" => open.push(index),
            ")" => {
                let Some(start) = open.pop() else { continue };
                if groups(tokens, start) {
                    pairs.push(Pair { open: start, close: index, kind: kind(&tokens[start + 1..index]) });
                }
            }
            _ => {}
        }
    }
    pairs
}

/// Words after which a parenthesis opens an expression, not a list of arguments.
const BEFORE_EXPRESSION: &[&str] = &[
    "AND",
    "OR",
    "NOT",
    "WHEN",
    "THEN",
    "ELSE",
    "CASE",
    "SELECT",
    "DISTINCT",
    "ON",
    "WHERE",
    "HAVING",
    "BY",
    "FROM",
    "RETURN",
    "JOIN",
    "CHECK",
    "FILTER",
    "LIMIT",
    "OFFSET",
    "DEFAULT",
    "SET",
    "LATERAL",
    "UNION",
    "ALL",
    "EXCEPT",
    "INTERSECT",
    "AS",
];

fn groups(tokens: &[Token<'_>], open: usize) -> bool {
    let Some(before) = open.checked_sub(1).map(|index| tokens[index]) else { return true };
    !(before.is_word() || before.text == "]" || before.text == ")")
        || BEFORE_EXPRESSION.contains(&before.text)
}

/// What stands between two parentheses, by what is at its top.
fn kind(inner: &[Token<'_>]) -> Kind {
    let mut depth = 0_usize;
    let mut kind = Kind::Simple;
    let mut cases = 0_usize;
    for (index, token) in inner.iter().enumerate() {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            "CASE" => cases += 1,
            "END" => cases = cases.saturating_sub(1),
            _ if cases > 0 => {}
            "," | "SELECT" | "WITH" | "VALUES" => return Kind::Fixed,
            "JOIN" => return Kind::Join,
            "OR" => return Kind::Or,
            "AND" => return Kind::And,
            "NOT" if index == 0 => return Kind::Not,
            "IS" | "ANY" | "ALL" | "COLLATE" | "AT" | "OVERLAPS" => kind = Kind::Test,
            "::" if kind == Kind::Simple => kind = Kind::Cast,
            text if token.is_operator() && kind != Kind::Test => {
                kind = match text {
                    "+" | "-" if index > 0 => Kind::Additive,
                    "*" | "/" | "%" => Kind::Multiplicative,
                    _ => Kind::Operator,
                }
            }
            _ => {}
        }
    }
    kind
}

/// Whether the pretty form keeps a pair.
fn is_needed(tokens: &[Token<'_>], pairs: &[Pair], pair: &Pair) -> bool {
    let before = pair.open.checked_sub(1).map_or("", |index| tokens[index].text);
    let after = tokens.get(pair.close + 1).map_or("", |token| token.text);
    if pair.kind == Kind::Fixed {
        return true;
    }
    if pair.kind == Kind::Join {
        return before == "JOIN" || after == "AS" || !matches!(before, "" | "(" | "FROM" | ",");
    }
    if matches!(after, "::" | "[" | ".") {
        // A negative number keeps its parentheses before a conversion only inside quotes, which are no pair.
        return pair.kind != Kind::Simple || matches!(after, "[" | ".");
    }
    let enclosing = pairs.iter().filter(|other| other.open < pair.open && other.close > pair.close);
    let parent = enclosing.max_by_key(|other| other.open);
    // Only the parent whose parts are this pair's neighbours matters; in a list or a clause there is none.
    let neighbour = |text: &str| is_connector(text);
    if !neighbour(before) && !neighbour(after) {
        return false;
    }
    let parent = parent.map_or_else(|| connector_kind(before, after), |parent| parent.kind);
    let parent = if connects(parent, before, after) { parent } else { connector_kind(before, after) };
    let is_left = !neighbour(before) || before == "NOT";
    keeps_inside(pair.kind, parent, is_left)
}

fn is_connector(text: &str) -> bool {
    matches!(text, "AND" | "OR" | "NOT" | "IS" | "ANY" | "ALL" | "COLLATE" | "AT" | "OVERLAPS")
        || is_operator_character(text.chars().next()) && text != "::"
}

/// Whether an expression of this kind has such words beside its parts.
fn connects(kind: Kind, before: &str, after: &str) -> bool {
    match kind {
        Kind::And => before == "AND" || after == "AND",
        Kind::Or => before == "OR" || after == "OR",
        Kind::Not => before == "NOT",
        Kind::Test => true,
        _ => is_operator_character(before.chars().next()) || is_operator_character(after.chars().next()),
    }
}

/// The kind of the expression around, when it has no parentheses itself.
fn connector_kind(before: &str, after: &str) -> Kind {
    for text in [after, before] {
        match text {
            "AND" => return Kind::And,
            "OR" => return Kind::Or,
            "NOT" => return Kind::Not,
            "IS" | "ANY" | "ALL" | "COLLATE" | "AT" | "OVERLAPS" => return Kind::Test,
            "+" | "-" => return Kind::Additive,
            "*" | "/" | "%" => return Kind::Multiplicative,
            _ if is_operator_character(text.chars().next()) => return Kind::Operator,
            _ => {}
        }
    }
    Kind::Simple
}

/// Whether an expression needs parentheses as part of another.
fn keeps_inside(kind: Kind, parent: Kind, is_left: bool) -> bool {
    match (kind, parent) {
        (Kind::Simple | Kind::Cast, _) => false,
        (Kind::Multiplicative, Kind::Additive) => false,
        (Kind::Additive, Kind::Additive) | (Kind::Multiplicative, Kind::Multiplicative) => !is_left,
        (
            Kind::Additive | Kind::Multiplicative | Kind::Operator | Kind::Test,
            Kind::And | Kind::Or | Kind::Not,
        ) => false,
        (Kind::Not | Kind::And, Kind::And | Kind::Or) => false,
        (Kind::Or, Kind::Or) => false,
        _ => true,
    }
}
