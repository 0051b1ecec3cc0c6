// Work for a model as tests submit it: rows of floats with a scope, and promises of what was told.

import { createScope, type Priority, type Scope } from '../../src/core/index.ts';
import type { LoadedModel, Tensor, Tensors } from '../../src/models/index.ts';

export interface OwnScope extends Scope {
  /** As when the client's connection ends. */
  cancel(): void;
}

/** Half a minute and online, unless said otherwise. */
export function scopeOf(over: { deadlineMs?: number; timeoutMs?: number; priority?: Priority } = {}): OwnScope {
  const closed: (() => void)[] = [];
  const connection = { destroyed: false, once: (_: 'close', listener: () => void) => closed.push(listener) };
  const scope = createScope({
    requestId: 'test',
    traceId: null,
    actor: { name: 'test', roles: new Set(), endpoints: null },
    deadlineMs: over.deadlineMs ?? performance.now() + (over.timeoutMs ?? 30_000),
    priority: over.priority ?? 'online',
    span: undefined,
    connection,
  });
  return Object.assign(scope, {
    cancel() {
      connection.destroyed = true;
      for (const listener of closed) listener();
    },
  });
}

/** `infer` with a scope that nothing limits. */
export function infer(model: LoadedModel, inputs: Tensors): Promise<Tensors> {
  return model.infer(inputs, scopeOf());
}

/** Rows of a model with one float matrix; gives its first output's elements, row by row. */
export function submitRows(
  model: Pick<LoadedModel, 'submit'>,
  rows: readonly (readonly number[])[],
  scope = scopeOf(),
): Promise<number[]> {
  return new Promise((resolve, reject) => {
    model.submit({
      count: rows.length,
      scope,
      bind(index, [input], place) {
        if (input !== undefined)
          (input.data as Float32Array).set(rows[index] as readonly number[], place * input.width);
      },
      done([output], first) {
        const { data, shape } = output as Tensor;
        const width = data.length / (shape[0] as number);
        resolve(Array.from({ length: rows.length * width }, (_, at) => Number(data[first * width + at])));
      },
      failed: reject,
    });
  });
}
