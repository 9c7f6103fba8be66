import { expect, test } from '@jest/globals';
import {
  readConfig,
  readPublisherConfig,
  readRedriveConfig,
  type Environment,
  type PublisherEnvironment,
} from '../../lambda/config.ts';

const ENVIRONMENT = {
  SERVICE_NAME: 'TencentChatWebhook',
  SDK_APP_ID: '1400000000',
  TABLE_NAME: 'accounts',
  PARKING_QUEUE_URL: 'https://sqs/parked',
  DEAD_LETTER_QUEUE_URL: 'https://sqs/dead',
  AUTHENTICATION: 'token',
  TOKEN_SECRET_ARN: 'arn:token',
} satisfies Environment;

test('a full environment is read', () => {
  expect(readConfig({ ...ENVIRONMENT, ALLOWED_CIDRS: '198.51.100.0/24,2001:db8::/32' })).toEqual({
    serviceName: 'TencentChatWebhook',
    sdkAppId: '1400000000',
    tableName: 'accounts',
    parkingQueueUrl: 'https://sqs/parked',
    deadLetterQueueUrl: 'https://sqs/dead',
    allowedCidrs: ['198.51.100.0/24', '2001:db8::/32'],
    tokenSecretArn: 'arn:token',
  });
});

test('authentication is off only where that is said', () => {
  expect(readConfig({ ...ENVIRONMENT, AUTHENTICATION: 'off' }).tokenSecretArn).toBeUndefined();
  for (const AUTHENTICATION of [undefined, '', 'OFF', 'none']) {
    expect(() => readConfig({ ...ENVIRONMENT, AUTHENTICATION })).toThrow("AUTHENTICATION is neither 'token' nor 'off'");
  }
});

test('all problems are named at once', () => {
  expect(() => readConfig({ SDK_APP_ID: '', AUTHENTICATION: 'token', ALLOWED_CIDRS: '1.2.3,4.5.6.7' })).toThrow(
    [
      "the function's environment is wrong; deploy the stack again:",
      '- SERVICE_NAME is missing',
      '- SDK_APP_ID is missing',
      '- TABLE_NAME is missing',
      '- PARKING_QUEUE_URL is missing',
      '- DEAD_LETTER_QUEUE_URL is missing',
      "- ALLOWED_CIDRS: '1.2.3' is neither an address nor a CIDR range",
      '- TOKEN_SECRET_ARN is missing',
    ].join('\n'),
  );
});

test('the redrive needs no more than it uses', () => {
  expect(readRedriveConfig(ENVIRONMENT)).toEqual({
    serviceName: 'TencentChatWebhook',
    sdkAppId: '1400000000',
    tableName: 'accounts',
    parkingQueueUrl: 'https://sqs/parked',
  });
  expect(() => readRedriveConfig({})).toThrow(/- SDK_APP_ID is missing\n- TABLE_NAME .*\n- PARKING_QUEUE_URL .*$/);
});

test('the publisher needs no more than it uses', () => {
  const environment = {
    SERVICE_NAME: 'TencentChatWebhook',
    EVENT_BUS_NAME: 'bus',
    UNPUBLISHED_QUEUE_URL: 'https://sqs/unpublished',
  } satisfies PublisherEnvironment;
  expect(readPublisherConfig(environment)).toEqual({
    serviceName: 'TencentChatWebhook',
    eventBusName: 'bus',
    unpublishedQueueUrl: 'https://sqs/unpublished',
  });
  const problems = /- SERVICE_NAME is missing\n- EVENT_BUS_NAME .*\n- UNPUBLISHED_QUEUE_URL .*$/;
  expect(() => readPublisherConfig({})).toThrow(problems);
});
