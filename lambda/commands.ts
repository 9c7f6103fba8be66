import type { Request } from '@middy/core';
import * as v from 'valibot';
import { callbackCommand, commandInBody, receivedTime, type Delivery } from './delivery.ts';
import type { OfficialAccounts, UpsertResult } from './official-accounts.ts';
import { Refusal } from './reply.ts';

/** What became of a delivery that was not refused. */
export type Outcome = UpsertResult | 'ignored';
export type Commands = ReadonlyMap<unknown, (delivery: Delivery) => Promise<Outcome>>;

/** @see https://www.tencentcloud.com/document/product/1047/60796 "After an Official Account Is Created" */
export const CREATED_COMMAND = 'OfficialAccount.CallbackAfterCreateOfficialAccount';

/**
 * What to do with each callback command. One URL gets every command of the app: those that are not here
 * are answered OK and change nothing. Match the whole name, since other groups' commands end in the same words.
 */
export function commandTable(officialAccounts: OfficialAccounts): Commands {
  return new Map([[CREATED_COMMAND, (delivery) => created(officialAccounts, delivery)]]);
}

/** The command in the URL and the one in the body are the same, where both are there. */
export function checkCommand({ event }: Request<Delivery>): void {
  const { query, body } = event;
  const inBody = commandInBody(body);
  if (query.callbackCommand !== undefined && inBody !== undefined && query.callbackCommand !== inBody) {
    throw new Refusal('commandsDisagree');
  }
  // Only the console's Verify probe, which has no command, may come without an SdkAppid.
  if (query.sdkAppId === undefined && inBody !== undefined) throw new Refusal('wrongApp');
}

/** Does what the table says for the delivery's command; nothing for one that isn't there. */
export function receive(commands: Commands) {
  return async (delivery: Delivery): Promise<Outcome> =>
    (await commands.get(callbackCommand(delivery))?.(delivery)) ?? 'ignored';
}

/** A time further ahead, once taken, would make every later delivery of its account stale. */
const MAX_AHEAD_MS = 10 * 60_000;
/** DynamoDB's limit for a sort key. Tencent's own, shorter limits are not enforced: Tencent has done that. */
const MAX_KEY_BYTES = 1024;

// DynamoDB refuses half a surrogate pair; a damaged name is still worth keeping.
const text = v.pipe(
  v.string(),
  v.transform((value) => value.toWellFormed()),
);

/** @see https://www.tencentcloud.com/document/product/1047/60796 "Request parameters" */
const CREATED = v.object({
  Official_Account: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.maxBytes(MAX_KEY_BYTES),
    v.check((value) => value.isWellFormed()),
  ),
  Operator_Account: text,
  Owner_Account: text,
  Name: text,
  EventTime: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

async function created(officialAccounts: OfficialAccounts, delivery: Delivery): Promise<Outcome> {
  const { query, body } = delivery;
  const payload = v.safeParse(CREATED, body, { abortEarly: true });
  if (!payload.success) {
    const [issue] = payload.issues;
    // Only names from the schema: an issue's own text repeats what was sent.
    const name = v.getDotPath(issue);
    throw new Refusal('badPayload', name === null ? { detail: 'not an object' } : { field: name });
  }
  const { Official_Account, Operator_Account, Owner_Account, Name, EventTime } = payload.output;
  delivery.eventAgeMs = receivedTime(delivery) - EventTime;
  if (delivery.eventAgeMs < -MAX_AHEAD_MS) {
    throw new Refusal('badPayload', { field: 'EventTime', detail: `${-delivery.eventAgeMs} ms ahead of the receipt` });
  }
  if (query.sdkAppId === undefined) throw new Refusal('wrongApp');
  const start = performance.now();
  const result = await officialAccounts.upsert({
    sdkAppId: query.sdkAppId,
    officialAccountId: Official_Account,
    name: Name,
    ownerAccount: Owner_Account,
    operatorAccount: Operator_Account,
    createdTime: EventTime,
    eventTime: EventTime,
    receivedTime: receivedTime(delivery),
    clientIp: query.clientIp,
    optPlatform: query.optPlatform,
  });
  delivery.storeMs = Math.round(performance.now() - start);
  return result;
}
