import { optional, type Command, type Image } from './command.ts';
import schema from './official-account-changed.schema.json' with { type: 'json' };

/**
 * All fields are optional: an absent field leaves its attribute unchanged. Tencent does not document absent fields, and
 * its sample has all of them. The corresponding webhook for groups only sends the changed fields.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60797 "After Official Account Profile Is Modified"
 */
export const officialAccountChanged = {
  name: 'OfficialAccount.CallbackAfterOfficialAccountInfoChanged',
  attributes: {
    operatorAccount: optional('Operator_Account'),
    name: optional('Name'),
    introduction: optional('Introduction'),
    faceUrl: optional('FaceUrl'),
    organization: optional('Organization'),
  },
  event: {
    schema,
    // Manual changes that leave the revision unchanged are not published.
    matches: (before, after) =>
      after['revision'] !== before?.['revision'] && changedAttributes(before, after).length > 0,
    details: (before, after) => ({
      previous: Object.fromEntries(changedAttributes(before, after).map((name) => [name, before?.[name] ?? null])),
    }),
  },
} satisfies Command;

function changedAttributes(before: Image | undefined, after: Image): string[] {
  return Object.keys(schema.properties.previous.properties).filter((name) => before?.[name] !== after[name]);
}
