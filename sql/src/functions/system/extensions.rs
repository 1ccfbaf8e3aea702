//! The extensions that could be installed, as the cluster's directory of extensions tells them.

use std::sync::Arc;

use crate::cluster::{AvailableExtension, ExtensionView};
use crate::functions::arguments::{Rows, array_of, known, rows, text};
use crate::functions::{Function, FunctionCall};
use crate::oid::types;
use crate::{Result, Value, ValueRef};

fn view(call: &FunctionCall<'_>) -> Option<Arc<dyn ExtensionView>> {
    call.context.session.cluster.facilities.extensions.read().clone()
}

fn available(call: &FunctionCall<'_>) -> Vec<AvailableExtension> {
    view(call).map(|view| view.available()).unwrap_or_default()
}

fn versions(call: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Rows> {
    let row = |extension: AvailableExtension| -> Result<Vec<Value>> {
        let requires = extension
            .requires
            .map(|names| array_of(types::_NAME, names.into_iter().map(Some), &call.type_context()));
        Ok(vec![
            extension.name.into(),
            extension.version.into(),
            extension.superuser.into(),
            extension.trusted.into(),
            extension.relocatable.into(),
            extension.schema.into(),
            requires.transpose()?.unwrap_or_default(),
            extension.comment.into(),
        ])
    };
    Ok(known(available(call).into_iter().map(row).collect::<Result<_>>()?))
}

fn update_paths(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let paths = match view(call) {
        Some(view) => view.update_paths(text(arguments[0])?),
        None => Vec::new(),
    };
    Ok(known(
        paths
            .into_iter()
            .map(|(source, target, path)| vec![source.into(), target.into(), path.into()])
            .collect(),
    ))
}

/// Extensions.
pub const FUNCTIONS: &[Function] = &[
    rows("pg_available_extensions", |call, _| {
        let defaults = available(call).into_iter().filter(|extension| extension.is_default);
        Ok(known(defaults.map(|e| vec![e.name.into(), e.version.into(), e.comment.into()]).collect()))
    }),
    rows("pg_available_extension_versions", versions),
    rows("pg_extension_update_paths", update_paths),
];
