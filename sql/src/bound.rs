//! The bound tree: what a statement means once every name is resolved and every expression has a type.
//!
//! The binder makes it, the passes of `lower` transform it, the emitter writes it as SQLite text. Nothing after the
//! binder looks a name up. It is PostgreSQL's own `Query` in small: operators and casts have become function calls,
//! `USING` columns expressions, views subqueries, and each range table entry has a number that is unique in the whole
//! statement, so that a column reference from any depth needs no "levels up".
//!
//! Source: `src/include/nodes/parsenodes.h`, `src/include/nodes/primnodes.h`.

use std::collections::HashMap;
use std::sync::Arc;

use storage::Value;

use crate::Oid;

/// A type with its modifier (`numeric(10,2)`: the type 1700 and 655366).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeMod {
    /// `pg_type.oid`.
    pub oid: Oid,
    /// The modifier, -1 for none.
    pub modifier: i32,
}

impl TypeMod {
    /// The type without a modifier.
    pub const fn plain(oid: Oid) -> Self {
        Self { oid, modifier: -1 }
    }
}

/// The number of a range table entry: one FROM item; unique in a whole statement, nested queries included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RangeId(pub u32);

/// An expression with its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// The type of its result.
    pub ty: TypeMod,
    /// The collation of its result (`pg_collation.oid`), zero for types that have none.
    pub collation: Oid,
}

/// What an expression computes.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A constant in storage form (see `types`).
    Constant(Value),
    /// A parameter of the statement, from 1.
    Parameter(usize),
    /// A column of a range table entry: position from 0 in that entry's columns (for relations: `attnum - 1`).
    Column {
        /// The entry.
        range: RangeId,
        /// The column's position in it.
        column: usize,
    },
    /// The whole row of a range table entry, as a composite value.
    WholeRow(RangeId),
    /// A system column of a relation (`ctid`, `tableoid`, `xmin`, …) by its negative attribute number.
    SystemColumn {
        /// The entry.
        range: RangeId,
        /// `pg_attribute.attnum`, below zero.
        attnum: i16,
    },
    /// A call of an ordinary function, operator or cast function, by `pg_proc.oid`.
    Call(Call),
    /// A conversion through the types' text forms (`CoerceViaIO`).
    ConvertViaText(Box<Expr>),
    /// A change of type that leaves the stored value as it is (`RelabelType`).
    Relabel(Box<Expr>),
    /// A conversion to a domain: checks its constraints.
    ToDomain(Box<Expr>),
    /// A conversion of each element of an array: `element` is applied to [`ExprKind::Placeholder`].
    ConvertArray {
        /// The array.
        array: Box<Expr>,
        /// What is done with each element.
        element: Box<Expr>,
    },
    /// The element that an enclosing [`ExprKind::ConvertArray`] is at, or the value of a `CASE x WHEN`, or `VALUE` in a
    /// domain's check.
    Placeholder,
    /// `a AND b AND …`.
    And(Vec<Expr>),
    /// `a OR b OR …`.
    Or(Vec<Expr>),
    /// `NOT a`.
    Not(Box<Expr>),
    /// `a IS [NOT] NULL`; of a composite value: of all its fields.
    IsNull {
        /// What is tested.
        operand: Box<Expr>,
        /// Whether it is `IS NOT NULL`.
        negated: bool,
    },
    /// `a IS [NOT] TRUE | FALSE | UNKNOWN`: `expected` is what it is compared with, `None` for UNKNOWN.
    IsTruth {
        /// What is tested.
        operand: Box<Expr>,
        /// TRUE, FALSE or UNKNOWN.
        expected: Option<bool>,
        /// Whether it is `IS NOT`.
        negated: bool,
    },
    /// `a IS [NOT] DISTINCT FROM b`: the call is the equality operator's.
    IsDistinct {
        /// The call of `=` with both operands.
        equality: Call,
        /// Whether it is `IS NOT DISTINCT FROM`.
        negated: bool,
    },
    /// `CASE [operand] WHEN … THEN … ELSE … END`. With an operand the conditions compare [`ExprKind::Placeholder`] with
    /// their value.
    Case {
        /// The value of `CASE x`, evaluated once.
        operand: Option<Box<Expr>>,
        /// Condition and result of each arm.
        arms: Vec<(Expr, Expr)>,
        /// The result when no condition holds; NULL when absent.
        otherwise: Option<Box<Expr>>,
    },
    /// `COALESCE(a, b, …)`.
    Coalesce(Vec<Expr>),
    /// `NULLIF(a, b)`: the call of `=` with both operands.
    NullIf(Call),
    /// `GREATEST` or `LEAST`; `less` is the type's `<` function.
    Extreme {
        /// Whether it is `GREATEST`.
        greatest: bool,
        /// The `<` function of the common type.
        less: Oid,
        /// The operands, of one type.
        operands: Vec<Expr>,
    },
    /// `ARRAY[a, b, …]`; with `nested`, the elements are arrays that become a further dimension.
    Array {
        /// The elements, all of the element type (or of the array type when nested).
        elements: Vec<Expr>,
        /// Whether this is a multidimensional `ARRAY[[…], […]]`.
        nested: bool,
    },
    /// `ROW(a, b, …)`.
    Row(Vec<Expr>),
    /// `(a, b) op (c, d)` for `<`, `<=`, `>`, `>=` ( `=` and `<>` become AND and OR): the column-wise operators decide.
    RowCompare {
        /// `<`, `<=`, `>` or `>=`.
        comparison: RowComparison,
        /// The left row.
        left: Vec<Expr>,
        /// The right row.
        right: Vec<Expr>,
        /// For each column its `=` and its `<` (or `>`) function.
        operators: Vec<(Oid, Oid)>,
    },
    /// `a[1]`, `a[1][2]`, `a[1:2]`; also `int2vector` and `oidvector` (0-based) and `jsonb` subscripts.
    Subscript {
        /// What is subscripted.
        base: Box<Expr>,
        /// The subscripts.
        subscripts: Vec<Subscript>,
    },
    /// `base` with what `subscripts` name replaced: `UPDATE … SET a[1] = value`.
    AssignSubscript {
        /// The value before; NULL counts as empty.
        base: Box<Expr>,
        /// What is replaced.
        subscripts: Vec<Subscript>,
        /// What it is replaced by: an element, or an array for a slice.
        value: Box<Expr>,
    },
    /// A composite value with one field replaced: `UPDATE … SET c.f = value`.
    AssignField {
        /// The value before; NULL counts as a row of NULLs.
        base: Box<Expr>,
        /// The field's position.
        field: usize,
        /// The field's new value.
        value: Box<Expr>,
    },
    /// `(row).field`, by position from 0.
    Field {
        /// The composite value.
        base: Box<Expr>,
        /// The field's position.
        field: usize,
    },
    /// `scalar op ANY (array)` or `scalar op ALL (array)`.
    ArrayCompare {
        /// The operator's function.
        function: Oid,
        /// Whether one match suffices.
        any: bool,
        /// The left operand.
        scalar: Box<Expr>,
        /// The array.
        array: Box<Expr>,
    },
    /// A subquery used as an expression.
    Subquery(Box<SubqueryExpr>),
    /// An aggregate of the query that the ranges in its arguments belong to.
    Aggregate(Box<AggregateCall>),
    /// A window function, or an aggregate with OVER.
    Window(Box<WindowCall>),
    /// A set-returning function in the select list (moved to FROM by a pass).
    SetReturning(Call),
    /// `GROUPING(a, b)`: indexes into the select's grouping columns.
    Grouping(Vec<usize>),
    /// `CURRENT_DATE`, `CURRENT_USER`, … as calls of these built-in functions, which have no `pg_proc` row.
    SqlValue(SqlValue),
    /// `DEFAULT` in VALUES or SET, before the target column's default has taken its place.
    Default,
    /// `excluded.column` in ON CONFLICT, by position.
    Excluded(usize),
}

/// The order comparisons of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RowComparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The functions that SQL spells as keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum SqlValue {
    CurrentDate,
    CurrentTime,
    CurrentTimestamp,
    LocalTime,
    LocalTimestamp,
    CurrentUser,
    SessionUser,
    CurrentCatalog,
    CurrentSchema,
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `pg_proc.oid`.
    pub function: Oid,
    /// The arguments, converted to the function's declared types; polymorphic ones have their actual type. Defaults are
    /// filled in. The elements of a VARIADIC parameter have become one array.
    pub arguments: Vec<Expr>,
    /// The collation to compare by (`pg_collation.oid`), zero for none.
    pub collation: Oid,
    /// Where the call stands in the query text, in characters from 1, for errors at run time.
    pub position: Option<usize>,
}

/// One subscript of `a[…]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// `[i]`.
    Index(Expr),
    /// `[lower:upper]`, either absent.
    Slice(Option<Expr>, Option<Expr>),
}

/// A subquery used as an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct SubqueryExpr {
    /// How it is used.
    pub kind: SubqueryKind,
    /// The query.
    pub query: Query,
}

/// How a subquery is used as an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum SubqueryKind {
    /// `(SELECT …)`: at most one row (21000), one column; NULL for no row.
    Scalar,
    /// `EXISTS (SELECT …)`.
    Exists,
    /// `ARRAY(SELECT …)`.
    Array,
    /// `row op ANY|ALL (SELECT …)`; `IN` is `= ANY`, `NOT IN` its negation.
    Compare {
        /// Whether one match suffices.
        any: bool,
        /// The left operands, one for each column.
        left: Vec<Expr>,
        /// The test of one row: an expression over `left`'s clones and [`ExprKind::Column`]s of `range`, which stands
        /// for the subquery's output.
        test: Box<Expr>,
        /// The range number by which `test` names the subquery's columns.
        range: RangeId,
    },
}

/// A call of an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    /// `pg_proc.oid`.
    pub function: Oid,
    /// The arguments; empty for `count(*)`.
    pub arguments: Vec<Expr>,
    /// The direct arguments of an ordered-set aggregate.
    pub direct: Vec<Expr>,
    /// `DISTINCT` inside the call.
    pub distinct: bool,
    /// `ORDER BY` inside the call, or in WITHIN GROUP.
    pub order_by: Vec<OrderBy>,
    /// `FILTER (WHERE …)`.
    pub filter: Option<Expr>,
    /// The collation to compare by.
    pub collation: Oid,
    /// The select to which it belongs, by that select's number (an aggregate whose arguments are all outer columns
    /// belongs to the outer query).
    pub level: SelectId,
}

/// The number of a [`Select`], unique in a whole statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SelectId(pub u32);

/// A call of a window function.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCall {
    /// `pg_proc.oid`: a window function or an aggregate.
    pub function: Oid,
    /// The arguments.
    pub arguments: Vec<Expr>,
    /// `FILTER (WHERE …)`.
    pub filter: Option<Expr>,
    /// The window, an index into [`Select::windows`].
    pub window: usize,
    /// The collation to compare by.
    pub collation: Oid,
}

/// A window: `PARTITION BY … ORDER BY … frame`.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// What divides the rows.
    pub partition_by: Vec<Expr>,
    /// What orders them.
    pub order_by: Vec<OrderBy>,
    /// The frame; the default one when absent.
    pub frame: Option<Frame>,
}

/// A window's frame.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub struct Frame {
    pub unit: FrameUnit,
    pub start: FrameBound,
    pub end: FrameBound,
    pub exclude: FrameExclude,
}

/// What a frame counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum FrameUnit {
    Rows,
    Range,
    Groups,
}

/// Where a frame begins or ends.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum FrameBound {
    UnboundedPreceding,
    Preceding(Box<Expr>),
    CurrentRow,
    Following(Box<Expr>),
    UnboundedFollowing,
}

/// What a frame leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum FrameExclude {
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

/// One key of an ORDER BY inside an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBy {
    /// What is ordered by.
    pub expr: Expr,
    /// Whether downwards.
    pub descending: bool,
    /// Whether NULLs come first (already resolved: the default is first when descending).
    pub nulls_first: bool,
}

/// A query: what SELECT, VALUES, TABLE and set operations become.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// WITH, in order.
    pub ctes: Vec<Cte>,
    /// What gives the rows.
    pub body: QueryBody,
    /// ORDER BY, by positions in the targets of the body (hidden ones included).
    pub order_by: Vec<SortKey>,
    /// LIMIT or FETCH FIRST, an int8; NULL for no limit.
    pub limit: Option<Expr>,
    /// OFFSET, an int8.
    pub offset: Option<Expr>,
    /// FETCH FIRST … WITH TIES.
    pub with_ties: bool,
    /// FOR UPDATE and its kin.
    pub locks: Vec<RowLock>,
    /// The visible columns.
    pub columns: Vec<OutputColumn>,
}

/// A visible column of a query's result.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: TypeMod,
    /// Its collation.
    pub collation: Oid,
    /// The table and `attnum` it comes from unchanged, for RowDescription.
    pub origin: Option<(Oid, i16)>,
}

/// What gives a query's rows.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryBody {
    /// SELECT.
    Select(Box<Select>),
    /// UNION, INTERSECT, EXCEPT. The arms' columns have been converted to common types.
    SetOperation {
        /// Which.
        operation: SetOperation,
        /// Whether duplicates stay.
        all: bool,
        /// The left arm.
        left: Box<Query>,
        /// The right arm.
        right: Box<Query>,
    },
    /// VALUES: rows of equal length and types.
    Values(Vec<Vec<Expr>>),
}

/// The set operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum SetOperation {
    Union,
    Intersect,
    Except,
}

/// A key of a query's ORDER BY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The target's position.
    pub target: usize,
    /// Whether downwards.
    pub descending: bool,
    /// Whether NULLs come first.
    pub nulls_first: bool,
}

/// One SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Its number.
    pub id: SelectId,
    /// FROM; the items of a comma list have become cross joins. Absent: one row without columns.
    pub from: Option<FromItem>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// GROUP BY.
    pub group_by: GroupBy,
    /// HAVING.
    pub having: Option<Expr>,
    /// WINDOW, and those written inline.
    pub windows: Vec<Window>,
    /// The select list, then hidden targets which only ORDER BY, DISTINCT ON or the host needs.
    pub targets: Vec<Target>,
    /// DISTINCT.
    pub distinct: Distinct,
}

/// GROUP BY.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct GroupBy {
    /// The distinct grouping expressions.
    pub keys: Vec<Expr>,
    /// The grouping sets, each a list of positions in `keys`; one with all of them for a plain GROUP BY. Empty when
    /// there is no GROUP BY.
    pub sets: Vec<Vec<usize>>,
    /// Whether the select is grouped at all: it has GROUP BY, HAVING or an aggregate.
    pub grouped: bool,
}

/// DISTINCT.
#[derive(Clone, Debug, PartialEq)]
pub enum Distinct {
    /// All rows.
    No,
    /// One of each.
    All,
    /// DISTINCT ON these targets.
    On(Vec<usize>),
}

/// One item of a select list.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// What it computes.
    pub expr: Expr,
    /// Its name in the output.
    pub name: String,
    /// Whether the client does not see it.
    pub hidden: bool,
}

/// An item of FROM.
#[derive(Clone, Debug, PartialEq)]
pub enum FromItem {
    /// A table, a catalog relation, a sequence.
    Relation {
        /// Its number.
        range: RangeId,
        /// `pg_class.oid`.
        relation: Oid,
    },
    /// A subquery or an expanded view.
    Subquery {
        /// Its number.
        range: RangeId,
        /// The query.
        query: Box<Query>,
        /// Whether it refers to items left of it.
        lateral: bool,
    },
    /// A reference to a WITH query.
    Cte {
        /// Its number.
        range: RangeId,
        /// Which.
        cte: CteId,
    },
    /// One or more set-returning functions, in step (`ROWS FROM`); more than one or `ordinality`: zipped with NULLs.
    Functions {
        /// Its number.
        range: RangeId,
        /// The calls; each gives the next columns.
        calls: Vec<RangeFunction>,
        /// Whether a last column counts the rows.
        ordinality: bool,
        /// Whether the arguments refer to items left of it.
        lateral: bool,
    },
    /// A join. For `Right` and `Full`, too, `left` and `right` are as written.
    Join {
        /// Which.
        kind: JoinKind,
        /// The left side.
        left: Box<FromItem>,
        /// The right side.
        right: Box<FromItem>,
        /// The condition; absent for a cross join.
        on: Option<Expr>,
    },
}

impl FromItem {
    /// The numbers of all items, those of joins in their place, as written.
    pub fn ranges(&self) -> Vec<RangeId> {
        match self {
            Self::Relation { range, .. }
            | Self::Subquery { range, .. }
            | Self::Cte { range, .. }
            | Self::Functions { range, .. } => vec![*range],
            Self::Join { left, right, .. } => [left.ranges(), right.ranges()].concat(),
        }
    }

    /// The item with this number, and whether an outer join may give a row without one of it.
    pub fn find(&self, wanted: RangeId) -> Option<(&Self, bool)> {
        match self {
            Self::Relation { range, .. }
            | Self::Subquery { range, .. }
            | Self::Cte { range, .. }
            | Self::Functions { range, .. } => (*range == wanted).then_some((self, false)),
            Self::Join { kind, left, right, .. } => {
                let inside = |side: &'_ Self| side.find(wanted).map(|(_, nullable)| nullable);
                let (side, nullable) = match (inside(left), inside(right)) {
                    (Some(nullable), _) => {
                        (left, nullable || matches!(kind, JoinKind::Right | JoinKind::Full))
                    }
                    (None, Some(nullable)) => {
                        (right, nullable || matches!(kind, JoinKind::Left | JoinKind::Full))
                    }
                    (None, None) => return None,
                };
                side.find(wanted).map(|(item, _)| (item, nullable))
            }
        }
    }
}

/// A function in FROM with the columns it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeFunction {
    /// The call: an `ExprKind::SetReturning` or, for a function of one row, any expression.
    pub call: Expr,
    /// The columns: one for a scalar result, several for a composite one.
    pub columns: Vec<OutputColumn>,
}

/// The joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

/// The number of a WITH query, unique in a whole statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CteId(pub u32);

/// One query of a WITH list.
#[derive(Clone, Debug, PartialEq)]
pub struct Cte {
    /// Its number.
    pub id: CteId,
    /// Its name, for EXPLAIN and errors.
    pub name: String,
    /// Its columns.
    pub columns: Vec<OutputColumn>,
    /// What it runs.
    pub body: CteBody,
    /// `MATERIALIZED` or `NOT MATERIALIZED`, when said.
    pub materialized: Option<bool>,
    /// Whether it refers to itself.
    pub recursive: bool,
}

/// What a WITH query runs.
#[derive(Clone, Debug, PartialEq)]
pub enum CteBody {
    /// A query.
    Query(Box<Query>),
    /// INSERT, UPDATE, DELETE or MERGE, with what RETURNING gives.
    Modify(Box<Modify>),
}

/// FOR UPDATE and its kin.
#[derive(Clone, Debug, PartialEq)]
pub struct RowLock {
    /// How strong.
    pub strength: LockStrength,
    /// What to do about rows that others hold.
    pub wait: LockWait,
    /// The relations whose rows are locked.
    pub ranges: Vec<RangeId>,
}

/// The strengths of row locks, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum LockStrength {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

/// What to do about rows that others hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum LockWait {
    Block,
    SkipLocked,
    NoWait,
}

/// INSERT, UPDATE, DELETE or MERGE.
#[derive(Clone, Debug, PartialEq)]
pub struct Modify {
    /// WITH, in order.
    pub ctes: Vec<Cte>,
    /// The table that is changed (`pg_class.oid`).
    pub target: Oid,
    /// The range number of the target's row.
    pub range: RangeId,
    /// What is done.
    pub action: ModifyAction,
    /// RETURNING, evaluated over the new row (for DELETE the old one) and the other ranges.
    pub returning: Vec<Target>,
    /// The columns that RETURNING gives; empty without one.
    pub columns: Vec<OutputColumn>,
}

/// What is done to the target.
#[derive(Clone, Debug, PartialEq)]
pub enum ModifyAction {
    /// INSERT: each row of `source` gives a whole new row of the table: one target for every column of the table in
    /// order, defaults filled in and converted to the columns' types. Generated columns are computed from the row.
    Insert {
        /// The rows.
        source: Box<Query>,
        /// ON CONFLICT.
        on_conflict: Option<OnConflict>,
        /// Attribute positions (from 0) that the statement names, for privileges and messages.
        named: Vec<usize>,
    },
    /// UPDATE of the rows of `from` joined with the target that satisfy `filter`.
    Update {
        /// The other items of FROM.
        from: Option<FromItem>,
        /// WHERE.
        filter: Option<Expr>,
        /// Column positions and their new values, converted to the columns' types.
        assignments: Vec<(usize, Expr)>,
    },
    /// DELETE of the rows of the target, joined with `using`, that satisfy `filter`.
    Delete {
        /// The items of USING.
        using: Option<FromItem>,
        /// WHERE.
        filter: Option<Expr>,
    },
    /// MERGE.
    Merge {
        /// The source.
        source: Box<FromItem>,
        /// ON.
        on: Expr,
        /// WHEN clauses, in order.
        clauses: Vec<MergeClause>,
    },
}

/// A WHEN clause of MERGE.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeClause {
    /// Whether it is for rows that match.
    pub matched: bool,
    /// AND ….
    pub condition: Option<Expr>,
    /// What is done; absent for DO NOTHING.
    pub action: Option<MergeAction>,
}

/// What a WHEN clause of MERGE does.
#[derive(Clone, Debug, PartialEq)]
pub enum MergeAction {
    /// INSERT: a value for every column of the table, in order.
    Insert(Vec<Expr>),
    /// UPDATE SET.
    Update(Vec<(usize, Expr)>),
    /// DELETE.
    Delete,
}

/// ON CONFLICT.
#[derive(Clone, Debug, PartialEq)]
pub struct OnConflict {
    /// The unique indexes (`pg_class.oid`) that arbitrate; empty: any.
    pub arbiters: Vec<Oid>,
    /// DO UPDATE SET assignments and WHERE; absent for DO NOTHING. They refer to the existing row by the target's range
    /// and to the proposed one by [`ExprKind::Excluded`].
    pub update: Option<(Vec<(usize, Expr)>, Option<Expr>)>,
}

/// A bound statement that runs through the planner.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// A query.
    Query(Box<Query>),
    /// A data-modifying statement.
    Modify(Box<Modify>),
}

/// A bound statement with its parameters.
#[derive(Clone, Debug)]
pub struct BoundStatement {
    /// What it does.
    pub statement: Arc<Statement>,
    /// The types of `$1`, `$2`, ….
    pub parameters: Vec<Oid>,
    /// The views whose queries stand in the statement.
    pub views: Vec<ViewUse>,
    /// The functions in language SQL whose queries stand in the statement.
    pub inlined: Vec<Oid>,
    /// The columns of ranges whose whole rows are anonymous records.
    pub records: RecordColumns,
}

/// Names and types of the columns of ranges that are of no declared type.
pub type RecordColumns = Arc<HashMap<RangeId, Vec<(String, Oid)>>>;

/// Where a view's query stands in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewUse {
    /// The view (`pg_class.oid`).
    pub relation: Oid,
    /// The range that stands for the view: the subquery; where the view is changed, its table.
    pub range: RangeId,
    /// The first and the last range of its query.
    pub ranges: (RangeId, RangeId),
}

impl ViewUse {
    /// Whether a range is part of the view's query.
    pub fn covers(&self, range: RangeId) -> bool {
        self.ranges.0 <= range && range <= self.ranges.1
    }
}
