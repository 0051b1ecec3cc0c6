// Arrow over HTTP: which requests bring it, which want it. The translation itself is loaded with the first of them.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BodyBounds } from './body-parser.ts';
import { addBodyParser } from './body-parser.ts';

export const ARROW_TYPE = 'application/vnd.apache.arrow.stream';

export function addArrowBody(app: FastifyInstance, bounds: BodyBounds): void {
  addBodyParser(app, ARROW_TYPE, bounds, async (body) => {
    const { readArrowRows } = await loadArrow();
    return readArrowRows(body, bounds.bodyLimitBytes);
  });
}

type ArrowModule = typeof import('../arrow/index.ts');

let loading: Promise<ArrowModule> | undefined;

export function loadArrow(): Promise<ArrowModule> {
  return (loading ??= import('../arrow/index.ts'));
}

/** JSON unless Accept names Arrow, and JSON with no greater weight. */
export function wantsArrow({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  const { accept } = headers;
  if (accept === undefined || !mayNameArrow(accept)) return false;
  const arrow = weightOf(accept, ARROW_TYPE);
  return arrow > 0 && arrow >= weightOf(accept, 'application/json');
}

/** Cheap, for a look at every request. */
export function mayNameArrow(accept: string): boolean {
  return accept.includes('arrow') || accept.includes('ARROW');
}

/** 0 where it is not named. RFC 9110, 12.4.2. */
export function weightOf(accept: string, mediaType: string): number {
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
    if (type !== mediaType) continue;
    const weight = parameters.find((one) => one.startsWith('q='));
    const value = weight === undefined ? 1 : Number(weight.slice(2));
    return Number.isFinite(value) ? value : 0;
  }
  return 0;
}
