//! Variance, deviation, correlation and regression.
//!
//! Of integers and numerics exactly, by sums of values and squares; of floats by Youngs and Cramer's recurrence, as
//! PostgreSQL does it.
//!
//! Source: `src/backend/utils/adt/numeric.c` (`numeric_stddev_internal`), `float.c` (`float8_accum`).

use crate::types::numeric::Numeric;
use crate::{Result, Value, ValueRef, error};

use super::Function;
use super::aggregate::{Accumulate, NumericTotal, aggregate, state};
use super::arguments::{from_real, real};

macro_rules! spreads {
    ($($name:literal: $root:literal, $sample:literal;)*) => {
        &[$(
            aggregate(concat!($name, "(int2)"), |_| state(ExactSpread::new($root, $sample))),
            aggregate(concat!($name, "(int4)"), |_| state(ExactSpread::new($root, $sample))),
            aggregate(concat!($name, "(int8)"), |_| state(ExactSpread::new($root, $sample))),
            aggregate(concat!($name, "(numeric)"), |_| state(ExactSpread::new($root, $sample))),
            aggregate(concat!($name, "(float4)"), |_| state(RealSpread { root: $root, sample: $sample, ..RealSpread::default() })),
            aggregate(concat!($name, "(float8)"), |_| state(RealSpread { root: $root, sample: $sample, ..RealSpread::default() })),
        )*]
    };
}

/// Variances and deviations.
pub(super) const SPREADS: &[Function] = spreads! {
    "variance": false, true;
    "var_samp": false, true;
    "var_pop": false, false;
    "stddev": true, true;
    "stddev_samp": true, true;
    "stddev_pop": true, false;
};

macro_rules! regressions {
    ($($symbol:literal: $result:expr;)*) => {
        &[$(aggregate($symbol, |_| state(Regression { result: $result, ..Regression::EMPTY })),)*]
    };
}

/// The entries of regression, whose first argument is Y and second X.
pub(super) const FUNCTIONS: &[Function] = regressions! {
    "regr_count(float8,float8)": |r| Some(Value::Integer(r.n as i64));
    "regr_sxx(float8,float8)": |r| (r.n >= 1.0).then(|| from_real(r.sxx));
    "regr_syy(float8,float8)": |r| (r.n >= 1.0).then(|| from_real(r.syy));
    "regr_sxy(float8,float8)": |r| (r.n >= 1.0).then(|| from_real(r.sxy));
    "regr_avgx(float8,float8)": |r| (r.n >= 1.0).then(|| from_real(r.sx / r.n));
    "regr_avgy(float8,float8)": |r| (r.n >= 1.0).then(|| from_real(r.sy / r.n));
    "covar_pop(float8,float8)": |r| (r.n >= 1.0).then(|| from_real(r.sxy / r.n));
    "covar_samp(float8,float8)": |r| (r.n >= 2.0).then(|| from_real(r.sxy / (r.n - 1.0)));
    "corr(float8,float8)": |r| (r.n >= 1.0 && r.sxx != 0.0 && r.syy != 0.0).then(|| from_real(r.sxy / (r.sxx * r.syy).sqrt()));
    "regr_r2(float8,float8)": |r| match r.n >= 1.0 && r.sxx != 0.0 {
        true if r.syy == 0.0 => Some(from_real(1.0)),
        true => Some(from_real((r.sxy * r.sxy) / (r.sxx * r.syy))),
        false => None,
    };
    "regr_slope(float8,float8)": |r| (r.n >= 1.0 && r.sxx != 0.0).then(|| from_real(r.sxy / r.sxx));
    "regr_intercept(float8,float8)": |r| (r.n >= 1.0 && r.sxx != 0.0).then(|| from_real((r.sy - r.sx * r.sxy / r.sxx) / r.n));
};

struct ExactSpread {
    values: NumericTotal,
    squares: NumericTotal,
    root: bool,
    sample: bool,
}

impl ExactSpread {
    fn new(root: bool, sample: bool) -> Self {
        Self { values: NumericTotal::default(), squares: NumericTotal::default(), root, sample }
    }

    fn count(&mut self, row: &[ValueRef<'_>], times: i64) -> Result<()> {
        let number = Numeric::from_value(row[0])?;
        self.values.count(&number, times)?;
        self.squares.count(&number.multiply(&number)?, times)
    }
}

impl Accumulate for ExactSpread {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.count(row, 1)
    }

    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        self.count(row, -1)
    }

    fn result(&self) -> Result<Value> {
        let n = self.values.count;
        if n <= i64::from(self.sample) {
            return Ok(Value::Null);
        }
        let (sum, squares) = (self.values.total(), self.squares.total());
        if !sum.is_finite() || !squares.is_finite() {
            return Ok(Numeric::NaN.to_value());
        }
        let count = Numeric::integer(n);
        let excess = count.multiply(&squares)?.subtract(&sum.multiply(&sum)?)?;
        if excess.signum() <= 0 {
            return Ok(Numeric::integer(0).to_value());
        }
        let divisor = count.multiply(&Numeric::integer(n - i64::from(self.sample)))?;
        let variance = excess.divide(&divisor)?;
        Ok(if self.root { variance.sqrt_to(variance.scale().into()).to_value() } else { variance.to_value() })
    }
}

#[derive(Default)]
struct RealSpread {
    n: f64,
    sx: f64,
    sxx: f64,
    root: bool,
    sample: bool,
}

impl Accumulate for RealSpread {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        let x = real(row[0])?;
        let before = self.n;
        let explained = self.sx.is_infinite() || x.is_infinite();
        self.n += 1.0;
        self.sx += x;
        if before > 0.0 {
            let distance = x * self.n - self.sx;
            self.sxx += distance * distance / (self.n * before);
            if self.sx.is_infinite() || self.sxx.is_infinite() {
                if !explained {
                    return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
                }
                self.sxx = f64::NAN;
            }
        } else if !x.is_finite() {
            self.sxx = f64::NAN;
        }
        Ok(())
    }

    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        let x = real(row[0])?;
        let distance = x * self.n - self.sx;
        let after = self.n - 1.0;
        if after > 0.0 {
            self.sxx = (self.sxx - distance * distance / (self.n * after)).max(0.0);
        }
        self.n = after;
        self.sx -= x;
        if after <= 1.0 {
            self.sxx = 0.0;
        }
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        let divisor = if self.sample { self.n - 1.0 } else { self.n };
        if divisor <= 0.0 {
            return Ok(Value::Null);
        }
        let variance = self.sxx / divisor;
        Ok(from_real(if self.root { variance.sqrt() } else { variance }))
    }
}

struct Regression {
    n: f64,
    sx: f64,
    sxx: f64,
    sy: f64,
    syy: f64,
    sxy: f64,
    result: fn(&Self) -> Option<Value>,
}

impl Regression {
    const EMPTY: Self = Self { n: 0.0, sx: 0.0, sxx: 0.0, sy: 0.0, syy: 0.0, sxy: 0.0, result: |_| None };
}

impl Accumulate for Regression {
    fn add(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        let (y, x) = (real(row[0])?, real(row[1])?);
        let before = self.n;
        self.n += 1.0;
        self.sx += x;
        self.sy += y;
        if before > 0.0 {
            let (dx, dy) = (x * self.n - self.sx, y * self.n - self.sy);
            let scale = 1.0 / (self.n * before);
            self.sxx += dx * dx * scale;
            self.syy += dy * dy * scale;
            self.sxy += dx * dy * scale;
        } else if !x.is_finite() || !y.is_finite() {
            (self.sxx, self.syy, self.sxy) = (f64::NAN, f64::NAN, f64::NAN);
        }
        Ok(())
    }

    fn remove(&mut self, row: &[ValueRef<'_>]) -> Result<()> {
        let (y, x) = (real(row[0])?, real(row[1])?);
        let after = self.n - 1.0;
        if after > 0.0 {
            let (dx, dy) = (x * self.n - self.sx, y * self.n - self.sy);
            let scale = 1.0 / (self.n * after);
            self.sxx -= dx * dx * scale;
            self.syy -= dy * dy * scale;
            self.sxy -= dx * dy * scale;
        }
        self.n = after;
        self.sx -= x;
        self.sy -= y;
        Ok(())
    }

    fn result(&self) -> Result<Value> {
        Ok((self.result)(self).unwrap_or(Value::Null))
    }
}
