import type { messages } from '@topgun/core';
import { TopGunError } from './errors.js';

/**
 * How far a write has come:
 * - local: it is in the replica, and on its way to the storage
 * - stored: it survives the end of the page
 * - sent: it is on its way to the server
 * - acknowledged: the server has it, as safely as `level` says
 * - refused: the server refused it for good and it has been taken back; `error` says why
 */
export type WriteState = 'local' | 'stored' | 'sent' | 'acknowledged' | 'refused';

const order: readonly WriteState[] = ['local', 'stored', 'sent', 'acknowledged'];
const levels: readonly messages.WriteConcern[] = ['FIRE_AND_FORGET', 'MEMORY', 'APPLIED', 'REPLICATED', 'PERSISTED'];

/** What has become of one write. It need not be looked at. */
export class Write {
  #state: WriteState = 'local';
  #level: messages.WriteConcern | undefined;
  #error: TopGunError | undefined;
  #left: number;
  readonly #at = new Map<unknown, number>();
  readonly #listeners = new Set<(write: Write) => void>();

  /** @internal A write of so many operations; of none it is done. */
  constructor(operations: number) {
    this.#left = operations;
    if (!operations) this.#state = 'acknowledged';
  }

  get state(): WriteState {
    return this.#state;
  }

  /** Of an acknowledged write: what the server has done with it. PERSISTED is on its disk. Absent if there was nothing to do. */
  get level(): messages.WriteConcern | undefined {
    return this.#level;
  }

  /** Of a refused write: why. Also of one that will not get any further because the client was closed: it is sent the next time. */
  get error(): TopGunError | undefined {
    return this.#error;
  }

  /** Calls back whenever the state changes; the result ends that. */
  onChange(listener: (write: Write) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves with the level when the server has acknowledged the write. Rejects when it was refused (REFUSED) or the
   * client was closed before (CLOSED).
   */
  done(): Promise<messages.WriteConcern | undefined> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.#error) reject(this.#error);
        else if (this.#state === 'acknowledged') resolve(this.#level);
      };
      look();
      this.onChange(look);
    });
  }

  /** @internal One of its operations has come so far. */
  progress(operation: unknown, state: 'stored' | 'sent'): void {
    this.#at.set(operation, order.indexOf(state));
    if (this.#at.size === this.#left) this.#become(order[Math.min(...this.#at.values())]!);
  }

  /** @internal One of its operations has been answered. */
  settle(operation: unknown, level: messages.WriteConcern | undefined, error?: TopGunError): void {
    this.#at.delete(operation);
    this.#left--;
    this.#error ??= error;
    if (level && (!this.#level || levels.indexOf(level) < levels.indexOf(this.#level))) this.#level = level;
    if (!this.#left) this.#become(this.#error ? 'refused' : 'acknowledged');
  }

  /** @internal The client was closed. */
  abandon(error: TopGunError): void {
    if (!this.#left) return;
    this.#error ??= error;
    this.#tell();
  }

  #become(state: WriteState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this);
  }
}
