// An endpoint compiled for predicting: the columns that its rows carry, and the arms that they go to. Plans never change; a
// change makes a new one, and the old one goes when its last request has ended.

import { type Field, type HeadraceError, type PredictionMark, predictionMark, type Value } from '../core/index.ts';
import { type EndpointSpec, type ModelSpec, resolveService } from '../definitions/index.ts';
import type { EndpointMeter } from '../monitoring/index.ts';
import { type EndpointState, versionsRead } from '../registry/index.ts';
import { compileRoutes, routeColumns, type RoutedArm, routedArms, type Routes } from '../rollouts/index.ts';
import type { Arm } from './arm.ts';
import { minuteSink } from './arm-sinks.ts';
import { guardArms } from './guard-arms.ts';
import { minuteSeries } from './minute-series.ts';
import { loadShadows, type PlanShadows } from './shadow/load-shadows.ts';
import { compileArms, standIn } from './compile-arms.ts';
import { holdCaches } from './response-cache/hold-caches.ts';
import { uniteColumns } from './request-columns.ts';
import { compileRowParser, type RequestRow, type RowParser } from './row-parser.ts';
import { type CompileEndpoint, loadVariants, type ServedVariant } from './served-variants.ts';

export interface EndpointPlan {
  readonly state: EndpointState;
  readonly spec: EndpointSpec;
  readonly model: ModelSpec;
  /** What a row carries: the columns of all arms, each once. */
  readonly requestColumns: readonly Field[];
  readonly parseRow: RowParser;
  /** What each row is assigned. */
  readonly routes: Routes;
  /** Each of its own: the traffic's variants, then the experiments' arms, in their order; those that can be served. */
  readonly arms: readonly Arm[];
  /** By a route's place: its own arm, or one that stands in for it. */
  readonly armAt: readonly Arm[];
  /** By a route's place. */
  readonly marks: readonly PredictionMark[];
  /** Why a variant has no arm of its own; undefined where all have. */
  readonly lacking: HeadraceError | undefined;
  readonly shadows: PlanShadows;
  /** The view versions that its arms read. */
  readonly versions: readonly string[];
  /** The values that stick a row to its arm, as texts, in the order of the spec's unit. */
  unitOf(row: RequestRow): string[];
  readonly meter: EndpointMeter;
  /** `{"endpoint":…,"predictions":[` */
  readonly answerStart: string;
  /** Requests that hold the plan. */
  inFlight: number;
  retire(): Promise<void>;
}

export interface CompileOptions {
  /** Answer by the versions that can be loaded, where others can't. */
  readonly mayLack: boolean;
  /** Go without the shadows that can't be loaded: no answer is by one. */
  readonly mayLackShadows: boolean;
}

const UNWATCHED: EndpointMeter = { answered: () => {}, rowFailed: () => {}, failed: () => {} };

/** Loads the arms' models. Throws what loading throws, with nothing left loaded. */
export async function compileEndpoint(
  given: CompileEndpoint,
  { mayLack, mayLackShadows }: CompileOptions,
): Promise<EndpointPlan> {
  const { state, spec, model, definitions, monitor } = given;
  const places = routedArms(state);
  const { served, models, lacking } = await loadVariants(given, places, mayLack);
  const caches = holdCaches(given, served);
  try {
    const current = resolveService(definitions.manifest, model.service);
    const requestColumns = uniteColumns(
      served.map(({ variant, model: { service } }) => ({ service, version: variant.version })),
      current,
      routeColumns(state, spec),
    );
    // An experiment that can't be asked must not keep a server that starts from answering.
    let broken: HeadraceError | undefined;
    const routes = compileRoutes(state, spec, requestColumns, mayLack ? (error) => (broken ??= error) : undefined);
    const compiled = compileArms(given, served, requestColumns, caches);
    const shadows = await loadShadows(given, compiled, requestColumns, mayLackShadows);
    const series = minuteSeries(given, served, compiled);
    const countMinutes = minuteSink(given.minutes, series);
    const arms = compiled.map((arm) => ({
      ...arm,
      sinks: given.isUnwatched ? [] : [...arm.sinks, countMinutes, ...shadows.sinksOf(arm, routes)],
    }));
    const base = served.findIndex((one) => one.place === routes.base);
    const guarded = guardArms(given, served, arms, { base, series });
    const plan: EndpointPlan = {
      state,
      spec,
      model,
      requestColumns,
      parseRow: compileRowParser(requestColumns, 'inputs'),
      routes,
      arms: guarded.arms,
      armAt: places.map((arm, place) => armOf(arm, place, routes.base, guarded.arms, served)),
      marks: places.map(({ version }) => predictionMark(state.revision, version)),
      lacking: lacking ?? broken,
      shadows,
      versions: [
        ...new Set(
          [...models, ...shadows.models].flatMap(({ definitions: own, service }) =>
            versionsRead(own.manifest, service.name),
          ),
        ),
      ],
      unitOf: compileUnit(spec, requestColumns),
      meter: given.isUnwatched ? UNWATCHED : monitor.endpoint(state.name),
      answerStart: `{"endpoint":${JSON.stringify(state.name)},"predictions":[`,
      inFlight: 0,
      async retire() {
        const retired = shadows.retire();
        while (plan.inFlight + guarded.probes() > 0) await new Promise((resolve) => setTimeout(resolve, 20));
        await retired;
        guarded.release();
        caches.release();
        for (const one of models) one.release();
      },
    };
    return plan;
  } catch (thrown) {
    caches.release();
    for (const one of models) one.release();
    throw thrown;
  }
}

/** One that can't be served goes to the base; where that can't be either, to the one that most of the traffic goes to. */
function armOf(
  arm: RoutedArm,
  place: number,
  base: number,
  arms: readonly Arm[],
  served: readonly ServedVariant[],
): Arm {
  const own = served.findIndex((one) => one.place === place);
  if (own >= 0) return arms[own] as Arm;
  const weights = served.map((one) => (one.place === base ? Infinity : one.variant.weight));
  const instead = weights.indexOf(Math.max(...weights));
  return standIn(arms[instead] as Arm, served[instead] as ServedVariant, arm);
}

function compileUnit(spec: EndpointSpec, columns: readonly Field[]): (row: RequestRow) => string[] {
  const positions = spec.unit.map((column) => columns.findIndex(({ name }) => name === column));
  return (row) => positions.map((at) => unitText(row[at] ?? null));
}

// The same text for the same value, whatever type holds it: 7 and 7n are one unit.
function unitText(value: Value): string {
  return value === null
    ? ''
    : typeof value === 'string'
      ? value
      : value instanceof Uint8Array
        ? Buffer.from(value).toString('base64')
        : String(value);
}
