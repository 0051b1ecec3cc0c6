// A graph for whoever has a thread of its own and rows by the thousand: its nodes run as on a server, one after the other, and
// without deadlines.

import { createScope, HeadraceError, type KnownRows, type Value } from '../../core/index.ts';
import type { Definitions, ModelSpec, ResolvedService } from '../../definitions/index.ts';
import { compileBinding } from '../binding/compile-binding.ts';
import type { BatchModel } from '../batch-model.ts';
import { asInferenceFailure } from '../each-row.ts';
import type { LoadedModel } from '../model-runtime.ts';
import { type DirectModel, openDirectModel } from '../onnx/direct-model.ts';
import { compileGraph, type NodeModel } from './compile-graph.ts';
import { withoutTimeouts } from './without-timeouts.ts';

export interface BatchGraphNode {
  readonly version: number;
  /** SHA-256 of the file: nodes of one file share what is open of it. */
  readonly artifact: string;
  readonly onnx: Uint8Array;
  readonly service: ResolvedService;
  readonly spec: ModelSpec;
  /** What is known of its rows, as of `LoadOptions`. */
  readonly rows?: KnownRows | undefined;
}

export interface BatchGraphOptions {
  /** The graph's own. */
  readonly service: ResolvedService;
  readonly spec: ModelSpec;
  /** By name of a model node. */
  readonly nodes: ReadonlyMap<string, BatchGraphNode>;
  readonly functions: Definitions['functions'];
  /** Of a run of a node's model. */
  readonly mostRows: number;
  /** Of `OnnxRuntimeOptions`. */
  readonly providerShare?: number;
}

/** Throws as opening each node's model and as `compileGraph`; then nothing is left open. */
export function openBatchGraph(options: BatchGraphOptions): BatchModel {
  const { service, spec, nodes, functions, mostRows, providerShare } = options;
  const open = new Map<string, DirectModel>();
  const close = (): void => open.forEach((model) => model.close());
  try {
    const models = new Map<string, NodeModel>();
    for (const [name, { version, artifact, onnx, rows, ...takes }] of nodes) {
      const { providers } = takes.spec;
      const key = JSON.stringify([artifact, providers, rows]);
      const direct = open.get(key) ?? openDirectModel(onnx, { providers, mostRows, providerShare, rows });
      open.set(key, direct);
      const binding = compileBinding(direct.signature, takes.service, takes.spec);
      models.set(name, { version, ...takes, loaded: asLoaded(direct), binding });
    }
    const { loaded, binding } = compileGraph({
      spec: withoutTimeouts(spec),
      service,
      definitions: { functions },
      models,
      mostRunsAgain: Infinity,
    });
    return {
      mostRows,
      score(count, rowAt, scored) {
        const rows: (readonly Value[])[] = [];
        const places: number[] = [];
        for (let row = 0; row < count; row++) {
          // The caller's array may be the same each time.
          const values = [...rowAt(row)];
          const mistake = binding.check(values);
          if (mistake === undefined) {
            rows.push(values);
            places.push(row);
          } else scored(row, mistake);
        }
        if (rows.length === 0) return;
        let isTold = false;
        loaded.submit({
          count: rows.length,
          scope: FOREVER,
          bind: (index, batch, place) => binding.bindRow(rows[index] as readonly Value[], batch, place),
          done(outputs, first) {
            isTold = true;
            places.forEach((row, index) =>
              scored(
                row,
                readOr(() => binding.readRow(outputs, first + index)),
              ),
            );
          },
          failed(error) {
            isTold = true;
            for (const row of places) scored(row, error);
          },
        });
        if (!isTold) throw new HeadraceError('HR_INTERNAL', `graph "${spec.name}" did not answer a batch at once`);
      },
      close,
    };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

const FOREVER = createScope({
  requestId: 'batch',
  traceId: null,
  actor: { name: 'batch', roles: new Set(), endpoints: null },
  deadlineMs: Infinity,
  priority: 'batch',
  span: undefined,
});

function readOr(read: () => readonly Value[]): readonly Value[] | HeadraceError {
  try {
    return read();
  } catch (thrown) {
    return asInferenceFailure(thrown);
  }
}

/** What a graph asks of a model; it is closed by whoever opened it. */
function asLoaded({ signature, nodesByProvider, submit, statistics }: DirectModel): LoadedModel {
  return {
    signature,
    cost: { fixedMicros: 0, rowMicros: 0, loadMicros: 0 },
    placement: 'inline',
    nodesByProvider,
    memoryBytes: 0,
    submit,
    infer: () => Promise.reject(new HeadraceError('HR_UNSUPPORTED', 'a batch takes rows of features, not tensors.')),
    statistics,
    close: () => Promise.resolve(),
  };
}
