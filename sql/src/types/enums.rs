//! Enums: a label is stored as its `enumsortorder`, so that SQLite orders labels as they were declared and renaming one
//! touches the catalog only.
//!
//! Source: `src/backend/utils/adt/enum.c`.

use crate::bound::TypeMod;
use crate::{Oid, Result, Value, ValueRef, error};

use super::{TypeContext, base_type, float, format_type, wrong_form};

/// Reads a label.
///
/// # Errors
/// `22P02`.
pub fn input(ty: Oid, text: &str, cx: &TypeContext<'_>) -> Result<Value> {
    let ty = base_type(cx.catalog, TypeMod::plain(ty)).oid;
    let labels = cx.catalog.enum_labels(ty);
    match labels.iter().find(|label| label.enumlabel == text) {
        Some(label) => Ok(Value::Real(label.enumsortorder)),
        None => Err(error!(
            INVALID_TEXT_REPRESENTATION,
            "invalid input value for enum {}: \"{text}\"",
            format_type(TypeMod::plain(ty), cx.catalog, cx.search_path)
        )),
    }
}

/// Appends a label.
///
/// # Errors
/// `XX000` when no label has this order.
pub fn output(ty: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    let ty = base_type(cx.catalog, TypeMod::plain(ty)).oid;
    let order = float::from_value(value)?;
    let labels = cx.catalog.enum_labels(ty);
    let label =
        labels.iter().find(|label| label.enumsortorder == order).ok_or_else(|| wrong_form("an enum"))?;
    out.push_str(&label.enumlabel);
    Ok(())
}
