//! Extensions: CREATE, ALTER … UPDATE and SET SCHEMA. An extension is a control file and SQL files, as in PostgreSQL:
//! those of the libraries that come with the server, and those in the data directory's `extension` folder.
//!
//! Source: `src/backend/commands/extension.c`; PostgreSQL manual, "Packaging Related Objects into an Extension".

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::CommandContext;
use super::dependency::{DependencyKind, ObjectAddress, record};
use super::function::MODULE_PATHNAME;
use crate::catalog::{Dependency, Extension, Namespace, keys};
use crate::oid::relations;
use crate::parse::{AlterExtension, AlterExtensionAction, CreateExtension, Node};
use crate::{Oid, Result, SqlError, SqlState, error};

/// What a control file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// `comment`.
    pub comment: Option<String>,
    /// `default_version`.
    pub default_version: Option<String>,
    /// `module_pathname`: what `MODULE_PATHNAME` stands for in the scripts.
    pub module_pathname: Option<String>,
    /// `relocatable`: whether it can be moved to another schema.
    pub relocatable: bool,
    /// `superuser`: whether only superusers may install it.
    pub superuser: bool,
    /// `trusted`: whether those with CREATE on the database may, too.
    pub trusted: bool,
    /// `schema`: the schema it must be in.
    pub schema: Option<String>,
    /// `requires`.
    pub requires: Vec<String>,
}

/// Reads a control file: lines `name = value`, the value a word or a string in quotes.
///
/// # Errors
/// `42601` for a line that is none, or a parameter that does not exist.
pub fn parse_control(text: &str, file: &str) -> Result<Control> {
    let mut control = Control { superuser: true, ..Control::default() };
    let (entries, errors) = crate::settings::file::parse_file(text);
    if let Some(bad) = errors.first() {
        return Err(error!(SYNTAX_ERROR, "syntax error in file \"{file}\" line {}", bad.line));
    }
    for entry in entries {
        let truth = || {
            crate::settings::value::parse_boolean(&entry.value).ok_or_else(|| {
                error!(INVALID_PARAMETER_VALUE, "parameter \"{}\" requires a Boolean value", entry.name)
            })
        };
        match entry.name.as_str() {
            "comment" => control.comment = Some(entry.value),
            "default_version" => control.default_version = Some(entry.value),
            "module_pathname" => control.module_pathname = Some(entry.value),
            "relocatable" => control.relocatable = truth()?,
            "superuser" => control.superuser = truth()?,
            "trusted" => control.trusted = truth()?,
            "schema" => control.schema = Some(entry.value),
            "requires" => {
                control.requires = entry.value.split(',').map(|name| name.trim().to_owned()).collect();
            }
            "directory" | "encoding" => {}
            name => {
                return Err(error!(SYNTAX_ERROR, "unrecognized parameter \"{name}\" in file \"{file}\""));
            }
        }
    }
    Ok(control)
}

/// The scripts of an extension: `name--version.sql` and `name--from--to.sql`.
fn scripts(extension: &str, files: &[String]) -> Vec<Vec<String>> {
    let prefix = format!("{extension}--");
    let versions = |file: &String| {
        let middle = file.strip_prefix(&prefix)?.strip_suffix(".sql")?;
        Some(middle.split("--").map(str::to_owned).collect::<Vec<_>>())
    };
    files.iter().filter_map(versions).filter(|versions| versions.len() <= 2).collect()
}

/// The shortest way from one version to another over update scripts, the first version left out.
pub fn update_path(extension: &str, files: &[String], from: &str, to: &str) -> Option<Vec<String>> {
    let scripts = scripts(extension, files);
    let mut came_from: BTreeMap<String, String> = BTreeMap::new();
    let mut open = VecDeque::from([from.to_owned()]);
    while let Some(version) = open.pop_front() {
        if version == to {
            let mut path = vec![];
            let mut at = version;
            while at != from {
                path.push(at.clone());
                at = came_from.get(&at)?.clone();
            }
            path.reverse();
            return Some(path);
        }
        for script in &scripts {
            if let [source, target] = script.as_slice()
                && *source == version
                && target != from
                && !came_from.contains_key(target)
            {
                came_from.insert(target.clone(), version.clone());
                open.push_back(target.clone());
            }
        }
    }
    None
}

/// The scripts that install a version: the one for itself, or that of another and updates from there.
fn install_path(extension: &str, files: &[String], version: &str) -> Option<(String, Vec<String>)> {
    let starts = scripts(extension, files).into_iter().filter(|script| script.len() == 1);
    let paths = starts.filter_map(|start| {
        let start = start.into_iter().next()?;
        let path = update_path(extension, files, &start, version)?;
        Some((start, path))
    });
    paths.min_by_key(|(_, path)| path.len())
}

/// The versions that an extension's scripts tell of, and whether each can be installed, perhaps over updates.
pub(crate) fn versions(extension: &str, files: &[String]) -> Vec<(String, bool)> {
    let named: BTreeSet<String> = scripts(extension, files).into_iter().flatten().collect();
    let installable = |version: &String| install_path(extension, files, version).is_some();
    named.into_iter().map(|version| (version.clone(), installable(&version))).collect()
}

impl CommandContext<'_> {
    pub(super) fn create_extension(&mut self, statement: &CreateExtension) -> Result<()> {
        let name = &statement.name;
        if self.extension_named(name).is_some() {
            let message = format!("extension \"{name}\" already exists");
            if statement.if_not_exists {
                self.notice(SqlState::DUPLICATE_OBJECT, format!("{message}, skipping"));
                return Ok(());
            }
            return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        let control = self.control(name)?;
        self.require_right_to_install(name, &control)?;
        let version = match statement.version.clone().or_else(|| control.default_version.clone()) {
            Some(version) => version,
            None => return Err(error!(INVALID_PARAMETER_VALUE, "version to install must be specified")),
        };
        let files = self.cluster.extension_files();
        let Some((start, updates)) = install_path(name, &files, &version) else {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "extension \"{name}\" has no installation script nor update path for version \"{version}\""
            ));
        };
        self.install_required(statement, &control)?;
        let schema = self.extension_schema(statement, &control)?;
        let oid = self.insert_extension(name, &schema, &control, &version)?;
        self.run_script(name, &control, oid, &schema, &format!("{name}--{start}.sql"))?;
        let mut from = start;
        for to in updates {
            self.run_script(name, &control, oid, &schema, &format!("{name}--{from}--{to}.sql"))?;
            from = to;
        }
        Ok(())
    }

    pub(super) fn extension_named(&self, name: &str) -> Option<Arc<Extension>> {
        self.edit.relation::<Extension>().find_one(keys::pg_extension_name_index, &[name.into()])
    }

    fn control(&self, name: &str) -> Result<Control> {
        let file = format!("{name}.control");
        match self.cluster.extension_file(&file) {
            Some(text) => parse_control(&text, &file),
            None => Err(error!(FEATURE_NOT_SUPPORTED, "extension \"{name}\" is not available")
                .detail(format!(
                    "Could not open extension control file \"{}/{file}\": No such file or directory.",
                    self.cluster.extension_directory().display()
                ))
                .hint("The extension must first be installed on the system where PostgreSQL is running.")),
        }
    }

    fn require_right_to_install(&self, name: &str, control: &Control) -> Result<()> {
        if !control.superuser || self.edit.is_superuser(self.user) {
            return Ok(());
        }
        let hint = if control.trusted {
            "Must have CREATE privilege on current database to create this extension."
        } else {
            "Must be superuser to create this extension."
        };
        Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to create extension \"{name}\"").hint(hint))
    }

    fn install_required(&mut self, statement: &CreateExtension, control: &Control) -> Result<()> {
        for required in &control.requires {
            if self.extension_named(required).is_some() {
                continue;
            }
            if !statement.cascade {
                return Err(error!(UNDEFINED_OBJECT, "required extension \"{required}\" is not installed")
                    .hint("Use CREATE EXTENSION ... CASCADE to install required extensions too."));
            }
            self.notice(
                SqlState::SUCCESSFUL_COMPLETION,
                format!("installing required extension \"{required}\""),
            );
            let inner =
                CreateExtension { name: required.clone(), version: None, schema: None, ..statement.clone() };
            self.create_extension(&inner)?;
        }
        Ok(())
    }

    fn extension_schema(&self, statement: &CreateExtension, control: &Control) -> Result<Arc<Namespace>> {
        let name = crate::parse::Name {
            database: None,
            schema: statement.schema.clone().or_else(|| control.schema.clone()),
            name: statement.name.clone(),
            position: 0,
        };
        self.creation_schema(&name)
    }

    fn insert_extension(
        &mut self,
        name: &str,
        schema: &Namespace,
        control: &Control,
        version: &str,
    ) -> Result<Oid> {
        let oid = self.edit.allocate_oid();
        self.edit.insert(Extension {
            oid,
            extname: name.to_owned(),
            extowner: self.user,
            extnamespace: schema.oid,
            extrelocatable: control.relocatable,
            extversion: version.to_owned(),
            extconfig: None,
            extcondition: None,
        })?;
        let address = ObjectAddress::new(relations::PG_EXTENSION, oid);
        let schema = ObjectAddress::new(relations::PG_NAMESPACE, schema.oid);
        record(self.edit, address, schema, DependencyKind::Normal)?;
        if let Some(comment) = &control.comment {
            self.edit.put(crate::catalog::Description {
                objoid: oid,
                classoid: relations::PG_EXTENSION,
                objsubid: 0,
                description: comment.clone(),
            })?;
        }
        Ok(oid)
    }

    /// Runs a script in the extension's schema; what it makes belongs to the extension.
    fn run_script(
        &mut self,
        name: &str,
        control: &Control,
        extension: Oid,
        schema: &Namespace,
        file: &str,
    ) -> Result<()> {
        let text = self.cluster.extension_file(file).ok_or_else(|| {
            error!(
                UNDEFINED_FILE,
                "could not open extension script file \"{file}\": No such file or directory"
            )
        })?;
        // Lines that begin with a backslash are for psql: they keep people from feeding the script to it.
        let text: String =
            text.lines().filter(|line| !line.starts_with('\\')).map(|line| format!("{line}\n")).collect();
        let pathname = control.module_pathname.clone().unwrap_or_else(|| format!("$libdir/{name}"));
        let text = text.replace(MODULE_PATHNAME, &pathname).replace("@extschema@", &schema.nspname);
        let outer_path =
            std::mem::replace(&mut self.search_path, vec![crate::oid::namespaces::PG_CATALOG, schema.oid]);
        let outer_extension = self.extension.replace(extension);
        let outer_text = self.text.clone();
        let result = self.run_statements(&text);
        (self.search_path, self.extension, self.text) = (outer_path, outer_extension, outer_text);
        result.map_err(|error| error.context(format!("extension script file \"{file}\"")))
    }

    fn run_statements(&mut self, text: &str) -> Result<()> {
        for statement in crate::parse::parse(text)? {
            self.text = statement.text.clone();
            match &statement.node {
                Node::Utility(utility) if super::handles(utility) => super::run(self, utility).map(drop)?,
                Node::Utility(utility) => {
                    return Err(SqlError::unsupported(format!("{} in an extension script", utility.tag())));
                }
                Node::Sql(_) => return Err(SqlError::unsupported("a query in an extension script")),
            }
        }
        Ok(())
    }

    pub(super) fn alter_extension(&mut self, statement: &AlterExtension) -> Result<()> {
        let name = &statement.name;
        let extension = self
            .extension_named(name)
            .ok_or_else(|| error!(UNDEFINED_OBJECT, "extension \"{name}\" does not exist"))?;
        self.require_owner(extension.extowner, "extension", name)?;
        match &statement.action {
            AlterExtensionAction::Update(version) => self.update_extension(&extension, version.as_deref()),
            AlterExtensionAction::SetSchema(_) => Err(SqlError::unsupported("ALTER EXTENSION … SET SCHEMA")),
            AlterExtensionAction::AddMember(_) => Err(SqlError::unsupported("ALTER EXTENSION … ADD")),
            AlterExtensionAction::DropMember(member) => {
                let address = self.object_address(member)?;
                let parts = [address.class.into(), address.object.into()];
                let members = self.edit.relation::<Dependency>().find(keys::pg_depend_depender_index, &parts);
                let row =
                    members.iter().find(|row| row.deptype == 'e' && row.refobjid == extension.oid).cloned();
                let row = row.ok_or_else(|| {
                    let what = self.describe(address);
                    error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "{what} is not a member of extension \"{name}\"")
                })?;
                self.edit.delete_row(&*row);
                Ok(())
            }
        }
    }

    fn update_extension(&mut self, extension: &Extension, version: Option<&str>) -> Result<()> {
        let name = &extension.extname;
        let control = self.control(name)?;
        let target = match version.map(str::to_owned).or_else(|| control.default_version.clone()) {
            Some(target) => target,
            None => return Err(error!(INVALID_PARAMETER_VALUE, "version to install must be specified")),
        };
        if target == extension.extversion {
            self.notice(
                SqlState::SUCCESSFUL_COMPLETION,
                format!("version \"{target}\" of extension \"{name}\" is already installed"),
            );
            return Ok(());
        }
        let files = self.cluster.extension_files();
        let Some(path) = update_path(name, &files, &extension.extversion, &target) else {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "extension \"{name}\" has no update path from version \"{}\" to version \"{target}\"",
                extension.extversion
            ));
        };
        let schema = self.edit.namespace(extension.extnamespace);
        let schema = schema.ok_or_else(|| SqlError::internal("an extension without a schema"))?;
        let mut from = extension.extversion.clone();
        for to in path {
            self.run_script(name, &control, extension.oid, &schema, &format!("{name}--{from}--{to}.sql"))?;
            self.edit.change::<Extension>(extension.oid, |row| row.extversion.clone_from(&to))?;
            from = to;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_files_are_read() {
        let control =
            parse_control("# c\ncomment = 'A ''b'''\ndefault_version = '1.0'\nrelocatable = true\n", "f")
                .unwrap();
        assert_eq!(control.comment.as_deref(), Some("A 'b'"));
        assert_eq!(control.default_version.as_deref(), Some("1.0"));
        assert!(control.relocatable && control.superuser && !control.trusted);
        assert!(parse_control("nonsense = 1", "f").is_err());
    }

    #[test]
    fn the_shortest_way_between_versions_is_taken() {
        let files: Vec<String> =
            ["x--1.sql", "x--1--2.sql", "x--2--3.sql", "x--1--3.sql", "x--3--1.sql", "y--1--9.sql"]
                .map(String::from)
                .to_vec();
        assert_eq!(update_path("x", &files, "1", "3"), Some(vec!["3".to_owned()]));
        assert_eq!(update_path("x", &files, "2", "1"), Some(vec!["3".to_owned(), "1".to_owned()]));
        assert_eq!(update_path("x", &files, "1", "9"), None);
        assert_eq!(install_path("x", &files, "2"), Some(("1".to_owned(), vec!["2".to_owned()])));
    }
}
