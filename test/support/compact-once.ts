// A process that compacts a prediction log once and says what it did. Arguments: the log's folder, one for DuckDB's files.

import { systemClock } from '../../src/core/index.ts';
import { compactPredictionLog } from '../../src/monitoring/index.ts';
import { openDuckDb } from '../../src/storage/index.ts';

const [directory = '', tempDirectory = ''] = process.argv.slice(2);
const duckdb = await openDuckDb({ tempDirectory, memory: '256MB', threads: 1 });
const report = await compactPredictionLog({ directory, duckdb: async () => duckdb, clock: systemClock });
await duckdb.close();
process.stdout.write(`${JSON.stringify({ pid: process.pid, ...report })}\n`);
