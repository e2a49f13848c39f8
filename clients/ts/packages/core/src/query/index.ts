/**
 * Queries over records that are here already, with the results that a server has.
 *
 * - `query<T>()` and `conditions<T>()` build queries whose attributes, operators and values the compiler knows.
 * - plan checks a query; LiveRows keeps its result while records change; runQuery is for once.
 * - compileRegex and groupRows are handed to plan where queries may have regular expressions or groups, so that nobody
 *   else loads them.
 */
export { all, any, conditions, not, query, QueryBuilder, GroupBuilder } from './build.js';
export type { Condition, GroupOf, Operand, OperatorOf, Path, PathValue, Selected, TypedQuery } from './build.js';
export { counterDocument, setDocument, type Document } from './document.js';
export { groupRows } from './group.js';
export { LiveRows, runQuery, type Entry } from './live.js';
export { compareValues } from './order.js';
export { attributeOf, keyAttribute, lookup, project } from './path.js';
export { compilePredicate, compileWhere, QueryError, type Comparison, type Predicate, type Test } from './predicate.js';
export { maxRows, plan, type Aggregation, type Environment, type Group, type Grouping, type Plan, type Query, type Row, type SortField } from './query.js';
export { compileRegex } from './regex.js';
