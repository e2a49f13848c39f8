import type { messages } from '@topgun/core';
import type { Disk } from './disk.js';
import type { Environment } from './environment.js';
import { reasonOf, TopGunError, type Reason } from './errors.js';
import type { Link } from './link.js';
import type { Op, OpLog } from './oplog.js';

/** A frame holds at most so many operations and, unless one alone is larger, about so many bytes. */
const frameOps = 1000;
const frameBytes = 256 << 10;
/** How long an operation may be without an answer before it is sent once more, and how long at most. */
const firstPatience = 10_000;
const lastPatience = 120_000;

export interface DeliveryEvents {
  /** The server has acknowledged an operation. */
  acknowledged(op: Op): void;
  /** It has refused one for good, and the log has forgotten it. */
  refused(op: Op, error: TopGunError): void;
  error(error: TopGunError): void;
  /** How many wait has changed. */
  changed(): void;
}

/**
 * Brings the operations of the log to the server: each once per connection, when it is stored, and again while there is
 * no answer. What an acknowledgement covers was sent on this connection; nothing else leaves the log by it.
 */
export class Delivery {
  readonly #env: Environment;
  readonly #log: OpLog;
  readonly #disk: Disk;
  readonly #link: Link;
  readonly #events: DeliveryEvents;
  /** The last operation that was sent on this connection, 0 for none. */
  #sent = 0;
  #pumping = false;
  #patience = firstPatience;
  #stopWaiting: (() => void) | undefined;

  constructor(env: Environment, log: OpLog, disk: Disk, link: Link, events: DeliveryEvents) {
    this.#env = env;
    this.#log = log;
    this.#disk = disk;
    this.#link = link;
    this.#events = events;
  }

  /** Operations were added: they go when they are stored. */
  added(ops: readonly Op[]): void {
    this.#events.changed();
    this.#disk.after((stored) => {
      for (const op of ops) {
        op.stored = true;
        if (stored) op.write?.progress(op, 'stored');
      }
      void this.#pump();
    });
  }

  attached(): void {
    this.#sent = 0;
    this.#patience = firstPatience;
    void this.#pump();
  }

  detached(): void {
    this.#stopWaiting?.();
  }

  /** Sends what is stored and was not sent, frame by frame. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#link.connected) {
      const ops = this.#frame();
      if (!ops.length) break;
      this.#sent = ops.at(-1)!.id;
      this.#link.send({ type: 'OP_BATCH', payload: { ops: ops.map((op) => op.message()) } });
      for (const op of ops) op.write?.progress(op, 'sent');
      this.#await();
      if (ops.length > 50) await this.#env.pause();
    }
    this.#pumping = false;
  }

  #frame(): Op[] {
    const out: Op[] = [];
    let bytes = 0;
    for (let i = this.#log.after(this.#sent); i < this.#log.size; i++) {
      const op = this.#log.ops[i]!;
      bytes += op.size;
      if (!op.stored || out.length === frameOps || (out.length && bytes > frameBytes)) break;
      out.push(op);
    }
    return out;
  }

  /** Sends everything once more when no answer comes: the server may have been unable to give one. */
  #await(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = this.#env.timer(() => {
      if (!this.#link.connected || !this.#log.size) return;
      this.#patience = Math.min(lastPatience, 2 * this.#patience);
      this.#sent = 0;
      void this.#pump();
    }, this.#patience);
  }

  /** Settles the operations that an acknowledgement covers. */
  acknowledge({ lastId, achievedLevel, results }: messages.OpAck['payload']): void {
    const last = Number(lastId);
    if (!Number.isSafeInteger(last)) {
      this.#events.error(new TopGunError('SERVER', `an acknowledgement without a number covers nothing: ${lastId}`));
      return;
    }
    const outcome = new Map(results?.map((r) => [r.opId, r]));
    for (const op of this.#log.take(Math.min(last, this.#sent))) {
      const r = outcome.get(String(op.id));
      if (r && !r.success) this.#refuse(op, reasonOf(r.error));
      else {
        op.write?.settle(op, r?.achievedLevel ?? achievedLevel);
        this.#events.acknowledged(op);
      }
    }
    if (this.#log.after(this.#sent)) this.#await();
    else this.#stopWaiting?.();
    this.#events.changed();
  }

  /** Settles an operation that the server has refused for good. */
  reject({ opId, reason, code }: messages.OpRejected['payload']): void {
    const op = this.#log.remove(Number(opId));
    if (!op) return;
    this.#refuse(op, reasonOf(reason, code));
    this.#events.changed();
  }

  /** Gives an operation up that the log has forgotten. */
  #refuse(op: Op, reason: Reason): void {
    const { map, key, record, orRecord } = op.doing;
    const value = (record ?? orRecord)?.value ?? undefined;
    const error = new TopGunError('REFUSED', `${op.type} of ${JSON.stringify(key)} in ${JSON.stringify(map)} was refused: ${reason.text}`, reason, {
      map,
      key,
      type: op.type,
      value,
    });
    this.#events.refused(op, error);
    op.write?.settle(op, undefined, error);
  }
}
