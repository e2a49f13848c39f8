import type { Environment, Socket, SocketEvents } from '@topgun/client';

const key = 'board.network';

/**
 * A network that can be switched off, for all windows of this browser, as in a tunnel. It stands between the client and
 * its sockets: the client does not know that it is a game.
 */
export class Network {
  readonly #base: Environment['socket'];
  readonly #cut = new Set<() => void>();
  readonly #waiting = new Set<() => void>();
  #on: boolean;

  /** Called when it was switched, here or in another window. */
  onChange: () => void = () => {};

  constructor(base: Environment['socket']) {
    this.#base = base;
    this.#on = localStorage.getItem(key) !== 'off';
    addEventListener('storage', (e) => {
      if (e.key === key) this.#become(e.newValue !== 'off');
    });
    addEventListener('online', () => this.#back());
  }

  get on(): boolean {
    return this.#on;
  }

  switch(on: boolean): void {
    localStorage.setItem(key, on ? 'on' : 'off');
    this.#become(on);
  }

  /** What the client takes from here rather than from the browser. */
  get environment(): Pick<Environment, 'socket' | 'online'> {
    return {
      socket: (url, events) => this.#socket(url, events),
      online: (callback) => {
        this.#waiting.add(callback);
        return () => this.#waiting.delete(callback);
      },
    };
  }

  #socket(url: string, events: SocketEvents): Socket {
    if (!this.#on) throw new Error('the network is switched off');
    const cut = (): void => {
      socket.close();
      this.#cut.delete(cut);
      events.closed('the network was switched off');
    };
    const socket = this.#base(url, {
      ...events,
      closed: (reason) => {
        this.#cut.delete(cut);
        events.closed(reason);
      },
    });
    this.#cut.add(cut);
    return {
      send: (frame) => socket.send(frame),
      close: () => {
        this.#cut.delete(cut);
        socket.close();
      },
    };
  }

  #become(on: boolean): void {
    if (on === this.#on) return;
    this.#on = on;
    if (on) this.#back();
    else for (const cut of [...this.#cut]) cut();
    this.onChange();
  }

  #back(): void {
    if (this.#on) for (const callback of this.#waiting) callback();
  }
}
