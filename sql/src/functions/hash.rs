//! Hash functions, bit by bit those of PostgreSQL: applications keep their results and lock by them.
//!
//! The mixing is Bob Jenkins' lookup3 (public domain) on little-endian words.
//!
//! Source: `src/common/hashfn.c`, `src/backend/access/hash/hashfunc.c`.

use crate::interrupt::Turns;
use crate::types::bytes::blob;
use crate::{Result, Value};

use super::Function;
use super::arguments::{integer, real, scalar, text};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("hashchar", |_, v| Ok(int4(of_u32(crate::types::text::char_byte(text(v[0])?) as i8 as u32)))),
    scalar("hashint2", |_, v| Ok(int4(of_u32(integer(v[0])? as u32)))),
    scalar("hashint4", |_, v| Ok(int4(of_u32(integer(v[0])? as u32)))),
    scalar("hashoid", |_, v| Ok(int4(of_u32(integer(v[0])? as u32)))),
    scalar("hashenum", |_, v| Ok(int4(of_bytes(&real(v[0])?.to_le_bytes())?))),
    scalar("hashint8", |_, v| Ok(int4(of_u32(fold(integer(v[0])?))))),
    scalar("hashtext", |_, v| Ok(int4(of_bytes(text(v[0])?.as_bytes())?))),
    scalar("hashname", |_, v| Ok(int4(of_bytes(text(v[0])?.as_bytes())?))),
    scalar("hashbpchar", |_, v| Ok(int4(of_bytes(text(v[0])?.trim_end_matches(' ').as_bytes())?))),
    scalar("hashvarlena", |_, v| Ok(int4(of_bytes(blob(v[0])?)?))),
    scalar("uuid_hash", |_, v| Ok(int4(of_bytes(blob(v[0])?)?))),
    scalar("hashfloat4", |_, v| real(v[0]).and_then(of_real)),
    scalar("hashfloat8", |_, v| real(v[0]).and_then(of_real)),
    scalar("hashint4extended", |_, v| Ok(extended_u32(integer(v[0])? as u32, integer(v[1])?))),
    scalar("hashint8extended", |_, v| Ok(extended_u32(fold(integer(v[0])?), integer(v[1])?))),
    scalar("hashtextextended", |_, v| extended(text(v[0])?.as_bytes(), integer(v[1])?)),
];

fn int4(hash: u32) -> Value {
    Value::Integer((hash as i32).into())
}

/// An int8 so that it hashes as the int4 of the same value does.
fn fold(value: i64) -> u32 {
    let (high, low) = ((value >> 32) as u32, value as u32);
    low ^ if value >= 0 { high } else { !high }
}

fn of_real(value: f64) -> Result<Value> {
    if value == 0.0 {
        return Ok(Value::Integer(0));
    }
    let value = if value.is_nan() { f64::NAN } else { value };
    of_bytes(&value.to_le_bytes()).map(int4)
}

const INITIAL: u32 = 0x9e37_79b9;
const ADDEND: u32 = 3_923_095;

type State = [u32; 3];

fn mix([mut a, mut b, mut c]: State) -> State {
    a = a.wrapping_sub(c) ^ c.rotate_left(4);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(6);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(8);
    b = b.wrapping_add(a);
    a = a.wrapping_sub(c) ^ c.rotate_left(16);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(19);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(4);
    b = b.wrapping_add(a);
    [a, b, c]
}

fn finish([mut a, mut b, mut c]: State) -> State {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    [a, b, c]
}

fn start(length: usize) -> State {
    [INITIAL.wrapping_add(length as u32).wrapping_add(ADDEND); 3]
}

fn seeded(state: State, seed: i64) -> State {
    if seed == 0 {
        return state;
    }
    let [a, b, c] = state;
    mix([a.wrapping_add((seed >> 32) as u32), b.wrapping_add(seed as u32), c])
}

fn absorb(mut state: State, bytes: &[u8]) -> Result<State> {
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    let mut chunks = bytes.chunks_exact(12);
    let mut turns = Turns::default();
    for chunk in &mut chunks {
        turns.turn()?;
        for (index, part) in state.iter_mut().enumerate() {
            *part = part.wrapping_add(word(&chunk[index * 4..index * 4 + 4]));
        }
        state = mix(state);
    }
    let rest = chunks.remainder();
    for (index, part) in rest.chunks(4).enumerate() {
        // The lowest byte of the last word is kept for the length.
        let shift = if index == 2 { 8 } else { 0 };
        state[index] = state[index].wrapping_add(word(part) << shift);
    }
    Ok(finish(state))
}

fn of_bytes(bytes: &[u8]) -> Result<u32> {
    absorb(start(bytes.len()), bytes).map(|[_, _, hash]| hash)
}

fn of_u32(value: u32) -> u32 {
    let [a, b, c] = start(4);
    finish([a.wrapping_add(value), b, c])[2]
}

fn wide([_, b, c]: State) -> Value {
    Value::Integer((u64::from(b) << 32 | u64::from(c)) as i64)
}

fn extended(bytes: &[u8], seed: i64) -> Result<Value> {
    absorb(seeded(start(bytes.len()), seed), bytes).map(wide)
}

fn extended_u32(value: u32, seed: i64) -> Value {
    let [a, b, c] = seeded(start(4), seed);
    wide(finish([a.wrapping_add(value), b, c]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_postgresql() {
        let text = |text: &str| of_bytes(text.as_bytes()).unwrap() as i32;
        assert_eq!(text(""), -1_477_818_771);
        assert_eq!(text("a"), 1_075_015_857);
        assert_eq!(text("abcdefghijk"), -1_483_803_693);
        assert_eq!(text("abcdefghijkl"), -1_586_087_212);
        assert_eq!(text("hello world, this is long"), -1_137_652_777);
        assert_eq!(of_u32(42) as i32, 1_509_752_520);
        assert_eq!(of_u32(fold(-5)) as i32, 1_412_886_042);
        assert_eq!(of_u32(fold(1_099_511_627_776)) as i32, 1_851_357_687);
        assert_eq!(extended(b"abc", 7).unwrap(), Value::Integer(1_967_049_030_278_966_041));
        assert_eq!(extended(b"abc", 0).unwrap(), Value::Integer(-6_747_756_470_228_489_321));
        assert_eq!(extended_u32(1, 5), Value::Integer(-475_770_148_949_854_016));
        assert_eq!(of_real(1.5).unwrap(), Value::Integer(630_860_146));
    }
}
