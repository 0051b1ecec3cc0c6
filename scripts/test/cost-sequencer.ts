// The order in which Vitest runs test files, and the parts of `--shard`: the dearest files first, so that no worker is left with
// a long one at the end, and parts that take about equally long.

import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { root } from './root.ts';
import { readCosts } from './test-costs.ts';

/** Of a file that was never measured, in seconds. */
const UNKNOWN = 2;

export class CostSequencer extends BaseSequencer {
  readonly #costs = readCosts();
  /** Files in an order of their own, nearest first, where the run was given one. */
  readonly #order = new Map((process.env['HEADRACE_TEST_ORDER'] ?? '').split('\n').map((file, index) => [file, index]));

  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = (file: TestSpecification): number => this.#order.get(nameOf(file)) ?? this.#order.size;
    return [...files].sort((a, b) => rank(a) - rank(b) || this.#cost(b) - this.#cost(a));
  }

  /** Each file, the dearest first, goes to the part that has the least so far. */
  override async shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { index, count } = this.ctx.config.shard ?? { index: 1, count: 1 };
    const parts = Array.from({ length: count }, () => ({ seconds: 0, files: [] as TestSpecification[] }));
    const names = new Map(files.map((file) => [file, nameOf(file)]));
    const dearestFirst = [...files].sort(
      (a, b) => this.#cost(b) - this.#cost(a) || (names.get(a) ?? '').localeCompare(names.get(b) ?? ''),
    );
    for (const file of dearestFirst) {
      const least = parts.reduce((one, other) => (other.seconds < one.seconds ? other : one));
      least.seconds += this.#cost(file);
      least.files.push(file);
    }
    return parts[index - 1]?.files ?? [];
  }

  #cost(file: TestSpecification): number {
    return this.#costs.get(nameOf(file))?.seconds ?? UNKNOWN;
  }
}

function nameOf(file: TestSpecification): string {
  return relative(root, file.moduleId);
}
