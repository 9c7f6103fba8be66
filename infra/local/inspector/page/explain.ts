import type { ReasonName } from '../../../../lambda/outcomes.ts';
import type { Hello, InspectedDelivery, Json } from '../protocol.ts';
import { localDate, parameter, show } from './text.ts';

type Compared = [name: string, value: string | undefined][];

interface Check {
  rule: string;
  /** What the check compares. It never contains the expected signature. */
  compared(delivery: InspectedDelivery, hello: Hello): Compared;
  advice: string;
}

const inUrl = (delivery: InspectedDelivery, ...names: string[]): Compared =>
  names.map((name) => [`${name} in the URL`, parameter(delivery, name)]);

const inBody = ({ body: { text } }: InspectedDelivery, name: string): Compared => {
  let value: unknown;
  try {
    value = (JSON.parse(text) as Json | null)?.[name];
  } catch {} // the body is not JSON
  return [[`${name} in the body`, JSON.stringify(value)]];
};

/** Returns the messages of an error in the log, and of the errors in it. */
function messages(error: unknown): string[] {
  const { message, failures = [] } = Object(error) as { message?: unknown; failures?: unknown[] };
  return [show(message), ...failures.flatMap(messages)];
}

const EDIT = 'Use "Edit and replay" to correct it.';
const SIGN_ANEW = '"Edit and replay" signs it anew, with the token of this deployment and the current time.';

const CHECKS: Record<ReasonName | 'forwardFailure', Check> = {
  wrongApp: {
    rule: 'SdkAppid in the URL must be the SDKAppID of this deployment, character by character.',
    compared: (delivery, { sdkAppId }) => [...inUrl(delivery, 'SdkAppid'), ['SDKAppID of this deployment', sdkAppId]],
    advice: `${EDIT} Or start with another one: npm start -- -c sdkAppId=…`,
  },
  badSignature: {
    rule: 'Sign must be the SHA-256 of the webhook token followed by RequestTime, in hexadecimal digits.',
    compared: (delivery) => inUrl(delivery, 'Sign', 'RequestTime'),
    advice: `The sender has another token than this deployment (npm start -- --token …), or does not sign. ${SIGN_ANEW}`,
  },
  expired: {
    rule: 'RequestTime must be Unix seconds, at most 60 seconds before or after the receipt.',
    compared: (delivery) => [
      ...inUrl(delivery, 'RequestTime'),
      ['as local time', localDate(Number(parameter(delivery, 'RequestTime')) * 1000)],
      ['Received', `${Math.floor(delivery.time / 1000)}`],
    ],
    advice: `The delivery is a repetition, or the clock of its sender is wrong. ${SIGN_ANEW}`,
  },
  wrongAddress: {
    rule: 'The calling address must be in the allow-list.',
    compared: ({ sourceIp }, { allowedCidrs }) => [[`${sourceIp} is not in`, allowedCidrs.join(', ')]],
    advice: 'A tunnel calls from 127.0.0.1. Add this address to allowedCidrs, or leave the option out.',
  },
  badBody: {
    rule: 'The body must be JSON in UTF-8, of 1 to 65,536 bytes.',
    compared: ({ body: { bytes, base64 } }) => [[`${bytes.toLocaleString()} bytes`, base64 ? 'not UTF-8' : 'UTF-8']],
    advice: EDIT,
  },
  commandsDisagree: {
    rule: 'CallbackCommand must be the same in the URL and in the body.',
    compared: (delivery) => [...inUrl(delivery, 'CallbackCommand'), ...inBody(delivery, 'CallbackCommand')],
    advice: EDIT,
  },
  badPayload: {
    rule: 'Each field must be present, of the right type and in range. EventTime is in Unix milliseconds.',
    compared: (delivery) => inBody(delivery, show(delivery.log?.['field'])),
    advice: EDIT,
  },
  notKept: {
    rule: 'DynamoDB or SQS must accept the delivery in time, and the token must be readable.',
    compared: ({ log }) => messages(log?.['error']).map((message) => ['Error', message]),
    advice: 'The delivery is not at fault. See the error in the log line.',
  },
  forwardFailure: {
    rule: 'The backend of forwardUrl must answer completely within 2 seconds.',
    compared: ({ log }, { forwardUrl }) => [
      ['forwardUrl', forwardUrl],
      ['Failure', `${show(log?.['backendError'])} after ${show(log?.['forwardMs'])} ms`],
    ],
    advice: 'See whether the backend runs at this URL.',
  },
};

/** Explains why a delivery was rejected or is suspicious. Returns undefined if nothing is wrong with it. */
export function explain(delivery: InspectedDelivery, hello: Hello) {
  const { log } = delivery;
  const reason = log?.['forwardFailure'] === undefined ? (log?.['reason'] as ReasonName | undefined) : 'forwardFailure';
  if (reason === undefined) return undefined;
  const { rule, compared, advice } = CHECKS[reason];
  const detail: Compared = log?.['detail'] === undefined ? [] : [['Detail', show(log['detail'])]];
  return { rule, compared: [...compared(delivery, hello), ...detail], advice };
}
