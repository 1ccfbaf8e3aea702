//! Text forms compared with what PostgreSQL 15 gives: `cases.tsv` holds type, text in, and text out or refusal,
//! generated there.

use super::*;
use crate::oid::namespaces;

fn settings() -> FormatSettings {
    FormatSettings {
        time_zone: jiff::tz::TimeZone::UTC,
        date_style: DateStyle::Iso,
        date_order: DateOrder::Mdy,
        interval_style: IntervalStyle::Postgres,
        extra_float_digits: 1,
        bytea_escape: false,
        transaction_time: 0,
    }
}

#[test]
fn text_forms_are_those_of_postgresql() {
    let (catalog, format) = (Catalog::built_in(), settings());
    let search_path = [namespaces::PG_CATALOG, namespaces::PUBLIC];
    let cx = TypeContext { catalog: &catalog, format: &format, search_path: &search_path };
    let mut wrong = Vec::new();
    for line in include_str!("cases.tsv").lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [name, text, expected] = fields[..] else { panic!("{line}") };
        let ty = names::parse_type_name(name, &catalog, &search_path).expect(name);
        let result = input(ty, text, &cx).and_then(|value| {
            let mut bytes = BytesMut::new();
            let shown = to_text(ty.oid, value.as_ref(), &cx)?;
            // The binary form must come back as the same value, where there is one.
            if send(ty.oid, value.as_ref(), &cx, &mut bytes).is_ok() {
                let back = receive(TypeMod::plain(ty.oid), &bytes, &cx)?;
                assert_eq!(to_text(ty.oid, back.as_ref(), &cx)?, shown, "{line}");
            }
            Ok(shown)
        });
        let shown = match result {
            Ok(shown) => shown,
            Err(refused) => format!("{}: {}", refused.code(), refused.message()),
        };
        if shown != expected {
            wrong.push(format!("{name} {text:?}: {shown}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
