// One process of a machine, by a clock that may be wrong, with a fault at a step. A line of input says what it does, others set its clock.

import { createInterface } from 'node:readline';
import { type App, openApp } from '../../src/app/index.ts';
import { serveInProcess } from '../../src/app/serve-worker.ts';
import { type Clock, type Logger, silentLogger, silentProgress, stringifyJson } from '../../src/core/index.ts';
import { toHeadraceError } from '../../src/core/index.ts';
import type { EventLog, LogWriter } from '../../src/events/index.ts';
import { type MaterializeRequest, materialize } from '../../src/offline/index.ts';
import type { OnlineStore, WriterLink } from '../../src/online/index.ts';
import type { Database } from '../../src/storage/index.ts';
import { createWatch, type Fault } from './fault-points.ts';
import { openLogAt } from './log-places.ts';

export interface Order {
  readonly role: 'serve' | 'materialize';
  /** Of the project. */
  readonly directory: string;
  /** The machine's settings, as its environment would have them. */
  readonly variables: Readonly<Record<string, string>>;
  readonly clockAheadMs: number;
  readonly faults: readonly Fault[];
  readonly request: MaterializeRequest;
  /** How long a run waits for silent writers. */
  readonly askTimeoutMs: number;
  /** Whether the process is there for another order after a run that went well. */
  readonly goesOn: boolean;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

let aheadMs = 0;
const clock: Clock = { nowMicros: () => (Date.now() + aheadMs) * 1000 };

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  if (line.startsWith('clock ')) aheadMs = Number(line.slice('clock '.length));
  // The parent wrote it, and no other before this one is done.
  else void work(JSON.parse(line) as Order);
});
// A parent that is gone wants nothing more.
lines.on('close', () => process.exit(1));
process.stdout.on('error', () => process.exit(1));
say('warm');

async function work(order: Order): Promise<void> {
  aheadMs = order.clockAheadMs;
  try {
    await (order.role === 'serve' ? serve(order) : run(order));
  } catch (thrown) {
    const { code, message } = toHeadraceError(thrown);
    say(`failed ${code} ${message}`);
    process.exit(1);
  }
  if (order.goesOn) say('over');
  else process.exit(0);
}

const open = ({ directory, variables }: Order): Promise<App> =>
  openApp({ environment: { variables, workingDirectory: directory, actor: 'test' }, clock, logger });

/** Warnings go to the parent, who shows them when something is wrong. */
const warn = (fields: object, text: string): void =>
  say(`warning ${text} ${stringifyJson(fields as Readonly<Record<string, string>>)}`);
const logger: Logger = { ...silentLogger, warn, error: warn };

async function serve(order: Order): Promise<void> {
  const watch = createWatch(order.faults);
  const app = await open(order);
  const store = watchStore(await app.online(), watch);
  const log = await watchedLog(app, watch);
  const runs = watch(await app.runs(), 'runs');
  const watched: App = {
    ...app,
    online: async () => store,
    log: async () => log,
    runs: async () => runs,
    ingestion: async () => ({ ...(await app.ingestion()), store, log, runs }),
  };
  await app.applied();
  const serving = await serveInProcess(watched, { host: '127.0.0.1', port: 0, compacts: false, hasDocs: false });
  say(`serving ${serving.url}`);
  await new Promise((resolve) => process.once('SIGTERM', resolve));
  await serving.stop();
  await log.close();
  await app.close();
}

async function run(order: Order): Promise<void> {
  const watch = createWatch(order.faults);
  const app = await open(order);
  const deps = await app.offline(silentProgress);
  const log = await watchedLog(app, watch);
  const database = watchRows(deps.database, watch);
  const store = watchStore(await app.online(), watch);
  const watched = { ...deps, database, store, log, askTimeoutMs: order.askTimeoutMs };
  const report = await materialize(watched, order.request);
  say(`done ${stringifyJson(report.views.map(({ view, state }) => ({ view, state })))}`);
  await log.close();
  await app.close();
}

type Watch = ReturnType<typeof createWatch>;

/** Of a log in a topic: short, for tests that wait for it. */
const LEASE_MS = 1500;

/** As the app opens it, on an object store that is watched too. */
async function watchedLog(app: App, watch: Watch): Promise<EventLog> {
  const { values } = app.config;
  const name = values['pushLog.topic'];
  const broker = app.environment.variables['LOG_BROKERS'] ?? '';
  const topic =
    name === 'none' ? undefined : { broker, name, partitions: values['pushLog.partitions'], leaseMs: LEASE_MS };
  const log = await openLogAt(topic, {
    path: values['pushLog.path'],
    database: await app.database(),
    objects: watch(await app.objects(), 'objects'),
    clock,
    logger,
  });
  return watch(log, 'log', {
    give(method, result) {
      // What these methods of the port give.
      if (method === 'register') return watch(result as LogWriter, 'own');
      if (method === 'adopt') return (result as LogWriter[]).map((writer) => watch(writer, 'dead'));
      return result;
    },
  });
}

function watchStore(store: OnlineStore, watch: Watch): OnlineStore {
  return watch(store, 'store', {
    give(method, result, [link]) {
      if (method === 'run') return watch(result as object, 'run');
      if (method !== 'writer') return result;
      // The process that registered a writer is its first holder.
      return watch(result as object, (link as WriterLink).holder === 1 ? 'writer' : 'settler');
    },
  });
}

/** Changes of runs' rows, in order: ask, open, finish. */
function watchRows(database: Database, watch: Watch): Database {
  return watch(database, 'rows', {
    // It gives the database that has the tables.
    give: (method, result) => (method === 'migrate' ? watchRows(result as Database, watch) : result),
    point: (method, [, options]) =>
      // The port's options of a transaction.
      method === 'transaction' && (options as { serializedBy?: string } | undefined)?.serializedBy === 'online_runs'
        ? 'rows.change'
        : undefined,
  });
}
