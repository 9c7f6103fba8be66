import { Ajv2020 } from 'ajv/dist/2020.js';
import officialAccount from '../lambda/official-account.schema.json' with { type: 'json' };
import changed from '../lambda/official-account-changed.schema.json' with { type: 'json' };
import created from '../lambda/official-account-created.schema.json' with { type: 'json' };
import destroyed from '../lambda/official-account-destroyed.schema.json' with { type: 'json' };
import full from '../lambda/official-account-full.schema.json' with { type: 'json' };

const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, allowUnionTypes: true }).addSchema(
  officialAccount,
);
const validators = Object.fromEntries(
  [created, changed, destroyed, full].map((schema) => [schema.title, ajv.compile(schema)]),
);

/** What the JSON Schema of its type finds wrong with the `detail` of an event. */
export function announcementProblems(detail: unknown): string[] {
  const { type } = detail as { type: string };
  const validate = validators[type];
  if (validate === undefined) return [`no schema for the type ${type}`];
  return validate(detail)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
