//! What a setting is: name, type, bounds, who may change it and when. Entries are constants, built by the functions here.

use crate::Result;

/// When and by whom a setting may be changed, from least to most free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// Never: it shows a fact.
    Internal,
    /// At server start only.
    Postmaster,
    /// In the configuration file, followed by a reload.
    Sighup,
    /// At connection start by superusers, or in the file.
    SuperuserBackend,
    /// At connection start, or in the file.
    Backend,
    /// By superusers at any time.
    Superuser,
    /// By anybody at any time.
    User,
}

impl Context {
    /// As `pg_settings.context` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Postmaster => "postmaster",
            Self::Sighup => "sighup",
            Self::SuperuserBackend => "superuser-backend",
            Self::Backend => "backend",
            Self::Superuser => "superuser",
            Self::User => "user",
        }
    }
}

/// The unit a number is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unit {
    Bytes,
    Kilobytes,
    /// Blocks of 8 kB.
    Blocks,
    Megabytes,
    Milliseconds,
    Seconds,
    Minutes,
}

/// The type of a setting, with its default and bounds.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the fields are the same in all variants")]
pub enum Kind {
    Boolean {
        boot: bool,
    },
    Integer {
        boot: i32,
        min: i32,
        max: i32,
    },
    Real {
        boot: f64,
        min: f64,
        max: f64,
    },
    String {
        boot: &'static str,
    },
    /// One of `options`.
    Enum {
        boot: &'static str,
        options: &'static [&'static str],
    },
}

impl Kind {
    /// As `pg_settings.vartype` shows it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Boolean { .. } => "bool",
            Self::Integer { .. } => "integer",
            Self::Real { .. } => "real",
            Self::String { .. } => "string",
            Self::Enum { .. } => "enum",
        }
    }
}

/// How a value of several comma-separated names is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// Not a list: SET takes one argument.
    Single,
    /// A list, kept as written.
    Plain,
    /// A list of names, quoted where they need it.
    Quoted,
}

/// Checks a new text value against the present one and gives it in canonical form.
pub type CheckHook = fn(definition: &SettingDefinition, new: &str, present: &str) -> Result<String>;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct SettingDefinition {
    /// Its name as `SHOW` writes it; names are matched without regard to case.
    pub name: &'static str,
    /// Its type, default and bounds.
    pub kind: Kind,
    /// When it may be changed.
    pub context: Context,
    /// The unit of a number.
    pub unit: Option<Unit>,
    /// One sentence.
    pub description: &'static str,
    /// More, for `extra_desc`.
    pub extra: Option<&'static str>,
    /// Why changing it changes nothing, for a setting that is accepted for compatibility only.
    pub no_effect: Option<&'static str>,
    /// Whether SET takes a list.
    pub list: ListForm,
    /// Whether clients are told of changes (ParameterStatus).
    pub reported: bool,
    /// Whether SHOW ALL and `pg_settings` leave it out.
    pub hidden: bool,
    /// Whether only superusers and members of `pg_read_all_settings` may see it.
    pub superuser_only: bool,
    /// Whether the configuration file and ALTER SYSTEM may not hold it.
    pub not_in_file: bool,
    /// Whether it is shown as an octal number (file modes).
    pub octal: bool,
    /// The setting whose value this one has while it is not set itself.
    pub fallback: Option<&'static str>,
    /// The check of text values.
    pub check: Option<CheckHook>,
    /// The one value that is supported, when PostgreSQL knows more; setting another is refused with 0A000.
    pub only: Option<&'static str>,
}

const fn define(
    name: &'static str,
    context: Context,
    kind: Kind,
    description: &'static str,
) -> SettingDefinition {
    SettingDefinition {
        name,
        kind,
        context,
        unit: None,
        description,
        extra: None,
        no_effect: None,
        list: ListForm::Single,
        reported: false,
        hidden: false,
        superuser_only: false,
        not_in_file: false,
        octal: false,
        fallback: None,
        check: None,
        only: None,
    }
}

/// A boolean setting.
pub const fn boolean(
    name: &'static str,
    context: Context,
    boot: bool,
    description: &'static str,
) -> SettingDefinition {
    define(name, context, Kind::Boolean { boot }, description)
}

/// An integer setting.
pub const fn integer(
    name: &'static str,
    context: Context,
    boot: i32,
    min: i32,
    max: i32,
    description: &'static str,
) -> SettingDefinition {
    define(name, context, Kind::Integer { boot, min, max }, description)
}

/// A floating-point setting.
pub const fn real(
    name: &'static str,
    context: Context,
    boot: f64,
    min: f64,
    max: f64,
    description: &'static str,
) -> SettingDefinition {
    define(name, context, Kind::Real { boot, min, max }, description)
}

/// A text setting.
pub const fn string(
    name: &'static str,
    context: Context,
    boot: &'static str,
    description: &'static str,
) -> SettingDefinition {
    define(name, context, Kind::String { boot }, description)
}

/// A setting with a fixed set of values.
pub const fn choice(
    name: &'static str,
    context: Context,
    boot: &'static str,
    options: &'static [&'static str],
    description: &'static str,
) -> SettingDefinition {
    define(name, context, Kind::Enum { boot, options }, description)
}

#[allow(missing_docs, reason = "each sets the field of its name")]
impl SettingDefinition {
    #[must_use]
    pub const fn unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }
    #[must_use]
    pub const fn extra(mut self, extra: &'static str) -> Self {
        self.extra = Some(extra);
        self
    }
    #[must_use]
    pub const fn accepted(mut self, why: &'static str) -> Self {
        self.no_effect = Some(why);
        self
    }
    #[must_use]
    pub const fn list(mut self) -> Self {
        self.list = ListForm::Plain;
        self
    }
    #[must_use]
    pub const fn quoted_list(mut self) -> Self {
        self.list = ListForm::Quoted;
        self
    }
    #[must_use]
    pub const fn reported(mut self) -> Self {
        self.reported = true;
        self
    }
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
    #[must_use]
    pub const fn superuser_only(mut self) -> Self {
        self.superuser_only = true;
        self
    }
    #[must_use]
    pub const fn not_in_file(mut self) -> Self {
        self.not_in_file = true;
        self
    }
    #[must_use]
    pub const fn octal(mut self) -> Self {
        self.octal = true;
        self
    }
    #[must_use]
    pub const fn falls_back_to(mut self, name: &'static str) -> Self {
        self.fallback = Some(name);
        self
    }
    #[must_use]
    pub const fn checked(mut self, check: CheckHook) -> Self {
        self.check = Some(check);
        self
    }
    #[must_use]
    pub const fn only(mut self, value: &'static str) -> Self {
        self.only = Some(value);
        self
    }
}
