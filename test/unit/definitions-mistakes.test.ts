// Mistakes together: their order, and circles. What each says is held by `definitions-mistakes-page.test.ts`.

import { describe, expect, it } from 'vitest';
import { entity, latest, onDemandView, pipeline, sum, t, task } from '../../src/index.ts';
import { mistakesOf, type Untyped, view } from '../support/written-definitions.ts';

describe('mistakes', () => {
  it('come all at once, each once, in one order', () => {
    const objects = {
      a: view('v', { ttl: 'x', features: { a: latest('nope'), b: sum('origin').over('1d') } }),
      b: entity('bad name', { keys: {} }),
      c: pipeline('p'),
    };
    const got = mistakesOf(objects);
    expect(got).toHaveLength(6);
    expect(got).toEqual([...new Set(got)]);
    expect(mistakesOf({ c: objects.c, b: objects.b, a: objects.a })).toEqual(got);
  });

  it('show a cycle of on-demand views made by mutation', () => {
    const a = onDemandView('a', {
      inputs: { r: { x: t.bool() } },
      features: { y: t.bool() },
      transform: () => ({ y: true }),
    });
    const b = onDemandView('b', { inputs: { a }, features: { y: t.bool() }, transform: () => ({ y: true }) });
    (a.inputs as Record<string, unknown>)['b'] = b;
    expect(mistakesOf({ b })).toEqual([expect.stringContaining('on-demand view "a": it needs itself: a → b → a')]);
  });

  it('show a cycle of on-demand views made by a lazy input', () => {
    const inputs: Record<string, () => Untyped> = { b: () => b };
    const a: Untyped = onDemandView('a', { inputs, features: { y: t.bool() }, transform: () => ({ y: true }) });
    const b: Untyped = onDemandView('b', { inputs: { a }, features: { y: t.bool() }, transform: () => ({ y: true }) });
    expect(mistakesOf({ a })).toEqual([expect.stringContaining('a → b → a')]);
  });

  it('show a cycle of steps', () => {
    const p = pipeline('p');
    const needs: Record<string, Untyped> = {};
    const a = p.step(
      'a',
      task(() => 1),
      { needs },
    );
    needs['b'] = p.step(
      'b',
      task(() => 1),
      { needs: { a } },
    );
    expect(mistakesOf({ p })).toEqual([expect.stringContaining('a → b → a')]);
  });
});
