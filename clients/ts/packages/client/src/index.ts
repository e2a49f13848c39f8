/**
 * The TopGun client for browsers, and for Node.
 *
 * @packageDocumentation
 */
export { platform } from './browser.js';
export { TopGunClient } from './client.js';
export { CoreClient, type Status, type TopGunClientOptions } from './core-client.js';
export type { CounterHandle } from './counter.js';
export type { Channel, Environment, Key, Locks, Socket, SocketEvents, Storage } from './environment.js';
export { TopGunError, type ErrorCode, type Reason, type RefusedOperation } from './errors.js';
export type { WriteOptions } from './handle.js';
export { IndexedDBStorage } from './indexeddb.js';
export type { Connection, TokenProvider } from './link.js';
export type { MapChange, MapHandle } from './map.js';
export { MemoryStorage } from './memory.js';
export type { ORMapHandle } from './ormap.js';
export type { QueryOncePagedResult } from './queries.js';
export type { PaginationInfo, QueryFilter, QueryHandle, QueryResultItem, ResultMeta, RowChange, Selection } from './query.js';
export type { TopicCallback, TopicContext, TopicHandle } from './topic.js';
export type { Write, WriteState } from './write.js';
export { all, any, conditions, not, query } from '@topgun/core';
