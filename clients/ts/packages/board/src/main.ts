import { IndexedDBStorage, platform, TopGunClient, type Status } from '@topgun/client';
import { anybody } from './crowd.js';
import { byId } from './dom.js';
import { Journal } from './journal.js';
import { Minute } from './minute.js';
import { Board } from './model.js';
import { Network } from './network.js';
import { People, type Way } from './people.js';
import { follow } from './theme.js';
import { View, type Connection } from './view.js';

const topic = 'board.people';
const now = (): number => performance.now();

const network = new Network(platform(new IndexedDBStorage()).socket);
const client = new TopGunClient({
  serverUrl: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`,
  backoff: { firstMs: 250, greatestMs: 4_000 }, // people are watching
  environment: network.environment,
});

const page = crypto.randomUUID?.() ?? Math.random().toString(36).slice(2);
const people = new People({ id: page, ...somebody(), away: document.visibilityState !== 'visible', at: undefined }, [throughServer(), throughBrowser()], now);
const board = new Board(client, { page, get name() { return people.me.name; } }, Math.random);
const journal = new Journal(now, Date.now);
const minute = new Minute();
const view = new View(board, people, journal, now, () => Math.random().toString(36).slice(2, 12), (name) => {
  people.change({ name });
  remember();
});
let ready = false;
let unstored = 0;

follow(byId('theme', HTMLButtonElement));
const toggle = byId('network', HTMLInputElement);
toggle.addEventListener('change', () => network.switch(toggle.checked));
network.onChange = tell;
view.onPeople = tell;
view.onAct = () => {
  if (!network.on) minute.done('off');
  unstored++;
  tell();
  void client.stored().then(() => {
    unstored--;
    tell();
  });
};
addEventListener('pagehide', () => view.flush());

let connected = false;
client.onStatus((status) => {
  const was = connected;
  connected = status.connection === 'connected';
  if (connected && !was && ready) people.change({}); // those on the other side need not wait for the next heartbeat
  tell();
});
void client.start().then(() => board.loaded()).then(() => {
  ready = true;
  tell();
  view.show();
  people.start();
});
void keepPage();

/** Shows how the connection is, and ticks off what was tried. */
function tell(): void {
  toggle.checked = network.on;
  const { status } = client;
  view.connection({
    state: ready ? stateOf(status) : 'starting',
    pending: status.pending,
    stored: unstored === 0,
    durable: status.durable,
    trouble: status.lastError?.message,
  });
  if (people.others().length > 0) minute.done('two');
  if (network.on && minute.had('off') && status.connection === 'connected' && status.pending === 0) minute.done('on');
}

function stateOf({ connection }: Status): Connection['state'] {
  if (!network.on) return 'offline';
  if (connection === 'connected') return 'online';
  return connection === 'unauthorized' ? 'failed' : 'connecting';
}

/** Who this window was before it was loaded again, or somebody new. */
function somebody(): { name: string; hue: number } {
  const [hue, name] = (sessionStorage.getItem('board.me') ?? '').split('|');
  const me = hue && name ? { hue: Number(hue), name } : anybody(Math.random);
  sessionStorage.setItem('board.me', `${me.hue}|${me.name}`);
  return me;
}

function remember(): void {
  sessionStorage.setItem('board.me', `${people.me.hue}|${people.me.name}`);
}

/** To everybody who is connected. */
function throughServer(): Way {
  const channel = client.topic(topic);
  return {
    send(message) {
      // What is not sent at once is not worth sending.
      if (client.status.connection === 'connected') channel.publish(message);
    },
    listen: (heard) => channel.subscribe(heard),
  };
}

/** To the windows of this browser, also without a network. */
function throughBrowser(): Way {
  const channel = new BroadcastChannel(topic);
  return {
    send: (message) => channel.postMessage(message),
    listen(heard) {
      channel.onmessage = (e: MessageEvent<unknown>) => heard(e.data);
    },
  };
}

/** Lets the page itself open without a server. */
async function keepPage(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  await navigator.serviceWorker.register('/offline.js');
  await navigator.serviceWorker.ready;
  document.body.dataset['kept'] = 'yes';
}
