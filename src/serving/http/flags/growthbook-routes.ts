// GrowthBook's SDKs, unmodified: the flags as they read them, and each change as it comes. They evaluate themselves, by the same
// hash, so their units get what requests are routed to.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { formatTimestamp, stringifyJson } from '../../../core/index.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { createFlagDocuments } from '../../flags/flag-documents.ts';
import { growthBookFeatures } from '../../flags/growthbook-features.ts';
import { etagged, renderedOnce, sendEtagged } from '../etagged.ts';
import { JSON_TYPE } from '../json-type.ts';
import { fromHttp, type ProblemForm, sendProblem } from '../problem.ts';
import type { RequestLog } from '../request-log.ts';
import type { Gate } from '../security/gate.ts';
import { createFeatureStreams, type FeatureStreamsOptions } from './feature-streams.ts';
import { checkProjectKey, HIDDEN, keyInPath } from './flag-key.ts';

export interface FlagRoutesOptions {
  readonly control: ControlPlane;
  readonly gate: Pick<Gate, 'isOpen'>;
  readonly log: RequestLog;
}

const FORM: ProblemForm = {
  type: JSON_TYPE,
  of: ({ status, detail, code, request_id }) => ({ status, error: detail, code, request_id }),
};

/** `streamed`: as of other streams, of which these are not. */
export function addGrowthBookRoutes(
  scope: FastifyInstance,
  options: FlagRoutesOptions,
  streamed: Omit<FeatureStreamsOptions, 'documentFor'>,
): void {
  const { control, log } = options;
  const documents = createFlagDocuments(() => control.flagPlans(), growthBookFeatures, Date.now);
  const render = renderedOnce(({ of, changedMs }: ReturnType<typeof documents>) => {
    const dateUpdated = formatTimestamp(changedMs * 1000);
    return etagged(stringifyJson({ status: 200, features: of, experiments: [], dateUpdated }), JSON_TYPE);
  });
  const documentOf = ({ actor }: FastifyRequest) => render(documents(actor.endpoints));
  const texts = new WeakMap<object, string>();
  const streams = createFeatureStreams({
    ...streamed,
    documentFor(request) {
      const document = documentOf(request);
      let text = texts.get(document);
      if (text === undefined) texts.set(document, (text = document.body.toString()));
      return text;
    },
  });
  scope.setErrorHandler((error, request, reply) =>
    sendProblem(reply, request, fromHttp(error, request.headers['content-type']), log, FORM),
  );
  scope.addHook('preClose', (done) => {
    streams.endAll();
    done();
  });
  checkProjectKey(scope, options);
  const config = { role: 'read', keyOf: keyInPath } as const;
  scope.get('/api/features/:key', { config, schema: HIDDEN }, (request, reply) =>
    sendEtagged(request, reply.header('x-sse-support', 'enabled'), documentOf(request)),
  );
  scope.get(
    '/sub/:key',
    {
      config,
      schema: HIDDEN,
    },
    (request, reply) => streams.open(request, reply),
  );
}
