// A process of its own that sorts more than its memory holds: `spill-sorts.ts FOLDER ROUNDS`. It says "spilling" once it
// does, and "done" at the end; with ROUNDS 0 it goes on until it is killed.

import { openDuckDb } from '../../src/storage/index.ts';

const [folder = '', rounds = '1'] = process.argv.slice(2);
const duckdb = await openDuckDb({ tempDirectory: folder, memory: '100MB', threads: 2 });
const connection = await duckdb.connect();
const ROWS = 3_000_000;

let isSaid = false;
const look = async (): Promise<void> => {
  const other = await duckdb.connect();
  const [[bytes] = []] = (await other.runAndReadAll('SELECT sum(size) FROM duckdb_temporary_files()')).getRows();
  other.closeSync();
  if (Number(bytes ?? 0) === 0 || isSaid) return;
  isSaid = true;
  clearInterval(watch);
  console.log('spilling');
};
const watch = setInterval(() => void look(), 20);
for (let round = 1; rounds === '0' || round <= Number(rounds); round++) {
  const result = await connection.runAndReadAll(
    `SELECT count(*)::INTEGER, sum(n)::BIGINT, bool_and(h >= h_before) FROM (
      SELECT n, h, lag(h, 1, h) OVER (ORDER BY h) AS h_before, text FROM (
        SELECT range AS n, hash(range) AS h, repeat(range::VARCHAR, 8) AS text FROM range(${ROWS})))`,
  );
  const [row] = result.getRows();
  if (row?.[0] !== ROWS || Number(row[1]) !== (ROWS * (ROWS - 1)) / 2 || row[2] !== true) throw new Error(String(row));
}
clearInterval(watch);
connection.closeSync();
await duckdb.close();
console.log('done');
