// A repository whose model gets one number of the request as it came, so that requests say what a version is to do: take long,
// fail, give no number.

/** That number as a feature, for a file that imports `onDemandView` and `t`. */
export const GIVEN_NUMBER = `export const given = onDemandView('given', {
  inputs: { request: { x: t.float64() } },
  features: { x: t.float64() },
  transform: ({ request }) => ({ x: request.x }),
});
`;

export const ONE_NUMBER = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
${GIVEN_NUMBER}export const numbers = featureService('numbers', [given]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['x'] });
`;

/** Where `lookUpModel` fails: from here on. */
export const NOT_IN_TABLE = 64;
