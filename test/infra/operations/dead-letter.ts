import { recorded, SDK_APP_ID } from '../../delivery.ts';

/** Returns a dead letter of the receiver. */
export function deadLetter(
  changes: Record<string, unknown> = {},
  body: string | Uint8Array = JSON.stringify(recorded('created')),
) {
  return JSON.stringify({
    version: 1,
    reason: 'badPayload',
    field: 'Name',
    requestId: 'JKJaXmPLvHcESHA=',
    receivedTime: Date.now() - 3 * 60_000,
    query: { sdkAppId: SDK_APP_ID, callbackCommand: 'OfficialAccount.CallbackAfterCreateOfficialAccount' },
    body: Buffer.from(body).toString('base64'),
    ...changes,
  });
}
