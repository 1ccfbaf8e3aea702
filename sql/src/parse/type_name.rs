//! `Typename`: the types that SQL spells with words of its own, and all others by their names. Types that sqlparser's
//! tree has a variant for get it; all others are `DataType::Custom` with name and modifiers.

use sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, Ident, IntervalFields, ObjectName,
    ObjectNamePart, TimezoneInfo,
};

use super::keywords::Category;
use super::parser::Parser;
use super::tokens::Kind;
use crate::{Result, SqlError};

impl Parser<'_> {
    /// A type name, with array bounds.
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        if self.at("setof") {
            return self.unsupported("SETOF here");
        }
        let simple = self.simple_type()?;
        self.array_bounds(simple)
    }

    fn array_bounds(&mut self, mut data_type: DataType) -> Result<DataType> {
        if self.accept("array") {
            let bound = if self.accept_symbol("[") {
                let bound = self.unsigned()?;
                self.expect_symbol("]")?;
                Some(bound)
            } else {
                None
            };
            return Ok(DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(data_type), bound)));
        }
        while self.accept_symbol("[") {
            let bound = if self.at_symbol("]") { None } else { Some(self.unsigned()?) };
            self.expect_symbol("]")?;
            data_type = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(data_type), bound));
        }
        Ok(data_type)
    }

    /// `SimpleTypename`.
    pub(super) fn simple_type(&mut self) -> Result<DataType> {
        match &self.token().kind {
            Kind::Word(word, Category::ColumnName, _) => {
                let word = word.clone();
                self.keyword_type(&word)
            }
            Kind::Word(word, category, _)
                if *category != Category::Reserved && !self.symbol_ahead(1, ".") =>
            {
                match word.as_str() {
                    "double" if self.word_ahead(1) == Some("precision") => {
                        self.advance();
                        self.advance();
                        Ok(DataType::DoublePrecision)
                    }
                    _ => self.plain_type(),
                }
            }
            _ => self.named_type(),
        }
    }

    fn keyword_type(&mut self, word: &str) -> Result<DataType> {
        let simple = match word {
            "int" => DataType::Int(None),
            "integer" => DataType::Integer(None),
            "smallint" => DataType::SmallInt(None),
            "bigint" => DataType::BigInt(None),
            "real" => DataType::Real,
            "boolean" => DataType::Boolean,
            "float" | "decimal" | "dec" | "numeric" => return self.number_type(word),
            "bit" => return self.bit_type(),
            "character" | "char" | "varchar" | "national" | "nchar" => return self.character_type(word),
            "timestamp" | "time" => return self.time_type(word == "timestamp"),
            "interval" => return self.interval_type(),
            _ if self.symbol_ahead(1, ".") => return self.named_type(),
            _ => return self.fail(),
        };
        self.advance();
        Ok(simple)
    }

    fn number_type(&mut self, word: &str) -> Result<DataType> {
        self.advance();
        if word == "float" {
            let precision = self.length()?.map_or(ExactNumberInfo::None, ExactNumberInfo::Precision);
            return Ok(DataType::Float(precision));
        }
        let start = self.index();
        let modifiers = self.modifiers()?;
        let exact = match numbers(&modifiers).as_deref() {
            Some([]) => ExactNumberInfo::None,
            Some(&[precision]) if precision >= 0 => ExactNumberInfo::Precision(precision.unsigned_abs()),
            Some(&[precision, scale]) if precision >= 0 => {
                ExactNumberInfo::PrecisionAndScale(precision.unsigned_abs(), scale)
            }
            _ => {
                let name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_span(
                    self.span(self.token_at(start - 1)),
                    "numeric",
                ))]);
                return Ok(DataType::Custom(name, modifiers));
            }
        };
        Ok(match word {
            "decimal" => DataType::Decimal(exact),
            "dec" => DataType::Dec(exact),
            _ => DataType::Numeric(exact),
        })
    }

    fn bit_type(&mut self) -> Result<DataType> {
        self.advance();
        if self.accept("varying") {
            return Ok(DataType::BitVarying(self.length()?));
        }
        Ok(DataType::Bit(self.length()?))
    }

    fn character_type(&mut self, word: &str) -> Result<DataType> {
        self.advance();
        let mut word = word;
        if word == "national" {
            word = if self.accept("character") {
                "character"
            } else {
                self.expect("char")?;
                "char"
            };
        }
        let varying = word != "varchar" && self.accept("varying");
        let length = self.length()?.map(|length| CharacterLength::IntegerLength { length, unit: None });
        Ok(match (word, varying) {
            ("varchar", _) => DataType::Varchar(length),
            ("character", true) => DataType::CharacterVarying(length),
            (_, true) => DataType::CharVarying(length),
            ("character", false) => DataType::Character(length),
            _ => DataType::Char(length),
        })
    }

    fn time_type(&mut self, is_timestamp: bool) -> Result<DataType> {
        self.advance();
        let precision = self.length()?;
        let zone = if self.accept_words(&["with", "time", "zone"]) {
            TimezoneInfo::WithTimeZone
        } else if self.accept_words(&["without", "time", "zone"]) {
            TimezoneInfo::WithoutTimeZone
        } else {
            TimezoneInfo::None
        };
        Ok(if is_timestamp { DataType::Timestamp(precision, zone) } else { DataType::Time(precision, zone) })
    }

    fn interval_type(&mut self) -> Result<DataType> {
        self.advance();
        if let Some(precision) = self.length()? {
            return Ok(DataType::Interval { fields: None, precision: Some(precision) });
        }
        let (fields, precision) = self.interval_fields()?;
        Ok(DataType::Interval { fields, precision })
    }

    /// `YEAR TO MONTH` and the like, with the precision of SECOND.
    pub(super) fn interval_fields(&mut self) -> Result<(Option<IntervalFields>, Option<u64>)> {
        use IntervalFields as F;
        const FIELDS: &[(&[&str], F)] = &[
            (&["year", "to", "month"], F::YearToMonth),
            (&["day", "to", "hour"], F::DayToHour),
            (&["day", "to", "minute"], F::DayToMinute),
            (&["day", "to", "second"], F::DayToSecond),
            (&["hour", "to", "minute"], F::HourToMinute),
            (&["hour", "to", "second"], F::HourToSecond),
            (&["minute", "to", "second"], F::MinuteToSecond),
            (&["year"], F::Year),
            (&["month"], F::Month),
            (&["day"], F::Day),
            (&["hour"], F::Hour),
            (&["minute"], F::Minute),
            (&["second"], F::Second),
        ];
        for (words, fields) in FIELDS {
            if self.accept_words(words) {
                let precision = if words.last() == Some(&"second") { self.length()? } else { None };
                return Ok((Some(*fields), precision));
            }
        }
        Ok((None, None))
    }

    /// An unqualified name that is no keyword of the type grammar.
    fn plain_type(&mut self) -> Result<DataType> {
        let name = self.type_or_function_name()?;
        let value = name.value.as_str();
        if value == "timestamptz" || value == "timetz" {
            let precision = self.length()?;
            return Ok(if value == "timetz" {
                DataType::Time(precision, TimezoneInfo::Tz)
            } else {
                DataType::Timestamp(precision, TimezoneInfo::Tz)
            });
        }
        if value == "varbit" {
            return Ok(DataType::VarBit(self.length()?));
        }
        if !self.at_symbol("(") && !self.at_operator("%") {
            let known = match value {
                "bool" => Some(DataType::Bool),
                "int2" => Some(DataType::Int2(None)),
                "int4" => Some(DataType::Int4(None)),
                "int8" => Some(DataType::Int8(None)),
                "float4" => Some(DataType::Float4),
                "float8" => Some(DataType::Float8),
                "text" => Some(DataType::Text),
                "uuid" => Some(DataType::Uuid),
                "date" => Some(DataType::Date),
                "bytea" => Some(DataType::Bytea),
                "json" => Some(DataType::JSON),
                "jsonb" => Some(DataType::JSONB),
                "regclass" => Some(DataType::Regclass),
                _ => None,
            };
            if let Some(known) = known {
                return Ok(known);
            }
        }
        let modifiers = self.modifiers()?;
        Ok(DataType::Custom(ObjectName::from(vec![name]), modifiers))
    }

    fn named_type(&mut self) -> Result<DataType> {
        let name = self.function_name()?;
        if self.at_operator("%") {
            return self.unsupported("%TYPE");
        }
        let modifiers = self.modifiers()?;
        Ok(DataType::Custom(name, modifiers))
    }

    /// `(…)` after a type's name: any constants, as their texts.
    fn modifiers(&mut self) -> Result<Vec<String>> {
        if !self.at_symbol("(") {
            return Ok(Vec::new());
        }
        self.parenthesized(|parser| {
            let negative = parser.accept_operator("-");
            let text = match &parser.token().kind {
                Kind::Integer(text) | Kind::Decimal(text) => text.clone(),
                Kind::Text(text) | Kind::Quoted(text) | Kind::Word(text, ..) if !negative => text.clone(),
                _ => return parser.fail(),
            };
            parser.advance();
            Ok(if negative { format!("-{text}") } else { text })
        })
    }

    /// `(n)`, where a length or precision may stand.
    fn length(&mut self) -> Result<Option<u64>> {
        if !self.accept_symbol("(") {
            return Ok(None);
        }
        let length = self.unsigned()?;
        self.expect_symbol(")")?;
        Ok(Some(length))
    }

    /// An `Iconst`.
    pub(super) fn unsigned(&mut self) -> Result<u64> {
        let Kind::Integer(text) = &self.token().kind else { return self.fail() };
        let Ok(value) = text.parse::<i32>() else { return self.fail() };
        self.advance();
        u64::try_from(value).map_err(|_| SqlError::internal("a number without sign is negative"))
    }
}

fn numbers(modifiers: &[String]) -> Option<Vec<i64>> {
    modifiers.iter().map(|modifier| modifier.parse().ok()).collect()
}
