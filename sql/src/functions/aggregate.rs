//! Aggregates: counts, sums, averages, extremes, booleans, bits, strings, arrays, and ordered-set ones. Statistics are
//! in [`super::statistics`].
//!
//! Each state can take rows out again, as moving window frames ask; sums of floats then lose what subtraction loses.
//! Rows come in the order that the call asks for; ordered-set aggregates get their direct arguments before the sort key.
//!
//! Source: `src/backend/utils/adt/numeric.c`, `float.c`, `orderedsetaggs.c`, `array_userfuncs.c`.

use std::collections::VecDeque;
use std::sync::Arc;

use storage::{AggregateState, CallContext, HostError};

use crate::interrupt::{Gathered, Things};
use crate::types::StorageForm;
use crate::types::array::{self, Array, Dimension};
use crate::types::bytes::blob;
use crate::types::numeric::Numeric;
use crate::{Oid, Result, Value, ValueRef, error, interrupt};

use super::arguments::{boolean, from_real, integer, real, text};
use super::integer::INT8;
use super::{Body, CallTypes, Function};

/// What an aggregate keeps of a group. Rows whose first argument is NULL are left out, except by
/// [`Accumulate::takes_nulls`].
pub(super) trait Accumulate: Send {
    /// Takes one row in.
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()>;
    /// Takes one row out: the oldest.
    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()>;
    /// The result over the rows inside.
    fn result(&self) -> Result<Value>;
    /// Whether NULLs count.
    fn takes_nulls(&self) -> bool {
        false
    }
}

/// An [`Accumulate`] as the engine calls it.
struct State<A>(A);

impl<A: Accumulate> AggregateState for State<A> {
    fn step(&mut self, _: &mut CallContext<'_>, row: &[ValueRef<'_>]) -> Result<(), HostError> {
        if self.0.takes_nulls() || !row.iter().any(|value| value.is_null()) {
            self.0.add(row)?;
        }
        Ok(())
    }

    fn inverse(&mut self, _: &mut CallContext<'_>, row: &[ValueRef<'_>]) -> Result<(), HostError> {
        if self.0.takes_nulls() || !row.iter().any(|value| value.is_null()) {
            self.0.remove(row)?;
        }
        Ok(())
    }

    fn value(&self, _: &mut CallContext<'_>) -> Result<Value, HostError> {
        interrupt::check()?;
        Ok(self.0.result()?)
    }
}

/// The state for the engine.
pub(super) fn state<A: Accumulate + 'static>(accumulator: A) -> Box<dyn AggregateState> {
    Box::new(State(accumulator))
}

pub(super) const fn aggregate(
    symbol: &'static str,
    start: fn(&Arc<CallTypes>) -> Box<dyn AggregateState>,
) -> Function {
    Function { symbol, body: Body::Aggregate(start) }
}

const fn engine(symbol: &'static str, name: &'static str) -> Function {
    Function { symbol, body: Body::NativeWindow(name) }
}

macro_rules! extremes {
    ($($ty:literal)*) => {
        &[$(engine(concat!("min(", $ty, ")"), "min"), engine(concat!("max(", $ty, ")"), "max"),)*]
    };
}

/// `min` and `max`: the engine's own, which compare by the collation of their argument.
pub(super) const EXTREMES: &[Function] = extremes! {
    "anyarray" "anyenum" "bpchar" "date" "float4" "float8" "inet" "int2" "int4" "int8" "interval" "numeric"
    "oid" "pg_lsn" "text" "tid" "time" "timestamp" "timestamptz" "timetz" "xid8"
};

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    engine("count()", "count"),
    engine("count(any)", "count"),
    aggregate("sum(int2)", |_| state(IntegerSum { to: SumOf::Int8, ..IntegerSum::default() })),
    aggregate("sum(int4)", |_| state(IntegerSum { to: SumOf::Int8, ..IntegerSum::default() })),
    aggregate("sum(int8)", |_| state(IntegerSum { to: SumOf::Numeric, ..IntegerSum::default() })),
    aggregate("avg(int2)", |_| state(IntegerSum { to: SumOf::Average, ..IntegerSum::default() })),
    aggregate("avg(int4)", |_| state(IntegerSum { to: SumOf::Average, ..IntegerSum::default() })),
    aggregate("avg(int8)", |_| state(IntegerSum { to: SumOf::Average, ..IntegerSum::default() })),
    aggregate("sum(numeric)", |_| state(NumericSum::default())),
    aggregate("avg(numeric)", |_| state(NumericSum { average: true, ..NumericSum::default() })),
    aggregate("sum(float4)", |_| state(RealSum { single: true, ..RealSum::default() })),
    aggregate("sum(float8)", |_| state(RealSum::default())),
    aggregate("avg(float4)", |_| state(RealSum { average: true, ..RealSum::default() })),
    aggregate("avg(float8)", |_| state(RealSum { average: true, ..RealSum::default() })),
    aggregate("bool_and(bool)", |_| state(Booleans { any: false, ..Booleans::default() })),
    aggregate("every(bool)", |_| state(Booleans { any: false, ..Booleans::default() })),
    aggregate("bool_or(bool)", |_| state(Booleans { any: true, ..Booleans::default() })),
    aggregate("bit_and(int2)", |_| state(Bits::new(|a, b| a & b))),
    aggregate("bit_and(int4)", |_| state(Bits::new(|a, b| a & b))),
    aggregate("bit_and(int8)", |_| state(Bits::new(|a, b| a & b))),
    aggregate("bit_or(int2)", |_| state(Bits::new(|a, b| a | b))),
    aggregate("bit_or(int4)", |_| state(Bits::new(|a, b| a | b))),
    aggregate("bit_or(int8)", |_| state(Bits::new(|a, b| a | b))),
    aggregate("bit_xor(int2)", |_| state(Bits::new(|a, b| a ^ b))),
    aggregate("bit_xor(int4)", |_| state(Bits::new(|a, b| a ^ b))),
    aggregate("bit_xor(int8)", |_| state(Bits::new(|a, b| a ^ b))),
    aggregate("string_agg(text,text)", |_| state(Strings::new(false))),
    aggregate("string_agg(bytea,bytea)", |_| state(Strings::new(true))),
    aggregate("array_agg(anynonarray)", |call| state(Elements::new(call))),
    aggregate("array_agg(anyarray)", |call| state(Arrays::new(call))),
    aggregate("mode(anyelement)", |_| state(Mode::default())),
    aggregate("percentile_disc(float8,anyelement)", |_| state(Percentile::default())),
    aggregate("percentile_cont(float8,float8)", |_| {
        state(Percentile { interpolate: true, ..Percentile::default() })
    }),
    aggregate("percentile_disc(_float8,anyelement)", |call| {
        state(Percentile { form: Some(element_form(call.arguments.get(1))), ..Percentile::default() })
    }),
    aggregate("percentile_cont(_float8,float8)", |_| {
        state(Percentile { interpolate: true, form: Some(StorageForm::Real), ..Percentile::default() })
    }),
];

/// The form of a type's values as far as the type alone tells it: enough for the types without a catalog entry.
fn element_form(ty: Option<&Oid>) -> StorageForm {
    match ty {
        Some(ty) => crate::types::built_in_form(*ty).unwrap_or(StorageForm::Keyed),
        None => StorageForm::Text,
    }
}

/// What a sum of integers becomes.
#[derive(Default)]
enum SumOf {
    #[default]
    Int8,
    Numeric,
    Average,
}

#[derive(Default)]
struct IntegerSum {
    sum: i128,
    count: i64,
    to: SumOf,
}

impl Accumulate for IntegerSum {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.sum += i128::from(integer(row[0])?);
        self.count += 1;
        Ok(())
    }

    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.sum -= i128::from(integer(row[0])?);
        self.count -= 1;
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        match self.to {
            _ if self.count == 0 => Ok(Value::Null),
            SumOf::Int8 => INT8.fit(i64::try_from(self.sum).ok()),
            SumOf::Numeric => Ok(Numeric::integer(self.sum).to_value()),
            SumOf::Average => {
                Ok(Numeric::integer(self.sum).divide(&Numeric::integer(self.count))?.to_value())
            }
        }
    }
}

/// The sum of finite numerics, how many there are of each scale, and how many are not finite.
pub(super) struct NumericTotal {
    pub(super) sum: Numeric,
    pub(super) count: i64,
    scales: Vec<(i32, i64)>,
    nan: i64,
    infinite: i64,
    negative_infinite: i64,
}

impl Default for NumericTotal {
    fn default() -> Self {
        Self {
            sum: Numeric::integer(0),
            count: 0,
            scales: Vec::new(),
            nan: 0,
            infinite: 0,
            negative_infinite: 0,
        }
    }
}

impl NumericTotal {
    /// Adds a number (`times` 1) or takes it out (-1).
    pub(super) fn count(&mut self, number: &Numeric, times: i64) -> Result<()> {
        self.count += times;
        match number {
            Numeric::NaN => self.nan += times,
            Numeric::Infinity => self.infinite += times,
            Numeric::NegativeInfinity => self.negative_infinite += times,
            Numeric::Finite { scale, .. } => {
                self.sum = if times > 0 { self.sum.add(number)? } else { self.sum.subtract(number)? };
                match self.scales.iter_mut().find(|(s, _)| s == scale) {
                    Some((_, count)) => *count += times,
                    None => self.scales.push((*scale, times)),
                }
            }
        }
        Ok(())
    }

    /// The sum, with the scale of the numbers that are inside.
    pub(super) fn total(&self) -> Numeric {
        match (self.nan, self.infinite, self.negative_infinite) {
            (0, 0, 0) => {
                let scale = self.scales.iter().filter(|(_, count)| *count > 0).map(|(scale, _)| *scale).max();
                self.sum.clone().truncate(scale.unwrap_or(0))
            }
            (0, _, 0) => Numeric::Infinity,
            (0, 0, _) => Numeric::NegativeInfinity,
            _ => Numeric::NaN,
        }
    }
}

#[derive(Default)]
struct NumericSum {
    total: NumericTotal,
    average: bool,
}

impl Accumulate for NumericSum {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.total.count(&Numeric::from_value(row[0])?, 1)
    }

    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.total.count(&Numeric::from_value(row[0])?, -1)
    }

    fn result(&self) -> Result<Value> {
        let total = self.total.total();
        Ok(match self.average {
            _ if self.total.count == 0 => Value::Null,
            true => total.divide(&Numeric::integer(self.total.count))?.to_value(),
            false => total.to_value(),
        })
    }
}

#[derive(Default)]
struct RealSum {
    sum: f64,
    /// Values that a subtraction could not take out again.
    not_finite: VecDeque<f64>,
    overflowed: bool,
    count: i64,
    average: bool,
    /// Whether the sum is one of float4, rounded at each step.
    single: bool,
}

impl RealSum {
    fn move_by(&mut self, value: f64) {
        let sum = self.sum + value;
        self.sum = if self.single { f64::from(sum as f32) } else { sum };
        self.overflowed |= self.sum.is_infinite();
    }
}

impl Accumulate for RealSum {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        let value = real(row[0])?;
        self.count += 1;
        if value.is_finite() {
            self.move_by(value);
        } else {
            self.not_finite.push_back(value);
        }
        Ok(())
    }

    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        let value = real(row[0])?;
        self.count -= 1;
        if value.is_finite() {
            self.move_by(-value);
        } else {
            self.not_finite.pop_front();
        }
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        if self.count == 0 {
            return Ok(Value::Null);
        }
        if self.overflowed {
            return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
        }
        let sum = self.not_finite.iter().fold(self.sum, |sum, value| sum + value);
        Ok(from_real(if self.average { sum / self.count as f64 } else { sum }))
    }
}

#[derive(Default)]
struct Booleans {
    yes: i64,
    no: i64,
    any: bool,
}

impl Accumulate for Booleans {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        *if boolean(row[0])? { &mut self.yes } else { &mut self.no } += 1;
        Ok(())
    }

    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        *if boolean(row[0])? { &mut self.yes } else { &mut self.no } -= 1;
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        Ok(match self.any {
            _ if self.yes + self.no == 0 => Value::Null,
            true => Value::from(self.yes > 0),
            false => Value::from(self.no == 0),
        })
    }
}

struct Bits {
    values: VecDeque<i64>,
    combine: fn(i64, i64) -> i64,
}

impl Bits {
    fn new(combine: fn(i64, i64) -> i64) -> Self {
        Self { values: VecDeque::new(), combine }
    }
}

impl Accumulate for Bits {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.values.push_back(integer(row[0])?);
        Ok(())
    }

    fn remove(&mut self, _: &[ValueRef<'_>]) -> Result<()> {
        self.values.pop_front();
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        Ok(self.values.iter().copied().reduce(self.combine).into())
    }
}

/// Where in a text that grows at its end the values are that aggregates join, each after the separator that stands before it.
/// A window takes them out again, the oldest first.
#[derive(Default)]
pub(super) struct Parts {
    /// Where the oldest separator begins; what is before has been taken out.
    start: usize,
    /// The lengths of separators and values, in bytes, oldest first.
    lengths: Gathered<(usize, usize)>,
}

impl Parts {
    pub(super) fn add(&mut self, separator: usize, value: usize) {
        self.lengths.push_back((separator, value));
    }

    /// Takes out the oldest; how many bytes are now to be cut off at the front of a text of this length: so rarely that each
    /// byte is moved once or twice in its life.
    pub(super) fn remove(&mut self, length: usize) -> usize {
        let (separator, value) = self.lengths.pop_front().unwrap_or_default();
        self.start += separator + value;
        if self.start > length / 2 { std::mem::take(&mut self.start) } else { 0 }
    }

    /// Where the joined values begin; nowhere when there are none.
    pub(super) fn begin(&self) -> Option<usize> {
        self.lengths.front().map(|(separator, _)| self.start + separator)
    }
}

/// `string_agg`: all values in one piece.
struct Strings {
    bytes: bool,
    joined: Vec<u8>,
    parts: Parts,
}

impl Strings {
    fn new(bytes: bool) -> Self {
        Self { bytes, joined: Vec::new(), parts: Parts::default() }
    }

    /// Appends a text or bytes; the length.
    fn append(&mut self, value: ValueRef<'_>) -> Result<usize> {
        let before = self.joined.len();
        match value {
            ValueRef::Null => {}
            value if self.bytes => self.joined.extend_from_slice(blob(value)?),
            value => self.joined.extend_from_slice(text(value)?.as_bytes()),
        }
        Ok(self.joined.len() - before)
    }
}

impl Drop for Strings {
    fn drop(&mut self) {
        interrupt::give_back(std::mem::take(&mut self.joined));
    }
}

impl Accumulate for Strings {
    fn takes_nulls(&self) -> bool {
        true
    }

    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        if !row[0].is_null() {
            let separator = self.append(row.get(1).copied().unwrap_or(ValueRef::Null))?;
            let value = self.append(row[0])?;
            self.parts.add(separator, value);
        }
        Ok(())
    }

    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        if !row[0].is_null() {
            self.joined.drain(..self.parts.remove(self.joined.len()));
        }
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        let Some(begin) = self.parts.begin() else { return Ok(Value::Null) };
        let all = interrupt::copied(&self.joined[begin..])?;
        if self.bytes {
            return Ok(Value::Blob(all));
        }
        let text = String::from_utf8(all);
        Ok(Value::Text(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())))
    }
}

/// `array_agg` of elements.
struct Elements {
    form: StorageForm,
    values: Gathered<Value>,
}

impl Elements {
    fn new(call: &CallTypes) -> Self {
        Self { form: element_form(call.arguments.first()), values: Gathered::default() }
    }
}

impl Accumulate for Elements {
    fn takes_nulls(&self) -> bool {
        true
    }

    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.values.push_back(row[0].to_owned());
        Ok(())
    }

    fn remove(&mut self, _: &[ValueRef<'_>]) -> Result<()> {
        self.values.pop_front();
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        if self.values.is_empty() {
            return Ok(Value::Null);
        }
        // An enum's form is not built in, but its values tell it.
        let form = match self.values.iter().find(|value| !value.is_null()) {
            Some(Value::Real(_)) => StorageForm::Real,
            _ => self.form,
        };
        let dimension = Dimension { length: self.values.len() as i32, lower: 1 };
        array::stored(&[dimension], self.values.iter(), form)
    }
}

/// `array_agg` of arrays, which must be alike.
struct Arrays {
    form: StorageForm,
    arrays: Gathered<Array>,
}

impl Arrays {
    fn new(call: &CallTypes) -> Self {
        let element = call.arguments.first().and_then(|array| crate::types::built_in_element(*array));
        Self { form: element_form(element.as_ref()), arrays: Gathered::default() }
    }
}

impl Accumulate for Arrays {
    fn takes_nulls(&self) -> bool {
        true
    }

    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        if row[0].is_null() {
            return Err(error!(NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
        }
        let array = Array::from_value(row[0])?;
        if array.dimensions.is_empty() {
            return Err(error!(ARRAY_SUBSCRIPT_ERROR, "cannot accumulate empty arrays"));
        }
        if self.arrays.front().is_some_and(|first| first.dimensions != array.dimensions) {
            return Err(error!(
                ARRAY_SUBSCRIPT_ERROR,
                "cannot accumulate arrays of different dimensionality"
            ));
        }
        self.arrays.push_back(array);
        Ok(())
    }

    fn remove(&mut self, _: &[ValueRef<'_>]) -> Result<()> {
        self.arrays.pop_front();
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        let Some(first) = self.arrays.front() else { return Ok(Value::Null) };
        let mut dimensions = vec![Dimension { length: self.arrays.len() as i32, lower: 1 }];
        dimensions.extend_from_slice(&first.dimensions);
        let elements = self.arrays.iter().flat_map(|array| array.elements.iter());
        array::stored(&dimensions, elements, self.form)
    }
}

/// `mode`: rows come sorted, so equal values stand together.
#[derive(Default)]
struct Mode {
    current: Option<(Value, i64)>,
    best: Option<(Value, i64)>,
}

impl Accumulate for Mode {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        let value = row[row.len() - 1];
        match &mut self.current {
            Some((same, count)) if same_value(same.as_ref(), value) => *count += 1,
            _ => self.current = Some((value.to_owned(), 1)),
        }
        if let Some((value, count)) = &self.current
            && self.best.as_ref().is_none_or(|(_, best)| count > best)
        {
            self.best = Some((value.clone(), *count));
        }
        Ok(())
    }

    fn remove(&mut self, _: &[ValueRef<'_>]) -> Result<()> {
        Err(crate::SqlError::internal("an ordered-set aggregate in a window"))
    }

    fn result(&self) -> Result<Value> {
        Ok(self.best.as_ref().map_or(Value::Null, |(value, _)| value.clone()))
    }
}

/// Whether two stored values are equal; keyed ones by their keys.
fn same_value(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Text(a), ValueRef::Text(b)) if a.contains(crate::types::KEY_SEPARATOR) => {
            crate::types::key::compare(a, b).is_eq()
        }
        _ => a == b,
    }
}

/// `percentile_disc` and `percentile_cont`: rows come sorted.
#[derive(Default)]
struct Percentile {
    values: Things<Value>,
    fractions: Vec<Option<f64>>,
    interpolate: bool,
    /// The form of the result's elements when it is an array.
    form: Option<StorageForm>,
}

impl Percentile {
    fn at(&self, fraction: f64) -> Result<Value> {
        let last = self.values.len() - 1;
        if !self.interpolate {
            let row = (fraction * self.values.len() as f64).ceil() as usize;
            return Ok(self.values[row.saturating_sub(1).min(last)].clone());
        }
        let place = fraction * last as f64;
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        let (from, to) = (real(self.values[low].as_ref())?, real(self.values[high].as_ref())?);
        Ok(from_real(if low == high { from } else { from + (place - low as f64) * (to - from) }))
    }
}

impl Accumulate for Percentile {
    fn takes_nulls(&self) -> bool {
        true
    }

    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        if self.fractions.is_empty() {
            self.fractions = match (row[0], self.form) {
                (ValueRef::Null, _) => vec![None],
                (value, None) => vec![Some(real(value)?)],
                (value, Some(_)) => Array::from_value(value)?
                    .elements
                    .iter()
                    .map(|e| if e.is_null() { Ok(None) } else { real(e.as_ref()).map(Some) })
                    .collect::<Result<_>>()?,
            };
            if let Some(wrong) = self.fractions.iter().flatten().find(|f| !(0.0..=1.0).contains(*f)) {
                let shown = crate::types::float::general(*wrong, 6);
                return Err(error!(
                    NUMERIC_VALUE_OUT_OF_RANGE,
                    "percentile value {shown} is not between 0 and 1"
                ));
            }
        }
        if !row[1].is_null() {
            self.values.push(row[1].to_owned());
        }
        Ok(())
    }

    fn remove(&mut self, _: &[ValueRef<'_>]) -> Result<()> {
        Err(crate::SqlError::internal("an ordered-set aggregate in a window"))
    }

    fn result(&self) -> Result<Value> {
        if self.values.is_empty() {
            return Ok(Value::Null);
        }
        let results = self
            .fractions
            .iter()
            .map(|fraction| fraction.map_or(Ok(Value::Null), |f| self.at(f)))
            .collect::<Result<Vec<_>>>()?;
        match self.form {
            Some(form) => Array::new(results).to_value(form),
            None => Ok(results.into_iter().next().unwrap_or(Value::Null)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(text: &str) -> Value {
        Numeric::parse(text).expect("a number").to_value()
    }

    #[test]
    fn sums_move_with_their_frame() {
        let mut sum = NumericSum::default();
        for text in ["1.50", "2", "NaN"] {
            sum.add(&[numeric(text).as_ref()]).unwrap();
        }
        assert_eq!(sum.result().unwrap(), numeric("NaN"));
        sum.remove(&[numeric("NaN").as_ref()]).unwrap();
        assert_eq!(sum.result().unwrap(), numeric("3.50"));
        sum.remove(&[numeric("1.50").as_ref()]).unwrap();
        assert_eq!(sum.result().unwrap(), numeric("2"));
        let mut average = IntegerSum { to: SumOf::Average, ..IntegerSum::default() };
        assert_eq!(average.result().unwrap(), Value::Null);
        for value in [1, 2, 2] {
            average.add(&[ValueRef::Integer(value)]).unwrap();
        }
        assert_eq!(average.result().unwrap(), numeric("1.6666666666666667"));
    }

    #[test]
    fn joined_strings_move_with_their_frame() {
        let row = |value: &'static str| [ValueRef::Text(value), ValueRef::Text("; ")];
        let mut strings = Strings::new(false);
        assert_eq!(strings.result().unwrap(), Value::Null);
        for value in ["a", "", "bc", "d"] {
            strings.add(&row(value)).unwrap();
        }
        strings.add(&[ValueRef::Null, ValueRef::Text("!")]).unwrap();
        assert_eq!(strings.result().unwrap(), Value::from("a; ; bc; d"));
        strings.remove(&row("a")).unwrap();
        assert_eq!(strings.result().unwrap(), Value::from("; bc; d"));
        strings.remove(&row("")).unwrap();
        strings.remove(&row("bc")).unwrap();
        assert_eq!(strings.result().unwrap(), Value::from("d"));
        strings.remove(&row("d")).unwrap();
        assert_eq!(strings.result().unwrap(), Value::Null);
    }

    #[test]
    fn percentiles() {
        let mut median = Percentile { interpolate: true, ..Percentile::default() };
        for value in [1.0, 2.0, 4.0, 8.0] {
            median.add(&[ValueRef::Real(0.5), ValueRef::Real(value)]).unwrap();
        }
        assert_eq!(median.result().unwrap(), Value::Real(3.0));
        let mut refused = Percentile::default();
        let message = refused.add(&[ValueRef::Real(1.5), ValueRef::Null]).unwrap_err();
        assert_eq!(message.message(), "percentile value 1.5 is not between 0 and 1");
    }
}
