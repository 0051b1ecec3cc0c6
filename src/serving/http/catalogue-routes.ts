// What is there to ask, as lists: services and views with their columns, and `/`, which leads to the rest.

import type { FastifyInstance } from 'fastify';
import {
  type DataType,
  defaultOf,
  didYouMeanOf,
  HeadraceError,
  type Int64Form,
  stringifyJson,
  toJson,
  typeName,
} from '../../core/index.ts';
import type { AnsweredField, Catalogue, ListedService, ListedView, RequestColumn } from '../catalogue.ts';
import type { ControlPlane } from '../control-plane.ts';
import { etagged, renderedOnceBy, sendEtagged } from './etagged.ts';
import { JSON_TYPE } from './json-type.ts';
import {
  Int64Header,
  problems,
  ServiceParams,
  ServiceResponse,
  ServicesResponse,
  ViewParams,
  ViewResponse,
  ViewsResponse,
} from './schemas.ts';

const tags = ['catalogue'];

export function addCatalogueRoutes(app: FastifyInstance, control: Pick<ControlPlane, 'catalogue'>): void {
  const asJson = (value: object) => etagged(stringifyJson(value), JSON_TYPE);
  const services = renderedOnceBy((catalogue: Catalogue, int64: Int64Form) =>
    asJson({ services: catalogue.services.map((service) => presentService(service, int64)) }),
  );
  const views = renderedOnceBy((catalogue: Catalogue, int64: Int64Form) =>
    asJson({ views: catalogue.views.map((view) => presentView(view, int64)) }),
  );

  app.get(
    '/v1/services',
    {
      config: { role: 'read' },
      schema: {
        summary: 'List feature services',
        tags,
        headers: Int64Header,
        response: { 200: ServicesResponse, ...problems },
      },
    },
    (request, reply) => sendEtagged(request, reply, services(control.catalogue(), request.int64)),
  );
  app.get<{ Params: { service: string } }>(
    '/v1/services/:service',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Show a feature service: what it asks for, what it answers, by which definitions',
        tags,
        params: ServiceParams,
        headers: Int64Header,
        response: { 200: ServiceResponse, ...problems },
      },
    },
    (request, reply) => {
      const { name, list } = { name: request.params.service, list: control.catalogue().services };
      const service = list.find((one) => one.name === name);
      if (service === undefined) throw unknown('HR_UNKNOWN_SERVICE', 'feature service', 'services', name, list);
      return sendEtagged(request, reply, asJson(presentService(service, request.int64)));
    },
  );
  app.get(
    '/v1/views',
    {
      config: { role: 'read' },
      schema: {
        summary: 'List feature views',
        tags,
        headers: Int64Header,
        response: { 200: ViewsResponse, ...problems },
      },
    },
    (request, reply) => sendEtagged(request, reply, views(control.catalogue(), request.int64)),
  );
  app.get<{ Params: { view: string } }>(
    '/v1/views/:view',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Show a feature view: its entity, source, features and versions',
        tags,
        params: ViewParams,
        headers: Int64Header,
        response: { 200: ViewResponse, ...problems },
      },
    },
    (request, reply) => {
      const { name, list } = { name: request.params.view, list: control.catalogue().views };
      const view = list.find((one) => one.name === name);
      if (view === undefined) throw unknown('HR_UNKNOWN_VIEW', 'view', 'views', name, list);
      return sendEtagged(request, reply, asJson(presentView(view, request.int64)));
    },
  );
}

function unknown(
  code: 'HR_UNKNOWN_SERVICE' | 'HR_UNKNOWN_VIEW',
  what: string,
  plural: string,
  name: string,
  list: readonly { readonly name: string }[],
): HeadraceError {
  const known = list.map((one) => one.name);
  return new HeadraceError(code, `there is no ${what} "${name.slice(0, 200)}".${didYouMeanOf(plural, name, known)}`);
}

/** As plain JSON data, with the API's names. */
function presentService({ waitsFor, request, features, ...service }: ListedService, int64: Int64Form): object {
  return {
    ...service,
    waits_for: waitsFor,
    request: request.map((column) => presentColumn(column, int64)),
    features: features.map(presentFeature),
  };
}

function presentColumn(
  { name, type, isRequired, default: given, description }: RequestColumn,
  int64: Int64Form,
): object {
  const column = { name, type: typeName(type), required: isRequired, description };
  return given === undefined ? column : { ...column, default: presentDefault(type, given, int64) };
}

function presentDefault(type: DataType, given: unknown, int64: Int64Form): unknown {
  return int64 === 'number' ? given : toJson(type, defaultOf({ name: '', type, default: given }), int64);
}

function presentFeature({ name, types, description }: AnsweredField): object {
  const feature = { name, type: types.map(typeName).join(' | ') };
  return description === undefined ? feature : { ...feature, description };
}

function presentView({ keys, features, versions, ...view }: ListedView, int64: Int64Form): object {
  return {
    ...view,
    keys: keys.map(({ name, type }) => ({ name, type: typeName(type) })),
    features: features.map(({ name, type, description, default: given, aggregation }) => ({
      name,
      type: typeName(type),
      ...(description === undefined ? {} : { description }),
      ...(given === undefined ? {} : { default: presentDefault(type, given, int64) }),
      aggregation: aggregation.op,
    })),
    versions: versions.map(({ version, isCurrent, isComplete }) => ({
      version,
      current: isCurrent,
      complete: isComplete,
    })),
  };
}
