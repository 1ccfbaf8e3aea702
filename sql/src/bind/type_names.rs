//! Type names: from the grammar's spelling to a type and its modifier; and what the binder asks about types.
//!
//! Source: `src/backend/parser/parse_type.c`, `gram.y` (`Typename`).

use std::sync::Arc;

use sqlparser::ast::{
    ArrayElemTypeDef, BinaryLength, CharacterLength, DataType, ExactNumberInfo, GeometricTypeKind,
    IntervalFields, ObjectName, TimezoneInfo,
};

use super::position::At;
use super::scope::{name_location, name_parts};
use super::{BindContext, Binder};
use crate::bound::TypeMod;
use crate::catalog::Type;
use crate::oid::types;
use crate::types::names::Shown;
use crate::{Oid, Result, SqlError, error};

/// `pg_proc.oid` of `array_subscript_handler`: what makes a type an array.
const ARRAY_SUBSCRIPT_HANDLER: Oid = Oid(6179);

/// All fields of an interval (PostgreSQL's `INTERVAL_FULL_RANGE`).
const INTERVAL_FULL_RANGE: i32 = 0x7FFF;

/// The mask of an interval's fields, as `typmodin` takes it.
pub(super) fn interval_mask(fields: &IntervalFields) -> i32 {
    const MONTH: i32 = 1 << 1;
    const YEAR: i32 = 1 << 2;
    const DAY: i32 = 1 << 3;
    const HOUR: i32 = 1 << 10;
    const MINUTE: i32 = 1 << 11;
    const SECOND: i32 = 1 << 12;
    match fields {
        IntervalFields::Year => YEAR,
        IntervalFields::Month => MONTH,
        IntervalFields::Day => DAY,
        IntervalFields::Hour => HOUR,
        IntervalFields::Minute => MINUTE,
        IntervalFields::Second => SECOND,
        IntervalFields::YearToMonth => YEAR | MONTH,
        IntervalFields::DayToHour => DAY | HOUR,
        IntervalFields::DayToMinute => DAY | HOUR | MINUTE,
        IntervalFields::DayToSecond => DAY | HOUR | MINUTE | SECOND,
        IntervalFields::HourToMinute => HOUR | MINUTE,
        IntervalFields::HourToSecond => HOUR | MINUTE | SECOND,
        IntervalFields::MinuteToSecond => MINUTE | SECOND,
    }
}

/// A type name taken apart.
enum Spelling<'t> {
    /// A type that the grammar knows, and its modifier's arguments.
    Known(Oid, Vec<i32>),
    /// A name to be looked up, and its modifier's arguments.
    Named(&'t ObjectName, &'t [String]),
    /// An array of another type.
    Array(&'t DataType),
}

impl Binder<'_> {
    /// The type that a type name means.
    ///
    /// # Errors
    /// `42704` when there is none, `22023` and `42601` for bad modifiers, `0A000` for spellings that PostgreSQL lacks.
    pub(super) fn data_type(&self, name: &DataType) -> Result<TypeMod> {
        match spelling(name)? {
            Spelling::Known(oid, arguments) => self.with_modifier(oid, &arguments, At::NOWHERE),
            Spelling::Named(name, arguments) => self.named_type(name, arguments),
            Spelling::Array(element) => {
                let element_type = self.data_type(element)?;
                // PostgreSQL has one array type for all numbers of dimensions.
                if self.element_type(element_type.oid).is_some() && matches!(element, DataType::Array(_)) {
                    return Ok(element_type);
                }
                let array = self.array_type(element_type.oid).ok_or_else(|| {
                    error!(
                        UNDEFINED_OBJECT,
                        "could not find array type for data type {}",
                        self.format_type(element_type.oid)
                    )
                })?;
                Ok(TypeMod { oid: array, modifier: element_type.modifier })
            }
        }
    }

    fn named_type(&self, name: &ObjectName, arguments: &[String]) -> Result<TypeMod> {
        let parts = name_parts(name);
        let at = At::new(name_location(name));
        let written = parts.join(".");
        let missing = || error!(UNDEFINED_OBJECT, "type \"{written}\" does not exist").at(self.position(at));
        let found = match parts.as_slice() {
            [single] => match serial(single) {
                Some(oid) => return Ok(TypeMod::plain(oid)),
                None => self
                    .context
                    .search_path
                    .iter()
                    .find_map(|namespace| self.catalog().type_named(*namespace, single)),
            },
            [schema, single] | [_, schema, single] => {
                self.refuse_other_database(&parts, Shown::Bare, At::NOWHERE)?;
                let namespace = self.namespace(schema, at)?;
                self.catalog().type_named(namespace, single)
            }
            _ => return Err(missing()),
        };
        let row = found.ok_or_else(missing)?;
        if !row.typisdefined {
            return Err(error!(UNDEFINED_OBJECT, "type \"{written}\" is only a shell").at(self.position(at)));
        }
        if name.0.len() == 1 && parts[0] == "interval" && arguments.len() == 1 {
            let precision = integer_argument(&arguments[0], self.position(at))?;
            return self.with_modifier(row.oid, &[INTERVAL_FULL_RANGE, precision], at);
        }
        let arguments: Vec<i32> =
            arguments.iter().map(|text| integer_argument(text, self.position(at))).collect::<Result<_>>()?;
        if !arguments.is_empty() && !row.typmodin.is_valid() && self.element_type(row.oid).is_none() {
            return Err(error!(SYNTAX_ERROR, "type modifier is not allowed for type \"{written}\"")
                .at(self.position(at)));
        }
        self.with_modifier(row.oid, &arguments, at)
    }

    fn with_modifier(&self, oid: Oid, arguments: &[i32], at: At) -> Result<TypeMod> {
        if arguments.is_empty() {
            return Ok(TypeMod::plain(oid));
        }
        let modifier = crate::types::modifier_from_arguments(oid, arguments)
            .map_err(|error| error.at(self.position(at)))?;
        Ok(TypeMod { oid, modifier })
    }

    pub(super) fn type_row(&self, oid: Oid) -> Option<Arc<Type>> {
        self.catalog().type_(oid)
    }

    /// The type below all domains, with the modifier that the domains impose.
    pub(super) fn base_type(&self, oid: Oid) -> TypeMod {
        let mut current = TypeMod::plain(oid);
        while let Some(row) = self.type_row(current.oid) {
            if row.typtype != 'd' {
                break;
            }
            let modifier = if row.typtypmod >= 0 { row.typtypmod } else { current.modifier };
            current = TypeMod { oid: row.typbasetype, modifier };
        }
        current
    }

    /// The element type, for true arrays (`int2vector` and `oidvector` among them).
    pub(super) fn element_type(&self, oid: Oid) -> Option<Oid> {
        let row = self.type_row(oid)?;
        (row.typelem.is_valid() && row.typsubscript == ARRAY_SUBSCRIPT_HANDLER).then_some(row.typelem)
    }

    pub(super) fn base_element_type(&self, oid: Oid) -> Option<Oid> {
        self.element_type(self.base_type(oid).oid)
    }

    pub(super) fn array_type(&self, element: Oid) -> Option<Oid> {
        if element == types::UNKNOWN {
            return Some(types::_TEXT);
        }
        self.type_row(element).map(|row| row.typarray).filter(|oid| oid.is_valid())
    }

    /// The relation that describes a composite type's fields, also below a domain.
    pub(super) fn composite_relation(&self, oid: Oid) -> Option<Oid> {
        let row = self.type_row(self.base_type(oid).oid)?;
        (row.typtype == 'c').then_some(row.typrelid)
    }

    pub(super) fn is_composite(&self, oid: Oid) -> bool {
        self.type_row(oid).is_some_and(|row| row.typtype == 'c')
    }

    pub(super) fn category(&self, oid: Oid) -> char {
        self.type_row(oid).map_or('X', |row| row.typcategory)
    }

    pub(super) fn is_preferred(&self, oid: Oid) -> bool {
        self.type_row(oid).is_some_and(|row| row.typispreferred)
    }

    pub(super) fn is_enum(&self, oid: Oid) -> bool {
        self.type_row(oid).is_some_and(|row| row.typtype == 'e')
    }
}

fn serial(name: &str) -> Option<Oid> {
    match name {
        "int" => Some(types::INT4),
        _ => None,
    }
}

fn integer_argument(text: &str, position: Option<usize>) -> Result<i32> {
    text.trim().parse().map_err(|_| {
        error!(SYNTAX_ERROR, "type modifiers must be simple constants or identifiers").at(position)
    })
}

fn length(length: u64) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

fn optional(argument: Option<u64>) -> Vec<i32> {
    argument.map(length).into_iter().collect()
}

fn characters(argument: Option<&CharacterLength>) -> Vec<i32> {
    match argument {
        Some(CharacterLength::IntegerLength { length: characters, .. }) => vec![length(*characters)],
        _ => Vec::new(),
    }
}

fn digits(info: &ExactNumberInfo) -> Vec<i32> {
    match info {
        ExactNumberInfo::None => Vec::new(),
        ExactNumberInfo::Precision(precision) => vec![length(*precision)],
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            vec![length(*precision), i32::try_from(*scale).unwrap_or(i32::MAX)]
        }
    }
}

fn float(info: &ExactNumberInfo) -> Result<Oid> {
    match info {
        ExactNumberInfo::Precision(0) => {
            Err(error!(INVALID_PARAMETER_VALUE, "precision for type float must be at least 1 bit"))
        }
        ExactNumberInfo::Precision(1..=24) => Ok(types::FLOAT4),
        ExactNumberInfo::Precision(25..=53) | ExactNumberInfo::None => Ok(types::FLOAT8),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "precision for type float must be less than 54 bits")),
    }
}

fn zoned(zone: &TimezoneInfo) -> bool {
    matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz)
}

/// Takes a type name apart.
fn spelling(name: &DataType) -> Result<Spelling<'_>> {
    use DataType as D;
    let plain = |oid| Ok(Spelling::Known(oid, Vec::new()));
    match name {
        D::Custom(name, arguments) => Ok(Spelling::Named(name, arguments)),
        D::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _)) => {
            Ok(Spelling::Array(element))
        }
        D::Character(n) | D::Char(n) => {
            let arguments = characters(n.as_ref());
            Ok(Spelling::Known(types::BPCHAR, if arguments.is_empty() { vec![1] } else { arguments }))
        }
        D::CharacterVarying(n) | D::CharVarying(n) | D::Varchar(n) | D::Nvarchar(n) => {
            Ok(Spelling::Known(types::VARCHAR, characters(n.as_ref())))
        }
        D::Numeric(info) | D::Decimal(info) | D::Dec(info) => {
            Ok(Spelling::Known(types::NUMERIC, digits(info)))
        }
        D::Float(info) => plain(float(info)?),
        D::Int2(None) | D::SmallInt(None) => plain(types::INT2),
        D::Int(None) | D::Int4(None) | D::Integer(None) => plain(types::INT4),
        D::BigInt(None) | D::Int8(None) => plain(types::INT8),
        D::Float4 | D::Real => plain(types::FLOAT4),
        D::Float8 | D::DoublePrecision => plain(types::FLOAT8),
        D::Bool | D::Boolean => plain(types::BOOL),
        D::Date => plain(types::DATE),
        D::Time(precision, zone) => {
            Ok(Spelling::Known(if zoned(zone) { types::TIMETZ } else { types::TIME }, optional(*precision)))
        }
        D::Timestamp(precision, zone) => Ok(Spelling::Known(
            if zoned(zone) { types::TIMESTAMPTZ } else { types::TIMESTAMP },
            optional(*precision),
        )),
        D::Interval { fields, precision } => {
            Ok(Spelling::Known(types::INTERVAL, interval_arguments(fields.as_ref(), *precision)))
        }
        D::Bit(n) => Ok(Spelling::Known(types::BIT, n.map_or_else(|| vec![1], |n| vec![length(n)]))),
        D::BitVarying(n) | D::VarBit(n) => Ok(Spelling::Known(types::VARBIT, optional(*n))),
        D::Uuid => plain(types::UUID),
        D::JSON => plain(types::JSON),
        D::JSONB => plain(types::JSONB),
        D::Regclass => plain(types::REGCLASS),
        D::Text => plain(types::TEXT),
        D::Bytea => plain(types::BYTEA),
        D::TsVector => plain(types::TSVECTOR),
        D::TsQuery => plain(types::TSQUERY),
        D::Trigger => plain(types::TRIGGER),
        D::GeometricType(kind) => plain(geometric(kind)),
        other => Err(undefined_spelling(other)),
    }
}

fn interval_arguments(fields: Option<&IntervalFields>, precision: Option<u64>) -> Vec<i32> {
    match (fields, precision) {
        (None, None) => Vec::new(),
        (None, Some(precision)) => vec![INTERVAL_FULL_RANGE, length(precision)],
        (Some(fields), None) => vec![interval_mask(fields)],
        (Some(fields), Some(precision)) => vec![interval_mask(fields), length(precision)],
    }
}

fn geometric(kind: &GeometricTypeKind) -> Oid {
    match kind {
        GeometricTypeKind::Point => types::POINT,
        GeometricTypeKind::Line => types::LINE,
        GeometricTypeKind::LineSegment => types::LSEG,
        GeometricTypeKind::GeometricBox => types::BOX,
        GeometricTypeKind::GeometricPath => types::PATH,
        GeometricTypeKind::Polygon => types::POLYGON,
        GeometricTypeKind::Circle => types::CIRCLE,
    }
}

/// A type of another system: no such type here, as PostgreSQL says of an unknown name.
fn undefined_spelling(other: &DataType) -> SqlError {
    let name = match other {
        DataType::Varbinary(Some(BinaryLength::IntegerLength { .. })) => "varbinary".to_owned(),
        other => other.to_string().to_ascii_lowercase(),
    };
    let name = name.split('(').next().unwrap_or_default().trim().to_owned();
    error!(UNDEFINED_OBJECT, "type \"{name}\" does not exist")
}

/// The type that a type name means.
///
/// # Errors
/// As [`Binder::data_type`].
pub(super) fn resolve(name: &DataType, context: &BindContext<'_>) -> Result<TypeMod> {
    Binder::new(context).data_type(name)
}
