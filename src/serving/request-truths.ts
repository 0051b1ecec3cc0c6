// The request truth of each endpoint: the data plane tells it, and what a server says of itself asks it.

import { createRequestTruth, type Failing, type RequestTruth, type TruthDeps } from './request-truth.ts';

export interface RequestTruths {
  /** Of one that exists: each is kept. */
  of(endpoint: string): RequestTruth;
  /** Of an endpoint that fails at every request. */
  failing(endpoint: string): Failing | undefined;
  /** It answers by another plan from now on. */
  begin(endpoint: string): void;
}

export function createRequestTruths(deps: TruthDeps): RequestTruths {
  const truths = new Map<string, RequestTruth>();
  return {
    of(endpoint) {
      let truth = truths.get(endpoint);
      if (truth === undefined) {
        truth = createRequestTruth(endpoint, deps);
        truths.set(endpoint, truth);
      }
      return truth;
    },
    failing: (endpoint) => truths.get(endpoint)?.failing(),
    begin: (endpoint) => truths.get(endpoint)?.begin(),
  };
}
