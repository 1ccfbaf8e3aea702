//! The extensions that could be installed: what their control files and scripts say.
//!
//! Source: `pg_available_extensions` and its like in `src/backend/commands/extension.c`.

use crate::commands::extension::{Control, parse_control, update_path, versions};
use crate::functions::arguments::{Rows, array_of, known, rows, text};
use crate::functions::{Function, FunctionCall};
use crate::oid::types;
use crate::{Result, Value, ValueRef};

/// The control files that can be read, with the names of their extensions.
fn controls(call: &FunctionCall<'_>) -> Vec<(String, Control)> {
    let cluster = &call.context.session.cluster;
    let files = cluster.extension_files();
    let names = files.iter().filter_map(|file| file.strip_suffix(".control"));
    let read = |name: &str| {
        let file = format!("{name}.control");
        let control = parse_control(&cluster.extension_file(&file)?, &file).ok()?;
        Some((name.to_owned(), control))
    };
    names.filter_map(read).collect()
}

fn available(call: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Rows> {
    let row = |(name, control): (String, Control)| {
        vec![name.into(), control.default_version.into(), control.comment.into()]
    };
    Ok(known(controls(call).into_iter().map(row).collect()))
}

fn available_versions(call: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Rows> {
    let files = call.context.session.cluster.extension_files();
    let mut all = Vec::new();
    for (name, control) in controls(call) {
        let requires = if control.requires.is_empty() {
            Value::Null
        } else {
            let names = control.requires.iter().map(|name| Some(name.clone()));
            array_of(types::_NAME, names, &call.type_context())?
        };
        for version in versions(&name, &files).into_iter().filter(|(_, installable)| *installable) {
            all.push(vec![
                name.clone().into(),
                version.0.into(),
                control.superuser.into(),
                control.trusted.into(),
                control.relocatable.into(),
                control.schema.clone().into(),
                requires.clone(),
                control.comment.clone().into(),
            ]);
        }
    }
    Ok(known(all))
}

/// Every pair of versions, with the way from one to the other.
fn update_paths(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let name = text(arguments[0])?;
    let files = call.context.session.cluster.extension_files();
    let versions: Vec<String> = versions(name, &files).into_iter().map(|(version, _)| version).collect();
    let mut all = Vec::new();
    for source in &versions {
        for target in versions.iter().filter(|target| *target != source) {
            let path = update_path(name, &files, source, target);
            let path = path.map(|path| format!("{source}--{}", path.join("--")));
            all.push(vec![source.clone().into(), target.clone().into(), path.into()]);
        }
    }
    Ok(known(all))
}

/// Extensions.
pub const FUNCTIONS: &[Function] = &[
    rows("pg_available_extensions", available),
    rows("pg_available_extension_versions", available_versions),
    rows("pg_extension_update_paths", update_paths),
];
