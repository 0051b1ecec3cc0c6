// A model behind a cache, whose runs are told of and end when a test says so: it answers each row with the text of what its
// tensors took, and which version it is.

import type { Field, HeadraceError, Value } from '../../src/core/index.ts';
import type { ModelSpec, ResolvedService } from '../../src/definitions/index.ts';
import {
  arrayOf,
  type BatchInput,
  compileBinding,
  elementBytes,
  type ModelWork,
  type Signature,
} from '../../src/models/index.ts';
import type { FeatureRow } from '../../src/serving/feature-plan.ts';
import type { RowCache } from '../../src/serving/response-cache/infer-cached.ts';
import type { ArmCache } from '../../src/serving/response-cache/response-caches.ts';
import type { ServedModel } from '../../src/serving/served-models.ts';

const FIELDS: readonly Field[] = [
  { name: 'a', type: { kind: 'float32' } },
  { name: 'b', type: { kind: 'float64' } },
  { name: 'n', type: { kind: 'int64' }, default: 7 },
  { name: 's', type: { kind: 'string' }, default: '' },
];
const SIGNATURE: Signature = {
  inputs: FIELDS.map(({ name, type }) => ({ name, type: type.kind as 'float32', shape: [null] })),
  outputs: [{ name: 'told', type: 'string', shape: [null] }],
};
const SPEC: ModelSpec = {
  name: 'm',
  service: 's',
  outputs: [{ name: 'told', type: { kind: 'string' } }],
  providers: ['cpu'],
};
const SERVICE = {
  name: 's',
  requestColumns: [],
  reads: [],
  onDemand: [],
  features: FIELDS.map((field) => ({ ...field, from: { kind: 'read' as const, read: 0, feature: 0 } })),
} as ResolvedService;

/** Works that were submitted and not told yet, in their order. */
export interface HeldWork {
  readonly work: ModelWork;
  /** What the rows were bound to, as their answers. */
  readonly answers: readonly string[];
  succeed(): void;
  fail(error: HeadraceError): void;
}

export interface CachedModel {
  readonly model: ServedModel;
  readonly held: HeldWork[];
  /** Answers of all rows that ran, in the order of their runs. */
  readonly ran: string[];
  cacheOf(cache: ArmCache): RowCache;
}

/** `isHeld`: runs wait for the test; else they end in the next turn. */
export function createCachedModel(options: {
  readonly version?: number;
  readonly isHeld?: boolean;
  readonly mixesRows?: boolean;
}): CachedModel {
  const { version = 1, isHeld = true, mixesRows = false } = options;
  const held: HeldWork[] = [];
  const ran: string[] = [];
  const binding = compileBinding(SIGNATURE, SERVICE, SPEC);
  const submit = (work: ModelWork): void => {
    const inputs: BatchInput[] = SIGNATURE.inputs.map(({ type }) => ({ width: 1, data: arrayOf(type, work.count) }));
    for (let row = 0; row < work.count; row++) work.bind(row, inputs, row);
    const answers = Array.from(
      { length: work.count },
      (_, row) => `${version}: ${inputs.map(({ data }, at) => shown(data[row], at)).join(' ')}`,
    );
    ran.push(...answers);
    const one: HeldWork = {
      work,
      answers,
      succeed: () => work.done([{ type: 'string', shape: [work.count], data: answers }], 0, 0),
      fail: (error) => work.failed(error),
    };
    if (isHeld) held.push(one);
    else setImmediate(() => one.succeed());
  };
  return {
    model: { loaded: { submit, mixesRows }, binding, readsBehind: [] } as unknown as ServedModel,
    held,
    ran,
    cacheOf: (cache) => ({ cache, keyOf: (binding.compileKey as () => RowCache['keyOf'])() }),
  };
}

/** Bit by bit. */
function shown(value: number | bigint | string | undefined, at: number): string {
  if (typeof value !== 'number') return JSON.stringify(String(value));
  const bytes = elementBytes(SIGNATURE.inputs[at]?.type ?? 'float64');
  return Buffer.from(bytes === 4 ? Float32Array.of(value).buffer : Float64Array.of(value).buffer).toString('hex');
}

export const rowOf = (...values: readonly Value[]): FeatureRow => ({
  values,
  statuses: values.map(() => 'PRESENT' as const),
  reads: [],
});
