//! Lookups in a catalog by what callers know: OID, name, owner of the thing.

use std::sync::Arc;

use super::{
    Aggregate, Attribute, AttributeDefault, Cast, Catalog, Class, Collation, Constraint, Database,
    Dependency, Description, EnumLabel, Index, Language, Namespace, Operator, OperatorClass, OperatorMember,
    Procedure, Range, Rewrite, Role, Sequence, SharedDescription, Type, keys,
};
use crate::Oid;
use crate::oid::{namespaces, types};

/// The access method `btree` (`pg_am.oid`).
const BTREE: Oid = Oid(403);
/// Strategy numbers of btree operator families (`src/include/access/stratnum.h`).
const BTREE_LESS: i16 = 1;
const BTREE_EQUAL: i16 = 3;
const BTREE_GREATER: i16 = 5;
/// `pg_collation.collencoding` of UTF-8, and of collations that serve every encoding.
const UTF8: i32 = 6;
const ANY_ENCODING: i32 = -1;
/// `pg_type.typsubscript` of true arrays.
const ARRAY_SUBSCRIPT_HANDLER: Oid = Oid(6179);

/// The `=`, `<` and `>` operators by which a type is compared and ordered (`pg_operator.oid`), with their functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BtreeOperators {
    /// `=`.
    pub equal: Oid,
    /// `<`.
    pub less: Oid,
    /// `>`.
    pub greater: Oid,
    /// The function of `=`.
    pub equal_function: Oid,
    /// The function of `<`.
    pub less_function: Oid,
    /// The function of `>`.
    pub greater_function: Oid,
}

/// Schemas, relations and their parts.
impl Catalog {
    /// The schema with this OID.
    pub fn namespace(&self, oid: Oid) -> Option<Arc<Namespace>> {
        self.get(oid)
    }
    /// The schema of this name.
    pub fn namespace_named(&self, name: &str) -> Option<Arc<Namespace>> {
        self.relation().find_one(keys::pg_namespace_nspname_index, &[name.into()])
    }
    /// The relation (table, index, view, sequence, composite type) with this OID.
    pub fn class(&self, oid: Oid) -> Option<Arc<Class>> {
        self.get(oid)
    }
    /// The relation of this name in a schema.
    pub fn class_named(&self, namespace: Oid, name: &str) -> Option<Arc<Class>> {
        self.relation().find_one(keys::pg_class_relname_nsp_index, &[name.into(), namespace.into()])
    }
    /// The ordinary columns of a relation in order (`attnum` from 1), dropped ones included.
    pub fn attributes(&self, relation: Oid) -> Arc<[Arc<Attribute>]> {
        let mut rows =
            self.relation::<Attribute>().find(keys::pg_attribute_relid_attnum_index, &[relation.into()]);
        rows.retain(|attribute| attribute.attnum > 0);
        rows.into()
    }
    /// The column with this number, system columns included.
    pub fn attribute(&self, relation: Oid, attnum: i16) -> Option<Arc<Attribute>> {
        self.get((relation, attnum))
    }
    /// The column of this name, system columns included.
    pub fn attribute_named(&self, relation: Oid, name: &str) -> Option<Arc<Attribute>> {
        self.relation().find_one(keys::pg_attribute_relid_attnam_index, &[relation.into(), name.into()])
    }
    /// The default or generation expression of a column, as SQL text.
    pub fn default_expression(&self, relation: Oid, attnum: i16) -> Option<Arc<AttributeDefault>> {
        self.relation().find_one(keys::pg_attrdef_adrelid_adnum_index, &[relation.into(), attnum.into()])
    }
    /// The index row of an index.
    pub fn index(&self, index: Oid) -> Option<Arc<Index>> {
        self.get(index)
    }
    /// The indexes of a table, by name.
    pub fn indexes(&self, table: Oid) -> Arc<[Arc<Index>]> {
        let mut rows = self.relation::<Index>().find(keys::pg_index_indrelid_index, &[table.into()]);
        rows.sort_by_cached_key(|index| self.class(index.indexrelid).map(|class| class.relname.clone()));
        rows.into()
    }
    /// The constraint with this OID.
    pub fn constraint(&self, oid: Oid) -> Option<Arc<Constraint>> {
        self.get(oid)
    }
    /// The constraints of a table (`conrelid`), by name.
    pub fn constraints(&self, table: Oid) -> Arc<[Arc<Constraint>]> {
        let key = keys::pg_constraint_conrelid_contypid_conname_index;
        self.relation().find(key, &[table.into(), Oid::INVALID.into()]).into()
    }
    /// The constraint of this name of a table.
    pub fn constraint_named(&self, table: Oid, name: &str) -> Option<Arc<Constraint>> {
        let key = keys::pg_constraint_conrelid_contypid_conname_index;
        self.relation().find_one(key, &[table.into(), Oid::INVALID.into(), name.into()])
    }
    /// The foreign keys that refer to a table (`confrelid`).
    pub fn referencing_constraints(&self, table: Oid) -> Arc<[Arc<Constraint>]> {
        if !table.is_valid() {
            return Arc::new([]);
        }
        self.relation().find(keys::constraints_by_referenced_table, &[table.into()]).into()
    }
    /// The constraints of a domain, by name.
    pub fn domain_constraints(&self, ty: Oid) -> Arc<[Arc<Constraint>]> {
        let key = keys::pg_constraint_conrelid_contypid_conname_index;
        self.relation().find(key, &[Oid::INVALID.into(), ty.into()]).into()
    }
    /// The definition of a view, as SQL text.
    pub fn view_definition(&self, relation: Oid) -> Option<Arc<str>> {
        self.view_rule(relation).map(|rule| rule.ev_action.as_str().into())
    }
    /// The rule that is a view's query.
    pub fn view_rule(&self, relation: Oid) -> Option<Arc<Rewrite>> {
        let key = keys::pg_rewrite_rel_rulename_index;
        self.relation::<Rewrite>().find_one(key, &[relation.into(), "_RETURN".into()])
    }
    /// The sequence row of a sequence.
    pub fn sequence(&self, relation: Oid) -> Option<Arc<Sequence>> {
        self.get(relation)
    }
}

/// Types and how their values are compared.
impl Catalog {
    /// The type with this OID.
    pub fn type_(&self, oid: Oid) -> Option<Arc<Type>> {
        self.get(oid)
    }
    /// The type of this name in a schema.
    pub fn type_named(&self, namespace: Oid, name: &str) -> Option<Arc<Type>> {
        self.relation().find_one(keys::pg_type_typname_nsp_index, &[name.into(), namespace.into()])
    }
    /// The labels of an enum in order.
    pub fn enum_labels(&self, ty: Oid) -> Arc<[Arc<EnumLabel>]> {
        self.relation().find(keys::pg_enum_typid_sortorder_index, &[ty.into()]).into()
    }
    /// The label of this name of an enum.
    pub fn enum_label_named(&self, ty: Oid, label: &str) -> Option<Arc<EnumLabel>> {
        self.relation().find_one(keys::pg_enum_typid_label_index, &[ty.into(), label.into()])
    }
    /// The range type row of a range type or (by `rngmultitypid`) of a multirange type.
    pub fn range(&self, ty: Oid) -> Option<Arc<Range>> {
        let ranges = self.relation::<Range>();
        ranges.get(&ty).or_else(|| ranges.find_one(keys::pg_range_rngmultitypid_index, &[ty.into()]))
    }
    /// The collation with this OID.
    pub fn collation(&self, oid: Oid) -> Option<Arc<Collation>> {
        self.get(oid)
    }
    /// The collation of this name in a schema.
    pub fn collation_named(&self, namespace: Oid, name: &str) -> Option<Arc<Collation>> {
        let named = |encoding: i32| {
            let parts = [name.into(), encoding.into(), namespace.into()];
            self.relation().find_one(keys::pg_collation_name_enc_nsp_index, &parts)
        };
        named(UTF8).or_else(|| named(ANY_ENCODING))
    }
    /// The type under all domains of a type: itself when it is none.
    pub fn base_type(&self, ty: Oid) -> Oid {
        let mut base = ty;
        while let Some(row) = self.type_(base).filter(|row| row.typtype == 'd') {
            base = row.typbasetype;
        }
        base
    }
    /// The default operator class of an access method for a type (PostgreSQL's `GetDefaultOpClass`).
    pub fn default_operator_class(&self, method: Oid, ty: Oid) -> Option<Arc<OperatorClass>> {
        let ty = self.base_type(ty);
        let exact = |ty: Oid| self.default_operator_class_of(method, ty);
        if let Some(class) = exact(ty) {
            return Some(class);
        }
        let row = self.type_(ty)?;
        let kind = match row.typtype {
            'e' => Some(types::ANYENUM),
            'r' => Some(types::ANYRANGE),
            'm' => Some(types::ANYMULTIRANGE),
            'c' => Some(types::RECORD),
            _ if row.typsubscript == ARRAY_SUBSCRIPT_HANDLER => Some(types::ANYARRAY),
            _ => None,
        };
        if let Some(kind) = kind {
            return exact(kind);
        }
        // A type that is stored as another borrows its class: varchar text's, regclass oid's.
        let casts = self.relation::<Cast>().find(keys::pg_cast_source_target_index, &[ty.into()]);
        let relabels = casts.iter().filter(|cast| cast.castmethod == 'b' && cast.castcontext == 'i');
        let mut found: Vec<_> = relabels.filter_map(|cast| exact(cast.casttarget)).collect();
        found.sort_by_key(|class| !self.type_(class.opcintype).is_some_and(|row| row.typispreferred));
        found.into_iter().next()
    }
    fn default_operator_class_of(&self, method: Oid, ty: Oid) -> Option<Arc<OperatorClass>> {
        let classes = self.relation::<OperatorClass>();
        let classes = classes.find(keys::operator_classes_by_type, &[method.into(), ty.into()]);
        classes.into_iter().find(|class| class.opcdefault)
    }
    /// The operator of a family for two types and a strategy.
    pub fn family_operator(
        &self,
        family: Oid,
        left: Oid,
        right: Oid,
        strategy: i16,
    ) -> Option<Arc<Operator>> {
        let parts = [family.into(), left.into(), right.into(), strategy.into()];
        let member = self.relation::<OperatorMember>().find_one(keys::pg_amop_fam_strat_index, &parts)?;
        self.operator(member.amopopr)
    }
    /// The default btree operator class for a type: its `=` and `<` come from it.
    pub fn btree_operators(&self, ty: Oid) -> Option<BtreeOperators> {
        let class = self.default_operator_class(BTREE, ty)?;
        let operator =
            |strategy| self.family_operator(class.opcfamily, class.opcintype, class.opcintype, strategy);
        let (equal, less, greater) =
            (operator(BTREE_EQUAL)?, operator(BTREE_LESS)?, operator(BTREE_GREATER)?);
        Some(BtreeOperators {
            equal: equal.oid,
            less: less.oid,
            greater: greater.oid,
            equal_function: equal.oprcode,
            less_function: less.oprcode,
            greater_function: greater.oprcode,
        })
    }
}

/// Functions, operators and casts.
impl Catalog {
    /// The function with this OID.
    pub fn function(&self, oid: Oid) -> Option<Arc<Procedure>> {
        self.get(oid)
    }
    /// All functions of this name, in any schema.
    pub fn functions_named(&self, name: &str) -> Arc<[Arc<Procedure>]> {
        self.relation().find(keys::pg_proc_proname_args_nsp_index, &[name.into()]).into()
    }
    /// The aggregate row of a function.
    pub fn aggregate(&self, function: Oid) -> Option<Arc<Aggregate>> {
        self.get(function)
    }
    /// The operator with this OID.
    pub fn operator(&self, oid: Oid) -> Option<Arc<Operator>> {
        self.get(oid)
    }
    /// All operators of this name, in any schema.
    pub fn operators_named(&self, name: &str) -> Arc<[Arc<Operator>]> {
        self.relation().find(keys::pg_operator_oprname_l_r_n_index, &[name.into()]).into()
    }
    /// The cast from one type to another.
    pub fn cast(&self, source: Oid, target: Oid) -> Option<Arc<Cast>> {
        self.relation().find_one(keys::pg_cast_source_target_index, &[source.into(), target.into()])
    }
    /// The language with this OID.
    pub fn language(&self, oid: Oid) -> Option<Arc<Language>> {
        self.get(oid)
    }
    /// The language of this name.
    pub fn language_named(&self, name: &str) -> Option<Arc<Language>> {
        self.relation().find_one(keys::pg_language_name_index, &[name.into()])
    }
}

/// What is said about objects, and what they depend on.
impl Catalog {
    /// The comment on an object of this database; on a column with its number, else with zero.
    pub fn comment(&self, class: Oid, object: Oid, sub_object: i32) -> Option<Arc<Description>> {
        self.get((object, class, sub_object))
    }
    /// The comment on an object that the cluster shares.
    pub fn shared_comment(&self, class: Oid, object: Oid) -> Option<Arc<SharedDescription>> {
        self.get((object, class))
    }
    /// What an object depends on, all its columns' dependencies included.
    pub fn dependencies(&self, class: Oid, object: Oid) -> Vec<Arc<Dependency>> {
        self.relation().find(keys::pg_depend_depender_index, &[class.into(), object.into()])
    }
    /// What depends on an object or any of its columns.
    pub fn dependents(&self, class: Oid, object: Oid) -> Vec<Arc<Dependency>> {
        self.relation().find(keys::pg_depend_reference_index, &[class.into(), object.into()])
    }
}

/// What the whole cluster shares.
impl Catalog {
    /// The role with this OID.
    pub fn role(&self, oid: Oid) -> Option<Arc<Role>> {
        self.get(oid)
    }
    /// The role of this name.
    pub fn role_named(&self, name: &str) -> Option<Arc<Role>> {
        self.relation().find_one(keys::pg_authid_rolname_index, &[name.into()])
    }
    /// The database with this OID.
    pub fn database(&self, oid: Oid) -> Option<Arc<Database>> {
        self.get(oid)
    }
    /// The database of this name.
    pub fn database_named(&self, name: &str) -> Option<Arc<Database>> {
        self.relation().find_one(keys::pg_database_datname_index, &[name.into()])
    }
}

/// Whether a schema is one whose relations are those of the server itself.
pub(crate) fn is_system_namespace(namespace: &Namespace) -> bool {
    namespace.oid == namespaces::PG_CATALOG || namespace.nspname == "information_schema"
}
