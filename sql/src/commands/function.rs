//! CREATE FUNCTION: in a library (LANGUAGE C), or in SQL.

use super::CommandContext;
use super::dependency::{DependencyKind, ObjectAddress, record};
use super::naming::dotted;
use crate::bind::is_polymorphic;
use crate::bound::TypeMod;
use crate::catalog::Procedure;
use crate::oid::{languages, relations, types};
use crate::parse::{
    CreateFunction, FunctionBody, FunctionOption, FunctionReturns, Parameter, ParameterMode, Volatility,
};
use crate::{Oid, Result, SqlError, error};

/// The most parameters of a function (`FUNC_MAX_ARGS`).
const PARAMETERS_MAX: usize = 100;

/// What a library is called in an extension's script before it is known where it is.
pub(super) const MODULE_PATHNAME: &str = "MODULE_PATHNAME";

/// What the options of CREATE FUNCTION say.
struct Options {
    language: Option<String>,
    volatility: char,
    strict: bool,
    definer: bool,
    leakproof: bool,
    parallel: char,
    cost: Option<f64>,
    rows: Option<f64>,
    texts: Vec<String>,
}

/// The parameters as `pg_proc` keeps them.
#[derive(Default)]
struct Parameters {
    inputs: Vec<Oid>,
    all: Vec<Oid>,
    modes: Vec<char>,
    names: Vec<String>,
    defaults: Vec<String>,
    variadic: Oid,
    outputs: Vec<Oid>,
}

impl CommandContext<'_> {
    pub(super) fn create_function(&mut self, statement: &CreateFunction) -> Result<()> {
        if statement.is_procedure {
            return Err(SqlError::unsupported("CREATE PROCEDURE"));
        }
        let schema = self.creation_schema(&statement.name)?;
        let options = options(statement)?;
        let parameters = self.parameters(statement)?;
        let (result, set) = self.result_type(statement, &parameters)?;
        let language = self.language(&options, statement.body.is_some())?;
        let (source, library, body) = self.function_source(statement, &options, language)?;
        let has_out = parameters.modes.iter().any(|mode| *mode != 'i');
        let named = parameters.names.iter().any(|name| !name.is_empty());
        let row = Procedure {
            oid: Oid::INVALID,
            proname: statement.name.name.clone(),
            pronamespace: schema.oid,
            proowner: self.user,
            prolang: language,
            procost: options.cost.unwrap_or(if language == languages::C { 1.0 } else { 100.0 }),
            prorows: options.rows.unwrap_or(if set { 1000.0 } else { 0.0 }),
            provariadic: parameters.variadic,
            prosupport: Oid::INVALID,
            prokind: 'f',
            prosecdef: options.definer,
            proleakproof: options.leakproof,
            proisstrict: options.strict,
            proretset: set,
            provolatile: options.volatility,
            proparallel: options.parallel,
            pronargs: i16::try_from(parameters.inputs.len()).unwrap_or(i16::MAX),
            pronargdefaults: i16::try_from(parameters.defaults.len()).unwrap_or(i16::MAX),
            prorettype: result,
            proargtypes: parameters.inputs.clone(),
            proallargtypes: has_out.then(|| parameters.all.clone()),
            proargmodes: has_out.then(|| parameters.modes.clone()),
            proargnames: named.then(|| parameters.names.clone()),
            proargdefaults: (!parameters.defaults.is_empty()).then(|| parameters.defaults.join(", ")),
            protrftypes: None,
            prosrc: source,
            probin: library,
            prosqlbody: body,
            proconfig: None,
            proacl: None,
        };
        let checked = language == languages::SQL && !row.proargtypes.iter().any(|ty| is_polymorphic(*ty));
        let name = row.proname.clone();
        let (namespace, inputs) = (row.pronamespace, row.proargtypes.clone());
        self.insert_function(statement, row)?;
        if checked {
            self.check_body(&name, namespace, &inputs)?;
        }
        Ok(())
    }

    /// Binds the body of a new function written in SQL, which may call itself, to find its faults early.
    fn check_body(&self, name: &str, namespace: Oid, inputs: &[Oid]) -> Result<()> {
        let all = self.edit.functions_named(name);
        let own = all.iter().find(|f| f.pronamespace == namespace && f.proargtypes == inputs);
        let Some(row) = own.cloned() else { return Ok(()) };
        self.binding(&row.prosrc, |context| {
            crate::bind::bind_function_body(&row, &row.proargtypes, row.prorettype, context).map(drop)
        })
    }

    /// Adds the row, or replaces the function of the same name and types.
    fn insert_function(&mut self, statement: &CreateFunction, mut row: Procedure) -> Result<()> {
        let same = |f: &&std::sync::Arc<Procedure>| {
            f.pronamespace == row.pronamespace && f.proargtypes == row.proargtypes
        };
        let existing = self.edit.functions_named(&row.proname).iter().find(same).cloned();
        if let Some(existing) = existing {
            if !statement.or_replace {
                return Err(error!(
                    DUPLICATE_FUNCTION,
                    "function \"{}\" already exists with same argument types", row.proname
                ));
            }
            self.require_owner(existing.proowner, "function", &row.proname)?;
            if existing.prorettype != row.prorettype || existing.proretset != row.proretset {
                return Err(error!(
                    INVALID_FUNCTION_DEFINITION,
                    "cannot change return type of existing function"
                )
                .hint(format!("Use DROP FUNCTION {} first.", self.signature(existing.oid))));
            }
            (row.oid, row.proowner, row.proacl) = (existing.oid, existing.proowner, existing.proacl.clone());
            self.edit.update(row)?;
            return Ok(());
        }
        row.oid = self.edit.allocate_oid();
        let address = ObjectAddress::new(relations::PG_PROC, row.oid);
        let schema = ObjectAddress::new(relations::PG_NAMESPACE, row.pronamespace);
        record(self.edit, address, schema, DependencyKind::Normal)?;
        for ty in row.proargtypes.iter().chain(std::iter::once(&row.prorettype)) {
            self.depend_on_type(address, *ty)?;
        }
        self.edit.insert(row)?;
        self.join_extension(address)
    }

    /// A function as messages name it.
    fn signature(&self, function: Oid) -> String {
        crate::catalog::describe::Describe::new(self.edit, &self.search_path)
            .signature(function)
            .unwrap_or_default()
    }

    fn parameters(&mut self, statement: &CreateFunction) -> Result<Parameters> {
        let mut parameters = Parameters::default();
        for parameter in &statement.parameters {
            self.parameter(parameter, &mut parameters)?;
        }
        if let Some(FunctionReturns::Table(columns)) = &statement.returns {
            for (name, ty) in columns {
                let oid = self.type_name(ty)?.oid;
                parameters.all.push(oid);
                parameters.outputs.push(oid);
                parameters.modes.push('t');
                parameters.names.push(name.clone());
            }
        }
        if parameters.inputs.len() > PARAMETERS_MAX {
            return Err(error!(
                TOO_MANY_ARGUMENTS,
                "functions cannot have more than {PARAMETERS_MAX} arguments"
            ));
        }
        Ok(parameters)
    }

    fn parameter(&mut self, parameter: &Parameter, parameters: &mut Parameters) -> Result<()> {
        let ty = self.type_name(&parameter.data_type)?;
        let mode = match parameter.mode {
            ParameterMode::In => 'i',
            ParameterMode::Out => 'o',
            ParameterMode::InOut => 'b',
            ParameterMode::Variadic => 'v',
        };
        let name = parameter.name.clone().unwrap_or_default();
        if !name.is_empty() && parameters.names.contains(&name) {
            return Err(error!(INVALID_FUNCTION_DEFINITION, "parameter name \"{name}\" used more than once"));
        }
        if mode != 'o' {
            parameters.inputs.push(ty.oid);
        }
        if mode == 'o' || mode == 'b' {
            parameters.outputs.push(ty.oid);
        }
        if mode == 'v' {
            let element = self.edit.type_(ty.oid).map_or(Oid::INVALID, |ty| ty.typelem);
            parameters.variadic = element;
        }
        parameters.all.push(ty.oid);
        parameters.modes.push(mode);
        parameters.names.push(name);
        match &parameter.default {
            Some(default) => {
                let expr = self.binding(&self.text.clone(), |context| {
                    crate::bind::bind_expression(&default.expr, None, Some(TypeMod::plain(ty.oid)), context)
                })?;
                let text =
                    crate::deparse::expression(&expr, self.edit, &crate::catalog::KEPT_SEARCH_PATH, None)?;
                parameters.defaults.push(text);
            }
            None if !parameters.defaults.is_empty() && mode != 'o' => {
                return Err(error!(
                    INVALID_FUNCTION_DEFINITION,
                    "input parameters after one with a default value must also have defaults"
                ));
            }
            None => {}
        }
        Ok(())
    }

    /// The result's type, and whether it is a set.
    fn result_type(&self, statement: &CreateFunction, parameters: &Parameters) -> Result<(Oid, bool)> {
        let from_outputs = match parameters.outputs.as_slice() {
            [] => None,
            [only] => Some(*only),
            _ => Some(types::RECORD),
        };
        match &statement.returns {
            Some(FunctionReturns::Table(_)) => Ok((from_outputs.unwrap_or(types::RECORD), true)),
            Some(FunctionReturns::Type(ty)) => {
                let oid = self.type_name(ty)?.oid;
                match from_outputs {
                    Some(expected) if expected != oid => {
                        let name =
                            crate::types::format_type(TypeMod::plain(expected), self.edit, &self.search_path);
                        Err(error!(
                            INVALID_FUNCTION_DEFINITION,
                            "function result type must be {name} because of OUT parameters"
                        ))
                    }
                    _ => Ok((oid, ty.set_of)),
                }
            }
            None => from_outputs
                .map(|oid| (oid, false))
                .ok_or_else(|| error!(INVALID_FUNCTION_DEFINITION, "function result type must be specified")),
        }
    }

    fn language(&self, options: &Options, has_body: bool) -> Result<Oid> {
        let name = match &options.language {
            Some(name) => name.to_ascii_lowercase(),
            None if has_body => "sql".to_owned(),
            None => return Err(error!(INVALID_FUNCTION_DEFINITION, "no language specified")),
        };
        match name.as_str() {
            "sql" => Ok(languages::SQL),
            "c" => {
                if self.extension.is_none() && !self.edit.is_superuser(self.user) {
                    return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied for language c"));
                }
                Ok(languages::C)
            }
            "internal" => Err(SqlError::unsupported("LANGUAGE internal")),
            "plpgsql" => Err(SqlError::unsupported("language \"plpgsql\"")),
            _ => Err(error!(UNDEFINED_OBJECT, "language \"{name}\" does not exist")
                .hint("Use CREATE EXTENSION to load the language into the database.")),
        }
    }

    /// `prosrc`, `probin` and `prosqlbody`.
    fn function_source(
        &mut self,
        statement: &CreateFunction,
        options: &Options,
        language: Oid,
    ) -> Result<(String, Option<String>, Option<String>)> {
        if language == languages::C {
            let (library, symbol) = match options.texts.as_slice() {
                [library] => (library, &statement.name.name),
                [library, symbol] => (library, symbol),
                _ => return Err(error!(INVALID_FUNCTION_DEFINITION, "no function body specified")),
            };
            self.require_symbol(library, symbol)?;
            return Ok((symbol.clone(), Some(library.clone()), None));
        }
        match (&statement.body, options.texts.as_slice()) {
            (Some(FunctionBody::Return(expression)), []) => {
                Ok((String::new(), None, Some(format!("RETURN {}", expression.text))))
            }
            (Some(FunctionBody::Atomic(_)), []) => Err(SqlError::unsupported("BEGIN ATOMIC")),
            (None, [source]) => {
                crate::parse::parse(source)?;
                Ok((source.clone(), None, None))
            }
            (None, [_, _, ..]) => {
                Err(error!(INVALID_FUNCTION_DEFINITION, "only one AS item needed for language \"sql\""))
            }
            (Some(_), _) => Err(error!(INVALID_FUNCTION_DEFINITION, "duplicate function body specified")),
            (None, []) => Err(error!(INVALID_FUNCTION_DEFINITION, "no function body specified")),
        }
    }

    /// # Errors
    /// `58P01` for a library that is not there; `42883` for a symbol that it does not have.
    fn require_symbol(&self, library: &str, symbol: &str) -> Result<()> {
        let found = self.cluster.library(library).ok_or_else(|| {
            error!(UNDEFINED_FILE, "could not access file \"{library}\": No such file or directory")
        })?;
        match found.function(symbol) {
            Some(_) => Ok(()),
            None => {
                Err(error!(UNDEFINED_FUNCTION, "could not find function \"{symbol}\" in file \"{library}\""))
            }
        }
    }
}

/// The options, each at most once.
fn options(statement: &CreateFunction) -> Result<Options> {
    let mut options = Options {
        language: None,
        volatility: 'v',
        strict: false,
        definer: false,
        leakproof: false,
        parallel: 'u',
        cost: None,
        rows: None,
        texts: Vec::new(),
    };
    for option in &statement.options {
        match option {
            FunctionOption::Language(name) => options.language = Some(name.clone()),
            FunctionOption::Volatility(Volatility::Immutable) => options.volatility = 'i',
            FunctionOption::Volatility(Volatility::Stable) => options.volatility = 's',
            FunctionOption::Volatility(Volatility::Volatile) => options.volatility = 'v',
            FunctionOption::Strict(strict) => options.strict = *strict,
            FunctionOption::SecurityDefiner(definer) => options.definer = *definer,
            FunctionOption::Leakproof(leakproof) => options.leakproof = *leakproof,
            FunctionOption::Cost(cost) => options.cost = cost.parse().ok(),
            FunctionOption::Rows(rows) => options.rows = rows.parse().ok(),
            FunctionOption::Parallel(mode) => {
                options.parallel = match mode.to_ascii_lowercase().as_str() {
                    "safe" => 's',
                    "restricted" => 'r',
                    "unsafe" => 'u',
                    _ => {
                        return Err(error!(
                            SYNTAX_ERROR,
                            "parameter \"parallel\" must be SAFE, RESTRICTED, or UNSAFE"
                        ));
                    }
                };
            }
            FunctionOption::As(texts) => options.texts.clone_from(texts),
            FunctionOption::Window => return Err(SqlError::unsupported("CREATE FUNCTION … WINDOW")),
            FunctionOption::Support(name) => {
                return Err(SqlError::unsupported(format!("SUPPORT {}", dotted(name))));
            }
            FunctionOption::Setting(_) => return Err(SqlError::unsupported("CREATE FUNCTION … SET")),
            FunctionOption::Transform => return Err(SqlError::unsupported("CREATE FUNCTION … TRANSFORM")),
        }
    }
    Ok(options)
}
