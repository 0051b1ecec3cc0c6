// Rows of a query to a file, as they come from Postgres: nothing is gathered, and the socket waits while the file is
// written.

import pg from 'pg';
import type { RowFile } from '../databases/row-file.ts';

/** By COPY: Postgres's own text form, which is the file's. */
export function copyRows(client: pg.Client, sql: string, file: RowFile): Promise<void> {
  return new Promise((resolve, reject) => {
    const nothing = (): void => {};
    const copy = {
      submit: (connection: { query(text: string): void }) => connection.query(`COPY (${sql}) TO STDOUT`),
      // A message a row.
      handleCopyData({ chunk }: { readonly chunk: Uint8Array }) {
        try {
          file.addLine(chunk);
        } catch (error) {
          // pg goes on with what it was given: the read has failed, and its connection is ended by whoever opened it.
          copy.handleCopyData = nothing;
          reject(error);
        }
      },
      handleError: reject,
      handleReadyForQuery: () => resolve(),
      handleRowDescription: nothing,
      handleDataRow: nothing,
      handlePortalSuspended: nothing,
      handleCommandComplete: nothing,
      handleEmptyQuery: nothing,
      handleCopyInResponse: nothing,
    };
    // What pg calls a submittable; its types name two of the methods.
    client.query(copy as unknown as pg.Submittable);
  });
}

/** By the rows of the query itself. */
export function eachRow(client: pg.Client, sql: string, file: RowFile): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = new pg.Query<(string | null)[]>({
      text: sql,
      rowMode: 'array',
      types: { getTypeParser: () => (text: string) => text },
    } as pg.QueryArrayConfig);
    query.on('row', (row) => {
      try {
        file.add(row as unknown as (string | null)[]);
      } catch (error) {
        query.removeAllListeners('row');
        reject(error);
      }
    });
    query.on('error', reject);
    query.on('end', () => resolve());
    client.query(query);
  });
}
