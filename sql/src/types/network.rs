//! inet and cidr, keyed TEXT, and macaddr, TEXT whose fixed form has its own order.
//!
//! The key of an address: its family, the bits of its network as `0` and `1` with a terminator, then the whole address
//! in hexadecimal. So addresses compare by the common bits of their networks, then by mask, then by address, as in
//! PostgreSQL. Abbreviated forms (`10.1/16`) are refused.
//!
//! Source: `src/backend/utils/adt/network.c`, `mac.c`.

use std::fmt::Write;
use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use crate::oid::types;
use crate::{Result, Value, ValueRef, error};

use super::{StorageForm, TypeContext, TypeEntry, invalid_syntax, key, text};

/// The binary form's numbers for the families.
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 3;

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[
    TypeEntry {
        oid: types::INET,
        array: types::_INET,
        form: StorageForm::Keyed,
        input: |text, _, _| Ok(Network::parse(text, false)?.to_value(false)),
        output,
        receive: Some(|bytes, _, _| Ok(receive(bytes)?.to_value(false))),
        send: Some(|value, _, out| send(value, false, out)),
    },
    TypeEntry {
        oid: types::CIDR,
        array: types::_CIDR,
        form: StorageForm::Keyed,
        input: |text, _, _| Ok(Network::parse(text, true)?.to_value(true)),
        output,
        receive: Some(|bytes, _, _| Ok(receive(bytes)?.to_value(true))),
        send: Some(|value, _, out| send(value, true, out)),
    },
    TypeEntry {
        oid: types::MACADDR,
        array: types::_MACADDR,
        form: StorageForm::Text,
        input: |text, _, _| {
            parse_macaddr(text)
                .map(|bytes| show_macaddr(&bytes))
                .ok_or_else(|| invalid_syntax("macaddr", text))
        },
        output: text::output,
        receive: Some(|bytes, _, _| Ok(show_macaddr(&super::exact_bytes::<6>(bytes)?))),
        send: Some(|value, _, out| {
            let bytes = parse_macaddr(text::text_of(value)?).ok_or_else(|| super::wrong_form("macaddr"))?;
            out.extend_from_slice(&bytes);
            Ok(())
        }),
    },
];

/// An address with the length of its network's mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// The bits of the mask.
    pub bits: u8,
}

impl Network {
    /// Reads `address[/bits]`; a cidr must have no bits beyond its mask.
    ///
    /// # Errors
    /// `22P02`.
    pub fn parse(text: &str, cidr: bool) -> Result<Self> {
        let ty = if cidr { "cidr" } else { "inet" };
        let refuse = || invalid_syntax(ty, text);
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let bits = match bits {
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().map_err(|_| refuse())?,
            Some(_) => return Err(refuse()),
            None => width(address),
        };
        let network = Self { address, bits };
        if bits > width(address) {
            return Err(refuse());
        }
        if cidr && network.network().address != address {
            return Err(error!(INVALID_TEXT_REPRESENTATION, "invalid cidr value: \"{text}\"")
                .detail("Value has bits set to right of mask."));
        }
        Ok(network)
    }

    /// The network in a stored value.
    ///
    /// # Errors
    /// `XX000` when it is none.
    pub fn from_value(value: ValueRef<'_>) -> Result<Self> {
        Self::parse(key::split(value, "inet")?.1, false)
    }

    /// The same with all bits beyond the mask cleared.
    #[must_use]
    pub fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & mask(self.bits.into(), 32) as u32).into()),
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & mask(self.bits.into(), 128)).into()),
        };
        Self { address, bits: self.bits }
    }

    /// The text form; a cidr always shows its mask.
    pub fn show(self, cidr: bool) -> String {
        match cidr || self.bits != width(self.address) {
            true => format!("{}/{}", self.address, self.bits),
            false => self.address.to_string(),
        }
    }

    /// The network of one address alone.
    pub fn of_address(address: IpAddr) -> Self {
        Self { address, bits: width(address) }
    }

    /// The network in storage form.
    pub fn to_value(self, cidr: bool) -> Value {
        let (family, number) = match self.address {
            IpAddr::V4(v4) => ('4', u128::from(u32::from(v4)) << 96),
            IpAddr::V6(v6) => ('6', u128::from(v6)),
        };
        let mut stored = String::from(family);
        for bit in 0..self.bits {
            stored.push(if number >> (127 - bit) & 1 == 1 { '1' } else { '0' });
        }
        stored.push(key::TERMINATOR);
        write!(stored, "{number:032x}").expect("a String takes anything");
        key::join(&stored, &self.show(cidr))
    }
}

fn mask(bits: u32, width: u32) -> u128 {
    let ones = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
    ones >> (128 - width)
}

/// The bits of an address of a family.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn output(value: ValueRef<'_>, _: &TypeContext<'_>, out: &mut String) -> Result<()> {
    out.push_str(key::split(value, "inet")?.1);
    Ok(())
}

fn receive(bytes: &[u8]) -> Result<Network> {
    let invalid =
        || error!(INVALID_BINARY_REPRESENTATION, "invalid address family in external \"inet\" value");
    let [family, bits, _, length, address @ ..] = bytes else {
        return Err(error!(PROTOCOL_VIOLATION, "insufficient data left in message"));
    };
    let address = match (*family, *length) {
        (FAMILY_V4, 4) => IpAddr::from(super::exact_bytes::<4>(address)?),
        (FAMILY_V6, 16) => IpAddr::from(super::exact_bytes::<16>(address)?),
        _ => return Err(invalid()),
    };
    if *bits > width(address) {
        return Err(error!(INVALID_BINARY_REPRESENTATION, "invalid bits in external \"inet\" value"));
    }
    Ok(Network { address, bits: *bits })
}

fn send(value: ValueRef<'_>, cidr: bool, out: &mut BytesMut) -> Result<()> {
    let network = Network::from_value(value)?;
    out.put_u8(if network.address.is_ipv4() { FAMILY_V4 } else { FAMILY_V6 });
    out.put_u8(network.bits);
    out.put_u8(cidr.into());
    match network.address {
        IpAddr::V4(v4) => {
            out.put_u8(4);
            out.extend_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            out.put_u8(16);
            out.extend_from_slice(&v6.octets());
        }
    }
    Ok(())
}

fn show_macaddr(bytes: &[u8; 6]) -> Value {
    Value::Text(bytes.map(|byte| format!("{byte:02x}")).join(":"))
}

/// Six bytes in hexadecimal, with colons or hyphens between some of them or none.
fn parse_macaddr(text: &str) -> Option<[u8; 6]> {
    let digits: String = text.trim().chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    super::bytes::parse_hex(&digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_order_by_their_common_bits() {
        let ascending = [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.0.0.0/16",
            "10.0.0.1/16",
            "10.0.0.0",
            "10.0.0.1",
            "10.1.0.0/16",
            "::1",
        ];
        let keys: Vec<_> = ascending
            .iter()
            .map(|text| match Network::parse(text, false).unwrap().to_value(false) {
                Value::Text(text) => text,
                other => panic!("{other:?}"),
            })
            .collect();
        for pair in keys.windows(2) {
            assert!(key::compare(&pair[0], &pair[1]).is_lt(), "{pair:?}");
        }
    }

    #[test]
    fn text_forms() {
        assert_eq!(Network::parse("10.1.2.3", true).unwrap().show(true), "10.1.2.3/32");
        assert_eq!(Network::parse("::1/64", false).unwrap().show(false), "::1/64");
        assert_eq!(
            Network::parse("10.1.2.3/8", true).unwrap_err().message(),
            "invalid cidr value: \"10.1.2.3/8\""
        );
        assert_eq!(
            Network::parse("x", false).unwrap_err().message(),
            "invalid input syntax for type inet: \"x\""
        );
        assert_eq!(parse_macaddr("0800-2b01-0203"), Some([8, 0, 0x2b, 1, 2, 3]));
    }
}
