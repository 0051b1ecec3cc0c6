// What it costs to write features that were read as Arrow and as JSON, in one thread, without a server: their form alone.

import { openApp, readEnvironment } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { resolveService } from '../src/definitions/index.ts';
import { writeFeatures } from '../src/serving/arrow/index.ts';
import { readFeatures } from '../src/serving/features/read-features.ts';
import { compileReadPlan } from '../src/serving/features/read-plan.ts';
import { userOf } from './features-read-project.ts';
import { median } from './median.ts';

export interface WriteMicros {
  readonly arrow: number;
  readonly rows: number;
  readonly columns: number;
}

const TIMES = 300;

/** Microseconds of processor an answer, medians of rounds taken in turn. */
export async function measureWriting(directory: string, rowCount: number, rounds: number): Promise<WriteMicros> {
  const app = await openApp({
    environment: { ...readEnvironment({}), workingDirectory: directory },
    logger: silentLogger,
  });
  try {
    const { manifest, hash } = await app.applied();
    const definitions = await app.definitionsOf(hash);
    const service = resolveService(manifest, 'service');
    const plan = compileReadPlan(definitions, service, await app.online(), await app.directory());
    const rows = Array.from({ length: rowCount }, (_, row) => ({ user: `user${userOf(0, row)}` }));
    const read = await readFeatures(plan, rows, Date.now() * 1000, { maxRows: rowCount });
    const writers = {
      arrow: () => writeFeatures(read, { hasStatuses: false, hasEventTimes: false }),
      rows: () => read.toJson('rows'),
      columns: () => read.toJson('columns'),
    };
    const names = Object.keys(writers) as (keyof WriteMicros)[];
    const found = new Map(names.map((name) => [name, [] as number[]]));
    for (let round = -1; round < rounds; round++) {
      for (const name of names) {
        // What others do on the machine is not counted.
        const before = process.cpuUsage();
        for (let time = 0; time < TIMES; time++) writers[name]();
        const { user, system } = process.cpuUsage(before);
        if (round >= 0) found.get(name)?.push((user + system) / TIMES);
      }
    }
    const of = (name: keyof WriteMicros): number => median(found.get(name) ?? []);
    return { arrow: of('arrow'), rows: of('rows'), columns: of('columns') };
  } finally {
    await app.close();
  }
}
