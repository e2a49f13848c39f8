import { decode, encode, isFields, type ClientMessage, type ServerMessage } from '@topgun/core';
import type { Socket } from './environment.js';
import { messageOf, TopGunError } from './errors.js';
import type { Parts } from './feature.js';

/**
 * - offline: there is no connection, and nothing is being done about it right now; `retryAt` says when it is tried again
 * - connecting: a connection is being made
 * - authenticating: it is there, and the client has introduced itself
 * - connected: everything goes through
 * - unauthorized: the server wants a token, or another one; setAuthToken goes on from here
 * - closed: the client was closed
 */
export type Connection = 'offline' | 'connecting' | 'authenticating' | 'connected' | 'unauthorized' | 'closed';

/** Gives the token when one is needed, null for none. */
export type TokenProvider = () => string | null | Promise<string | null>;

export interface LinkOptions {
  /** Where the server is; without it the link stays offline. */
  readonly url: string | undefined;
  /** The first pause before another attempt, in milliseconds; it doubles up to the greatest. Both are jittered. */
  readonly firstMs: number;
  readonly greatestMs: number;
}

const pingEvery = 5000;
const silence = 15_000;
const handshake = 10_000;
/** How long a server that knows no devices may take to say so, by saying nothing. */
const grace = 500;
/** A connection that lasted so long was a good one: the next attempt after it is an early one. */
const good = 5000;

/** Makes the connection, introduces the client, keeps the connection alive, and makes another one. */
export class Link {
  readonly #p: Parts;
  readonly #options: LinkOptions;
  #state: Connection = 'offline';
  #token: TokenProvider | undefined;
  #deviceToken = '';
  /** Whether the server wants a token, and whether it was told that there is none. */
  #wanted = false;
  #greeted = false;
  #socket: Socket | undefined;
  #attempts = 0;
  #retryAt: number | undefined;
  #since = 0;
  #heard = 0;
  #pinged = 0;
  #timers: (() => void)[] = [];
  #stopOnline: (() => void) | undefined;

  constructor(parts: Parts, options: LinkOptions) {
    this.#p = parts;
    this.#options = options;
  }

  get state(): Connection {
    return this.#state;
  }

  get retryAt(): number | undefined {
    return this.#retryAt;
  }

  get connected(): boolean {
    return this.#state === 'connected';
  }

  start(deviceToken: string): void {
    this.#deviceToken = deviceToken;
    if (!this.#options.url || this.#state === 'closed') return;
    this.#stopOnline = this.#p.env.online?.(() => {
      if (this.#state === 'offline') this.#connect();
    });
    this.#connect();
  }

  close(): void {
    this.#drop('closed');
    this.#stopOnline?.();
  }

  /** Takes another token, and goes on with it if one was missing. */
  setToken(token: string | TokenProvider): void {
    this.#token = typeof token === 'string' ? () => token : token;
    if (this.#state === 'unauthorized') this.#connect();
  }

  /** Sends a message if there is a connection. */
  send(message: ClientMessage): void {
    if (this.connected) this.#write(message);
  }

  /** Ends the connection; the next attempt follows after a pause. */
  giveUp(error: TopGunError): void {
    this.#p.events.report(error);
    this.#drop('offline');
    this.#wait();
  }

  #become(state: Connection): void {
    const was = this.#state;
    if (was === state) return;
    this.#state = state;
    if (was === 'connected') {
      if (this.#p.env.now() - this.#since >= good) this.#attempts = 0;
      this.#p.events.detached();
    }
    if (state === 'connected') {
      this.#since = this.#p.env.now();
      this.#p.events.attached();
    }
    this.#p.events.changed();
  }

  #timer(callback: () => void, ms: number): void {
    this.#timers.push(this.#p.env.timer(callback, ms));
  }

  #stopTimers(): void {
    for (const stop of this.#timers.splice(0)) stop();
  }

  #drop(state: Connection): void {
    this.#stopTimers();
    this.#retryAt = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#become(state);
  }

  #wait(): void {
    const { firstMs, greatestMs } = this.#options;
    const delay = Math.min(greatestMs, firstMs * 2 ** this.#attempts++) * (0.5 + this.#p.env.random());
    this.#retryAt = this.#p.env.now() + delay;
    this.#timer(() => this.#connect(), delay);
    this.#p.events.changed();
  }

  #connect(): void {
    this.#drop('connecting');
    this.#wanted = this.#greeted = false;
    this.#timer(() => this.#closed('the server is silent'), handshake);
    // What a former socket still has to say concerns nobody.
    const mine = <A extends unknown[]>(f: (...args: A) => void) => (...args: A): void => {
      if (this.#socket === socket) f(...args);
    };
    let socket: Socket | undefined;
    try {
      socket = this.#p.env.socket(this.#options.url!, {
        open: mine(() => {
          this.#become('authenticating');
          void this.#introduce(socket!);
        }),
        message: mine((frame: Uint8Array) => this.#receive(frame)),
        closed: mine((reason: string) => this.#closed(reason)),
      });
      this.#socket = socket;
    } catch (err) {
      this.#closed(messageOf(err));
    }
  }

  #closed(reason: string): void {
    if (this.#state === 'unauthorized') {
      this.#stopTimers();
      this.#socket = undefined;
      // Without a token the server would say the same again.
      if (this.#token) this.#wait();
      return;
    }
    this.giveUp(new TopGunError('CONNECTION', reason));
  }

  async #introduce(socket: Socket): Promise<void> {
    let token: string | null = null;
    try {
      token = (await this.#token?.()) ?? null;
    } catch (err) {
      if (this.#socket === socket) this.giveUp(new TopGunError('UNAUTHORIZED', `token provider: ${messageOf(err)}`));
      return;
    }
    if (this.#socket !== socket || this.connected) return;
    const deviceToken = this.#deviceToken ? { deviceToken: this.#deviceToken } : {};
    if (token) this.#write({ type: 'AUTH', token, ...deviceToken });
    else if (this.#wanted) this.#unauthorized();
    else {
      this.#greeted = true;
      this.#write({ type: 'DEVICE_HELLO', ...deviceToken });
      this.#timer(() => {
        if (this.#state === 'authenticating') this.#attach();
      }, grace);
    }
  }

  #attach(): void {
    this.#stopTimers();
    this.#pinged = this.#heard;
    this.#become('connected');
    this.#beat();
  }

  /** Pings, and gives up when a ping has been without any answer for too long; timers may be late, so only pings count. */
  #beat(): void {
    if (!this.connected) return;
    const now = this.#p.env.now();
    if (this.#pinged > this.#heard && now - this.#pinged >= silence) {
      this.#closed('the server is silent');
      return;
    }
    if (this.#pinged <= this.#heard) this.#pinged = now;
    this.#write({ type: 'PING', timestamp: now });
    this.#timers = [];
    this.#timer(() => this.#beat(), pingEvery);
  }

  #write(message: ClientMessage): void {
    try {
      this.#socket?.send(encode(message));
    } catch (err) {
      // A socket that is closing says so by itself soon.
      this.#p.events.report(new TopGunError('CONNECTION', messageOf(err)));
    }
  }

  #receive(frame: Uint8Array): void {
    this.#heard = this.#p.env.now();
    let m: unknown;
    try {
      m = decode(frame);
    } catch (err) {
      return this.#p.events.report(new TopGunError('SERVER', `a frame is left out: ${messageOf(err)}`));
    }
    if (isFields(m) && typeof m['type'] === 'string') this.#handle(m as unknown as ServerMessage);
  }

  #handle(m: ServerMessage): void {
    switch (m.type) {
      case 'AUTH_REQUIRED':
        this.#wanted = true;
        // Else a token may be on its way already.
        if (!this.#token || this.#greeted) this.#unauthorized();
        return;
      case 'AUTH_FAIL':
        return this.#unauthorized(m.error, m.code);
      case 'AUTH_ACK':
      case 'DEVICE_ACK':
        if (m.deviceToken) {
          this.#deviceToken = m.deviceToken;
          this.#p.events.device(m.deviceToken);
        }
        if (!this.connected) this.#attach();
        return;
      case 'PONG':
        return;
    }
    // A server that knows no devices shows it by going on.
    if (this.#state === 'authenticating' && !this.#token) this.#attach();
    if (this.connected) this.#p.events.message(m);
  }

  #unauthorized(text = 'the server wants a token', number?: number): void {
    this.#stopTimers();
    this.#become('unauthorized');
    this.#p.events.report(new TopGunError('UNAUTHORIZED', text, { number, text }));
  }
}
