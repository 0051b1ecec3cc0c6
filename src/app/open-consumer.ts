// A topic consumed into its source, put together: brokers, registry and their passwords from the environment, definitions as
// they are applied and, from then on, as they change.

import { isAbsolute, join } from 'node:path';
import { HeadraceError, messageOf } from '../core/index.ts';
import { type Definitions, type LiveVersion, own, type SourceSpec } from '../definitions/index.ts';
import type { Ingestion } from '../ingestion/index.ts';
import { type BrokerAddress, getBlob } from '../storage/index.ts';
import type { ConsumeOptions, DeadLetters, RowRules } from '../streams/index.ts';
import type { App } from './open-app.ts';

export interface OpenConsumer {
  /** Overrides the source's own. */
  readonly group?: string | undefined;
}

export interface Consumer {
  readonly topic: string;
  readonly group: string;
  readonly deadLetters: DeadLetters;
  /** What `consume` takes besides how long to go on. */
  readonly parts: Pick<ConsumeOptions, 'stream' | 'deadLetters' | 'feed' | 'sift' | 'rules' | 'logger'>;
  /** Ends the group's membership, then the writer. */
  close(): Promise<void>;
}

const REFRESH_MS = 1000;
/** How soon a run that asks is answered. */
const LOOK_MS = 200;

/** `connect` tries again as its caller likes. Throws HR_UNKNOWN_SOURCE, HR_CONFIG, HR_STREAM_SCHEMA and what a stream throws. */
export async function openConsumer(
  app: App,
  name: string,
  options: OpenConsumer,
  connect: <T>(open: () => Promise<T>) => Promise<T>,
): Promise<Consumer> {
  const streams = await import('../streams/index.ts');
  const { parseBrokers } = await import('../storage/index.ts');
  const { openIngestion } = await import('../ingestion/index.ts');
  let kept = await readKept(app);
  const source = sourceOf(kept.definitions, name);
  const { topic = '', deadLetter = `${topic}.dead` } = source.location;
  const group = options.group ?? source.location['group'] ?? `headrace.${kept.definitions.manifest.project}.${name}`;
  const address = variable(app, source, 'brokers', parseBrokers);
  const registry =
    source.location['registry'] === undefined
      ? undefined
      : variable(app, source, 'registry', streams.openSchemaRegistry);
  const rulesOf = async (definitions: Definitions): Promise<RowRules> => {
    const now = sourceOf(definitions, name);
    const applied = await appliedFiles(app, definitions, now);
    const place = { directory: definitions.directory, applied, ...(registry === undefined ? {} : { registry }) };
    const decode = await streams.openDecoder(now, place);
    return { decode, keyless: streams.compileKeyless(now, definitions.manifest) };
  };
  let rules = await rulesOf(kept.definitions);
  let told = '';
  const refresh = async (): Promise<void> => {
    const fresh = await readKept(app);
    if (fresh.definitions !== kept.definitions) rules = await rulesOf(fresh.definitions);
    kept = fresh;
  };
  const deps = await app.ingestion();
  const limits = { ...deps.limits, maxRows: streams.BATCH_ROWS };
  const stream = await connect(() => streams.openKafkaStream({ address, topic, group }));
  const ingestion: Ingestion = openIngestion(
    { ...deps, limits },
    { definitions: () => kept.definitions, versions: () => kept.versions, refresh, lookEveryMs: LOOK_MS },
  );
  const deadLetters = openDeadLetters(streams, address, deadLetter, kept.definitions.directory, topic);
  let refreshing: Promise<void> | undefined;
  const timer = setInterval(() => {
    refreshing ??= refresh()
      .then(
        () => (told = ''),
        (error: unknown) => {
          const reason = messageOf(error);
          if (reason !== told) app.logger.warn({ reason }, 'what is applied could not be read; going on by what was');
          told = reason;
        },
      )
      .then(() => (refreshing = undefined));
  }, REFRESH_MS).unref();
  return {
    topic,
    group,
    deadLetters,
    parts: {
      stream,
      deadLetters,
      feed: (partition) => ingestion.feed({ source: name, feed: `kafka/${stream.topicId}/${partition}` }),
      sift: (rows) => ingestion.sift(name, rows),
      rules: () => rules,
      logger: app.logger,
    },
    async close() {
      clearInterval(timer);
      await refreshing;
      await stream.close();
      await deadLetters.close();
      await ingestion.close();
    },
  };
}

interface Kept {
  readonly definitions: Definitions;
  readonly versions: readonly LiveVersion[];
}

/** The same lists for as long as nothing changes: what is compiled from them is kept. */
async function readKept(app: App): Promise<Kept> {
  const token = await (await app.registry()).changeToken();
  const before = known.get(app);
  if (before?.token === token) return before.kept;
  const kept = { definitions: await app.applied(), versions: await app.versions() };
  known.set(app, { token, kept });
  return kept;
}

const known = new WeakMap<App, { readonly token: number; readonly kept: Kept }>();

function sourceOf({ manifest }: Definitions, name: string): SourceSpec {
  const source = own(manifest.sources, name);
  if (source?.kind === 'kafka') return source;
  const topics = Object.values(manifest.sources).filter(({ kind }) => kind === 'kafka');
  const those = topics.length === 0 ? 'None is.' : `Those that are: ${topics.map((one) => one.name).join(', ')}.`;
  throw new HeadraceError(
    'HR_UNKNOWN_SOURCE',
    source === undefined
      ? `there is no source "${name}" that is a topic. ${those}`
      : `source "${name}" is ${source.kind}, no kafka(…) topic to consume. ${those}`,
  );
}

/** The schemas of a topic, by path: from the artifact store, so that this machine needs no feature repository. */
async function appliedFiles(
  app: App,
  { bundles }: Definitions,
  { files = [] }: SourceSpec,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const { path, hash } of files) {
    const text = bundles.get(hash) ?? Buffer.from(await getBlob(await app.objects(), hash)).toString('utf8');
    texts.set(path, text);
  }
  return texts;
}

/** What the source's variable says, read by `parse`; the text itself is shown nowhere. */
function variable<T>(
  { environment }: App,
  source: SourceSpec,
  member: 'brokers' | 'registry',
  parse: (text: string, variable: string) => T,
): T {
  // The compile step let nothing else through.
  const name = (source.location[member] ?? '').slice('env:'.length);
  const text = environment.variables[name];
  if (text === undefined || text === '')
    throw new HeadraceError(
      'HR_CONFIG',
      `source "${source.name}" reads its ${member} from the environment variable ${name}, which is not set.`,
    );
  return parse(text, name);
}

function openDeadLetters(
  streams: typeof import('../streams/index.ts'),
  address: BrokerAddress,
  deadLetter: string,
  directory: string,
  of: string,
): DeadLetters {
  const [, path] = /^file:(.*)$/s.exec(deadLetter) ?? [];
  if (path === undefined) return streams.openDeadLetterTopic({ address, topic: deadLetter, of });
  return streams.openDeadLetterFile(isAbsolute(path) ? path : join(directory, path), of);
}
