import { Ajv2020 } from 'ajv/dist/2020.js';
import { COMMANDS } from '../lambda/commands/index.ts';
import officialAccount from '../lambda/commands/official-account.schema.json' with { type: 'json' };

const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false }).addSchema(officialAccount);
/** Unlike the schemas, these reject unknown attributes. */
const validators = new Map(
  [...COMMANDS.values()].flatMap(({ event }) =>
    event === undefined
      ? []
      : [[event.schema.title, ajv.compile({ ...event.schema, unevaluatedProperties: false })] as const],
  ),
);

/** Validates the `detail` of an event against the JSON Schema of its type. */
export function eventProblems(detail: unknown): string[] {
  const { type } = detail as { type: string };
  const validate = validators.get(type);
  if (validate === undefined) return [`no schema for the type ${type}`];
  return validate(detail)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
