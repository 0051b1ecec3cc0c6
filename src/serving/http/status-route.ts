// What is known of the data behind the views, and of this process's part in pushes.

import type { FastifyInstance } from 'fastify';
import type { Logger } from '../../core/index.ts';
import { createBoundedRead } from './bounded-read.ts';
import { ProblemResponse, StatusResponse } from './schemas.ts';

/** Given by the composition root, since it is asked across owners. As plain JSON data. */
export interface StatusParts {
  /** By the registry and the store; rejects while one is away. */
  readonly views: () => Promise<unknown>;
  /** What this process knows by itself. */
  readonly own: () => object;
}

const VIEWS_LIMIT_MS = 2500;

export function addStatusRoute(app: FastifyInstance, { views, own }: StatusParts, logger: Logger): void {
  const readViews = createBoundedRead({ what: 'the views', read: views, limitMs: VIEWS_LIMIT_MS, logger });
  app.get(
    '/v1/status',
    {
      config: { role: 'read', tellsOfAllEndpoints: true },
      schema: {
        summary: 'Freshness and coverage of every view, and what waits',
        tags: ['health'],
        response: { 200: StatusResponse, '5xx': ProblemResponse },
      },
    },
    async () => {
      const had = await readViews();
      return 'value' in had
        ? { views: had.value, ...own(), missing: [] }
        : { views: null, ...own(), missing: [{ part: 'views', reason: had.reason }] };
    },
  );
}
