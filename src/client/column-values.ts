// What values of a column are in TypeScript, by the column's type: as they are sent, and as answers have them.

import type { ColumnTypes } from './api.ts';

/** How int64 of answers comes: exact as bigint or text; as a number past 2^53 it is an error. */
export type Int64Form = 'bigint' | 'number' | 'string';

/** `json`: values as JSON has them, where the client knows no columns at run time. */
export type AnswerForm = Int64Form | 'json';

/** What can't be told apart from text in JSON. */
type SpecialNumber = 'NaN' | 'Infinity' | '-Infinity';

/** What a value may be given as, null aside. */
export type Sent<T extends string> = T extends `${infer One}?`
  ? Sent<One>
  : T extends `${infer A}|${infer B}`
    ? Sent<A> | Sent<B>
    : T extends `list(${infer Item})`
      ? readonly (Sent<Item> | null)[]
      : T extends `vector(${string})`
        ? Float32Array | readonly number[]
        : T extends 'bool'
          ? boolean
          : T extends 'int32' | 'float32' | 'float64'
            ? number
            : T extends 'int64'
              ? bigint | number | string
              : T extends 'timestamp'
                ? Date | string
                : T extends 'bytes'
                  ? Uint8Array | string
                  : T extends 'string'
                    ? string
                    : unknown;

/** What an answer has for it, null aside. A timestamp is RFC 3339 text with its microseconds, which a Date would lose. */
export type Received<T extends string, F extends AnswerForm> = T extends `${infer One}?`
  ? Received<One, F>
  : T extends `${infer A}|${infer B}`
    ? Received<A, 'json'> | Received<B, 'json'>
    : T extends `list(${infer Item})`
      ? readonly (Received<Item, F> | null)[]
      : T extends `vector(${string})`
        ? F extends 'json'
          ? readonly (number | SpecialNumber)[]
          : Float32Array
        : T extends 'bool'
          ? boolean
          : T extends 'int32'
            ? number
            : T extends 'float32' | 'float64'
              ? F extends 'json'
                ? number | SpecialNumber
                : number
              : T extends 'int64'
                ? F extends 'bigint'
                  ? bigint
                  : F extends 'number'
                    ? number
                    : string
                : T extends 'bytes'
                  ? F extends 'json'
                    ? string
                    : Uint8Array
                  : T extends 'timestamp' | 'string'
                    ? string
                    : unknown;

/** A row as it is sent: a column without `?` must be there and not be null. */
export type SentRow<C extends ColumnTypes> = Flat<
  { readonly [Name in keyof C as C[Name] extends `${string}?` ? never : Name]: Sent<C[Name]> } & {
    readonly [Name in keyof C as C[Name] extends `${string}?` ? Name : never]?: Sent<C[Name]> | null | undefined;
  }
>;

/** Values of an answer by name; every one may be null. */
export type ReceivedRow<C extends ColumnTypes, F extends AnswerForm> = Flat<
  { readonly [Name in keyof C as C[Name] extends `${string}?` ? never : Name]: Received<C[Name], F> | null } & {
    readonly [Name in keyof C as C[Name] extends `${string}?` ? Name : never]?: Received<C[Name], F> | null;
  }
>;

/** The same by column: an array of all rows' values for each name. */
export type ReceivedColumns<C extends ColumnTypes, F extends AnswerForm> = {
  readonly [Name in keyof ReceivedRow<C, F>]: readonly NonUndefined<ReceivedRow<C, F>[Name]>[];
};

type NonUndefined<T> = T extends undefined ? never : T;
type Flat<T> = { [Name in keyof T]: T[Name] };
