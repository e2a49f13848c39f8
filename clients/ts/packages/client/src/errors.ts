/**
 * What went wrong, as a program tells it apart:
 * - CLOSED: the client was closed
 * - INVALID_NAME, INVALID_KEY, INVALID_VALUE, INVALID_AMOUNT, INVALID_QUERY: an argument; nothing happened
 * - MAP_KIND: the map is open as one of the other kind
 * - QUEUE_FULL: as many writes or publications wait as the limits allow; nothing was written
 * - REFUSED: the server refused a write for good; it has been taken back
 * - UNAUTHORIZED: the server wants a token, or another one
 * - CONNECTION: the connection could not be made, or ended
 * - SERVER: the server reported something that belongs to no call
 * - STORAGE: replica and op log cannot be stored; what is written lasts as long as the page
 * - TIMEOUT: no answer in time
 * - OFFLINE: it needs the server, and there is no connection
 * - CALLBACK: something that the application had called back threw; `cause` is what
 */
export type ErrorCode =
  | 'CLOSED'
  | 'INVALID_NAME'
  | 'INVALID_KEY'
  | 'INVALID_VALUE'
  | 'INVALID_AMOUNT'
  | 'INVALID_QUERY'
  | 'MAP_KIND'
  | 'QUEUE_FULL'
  | 'REFUSED'
  | 'UNAUTHORIZED'
  | 'CONNECTION'
  | 'SERVER'
  | 'STORAGE'
  | 'TIMEOUT'
  | 'OFFLINE'
  | 'CALLBACK';

/** The server's answer behind an error: its number as in HTTP, its name such as STALE_WRITE, its words. */
export interface Reason {
  readonly number?: number | undefined;
  readonly name?: string | undefined;
  readonly text: string;
}

/** A write that was refused, by what it did. */
export interface RefusedOperation {
  readonly map: string;
  readonly key: string;
  readonly type: 'PUT' | 'REMOVE' | 'OR_ADD' | 'OR_REMOVE';
  /** What was to be written; undefined for a removal. */
  readonly value?: unknown;
}

export class TopGunError extends Error {
  override readonly name = 'TopGunError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly reason?: Reason,
    /** Of REFUSED: the write. */
    readonly operation?: RefusedOperation,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The message of anything that was thrown. */
export function messageOf(err: unknown): string {
  return String((err as Error | null)?.message ?? err);
}

/** Takes a reason apart: the server puts the name before its words, `STALE_WRITE: …`. */
export function reasonOf(text = '', number?: number): Reason {
  return { number, name: /^([A-Z_]+):/.exec(text)?.[1], text };
}
