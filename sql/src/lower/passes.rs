//! The passes: each rewrites one construct of PostgreSQL that SQLite lacks into constructs it has, bound tree in, bound
//! tree out. Each may rely on those above it in [`PASSES`] and on nothing below.

use super::walk::{any_expr, every_expr_mut};
use crate::bound::*;
use crate::oid::types;
use crate::{Oid, Result, SqlError, Value};

/// `pg_proc.oid` of `row_number()`.
const ROW_NUMBER: Oid = Oid(3100);
/// `pg_proc.oid` of `rank()`.
const RANK: Oid = Oid(3101);
/// `pg_proc.oid` of `int8 <= int8`.
const INT8_LESS_OR_EQUAL: Oid = Oid(471);
/// `pg_proc.oid` of `int8 = int8`.
const INT8_EQUAL: Oid = Oid(467);

/// Numbers for range table entries, selects and WITH queries that the passes add. They start above all that a binder
/// gives out.
pub(super) struct Fresh {
    next: u32,
}

impl Default for Fresh {
    fn default() -> Self {
        Self { next: 1 << 24 }
    }
}

impl Fresh {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// A new range number.
    pub(super) fn range(&mut self) -> RangeId {
        RangeId(self.number())
    }
}

/// A pass over one query; the driver calls it for every query of a statement, innermost first.
pub(super) type Pass = fn(&mut Query, &mut Fresh) -> Result<()>;

/// The passes, in order.
pub(super) const PASSES: &[Pass] =
    &[expand_grouping_sets, move_set_returning, number_distinct_on, number_set_operations, rank_ties];

/// `SELECT a, sum(b) FROM t GROUP BY ROLLUP (a)`
/// → `SELECT a, sum(b) FROM t GROUP BY a UNION ALL SELECT NULL, sum(b) FROM t`
fn expand_grouping_sets(query: &mut Query, _fresh: &mut Fresh) -> Result<()> {
    let QueryBody::Select(select) = &mut query.body else { return Ok(()) };
    if select.group_by.sets.len() <= 1 {
        if let Some(set) = select.group_by.sets.first().cloned()
            && (set.len() < select.group_by.keys.len() || uses_grouping(select))
        {
            keep_one_set(select, &set);
        }
        return Ok(());
    }
    if !select.windows.is_empty() || select.distinct != Distinct::No {
        return Err(SqlError::unsupported("GROUPING SETS together with window functions or DISTINCT"));
    }
    let columns: Vec<OutputColumn> = select
        .targets
        .iter()
        .map(|t| OutputColumn {
            name: t.name.clone(),
            ty: t.expr.ty,
            collation: t.expr.collation,
            origin: None,
        })
        .collect();
    let sets = std::mem::take(&mut select.group_by.sets);
    let mut arms = sets.iter().map(|set| {
        let mut arm = select.clone();
        keep_one_set(&mut arm, set);
        // All targets of an arm are visible to the union above it.
        arm.targets.iter_mut().for_each(|target| target.hidden = false);
        simple_query(QueryBody::Select(arm), columns.clone())
    });
    let first = arms.next().expect("there are at least two sets");
    let union = arms.fold(first, |left, right| {
        let body = QueryBody::SetOperation {
            operation: SetOperation::Union,
            all: true,
            left: Box::new(left),
            right: Box::new(right),
        };
        simple_query(body, columns.clone())
    });
    query.body = union.body;
    Ok(())
}

fn uses_grouping(select: &Select) -> bool {
    let is_grouping = |e: &Expr| matches!(e.kind, ExprKind::Grouping(_));
    select.targets.iter().any(|t| any_expr(&t.expr, &is_grouping))
        || select.having.iter().any(|e| any_expr(e, &is_grouping))
}

/// Reduces a select to one of its grouping sets: keys outside it become NULL, `GROUPING()` a constant.
fn keep_one_set(select: &mut Select, set: &[usize]) {
    let keys = std::mem::take(&mut select.group_by.keys);
    let mut replace = |expr: &mut Expr| match &expr.kind {
        ExprKind::Grouping(arguments) => {
            let bits = arguments.iter().fold(0, |bits, key| bits << 1 | i64::from(!set.contains(key)));
            expr.kind = ExprKind::Constant(Value::Integer(bits));
        }
        _ => {
            if keys.iter().enumerate().any(|(i, key)| !set.contains(&i) && key.kind == expr.kind) {
                expr.kind = ExprKind::Constant(Value::Null);
            }
        }
    };
    for target in &mut select.targets {
        outside_aggregates(&mut target.expr, &mut replace);
    }
    select.having.iter_mut().for_each(|having| outside_aggregates(having, &mut replace));
    select.group_by.keys = set.iter().map(|i| keys[*i].clone()).collect();
    select.group_by.sets = if set.is_empty() { Vec::new() } else { vec![(0..set.len()).collect()] };
    select.group_by.grouped = true;
}

/// Calls `visit` with an expression and those below it, but not with arguments of aggregates.
fn outside_aggregates(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    if matches!(expr.kind, ExprKind::Aggregate(_)) {
        return;
    }
    visit(expr);
    super::walk::children_mut(expr, &mut |child| outside_aggregates(child, visit));
}

/// `SELECT unnest(a), b FROM t` → `SELECT f.c0, t.b FROM t JOIN unnest(t.a) AS f`
/// A grouped, windowed or DISTINCT select becomes a subquery first, which computes all but the functions.
fn move_set_returning(query: &mut Query, fresh: &mut Fresh) -> Result<()> {
    let QueryBody::Select(select) = &mut query.body else { return Ok(()) };
    let returns_set = |e: &Expr| matches!(e.kind, ExprKind::SetReturning(_));
    if !select.targets.iter().any(|t| any_expr(&t.expr, &returns_set)) {
        return Ok(());
    }
    if select.group_by.grouped || !select.windows.is_empty() {
        push_below_functions(select, fresh);
    }
    let range = fresh.range();
    let mut calls: Vec<RangeFunction> = Vec::new();
    let mut failed = None;
    for target in &mut select.targets {
        every_expr_mut(&mut target.expr, &mut |expr| {
            let ExprKind::SetReturning(call) = &expr.kind else { return };
            if call
                .arguments
                .iter()
                .any(|a| any_expr(a, &|e| e.kind == ExprKind::Column { range, column: 0 }))
            {
                failed = Some(SqlError::unsupported("a set-returning function in another one's arguments"));
            }
            let column = match calls.iter().position(|f| f.call == *expr) {
                Some(known) => known,
                None => {
                    let output = OutputColumn {
                        name: "value".into(),
                        ty: expr.ty,
                        collation: expr.collation,
                        origin: None,
                    };
                    calls.push(RangeFunction { call: expr.clone(), columns: vec![output] });
                    calls.len() - 1
                }
            };
            expr.kind = ExprKind::Column { range, column };
        });
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let functions = FromItem::Functions { range, calls, ordinality: false, lateral: true };
    select.from = Some(match select.from.take() {
        None => functions,
        Some(from) => FromItem::Join {
            kind: JoinKind::Cross,
            left: Box::new(from),
            right: Box::new(functions),
            on: None,
        },
    });
    Ok(())
}

/// Makes a grouped or windowed select a subquery; what stays above are the targets with set-returning functions.
fn push_below_functions(select: &mut Select, fresh: &mut Fresh) {
    let range = fresh.range();
    let mut inner_targets: Vec<Target> = Vec::new();
    let mut outer_targets = std::mem::take(&mut select.targets);
    for target in &mut outer_targets {
        sink_operands(&mut target.expr, range, &mut inner_targets);
    }
    let distinct = std::mem::replace(&mut select.distinct, Distinct::No);
    let id = select.id;
    let mut inner = select.clone();
    inner.targets = inner_targets;
    inner.id = SelectId(fresh.number());
    let columns = target_columns(&inner.targets);
    *select = Select {
        id,
        from: Some(FromItem::Subquery {
            range,
            query: Box::new(simple_query(QueryBody::Select(Box::new(inner)), columns)),
            lateral: false,
        }),
        filter: None,
        group_by: GroupBy::default(),
        having: None,
        windows: Vec::new(),
        targets: outer_targets,
        distinct,
    };
}

/// Moves the largest expressions without set-returning functions into `below`, leaving references to them.
fn sink_operands(expr: &mut Expr, range: RangeId, below: &mut Vec<Target>) {
    if any_expr(expr, &|e| matches!(e.kind, ExprKind::SetReturning(_))) {
        super::walk::children_mut(expr, &mut |child| sink_operands(child, range, below));
    } else if !matches!(expr.kind, ExprKind::Constant(_) | ExprKind::Parameter(_)) {
        let column = below.len();
        below.push(Target { expr: expr.clone(), name: String::new(), hidden: false });
        expr.kind = ExprKind::Column { range, column };
    }
}

/// `SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b`
/// → `SELECT c0, c1 FROM (SELECT a, b, row_number() OVER (PARTITION BY a ORDER BY b)) WHERE c2 = 1 ORDER BY 1, 2`
fn number_distinct_on(query: &mut Query, fresh: &mut Fresh) -> Result<()> {
    let QueryBody::Select(select) = &mut query.body else { return Ok(()) };
    let Distinct::On(keys) = &select.distinct else { return Ok(()) };
    let keys = keys.clone();
    select.distinct = Distinct::No;
    // The window goes a level up when the select is grouped or has windows, whose results its keys may be.
    let (range, inner) = wrap(select, fresh);
    let window = Window {
        partition_by: keys.iter().map(|k| inner_column(range, &inner, *k)).collect(),
        order_by: order_keys(&query.order_by, range, &inner),
        frame: None,
    };
    numbered(query, range, inner, window, ROW_NUMBER, Expr::integer(1), INT8_EQUAL, fresh);
    Ok(())
}

/// `SELECT … FETCH FIRST 3 ROWS WITH TIES` → `SELECT … FROM (SELECT …, rank() OVER (ORDER BY …)) WHERE rank <= 3`
fn rank_ties(query: &mut Query, fresh: &mut Fresh) -> Result<()> {
    if !query.with_ties {
        return Ok(());
    }
    query.with_ties = false;
    let Some(limit) = query.limit.take() else { return Ok(()) };
    if query.offset.is_some() {
        return Err(SqlError::unsupported("OFFSET together with WITH TIES"));
    }
    let (range, inner) = match &mut query.body {
        QueryBody::Select(select) => wrap(select, fresh),
        QueryBody::SetOperation { .. } | QueryBody::Values(_) => {
            return Err(SqlError::unsupported("WITH TIES on a set operation"));
        }
    };
    let window = Window {
        partition_by: Vec::new(),
        order_by: order_keys(&query.order_by, range, &inner),
        frame: None,
    };
    numbered(query, range, inner, window, RANK, limit, INT8_LESS_OR_EQUAL, fresh);
    Ok(())
}

/// `a INTERSECT ALL b` → both arms with a number that counts equal rows, intersected, without the number; so for EXCEPT.
fn number_set_operations(query: &mut Query, fresh: &mut Fresh) -> Result<()> {
    let QueryBody::SetOperation { operation, all, left, right } = &mut query.body else { return Ok(()) };
    if !*all || *operation == SetOperation::Union {
        return Ok(());
    }
    *all = false;
    for arm in [left, right] {
        number_arm(arm, fresh);
    }
    let columns = query.columns.clone();
    let order_by = std::mem::take(&mut query.order_by);
    let (limit, offset) = (query.limit.take(), query.offset.take());
    let ctes = std::mem::take(&mut query.ctes);
    let range = fresh.range();
    let body = QueryBody::Select(Box::new(plain_select(range, query.clone(), columns.len(), fresh)));
    *query = Query { ctes, body, order_by, limit, offset, with_ties: false, locks: Vec::new(), columns };
    Ok(())
}

fn number_arm(arm: &mut Query, fresh: &mut Fresh) {
    let range = fresh.range();
    let width = arm.columns.len();
    let mut select = plain_select(range, arm.clone(), width, fresh);
    select.windows.push(Window {
        partition_by: select.targets.iter().map(|t| t.expr.clone()).collect(),
        order_by: Vec::new(),
        frame: None,
    });
    select.targets.push(Target { expr: window_call(ROW_NUMBER), name: "number".into(), hidden: false });
    let mut columns = arm.columns.clone();
    columns.push(OutputColumn {
        name: "number".into(),
        ty: TypeMod::plain(types::INT8),
        collation: Oid::INVALID,
        origin: None,
    });
    *arm = simple_query(QueryBody::Select(Box::new(select)), columns);
}

/// `SELECT c0, …, FROM (query) AS range`.
fn plain_select(range: RangeId, query: Query, width: usize, fresh: &mut Fresh) -> Select {
    let targets = query.columns[..width]
        .iter()
        .enumerate()
        .map(|(column, c)| Target {
            expr: Expr { kind: ExprKind::Column { range, column }, ty: c.ty, collation: c.collation },
            name: c.name.clone(),
            hidden: false,
        })
        .collect();
    Select {
        id: SelectId(fresh.number()),
        from: Some(FromItem::Subquery { range, query: Box::new(query), lateral: false }),
        filter: None,
        group_by: GroupBy::default(),
        having: None,
        windows: Vec::new(),
        targets,
        distinct: Distinct::No,
    }
}

/// Takes a select out of its place, to become a subquery with all its targets visible.
fn wrap(select: &mut Select, fresh: &mut Fresh) -> (RangeId, Select) {
    (fresh.range(), select.clone())
}

fn inner_column(range: RangeId, inner: &Select, column: usize) -> Expr {
    let expr = &inner.targets[column].expr;
    Expr { kind: ExprKind::Column { range, column }, ty: expr.ty, collation: expr.collation }
}

fn order_keys(keys: &[SortKey], range: RangeId, inner: &Select) -> Vec<OrderBy> {
    keys.iter()
        .map(|key| OrderBy {
            expr: inner_column(range, inner, key.target),
            descending: key.descending,
            nulls_first: key.nulls_first,
        })
        .collect()
}

/// Puts `inner` two levels down: `SELECT … FROM (SELECT *, number OVER window FROM (inner)) WHERE number op bound`.
#[allow(clippy::too_many_arguments, reason = "one use by each of two passes")]
fn numbered(
    query: &mut Query,
    range: RangeId,
    mut inner: Select,
    window: Window,
    function: Oid,
    bound: Expr,
    comparison: Oid,
    fresh: &mut Fresh,
) {
    let hidden: Vec<bool> = inner.targets.iter().map(|t| t.hidden).collect();
    let names: Vec<String> = inner.targets.iter().map(|t| t.name.clone()).collect();
    inner.targets.iter_mut().for_each(|t| t.hidden = false);
    let width = inner.targets.len();
    let columns = target_columns(&inner.targets);
    let mut middle =
        plain_select(range, simple_query(QueryBody::Select(Box::new(inner)), columns), width, fresh);
    middle.windows.push(window);
    middle.targets.push(Target { expr: window_call(function), name: "number".into(), hidden: false });
    let outer_range = fresh.range();
    let columns = target_columns(&middle.targets);
    let mut outer =
        plain_select(outer_range, simple_query(QueryBody::Select(Box::new(middle)), columns), width, fresh);
    for ((target, hidden), name) in outer.targets.iter_mut().zip(hidden).zip(names) {
        target.hidden = hidden;
        target.name = name;
    }
    let number = Expr {
        kind: ExprKind::Column { range: outer_range, column: width },
        ty: TypeMod::plain(types::INT8),
        collation: Oid::INVALID,
    };
    outer.filter = Some(Expr {
        kind: ExprKind::Call(Call {
            function: comparison,
            arguments: vec![number, bound],
            collation: Oid::INVALID,
            position: None,
        }),
        ty: TypeMod::plain(types::BOOL),
        collation: Oid::INVALID,
    });
    query.body = QueryBody::Select(Box::new(outer));
}

fn window_call(function: Oid) -> Expr {
    Expr {
        kind: ExprKind::Window(Box::new(WindowCall {
            function,
            arguments: Vec::new(),
            filter: None,
            window: 0,
            collation: Oid::INVALID,
        })),
        ty: TypeMod::plain(types::INT8),
        collation: Oid::INVALID,
    }
}

fn target_columns(targets: &[Target]) -> Vec<OutputColumn> {
    targets
        .iter()
        .map(|t| OutputColumn {
            name: t.name.clone(),
            ty: t.expr.ty,
            collation: t.expr.collation,
            origin: None,
        })
        .collect()
}

fn simple_query(body: QueryBody, columns: Vec<OutputColumn>) -> Query {
    Query {
        ctes: Vec::new(),
        body,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        locks: Vec::new(),
        columns,
    }
}

impl Expr {
    /// An int8 constant.
    fn integer(value: i64) -> Self {
        Self {
            kind: ExprKind::Constant(Value::Integer(value)),
            ty: TypeMod::plain(types::INT8),
            collation: Oid::INVALID,
        }
    }
}

/// Runs all passes over every query of a statement.
pub(super) fn run(statement: &mut Statement) -> Result<()> {
    let mut fresh = Fresh::default();
    let mut failed = Ok(());
    let mut visit = |query: &mut Query| {
        if failed.is_ok() {
            failed = PASSES.iter().try_for_each(|pass| pass(query, &mut fresh));
        }
    };
    match statement {
        Statement::Query(query) => modify_or_query(query, &mut visit),
        Statement::Modify(modify) => modify_queries(modify, &mut visit),
    }
    failed
}

fn modify_or_query(query: &mut Query, visit: &mut dyn FnMut(&mut Query)) {
    for cte in &mut query.ctes {
        if let CteBody::Modify(modify) = &mut cte.body {
            modify_queries(modify, visit);
        }
    }
    super::walk::every_query_mut(query, visit);
}

fn modify_queries(modify: &mut Modify, visit: &mut dyn FnMut(&mut Query)) {
    // Queries in expressions, then those that stand in WITH, the source and FROM.
    super::walk::modify_exprs_mut(modify, &mut |expr| {
        if let ExprKind::Subquery(subquery) = &mut expr.kind {
            super::walk::direct_queries_mut(&mut subquery.query, visit);
        }
    });
    for cte in &mut modify.ctes {
        match &mut cte.body {
            CteBody::Query(query) => super::walk::direct_queries_mut(query, visit),
            CteBody::Modify(inner) => modify_direct(inner, visit),
        }
    }
    modify_direct(modify, visit);
}

/// The queries of a data-modifying statement outside expressions and WITH.
fn modify_direct(modify: &mut Modify, visit: &mut dyn FnMut(&mut Query)) {
    match &mut modify.action {
        ModifyAction::Insert { source, .. } => super::walk::direct_queries_mut(source, visit),
        ModifyAction::Update { from: item, .. } | ModifyAction::Delete { using: item, .. } => {
            item.iter_mut().for_each(|item| super::walk::from_queries_mut(item, visit));
        }
        ModifyAction::Merge { source, .. } => super::walk::from_queries_mut(source, visit),
    }
}
