// Snowflake's SDK, which is large, and no dependency of those who have no source there: imported when first needed. Only
// what is used of it is typed here.

import { HeadraceError } from '../../../core/index.ts';

export interface SnowflakeColumn {
  getName(): string;
  /** Such as `fixed`, `text`, `timestamp_ntz`. */
  getType(): string;
  getScale(): number | null | undefined;
}

export interface SnowflakeStatement {
  streamRows(): AsyncIterable<unknown>;
  getColumns(): readonly SnowflakeColumn[];
}

export interface SnowflakeConnection {
  connect(done: (error: Error | null | undefined) => void): void;
  execute(options: {
    readonly sqlText: string;
    readonly streamResult: boolean;
    readonly rowMode: 'array';
    readonly fetchAsString: readonly string[];
    readonly complete: (error: Error | null | undefined, statement: SnowflakeStatement) => void;
  }): void;
  destroy(done: () => void): void;
}

export interface SnowflakeSdk {
  createConnection(options: Readonly<Record<string, string>>): SnowflakeConnection;
  configure(options: { readonly logLevel: 'OFF'; readonly additionalLogToConsole: boolean }): void;
}

const SDK = 'snowflake-sdk';

/** Throws HR_CONFIG where it is not installed. */
export async function loadSdk(importSdk: (name: string) => Promise<unknown> = importPackage): Promise<SnowflakeSdk> {
  let loaded: unknown;
  try {
    loaded = await importSdk(SDK);
  } catch (error) {
    throw new HeadraceError(
      'HR_CONFIG',
      'sources in Snowflake are read by its own SDK, which is not installed: npm install snowflake-sdk',
      { cause: error },
    );
  }
  // Of CommonJS: its exports are the default.
  const sdk = (loaded as { readonly default?: unknown }).default ?? loaded;
  const snowflake = sdk as SnowflakeSdk;
  // It would write a log file where the command runs.
  snowflake.configure({ logLevel: 'OFF', additionalLogToConsole: false });
  return snowflake;
}

const importPackage = (name: string): Promise<unknown> => import(name);
