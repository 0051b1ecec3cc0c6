// The answers of the predict benchmark against a plain computation: features by loops over the events as they were written,
// outputs by the model alone.

import type { Tensor } from '../src/models/index.ts';
import { openSession, toOrt } from '../src/models/onnx/ort-session.ts';
import { ask, checkValues, type Values } from './check-answer.ts';
import type { EndpointBodies } from './predict-project.ts';

const SAMPLE = 20;

interface Answer {
  readonly predictions: readonly { readonly outputs: Values; readonly features: Values; readonly statuses: Values }[];
}

/** Throws where an answer lacks a value, or has another. `url` is what is measured. */
export async function checkPredictions(url: string, { bodies, onnx, expected }: EndpointBodies): Promise<void> {
  const session = openSession(Uint8Array.from(onnx), ['cpu'], 1);
  try {
    const every = Math.floor(bodies.length / SAMPLE);
    for (let number = 0; number < bodies.length; number += every) {
      const body = bodies[number] as string;
      const before = expected(number, Date.now());
      const measured = onlyOf(await ask(url, body));
      const shown = onlyOf(await ask(url, withFeatures(body)));
      const after = expected(number, Date.now());
      // The tail of a window moved meanwhile: either may be what was read.
      if (JSON.stringify(before) !== JSON.stringify(after)) continue;
      checkValues(`features of body ${number}`, shown.features, before);
      const present = Object.fromEntries(Object.keys(before).map((name) => [name, 'PRESENT']));
      checkValues(`statuses of body ${number}`, shown.statuses, present);
      const data = Float32Array.from(Object.values(before) as number[]);
      const [output] = session.run([toOrt({ type: 'float32', shape: [1, data.length], data })]);
      const [probability] = (output as Tensor).data as Float32Array;
      checkValues(`outputs of body ${number}`, measured.outputs, { probability });
    }
  } finally {
    session.release();
  }
}

function onlyOf(text: string): Answer['predictions'][number] {
  const { predictions } = JSON.parse(text) as Answer;
  const [only] = predictions;
  if (only === undefined || predictions.length !== 1) throw new Error(`one prediction was asked for: ${text}`);
  return only;
}

function withFeatures(body: string): string {
  return JSON.stringify({ ...(JSON.parse(body) as object), options: { return_features: true } });
}
