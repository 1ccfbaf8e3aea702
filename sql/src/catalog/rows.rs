//! The rows of the catalog relations that the server itself reads, as structs. Fields are PostgreSQL's columns under
//! their own names and in their own order, so that a row can be made from and turned into the values of the relation.
//! Columns of type `pg_node_tree` hold SQL text; arrays and vectors are lists; nullable columns are options.
//!
//! Source: PostgreSQL manual, "System Catalogs".

use crate::Oid;

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident = $relation:literal { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[allow(missing_docs, reason = "the columns are described in PostgreSQL's manual")]
            #[derive(Clone, Debug, PartialEq)]
            pub struct $name {
                $(pub $field: $type,)*
            }

            impl $name {
                /// The relation these are rows of.
                pub const RELATION: &'static str = $relation;
                /// Its columns, in order.
                pub const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];
            }
        )*
    };
}

rows! {
    /// A row of `pg_namespace`.
    Namespace = "pg_namespace" {
        oid: Oid,
        nspname: String,
        nspowner: Oid,
        nspacl: Option<Vec<String>>,
    }
    /// A row of `pg_class`.
    Class = "pg_class" {
        oid: Oid,
        relname: String,
        relnamespace: Oid,
        reltype: Oid,
        reloftype: Oid,
        relowner: Oid,
        relam: Oid,
        relfilenode: Oid,
        reltablespace: Oid,
        relpages: i32,
        reltuples: f64,
        relallvisible: i32,
        reltoastrelid: Oid,
        relhasindex: bool,
        relisshared: bool,
        relpersistence: char,
        relkind: char,
        relnatts: i16,
        relchecks: i16,
        relhasrules: bool,
        relhastriggers: bool,
        relhassubclass: bool,
        relrowsecurity: bool,
        relforcerowsecurity: bool,
        relispopulated: bool,
        relreplident: char,
        relispartition: bool,
        relrewrite: Oid,
        relfrozenxid: i64,
        relminmxid: i64,
        relacl: Option<Vec<String>>,
        reloptions: Option<Vec<String>>,
        relpartbound: Option<String>,
    }
    /// A row of `pg_attribute`.
    Attribute = "pg_attribute" {
        attrelid: Oid,
        attname: String,
        atttypid: Oid,
        attstattarget: i32,
        attlen: i16,
        attnum: i16,
        attndims: i32,
        attcacheoff: i32,
        atttypmod: i32,
        attbyval: bool,
        attalign: char,
        attstorage: char,
        attcompression: char,
        attnotnull: bool,
        atthasdef: bool,
        atthasmissing: bool,
        attidentity: char,
        attgenerated: char,
        attisdropped: bool,
        attislocal: bool,
        attinhcount: i32,
        attcollation: Oid,
        attacl: Option<Vec<String>>,
        attoptions: Option<Vec<String>>,
        attfdwoptions: Option<Vec<String>>,
        attmissingval: Option<String>,
    }
    /// A row of `pg_attrdef`.
    AttributeDefault = "pg_attrdef" {
        oid: Oid,
        adrelid: Oid,
        adnum: i16,
        adbin: String,
    }
    /// A row of `pg_type`.
    Type = "pg_type" {
        oid: Oid,
        typname: String,
        typnamespace: Oid,
        typowner: Oid,
        typlen: i16,
        typbyval: bool,
        typtype: char,
        typcategory: char,
        typispreferred: bool,
        typisdefined: bool,
        typdelim: char,
        typrelid: Oid,
        typsubscript: Oid,
        typelem: Oid,
        typarray: Oid,
        typinput: Oid,
        typoutput: Oid,
        typreceive: Oid,
        typsend: Oid,
        typmodin: Oid,
        typmodout: Oid,
        typanalyze: Oid,
        typalign: char,
        typstorage: char,
        typnotnull: bool,
        typbasetype: Oid,
        typtypmod: i32,
        typndims: i32,
        typcollation: Oid,
        typdefaultbin: Option<String>,
        typdefault: Option<String>,
        typacl: Option<Vec<String>>,
    }
    /// A row of `pg_enum`.
    EnumLabel = "pg_enum" {
        oid: Oid,
        enumtypid: Oid,
        enumsortorder: f64,
        enumlabel: String,
    }
    /// A row of `pg_range`.
    Range = "pg_range" {
        rngtypid: Oid,
        rngsubtype: Oid,
        rngmultitypid: Oid,
        rngcollation: Oid,
        rngsubopc: Oid,
        rngcanonical: Oid,
        rngsubdiff: Oid,
    }
    /// A row of `pg_proc`.
    Procedure = "pg_proc" {
        oid: Oid,
        proname: String,
        pronamespace: Oid,
        proowner: Oid,
        prolang: Oid,
        procost: f64,
        prorows: f64,
        provariadic: Oid,
        prosupport: Oid,
        prokind: char,
        prosecdef: bool,
        proleakproof: bool,
        proisstrict: bool,
        proretset: bool,
        provolatile: char,
        proparallel: char,
        pronargs: i16,
        pronargdefaults: i16,
        prorettype: Oid,
        proargtypes: Vec<Oid>,
        proallargtypes: Option<Vec<Oid>>,
        proargmodes: Option<Vec<char>>,
        proargnames: Option<Vec<String>>,
        proargdefaults: Option<String>,
        protrftypes: Option<Vec<Oid>>,
        prosrc: String,
        probin: Option<String>,
        prosqlbody: Option<String>,
        proconfig: Option<Vec<String>>,
        proacl: Option<Vec<String>>,
    }
    /// A row of `pg_aggregate`.
    Aggregate = "pg_aggregate" {
        aggfnoid: Oid,
        aggkind: char,
        aggnumdirectargs: i16,
        aggtransfn: Oid,
        aggfinalfn: Oid,
        aggcombinefn: Oid,
        aggserialfn: Oid,
        aggdeserialfn: Oid,
        aggmtransfn: Oid,
        aggminvtransfn: Oid,
        aggmfinalfn: Oid,
        aggfinalextra: bool,
        aggmfinalextra: bool,
        aggfinalmodify: char,
        aggmfinalmodify: char,
        aggsortop: Oid,
        aggtranstype: Oid,
        aggtransspace: i32,
        aggmtranstype: Oid,
        aggmtransspace: i32,
        agginitval: Option<String>,
        aggminitval: Option<String>,
    }
    /// A row of `pg_operator`.
    Operator = "pg_operator" {
        oid: Oid,
        oprname: String,
        oprnamespace: Oid,
        oprowner: Oid,
        oprkind: char,
        oprcanmerge: bool,
        oprcanhash: bool,
        oprleft: Oid,
        oprright: Oid,
        oprresult: Oid,
        oprcom: Oid,
        oprnegate: Oid,
        oprcode: Oid,
        oprrest: Oid,
        oprjoin: Oid,
    }
    /// A row of `pg_cast`.
    Cast = "pg_cast" {
        oid: Oid,
        castsource: Oid,
        casttarget: Oid,
        castfunc: Oid,
        castcontext: char,
        castmethod: char,
    }
    /// A row of `pg_collation`.
    Collation = "pg_collation" {
        oid: Oid,
        collname: String,
        collnamespace: Oid,
        collowner: Oid,
        collprovider: char,
        collisdeterministic: bool,
        collencoding: i32,
        collcollate: Option<String>,
        collctype: Option<String>,
        colliculocale: Option<String>,
        collversion: Option<String>,
    }
    /// A row of `pg_index`.
    Index = "pg_index" {
        indexrelid: Oid,
        indrelid: Oid,
        indnatts: i16,
        indnkeyatts: i16,
        indisunique: bool,
        indnullsnotdistinct: bool,
        indisprimary: bool,
        indisexclusion: bool,
        indimmediate: bool,
        indisclustered: bool,
        indisvalid: bool,
        indcheckxmin: bool,
        indisready: bool,
        indislive: bool,
        indisreplident: bool,
        indkey: Vec<i16>,
        indcollation: Vec<Oid>,
        indclass: Vec<Oid>,
        indoption: Vec<i16>,
        indexprs: Option<String>,
        indpred: Option<String>,
    }
    /// A row of `pg_constraint`.
    Constraint = "pg_constraint" {
        oid: Oid,
        conname: String,
        connamespace: Oid,
        contype: char,
        condeferrable: bool,
        condeferred: bool,
        convalidated: bool,
        conrelid: Oid,
        contypid: Oid,
        conindid: Oid,
        conparentid: Oid,
        confrelid: Oid,
        confupdtype: char,
        confdeltype: char,
        confmatchtype: char,
        conislocal: bool,
        coninhcount: i32,
        connoinherit: bool,
        conkey: Option<Vec<i16>>,
        confkey: Option<Vec<i16>>,
        conpfeqop: Option<Vec<Oid>>,
        conppeqop: Option<Vec<Oid>>,
        conffeqop: Option<Vec<Oid>>,
        confdelsetcols: Option<Vec<i16>>,
        conexclop: Option<Vec<Oid>>,
        conbin: Option<String>,
    }
    /// A row of `pg_sequence`.
    Sequence = "pg_sequence" {
        seqrelid: Oid,
        seqtypid: Oid,
        seqstart: i64,
        seqincrement: i64,
        seqmax: i64,
        seqmin: i64,
        seqcache: i64,
        seqcycle: bool,
    }
    /// A row of `pg_rewrite`.
    Rewrite = "pg_rewrite" {
        oid: Oid,
        rulename: String,
        ev_class: Oid,
        ev_type: char,
        ev_enabled: char,
        is_instead: bool,
        ev_qual: String,
        ev_action: String,
    }
    /// A row of `pg_authid`.
    Role = "pg_authid" {
        oid: Oid,
        rolname: String,
        rolsuper: bool,
        rolinherit: bool,
        rolcreaterole: bool,
        rolcreatedb: bool,
        rolcanlogin: bool,
        rolreplication: bool,
        rolbypassrls: bool,
        rolconnlimit: i32,
        rolpassword: Option<String>,
        rolvaliduntil: Option<String>,
    }
    /// A row of `pg_auth_members`.
    RoleMembership = "pg_auth_members" {
        roleid: Oid,
        member: Oid,
        grantor: Oid,
        admin_option: bool,
    }
    /// A row of `pg_database`.
    Database = "pg_database" {
        oid: Oid,
        datname: String,
        datdba: Oid,
        encoding: i32,
        datlocprovider: char,
        datistemplate: bool,
        datallowconn: bool,
        datconnlimit: i32,
        datfrozenxid: i64,
        datminmxid: i64,
        dattablespace: Oid,
        datcollate: String,
        datctype: String,
        daticulocale: Option<String>,
        datcollversion: Option<String>,
        datacl: Option<Vec<String>>,
    }
    /// A row of `pg_language`.
    Language = "pg_language" {
        oid: Oid,
        lanname: String,
        lanowner: Oid,
        lanispl: bool,
        lanpltrusted: bool,
        lanplcallfoid: Oid,
        laninline: Oid,
        lanvalidator: Oid,
        lanacl: Option<Vec<String>>,
    }
    /// A row of `pg_extension`.
    Extension = "pg_extension" {
        oid: Oid,
        extname: String,
        extowner: Oid,
        extnamespace: Oid,
        extrelocatable: bool,
        extversion: String,
        extconfig: Option<Vec<Oid>>,
        extcondition: Option<Vec<String>>,
    }
    /// A row of `pg_depend`.
    Dependency = "pg_depend" {
        classid: Oid,
        objid: Oid,
        objsubid: i32,
        refclassid: Oid,
        refobjid: Oid,
        refobjsubid: i32,
        deptype: char,
    }
    /// A row of `pg_description`.
    Description = "pg_description" {
        objoid: Oid,
        classoid: Oid,
        objsubid: i32,
        description: String,
    }
    /// A row of `pg_opclass`.
    OperatorClass = "pg_opclass" {
        oid: Oid,
        opcmethod: Oid,
        opcname: String,
        opcnamespace: Oid,
        opcowner: Oid,
        opcfamily: Oid,
        opcintype: Oid,
        opcdefault: bool,
        opckeytype: Oid,
    }
    /// A row of `pg_opfamily`.
    OperatorFamily = "pg_opfamily" {
        oid: Oid,
        opfmethod: Oid,
        opfname: String,
        opfnamespace: Oid,
        opfowner: Oid,
    }
    /// A row of `pg_amop`.
    OperatorMember = "pg_amop" {
        oid: Oid,
        amopfamily: Oid,
        amoplefttype: Oid,
        amoprighttype: Oid,
        amopstrategy: i16,
        amoppurpose: char,
        amopopr: Oid,
        amopmethod: Oid,
        amopsortfamily: Oid,
    }
    /// A row of `pg_amproc`.
    SupportProcedure = "pg_amproc" {
        oid: Oid,
        amprocfamily: Oid,
        amproclefttype: Oid,
        amprocrighttype: Oid,
        amprocnum: i16,
        amproc: Oid,
    }
    /// A row of `pg_am`.
    AccessMethod = "pg_am" {
        oid: Oid,
        amname: String,
        amhandler: Oid,
        amtype: char,
    }
    /// A row of `pg_db_role_setting`.
    Setting = "pg_db_role_setting" {
        setdatabase: Oid,
        setrole: Oid,
        setconfig: Option<Vec<String>>,
    }
    /// A row of `pg_trigger`.
    Trigger = "pg_trigger" {
        oid: Oid,
        tgrelid: Oid,
        tgparentid: Oid,
        tgname: String,
        tgfoid: Oid,
        tgtype: i16,
        tgenabled: char,
        tgisinternal: bool,
        tgconstrrelid: Oid,
        tgconstrindid: Oid,
        tgconstraint: Oid,
        tgdeferrable: bool,
        tginitdeferred: bool,
        tgnargs: i16,
        tgattr: Vec<i16>,
        tgargs: String,
        tgqual: Option<String>,
        tgoldtable: Option<String>,
        tgnewtable: Option<String>,
    }
}
