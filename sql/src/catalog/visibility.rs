//! Which objects a search path shows: those whose schema is in it and whose name no earlier schema has taken
//! (`pg_table_is_visible` and its kin).

use super::{
    Catalog, Class, Collation, Conversion, ExtendedStatistic, Operator, OperatorClass, OperatorFamily,
    Procedure, SearchConfiguration, SearchDictionary, SearchParser, SearchTemplate, Type, keys,
};
use crate::Oid;

/// The kinds of objects that are found along the search path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Visible {
    Class,
    Type,
    Function,
    Operator,
    OperatorClass,
    OperatorFamily,
    Collation,
    Conversion,
    Statistics,
    SearchConfiguration,
    SearchDictionary,
    SearchParser,
    SearchTemplate,
}

impl Catalog {
    /// Whether an object is found by its bare name; nothing when there is no such object. The path has the implicit
    /// `pg_catalog` in it.
    pub fn is_visible(&self, kind: Visible, oid: Oid, search_path: &[Oid]) -> Option<bool> {
        let homes = self.schemas_with_same_name(kind, oid)?;
        let first = search_path.iter().find(|&&schema| homes.1.contains(&schema));
        Some(first == Some(&homes.0))
    }

    /// The schema of an object, and all schemas that have an object of its name (and arguments).
    fn schemas_with_same_name(&self, kind: Visible, oid: Oid) -> Option<(Oid, Vec<Oid>)> {
        macro_rules! named {
            ($row:ty, $key:ident, $namespace:ident, $($column:ident),+ $(; $same:expr)?) => {{
                let row = self.get::<$row>(oid)?;
                let found = self.relation().find(keys::$key, &[$(part(&row.$column)),+]);
                let found = found.iter()$(.filter(|other| ($same)(&row, other)))?;
                (row.$namespace, found.map(|other| other.$namespace).collect())
            }};
        }
        Some(match kind {
            Visible::Class => named!(Class, pg_class_relname_nsp_index, relnamespace, relname),
            Visible::Type => named!(Type, pg_type_typname_nsp_index, typnamespace, typname),
            Visible::Function => named!(Procedure, pg_proc_proname_args_nsp_index, pronamespace, proname;
                |a: &Procedure, b: &Procedure| a.proargtypes == b.proargtypes),
            Visible::Operator => {
                named!(Operator, pg_operator_oprname_l_r_n_index, oprnamespace, oprname, oprleft, oprright)
            }
            Visible::OperatorClass => {
                named!(OperatorClass, pg_opclass_am_name_nsp_index, opcnamespace, opcmethod, opcname)
            }
            Visible::OperatorFamily => {
                named!(OperatorFamily, pg_opfamily_am_name_nsp_index, opfnamespace, opfmethod, opfname)
            }
            Visible::Collation => named!(Collation, pg_collation_name_enc_nsp_index, collnamespace, collname),
            Visible::Conversion => named!(Conversion, pg_conversion_name_nsp_index, connamespace, conname),
            Visible::Statistics => {
                named!(ExtendedStatistic, pg_statistic_ext_name_index, stxnamespace, stxname)
            }
            Visible::SearchConfiguration => {
                named!(SearchConfiguration, pg_ts_config_cfgname_index, cfgnamespace, cfgname)
            }
            Visible::SearchDictionary => {
                named!(SearchDictionary, pg_ts_dict_dictname_index, dictnamespace, dictname)
            }
            Visible::SearchParser => named!(SearchParser, pg_ts_parser_prsname_index, prsnamespace, prsname),
            Visible::SearchTemplate => {
                named!(SearchTemplate, pg_ts_template_tmplname_index, tmplnamespace, tmplname)
            }
        })
    }
}

fn part<T: super::field::Field>(value: &T) -> super::KeyPart<'_> {
    value.part()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::CatalogEdit;

    #[test]
    fn an_earlier_schema_hides_a_name() {
        let mut edit = CatalogEdit::new(&Catalog::empty());
        let path = [Oid(11), Oid(2200)];
        assert_eq!(edit.is_visible(Visible::Class, Oid(1259), &path), Some(true));
        assert_eq!(edit.is_visible(Visible::Class, Oid(1259), &path[1..]), Some(false));
        assert_eq!(edit.is_visible(Visible::Class, Oid(1), &path), None);
        let class = (*edit.class(Oid(1259)).unwrap()).clone();
        let own = edit.allocate_oid();
        edit.insert(Class { oid: own, relnamespace: Oid(2200), ..class }).unwrap();
        assert_eq!(edit.is_visible(Visible::Class, own, &path), Some(false));
        assert_eq!(edit.is_visible(Visible::Class, own, &[Oid(2200), Oid(11)]), Some(true));
        assert_eq!(edit.is_visible(Visible::Function, Oid(31), &path), Some(true));
        assert_eq!(edit.is_visible(Visible::Operator, Oid(96), &path), Some(true));
    }
}
