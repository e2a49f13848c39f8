/** Everything that a client takes from the world. Tests give one of their own and need no sleeping. */
export interface Environment {
  /** The wall clock, in milliseconds since 1970. */
  now(): number;
  /** Calls back once, after so many milliseconds; the result prevents it. */
  timer(callback: () => void, ms: number): () => void;
  /** Lets everything else run before the promise resolves: what is long is done in slices with pauses between them. */
  pause(): Promise<void>;
  /** A number of at least 0 and below 1. */
  random(): number;
  /** A new identity, unlike all others: letters, digits and '-'. */
  id(): string;
  /** Opens a WebSocket. */
  socket(url: string, events: SocketEvents): Socket;
  /** Where replica and op log are kept. */
  readonly storage: Storage;
  /** Locks between the tabs of an origin; without them a tab cannot tell whether another one lives. */
  readonly locks?: Locks | undefined;
  /** A channel between the tabs of an origin. */
  channel?(name: string, receive: (message: unknown) => void): Channel;
  /** Calls back when the network has come back, so that nobody waits for the end of a back-off. */
  online?(callback: () => void): () => void;
}

/** What a socket tells. Nothing is told after closed. */
export interface SocketEvents {
  open(): void;
  message(frame: Uint8Array): void;
  closed(reason: string): void;
}

export interface Socket {
  send(frame: Uint8Array): void;
  close(): void;
}

export interface Channel {
  /** Reaches all others on the channel, in order; the message is copied. */
  send(message: unknown): void;
  close(): void;
}

export interface Locks {
  /**
   * Takes a lock and holds it until the result is called. Without wait the promise is of undefined when somebody else
   * holds it. A lock whose holder is gone is free.
   */
  acquire(name: string, wait: boolean, signal: AbortSignal): Promise<(() => void) | undefined>;
}

/** A place in a storage: ordered part by part, numbers before texts, a prefix before what it begins. */
export type Key = readonly (string | number)[];

/**
 * A place for bytes by key. Several clients, those of the tabs of an origin, may use one at the same time.
 */
export interface Storage {
  /** Whether what is stored is there after a restart. */
  readonly durable: boolean;
  /** Makes it ready; no other method is called before. */
  open(): Promise<void>;
  /** Entries whose keys begin with a prefix, in order, at most limit, behind a key if one is given. */
  list(prefix: Key, limit: number, after?: Key): Promise<[Key, Uint8Array][]>;
  /**
   * One atomic step, also against other tabs: reads what the keys hold, and stores what change makes of it: bytes, or
   * null to delete. The promise resolves when that is as safe as the storage makes things.
   */
  update(reads: readonly Key[], change: (held: (Uint8Array | undefined)[]) => [Key, Uint8Array | null][]): Promise<void>;
  close(): void;
}
