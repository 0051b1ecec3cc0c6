// The API of a feature repository, from the types of its own definitions: nothing of them is there at run time, so that
// `import type * as repo` is all that a client needs.

import type {
  ColumnType,
  Endpoint,
  EndpointShape,
  FeatureService,
  ServiceShape,
  Source,
} from '../definitions/index.ts';
import type { MayLack, SourceShape } from '../definitions/index.ts';
import type { Api } from './api.ts';

/** What `createClient` is given as `T`: an API itself, or a module's definitions. */
export type ApiOf<T> = T extends Api
  ? T
  : { readonly endpoints: EndpointsOf<T>; readonly services: ServicesOf<T>; readonly sources: SourcesOf<T> };

type EndpointsOf<T> = {
  readonly [Name in keyof T as EndpointIn<T[Name]>['name']]: {
    readonly request: Written<EndpointIn<T[Name]>['service']['request']>;
    readonly outputs: Values<EndpointIn<T[Name]>['outputs']>;
    readonly features: Values<EndpointIn<T[Name]>['service']['features']>;
  };
};

type ServicesOf<T> = {
  readonly [Name in keyof T as ServiceIn<T[Name]>['name']]: {
    readonly request: Written<ServiceIn<T[Name]>['request']>;
    readonly features: Values<ServiceIn<T[Name]>['features']>;
  };
};

type SourcesOf<T> = {
  readonly [Name in keyof T as SourceIn<T[Name]>['name']]: {
    // A pushed row may lack every column but the event time, which the server tells.
    readonly columns: Optional<SourceIn<T[Name]>['columns']>;
  };
};

// `never` where it is something else, whose name then is no name.
type EndpointIn<D> = D extends Endpoint<string, infer E> ? (E extends EndpointShape ? E : never) : never;
type ServiceIn<D> = D extends FeatureService<string, infer S> ? (S extends ServiceShape ? S : never) : never;
type SourceIn<D> = D extends Pick<Source, keyof Source> & Source<infer _, infer S>
  ? S extends SourceShape
    ? S
    : never
  : never;

type Written<C> = {
  readonly [Name in keyof C & string]: C[Name] extends MayLack ? `${TypeName<C[Name]>}?` : TypeName<C[Name]>;
};
type Values<C> = { readonly [Name in keyof C & string]: TypeName<C[Name]> };
type Optional<C> = { readonly [Name in keyof C & string]: `${TypeName<C[Name]>}?` };

type TypeName<T> =
  T extends ColumnType<infer V, infer K>
    ? K extends 'list'
      ? `list(${ItemName<V>})`
      : K extends 'vector'
        ? 'vector(…)'
        : K
    : never;

// Of a list its items' TypeScript type is known, which is all that a client's types are made from.
type ItemName<V> = V extends readonly (infer I)[]
  ? I extends boolean
    ? 'bool'
    : I extends number
      ? 'float64'
      : I extends bigint
        ? 'int64'
        : I extends string
          ? 'string'
          : I extends Date
            ? 'timestamp'
            : I extends Uint8Array
              ? 'bytes'
              : I extends Float32Array
                ? 'vector(…)'
                : `list(${ItemName<I>})`
  : never;
