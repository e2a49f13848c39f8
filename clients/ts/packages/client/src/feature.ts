import type { Clock, ServerMessage } from '@topgun/core';
import type { Disk } from './disk.js';
import type { Environment } from './environment.js';
import type { TopGunError } from './errors.js';
import type { Flusher } from './flush.js';
import type { Link } from './link.js';
import type { Op, OpLog } from './oplog.js';
import type { AnyReplica, Replicas } from './replicas.js';
import type { Syncs } from './syncs.js';
import type { Tabs } from './tabs.js';

/** The parts of a client. They are put together once, in its constructor, before anything happens. */
export interface Parts {
  readonly env: Environment;
  readonly clock: Clock;
  readonly flusher: Flusher;
  readonly disk: Disk;
  readonly log: OpLog;
  readonly replicas: Replicas;
  readonly link: Link;
  readonly syncs: Syncs;
  readonly tabs: Tabs;
  readonly events: Events;
  /** Refuses operations that cannot be taken. */
  admit(operations: number, bytes: number): void;
  /** Takes operations that were admitted. */
  write(ops: readonly Op[]): void;
}

/** What the parts tell the client, which tells the others. */
export interface Events {
  /** The status may have changed. */
  changed(): void;
  /** Something went wrong that belongs to no call. */
  report(err: unknown): void;
  /** A connection is ready, or the one that was is gone. */
  attached(): void;
  detached(): void;
  message(m: ServerMessage): void;
  /** The server gave this installation another credential. */
  device(token: string): void;
  /** Something is about to be stored. */
  storing(): void;
  /** What is stored of a map has been read. */
  loaded(r: AnyReplica): void;
  /** Whether the whole of a map is here has changed. */
  moved(r: AnyReplica): void;
  /** The server has acknowledged an operation. */
  acknowledged(op: Op): void;
  /** It has refused one for good, and the log has forgotten it. */
  refused(op: Op, error: TopGunError): void;
  /** Takes over the operations that a client which is gone has left, by their ids; resolves when they are stored. */
  adopt(namespace: string, left: readonly (readonly [number, Op | undefined])[]): Promise<unknown>;
  /** Another client of the storage has something to say. */
  told(message: { readonly [name: string]: unknown }): void;
}

/** Something that a client can do besides its maps. Each method is called when what it says has happened. */
export interface Feature {
  /** What is stored can be read; namespace is the name under which this client writes, and no other at the same time. */
  start?(namespace: string, meta: ReadonlyMap<unknown, unknown>): void;
  attached?(): void;
  detached?(): void;
  receive?(m: ServerMessage): void;
  /** Another client of the storage has told something that is about no map. */
  told?(message: { readonly [name: string]: unknown }): void;
  /** The server has answered a write of the key, or it was taken back. */
  answered?(map: string, key: string): void;
  moved?(r: AnyReplica): void;
  /** How many of its writes the server has not answered. */
  readonly waiting?: number;
}
