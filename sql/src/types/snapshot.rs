//! pg_snapshot and txid_snapshot: which transactions had ended at a moment, stored as their text `xmin:xmax:running`.
//!
//! Source: `src/backend/utils/adt/xid8funcs.c`.

use bytes::{Buf, BufMut, BytesMut};

use crate::cluster::TransactionSnapshot;
use crate::oid::types;
use crate::{Result, SqlError, Value, ValueRef, error};

use super::{StorageForm, TypeEntry, invalid_syntax, text};

macro_rules! snapshot {
    ($oid:ident, $array:ident) => {
        TypeEntry {
            oid: types::$oid,
            array: types::$array,
            form: StorageForm::Text,
            input: |text, _, _| {
                // Both types are called by the newer one's name.
                let snapshot = parse(text).ok_or_else(|| invalid_syntax("pg_snapshot", text))?;
                Ok(Value::Text(print(&snapshot)))
            },
            output: text::output,
            receive: Some(|bytes, _, _| {
                let snapshot = receive(bytes).ok_or_else(|| {
                    error!(INVALID_BINARY_REPRESENTATION, "invalid external pg_snapshot data")
                })?;
                Ok(Value::Text(print(&snapshot)))
            }),
            send: Some(|value, _, out| send(value, out)),
        }
    };
}

/// The types of this family.
pub(super) const TYPES: &[TypeEntry] =
    &[snapshot!(PG_SNAPSHOT, _PG_SNAPSHOT), snapshot!(TXID_SNAPSHOT, _TXID_SNAPSHOT)];

/// The text form.
pub(crate) fn print(snapshot: &TransactionSnapshot) -> String {
    let running: Vec<String> = snapshot.running.iter().map(u64::to_string).collect();
    format!("{}:{}:{}", snapshot.xmin, snapshot.xmax, running.join(","))
}

/// A stored snapshot.
///
/// # Errors
/// `XX000` for a value that is none.
pub(crate) fn stored(value: ValueRef<'_>) -> Result<TransactionSnapshot> {
    parse(text::text_of(value)?).ok_or_else(|| SqlError::internal("malformed snapshot"))
}

fn parse(text: &str) -> Option<TransactionSnapshot> {
    let mut parts = text.splitn(3, ':');
    let (xmin, xmax) = (number(parts.next()?)?, number(parts.next()?)?);
    let list = parts.next()?;
    let numbers = list.split(',').filter(|_| !list.is_empty());
    // A comma may stand at the end.
    let numbers: Vec<u64> = numbers.filter(|word| !word.is_empty()).map(number).collect::<Option<_>>()?;
    checked(xmin, xmax, numbers)
}

fn number(word: &str) -> Option<u64> {
    word.parse().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The parts as a snapshot, if they belong together: numbers in order, each once, from `xmin` up to `xmax`.
fn checked(xmin: u64, xmax: u64, mut running: Vec<u64>) -> Option<TransactionSnapshot> {
    let within = running.iter().all(|number| (xmin..xmax).contains(number));
    if xmin == 0 || xmax < xmin || !within || !running.is_sorted() {
        return None;
    }
    running.dedup();
    Some(TransactionSnapshot { xmin, xmax, running })
}

fn receive(mut bytes: &[u8]) -> Option<TransactionSnapshot> {
    let count = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    let (xmin, xmax) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
    if bytes.len() != count.checked_mul(8)? {
        return None;
    }
    let running = (0..count).map(|_| bytes.get_u64()).collect();
    checked(xmin, xmax, running)
}

fn send(value: ValueRef<'_>, out: &mut BytesMut) -> Result<()> {
    let snapshot = stored(value)?;
    out.put_i32(i32::try_from(snapshot.running.len()).unwrap_or(i32::MAX));
    out.put_u64(snapshot.xmin);
    out.put_u64(snapshot.xmax);
    snapshot.running.iter().for_each(|number| out.put_u64(*number));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written() {
        for text in ["1:1:", "10:20:10,14,15", "12:13:"] {
            assert_eq!(print(&parse(text).unwrap()), text);
        }
        assert_eq!(print(&parse("12:18:14,14,16").unwrap()), "12:18:14,16");
        for text in ["", "1:2", "31:12:", "0:1:", "12:16:14,13", "12:16:14,", "12:16:16", "12:16:-1", "a:b:"]
        {
            assert_eq!(parse(text).is_some(), text == "12:16:14,", "{text}");
        }
    }
}
