//! Syntax errors in PostgreSQL's words. All have the position of a token, in characters from 1, in the query string.

use super::tokens::{Kind, Token};
use crate::{Result, SqlError, SqlState, error};

/// `syntax error at or near "…"`, or at the end of input.
pub(super) fn syntax_error(text: &str, token: &Token) -> SqlError {
    at_or_near("syntax error", text, token)
}

/// Another message of the grammar, with the token it is about.
pub(super) fn at_or_near(message: &str, text: &str, token: &Token) -> SqlError {
    if let Kind::Invalid(error) = &token.kind {
        return error.clone();
    }
    if token.kind == Kind::End {
        return error!(SYNTAX_ERROR, "{message} at end of input").at(token.position);
    }
    error!(SYNTAX_ERROR, "{message} at or near \"{}\"", &text[token.start..token.end]).at(token.position)
}

/// `54001`, as PostgreSQL says it, whoever has reached the limit of its depth.
pub(crate) fn too_deep() -> SqlError {
    SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint(
        "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's \
         stack depth limit is adequate.",
    )
}

/// `22021` when escapes have made bytes that are not UTF-8, or a zero byte.
pub(super) fn check_encoding(bytes: &[u8]) -> Result<()> {
    let place = match std::str::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            Some(place) => place,
            None => return Ok(()),
        },
        Err(failure) => bytes[..failure.valid_up_to()]
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or_else(|| failure.valid_up_to()),
    };
    let length = match bytes[place] {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => 1,
    };
    let shown: Vec<String> = bytes[place..].iter().take(length).map(|byte| format!("0x{byte:02x}")).collect();
    Err(error!(
        CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"UTF8\": {}",
        shown.join(" ")
    ))
}
