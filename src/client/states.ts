// What a server says of itself and of its endpoints.

import type { EndpointState, Health, Variant } from './answers.ts';
import type { Ask } from './ask.ts';
import { arrayIn, objectIn } from './answer-parts.ts';
import type { CallOptions } from './options.ts';

export const askEndpoint =
  (ask: Ask) =>
  async (name: string, options: CallOptions = {}): Promise<EndpointState> => {
    const path = `/v1/endpoints/${encodeURIComponent(name)}`;
    const { body } = await ask({ method: 'GET', path, isRepeatable: true }, options);
    const { model, unit, state } = objectIn(body);
    const variants = arrayIn(body, 'variants').map((one) => {
      const { name: variant, version, weight } = objectIn(one);
      // The route's own form.
      return { name: variant, version, weight } as Variant;
    });
    return { model: String(model), unit: (unit ?? []) as readonly string[], variants, state: String(state) };
  };

/** Of whoever is not ready: an answer. */
const NOT_READY = 503;

export const askHealth =
  (ask: Ask) =>
  async (options: CallOptions = {}): Promise<Health> => {
    const question = { method: 'GET', path: '/health/ready', isRepeatable: true, alsoAnswers: [NOT_READY] } as const;
    const { status, body } = await ask(question, options);
    return { isReady: status !== NOT_READY, told: objectIn(body) };
  };
