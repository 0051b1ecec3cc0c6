// The process that turns one Parquet file into an Arrow stream on its output: started by a server with one argument, ended with
// its input.

import { HeadraceError, messageOf } from '../core/index.ts';
import { streamArrow } from '../offline/index.ts';
import { openDuckDb } from '../storage/index.ts';
import type { ArrowMainStart } from './open-arrow.ts';

const [argument] = process.argv.slice(2);
if (argument === undefined)
  throw new HeadraceError('HR_USAGE', 'the process of an Arrow stream is started by `headrace serve`, not by hand.');
// The server wrote it.
const { path, features, spill, memory } = JSON.parse(argument) as ArrowMainStart;
process.stdin.once('close', () => process.exit(1)).resume();
try {
  const duckdb = await openDuckDb({ memory, tempDirectory: spill, threads: 2 });
  await streamArrow(duckdb, path, process.stdout, new Set(features));
  await duckdb.close();
  process.exit(0);
} catch (thrown) {
  console.error(messageOf(thrown));
  process.exit(1);
}
