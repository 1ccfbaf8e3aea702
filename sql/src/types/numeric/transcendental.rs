//! Roots, exponentials, logarithms and powers, with the scales that PostgreSQL gives their results.
//!
//! All of them compute in fixed point with [`GUARD`] digits more than the result shows, then round once.

use num_bigint::BigInt;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::{Result, error};

use super::arithmetic::{DISPLAY_SCALE_MAX, SIGNIFICANT_DIGITS_MIN, divide_rounded, division_by_zero};
use super::{BASE_DIGITS, Numeric, overflow, power_of_ten};

/// Digits computed beyond those of the result.
const GUARD: i64 = 12;
/// Beyond `10^this` a result overflows, below its inverse it is zero (PostgreSQL's `NUMERIC_MAX_RESULT_SCALE` × 3).
const RESULT_EXPONENT_MAX: f64 = 6000.0;
const LOG10_E: f64 = std::f64::consts::LOG10_E;
const LN_10: f64 = std::f64::consts::LN_10;

impl Numeric {
    /// The square root.
    ///
    /// # Errors
    /// `2201F`.
    pub fn sqrt(&self) -> Result<Self> {
        let Self::Finite { digits, scale } = self else {
            return match self {
                Self::NegativeInfinity => Err(negative_root()),
                _ => Ok(self.clone()),
            };
        };
        if digits.is_negative() {
            return Err(negative_root());
        }
        let weight = self.weight();
        let root_weight =
            if weight >= 0 { weight * BASE_DIGITS / 2 + 1 } else { 1 - (-weight) * BASE_DIGITS / 2 };
        let to = (SIGNIFICANT_DIGITS_MIN - root_weight).max((*scale).into()).clamp(0, DISPLAY_SCALE_MAX);
        Ok(self.sqrt_to(to))
    }

    /// The square root of a number that is not negative, rounded to a scale.
    pub(crate) fn sqrt_to(&self, to: i64) -> Self {
        let Self::Finite { digits, scale } = self else { return self.clone() };
        // One digit more than shown, to round by; the root itself is cut.
        let shift = 2 * (to + 1) - i64::from(*scale);
        let shifted = if shift >= 0 { digits * power_of_ten(shift) } else { digits / power_of_ten(-shift) };
        Self::finite(divide_rounded(&shifted.sqrt(), &BigInt::from(10)), to as i32)
    }

    /// `e^self`.
    ///
    /// # Errors
    /// `22003`.
    pub fn exp(&self) -> Result<Self> {
        match self {
            Self::NegativeInfinity => return Ok(Self::integer(0)),
            Self::Infinity | Self::NaN => return Ok(self.clone()),
            Self::Finite { .. } => {}
        }
        let magnitude = self.approximate() * LOG10_E;
        if magnitude.abs() > RESULT_EXPONENT_MAX {
            return if magnitude > 0.0 {
                Err(overflow())
            } else {
                Ok(Self::finite(BigInt::zero(), DISPLAY_SCALE_MAX as i32))
            };
        }
        let scale =
            (SIGNIFICANT_DIGITS_MIN - magnitude as i64).max(self.scale().into()).clamp(0, DISPLAY_SCALE_MAX);
        self.exp_to(scale).checked()
    }

    /// The natural logarithm.
    ///
    /// # Errors
    /// `2201E`.
    pub fn ln(&self) -> Result<Self> {
        self.check_logarithm()?;
        if !self.is_finite() {
            return Ok(self.clone());
        }
        let scale =
            (SIGNIFICANT_DIGITS_MIN - self.ln_weight()).max(self.scale().into()).clamp(0, DISPLAY_SCALE_MAX);
        Ok(Self::finite(self.ln_fixed(scale + GUARD), (scale + GUARD) as i32).round(scale as i32))
    }

    /// The logarithm of `number` to the base `self`.
    ///
    /// # Errors
    /// `2201E`, `22012`.
    pub fn log(&self, number: &Self) -> Result<Self> {
        if self.is_nan() || number.is_nan() {
            return Ok(Self::NaN);
        }
        self.check_logarithm()?;
        number.check_logarithm()?;
        match (self, number) {
            (Self::Infinity, Self::Infinity) => return Ok(Self::NaN),
            (Self::Infinity, _) => return Ok(Self::integer(0)),
            (_, Self::Infinity) => return Ok(Self::Infinity),
            _ => {}
        }
        let weight = number.ln_weight() - self.ln_weight();
        let scale = (SIGNIFICANT_DIGITS_MIN - weight)
            .max(self.scale().into())
            .max(number.scale().into())
            .clamp(0, DISPLAY_SCALE_MAX);
        let precision = scale + GUARD + self.ln_weight().abs() + number.ln_weight().abs();
        let base = self.ln_fixed(precision);
        if base.is_zero() {
            return Err(division_by_zero());
        }
        let quotient = number.ln_fixed(precision) * power_of_ten(scale);
        Ok(Self::finite(divide_rounded(&quotient, &base), scale as i32))
    }

    /// `self ^ exponent`.
    ///
    /// # Errors
    /// `2201F`, `22003`.
    pub fn power(&self, exponent: &Self) -> Result<Self> {
        if let Some(result) = self.power_special(exponent)? {
            return Ok(result);
        }
        let whole = exponent.scale_min() == 0;
        if self.signum() < 0 && !whole {
            return Err(error!(
                INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                "a negative number raised to a non-integer power yields a complex result"
            ));
        }
        if whole && let Some(small) = exponent.whole().to_i32() {
            return self.power_whole(small);
        }
        if self.signum() == 0 {
            return Ok(Self::finite(BigInt::zero(), SIGNIFICANT_DIGITS_MIN as i32));
        }
        self.power_general(exponent)
    }

    /// The powers that are not computed: those of and with what is not finite, and of zero and one.
    fn power_special(&self, exponent: &Self) -> Result<Option<Self>> {
        let one = Self::integer(1);
        let is_one = |number: &Self| number.compare(&one).is_eq();
        Ok(Some(match (self, exponent) {
            (Self::NaN, Self::Finite { digits, .. }) if digits.is_zero() => one,
            (_, Self::NaN) if is_one(self) => one,
            _ if self.is_nan() || exponent.is_nan() => Self::NaN,
            _ if self.is_finite() && self.signum() == 0 && exponent.signum() < 0 => {
                return Err(error!(
                    INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                    "zero raised to a negative power is undefined"
                ));
            }
            (Self::Finite { .. }, Self::Finite { .. }) => return Ok(None),
            _ if is_one(self) || exponent.is_finite() && exponent.signum() == 0 => one,
            (Self::Finite { .. }, _) => {
                let size = self.abs().compare(&one);
                let grows = size.is_gt() == (exponent.signum() > 0);
                match size {
                    std::cmp::Ordering::Equal => one,
                    _ if grows => Self::Infinity,
                    _ => Self::integer(0),
                }
            }
            _ if exponent.signum() < 0 => Self::integer(0),
            (Self::Infinity, _) => Self::Infinity,
            _ if !exponent.is_finite() => Self::Infinity,
            _ if exponent.scale_min() > 0 => {
                return Err(error!(
                    INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                    "a negative number raised to a non-integer power yields a complex result"
                ));
            }
            _ if exponent.whole().bit(0) => Self::NegativeInfinity,
            _ => Self::Infinity,
        }))
    }

    /// A power with a whole exponent, by squaring with as many digits as the result needs.
    fn power_whole(&self, exponent: i32) -> Result<Self> {
        let scale = SIGNIFICANT_DIGITS_MIN.max(self.scale().into()).min(DISPLAY_SCALE_MAX);
        if self.signum() == 0 {
            let value = if exponent == 0 { power_of_ten(scale) } else { BigInt::zero() };
            return Ok(Self::finite(value, scale as i32));
        }
        let magnitude = self.log10_approximate() * f64::from(exponent);
        if magnitude > (super::WEIGHT_MAX * BASE_DIGITS + BASE_DIGITS) as f64 {
            return Err(overflow());
        }
        if magnitude + 1.0 < -(scale as f64) {
            return Ok(Self::finite(BigInt::zero(), scale as i32));
        }
        let significant =
            scale + magnitude.max(0.0) as i64 + GUARD + i64::from(exponent.unsigned_abs().max(1).ilog10());
        let Self::Finite { digits, scale: from } = self else { return Ok(self.clone()) };
        let mut base = Floating::new(digits.clone(), -i64::from(*from));
        let mut result = Floating::new(BigInt::one(), 0);
        let mut left = exponent.unsigned_abs();
        while left > 0 {
            if left & 1 == 1 {
                result = result.multiply(&base, significant);
            }
            left >>= 1;
            if left > 0 {
                base = base.multiply(&base, significant);
            }
        }
        if exponent < 0 {
            result = result.invert(significant);
        }
        Self::finite(result.fixed(scale), scale as i32).checked()
    }

    /// A power by way of `e^(exponent × ln self)`.
    fn power_general(&self, exponent: &Self) -> Result<Self> {
        let magnitude = self.log10_approximate() * exponent.approximate();
        if magnitude.abs() > RESULT_EXPONENT_MAX {
            return if magnitude > 0.0 {
                Err(overflow())
            } else {
                Ok(Self::finite(BigInt::zero(), DISPLAY_SCALE_MAX as i32))
            };
        }
        let scale = (SIGNIFICANT_DIGITS_MIN - magnitude as i64)
            .max(self.scale().into())
            .max(exponent.scale().into())
            .clamp(0, DISPLAY_SCALE_MAX);
        let precision = scale + GUARD + magnitude.abs() as i64 + exponent.weight().abs() * BASE_DIGITS;
        let Self::Finite { digits, scale: from } = exponent else { return Ok(Self::NaN) };
        let product = self.ln_fixed(precision) * digits;
        Self::finite(product, precision as i32 + from).exp_to(scale).checked()
    }

    fn check_logarithm(&self) -> Result<()> {
        let what = match self {
            Self::NaN | Self::Infinity => return Ok(()),
            _ if self.signum() == 0 => "zero",
            _ if self.signum() < 0 => "a negative number",
            _ => return Ok(()),
        };
        Err(error!(INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of {what}"))
    }

    /// About the decimal exponent of the logarithm (PostgreSQL's `estimate_ln_dweight`).
    fn ln_weight(&self) -> i64 {
        let (lower, upper) = (Self::finite(9.into(), 1), Self::finite(11.into(), 1));
        if self.compare(&lower).is_ge() && self.compare(&upper).is_le() {
            let Ok(difference) = self.subtract(&Self::integer(1)) else { return 0 };
            let (weight, first) = difference.first_digit();
            return if first == 0 { 0 } else { weight * BASE_DIGITS + (first as f64).log10() as i64 };
        }
        (self.log10_approximate() * LN_10).abs().log10() as i64
    }

    /// About the decimal logarithm of the absolute value, also where a double cannot hold the number.
    fn log10_approximate(&self) -> f64 {
        let Self::Finite { digits, scale } = self else { return f64::NAN };
        let decimal = digits.magnitude().to_string();
        let leading = &decimal[..decimal.len().min(17)];
        let exponent = decimal.len() - leading.len();
        leading.parse::<f64>().unwrap_or(1.0).log10() + exponent as f64 - f64::from(*scale)
    }

    /// `ln(self) × 10^precision`, for a number above zero.
    fn ln_fixed(&self, precision: i64) -> BigInt {
        let Self::Finite { digits, scale } = self else { return BigInt::zero() };
        let working = precision + GUARD;
        let unit = power_of_ten(working);
        // self = m × 2^k with m near one; then ln m = 2 artanh((m-1)/(m+1)), after square roots that shrink it.
        let ten_power = power_of_ten((*scale).into());
        let shift = digits.bits() as i64 - ten_power.bits() as i64;
        let (numerator, denominator) = if shift >= 0 {
            (digits.clone(), ten_power << shift as u64)
        } else {
            (digits << (-shift) as u64, ten_power)
        };
        let mut reduced = numerator * &unit / denominator;
        let mut doublings = 0;
        let near = &unit / 100;
        while (&reduced - &unit).abs() > near {
            reduced = (reduced * &unit).sqrt();
            doublings += 1;
        }
        let ratio = (&reduced - &unit) * &unit / (&reduced + &unit);
        let own = artanh(&ratio, &unit) << (doublings + 1);
        let two = if shift == 0 { BigInt::zero() } else { artanh(&(&unit / 3), &unit) * 2 * shift };
        divide_rounded(&(own + two), &power_of_ten(GUARD))
    }

    /// `e^self` rounded to a scale.
    fn exp_to(&self, scale: i64) -> Self {
        let Self::Finite { digits, scale: from } = self else { return self.clone() };
        // Digits before the point of the result cost as many after it while squaring.
        let magnitude = (self.approximate() * LOG10_E).abs() as i64;
        let working = scale + magnitude + GUARD * 2;
        let unit = power_of_ten(working);
        let mut argument = divide_rounded(&(digits * &unit), &power_of_ten((*from).into()));
        let mut halvings = 0_u32;
        while argument.abs() > &unit / 16 {
            argument /= 2;
            halvings += 1;
        }
        let (mut sum, mut term) = (unit.clone(), unit.clone());
        for index in 1.. {
            term = term * &argument / &unit / index;
            if term.is_zero() {
                break;
            }
            sum += &term;
        }
        for _ in 0..halvings {
            sum = &sum * &sum / &unit;
        }
        Self::finite(divide_rounded(&sum, &power_of_ten(working - scale)), scale as i32)
    }
}

fn negative_root() -> crate::SqlError {
    error!(INVALID_ARGUMENT_FOR_POWER_FUNCTION, "cannot take square root of a negative number")
}

/// `artanh(ratio)` in fixed point.
fn artanh(ratio: &BigInt, unit: &BigInt) -> BigInt {
    let square = ratio * ratio / unit;
    let (mut sum, mut power) = (ratio.clone(), ratio.clone());
    for index in 1_u32.. {
        power = power * &square / unit;
        if power.is_zero() {
            break;
        }
        sum += &power / (2 * index + 1);
    }
    sum
}

/// A number with so many significant digits, for repeated multiplication.
struct Floating {
    digits: BigInt,
    exponent: i64,
}

impl Floating {
    fn new(digits: BigInt, exponent: i64) -> Self {
        Self { digits, exponent }
    }

    fn multiply(&self, other: &Self, significant: i64) -> Self {
        let digits = &self.digits * &other.digits;
        let exponent = self.exponent + other.exponent;
        // Bits give the length in digits closely enough.
        let excess = (digits.bits() as f64 * std::f64::consts::LOG10_2) as i64 - significant;
        if excess <= 0 {
            return Self { digits, exponent };
        }
        Self { digits: divide_rounded(&digits, &power_of_ten(excess)), exponent: exponent + excess }
    }

    fn invert(&self, significant: i64) -> Self {
        let length = (self.digits.bits() as f64 * std::f64::consts::LOG10_2) as i64 + 1;
        let shift = length + significant;
        Self { digits: divide_rounded(&power_of_ten(shift), &self.digits), exponent: -shift - self.exponent }
    }

    fn fixed(&self, scale: i64) -> BigInt {
        let shift = self.exponent + scale;
        if shift >= 0 {
            &self.digits * power_of_ten(shift)
        } else {
            divide_rounded(&self.digits, &power_of_ten(-shift))
        }
    }
}
