import type { Environment, Locks, Storage } from './environment.js';

/**
 * The world of a browser, and of Node as far as it has the same things: what a client takes when nothing is said. Parts of
 * it can be wrapped and given to a client as its `environment`.
 */
export function platform(storage: Storage): Environment {
  // What Node calls setImmediate lets timers and sockets run too, and does not keep the process alive.
  const post = (globalThis as { setImmediate?: (callback: () => void) => void }).setImmediate ?? poster();
  return {
    now: () => Date.now(),
    timer(callback, ms) {
      const t = setTimeout(callback, ms);
      return () => clearTimeout(t);
    },
    pause: () => new Promise((resolve) => post(resolve)),
    random: () => Math.random(),
    id() {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      return [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
    },
    socket(url, events) {
      const ws = new WebSocket(url);
      ws.binaryType = 'arraybuffer';
      let over = false;
      const end = (reason: string): void => {
        if (!over) {
          over = true;
          events.closed(reason);
        }
      };
      ws.onopen = () => events.open();
      ws.onmessage = (e: MessageEvent<unknown>) => {
        if (!over && e.data instanceof ArrayBuffer) events.message(new Uint8Array(e.data));
      };
      ws.onerror = () => end('no connection');
      ws.onclose = (e) => end(e.reason || `the connection closed (${e.code})`);
      return {
        send: (frame) => ws.send(frame as Uint8Array<ArrayBuffer>),
        close() {
          over = true;
          ws.close();
        },
      };
    },
    storage,
    locks: webLocks(),
    ...(typeof BroadcastChannel === 'undefined' ? {} : { channel: broadcast }),
    online(callback) {
      globalThis.addEventListener?.('online', callback);
      return () => globalThis.removeEventListener?.('online', callback);
    },
  };
}

/** Something that calls back in a task of its own, without the delay of nested timers. */
function poster(): (callback: () => void) => void {
  const waiting: (() => void)[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => waiting.shift()?.();
  return (callback) => {
    waiting.push(callback);
    port2.postMessage(0);
  };
}

const broadcast: NonNullable<Environment['channel']> = (name, receive) => {
  const channel = new BroadcastChannel(name);
  channel.onmessage = (e: MessageEvent<unknown>) => receive(e.data);
  (channel as { unref?: () => void }).unref?.();
  return {
    send: (message) => channel.postMessage(message),
    close: () => channel.close(),
  };
};

function webLocks(): Locks | undefined {
  const manager = (globalThis.navigator as Navigator | undefined)?.locks as LockManager | undefined;
  if (!manager) return undefined;
  return {
    acquire: (name, wait, signal) =>
      new Promise((resolve, reject) => {
        manager
          .request(name, wait ? { signal } : { ifAvailable: true }, (lock) => {
            if (!lock) return resolve(undefined);
            return new Promise<void>((release) => resolve(release));
          })
          .catch(reject);
      }),
  };
}
