//! The cursor over the tokens which all grammar files of this folder extend with their productions: a recursive-descent
//! parser which, like PostgreSQL's, looks one or two tokens ahead and blames the first token that fits nowhere.
//!
//! Trees hold places as sqlparser's `Location`: the line is always 1 and the column is the character, from 1, in the
//! text of the statement. `Parser::base` is what lies before the statement in the query string.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};
use sqlparser::tokenizer::{Location, Span};

use super::errors;
use super::keywords::Category;
use super::tokens::{Kind, Token, tokenize};
use crate::interrupt::{MadeOfText, Things};
use crate::{Result, SqlError, interrupt};

/// How deep expressions, queries and joins may nest in each other, for the sake of those who walk the trees.
pub(super) const NESTING_MAX: usize = 200;
/// How many bytes of stack one parse may take: half of what threads usually have. Builds without optimization need ten
/// times what others do, so counting levels alone would not do.
const STACK_BYTES_MAX: usize = 1 << 20;
/// How long a chain of left-associative operators, subscripts or set operations may be: trees lean on it.
pub(super) const CHAIN_MAX: usize = 1_000;

/// A cursor over the tokens of one query string.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    tokens: MadeOfText<Vec<Token>>,
    /// For each opening parenthesis the token that closes it.
    partners: Vec<usize>,
    index: usize,
    /// Characters before the current statement.
    base: usize,
    depth: usize,
    /// Where the stack was when parsing began.
    stack_base: usize,
    /// Set while the operands of BETWEEN and other `b_expr`s are read.
    pub(super) restricted: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let tokens = MadeOfText::new(tokenize(text), text);
        let mut partners = vec![0; tokens.len()];
        let mut open = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            match token.kind {
                Kind::Symbol("(") => open.push(index),
                Kind::Symbol(")") => {
                    if let Some(opening) = open.pop() {
                        partners[opening] = index;
                    }
                }
                _ => {}
            }
        }
        Self {
            text,
            tokens,
            partners,
            index: 0,
            base: 0,
            depth: 0,
            stack_base: stack_address(),
            restricted: false,
        }
    }

    /// The current token.
    pub(super) fn token(&self) -> &Token {
        &self.tokens[self.index]
    }

    /// The token `ahead` of the current one; the end beyond the end.
    pub(super) fn peek(&self, ahead: usize) -> &Token {
        &self.tokens[(self.index + ahead).min(self.tokens.len() - 1)]
    }

    /// The token before the current one.
    pub(super) fn previous(&self) -> &Token {
        &self.tokens[self.index.saturating_sub(1)]
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Goes back to (or on to) a token.
    pub(super) fn seek(&mut self, index: usize) {
        self.index = index;
    }

    pub(super) fn advance(&mut self) {
        if self.index + 1 < self.tokens.len() {
            self.index += 1;
        }
    }

    /// The token that closes the parenthesis at `index`, if it is closed.
    pub(super) fn partner(&self, index: usize) -> Option<usize> {
        self.partners.get(index).copied().filter(|&partner| partner > index)
    }

    pub(super) fn token_at(&self, index: usize) -> &Token {
        &self.tokens[index.min(self.tokens.len() - 1)]
    }

    /// Makes the current token the first of a statement: places count from it.
    pub(super) fn begin_statement(&mut self) {
        self.base = self.token().position - 1;
    }

    pub(super) fn base(&self) -> usize {
        self.base
    }

    /// `syntax error at or near` the current token.
    pub(super) fn error(&self) -> SqlError {
        errors::syntax_error(self.text, self.token())
    }

    pub(super) fn fail<T>(&self) -> Result<T> {
        Err(self.error())
    }

    /// `0A000` at the current token, for what PostgreSQL can do and we cannot.
    pub(super) fn unsupported<T>(&self, what: &str) -> Result<T> {
        Err(SqlError::unsupported(what).at(self.token().position))
    }

    /// The current token's character position in the query string.
    pub(super) fn position(&self) -> usize {
        self.token().position
    }

    /// The current token's character position in the statement.
    pub(super) fn place(&self) -> usize {
        self.token().position - self.base
    }

    /// Runs a production one level deeper.
    pub(super) fn nested<T>(&mut self, production: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= NESTING_MAX || self.stack_base.abs_diff(stack_address()) > STACK_BYTES_MAX {
            return Err(errors::too_deep());
        }
        interrupt::check()?;
        self.depth += 1;
        let result = production(self);
        self.depth -= 1;
        result
    }

    // Words and symbols.

    /// The current token's word, when it is an undelimited one.
    pub(super) fn word(&self) -> Option<&str> {
        self.word_ahead(0)
    }

    pub(super) fn word_ahead(&self, ahead: usize) -> Option<&str> {
        match &self.peek(ahead).kind {
            Kind::Word(word, ..) => Some(word),
            _ => None,
        }
    }

    pub(super) fn at(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub(super) fn at_any(&self, words: &[&str]) -> bool {
        self.word().is_some_and(|word| words.contains(&word))
    }

    /// Whether the coming tokens are these words.
    pub(super) fn at_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, &word)| self.word_ahead(ahead) == Some(word))
    }

    pub(super) fn at_symbol(&self, symbol: &str) -> bool {
        self.symbol_ahead(0, symbol)
    }

    pub(super) fn symbol_ahead(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek(ahead).kind, Kind::Symbol(found) if found == symbol)
    }

    pub(super) fn at_operator(&self, operator: &str) -> bool {
        matches!(&self.token().kind, Kind::Operator(found) if found == operator)
    }

    pub(super) fn at_end(&self) -> bool {
        matches!(self.token().kind, Kind::End | Kind::Symbol(";"))
    }

    pub(super) fn accept(&mut self, word: &str) -> bool {
        let found = self.at(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes all these words or none.
    pub(super) fn accept_words(&mut self, words: &[&str]) -> bool {
        let found = self.at_words(words);
        if found {
            self.index += words.len();
        }
        found
    }

    pub(super) fn accept_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn accept_operator(&mut self, operator: &str) -> bool {
        let found = self.at_operator(operator);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<()> {
        if self.accept(word) { Ok(()) } else { self.fail() }
    }

    pub(super) fn expect_words(&mut self, words: &[&str]) -> Result<()> {
        words.iter().try_for_each(|word| self.expect(word))
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.accept_symbol(symbol) { Ok(()) } else { self.fail() }
    }

    pub(super) fn expect_operator(&mut self, operator: &str) -> Result<()> {
        if self.accept_operator(operator) { Ok(()) } else { self.fail() }
    }

    /// `item, item, …`
    pub(super) fn list<T: Send + 'static>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = Things::default();
        loop {
            items.push(item(self)?);
            if !self.accept_symbol(",") {
                return Ok(items.finish());
            }
        }
    }

    /// `(item, item, …)`
    pub(super) fn parenthesized<T: Send + 'static>(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect_symbol("(")?;
        let items = self.list(item)?;
        self.expect_symbol(")")?;
        Ok(items)
    }

    // Names.

    pub(super) fn span(&self, token: &Token) -> Span {
        let column = (token.position - self.base) as u64;
        let length = self.text[token.start..token.end].chars().count() as u64;
        Span::new(Location::new(1, column), Location::new(1, column + length))
    }

    /// The span of the current token.
    pub(super) fn here(&self) -> Span {
        self.span(self.token())
    }

    fn identifier_if(&mut self, allowed: impl Fn(Category, bool) -> bool) -> Result<Ident> {
        let span = self.here();
        let ident = match &self.token().kind {
            Kind::Word(word, category, bare) if allowed(*category, *bare) => {
                Ident { value: word.clone(), quote_style: None, span }
            }
            Kind::Quoted(name) => Ident { value: name.clone(), quote_style: Some('"'), span },
            _ => return self.fail(),
        };
        self.advance();
        Ok(ident)
    }

    /// `ColId`: what may name a column, table or most other objects.
    pub(super) fn identifier(&mut self) -> Result<Ident> {
        self.identifier_if(|category, _| !matches!(category, Category::TypeOrFunction | Category::Reserved))
    }

    /// `ColLabel`: any word.
    pub(super) fn label(&mut self) -> Result<Ident> {
        self.identifier_if(|_, _| true)
    }

    /// `type_function_name`.
    pub(super) fn type_or_function_name(&mut self) -> Result<Ident> {
        self.identifier_if(|category, _| !matches!(category, Category::ColumnName | Category::Reserved))
    }

    /// `NonReservedWord`.
    pub(super) fn unreserved_word(&mut self) -> Result<Ident> {
        self.identifier_if(|category, _| category != Category::Reserved)
    }

    /// Whether the current token may be a `ColId`.
    pub(super) fn at_identifier(&self) -> bool {
        match &self.token().kind {
            Kind::Word(_, category, _) => !matches!(category, Category::TypeOrFunction | Category::Reserved),
            Kind::Quoted(_) => true,
            _ => false,
        }
    }

    /// Whether the current token may label a column without AS.
    pub(super) fn at_bare_label(&self) -> bool {
        match &self.token().kind {
            Kind::Word(_, _, bare) => *bare,
            Kind::Quoted(_) => true,
            _ => false,
        }
    }

    /// `any_name`: an identifier, qualified with dots.
    pub(super) fn object_name(&mut self) -> Result<ObjectName> {
        let mut parts = vec![ObjectNamePart::Identifier(self.identifier()?)];
        while self.accept_symbol(".") {
            parts.push(ObjectNamePart::Identifier(self.label()?));
        }
        Ok(ObjectName(parts))
    }

    /// `func_name`.
    pub(super) fn function_name(&mut self) -> Result<ObjectName> {
        let qualified = self.symbol_ahead(1, ".");
        let first = if qualified { self.identifier()? } else { self.type_or_function_name()? };
        let mut parts = vec![ObjectNamePart::Identifier(first)];
        while self.accept_symbol(".") {
            parts.push(ObjectNamePart::Identifier(self.label()?));
        }
        Ok(ObjectName(parts))
    }

    /// A string literal.
    pub(super) fn string(&mut self) -> Result<String> {
        match &self.token().kind {
            Kind::Text(text) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => self.fail(),
        }
    }

    /// The text from a token's start to the end of the token before the current one.
    pub(super) fn text_since(&self, index: usize) -> &'a str {
        let start = self.token_at(index).start;
        &self.text[start..self.previous().end.max(start)]
    }
}

/// About where the stack is.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0_u8;
    std::hint::black_box(&raw const here).addr()
}
