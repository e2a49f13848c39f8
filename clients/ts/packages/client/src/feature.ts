import type { ServerMessage } from '@topgun/core';
import type { Disk } from './disk.js';
import type { Environment } from './environment.js';
import type { Flusher } from './flush.js';
import type { Link } from './link.js';
import type { OpLog } from './oplog.js';
import type { AnyReplica, Replicas } from './replicas.js';

/** What the parts of a client have in common. */
export interface Parts {
  readonly env: Environment;
  readonly link: Link;
  readonly log: OpLog;
  readonly disk: Disk;
  readonly replicas: Replicas;
  readonly flusher: Flusher;
  /** Whether a replica is kept equal to the server's map. */
  follows(r: AnyReplica): boolean;
  /** Tells the other clients of the storage. */
  tell(message: unknown): void;
  /** The status may have changed. */
  changed(): void;
}

/** Something that a client can do besides maps. Each method is called when what it says has happened. */
export interface Feature {
  /** What is stored can be read; namespace is the name under which this client writes, and no other at the same time. */
  start?(namespace: string): void;
  attached?(): void;
  detached?(): void;
  /** A message has come that is about no map. */
  receive?(m: ServerMessage): void;
  /** Another client of the storage has told something. */
  told?(message: { readonly [name: string]: unknown }): void;
  /** The server has answered a write of the key, or it was taken back. */
  answered?(map: string, key: string): void;
  /** Whether the whole of a map is here has changed. */
  moved?(r: AnyReplica): void;
  /** How many of its writes the server has not answered. */
  readonly waiting?: number;
}
