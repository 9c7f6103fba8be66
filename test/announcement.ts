import { Ajv2020 } from 'ajv/dist/2020.js';
import schema from '../lambda/official-account-created.schema.json' with { type: 'json' };

const validate = new Ajv2020({ allErrors: true, strict: true }).compile(schema);

/** What the announcement's JSON Schema finds wrong with the `detail` of an event. */
export function announcementProblems(detail: unknown): string[] {
  return validate(detail)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
