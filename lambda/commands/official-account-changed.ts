import * as v from 'valibot';
import type { Command, Image } from './command.ts';
import schema from './official-account-changed.schema.json' with { type: 'json' };
import { EVENT_FIELDS, readEvent, text } from './payload.ts';

/**
 * An absent field is taken as unchanged. Tencent's page doesn't say so, and its sample has all four; the webhook of the
 * same kind for groups carries only what changed.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60797 "Request fields"
 */
const PAYLOAD = v.object({
  ...EVENT_FIELDS,
  Operator_Account: v.optional(text),
  Name: v.optional(text),
  Introduction: v.optional(text),
  FaceUrl: v.optional(text),
  Organization: v.optional(text),
});

/** @see https://www.tencentcloud.com/document/product/1047/60797 "After Official Account Profile Is Modified" */
export const officialAccountChanged: Command = {
  name: 'OfficialAccount.CallbackAfterOfficialAccountInfoChanged',
  async receive(officialAccounts, delivery) {
    const { event, payload } = readEvent(PAYLOAD, delivery);
    return officialAccounts.apply({
      ...event,
      attributes: {
        name: payload.Name,
        introduction: payload.Introduction,
        faceUrl: payload.FaceUrl,
        organization: payload.Organization,
        operatorAccount: payload.Operator_Account,
      },
    });
  },
  event: {
    schema,
    // People may change a record as well, without a new revision.
    matches: (before, after) => after['revision'] !== before?.['revision'] && changed(before, after).length > 0,
    details: (before, after) => ({
      previous: Object.fromEntries(changed(before, after).map((name) => [name, before?.[name] ?? null])),
    }),
  },
};

function changed(before: Image | undefined, after: Image): string[] {
  return Object.keys(schema.properties.previous.properties).filter((name) => before?.[name] !== after[name]);
}
