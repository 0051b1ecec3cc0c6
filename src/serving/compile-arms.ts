// Variants compiled to arms: each one's features by the definitions that its version was trained on, its model, the texts
// of its answers, and what is told of them.

import {
  canonicalJson,
  contentHash,
  type Field,
  HeadraceError,
  type Int64Form,
  type Micros,
  type Scope,
  type Span,
} from '../core/index.ts';
import { versionsRead } from '../registry/index.ts';
import type { Arm, ArmId, ArmRow, ArmWriters, WriteRow } from './arm.ts';
import { logSink, meterSink } from './arm-sinks.ts';
import type { Stage } from './deadlines.ts';
import type { CompileEndpoint, ServedVariant } from './served-variants.ts';
import { CLOCK_SKEW_MICROS, type FeaturePlan, type FeatureRowOrError } from './feature-plan.ts';
import { compileObjectWriter, compilePlainTextWriter } from './json-writer.ts';
import type { RequestRow } from './row-parser.ts';
import { compileLoggedRoutes } from './logged-routes.ts';
import type { HeldCaches } from './response-cache/hold-caches.ts';
import { compileInfer, type Infer } from './response-cache/compile-infer.ts';
import type { ServedModel } from './served-models.ts';

/** In the order of `served`; arms that read alike share a feature plan. `caches`: theirs, by id. */
export function compileArms(
  given: CompileEndpoint,
  served: readonly ServedVariant[],
  requestColumns: readonly Field[],
  caches: Pick<HeldCaches, 'of'>,
): readonly Arm[] {
  const { state, spec, model, planFeatures, monitor, predictionLog } = given;
  const plans = new Map<string, FeaturePlan>();
  const loggedRoutes = compileLoggedRoutes(state, requestColumns);
  return served.map(({ variant, model: own }): Arm => {
    const { definitions, service } = own;
    const reads = readsOf(own);
    const features = plans.get(reads) ?? planFeatures(definitions, { ...service, requestColumns });
    plans.set(reads, features);
    const id = armId(own, variant.version, spec.whenStoreDown);
    const named = { endpoint: state.name, variant: variant.name, model: model.name, version: variant.version, arm: id };
    const meter = monitor.arm({ ...named, features: service.features.map((feature) => feature.name) });
    const log = predictionLog.arm({
      ...named,
      requestFields: requestColumns,
      featureFields: service.features,
      outputFields: own.spec.outputs,
      unitFields: spec.unit,
    });
    const readFeatures = compileRead(features, spec.whenStoreDown === 'defaults');
    const infer = compileInfer(own, caches.of(id));
    return {
      id,
      name: variant.name,
      version: variant.version,
      features,
      graph: { kind: 'model', model: own },
      run(rows, scope, at, stage) {
        if (scope.span !== undefined || stage.timing !== undefined)
          return runWatched({ variant, infer, readFeatures }, rows, scope, at, stage);
        const read = readFeatures(rows, at);
        if (!(read instanceof Promise)) return infer(read, scope, stage);
        const next = stage.now;
        stage.now = READING;
        return read.then((answered) => {
          stage.now = next;
          scope.check(READING, rows.length);
          return infer(answered, scope, stage);
        });
      },
      write: compileWriters(model.name, variant, own),
      sinks: [meterSink(meter), logSink(log, loggedRoutes)],
    };
  });
}

/** The arm in the place of another variant, which its answers name. It counts and is logged as itself. */
export function standIn(arm: Arm, { variant, model }: ServedVariant, { name }: { readonly name: string }): Arm {
  return { ...arm, fallbackFrom: name, write: compileWriters(arm.graph.model.spec.name, variant, model, name) };
}

/** Whether two versions of a model have the same features, from the same versions of views. */
export function readsAlike(one: ServedModel, other: ServedModel): boolean {
  return readsOf(one) === readsOf(other);
}

function readsOf({ definitions, service }: ServedModel): string {
  return canonicalJson([versionsRead(definitions.manifest, service.name), service]);
}

export function armId(
  model: Pick<ServedModel, 'definitions' | 'service' | 'spec' | 'artifact'>,
  version: number,
  whenStoreDown: string,
): ArmId {
  const { definitions, service, spec, artifact } = model;
  const views = versionsRead(definitions.manifest, service.name);
  return contentHash({
    bundle: definitions.hash,
    service: service.name,
    views,
    artifact,
    version,
    spec,
    whenStoreDown,
  });
}

type ReadFeatures = (
  rows: readonly RequestRow[],
  at: number,
) => readonly FeatureRowOrError[] | Promise<readonly FeatureRowOrError[]>;

const READING = 'features were read';

interface Watched {
  readonly variant: Pick<Arm, 'name' | 'version'>;
  readonly infer: Infer;
  readonly readFeatures: ReadFeatures;
}

/** The same for a request whose stages are told of: by a span of each, which ends with the first row's failure; by its timing. */
async function runWatched(
  { variant: { name, version }, infer, readFeatures }: Watched,
  rows: readonly RequestRow[],
  scope: Scope,
  at: Micros,
  stage: Stage,
): Promise<readonly ArmRow[]> {
  const { span } = scope;
  const { timing } = stage;
  const read = async (): Promise<readonly FeatureRowOrError[]> => readFeatures(rows, at);
  const next = stage.now;
  stage.now = READING;
  const startMs = performance.now();
  const features = await inSpan(span?.child('features.read'), read, errorOf);
  if (timing !== undefined) timing.featuresMs = performance.now() - startMs;
  stage.now = next;
  scope.check(READING, rows.length);
  const run = span?.child('model.run');
  run?.set('headrace.variant', name);
  run?.set('headrace.version', version);
  run?.set('headrace.rows', rows.length);
  return inSpan(
    run,
    async () => {
      const answered = await infer(features, run === undefined ? scope : scope.child({ span: run }), stage);
      const cached = run === undefined ? 0 : answered.filter((row) => row.error === undefined && row.isCached).length;
      if (cached > 0) run?.set('headrace.cached_rows', cached);
      return answered;
    },
    (row) => row.error,
  );
}

const errorOf = (row: FeatureRowOrError): HeadraceError | undefined => (row instanceof HeadraceError ? row : undefined);

async function inSpan<Row>(
  span: Span | undefined,
  work: () => Promise<readonly Row[]>,
  failureOf: (row: Row) => HeadraceError | undefined,
): Promise<readonly Row[]> {
  try {
    const rows = await work();
    span?.end(rows.map(failureOf).find((error) => error !== undefined));
    return rows;
  } catch (thrown) {
    span?.end(thrown);
    throw thrown;
  }
}

/** What a store that is down means: every row's error, or declared defaults. */
export function compileRead(features: FeaturePlan, hasDefaults: boolean): ReadFeatures {
  const whenDown = (rows: readonly RequestRow[], thrown: unknown): readonly FeatureRowOrError[] => {
    if (!(thrown instanceof HeadraceError)) throw thrown;
    if (hasDefaults && thrown.code === 'HR_ONLINE_UNAVAILABLE') return features.defaults(rows);
    return rows.map(() => thrown);
  };
  return (rows, at) => {
    try {
      const read = features.readEach(rows, at, CLOCK_SKEW_MICROS);
      return read instanceof Promise ? read.catch((thrown: unknown) => whenDown(rows, thrown)) : read;
    } catch (thrown) {
      return whenDown(rows, thrown);
    }
  };
}

function compileWriters(
  model: string,
  variant: { readonly name: string; readonly version: number },
  { service, spec, binding }: ServedModel,
  fallbackFrom?: string,
): ArmWriters {
  const writeStatuses = compilePlainTextWriter(service.features.map(({ name }) => name));
  const from = fallbackFrom === undefined ? '' : `,"fallback_from":${JSON.stringify(fallbackFrom)}`;
  const rest = `,"model":${JSON.stringify(model)},"version":${variant.version},"variant":${JSON.stringify(variant.name)}${from}`;
  const writer = (int64: Int64Form): WriteRow => {
    const writeOutputs = compileObjectWriter(spec.outputs, int64);
    const writeFeatures = compileObjectWriter(service.features, int64);
    return (id, row, returnsFeatures) => {
      const start = `{"prediction_id":"${id}","outputs":${writeOutputs(row.outputs)}${rest}`;
      if (!returnsFeatures) return `${start}}`;
      return `${start},"features":${writeFeatures(binding.shown(row.features))},"statuses":${writeStatuses(row.statuses)}}`;
    };
  };
  return { number: writer('number'), text: writer('text') };
}
