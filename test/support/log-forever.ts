// A process that logs predictions without end, and says after each flush how many are on disk; made to be killed.
// Arguments: the log's folder.

import { silentLogger, systemClock } from '../../src/core/index.ts';
import { openPredictionLog } from '../../src/monitoring/index.ts';
import { appendRecord } from './prediction-records.ts';

const log = openPredictionLog({ directory: process.argv[2] as string, clock: systemClock, logger: silentLogger });
for (let count = 0; ; ) {
  for (let i = 0; i < 100; i++) appendRecord(log, `p${count++}`, { atMicros: systemClock.nowMicros() });
  await log.recordOutcomes([
    { predictionId: `p${count - 1}`, endpoint: 'delay', value: count, observedMicros: systemClock.nowMicros() },
  ]);
  await log.flush();
  process.stdout.write(`${count}\n`);
}
