// Pushes and outcomes: both may be sent again, since the server knows them again.

import type { Outcome, PushResult } from './answers.ts';
import type { Ask } from './ask.ts';
import { objectIn, unexpected } from './answer-parts.ts';
import { encodeRow, encodeValue, unfit } from './encode-row.ts';
import type { CallOptions, PushOptions } from './options.ts';

export const pushRows =
  (ask: Ask) =>
  async (source: string, rows: readonly object[], options: PushOptions = {}): Promise<PushResult> => {
    const { body } = await ask(
      {
        method: 'POST',
        path: `/v1/sources/${encodeURIComponent(source)}/push`,
        body: { rows: rows.map((row, at) => encodeRow(row, `rows[${at}]`)) },
        headers: { 'idempotency-key': options.idempotencyKey ?? newKey() },
        isRepeatable: true,
      },
      options,
    );
    if (typeof objectIn(body)['accepted'] !== 'number') throw unexpected('no `accepted`');
    return body as PushResult;
  };

/** `crypto.randomUUID` is there on secure pages alone. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const tellOutcomes =
  (ask: Ask) =>
  async (endpoint: string, outcomes: readonly Outcome[], options: CallOptions = {}): Promise<number> => {
    const { body } = await ask(
      {
        method: 'POST',
        path: `/v1/endpoints/${encodeURIComponent(endpoint)}/outcomes`,
        body: { outcomes: outcomes.map((outcome, at) => encodeOutcome(outcome, `outcomes[${at}]`)) },
        isRepeatable: true,
      },
      options,
    );
    const { accepted } = objectIn(body);
    if (typeof accepted !== 'number') throw unexpected('no `accepted`');
    return accepted;
  };

function encodeOutcome(outcome: Outcome, path: string): object {
  const { observedAt, value, ...named } = outcome;
  const { predictionId, ...rest } = named as { readonly predictionId?: string } & Readonly<Record<string, unknown>>;
  const members = { prediction_id: predictionId, ...rest, observed_at: observedAt };
  // As JSON it would be null: that nothing became of the prediction.
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw unfit(`${path}.value`, 'a finite number', String(value));
  }
  return { ...encodeRow(members, path), value: encodeValue(value, `${path}.value`) };
}
