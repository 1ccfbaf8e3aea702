//! Settings of PostgreSQL's planner, which clients set and dumps contain. SQLite plans here, so none has an effect.

use super::super::definition::Context::*;
use super::super::definition::Unit::*;
use super::super::definition::{SettingDefinition, boolean, choice, integer, real};
use super::{Group, PLANS};

/// Query Tuning / Other Planner Options.
const OTHER_PLANNER_OPTIONS: &[SettingDefinition] = &[
    choice(
        "constraint_exclusion",
        User,
        "partition",
        &["partition", "on", "off"],
        "Enables the planner to use constraints to optimize queries.",
    )
    .accepted(PLANS),
    real(
        "cursor_tuple_fraction",
        User,
        0.1,
        0.0,
        1.0,
        "Sets the planner's estimate of the fraction of a cursor's rows that will be retrieved.",
    )
    .accepted(PLANS),
    integer("default_statistics_target", User, 100, 1, 10000, "Sets the default statistics target.")
        .accepted(PLANS),
    integer(
        "from_collapse_limit",
        User,
        8,
        1,
        i32::MAX,
        "Sets the FROM-list size beyond which subqueries are not collapsed.",
    )
    .accepted(PLANS),
    boolean("jit", User, false, "Allow JIT compilation.").accepted(PLANS),
    integer(
        "join_collapse_limit",
        User,
        8,
        1,
        i32::MAX,
        "Sets the FROM-list size beyond which JOIN constructs are not flattened.",
    )
    .accepted(PLANS),
    choice(
        "plan_cache_mode",
        User,
        "auto",
        &["auto", "force_generic_plan", "force_custom_plan"],
        "Controls the planner's selection of custom or generic plan.",
    )
    .accepted(PLANS),
    real(
        "recursive_worktable_factor",
        User,
        10.0,
        0.001,
        1000000.0,
        "Sets the planner's estimate of the average size of a recursive query's working table.",
    )
    .accepted(PLANS),
];

/// Query Tuning / Planner Cost Constants.
const PLANNER_COST_CONSTANTS: &[SettingDefinition] = &[
    real(
        "cpu_index_tuple_cost",
        User,
        0.005,
        0.0,
        f64::MAX,
        "Sets the planner's estimate of the cost of processing each index entry during an index scan.",
    )
    .accepted(PLANS),
    real(
        "cpu_operator_cost",
        User,
        0.0025,
        0.0,
        f64::MAX,
        "Sets the planner's estimate of the cost of processing each operator or function call.",
    )
    .accepted(PLANS),
    real(
        "cpu_tuple_cost",
        User,
        0.01,
        0.0,
        f64::MAX,
        "Sets the planner's estimate of the cost of processing each tuple (row).",
    )
    .accepted(PLANS),
    integer(
        "effective_cache_size",
        User,
        524288,
        1,
        i32::MAX,
        "Sets the planner's assumption about the total size of the data caches.",
    )
    .unit(Blocks)
    .accepted(PLANS),
    real(
        "jit_above_cost",
        User,
        100000.0,
        -1.0,
        f64::MAX,
        "Perform JIT compilation if query is more expensive.",
    )
    .accepted(PLANS),
    real(
        "jit_inline_above_cost",
        User,
        500000.0,
        -1.0,
        f64::MAX,
        "Perform JIT inlining if query is more expensive.",
    )
    .accepted(PLANS),
    real(
        "jit_optimize_above_cost",
        User,
        500000.0,
        -1.0,
        f64::MAX,
        "Optimize JIT-compiled functions if query is more expensive.",
    )
    .accepted(PLANS),
    integer(
        "min_parallel_index_scan_size",
        User,
        64,
        0,
        715827882,
        "Sets the minimum amount of index data for a parallel scan.",
    )
    .unit(Blocks)
    .accepted(PLANS),
    integer(
        "min_parallel_table_scan_size",
        User,
        1024,
        0,
        715827882,
        "Sets the minimum amount of table data for a parallel scan.",
    )
    .unit(Blocks)
    .accepted(PLANS),
    real(
        "parallel_setup_cost",
        User,
        1000.0,
        0.0,
        f64::MAX,
        "Sets the planner's estimate of the cost of starting up worker processes for parallel query.",
    )
    .accepted(PLANS),
    real(
        "parallel_tuple_cost",
        User,
        0.1,
        0.0,
        f64::MAX,
        "Sets the planner's estimate of the cost of passing each tuple (row) from worker to leader backend.",
    )
    .accepted(PLANS),
    real(
        "random_page_cost",
        User,
        4.0,
        0.0,
        f64::MAX,
        "Sets the planner's estimate of the cost of a nonsequentially fetched disk page.",
    )
    .accepted(PLANS),
    real(
        "seq_page_cost",
        User,
        1.0,
        0.0,
        f64::MAX,
        "Sets the planner's estimate of the cost of a sequentially fetched disk page.",
    )
    .accepted(PLANS),
];

/// Query Tuning / Planner Method Configuration.
const PLANNER_METHOD_CONFIGURATION: &[SettingDefinition] = &[
    boolean("enable_async_append", User, true, "Enables the planner's use of async append plans.")
        .accepted(PLANS),
    boolean("enable_bitmapscan", User, true, "Enables the planner's use of bitmap-scan plans.")
        .accepted(PLANS),
    boolean("enable_gathermerge", User, true, "Enables the planner's use of gather merge plans.")
        .accepted(PLANS),
    boolean("enable_hashagg", User, true, "Enables the planner's use of hashed aggregation plans.")
        .accepted(PLANS),
    boolean("enable_hashjoin", User, true, "Enables the planner's use of hash join plans.").accepted(PLANS),
    boolean("enable_incremental_sort", User, true, "Enables the planner's use of incremental sort steps.")
        .accepted(PLANS),
    boolean("enable_indexonlyscan", User, true, "Enables the planner's use of index-only-scan plans.")
        .accepted(PLANS),
    boolean("enable_indexscan", User, true, "Enables the planner's use of index-scan plans.").accepted(PLANS),
    boolean("enable_material", User, true, "Enables the planner's use of materialization.").accepted(PLANS),
    boolean("enable_memoize", User, true, "Enables the planner's use of memoization.").accepted(PLANS),
    boolean("enable_mergejoin", User, true, "Enables the planner's use of merge join plans.").accepted(PLANS),
    boolean("enable_nestloop", User, true, "Enables the planner's use of nested-loop join plans.")
        .accepted(PLANS),
    boolean("enable_parallel_append", User, true, "Enables the planner's use of parallel append plans.")
        .accepted(PLANS),
    boolean("enable_parallel_hash", User, true, "Enables the planner's use of parallel hash plans.")
        .accepted(PLANS),
    boolean(
        "enable_partition_pruning",
        User,
        true,
        "Enables plan-time and execution-time partition pruning.",
    )
    .accepted(PLANS),
    boolean("enable_partitionwise_aggregate", User, false, "Enables partitionwise aggregation and grouping.")
        .accepted(PLANS),
    boolean("enable_partitionwise_join", User, false, "Enables partitionwise join.").accepted(PLANS),
    boolean("enable_seqscan", User, true, "Enables the planner's use of sequential-scan plans.")
        .accepted(PLANS),
    boolean("enable_sort", User, true, "Enables the planner's use of explicit sort steps.").accepted(PLANS),
    boolean("enable_tidscan", User, true, "Enables the planner's use of TID scan plans.").accepted(PLANS),
];

/// Query Tuning / Genetic Query Optimizer.
const GENETIC_QUERY_OPTIMIZER: &[SettingDefinition] = &[
    boolean("geqo", User, true, "Enables genetic query optimization.").accepted(PLANS),
    integer(
        "geqo_effort",
        User,
        5,
        1,
        10,
        "GEQO: effort is used to set the default for other GEQO parameters.",
    )
    .accepted(PLANS),
    integer("geqo_generations", User, 0, 0, i32::MAX, "GEQO: number of iterations of the algorithm.")
        .accepted(PLANS),
    integer("geqo_pool_size", User, 0, 0, i32::MAX, "GEQO: number of individuals in the population.")
        .accepted(PLANS),
    real("geqo_seed", User, 0.0, 0.0, 1.0, "GEQO: seed for random path selection.").accepted(PLANS),
    real("geqo_selection_bias", User, 2.0, 1.5, 2.0, "GEQO: selective pressure within the population.")
        .accepted(PLANS),
    integer(
        "geqo_threshold",
        User,
        12,
        2,
        i32::MAX,
        "Sets the threshold of FROM items beyond which GEQO is used.",
    )
    .accepted(PLANS),
];

/// The groups of this file, with the category that `pg_settings` shows.
pub(super) const GROUPS: &[Group] = &[
    ("Query Tuning / Other Planner Options", OTHER_PLANNER_OPTIONS),
    ("Query Tuning / Planner Cost Constants", PLANNER_COST_CONSTANTS),
    ("Query Tuning / Planner Method Configuration", PLANNER_METHOD_CONFIGURATION),
    ("Query Tuning / Genetic Query Optimizer", GENETIC_QUERY_OPTIMIZER),
];
