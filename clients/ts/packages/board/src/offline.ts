// The service worker: keeps the page itself, so that it opens without a server. The browser fetches all that belongs
// together before anything of it is used.

/** What of a service worker's world is used here; the library of types for pages lacks it. */
interface Worker {
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: 'install' | 'activate', heard: (e: { waitUntil(done: Promise<void>): void }) => void): void;
  addEventListener(type: 'fetch', heard: (e: { readonly request: Request; respondWith(answer: Promise<Response>): void }) => void): void;
}

const worker = self as unknown as Worker;

/** How long the server may take to answer, in milliseconds. */
const patience = 2_000;

/** The server puts a hash of all that the page consists of in here: another program is another worker. */
const kept = 'board-VERSION';
const paths = ['/', '/board.js', '/board.css', '/board.svg', '/board.webmanifest', '/topgun.js'];

worker.addEventListener('install', (e) => {
  const fill = async (): Promise<void> => {
    const cache = await caches.open(kept);
    await cache.addAll(paths.map((path) => new Request(path, { cache: 'reload' })));
    await worker.skipWaiting();
  };
  e.waitUntil(fill());
});

worker.addEventListener('activate', (e) => {
  const tidy = async (): Promise<void> => {
    for (const name of await caches.keys()) if (name.startsWith('board-') && name !== kept) await caches.delete(name);
    await worker.clients.claim();
  };
  e.waitUntil(tidy());
});

worker.addEventListener('fetch', (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== 'GET' || url.origin !== location.origin || !paths.includes(url.pathname)) return;
  e.respondWith(answer(e.request, url.pathname));
});

/** From the server while it answers, so that another one on this port is not hidden by what is kept here. */
async function answer(request: Request, path: string): Promise<Response> {
  const fetched = fetch(request);
  const found = await caches.open(kept).then((cache) => cache.match(path));
  if (!found) return fetched;
  const late = new Promise<Response>((resolve) => setTimeout(() => resolve(found), patience));
  return Promise.race([fetched.catch(() => found), late]);
}
