import type { messages } from '@topgun/core';
import { reasonOf, TopGunError, type Reason } from './errors.js';
import type { Parts } from './feature.js';
import type { Op } from './oplog.js';

/** A frame holds at most so many operations and, unless one alone is larger, about so many bytes. */
const frameOps = 1000;
const frameBytes = 256 << 10;
/** How long an operation may be without an answer before it is sent once more, and how long at most. */
const firstPatience = 10_000;
const lastPatience = 120_000;

/**
 * Brings the operations of the log to the server: each once per connection, when it is stored, and again while there is
 * no answer. What an acknowledgement covers was sent on this connection; nothing else leaves the log by it.
 */
export class Delivery {
  readonly #p: Parts;
  /** The last operation that was sent on this connection, 0 for none. */
  #sent = 0;
  #pumping = false;
  #patience = firstPatience;
  #stopWaiting: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#p = parts;
  }

  /** Operations were added: they go when they are stored. */
  added(ops: readonly Op[]): void {
    this.#p.events.changed();
    this.#p.disk.after((stored) => {
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
    while (this.#p.link.connected) {
      const ops = this.#frame();
      if (!ops.length) break;
      this.#sent = ops.at(-1)!.id;
      this.#p.link.send({ type: 'OP_BATCH', payload: { ops: ops.map((op) => op.message()) } });
      for (const op of ops) op.write?.progress(op, 'sent');
      this.#await();
      if (ops.length > 50) await this.#p.env.pause();
    }
    this.#pumping = false;
  }

  #frame(): Op[] {
    const out: Op[] = [];
    let bytes = 0;
    for (let i = this.#p.log.after(this.#sent); i < this.#p.log.size; i++) {
      const op = this.#p.log.ops[i]!;
      bytes += op.size;
      if (!op.stored || out.length === frameOps || (out.length && bytes > frameBytes)) break;
      out.push(op);
    }
    return out;
  }

  /** Sends everything once more when no answer comes: the server may have been unable to give one. */
  #await(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = this.#p.env.timer(() => {
      if (!this.#p.link.connected || !this.#p.log.size) return;
      this.#patience = Math.min(lastPatience, 2 * this.#patience);
      this.#sent = 0;
      void this.#pump();
    }, this.#patience);
  }

  /** Settles the operations that an acknowledgement covers; one without a number covers none. */
  acknowledge({ lastId, achievedLevel, results }: messages.OpAck['payload']): void {
    const outcome = new Map(results?.map((r) => [r.opId, r]));
    for (const op of this.#p.log.take(Math.min(Number(lastId), this.#sent))) {
      const r = outcome.get(String(op.id));
      if (r && !r.success) this.#refuse(op, reasonOf(r.error));
      else {
        op.write?.settle(op, r?.achievedLevel ?? achievedLevel);
        this.#p.events.acknowledged(op);
      }
    }
    if (this.#p.log.after(this.#sent)) this.#await();
    else this.#stopWaiting?.();
    this.#p.events.changed();
  }

  /** Settles an operation that the server has refused for good. */
  reject({ opId, reason, code }: messages.OpRejected['payload']): void {
    const op = this.#p.log.remove(Number(opId));
    if (!op) return;
    this.#refuse(op, reasonOf(reason, code));
    this.#p.events.changed();
  }

  /** Gives an operation up that the log has forgotten. */
  #refuse(op: Op, reason: Reason): void {
    // Older than deletions that are forgotten: so is all that was there before.
    if (reason.name === 'STALE_WRITE') op.before = undefined;
    const what = op.describe();
    const error = new TopGunError('REFUSED', `${what.type} of "${op.key}" in "${op.map}" was refused: ${reason.text}`, reason, what);
    this.#p.events.refused(op, error);
    op.write?.settle(op, undefined, error);
  }
}
