//! Functions of inet and cidr.
//!
//! Source: `src/backend/utils/adt/network.c`.

use crate::types::network::Network;
use crate::{Result, Value, ValueRef, error};

use super::Function;
use super::arguments::{int4, native, scalar};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("network_host", |_, v| Ok(Value::Text(Network::from_value(v[0])?.address.to_string()))),
    scalar("network_show", |_, v| Ok(Value::Text(Network::from_value(v[0])?.show(true)))),
    scalar("network_masklen", |_, v| Ok(Value::Integer(Network::from_value(v[0])?.bits.into()))),
    scalar("network_family", |_, v| {
        Ok(Value::Integer(if Network::from_value(v[0])?.address.is_ipv4() { 4 } else { 6 }))
    }),
    scalar("network_network", |_, v| Ok(Network::from_value(v[0])?.network().to_value(true))),
    scalar("inet_to_cidr", |_, v| Ok(Network::from_value(v[0])?.network().to_value(true))),
    scalar("inet_set_masklen", |_, v| {
        let network = Network::from_value(v[0])?;
        let width = if network.address.is_ipv4() { 32 } else { 128 };
        let bits = match int4(v[1])? {
            -1 => width,
            bits => bits,
        };
        match u8::try_from(bits) {
            Ok(bits) if i32::from(bits) <= width => Ok(Network { bits, ..network }.to_value(false)),
            _ => Err(error!(INVALID_PARAMETER_VALUE, "invalid mask length: {bits}")),
        }
    }),
    scalar("network_sub", |_, v| contains(v[1], v[0], true)),
    scalar("network_subeq", |_, v| contains(v[1], v[0], false)),
    scalar("network_sup", |_, v| contains(v[0], v[1], true)),
    scalar("network_supeq", |_, v| contains(v[0], v[1], false)),
    native("network_larger", "max({0} COLLATE pgkey, {1})"),
    native("network_smaller", "min({0} COLLATE pgkey, {1})"),
];

/// Whether the outer network has the inner one in it; strictly, when it must be the larger.
fn contains(outer: ValueRef<'_>, inner: ValueRef<'_>, strictly: bool) -> Result<Value> {
    let (outer, inner) = (Network::from_value(outer)?, Network::from_value(inner)?);
    let larger = if strictly { outer.bits < inner.bits } else { outer.bits <= inner.bits };
    let cut = Network { bits: outer.bits, ..inner };
    let same_family = outer.address.is_ipv4() == inner.address.is_ipv4();
    Ok(Value::from(same_family && larger && cut.network() == outer.network()))
}
