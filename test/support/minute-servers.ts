// Servers that count by the minute, each by a clock of the test's own, and what they tell as rows of the table.

import { createMinuteCollector } from '../../src/monitoring/minutes/collect-minutes.ts';
import type { MinuteColumns } from '../../src/monitoring/minutes/minute-tables.ts';
import { toColumns } from '../../src/monitoring/minutes/row-columns.ts';

export type MinuteServer = ReturnType<typeof createMinuteServer>;

export function createMinuteServer(name: string) {
  let sequence = 0;
  const clock = { at: 0 };
  const collector = createMinuteCollector(() => clock.at);
  return Object.assign(clock, {
    collector,
    take(): readonly MinuteColumns[] {
      sequence++;
      return collector.take('all').map(({ turn, ...row }) => {
        const writer = turn === 0 ? name : `${name}~${turn}`;
        return toColumns({ ...row, writer, sequence, reportedMicros: clock.at });
      });
    },
  });
}

/** The series of one variant's arm, with its units. */
export const armOf = (server: MinuteServer, { variant = 'stable', version = 1, revision = 1 } = {}) =>
  server.collector.arm({ endpoint: 'eta', variant, version, arm: `a${version}`, revision, hasUnits: true });
