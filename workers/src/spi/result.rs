//! What a command gives back: a code, a count, and perhaps rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sql::{Result, SqlError, SqlState};

/// The result of one request (`SPI_processed`, `SPI_tuptable` and the returned code).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpiResult {
    /// What happened.
    pub code: SpiCode,
    /// Rows selected, inserted, updated or deleted.
    pub processed: u64,
    /// The rows, for commands that return some.
    pub table: Option<SpiTable>,
}

impl SpiResult {
    /// A result without rows.
    pub(crate) fn of(code: SpiCode) -> Self {
        Self { code, processed: 0, table: None }
    }

    /// The value of one column (from 0) of the first row: `None` for NULL.
    ///
    /// # Errors
    /// `XX000` when there is no such value or it cannot be read as `T`.
    pub fn first<T: FromSpi>(&self, column: usize) -> Result<Option<T>> {
        let missing = || SqlError::internal("the command returned no such value");
        self.table.as_ref().ok_or_else(missing)?.get(0, column)
    }
}

/// Rows with their columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpiTable {
    /// The columns, shared by all results of one plan.
    pub columns: Arc<[SpiColumn]>,
    /// The rows: each value's text form, `None` for NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpiColumn {
    /// Its name (`SPI_fname`).
    pub name: String,
    /// Its type (`SPI_gettypeid`).
    pub type_oid: u32,
}

impl SpiTable {
    /// One value (`SPI_getvalue`), both positions from 0: `None` for NULL.
    ///
    /// # Errors
    /// `XX000` when there is no such value or it cannot be read as `T`.
    pub fn get<T: FromSpi>(&self, row: usize, column: usize) -> Result<Option<T>> {
        let value = self.rows.get(row).and_then(|row| row.get(column));
        let value = value.ok_or_else(|| SqlError::internal("the command returned no such value"))?;
        value.as_deref().map(T::from_spi).transpose()
    }

    /// The position of a column (`SPI_fnumber`).
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// What can be read from a value's text form.
pub trait FromSpi: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// `XX000` when the text is not of this form.
    fn from_spi(text: &str) -> Result<Self>;
}

macro_rules! from_spi {
    ($($type:ty),*) => {
        $(impl FromSpi for $type {
            fn from_spi(text: &str) -> Result<Self> {
                text.parse().map_err(|_| SqlError::internal(format!("\"{text}\" is no {}", stringify!($type))))
            }
        })*
    };
}

from_spi!(i16, i32, i64, u32, u64, f32, f64, String);

impl FromSpi for bool {
    fn from_spi(text: &str) -> Result<Self> {
        Ok(text == "t")
    }
}

/// The codes of `SPI_execute` and its kin, by PostgreSQL's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
#[repr(i32)]
pub enum SpiCode {
    OkConnect = 1,
    OkFinish = 2,
    OkFetch = 3,
    OkUtility = 4,
    OkSelect = 5,
    OkSelInto = 6,
    OkInsert = 7,
    OkDelete = 8,
    OkUpdate = 9,
    OkCursor = 10,
    OkInsertReturning = 11,
    OkDeleteReturning = 12,
    OkUpdateReturning = 13,
    OkRewritten = 14,
    OkMerge = 18,
    ErrorConnect = -1,
    ErrorCopy = -2,
    ErrorOpUnknown = -3,
    ErrorUnconnected = -4,
    ErrorArgument = -6,
    ErrorParam = -7,
    ErrorTransaction = -8,
    ErrorNoAttribute = -9,
    ErrorNoOutFunc = -10,
    ErrorTypUnknown = -11,
}

impl SpiCode {
    /// PostgreSQL's number.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// An error for a worker that expected another code: `SPI_execute failed: error code -8`.
    pub fn unexpected(self, what: &str) -> SqlError {
        SqlError::new(SqlState::INTERNAL_ERROR, format!("{what}: error code {}", self.number()))
    }
}
