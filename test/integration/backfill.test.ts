// A pipeline's runs for a range of times: what has succeeded stays, what failed goes on, what is missing runs.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatTimestamp, parseTimestamp } from '../../src/core/index.ts';
import { backfill, listRuns } from '../../src/orchestrator/index.ts';
import { ownProject } from '../support/opened.ts';
import type { PipelineProject } from '../support/pipeline-project.ts';

const at = (text: string): number => parseTimestamp(text) ?? NaN;
const november = [at('2026-11-01'), at('2026-11-05')] as const;

const project = (options: string): Promise<PipelineProject> =>
  ownProject(
    `import { existsSync, appendFileSync } from 'node:fs';
     import { pipeline, task, t } from 'headrace';
     const p = pipeline('days', ${options});
     p.step('day', task((_needs, { params }) => {
       const day = new Date(params.tick).getUTCDate();
       appendFileSync('__PROJECT__/marks.txt', day + ' ');
       if (day === 2 && !existsSync('__PROJECT__/repaired')) throw new Error('no second');
       return day;
     }));
     export default p;`,
    { isInline: true },
  );

const marks = ({ directory }: PipelineProject): string => {
  const file = join(directory, 'marks.txt');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
};

it('runs each time of a range that has not succeeded, once', async () => {
  const made = await project('{ params: { tick: t.timestamp() } }');
  const request = { pipeline: 'days', over: november, every: 86_400_000_000 };
  const first = await backfill(made.deps, request);
  expect(first.map(({ tick, state, isKept }) => [formatTimestamp(tick).slice(0, 10), state, isKept].join(' '))).toEqual(
    [
      '2026-11-01 succeeded false',
      '2026-11-02 failed false',
      '2026-11-03 succeeded false',
      '2026-11-04 succeeded false',
    ],
  );
  expect(first[1]?.error).toMatch(/no second/);
  expect(marks(made)).toBe('1 2 3 4 ');
  writeFileSync(join(made.directory, 'repaired'), '');
  const started: string[] = [];
  const second = await backfill(made.deps, {
    ...request,
    over: [november[0], at('2026-11-06')],
    onStart: ({ tick }) => started.push(formatTimestamp(tick).slice(0, 10)),
  });
  expect(second.map(({ state }) => state)).toEqual(Array(5).fill('succeeded'));
  expect(second.map(({ isKept }) => isKept)).toEqual([true, false, true, true, false]);
  expect(started).toEqual(['2026-11-02', '2026-11-05']);
  expect(marks(made)).toBe('1 2 3 4 2 5 ');
  expect(second[1]?.id).toBe(first[1]?.id);
  expect((await listRuns(made.deps)).map(({ tickMicros }) => tickMicros)).toHaveLength(5);
});

it('takes the times of the schedule, and says what is missing where there is none', async () => {
  const made = await project(
    `{ schedule: '0 3 * * *', timezone: 'Europe/Berlin', params: { tick: t.timestamp(), n: t.int32().default(1) } }`,
  );
  writeFileSync(join(made.directory, 'repaired'), '');
  const ran = await backfill(made.deps, {
    pipeline: 'days',
    over: [at('2026-10-24T01:00:00Z'), at('2026-10-26T02:00:00Z')],
  });
  expect(ran.map(({ tick }) => formatTimestamp(tick).slice(0, 16))).toEqual(['2026-10-24T01:00', '2026-10-25T02:00']);
  const given = { pipeline: 'days', over: november, every: 3600e6, params: { n: 'x' } };
  await expect(backfill(made.deps, given)).rejects.toMatchObject({ code: 'HR_INVALID' });
  const unknown = { ...given, pipeline: 'day' };
  await expect(backfill(made.deps, unknown)).rejects.toMatchObject({ code: 'HR_UNKNOWN_PIPELINE' });
  const plain = await project('{ params: { tick: t.timestamp() } }');
  await expect(backfill(plain.deps, { pipeline: 'days', over: november })).rejects.toThrow(
    /has no schedule.*--every 1d/,
  );
});
