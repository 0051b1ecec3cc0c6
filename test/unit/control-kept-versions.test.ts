// Who reads each version of a view that is kept.

import { expect, it } from 'vitest';
import { type SurveyDeps, surveyVersions } from '../../src/control/kept-versions.ts';
import { viewVersion } from '../../src/definitions/index.ts';
import { flightsManifest } from '../support/manifests.ts';

const VIEW = Object.keys(flightsManifest.views)[0] as string;
const SERVICE = Object.keys(flightsManifest.services)[0] as string;
const VERSION = viewVersion(flightsManifest, VIEW);

function survey(given: {
  isApplied?: boolean;
  isKept?: boolean;
  services?: object[];
  needs?: object[];
  sets?: object[];
}) {
  const { isApplied = true, isKept = true, services = [], needs = [], sets = [] } = given;
  // As much of each as is asked.
  return surveyVersions({
    registry: {
      definitions: {
        current: async () => (isApplied ? { manifest: flightsManifest } : undefined),
        byHash: async (hash: string) => (hash === 'known' ? flightsManifest : undefined),
      },
      versions: {
        list: async () => (isKept ? [{ version: VERSION, completedMicros: 1, unreadSinceMicros: 5 }] : []),
        servedServices: async () => services,
        needs: async () => new Map([[VERSION, needs]]),
      },
    },
    live: [{ version: VERSION, view: VIEW, manifest: flightsManifest }],
    trainingSets: sets,
  } as unknown as SurveyDeps);
}

it('nobody, before anything is applied, or once it was removed', async () => {
  expect(await survey({ isApplied: false })).toEqual([]);
  expect(await survey({ isKept: false })).toEqual([]);
  expect(await survey({ needs: [{ by: 'applied' }] })).toMatchObject([
    { readBy: [], missing: null, unreadSinceMicros: 5 },
  ]);
});

it('services that serve by it, models, and training sets that were made by definitions that are kept', async () => {
  const set = { id: 't', name: 'n', manifestHash: 'known', service: SERVICE };
  const readBy = [
    { kind: 'service', service: SERVICE, revision: 3 },
    { kind: 'model', model: 'm', version: 2 },
    { kind: 'training_set', id: 't', name: 'n' },
    { kind: 'training_set', id: 'u', name: null },
  ];
  const services = [
    { service: SERVICE, revision: 3, state: 'served' },
    { service: SERVICE, revision: 2, state: 'waiting' },
    { service: 'gone', revision: 1, state: 'served' },
  ];
  const needs = [{ by: 'model', model: 'm', version: 2 }];
  const sets = [set, { ...set, id: 'u', name: null }, { ...set, manifestHash: 'lost' }, { ...set, service: 'gone' }];
  expect(await survey({ services, needs, sets })).toMatchObject([{ readBy }]);
});
