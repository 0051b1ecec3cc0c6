// The databases that sources can lie in, by the sources' kinds.

import { mysqlDriver } from '../mysql/mysql-driver.ts';
import { postgresDriver } from '../postgres/postgres-driver.ts';
import { snowflakeDriver } from '../snowflake/snowflake-driver.ts';
import type { DatabaseDriver } from './database.ts';

export const DATABASES = {
  postgres: postgresDriver,
  mysql: mysqlDriver,
  snowflake: snowflakeDriver,
} as const satisfies Readonly<Record<string, DatabaseDriver>>;
