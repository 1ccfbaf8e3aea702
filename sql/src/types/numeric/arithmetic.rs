//! Sums, products, quotients, remainders and roundings, with the scales that PostgreSQL gives their results.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, Zero};

use crate::{Result, SqlError, error, interrupt};

use super::{BASE_DIGITS, Numeric, SCALE_MAX, power_of_ten};

/// The significant digits that a quotient or root has at least (PostgreSQL's `NUMERIC_MIN_SIG_DIGITS`).
pub(super) const SIGNIFICANT_DIGITS_MIN: i64 = 16;
/// The most digits after the point that such results are given (PostgreSQL's `NUMERIC_MAX_DISPLAY_SCALE`).
pub(super) const DISPLAY_SCALE_MAX: i64 = 1000;
/// The farthest scale that `round` and `trunc` go to (PostgreSQL's `NUMERIC_MAX_RESULT_SCALE`).
const RESULT_SCALE_MAX: i32 = 2000;

/// `22012`.
pub(crate) fn division_by_zero() -> SqlError {
    error!(DIVISION_BY_ZERO, "division by zero")
}

/// A quotient rounded half away from zero.
pub(super) fn divide_rounded(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    let (quotient, remainder) = dividend.div_rem(divisor);
    if remainder.abs() * 2 >= divisor.abs() {
        let step = if dividend.is_negative() == divisor.is_negative() { 1 } else { -1 };
        quotient + step
    } else {
        quotient
    }
}

/// The greatest common divisor, by Stein's algorithm: each turn takes a digit or more away.
fn common_divisor(a: &BigInt, b: &BigInt) -> Result<BigInt> {
    let (mut least, mut rest) = (a.magnitude().clone(), b.magnitude().clone());
    let (Some(twos), Some(more_twos)) = (least.trailing_zeros(), rest.trailing_zeros()) else {
        return Ok((least + rest).into());
    };
    least >>= twos;
    while let Some(zeros) = rest.trailing_zeros() {
        interrupt::check()?;
        rest >>= zeros;
        if least > rest {
            std::mem::swap(&mut least, &mut rest);
        }
        rest -= &least;
    }
    Ok((least << twos.min(more_twos)).into())
}

fn of_sign(sign: i32) -> Numeric {
    match sign {
        0 => Numeric::NaN,
        s if s > 0 => Numeric::Infinity,
        _ => Numeric::NegativeInfinity,
    }
}

impl Numeric {
    /// The digits of both numbers at the greater of their scales.
    fn aligned(&self, other: &Self) -> Option<(BigInt, BigInt, i32)> {
        let (Self::Finite { digits: a, scale: s }, Self::Finite { digits: b, scale: t }) = (self, other)
        else {
            return None;
        };
        let scale = (*s).max(*t);
        Some((a * power_of_ten((scale - s).into()), b * power_of_ten((scale - t).into()), scale))
    }

    /// `self + other`.
    ///
    /// # Errors
    /// `22003`.
    pub fn add(&self, other: &Self) -> Result<Self> {
        match self.aligned(other) {
            Some((a, b, scale)) => Self::finite(a + b, scale).checked(),
            None if self.is_nan() || other.is_nan() => Ok(Self::NaN),
            None if self.is_finite() => Ok(other.clone()),
            None if other.is_finite() || self == other => Ok(self.clone()),
            None => Ok(Self::NaN),
        }
    }

    /// `self - other`.
    ///
    /// # Errors
    /// `22003`.
    pub fn subtract(&self, other: &Self) -> Result<Self> {
        self.add(&other.negate())
    }

    /// `self * other`.
    ///
    /// # Errors
    /// `22003`.
    pub fn multiply(&self, other: &Self) -> Result<Self> {
        match (self, other) {
            (Self::Finite { digits: a, scale: s }, Self::Finite { digits: b, scale: t }) => {
                Self::finite(a * b, s + t).round_beyond(SCALE_MAX).checked()
            }
            _ if self.is_nan() || other.is_nan() => Ok(Self::NaN),
            _ => Ok(of_sign(self.signum() * other.signum())),
        }
    }

    /// `self / other`, with at least sixteen significant digits.
    ///
    /// # Errors
    /// `22012`, `22003`.
    pub fn divide(&self, other: &Self) -> Result<Self> {
        let scale = self.quotient_scale(other);
        self.divide_to(other, |a, b, s, t| {
            let shift = scale + t - s;
            let (a, b) = if shift >= 0 {
                (a * power_of_ten(shift), b.clone())
            } else {
                (a.clone(), b * power_of_ten(-shift))
            };
            (divide_rounded(&a, &b), scale as i32)
        })
    }

    /// The whole part of `self / other`.
    ///
    /// # Errors
    /// `22012`, `22003`.
    pub fn divide_whole(&self, other: &Self) -> Result<Self> {
        self.divide_to(other, |a, b, s, t| ((a * power_of_ten(t - s)) / (b * power_of_ten(s - t)), 0))
    }

    fn divide_to(
        &self,
        other: &Self,
        finite: impl Fn(&BigInt, &BigInt, i64, i64) -> (BigInt, i32),
    ) -> Result<Self> {
        if self.is_nan() || other.is_nan() {
            return Ok(Self::NaN);
        }
        match (self, other) {
            (Self::Finite { digits: a, scale: s }, Self::Finite { digits: b, scale: t }) => {
                if b.is_zero() {
                    return Err(division_by_zero());
                }
                let (digits, scale) = finite(a, b, (*s).into(), (*t).into());
                Self::finite(digits, scale).checked()
            }
            (Self::Finite { .. }, _) => Ok(Self::integer(0)),
            (_, Self::Finite { .. }) if other.signum() == 0 => Err(division_by_zero()),
            (_, Self::Finite { .. }) => Ok(of_sign(self.signum() * other.signum())),
            _ => Ok(Self::NaN),
        }
    }

    /// The scale of a quotient (PostgreSQL's `select_div_scale`).
    pub(super) fn quotient_scale(&self, other: &Self) -> i64 {
        let (weight, first) = self.first_digit();
        let (divisor_weight, divisor_first) = other.first_digit();
        let mut quotient_weight = weight - divisor_weight;
        if first <= divisor_first {
            quotient_weight -= 1;
        }
        (SIGNIFICANT_DIGITS_MIN - quotient_weight * BASE_DIGITS)
            .max(self.scale().into())
            .max(other.scale().into())
            .clamp(0, DISPLAY_SCALE_MAX)
    }

    /// The remainder of the division whose quotient is cut: it has the sign of `self`.
    ///
    /// # Errors
    /// `22012`.
    pub fn remainder(&self, other: &Self) -> Result<Self> {
        if self.is_nan() || other.is_nan() {
            return Ok(Self::NaN);
        }
        match self.aligned(other) {
            Some((_, b, _)) if b.is_zero() => Err(division_by_zero()),
            Some((a, b, scale)) => Ok(Self::finite(a % b, scale)),
            None if other.is_finite() && other.signum() == 0 => Err(division_by_zero()),
            None if self.is_finite() => Ok(self.clone()),
            None => Ok(Self::NaN),
        }
    }

    /// `-self`.
    #[must_use]
    pub fn negate(&self) -> Self {
        match self {
            Self::Finite { digits, scale } => Self::finite(-digits, *scale),
            Self::Infinity => Self::NegativeInfinity,
            Self::NegativeInfinity => Self::Infinity,
            Self::NaN => Self::NaN,
        }
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(&self) -> Self {
        if self.signum() < 0 { self.negate() } else { self.clone() }
    }

    /// Rounded half away from zero to a scale; a negative one rounds before the point.
    #[must_use]
    pub fn round(self, scale: i32) -> Self {
        self.rescale(scale, divide_rounded)
    }

    /// Cut to a scale.
    #[must_use]
    pub fn truncate(self, scale: i32) -> Self {
        self.rescale(scale, |a, b| a / b)
    }

    /// The greatest whole number not above this.
    #[must_use]
    pub fn floor(self) -> Self {
        self.rescale(0, |a, b| a.div_floor(b))
    }

    /// The least whole number not below this.
    #[must_use]
    pub fn ceiling(self) -> Self {
        self.rescale(0, |a, b| -((-a).div_floor(b)))
    }

    fn rescale(self, scale: i32, divide: fn(&BigInt, &BigInt) -> BigInt) -> Self {
        let Self::Finite { digits, scale: from } = &self else { return self };
        let to = scale.clamp(-RESULT_SCALE_MAX, SCALE_MAX);
        let shift = i64::from(to) - i64::from(*from);
        let digits =
            if shift >= 0 { digits * power_of_ten(shift) } else { divide(digits, &power_of_ten(-shift)) };
        if to >= 0 { Self::finite(digits, to) } else { Self::finite(digits * power_of_ten((-to).into()), 0) }
    }

    /// Rounded only when the scale is greater.
    fn round_beyond(self, scale: i32) -> Self {
        if self.scale() > scale { self.round(scale) } else { self }
    }

    /// The least scale that shows all digits.
    pub fn scale_min(&self) -> i32 {
        let Self::Finite { digits, scale } = self else { return 0 };
        if digits.is_zero() {
            return 0;
        }
        let decimal = digits.magnitude().to_string();
        let zeros = decimal.len() - decimal.trim_end_matches('0').len();
        (scale - zeros as i32).max(0)
    }

    /// The greatest common divisor.
    ///
    /// # Errors
    /// `57014` when the statement is to stop.
    pub fn gcd(&self, other: &Self) -> Result<Self> {
        match self.aligned(other) {
            Some((a, b, scale)) => Ok(Self::finite(common_divisor(&a, &b)?, scale)),
            None => Ok(Self::NaN),
        }
    }

    /// The least common multiple.
    ///
    /// # Errors
    /// `22003`.
    pub fn lcm(&self, other: &Self) -> Result<Self> {
        match self.aligned(other) {
            Some((a, b, scale)) if a.is_zero() || b.is_zero() => Ok(Self::finite(BigInt::ZERO, scale)),
            Some((a, b, scale)) => {
                let multiple = &a / common_divisor(&a, &b)? * b;
                Self::finite(multiple.abs(), scale).checked()
            }
            None => Ok(Self::NaN),
        }
    }
}
