// One round of `dev`: the repository as it is on disk is checked, planned, applied and computed, and a sample key is read
// before and after.

import type { App } from '../../app/index.ts';
import { type ErrorDetail, type HeadraceError, type Progress, toHeadraceError } from '../../core/index.ts';
import { type Definitions, viewVersion } from '../../definitions/index.ts';
import type { MaterializedView } from '../../offline/index.ts';
import type { Plan } from '../../registry/index.ts';
import { checkRepository } from './check-repository.ts';
import type { DevStores } from './dev-stores.ts';
import { missingColumns, type SampleRequest, sampleRow } from './sample-row.ts';
import {
  compareSamples,
  readSample,
  type SampledFeature,
  type SampledValues,
  type SampleRow,
} from './sample-values.ts';
import { shownServices } from './shown-services.ts';

export interface Round {
  /**
   * `applied`, or `unchanged` where the definitions are what is applied; `mistakes`: the repository does not compile;
   * `breaking`: it would break what reads the features, and was not applied; `failed`: anything else went wrong.
   */
  readonly state: 'applied' | 'unchanged' | 'mistakes' | 'breaking' | 'failed';
  /** Whether it worked on the project's own stores. */
  readonly isOwn: boolean;
  readonly mistakes: readonly ErrorDetail[];
  /** What went wrong; of `mistakes` too. */
  readonly error: HeadraceError | null;
  readonly plan: Plan | null;
  readonly revision: number | null;
  readonly materialized: readonly MaterializedView[];
  readonly samples: readonly SampledService[];
}

export interface SampledService {
  readonly service: string;
  /** Null where the store holds no key. */
  readonly row: SampleRow | null;
  /** Columns of the request that it leaves out: they are null. */
  readonly missing: readonly string[];
  readonly features: readonly SampledFeature[];
  /** Why it could not be read; null when it could. */
  readonly error: string | null;
}

/** An app over stores that no one else shares. */
export interface LocalApp {
  readonly app: App;
  readonly stores: DevStores;
}

export interface RoundRequest extends SampleRequest {
  /** Opens the stores; each call anew, for what an app has read once stays as it was. */
  readonly open: () => Promise<LocalApp>;
  readonly progress: Progress;
  /** In the project's own registry, too. */
  readonly allowBreaking: boolean;
}

/** Throws nothing: whatever is wrong is what the round tells. */
export async function runRound(request: RoundRequest): Promise<Round> {
  const told: Told = {
    state: 'unchanged',
    isOwn: true,
    mistakes: [],
    error: null,
    plan: null,
    revision: null,
    materialized: [],
    samples: [],
  };
  try {
    const before = await withApp(request, (local) => planAndApply(local, request, told));
    if (before !== undefined) await withApp(request, ({ app }) => computeAndRead(app, request, told, before));
  } catch (thrown) {
    const error = toHeadraceError(thrown);
    const isMistake = error.code === 'HR_DEFINITION' && error.details.length > 0;
    told.state = isMistake ? 'mistakes' : 'failed';
    told.mistakes = isMistake ? error.details : [];
    told.error = error;
  }
  return told;
}

type Told = { -readonly [Member in keyof Round]: Round[Member] };

/** What was there before the change: its definitions, and the samples that are known by now. */
interface Before {
  readonly definitions: Definitions | undefined;
  readonly samples: ReadonlyMap<string, SampledValues>;
}

async function withApp<T>({ open }: RoundRequest, work: (local: LocalApp) => Promise<T>): Promise<T> {
  const local = await open();
  try {
    return await work(local);
  } finally {
    await local.app.close();
  }
}

/** Gives nothing where it was not applied. */
async function planAndApply({ app, stores }: LocalApp, request: RoundRequest, told: Told): Promise<Before | undefined> {
  told.isOwn = stores.isOwn;
  const definitions = await checkRepository(app);
  const registry = await app.registry();
  const plan = await registry.definitions.plan(definitions.manifest);
  told.plan = plan;
  if (plan.breaking.length > 0 && stores.isOwn && !request.allowBreaking) {
    told.state = 'breaking';
    return undefined;
  }
  const applied = plan.baseRevision === 0 ? undefined : await app.applied();
  const samples = new Map<string, SampledValues>();
  for (const service of applied === undefined ? [] : shownServices(applied, definitions, request.service)) {
    const values = await readBefore(app, request, service);
    if (values !== undefined) samples.set(service, values);
  }
  if (plan.changes.length > 0) {
    const { applyRepository, migrateTables } = await import('../../app/index.ts');
    await migrateTables(app);
    const expectedRevision = plan.baseRevision;
    // Going to an older commit and back is what one does while one develops.
    const { revision } = await applyRepository(app, { allowBreaking: true, allowOlder: true, expectedRevision });
    told.revision = revision;
    told.state = 'applied';
  } else {
    told.revision = plan.baseRevision;
  }
  return { definitions: applied, samples };
}

async function readBefore(app: App, request: RoundRequest, service: string): Promise<SampledValues | undefined> {
  const { servedDefinitions } = await import('../../app/index.ts');
  try {
    const definitions = await servedDefinitions(app, service);
    const row = await sampleRow(app, definitions, service, request, 'known');
    return row === undefined ? undefined : await readSample(app, definitions, service, row);
  } catch {
    // A service that is new, or that could not be read before either: there is nothing to compare with.
    return undefined;
  }
}

async function computeAndRead(app: App, request: RoundRequest, told: Told, before: Before): Promise<void> {
  const definitions = await app.applied();
  const { manifest } = definitions;
  const views = Object.keys(manifest.views).map((view) => viewVersion(manifest, view));
  if (views.length > 0) {
    const { fillOnline } = await import('../../app/index.ts');
    const report = await fillOnline(app, { views, incremental: true, dryRun: false }, { ...request, tell: () => {} });
    told.materialized = report.views;
    if (report.failed[0] !== undefined) throw report.failed[0].error;
  }
  const samples: SampledService[] = [];
  for (const service of shownServices(before.definitions, definitions, request.service)) {
    samples.push(await readAfter(app, definitions, service, request, before.samples.get(service)));
  }
  told.samples = samples;
}

async function readAfter(
  app: App,
  definitions: Definitions,
  service: string,
  request: RoundRequest,
  before: SampledValues | undefined,
): Promise<SampledService> {
  try {
    const row = await sampleRow(app, definitions, service, request, 'all');
    if (row === undefined) return { service, row: null, missing: [], features: [], error: null };
    const features = compareSamples(before, await readSample(app, definitions, service, row));
    return { service, row, missing: missingColumns(definitions, service, row), features, error: null };
  } catch (thrown) {
    const { message } = toHeadraceError(thrown);
    return { service, row: request.key ?? null, missing: [], features: [], error: message };
  }
}
