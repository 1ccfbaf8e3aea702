//! Functions, operators and aggregates of intervals.
//!
//! Source: `src/backend/utils/adt/timestamp.c`.

use storage::{AggregateState, CallContext, HostError};

use crate::functions::arguments::{int4, integer, native, real, scalar, text};
use crate::functions::datetime::native_comparisons;
use crate::functions::datetime_fields::truncate_interval;
use crate::functions::{Body, Function};
use crate::types::interval::{Interval, out_of_range};
use crate::{Result, Value, ValueRef, error};

fn divide(left: ValueRef<'_>, right: ValueRef<'_>) -> Result<Value> {
    let divisor = real(right)?;
    if divisor == 0.0 {
        return Err(error!(DIVISION_BY_ZERO, "division by zero"));
    }
    Ok(Interval::read(left)?.divided_by(divisor)?.store())
}

fn make(arguments: &[ValueRef<'_>]) -> Result<Value> {
    let seconds = real(arguments[6])?;
    if !seconds.is_finite() {
        return Err(out_of_range());
    }
    let months = integer(arguments[0])? * 12 + integer(arguments[1])?;
    let days = integer(arguments[2])? * 7 + integer(arguments[3])?;
    let minutes = i128::from(integer(arguments[4])?) * 60 + i128::from(integer(arguments[5])?);
    let microseconds = minutes * 60_000_000 + (seconds * 1e6).round_ties_even() as i128;
    Ok(Interval::new(months, days, microseconds)?.store())
}

/// The running sum of `sum` and `avg`, in parts wide enough never to overflow.
struct Sum {
    months: i64,
    days: i64,
    microseconds: i128,
    count: i64,
    average: bool,
}

impl Sum {
    fn start(average: bool) -> Box<dyn AggregateState> {
        Box::new(Self { months: 0, days: 0, microseconds: 0, count: 0, average })
    }

    fn add(&mut self, arguments: &[ValueRef<'_>], sign: i64) -> Result<(), HostError> {
        if arguments[0].is_null() {
            return Ok(());
        }
        let interval = Interval::read(arguments[0])?;
        self.months += sign * i64::from(interval.months);
        self.days += sign * i64::from(interval.days);
        self.microseconds += i128::from(sign) * i128::from(interval.microseconds);
        self.count += sign;
        Ok(())
    }
}

impl AggregateState for Sum {
    fn step(&mut self, _: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        self.add(arguments, 1)
    }

    fn inverse(&mut self, _: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        self.add(arguments, -1)
    }

    fn value(&self, _: &mut CallContext<'_>) -> Result<Value, HostError> {
        if self.count == 0 {
            return Ok(Value::Null);
        }
        let sum = Interval::new(self.months, self.days, self.microseconds)?;
        Ok(if self.average { sum.divided_by(self.count as f64)? } else { sum }.store())
    }
}

/// Comparisons.
pub(super) const COMPARISONS: &[Function] = &native_comparisons!("interval", " COLLATE pgkey");

/// Intervals.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("interval_pl", |_, a| Ok(Interval::read(a[0])?.plus(Interval::read(a[1])?)?.store())),
    scalar("interval_mi", |_, a| Ok(Interval::read(a[0])?.plus(Interval::read(a[1])?.negated()?)?.store())),
    scalar("interval_um", |_, a| Ok(Interval::read(a[0])?.negated()?.store())),
    scalar("interval_mul", |_, a| Ok(Interval::read(a[0])?.times(real(a[1])?)?.store())),
    scalar("mul_d_interval", |_, a| Ok(Interval::read(a[1])?.times(real(a[0])?)?.store())),
    scalar("interval_div", |_, a| divide(a[0], a[1])),
    scalar("interval_finite", |_, _| Ok(true.into())),
    scalar("interval_scale", |_, a| Ok(Interval::read(a[0])?.with_modifier(int4(a[1])?).store())),
    scalar("interval_justify_hours", |_, a| Ok(Interval::read(a[0])?.justify_hours()?.store())),
    scalar("interval_justify_days", |_, a| Ok(Interval::read(a[0])?.justify_days()?.store())),
    scalar("interval_justify_interval", |_, a| Ok(Interval::read(a[0])?.justify()?.store())),
    scalar("interval_trunc", |_, a| Ok(truncate_interval(text(a[0])?, Interval::read(a[1])?)?.store())),
    scalar("make_interval", |_, a| make(a)),
    Function { symbol: "sum(interval)", body: Body::Aggregate(|_| Sum::start(false)) },
    Function { symbol: "avg(interval)", body: Body::Aggregate(|_| Sum::start(true)) },
];
