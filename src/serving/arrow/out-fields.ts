// The columns that go out, as Arrow's schema names them: https://arrow.apache.org/docs/format/Columnar.html

import { Binary } from 'apache-arrow/fb/binary';
import { Bool } from 'apache-arrow/fb/bool';
import { DictionaryEncoding } from 'apache-arrow/fb/dictionary-encoding';
import { Field as FbField } from 'apache-arrow/fb/field';
import { FixedSizeList } from 'apache-arrow/fb/fixed-size-list';
import { FloatingPoint } from 'apache-arrow/fb/floating-point';
import { Int } from 'apache-arrow/fb/int';
import { List } from 'apache-arrow/fb/list';
import { Precision } from 'apache-arrow/fb/precision';
import { TimeUnit } from 'apache-arrow/fb/time-unit';
import { Timestamp } from 'apache-arrow/fb/timestamp';
import { Type } from 'apache-arrow/fb/type';
import { Utf8 } from 'apache-arrow/fb/utf8';
import type { Builder } from 'flatbuffers';
import type { DataType } from '../../core/index.ts';

export interface OutField {
  readonly name: string;
  /** `status`: one of the statuses, an index of 8 bits into a dictionary that all such columns share. */
  readonly type: DataType | { readonly kind: 'status' };
}

export const STATUS_DICTIONARY = 0n;

/** Items of lists and vectors, as other writers call them. */
const ITEM = 'item';

/** How many nodes and buffers a column has, those within it included. */
export function sizesOf(type: OutField['type']): { readonly nodes: number; readonly buffers: number } {
  switch (type.kind) {
    case 'string':
    case 'bytes':
      return { nodes: 1, buffers: 3 };
    case 'vector':
      return { nodes: 2, buffers: 3 };
    case 'list': {
      const { nodes, buffers } = sizesOf(type.of);
      return { nodes: 1 + nodes, buffers: 2 + buffers };
    }
    default:
      return { nodes: 1, buffers: 2 };
  }
}

/** Every column may hold nulls. */
export function addField(builder: Builder, { name, type }: OutField): number {
  const children = childrenOf(type).map((of) => addField(builder, { name: ITEM, type: of }));
  const childVector = FbField.createChildrenVector(builder, children);
  const dictionary = type.kind === 'status' ? addDictionary(builder) : undefined;
  const [kind, head] = addType(builder, type);
  const nameAt = builder.createString(name);
  FbField.startField(builder);
  FbField.addName(builder, nameAt);
  FbField.addNullable(builder, true);
  FbField.addTypeType(builder, kind);
  FbField.addType(builder, head);
  FbField.addChildren(builder, childVector);
  if (dictionary !== undefined) FbField.addDictionary(builder, dictionary);
  return FbField.endField(builder);
}

function childrenOf(type: OutField['type']): readonly DataType[] {
  if (type.kind === 'list') return [type.of];
  return type.kind === 'vector' ? [{ kind: 'float32' }] : [];
}

function addDictionary(builder: Builder): number {
  const index = addInt(builder, 8);
  DictionaryEncoding.startDictionaryEncoding(builder);
  DictionaryEncoding.addId(builder, STATUS_DICTIONARY);
  DictionaryEncoding.addIndexType(builder, index);
  return DictionaryEncoding.endDictionaryEncoding(builder);
}

function addInt(builder: Builder, bits: number): number {
  return Int.createInt(builder, bits, true);
}

function addType(builder: Builder, type: OutField['type']): [kind: Type, head: number] {
  switch (type.kind) {
    case 'bool':
      Bool.startBool(builder);
      return [Type.Bool, Bool.endBool(builder)];
    case 'int32':
      return [Type.Int, addInt(builder, 32)];
    case 'int64':
      return [Type.Int, addInt(builder, 64)];
    case 'float32':
      return [Type.FloatingPoint, FloatingPoint.createFloatingPoint(builder, Precision.SINGLE)];
    case 'float64':
      return [Type.FloatingPoint, FloatingPoint.createFloatingPoint(builder, Precision.DOUBLE)];
    case 'string':
    case 'status':
      Utf8.startUtf8(builder);
      return [Type.Utf8, Utf8.endUtf8(builder)];
    case 'bytes':
      Binary.startBinary(builder);
      return [Type.Binary, Binary.endBinary(builder)];
    case 'timestamp':
      return [Type.Timestamp, Timestamp.createTimestamp(builder, TimeUnit.MICROSECOND, builder.createString('UTC'))];
    case 'list':
      List.startList(builder);
      return [Type.List, List.endList(builder)];
    case 'vector':
      return [Type.FixedSizeList, FixedSizeList.createFixedSizeList(builder, type.size)];
  }
}
