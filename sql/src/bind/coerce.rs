//! Conversions between types: which exist in which context, and the expressions that make them.
//!
//! Source: `src/backend/parser/parse_coerce.c`.

use super::collations::Strength;
use super::position::At;
use super::scope::RecordField;
use super::{Binder, Typed};
use crate::bound::{Call, Expr, ExprKind, TypeMod};
use crate::oid::types;
use crate::{Oid, Result, SqlError, Value, error};

/// Where a conversion is asked for: later ones allow more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Context {
    /// In an expression.
    Implicit,
    /// To a column.
    Assignment,
    /// By a cast.
    Explicit,
}

/// How a conversion is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pathway {
    /// By a function.
    Function(Oid),
    /// By a change of type only.
    Relabel,
    /// Element by element.
    Array,
    /// Through the text forms.
    Text,
}

/// Types that stand for others in declarations of functions.
pub fn is_polymorphic(oid: Oid) -> bool {
    matches!(
        oid,
        types::ANYELEMENT
            | types::ANYARRAY
            | types::ANYNONARRAY
            | types::ANYENUM
            | types::ANYRANGE
            | types::ANYMULTIRANGE
            | types::ANYCOMPATIBLE
            | types::ANYCOMPATIBLEARRAY
            | types::ANYCOMPATIBLENONARRAY
            | types::ANYCOMPATIBLERANGE
            | types::ANYCOMPATIBLEMULTIRANGE
    )
}

impl Binder<'_> {
    /// How one type becomes another in a context.
    pub(super) fn pathway(&self, source: Oid, target: Oid, context: Context) -> Option<Pathway> {
        let source = self.base_type(source).oid;
        let target = self.base_type(target).oid;
        if source == target {
            return Some(Pathway::Relabel);
        }
        if let Some(cast) = self.catalog().cast(source, target) {
            let allowed = match cast.castcontext {
                'i' => Context::Implicit,
                'a' => Context::Assignment,
                _ => Context::Explicit,
            };
            return (context >= allowed).then(|| match cast.castmethod {
                'f' => Pathway::Function(cast.castfunc),
                'i' => Pathway::Text,
                _ => Pathway::Relabel,
            });
        }
        if target != types::OIDVECTOR
            && target != types::INT2VECTOR
            && let (Some(from), Some(to)) = (self.element_type(source), self.element_type(target))
        {
            let element = self.pathway(from, to, context);
            if element.is_some() {
                return Some(Pathway::Array);
            }
        }
        let through_text = (context >= Context::Assignment && self.category(target) == 'S')
            || (context >= Context::Explicit && self.category(source) == 'S');
        through_text.then_some(Pathway::Text)
    }

    /// Whether all of these types can become those.
    pub(super) fn can_coerce(&self, sources: &[Oid], targets: &[Oid], context: Context) -> bool {
        let mut generics = false;
        for (source, target) in sources.iter().copied().zip(targets.iter().copied()) {
            if source == target || target == types::ANY {
                continue;
            }
            if is_polymorphic(target) {
                generics = true;
                continue;
            }
            if source == types::UNKNOWN || self.pathway(source, target, context).is_some() {
                continue;
            }
            let record = (source == types::RECORD && self.composite_relation(target).is_some())
                || (target == types::RECORD && self.is_composite(source))
                || (target == types::_RECORD
                    && self.element_type(source).is_some_and(|element| self.is_composite(element)));
            if !record {
                return false;
            }
        }
        !generics || self.polymorphic_consistent(sources, targets)
    }

    pub(super) fn can_coerce_one(&self, source: Oid, target: Oid, context: Context) -> bool {
        self.can_coerce(&[source], &[target], context)
    }

    /// Converts to a type and modifier when the context allows it.
    pub(super) fn coerce_to_target(
        &mut self,
        input: Typed,
        target: TypeMod,
        context: Context,
    ) -> Result<Option<Typed>> {
        if !self.can_coerce_one(input.type_oid(), target.oid, context) {
            return Ok(None);
        }
        let typed = self.coerce(input, target, context)?;
        self.apply_modifier(typed, target, context).map(Some)
    }

    /// Converts to a type that [`Self::can_coerce`] allows; the modifier matters for intervals and cast functions only.
    pub(super) fn coerce(&mut self, input: Typed, target: TypeMod, context: Context) -> Result<Typed> {
        let source = input.type_oid();
        if source == target.oid {
            return Ok(input);
        }
        crate::interrupt::check()?;
        match target.oid {
            types::ANY
            | types::ANYELEMENT
            | types::ANYNONARRAY
            | types::ANYCOMPATIBLE
            | types::ANYCOMPATIBLENONARRAY => return Ok(input),
            polymorphic if is_polymorphic(polymorphic) && source != types::UNKNOWN => {
                let base = self.base_type(source).oid;
                return Ok(if base == source { input } else { self.relabel(input, TypeMod::plain(base)) });
            }
            _ => {}
        }
        if source == types::UNKNOWN {
            match &input.expr.kind {
                ExprKind::Constant(_) => return self.coerce_literal(input, target, context),
                ExprKind::Parameter(number) => {
                    let number = *number;
                    return self.type_parameter(input, number, target.oid);
                }
                _ => {}
            }
        }
        if let Some(pathway) = self.pathway(source, target.oid, context) {
            return self.coerce_along(input, target, pathway, context);
        }
        if source == types::UNKNOWN {
            let base = self.base_type(target.oid);
            let converted = self.via_text(input, TypeMod::plain(base.oid));
            return self.to_domain(converted, target.oid, base, context);
        }
        if source == types::RECORD && self.composite_relation(target.oid).is_some() {
            return self.record_to_composite(input, target.oid, context);
        }
        let (source_row, target_record) = (self.is_composite(source), target.oid == types::RECORD);
        if (source_row && target_record) || target.oid == types::_RECORD {
            return Ok(input);
        }
        Err(self.cannot_cast(source, target.oid, input.at))
    }

    /// `42846`.
    pub(super) fn cannot_cast(&self, source: Oid, target: Oid, at: At) -> SqlError {
        error!(CANNOT_COERCE, "cannot cast type {} to {}", self.format_type(source), self.format_type(target))
            .at(self.position(at))
    }

    fn coerce_along(
        &mut self,
        input: Typed,
        target: TypeMod,
        pathway: Pathway,
        context: Context,
    ) -> Result<Typed> {
        let mut base = self.base_type(target.oid);
        if base.oid == target.oid {
            base.modifier = target.modifier;
        }
        if pathway == Pathway::Relabel {
            let source = input.type_oid();
            let domain = self.to_domain_from(input, target.oid, base, context)?;
            return Ok(if domain.type_oid() == target.oid && source != target.oid {
                domain
            } else {
                self.relabel(domain, TypeMod::plain(target.oid))
            });
        }
        let converted = self.convert(input, base, pathway, context)?;
        self.to_domain(converted, target.oid, base, context)
    }

    /// A value that needs no conversion besides a domain's checks.
    fn to_domain_from(
        &mut self,
        input: Typed,
        target: Oid,
        base: TypeMod,
        context: Context,
    ) -> Result<Typed> {
        if base.oid == target {
            return Ok(input);
        }
        let input =
            if input.type_oid() == base.oid { input } else { self.relabel(input, TypeMod::plain(base.oid)) };
        self.to_domain(input, target, base, context)
    }

    /// Applies a domain's modifier and checks to a value of its base type.
    fn to_domain(&mut self, input: Typed, target: Oid, base: TypeMod, context: Context) -> Result<Typed> {
        if base.oid == target {
            return Ok(input);
        }
        let at = input.at;
        let limited = self.apply_modifier(input, base, context)?;
        let derived = self.derive([&limited])?;
        let typed = Typed::new(ExprKind::ToDomain(Box::new(limited.expr)), TypeMod::plain(target), at);
        Ok(self.collate_result(typed, derived))
    }

    /// A change of type only.
    pub(super) fn relabel(&self, input: Typed, target: TypeMod) -> Typed {
        let (at, strength, collation) = (input.at, input.strength, input.expr.collation);
        let mut typed = Typed::new(ExprKind::Relabel(Box::new(input.expr)), target, at);
        typed.expr.collation = collation;
        typed.strength = strength;
        let own = self.type_collation(target.oid);
        if !own.is_valid() || !collation.is_valid() {
            typed.expr.collation = own;
            typed.strength = if own.is_valid() { Strength::Implicit } else { Strength::None };
        }
        typed
    }

    fn via_text(&self, input: Typed, target: TypeMod) -> Typed {
        let at = input.at;
        self.with_type_collation(Typed::new(ExprKind::ConvertViaText(Box::new(input.expr)), target, at))
    }

    /// Converts by a function, through text, or element by element.
    fn convert(
        &mut self,
        input: Typed,
        target: TypeMod,
        pathway: Pathway,
        context: Context,
    ) -> Result<Typed> {
        let at = input.at;
        match pathway {
            Pathway::Relabel => Ok(self.relabel(input, target)),
            Pathway::Text => Ok(self.via_text(input, TypeMod::plain(target.oid))),
            Pathway::Function(function) => self.cast_call(input, function, target, context),
            Pathway::Array => {
                let source = self.base_element_type(input.type_oid()).unwrap_or(types::UNKNOWN);
                let element_target = self.element_type(target.oid).unwrap_or(types::UNKNOWN);
                let placeholder =
                    self.with_type_collation(Typed::new(ExprKind::Placeholder, TypeMod::plain(source), at));
                let element_type = TypeMod { oid: element_target, modifier: target.modifier };
                let element = self
                    .coerce_to_target(placeholder, element_type, context)?
                    .ok_or_else(|| self.cannot_cast(source, element_target, at))?;
                let derived = self.derive([&input])?;
                let kind =
                    ExprKind::ConvertArray { array: Box::new(input.expr), element: Box::new(element.expr) };
                Ok(self.collate_result(Typed::new(kind, target, at), derived))
            }
        }
    }

    /// Calls a cast function, with the modifier and the kind of cast when it takes them.
    fn cast_call(&self, input: Typed, function: Oid, target: TypeMod, context: Context) -> Result<Typed> {
        let at = input.at;
        let derived = self.derive([&input])?;
        let row = self.catalog().function(function);
        let (count, result) = row.map_or((1, target.oid), |row| (row.pronargs, row.prorettype));
        let mut arguments = vec![input.expr];
        if count >= 2 {
            let modifier = Value::Integer(i64::from(target.modifier));
            arguments.push(self.constant(modifier, TypeMod::plain(types::INT4), at).expr);
        }
        if count >= 3 {
            let explicit = Value::Integer(i64::from(context == Context::Explicit));
            arguments.push(self.constant(explicit, TypeMod::plain(types::BOOL), at).expr);
        }
        let modifier = if count >= 2 { target.modifier } else { -1 };
        let kind = ExprKind::Call(Call { function, arguments, collation: derived.collation, position: None });
        let result = if result == target.oid { result } else { target.oid };
        Ok(self.collate_result(Typed::new(kind, TypeMod { oid: result, modifier }, at), derived))
    }

    /// Applies a type's modifier by its length-coercion function.
    pub(super) fn apply_modifier(
        &mut self,
        input: Typed,
        target: TypeMod,
        context: Context,
    ) -> Result<Typed> {
        if target.modifier == input.expr.ty.modifier {
            return Ok(input);
        }
        if target.modifier >= 0 {
            if let Some(element) = self.element_type(target.oid) {
                if self.catalog().cast(element, element).is_some() {
                    return self.convert(input, target, Pathway::Array, context);
                }
            } else if let Some(cast) = self.catalog().cast(target.oid, target.oid) {
                return self.cast_call(input, cast.castfunc, target, context);
            }
        }
        Ok(self.relabel(input, TypeMod { oid: target.oid, modifier: target.modifier }))
    }

    /// Gives an untyped literal its type.
    fn coerce_literal(&mut self, input: Typed, target: TypeMod, context: Context) -> Result<Typed> {
        let base = self.base_type(target.oid);
        let at = input.at;
        let interval = base.oid == types::INTERVAL;
        let modifier = match (interval, base.oid == target.oid) {
            (true, true) => target.modifier,
            (true, false) => base.modifier,
            _ => -1,
        };
        let ty = TypeMod { oid: base.oid, modifier };
        let constant = match &input.expr.kind {
            ExprKind::Constant(Value::Text(text)) => self.typed_text(ty, text, at)?,
            _ => self.constant(Value::Null, ty, at),
        };
        self.to_domain(constant, target.oid, base, context)
    }

    /// Converts an anonymous record field by field.
    fn record_to_composite(&mut self, input: Typed, target: Oid, context: Context) -> Result<Typed> {
        let at = input.at;
        let fields: Vec<Typed> = match &input.expr.kind {
            ExprKind::Row(fields) => {
                fields.iter().map(|field| self.with_expr_collation(field.clone(), at)).collect()
            }
            _ => match self.record_shape(&input.expr) {
                Some(shape) => shape
                    .iter()
                    .enumerate()
                    .map(|(index, field)| field_of(&input.expr, index, field, at))
                    .collect(),
                None => return Err(self.cannot_cast(types::RECORD, target, at)),
            },
        };
        let base = self.base_type(target);
        let relation = self.composite_relation(target).unwrap_or_default();
        let attributes = self.catalog().attributes(relation);
        let refuse =
            |detail: String, binder: &Self| binder.cannot_cast(types::RECORD, target, at).detail(detail);
        let mut converted = Vec::with_capacity(attributes.len());
        let mut fields = fields.into_iter();
        for (index, attribute) in attributes.iter().enumerate() {
            let column = TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod };
            if attribute.attisdropped {
                converted.push(self.constant(Value::Null, TypeMod::plain(types::INT4), at).expr);
                continue;
            }
            let Some(field) = fields.next() else {
                return Err(refuse("Input has too few columns.".to_owned(), self));
            };
            let source = field.type_oid();
            match self.coerce_to_target(field, column, context)? {
                Some(field) => converted.push(field.expr),
                None => {
                    return Err(refuse(
                        format!(
                            "Cannot cast type {} to {} in column {}.",
                            self.format_type(source),
                            self.format_type(column.oid),
                            index + 1
                        ),
                        self,
                    ));
                }
            }
        }
        if fields.next().is_some() {
            return Err(refuse("Input has too many columns.".to_owned(), self));
        }
        let row = Typed::new(ExprKind::Row(converted), TypeMod::plain(base.oid), at);
        self.to_domain(row, target, base, context)
    }

    pub(super) fn with_expr_collation(&self, expr: Expr, at: At) -> Typed {
        let strength = if expr.collation.is_valid() { Strength::Implicit } else { Strength::None };
        Typed { expr, at, strength }
    }

    /// Converts a condition to boolean.
    ///
    /// # Errors
    /// `42804` when it is of another type.
    pub(super) fn coerce_to_boolean(&mut self, input: Typed, construct: &str) -> Result<Typed> {
        self.coerce_to_specific(input, types::BOOL, construct)
    }

    /// Converts to the one type that a construct takes.
    ///
    /// # Errors
    /// `42804` when there is no assignment cast, or the input is a set.
    pub(super) fn coerce_to_specific(&mut self, input: Typed, target: Oid, construct: &str) -> Result<Typed> {
        let (source, at) = (input.type_oid(), input.at);
        let returns_set = matches!(input.expr.kind, ExprKind::SetReturning(_));
        let typed = if source == target {
            input
        } else {
            self.coerce_to_target(input, TypeMod::plain(target), Context::Assignment)?.ok_or_else(|| {
                error!(
                    DATATYPE_MISMATCH,
                    "argument of {construct} must be type {}, not type {}",
                    self.format_type(target),
                    self.format_type(source)
                )
                .at(self.position(at))
            })?
        };
        if returns_set {
            return Err(error!(DATATYPE_MISMATCH, "argument of {construct} must not return a set")
                .at(self.position(at)));
        }
        Ok(typed)
    }

    /// Types a leftover literal as text.
    pub(super) fn unknown_to_text(&mut self, input: Typed) -> Result<Typed> {
        if !input.is_unknown() {
            return Ok(input);
        }
        self.coerce(input, TypeMod::plain(types::TEXT), Context::Implicit)
    }

    /// Binds `expr::type`.
    pub(super) fn cast(&mut self, input: Typed, target: TypeMod, at: At) -> Result<Typed> {
        let source = input.type_oid();
        self.coerce_to_target(input, target, Context::Explicit)?
            .ok_or_else(|| self.cannot_cast(source, target.oid, at))
    }
}

/// A field of a record, as an expression.
pub(super) fn field_of(base: &Expr, index: usize, field: &RecordField, at: At) -> Typed {
    let kind = ExprKind::Field { base: Box::new(base.clone()), field: index };
    let mut typed = Typed::new(kind, field.ty, at);
    typed.expr.collation = field.collation;
    typed.strength = if field.collation.is_valid() { Strength::Implicit } else { Strength::None };
    typed
}
