// Who is in which variant, by OpenFeature's protocol (OFREP), which the server speaks.

import type { Flag, FlagContext } from './answers.ts';
import type { Ask } from './ask.ts';
import { arrayIn, objectIn, unexpected } from './answer-parts.ts';
import { encodeRow } from './encode-row.ts';
import type { CallOptions } from './options.ts';

const PATH = '/ofrep/v1/evaluate/flags';

export const askFlag =
  (ask: Ask) =>
  async (name: string, context: FlagContext, options: CallOptions = {}): Promise<Flag> => {
    const path = `${PATH}/${encodeURIComponent(name)}`;
    const body = { context: encodeRow(context, 'context') };
    const answer = await ask({ method: 'POST', path, body, isRepeatable: true }, options);
    return flagOf(answer.body);
  };

export const askFlags =
  (ask: Ask) =>
  async (context: FlagContext, options: CallOptions = {}): Promise<Flag[]> => {
    const body = { context: encodeRow(context, 'context') };
    const answer = await ask({ method: 'POST', path: PATH, body, isRepeatable: true }, options);
    const told = arrayIn(answer.body, 'flags').map((flag) => objectIn(flag));
    return told.filter((flag) => !('errorCode' in flag)).map(flagOf);
  };

function flagOf(told: unknown): Flag {
  const { key, value, reason, metadata } = objectIn(told);
  if (typeof key !== 'string' || typeof reason !== 'string') throw unexpected('no flag');
  return {
    key,
    value: typeof value === 'string' ? value : null,
    reason,
    // The protocol's own form.
    metadata: (metadata ?? {}) as Flag['metadata'],
  };
}
