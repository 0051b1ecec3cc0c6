// Planted: an audit that reads as what it audits does, and one import that it may have.
import { facts } from '../facts/open-facts.ts';
import type { Sql } from '../sources/sql-text.ts';
import { derive } from '../facts/row-deriver.ts';

export const found: Sql = `${facts} ${derive}`;
