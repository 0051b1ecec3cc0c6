// A repository whose endpoint is a graph: two models side by side, one by a router's choice, a function before and after.

import { GIVEN_NUMBER } from './one-number.ts';
import { linearModel, lookUpModel } from './onnx-model.ts';
import { CONFIG, createProject, headraceJson, type Project } from './serving-project.ts';

/** Beyond `lookUpModel`'s table: the runtime throws for it. */
export const NO_ENTRY = 64;

const GRAPH_REPOSITORY = `import {
  endpoint, ensembleNode, featureService, functionNode, model, modelNode, onDemandView, routerNode, t,
} from 'headrace';

${GIVEN_NUMBER}export const features = featureService('features', [given]);
const outputs = { probability: t.float32() };
export const linear = model('linear', { features, outputs });
export const table = model('table', { features, outputs });

const halved = functionNode('halved', {
  inputs: { features: { given__x: t.float64() } },
  outputs: { half: t.float64() },
  run: ({ features }) => {
    if (features.given__x === -13) throw new Error('unlucky');
    return { half: features.given__x === null ? null : features.given__x / 2 };
  },
});
const straight = modelNode('straight', linear);
const looked = modelNode('looked', table, { onFailure: 'skip' });
const ofHalf = modelNode('of_half', linear, { inputs: { given__x: halved.out('half') } });
const both = ensembleNode('both', [straight, looked], { by: 'mean', weights: [3, 1] });
const routed = routerNode('routed', {
  inputs: { features: { given__x: t.float64() } },
  cases: { low: ofHalf, high: both },
  choose: ({ features }) => ((features.given__x ?? 0) < 0 ? 'low' : 'high'),
});
const named = functionNode('named', {
  inputs: { routed, features: { given__x: t.float64() } },
  outputs: { probability: t.float32(), sign: t.string() },
  run: ({ routed: { probability }, features }) => ({ probability, sign: (features.given__x ?? 0) < 0 ? 'low' : 'high' }),
});
export const graph = model('graph', { features, outputs: { probability: t.float32(), sign: t.string() }, graph: named });
export const served = endpoint('served', { model: graph, unit: ['x'] });
export const alone = endpoint('alone', { model: linear, unit: ['x'] });
`;

/** `linear` 1 is x and 2 is 10·x; `table` 1 is 10·x of a whole number under 64. */
export function createGraphProject(): Project {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': GRAPH_REPOSITORY,
    'one.onnx': linearModel(1),
    'ten.onnx': linearModel(1, { scale: 10 }),
    'table.onnx': lookUpModel(),
  });
  headraceJson(project, ['apply']);
  for (const words of ['linear one.onnx --alias champion', 'linear ten.onnx', 'table table.onnx'])
    headraceJson(project, ['models', 'register', ...words.split(' ')]);
  return project;
}
