// The Open Inference Protocol's calls over what a server has: endpoints by the data plane, plain models by their queues.

import { compareTexts, HeadraceError, type Scope, type Span, toHeadraceError } from '../../core/index.ts';
import {
  type LoadedModel,
  type ModelStatistics,
  RUNTIME_FAILED,
  type Tensor,
  type Tensors,
} from '../../models/index.ts';
import type { EndpointMeter, Monitor } from '../../monitoring/index.ts';
import type { PlainModelRegistry } from '../../registry/index.ts';
import type { Readiness } from '../control-plane.ts';
import type { DataPlane } from '../data-plane.ts';
import type { InFlight } from '../in-flight.ts';
import type { Snapshots } from '../open-snapshots.ts';
import type { ServingLimits } from '../serving-deps.ts';
import type { Wake } from '../wake.ts';
import { createEndpointModels, type EndpointModels } from './endpoint-models.ts';
import type {
  IndexedModel,
  InferAnswer,
  InferencePlane,
  InferRequest,
  ModelFigures,
  ModelMetadata,
} from './inference-plane.ts';
import type { PlainModels, PlainServed } from './plain-models.ts';
import { refuseOtherOutputs } from './request-rules.ts';
import { createRequestCounts } from './request-counts.ts';
import { describeTensor, type NamedTensor } from './tensors.ts';
import { unknownModel } from './unknown-model.ts';

export interface InferencePlaneParts {
  readonly registry: { readonly plainModels: Pick<PlainModelRegistry, 'setLoaded'> };
  readonly limits: Pick<ServingLimits, 'maxRows'>;
  readonly monitor: Pick<Monitor, 'endpoint'>;
  readonly data: DataPlane;
  readonly snapshots: Snapshots;
  readonly plain: PlainModels;
  readonly inFlight: InFlight;
  readonly wake: Wake;
  readonly readiness: () => Readiness;
}

export function createInferencePlane(parts: InferencePlaneParts): InferencePlane {
  const { registry, limits, monitor, data, snapshots, plain, inFlight, wake, readiness } = parts;
  const counts = createRequestCounts();
  const endpoints: EndpointModels = createEndpointModels(snapshots, data, limits.maxRows);

  // Of names that there are, so there are no more meters than those.
  const meters = new Map<string, EndpointMeter>();
  const meterOf = (model: string): EndpointMeter => {
    let meter = meters.get(model);
    if (meter === undefined) meters.set(model, (meter = monitor.endpoint(model)));
    return meter;
  };

  /** Which of the two it is. Throws HR_UNKNOWN_MODEL for neither. */
  const isEndpoint = (model: string, version: string | undefined): boolean => {
    if (snapshots.isEndpoint(model)) return true;
    if (plain.has(model)) return false;
    throw unknownModel(model, version, endpoints.servedElsewhere(model));
  };

  const inferPlain = async (
    served: PlainServed,
    { inputs, outputs }: InferRequest,
    scope: Scope,
  ): Promise<InferAnswer> => {
    const { signature } = served;
    const known = signature.outputs.map(({ name }) => name);
    if (outputs !== undefined) refuseOtherOutputs(outputs, new Set(known), `model "${served.name}"`);
    const run = (model: LoadedModel): Promise<Tensors> =>
      scope.span === undefined
        ? model.infer(byName(inputs), scope)
        : runTraced(scope.span, served, model, inputs, scope);
    const given = await served.use(scope, run).catch((thrown: unknown) => {
      throw refusedByRuntime(thrown);
    });
    return {
      version: served.version,
      outputs: (outputs ?? known).map((name) => ({ ...(given[name] as Tensor), name })),
    };
  };

  const figuresOf = (name: string, version: string, counted: ModelStatistics | undefined): ModelFigures => {
    const { rows = 0, runs = 0, busyMicros = 0, waitedRows = 0, waitMicros = 0 } = counted ?? {};
    return {
      name,
      version,
      ...counts.of(name, version),
      rows,
      runs: { count: runs, micros: busyMicros },
      waited: { count: waitedRows, micros: waitMicros },
    };
  };

  const plane: InferencePlane = {
    isReady: () => readiness().isReady,
    isModelReady(model, version) {
      if (isEndpoint(model, version)) return endpoints.isReady(model, version);
      return plain.find(model, version).state.state === 'READY';
    },
    metadata(model, version) {
      if (isEndpoint(model, version)) return endpoints.metadata(model, version);
      const served = plain.find(model, version);
      return plainMetadata(served, version === undefined ? plain.versions(model) : [served]);
    },
    async infer(model, version, asked, scope) {
      const startMs = performance.now();
      if (isEndpoint(model, version)) {
        try {
          const answer = await endpoints.infer(model, version, asked, scope);
          // Of several versions it is none's.
          if (answer.version !== undefined) counts.answered(model, answer.version, startMs);
          return answer;
        } catch (thrown) {
          const asked = endpoints.versionAsked(model, version);
          if (asked !== undefined) counts.failed(model, asked, startMs);
          throw thrown;
        }
      }
      const meter = meterOf(model);
      let served: PlainServed | undefined;
      try {
        inFlight.enter();
        try {
          const waking = wake.awake();
          if (waking !== undefined) await waking;
          served = plain.find(model, version);
          const answer = await inferPlain(served, asked, scope);
          counts.answered(model, served.version, startMs);
          meter.answered(Math.round((performance.now() - startMs) * 1000), rowsOf(asked.inputs));
          return answer;
        } finally {
          inFlight.leave();
        }
      } catch (thrown) {
        if (served !== undefined) counts.failed(model, served.version, startMs);
        meter.failed(codeOf(thrown));
        throw thrown;
      }
    },
    refused(model, thrown) {
      if (snapshots.isEndpoint(model)) data.refused(model, thrown);
      else if (plain.has(model)) meterOf(model).failed(toHeadraceError(thrown).code);
    },
    index() {
      const own = plain
        .names()
        .filter((name) => !snapshots.isEndpoint(name))
        .flatMap((name) =>
          plain.versions(name).map(({ version, state }): IndexedModel => ({ name, version, ...state })),
        );
      return [...endpoints.index(), ...own].sort((a, b) => compareTexts(a.name, b.name));
    },
    async load(model, by) {
      // It may have been registered a moment ago.
      if (!snapshots.isEndpoint(model) && !plain.has(model)) await plain.catchUp();
      if (isEndpoint(model, undefined)) {
        if (endpoints.isReady(model, undefined)) return;
        throw new HeadraceError(
          'HR_MODEL_NOT_READY',
          `endpoint "${model}" is loaded by its traffic, and has nothing to serve yet.`,
        );
      }
      await registry.plainModels.setLoaded(model, true, by);
      await plain.catchUp();
      const { state, reason } = plain.find(model, undefined).state;
      if (state !== 'READY')
        throw new HeadraceError('HR_MODEL_NOT_READY', `model "${model}" could not be loaded: ${reason}`);
    },
    async unload(model, by) {
      if (isEndpoint(model, undefined)) {
        const sentence = `"${model}" is an endpoint, whose models are loaded and unloaded by its traffic; \`headrace endpoints traffic\` changes it.`;
        throw new HeadraceError('HR_CONFLICT', sentence);
      }
      await registry.plainModels.setLoaded(model, false, by);
      await plain.catchUp();
    },
    statistics(model, version) {
      const names = model === undefined ? plane.index().map(({ name }) => name) : [model];
      const asked = model === undefined ? undefined : version;
      return [...new Set(names)].flatMap((name) => {
        if (isEndpoint(name, asked))
          return endpoints
            .loaded(name, asked)
            .map(({ version: own, model: loaded }) => figuresOf(name, own, loaded.statistics()));
        const served = asked === undefined ? plain.versions(name) : [plain.find(name, asked)];
        return served.map((one) => figuresOf(name, one.version, one.statistics()));
      });
    },
  };
  return plane;
}

async function runTraced(
  parent: Span,
  { version }: PlainServed,
  model: LoadedModel,
  inputs: readonly NamedTensor[],
  scope: Scope,
): Promise<Tensors> {
  const span = parent.child('model.run');
  span.set('headrace.version', Number(version));
  span.set('headrace.rows', rowsOf(inputs));
  try {
    const outputs = await model.infer(byName(inputs), scope);
    span.end();
    return outputs;
  } catch (thrown) {
    span.end(thrown);
    throw thrown;
  }
}

function byName(inputs: readonly NamedTensor[]): Tensors {
  // What is named as a prototype's member is a member of its own.
  return Object.fromEntries(inputs.map((input) => [input.name, input]));
}

function rowsOf(inputs: readonly NamedTensor[]): number {
  return inputs[0]?.shape[0] ?? 1;
}

function plainMetadata({ name, signature }: PlainServed, versions: readonly PlainServed[]): ModelMetadata {
  return {
    name,
    versions: versions.map(({ version }) => version),
    platform: 'onnxruntime_onnx',
    inputs: signature.inputs.map(describeTensor),
    outputs: signature.outputs.map(describeTensor),
  };
}

/** The signature is all that a plain model says of its inputs: one that it fails on is the client's, and is told why. */
function refusedByRuntime(thrown: unknown): unknown {
  if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_INFERENCE_FAILED') return thrown;
  if (!thrown.message.startsWith(RUNTIME_FAILED)) return thrown;
  return new HeadraceError('HR_INVALID', `the model can not be run on these inputs: ${thrown.message}`, {
    cause: thrown,
  });
}

/** Metrics count what the runtime refused as what it was. */
function codeOf(thrown: unknown): ReturnType<typeof toHeadraceError>['code'] {
  const { cause, code } = toHeadraceError(thrown);
  return cause instanceof HeadraceError && cause.code === 'HR_INFERENCE_FAILED' ? cause.code : code;
}
