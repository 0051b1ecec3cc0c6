// A statement in a DuckDB of its own, and nothing else: the floor of a whole command, from the start of its process.
//   node bench/run-sql.ts SPILL_FOLDER MEMORY STATEMENT

// The one file, so that no more is loaded than a plain script with DuckDB would load.
import { openDuckDb } from '../src/storage/duckdb/open-duckdb.ts';

const [tempDirectory = '', memory = '', statement = ''] = process.argv.slice(2);
const duckdb = await openDuckDb({ tempDirectory, memory });
const connection = await duckdb.connect();
await connection.run(statement);
connection.closeSync();
await duckdb.close();
