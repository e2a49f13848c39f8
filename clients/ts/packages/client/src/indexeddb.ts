import type { Key, Storage } from './environment.js';

/** The one object store: keys are arrays, values bytes. */
const store = 'entries';

/** A storage in IndexedDB, shared by all tabs of the origin that name the same database. */
export class IndexedDBStorage implements Storage {
  readonly durable = true;
  readonly #name: string;
  #db: IDBDatabase | undefined;

  constructor(name = 'topgun') {
    this.#name = name;
  }

  async open(): Promise<void> {
    const request = indexedDB.open(this.#name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(store);
    const db = await result(request);
    // Whoever deletes the database or brings a later version of it is not to wait for us.
    db.onversionchange = () => this.close();
    this.#db = db;
  }

  async list(prefix: Key, limit: number, after?: Key): Promise<[Key, Uint8Array][]> {
    const entries = this.#begin('readonly').objectStore(store);
    // An array is greater than every number and text, so this is behind all that begin with the prefix.
    const range = IDBKeyRange.bound(after ?? prefix, [...prefix, []], after !== undefined);
    const [keys, values] = await Promise.all([result(entries.getAllKeys(range, limit)), result(entries.getAll(range, limit))]);
    return keys.map((key, i) => [key as (string | number)[], values[i] as Uint8Array]);
  }

  update(reads: readonly Key[], change: (held: (Uint8Array | undefined)[]) => [Key, Uint8Array | null][]): Promise<void> {
    return new Promise((resolve, reject) => {
      const tx = this.#begin('readwrite');
      tx.oncomplete = () => resolve();
      tx.onabort = () => reject(tx.error);
      const entries = tx.objectStore(store);
      const held: (Uint8Array | undefined)[] = [];
      let missing = reads.length;
      const write = (): void => {
        try {
          for (const [key, bytes] of change(held)) {
            if (bytes) entries.put(bytes, key as IDBValidKey);
            else entries.delete(key as IDBValidKey);
          }
        } catch (err) {
          reject(err);
          tx.abort();
        }
      };
      reads.forEach((key, i) => {
        const request = entries.get(key as IDBValidKey);
        request.onsuccess = () => {
          held[i] = request.result as Uint8Array | undefined;
          if (--missing === 0) write();
        };
      });
      if (!missing) write();
    });
  }

  close(): void {
    this.#db?.close();
    this.#db = undefined;
  }

  #begin(mode: IDBTransactionMode): IDBTransaction {
    if (!this.#db) throw new Error('the database is closed');
    return this.#db.transaction(store, mode);
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
