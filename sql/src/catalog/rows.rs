//! The rows of every catalog relation, as structs. Fields are PostgreSQL's columns under their own names and in their
//! own order, so that a row can be made from and turned into the values of the relation. Columns of type `pg_node_tree`
//! hold SQL text; arrays and vectors are lists (vectors are never NULL, arrays always may be); nullable columns are
//! options.
//!
//! After the columns come the keys by which rows are found, the first of which identifies a row: PostgreSQL's own
//! indexes under their own names, then a few of ours. `unique` keys are enforced with PostgreSQL's error, `identity`
//! keys identify rows without being an error to repeat, `many` are for looking up only. `built_in` relations have rows
//! from the start (`data/NAME.tsv`); `shared` relations are those of the whole cluster.
//!
//! Source: PostgreSQL manual, "System Catalogs".

use super::row::rows;
use crate::Oid;

rows! {
    /// A row of `pg_namespace`.
    Namespace = pg_namespace built_in local {
        oid: Oid,
        nspname: String,
        nspowner: Oid,
        nspacl: Option<Vec<String>>,
    } keys {
        unique pg_namespace_oid_index [oid];
        unique pg_namespace_nspname_index [nspname];
    }
    /// A row of `pg_class`.
    Class = pg_class built_in local {
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
    } keys {
        unique pg_class_oid_index [oid];
        unique pg_class_relname_nsp_index [relname, relnamespace];
        many pg_class_tblspc_relfilenode_index [reltablespace, relfilenode];
        many classes_by_namespace [relnamespace];
    }
    /// A row of `pg_attribute`.
    Attribute = pg_attribute built_in local {
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
    } keys {
        unique pg_attribute_relid_attnum_index [attrelid, attnum];
        unique pg_attribute_relid_attnam_index [attrelid, attname];
    }
    /// A row of `pg_attrdef`.
    AttributeDefault = pg_attrdef empty local {
        oid: Oid,
        adrelid: Oid,
        adnum: i16,
        adbin: String,
    } keys {
        unique pg_attrdef_oid_index [oid];
        unique pg_attrdef_adrelid_adnum_index [adrelid, adnum];
    }
    /// A row of `pg_type`.
    Type = pg_type built_in local {
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
    } keys {
        unique pg_type_oid_index [oid];
        unique pg_type_typname_nsp_index [typname, typnamespace];
    }
    /// A row of `pg_enum`.
    EnumLabel = pg_enum empty local {
        oid: Oid,
        enumtypid: Oid,
        enumsortorder: f64,
        enumlabel: String,
    } keys {
        unique pg_enum_oid_index [oid];
        unique pg_enum_typid_label_index [enumtypid, enumlabel];
        unique pg_enum_typid_sortorder_index [enumtypid, enumsortorder];
    }
    /// A row of `pg_range`.
    Range = pg_range built_in local {
        rngtypid: Oid,
        rngsubtype: Oid,
        rngmultitypid: Oid,
        rngcollation: Oid,
        rngsubopc: Oid,
        rngcanonical: Oid,
        rngsubdiff: Oid,
    } keys {
        unique pg_range_rngtypid_index [rngtypid];
        unique pg_range_rngmultitypid_index [rngmultitypid];
    }
    /// A row of `pg_proc`.
    Procedure = pg_proc built_in local {
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
    } keys {
        unique pg_proc_oid_index [oid];
        unique pg_proc_proname_args_nsp_index [proname, proargtypes, pronamespace];
    }
    /// A row of `pg_aggregate`.
    Aggregate = pg_aggregate built_in local {
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
    } keys {
        unique pg_aggregate_fnoid_index [aggfnoid];
    }
    /// A row of `pg_operator`.
    Operator = pg_operator built_in local {
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
    } keys {
        unique pg_operator_oid_index [oid];
        unique pg_operator_oprname_l_r_n_index [oprname, oprleft, oprright, oprnamespace];
    }
    /// A row of `pg_cast`.
    Cast = pg_cast built_in local {
        oid: Oid,
        castsource: Oid,
        casttarget: Oid,
        castfunc: Oid,
        castcontext: char,
        castmethod: char,
    } keys {
        unique pg_cast_oid_index [oid];
        unique pg_cast_source_target_index [castsource, casttarget];
    }
    /// A row of `pg_collation`.
    Collation = pg_collation built_in local {
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
    } keys {
        unique pg_collation_oid_index [oid];
        unique pg_collation_name_enc_nsp_index [collname, collencoding, collnamespace];
    }
    /// A row of `pg_index`.
    Index = pg_index built_in local {
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
    } keys {
        unique pg_index_indexrelid_index [indexrelid];
        many pg_index_indrelid_index [indrelid];
    }
    /// A row of `pg_constraint`.
    Constraint = pg_constraint built_in local {
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
    } keys {
        unique pg_constraint_oid_index [oid];
        many pg_constraint_conparentid_index [conparentid];
        many pg_constraint_conname_nsp_index [conname, connamespace];
        unique pg_constraint_conrelid_contypid_conname_index [conrelid, contypid, conname];
        many pg_constraint_contypid_index [contypid];
        many constraints_by_referenced_table [confrelid];
    }
    /// A row of `pg_sequence`.
    Sequence = pg_sequence empty local {
        seqrelid: Oid,
        seqtypid: Oid,
        seqstart: i64,
        seqincrement: i64,
        seqmax: i64,
        seqmin: i64,
        seqcache: i64,
        seqcycle: bool,
    } keys {
        unique pg_sequence_seqrelid_index [seqrelid];
    }
    /// A row of `pg_rewrite`.
    Rewrite = pg_rewrite built_in local {
        oid: Oid,
        rulename: String,
        ev_class: Oid,
        ev_type: char,
        ev_enabled: char,
        is_instead: bool,
        ev_qual: String,
        ev_action: String,
    } keys {
        unique pg_rewrite_oid_index [oid];
        unique pg_rewrite_rel_rulename_index [ev_class, rulename];
    }
    /// A row of `pg_authid`.
    Role = pg_authid built_in shared {
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
    } keys {
        unique pg_authid_oid_index [oid];
        unique pg_authid_rolname_index [rolname];
    }
    /// A row of `pg_auth_members`.
    RoleMembership = pg_auth_members built_in shared {
        roleid: Oid,
        member: Oid,
        grantor: Oid,
        admin_option: bool,
    } keys {
        unique pg_auth_members_role_member_index [roleid, member];
        unique pg_auth_members_member_role_index [member, roleid];
    }
    /// A row of `pg_database`.
    Database = pg_database built_in shared {
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
    } keys {
        unique pg_database_oid_index [oid];
        unique pg_database_datname_index [datname];
    }
    /// A row of `pg_language`.
    Language = pg_language built_in local {
        oid: Oid,
        lanname: String,
        lanowner: Oid,
        lanispl: bool,
        lanpltrusted: bool,
        lanplcallfoid: Oid,
        laninline: Oid,
        lanvalidator: Oid,
        lanacl: Option<Vec<String>>,
    } keys {
        unique pg_language_oid_index [oid];
        unique pg_language_name_index [lanname];
    }
    /// A row of `pg_extension`.
    Extension = pg_extension empty local {
        oid: Oid,
        extname: String,
        extowner: Oid,
        extnamespace: Oid,
        extrelocatable: bool,
        extversion: String,
        extconfig: Option<Vec<Oid>>,
        extcondition: Option<Vec<String>>,
    } keys {
        unique pg_extension_oid_index [oid];
        unique pg_extension_name_index [extname];
    }
    /// A row of `pg_depend`.
    Dependency = pg_depend built_in local {
        classid: Oid,
        objid: Oid,
        objsubid: i32,
        refclassid: Oid,
        refobjid: Oid,
        refobjsubid: i32,
        deptype: char,
    } keys {
        identity dependency_identity [classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype];
        many pg_depend_depender_index [classid, objid, objsubid];
        many pg_depend_reference_index [refclassid, refobjid, refobjsubid];
    }
    /// A row of `pg_description`.
    Description = pg_description built_in local {
        objoid: Oid,
        classoid: Oid,
        objsubid: i32,
        description: String,
    } keys {
        unique pg_description_o_c_o_index [objoid, classoid, objsubid];
    }
    /// A row of `pg_opclass`.
    OperatorClass = pg_opclass built_in local {
        oid: Oid,
        opcmethod: Oid,
        opcname: String,
        opcnamespace: Oid,
        opcowner: Oid,
        opcfamily: Oid,
        opcintype: Oid,
        opcdefault: bool,
        opckeytype: Oid,
    } keys {
        unique pg_opclass_oid_index [oid];
        unique pg_opclass_am_name_nsp_index [opcmethod, opcname, opcnamespace];
        many operator_classes_by_type [opcmethod, opcintype];
    }
    /// A row of `pg_opfamily`.
    OperatorFamily = pg_opfamily built_in local {
        oid: Oid,
        opfmethod: Oid,
        opfname: String,
        opfnamespace: Oid,
        opfowner: Oid,
    } keys {
        unique pg_opfamily_oid_index [oid];
        unique pg_opfamily_am_name_nsp_index [opfmethod, opfname, opfnamespace];
    }
    /// A row of `pg_amop`.
    OperatorMember = pg_amop built_in local {
        oid: Oid,
        amopfamily: Oid,
        amoplefttype: Oid,
        amoprighttype: Oid,
        amopstrategy: i16,
        amoppurpose: char,
        amopopr: Oid,
        amopmethod: Oid,
        amopsortfamily: Oid,
    } keys {
        unique pg_amop_oid_index [oid];
        unique pg_amop_fam_strat_index [amopfamily, amoplefttype, amoprighttype, amopstrategy];
        unique pg_amop_opr_fam_index [amopopr, amoppurpose, amopfamily];
    }
    /// A row of `pg_amproc`.
    SupportProcedure = pg_amproc built_in local {
        oid: Oid,
        amprocfamily: Oid,
        amproclefttype: Oid,
        amprocrighttype: Oid,
        amprocnum: i16,
        amproc: Oid,
    } keys {
        unique pg_amproc_oid_index [oid];
        unique pg_amproc_fam_proc_index [amprocfamily, amproclefttype, amprocrighttype, amprocnum];
    }
    /// A row of `pg_am`.
    AccessMethod = pg_am built_in local {
        oid: Oid,
        amname: String,
        amhandler: Oid,
        amtype: char,
    } keys {
        unique pg_am_oid_index [oid];
        unique pg_am_name_index [amname];
    }
    /// A row of `pg_db_role_setting`.
    Setting = pg_db_role_setting empty shared {
        setdatabase: Oid,
        setrole: Oid,
        setconfig: Option<Vec<String>>,
    } keys {
        unique pg_db_role_setting_databaseid_rol_index [setdatabase, setrole];
    }
    /// A row of `pg_trigger`.
    Trigger = pg_trigger empty local {
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
    } keys {
        unique pg_trigger_oid_index [oid];
        many pg_trigger_tgconstraint_index [tgconstraint];
        unique pg_trigger_tgrelid_tgname_index [tgrelid, tgname];
    }
    /// A row of `pg_conversion`.
    Conversion = pg_conversion built_in local {
        oid: Oid,
        conname: String,
        connamespace: Oid,
        conowner: Oid,
        conforencoding: i32,
        contoencoding: i32,
        conproc: Oid,
        condefault: bool,
    } keys {
        unique pg_conversion_oid_index [oid];
        unique pg_conversion_default_index [connamespace, conforencoding, contoencoding, oid];
        unique pg_conversion_name_nsp_index [conname, connamespace];
    }
    /// A row of `pg_default_acl`.
    DefaultAcl = pg_default_acl empty local {
        oid: Oid,
        defaclrole: Oid,
        defaclnamespace: Oid,
        defaclobjtype: char,
        defaclacl: Option<Vec<String>>,
    } keys {
        unique pg_default_acl_oid_index [oid];
        unique pg_default_acl_role_nsp_obj_index [defaclrole, defaclnamespace, defaclobjtype];
    }
    /// A row of `pg_event_trigger`.
    EventTrigger = pg_event_trigger empty local {
        oid: Oid,
        evtname: String,
        evtevent: String,
        evtowner: Oid,
        evtfoid: Oid,
        evtenabled: char,
        evttags: Option<Vec<String>>,
    } keys {
        unique pg_event_trigger_oid_index [oid];
        unique pg_event_trigger_evtname_index [evtname];
    }
    /// A row of `pg_foreign_data_wrapper`.
    ForeignDataWrapper = pg_foreign_data_wrapper empty local {
        oid: Oid,
        fdwname: String,
        fdwowner: Oid,
        fdwhandler: Oid,
        fdwvalidator: Oid,
        fdwacl: Option<Vec<String>>,
        fdwoptions: Option<Vec<String>>,
    } keys {
        unique pg_foreign_data_wrapper_oid_index [oid];
        unique pg_foreign_data_wrapper_name_index [fdwname];
    }
    /// A row of `pg_foreign_server`.
    ForeignServer = pg_foreign_server empty local {
        oid: Oid,
        srvname: String,
        srvowner: Oid,
        srvfdw: Oid,
        srvtype: Option<String>,
        srvversion: Option<String>,
        srvacl: Option<Vec<String>>,
        srvoptions: Option<Vec<String>>,
    } keys {
        unique pg_foreign_server_oid_index [oid];
        unique pg_foreign_server_name_index [srvname];
    }
    /// A row of `pg_foreign_table`.
    ForeignTable = pg_foreign_table empty local {
        ftrelid: Oid,
        ftserver: Oid,
        ftoptions: Option<Vec<String>>,
    } keys {
        unique pg_foreign_table_relid_index [ftrelid];
    }
    /// A row of `pg_inherits`.
    Inheritance = pg_inherits empty local {
        inhrelid: Oid,
        inhparent: Oid,
        inhseqno: i32,
        inhdetachpending: bool,
    } keys {
        unique pg_inherits_relid_seqno_index [inhrelid, inhseqno];
        many pg_inherits_parent_index [inhparent];
    }
    /// A row of `pg_init_privs`.
    InitialPrivileges = pg_init_privs built_in local {
        objoid: Oid,
        classoid: Oid,
        objsubid: i32,
        privtype: char,
        initprivs: Option<Vec<String>>,
    } keys {
        unique pg_init_privs_o_c_o_index [objoid, classoid, objsubid];
    }
    /// A row of `pg_largeobject`.
    LargeObject = pg_largeobject empty local {
        loid: Oid,
        pageno: i32,
        data: String,
    } keys {
        unique pg_largeobject_loid_pn_index [loid, pageno];
    }
    /// A row of `pg_largeobject_metadata`.
    LargeObjectMetadata = pg_largeobject_metadata empty local {
        oid: Oid,
        lomowner: Oid,
        lomacl: Option<Vec<String>>,
    } keys {
        unique pg_largeobject_metadata_oid_index [oid];
    }
    /// A row of `pg_parameter_acl`.
    ParameterAcl = pg_parameter_acl empty shared {
        oid: Oid,
        parname: String,
        paracl: Option<Vec<String>>,
    } keys {
        unique pg_parameter_acl_oid_index [oid];
        unique pg_parameter_acl_parname_index [parname];
    }
    /// A row of `pg_partitioned_table`.
    PartitionedTable = pg_partitioned_table empty local {
        partrelid: Oid,
        partstrat: char,
        partnatts: i16,
        partdefid: Oid,
        partattrs: Vec<i16>,
        partclass: Vec<Oid>,
        partcollation: Vec<Oid>,
        partexprs: Option<String>,
    } keys {
        unique pg_partitioned_table_partrelid_index [partrelid];
    }
    /// A row of `pg_policy`.
    Policy = pg_policy empty local {
        oid: Oid,
        polname: String,
        polrelid: Oid,
        polcmd: char,
        polpermissive: bool,
        polroles: Option<Vec<Oid>>,
        polqual: Option<String>,
        polwithcheck: Option<String>,
    } keys {
        unique pg_policy_oid_index [oid];
        unique pg_policy_polrelid_polname_index [polrelid, polname];
    }
    /// A row of `pg_publication`.
    Publication = pg_publication empty local {
        oid: Oid,
        pubname: String,
        pubowner: Oid,
        puballtables: bool,
        pubinsert: bool,
        pubupdate: bool,
        pubdelete: bool,
        pubtruncate: bool,
        pubviaroot: bool,
    } keys {
        unique pg_publication_oid_index [oid];
        unique pg_publication_pubname_index [pubname];
    }
    /// A row of `pg_publication_namespace`.
    PublicationNamespace = pg_publication_namespace empty local {
        oid: Oid,
        pnpubid: Oid,
        pnnspid: Oid,
    } keys {
        unique pg_publication_namespace_oid_index [oid];
        unique pg_publication_namespace_pnnspid_pnpubid_index [pnnspid, pnpubid];
    }
    /// A row of `pg_publication_rel`.
    PublicationRelation = pg_publication_rel empty local {
        oid: Oid,
        prpubid: Oid,
        prrelid: Oid,
        prqual: Option<String>,
        prattrs: Option<Vec<i16>>,
    } keys {
        unique pg_publication_rel_oid_index [oid];
        unique pg_publication_rel_prrelid_prpubid_index [prrelid, prpubid];
        many pg_publication_rel_prpubid_index [prpubid];
    }
    /// A row of `pg_replication_origin`.
    ReplicationOrigin = pg_replication_origin empty shared {
        roident: Oid,
        roname: String,
    } keys {
        unique pg_replication_origin_roiident_index [roident];
        unique pg_replication_origin_roname_index [roname];
    }
    /// A row of `pg_seclabel`.
    SecurityLabel = pg_seclabel empty local {
        objoid: Oid,
        classoid: Oid,
        objsubid: i32,
        provider: String,
        label: String,
    } keys {
        unique pg_seclabel_object_index [objoid, classoid, objsubid, provider];
    }
    /// A row of `pg_shdepend`.
    SharedDependency = pg_shdepend empty shared {
        dbid: Oid,
        classid: Oid,
        objid: Oid,
        objsubid: i32,
        refclassid: Oid,
        refobjid: Oid,
        deptype: char,
    } keys {
        identity shared_dependency_identity [dbid, classid, objid, objsubid, refclassid, refobjid, deptype];
        many pg_shdepend_depender_index [dbid, classid, objid, objsubid];
        many pg_shdepend_reference_index [refclassid, refobjid];
    }
    /// A row of `pg_shdescription`.
    SharedDescription = pg_shdescription built_in shared {
        objoid: Oid,
        classoid: Oid,
        description: String,
    } keys {
        unique pg_shdescription_o_c_index [objoid, classoid];
    }
    /// A row of `pg_shseclabel`.
    SharedSecurityLabel = pg_shseclabel empty shared {
        objoid: Oid,
        classoid: Oid,
        provider: String,
        label: String,
    } keys {
        unique pg_shseclabel_object_index [objoid, classoid, provider];
    }
    /// A row of `pg_statistic`.
    Statistic = pg_statistic empty local {
        starelid: Oid,
        staattnum: i16,
        stainherit: bool,
        stanullfrac: f64,
        stawidth: i32,
        stadistinct: f64,
        stakind1: i16,
        stakind2: i16,
        stakind3: i16,
        stakind4: i16,
        stakind5: i16,
        staop1: Oid,
        staop2: Oid,
        staop3: Oid,
        staop4: Oid,
        staop5: Oid,
        stacoll1: Oid,
        stacoll2: Oid,
        stacoll3: Oid,
        stacoll4: Oid,
        stacoll5: Oid,
        stanumbers1: Option<String>,
        stanumbers2: Option<String>,
        stanumbers3: Option<String>,
        stanumbers4: Option<String>,
        stanumbers5: Option<String>,
        stavalues1: Option<String>,
        stavalues2: Option<String>,
        stavalues3: Option<String>,
        stavalues4: Option<String>,
        stavalues5: Option<String>,
    } keys {
        unique pg_statistic_relid_att_inh_index [starelid, staattnum, stainherit];
    }
    /// A row of `pg_statistic_ext`.
    ExtendedStatistic = pg_statistic_ext empty local {
        oid: Oid,
        stxrelid: Oid,
        stxname: String,
        stxnamespace: Oid,
        stxowner: Oid,
        stxstattarget: i32,
        stxkeys: Vec<i16>,
        stxkind: Option<Vec<char>>,
        stxexprs: Option<String>,
    } keys {
        unique pg_statistic_ext_oid_index [oid];
        many pg_statistic_ext_relid_index [stxrelid];
        unique pg_statistic_ext_name_index [stxname, stxnamespace];
    }
    /// A row of `pg_statistic_ext_data`.
    ExtendedStatisticData = pg_statistic_ext_data empty local {
        stxoid: Oid,
        stxdinherit: bool,
        stxdndistinct: Option<String>,
        stxddependencies: Option<String>,
        stxdmcv: Option<String>,
        stxdexpr: Option<String>,
    } keys {
        unique pg_statistic_ext_data_stxoid_inh_index [stxoid, stxdinherit];
    }
    /// A row of `pg_subscription`.
    Subscription = pg_subscription empty shared {
        oid: Oid,
        subdbid: Oid,
        subskiplsn: String,
        subname: String,
        subowner: Oid,
        subenabled: bool,
        subbinary: bool,
        substream: bool,
        subtwophasestate: char,
        subdisableonerr: bool,
        subconninfo: String,
        subslotname: Option<String>,
        subsynccommit: String,
        subpublications: Option<Vec<String>>,
    } keys {
        unique pg_subscription_oid_index [oid];
        unique pg_subscription_subname_index [subdbid, subname];
    }
    /// A row of `pg_subscription_rel`.
    SubscriptionRelation = pg_subscription_rel empty local {
        srsubid: Oid,
        srrelid: Oid,
        srsubstate: char,
        srsublsn: Option<String>,
    } keys {
        unique pg_subscription_rel_srrelid_srsubid_index [srrelid, srsubid];
    }
    /// A row of `pg_tablespace`.
    Tablespace = pg_tablespace built_in shared {
        oid: Oid,
        spcname: String,
        spcowner: Oid,
        spcacl: Option<Vec<String>>,
        spcoptions: Option<Vec<String>>,
    } keys {
        unique pg_tablespace_oid_index [oid];
        unique pg_tablespace_spcname_index [spcname];
    }
    /// A row of `pg_transform`.
    Transform = pg_transform empty local {
        oid: Oid,
        trftype: Oid,
        trflang: Oid,
        trffromsql: Oid,
        trftosql: Oid,
    } keys {
        unique pg_transform_oid_index [oid];
        unique pg_transform_type_lang_index [trftype, trflang];
    }
    /// A row of `pg_ts_config`.
    SearchConfiguration = pg_ts_config built_in local {
        oid: Oid,
        cfgname: String,
        cfgnamespace: Oid,
        cfgowner: Oid,
        cfgparser: Oid,
    } keys {
        unique pg_ts_config_oid_index [oid];
        unique pg_ts_config_cfgname_index [cfgname, cfgnamespace];
    }
    /// A row of `pg_ts_config_map`.
    SearchConfigurationMap = pg_ts_config_map built_in local {
        mapcfg: Oid,
        maptokentype: i32,
        mapseqno: i32,
        mapdict: Oid,
    } keys {
        unique pg_ts_config_map_index [mapcfg, maptokentype, mapseqno];
    }
    /// A row of `pg_ts_dict`.
    SearchDictionary = pg_ts_dict built_in local {
        oid: Oid,
        dictname: String,
        dictnamespace: Oid,
        dictowner: Oid,
        dicttemplate: Oid,
        dictinitoption: Option<String>,
    } keys {
        unique pg_ts_dict_oid_index [oid];
        unique pg_ts_dict_dictname_index [dictname, dictnamespace];
    }
    /// A row of `pg_ts_parser`.
    SearchParser = pg_ts_parser built_in local {
        oid: Oid,
        prsname: String,
        prsnamespace: Oid,
        prsstart: Oid,
        prstoken: Oid,
        prsend: Oid,
        prsheadline: Oid,
        prslextype: Oid,
    } keys {
        unique pg_ts_parser_oid_index [oid];
        unique pg_ts_parser_prsname_index [prsname, prsnamespace];
    }
    /// A row of `pg_ts_template`.
    SearchTemplate = pg_ts_template built_in local {
        oid: Oid,
        tmplname: String,
        tmplnamespace: Oid,
        tmplinit: Oid,
        tmpllexize: Oid,
    } keys {
        unique pg_ts_template_oid_index [oid];
        unique pg_ts_template_tmplname_index [tmplname, tmplnamespace];
    }
    /// A row of `pg_user_mapping`.
    UserMapping = pg_user_mapping empty local {
        oid: Oid,
        umuser: Oid,
        umserver: Oid,
        umoptions: Option<Vec<String>>,
    } keys {
        unique pg_user_mapping_oid_index [oid];
        unique pg_user_mapping_user_server_index [umuser, umserver];
    }
    /// A row of `sql_features`.
    SqlFeature = sql_features built_in local {
        feature_id: Option<String>,
        feature_name: Option<String>,
        sub_feature_id: Option<String>,
        sub_feature_name: Option<String>,
        is_supported: Option<String>,
        is_verified_by: Option<String>,
        comments: Option<String>,
    } keys {
        identity feature_identity [feature_id, sub_feature_id];
    }
    /// A row of `sql_implementation_info`.
    SqlImplementation = sql_implementation_info built_in local {
        implementation_info_id: Option<String>,
        implementation_info_name: Option<String>,
        integer_value: Option<i32>,
        character_value: Option<String>,
        comments: Option<String>,
    } keys {
        identity implementation_identity [implementation_info_id];
    }
    /// A row of `sql_parts`.
    SqlPart = sql_parts built_in local {
        feature_id: Option<String>,
        feature_name: Option<String>,
        is_supported: Option<String>,
        is_verified_by: Option<String>,
        comments: Option<String>,
    } keys {
        identity part_identity [feature_id];
    }
    /// A row of `sql_sizing`.
    SqlSizing = sql_sizing built_in local {
        sizing_id: Option<i32>,
        sizing_name: Option<String>,
        supported_value: Option<i32>,
        comments: Option<String>,
    } keys {
        identity sizing_identity [sizing_id];
    }
}
