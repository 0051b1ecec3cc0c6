// The features of a training set held to what is expected of their views: values as the set has them, one pass over the file.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Finding, suchAs } from '../../checks/index.ts';
import { isValueRule, type Manifest, own, showRule } from '../../definitions/index.ts';
import { quoteText } from '../../storage/index.ts';
import type { TrainingSetPlan } from '../plan.ts';
import { exampleOf } from './check-facts.ts';
import { brokenSql } from './rule-sql.ts';

/** Rules of all of a view's keys together are for runs that write them, not for a few rows of a spine. */
export async function checkFeatures(
  connection: DuckDBConnection,
  manifest: Manifest,
  { service, features }: TrainingSetPlan,
  path: string,
): Promise<Finding[]> {
  const members = own(manifest.services, service)?.members ?? [];
  const rules = members.flatMap((member) => {
    if (member.kind !== 'view') return [];
    const expected = (own(manifest.views, member.view)?.expect ?? []).filter(isValueRule);
    return expected.flatMap((rule) => {
      const feature = features.find(({ name }) => name === `${member.role}__${rule.column}`);
      return feature === undefined ? [] : [{ role: member.role, view: member.view, rule, feature }];
    });
  });
  if (rules.length === 0) return [];
  const from = `read_parquet(${quoteText(path)})`;
  const brokenBy = rules.map(({ rule, feature }) => brokenSql({ ...rule, column: feature.name }, feature.type));
  const counts = brokenBy.map((broken) => `CAST(count(*) FILTER (WHERE ${broken}) AS DOUBLE)`);
  const row = (await connection.runAndReadAll(`SELECT ${counts.join(', ')} FROM ${from}`)).getRows()[0] as number[];
  const findings: Finding[] = [];
  for (const [i, { role, view, rule, feature }] of rules.entries()) {
    const failed = row[i] ?? 0;
    const example = failed === 0 ? null : await exampleOf(connection, feature.name, `${from} WHERE ${brokenBy[i]}`);
    const of = role === view ? `view "${view}"` : `view "${view}" as "${role}"`;
    findings.push({ of, rule: showRule(rule), onFail: rule.onFail, failed, found: suchAs(example) });
  }
  return findings;
}
