//! Numbers compared with what PostgreSQL 15 gives: `cases.tsv` holds operation, arguments and result, generated there.

use super::*;

fn number(text: &str) -> Numeric {
    Numeric::parse(text).unwrap()
}

fn compute(operation: &str, a: &Numeric, b: &Numeric) -> Result<Numeric> {
    match operation {
        "+" => a.add(b),
        "-" => a.subtract(b),
        "*" => a.multiply(b),
        "/" => a.divide(b),
        "%" => a.remainder(b),
        "div" => a.divide_whole(b),
        "power" => a.power(b),
        "log" => a.log(b),
        "sqrt" => a.sqrt(),
        "exp" => a.exp(),
        "ln" => a.ln(),
        "round" => Ok(a.clone().round(b.to_integer("integer", -3000, 3000)? as i32)),
        "trunc" => Ok(a.clone().truncate(b.to_integer("integer", -3000, 3000)? as i32)),
        "gcd" => a.gcd(b),
        other => panic!("{other}"),
    }
}

#[test]
fn results_are_those_of_postgresql() {
    let mut wrong = Vec::new();
    for line in include_str!("cases.tsv").lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [operation, a, b, expected] = fields[..] else { panic!("{line}") };
        let result = match compute(operation, &number(a), &number(b)) {
            Ok(result) => result.to_string(),
            Err(refused) => refused.code().to_string(),
        };
        if result != expected {
            wrong.push(format!("{operation} {a} {b}: {result}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn keys_order_as_numbers_do() {
    let ascending = [
        "-Infinity",
        "-1e100",
        "-1e61",
        "-100.1",
        "-100",
        "-99.99",
        "-10",
        "-9",
        "-1.01",
        "-1",
        "-0.5",
        "-0.01",
        "-1e-70",
        "0",
        "1e-70",
        "1e-60",
        "0.009",
        "0.01",
        "0.011",
        "0.5",
        "1",
        "1.01",
        "9",
        "10",
        "99",
        "99.99",
        "100",
        "100.1",
        "1e61",
        "1e100",
        "Infinity",
        "NaN",
    ];
    let key = |text: &str| number(text).key(&number(text).decimal());
    let keys: Vec<_> = ascending.iter().map(|text| key(text)).collect();
    for (index, pair) in keys.windows(2).enumerate() {
        assert!(pair[0] < pair[1], "{} and {}", ascending[index], ascending[index + 1]);
    }
    assert!(keys.iter().flat_map(|k| k.bytes()).all(|b| (2..0x80).contains(&b)));
    for (a, b) in [("1.10", "1.1"), ("100", "1e2"), ("-0.00", "0"), ("0.0010", "0.001")] {
        assert_eq!(key(a), key(b));
    }
}

#[test]
fn binary_form_comes_back() {
    for text in [
        "0",
        "0.00",
        "1",
        "-1.5",
        "10000",
        "12345678.9012",
        "0.00001234",
        "1e20",
        "NaN",
        "-Infinity",
        "100000000",
    ] {
        let mut bytes = BytesMut::new();
        send(&number(text), &mut bytes);
        assert_eq!(receive(&bytes).unwrap(), number(text), "{text}");
    }
    let mut bytes = BytesMut::new();
    send(&number("12345.678"), &mut bytes);
    assert_eq!(&bytes[..], [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 9, 41, 26, 124]);
}

#[test]
fn modifiers_round_and_refuse() {
    let apply = |text: &str, precision: i32, scale: i32| {
        number(text).apply_modifier((precision << 16 | scale & 0x7FF) + MODIFIER_HEADER)
    };
    assert_eq!(apply("123.455", 5, 2).unwrap().to_string(), "123.46");
    assert_eq!(apply("123", 2, -1).unwrap().to_string(), "120");
    let refused = apply("12345", 3, 1).unwrap_err();
    assert_eq!(refused.message(), "numeric field overflow");
    assert_eq!(
        refused.0.detail.as_deref(),
        Some("A field with precision 3, scale 1 must round to an absolute value less than 10^2.")
    );
    assert!(apply("995", 2, -1).is_err());
}
