//! Object identifiers: the numbers PostgreSQL gives to types, functions, relations and everything else in its
//! catalogs. Built-in objects carry the same numbers as in PostgreSQL 15, because drivers hard-code them; objects of
//! users start at [`FIRST_NORMAL`].

use std::fmt;

/// An object identifier (PostgreSQL's `Oid`): an unsigned 32-bit number; zero means "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Oid(pub u32);

/// The first number given to an object that a user makes (PostgreSQL's `FirstNormalObjectId`).
pub const FIRST_NORMAL: Oid = Oid(16384);

impl Oid {
    /// "No object" (PostgreSQL's `InvalidOid`).
    pub const INVALID: Oid = Oid(0);

    /// Whether this names an object at all.
    pub const fn is_valid(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

macro_rules! oids {
    ($(#[$outer:meta])* $module:ident { $($name:ident = $value:literal,)* }) => {
        $(#[$outer])*
        #[allow(missing_docs, reason = "each constant is the catalog's own name of the object")]
        pub mod $module {
            use super::Oid;
            $(pub const $name: Oid = Oid($value);)*
        }
    };
}

oids! {
    /// Types (`pg_type.oid`); `_TEXT` is the array of `TEXT`, as in the catalog.
    types {
        BOOL = 16,
        BYTEA = 17,
        NAME = 19,
        INT8 = 20,
        INT2 = 21,
        INT2VECTOR = 22,
        INT4 = 23,
        REGPROC = 24,
        TEXT = 25,
        OID = 26,
        TID = 27,
        XID = 28,
        CID = 29,
        OIDVECTOR = 30,
        JSON = 114,
        XML = 142,
        _XML = 143,
        _JSON = 199,
        TABLE_AM_HANDLER = 269,
        _XID8 = 271,
        INDEX_AM_HANDLER = 325,
        POINT = 600,
        LSEG = 601,
        PATH = 602,
        BOX = 603,
        POLYGON = 604,
        LINE = 628,
        _LINE = 629,
        CIDR = 650,
        _CIDR = 651,
        FLOAT4 = 700,
        FLOAT8 = 701,
        UNKNOWN = 705,
        CIRCLE = 718,
        _CIRCLE = 719,
        MACADDR8 = 774,
        _MACADDR8 = 775,
        MONEY = 790,
        _MONEY = 791,
        MACADDR = 829,
        INET = 869,
        _BOOL = 1000,
        _BYTEA = 1001,
        _NAME = 1003,
        _INT2 = 1005,
        _INT2VECTOR = 1006,
        _INT4 = 1007,
        _REGPROC = 1008,
        _TEXT = 1009,
        _TID = 1010,
        _XID = 1011,
        _CID = 1012,
        _OIDVECTOR = 1013,
        _BPCHAR = 1014,
        _VARCHAR = 1015,
        _INT8 = 1016,
        _POINT = 1017,
        _LSEG = 1018,
        _PATH = 1019,
        _BOX = 1020,
        _FLOAT4 = 1021,
        _FLOAT8 = 1022,
        _POLYGON = 1027,
        _OID = 1028,
        ACLITEM = 1033,
        _ACLITEM = 1034,
        _MACADDR = 1040,
        _INET = 1041,
        BPCHAR = 1042,
        VARCHAR = 1043,
        DATE = 1082,
        TIME = 1083,
        TIMESTAMP = 1114,
        _TIMESTAMP = 1115,
        _DATE = 1182,
        _TIME = 1183,
        TIMESTAMPTZ = 1184,
        _TIMESTAMPTZ = 1185,
        INTERVAL = 1186,
        _INTERVAL = 1187,
        _NUMERIC = 1231,
        _CSTRING = 1263,
        TIMETZ = 1266,
        _TIMETZ = 1270,
        BIT = 1560,
        _BIT = 1561,
        VARBIT = 1562,
        _VARBIT = 1563,
        NUMERIC = 1700,
        REFCURSOR = 1790,
        _REFCURSOR = 2201,
        REGPROCEDURE = 2202,
        REGOPER = 2203,
        REGOPERATOR = 2204,
        REGCLASS = 2205,
        REGTYPE = 2206,
        _REGPROCEDURE = 2207,
        _REGOPER = 2208,
        _REGOPERATOR = 2209,
        _REGCLASS = 2210,
        _REGTYPE = 2211,
        RECORD = 2249,
        CSTRING = 2275,
        ANY = 2276,
        ANYARRAY = 2277,
        VOID = 2278,
        TRIGGER = 2279,
        LANGUAGE_HANDLER = 2280,
        INTERNAL = 2281,
        ANYELEMENT = 2283,
        _RECORD = 2287,
        ANYNONARRAY = 2776,
        _TXID_SNAPSHOT = 2949,
        UUID = 2950,
        _UUID = 2951,
        TXID_SNAPSHOT = 2970,
        FDW_HANDLER = 3115,
        TSM_HANDLER = 3310,
        ANYENUM = 3500,
        TSVECTOR = 3614,
        TSQUERY = 3615,
        _TSVECTOR = 3643,
        _TSQUERY = 3645,
        REGCONFIG = 3734,
        _REGCONFIG = 3735,
        REGDICTIONARY = 3769,
        _REGDICTIONARY = 3770,
        JSONB = 3802,
        _JSONB = 3807,
        ANYRANGE = 3831,
        EVENT_TRIGGER = 3838,
        INT4RANGE = 3904,
        _INT4RANGE = 3905,
        NUMRANGE = 3906,
        _NUMRANGE = 3907,
        TSRANGE = 3908,
        _TSRANGE = 3909,
        TSTZRANGE = 3910,
        _TSTZRANGE = 3911,
        DATERANGE = 3912,
        _DATERANGE = 3913,
        INT8RANGE = 3926,
        _INT8RANGE = 3927,
        JSONPATH = 4072,
        _JSONPATH = 4073,
        REGNAMESPACE = 4089,
        _REGNAMESPACE = 4090,
        REGROLE = 4096,
        _REGROLE = 4097,
        REGCOLLATION = 4191,
        _REGCOLLATION = 4192,
        INT4MULTIRANGE = 4451,
        NUMMULTIRANGE = 4532,
        TSMULTIRANGE = 4533,
        TSTZMULTIRANGE = 4534,
        DATEMULTIRANGE = 4535,
        ANYMULTIRANGE = 4537,
        ANYCOMPATIBLEMULTIRANGE = 4538,
        PG_SNAPSHOT = 5038,
        _PG_SNAPSHOT = 5039,
        XID8 = 5069,
        ANYCOMPATIBLE = 5077,
        ANYCOMPATIBLEARRAY = 5078,
        ANYCOMPATIBLENONARRAY = 5079,
        ANYCOMPATIBLERANGE = 5080,
        _INT4MULTIRANGE = 6150,
        _NUMMULTIRANGE = 6151,
        _TSMULTIRANGE = 6152,
        _TSTZMULTIRANGE = 6153,
        _DATEMULTIRANGE = 6155,
        CHAR = 18,
        _CHAR = 1002,
    }
}

oids! {
    /// Relations of `pg_catalog` (`pg_class.oid`).
    relations {
        PG_DEFAULT_ACL = 826,
        PG_TABLESPACE = 1213,
        PG_SHDEPEND = 1214,
        PG_TYPE = 1247,
        PG_ATTRIBUTE = 1249,
        PG_PROC = 1255,
        PG_CLASS = 1259,
        PG_AUTHID = 1260,
        PG_AUTH_MEMBERS = 1261,
        PG_DATABASE = 1262,
        PG_FOREIGN_SERVER = 1417,
        PG_USER_MAPPING = 1418,
        PG_SEQUENCE = 2224,
        PG_FOREIGN_DATA_WRAPPER = 2328,
        PG_SHDESCRIPTION = 2396,
        PG_AGGREGATE = 2600,
        PG_AM = 2601,
        PG_AMOP = 2602,
        PG_AMPROC = 2603,
        PG_ATTRDEF = 2604,
        PG_CAST = 2605,
        PG_CONSTRAINT = 2606,
        PG_CONVERSION = 2607,
        PG_DEPEND = 2608,
        PG_DESCRIPTION = 2609,
        PG_INDEX = 2610,
        PG_INHERITS = 2611,
        PG_LANGUAGE = 2612,
        PG_LARGEOBJECT = 2613,
        PG_NAMESPACE = 2615,
        PG_OPCLASS = 2616,
        PG_OPERATOR = 2617,
        PG_REWRITE = 2618,
        PG_STATISTIC = 2619,
        PG_TRIGGER = 2620,
        PG_OPFAMILY = 2753,
        PG_DB_ROLE_SETTING = 2964,
        PG_LARGEOBJECT_METADATA = 2995,
        PG_EXTENSION = 3079,
        PG_FOREIGN_TABLE = 3118,
        PG_POLICY = 3256,
        PG_PARTITIONED_TABLE = 3350,
        PG_STATISTIC_EXT = 3381,
        PG_INIT_PRIVS = 3394,
        PG_STATISTIC_EXT_DATA = 3429,
        PG_COLLATION = 3456,
        PG_EVENT_TRIGGER = 3466,
        PG_ENUM = 3501,
        PG_RANGE = 3541,
        PG_TRANSFORM = 3576,
        PG_SHSECLABEL = 3592,
        PG_SECLABEL = 3596,
        PG_TS_DICT = 3600,
        PG_TS_PARSER = 3601,
        PG_TS_CONFIG = 3602,
        PG_TS_CONFIG_MAP = 3603,
        PG_TS_TEMPLATE = 3764,
        PG_REPLICATION_ORIGIN = 6000,
        PG_SUBSCRIPTION = 6100,
        PG_SUBSCRIPTION_REL = 6102,
        PG_PUBLICATION = 6104,
        PG_PUBLICATION_REL = 6106,
        PG_PUBLICATION_NAMESPACE = 6237,
        PG_PARAMETER_ACL = 6243,
    }
}

oids! {
    /// Schemas (`pg_namespace.oid`).
    namespaces {
        PG_CATALOG = 11,
        PG_TOAST = 99,
        PUBLIC = 2200,
    }
}

oids! {
    /// Roles that exist from the start (`pg_authid.oid`).
    roles {
        POSTGRES = 10,
        PG_MONITOR = 3373,
        PG_READ_ALL_SETTINGS = 3374,
        PG_READ_ALL_STATS = 3375,
        PG_STAT_SCAN_TABLES = 3377,
        PG_SIGNAL_BACKEND = 4200,
        PG_CHECKPOINT = 4544,
        PG_READ_SERVER_FILES = 4569,
        PG_WRITE_SERVER_FILES = 4570,
        PG_EXECUTE_SERVER_PROGRAM = 4571,
        PG_DATABASE_OWNER = 6171,
        PG_READ_ALL_DATA = 6181,
        PG_WRITE_ALL_DATA = 6182,
    }
}

oids! {
    /// Collations (`pg_collation.oid`).
    collations {
        DEFAULT = 100,
        C = 950,
        POSIX = 951,
    }
}

oids! {
    /// Languages of functions (`pg_language.oid`).
    languages {
        INTERNAL = 12,
        C = 13,
        SQL = 14,
    }
}
