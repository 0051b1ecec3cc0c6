// What is known of the data behind the views, and of this process's part in pushes.

import type { FastifyInstance } from 'fastify';
import { ProblemResponse, StatusResponse } from './schemas.ts';

/** Given by the composition root, since it is asked across owners. As plain JSON data. */
export type ReadStatus = () => Promise<unknown>;

export function addStatusRoute(app: FastifyInstance, read: ReadStatus): void {
  app.get(
    '/v1/status',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Freshness and coverage of every view, and what waits',
        tags: ['health'],
        response: { 200: StatusResponse, '5xx': ProblemResponse },
      },
    },
    read,
  );
}
