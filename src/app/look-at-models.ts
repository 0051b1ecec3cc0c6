// Whether what endpoints serve can still be had: every version that has traffic, read whole from the artifacts.

import { HeadraceError, messageOf, toHeadraceError } from '../core/index.ts';
import { graphPins, type ModelVersion, versionsIn } from '../registry/index.ts';
import type { Finding } from './finding.ts';
import type { App } from './open-app.ts';

const CHECK = 'models';

/** One finding for all that is well, one for each version that is not; none where nothing has traffic. */
export async function lookAtModels(app: App): Promise<Finding[]> {
  const { getBlob } = await import('../storage/index.ts');
  const [registry, objects] = await Promise.all([app.registry(), app.objects()]);
  const served = new Map<string, { readonly model: string; readonly version: number }>();
  for (const endpoint of await registry.endpoints.list()) {
    const { model } = endpoint;
    for (const version of versionsIn({ ...endpoint, change: null }))
      served.set(`${model} ${version}`, { model, version });
  }
  const findings: Finding[] = [];
  for (const { model, version } of served.values()) {
    try {
      const { artifact, signature } = await registry.models.get(model, version);
      await getBlob(objects, artifact);
      for (const { node, ...pinned } of graphPins(signature)) {
        const own = await registry.models.get(pinned.model, pinned.version);
        await getBlob(objects, own.artifact).catch((thrown: unknown) => {
          throw new NodeUnreadable(node, own, thrown);
        });
      }
    } catch (thrown) {
      findings.push({
        check: CHECK,
        state: 'fail',
        says: `version ${version} of "${model}" has traffic and can't be loaded: ${toHeadraceError(thrown).message}`,
        fix: `headrace models register ${thrown instanceof NodeUnreadable ? thrown.model : model} FILE.onnx with the same file mends it; or give its traffic to another version`,
      });
    }
  }
  if (findings.length > 0 || served.size === 0) return findings;
  return [{ check: CHECK, state: 'ok', says: `all ${served.size} versions with traffic can be read` }];
}

/** What a graph runs can't be read. */
class NodeUnreadable extends HeadraceError {
  readonly model: string;

  constructor(node: string, { model, version }: ModelVersion, thrown: unknown) {
    super('HR_ARTIFACT_UNREADABLE', `node "${node}", version ${version} of "${model}": ${messageOf(thrown)}`);
    this.model = model;
  }
}
