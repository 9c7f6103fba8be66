import { describe, expect, test } from '@jest/globals';
import { Validations, type Stack } from 'aws-cdk-lib';
import { Table } from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { webhookApp } from '../../infra/app.ts';
import { featureFlags } from '../../infra/local/synthesize.ts';
import { OPTIONS } from '../../infra/settings.ts';
import type { TencentChatWebhookProps } from '../../infra/webhook.ts';
import { SDK_APP_ID } from '../delivery.ts';
import { appWithoutBundles, hostStack, IRELAND, STREAM_ARN, TABLE_ARN, webhookIn, WITHOUT_BUNDLES } from './host.ts';
import { findings, NOTHING } from './nag.ts';

const OWN_DOMAIN = {
  domainName: 'chat.example.com',
  certificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/0a1b-2c3d',
};

/** Every option. */
const CHOICES: Record<string, string>[] = [
  { authentication: 'off' },
  { allowedCidrs: '198.51.100.0/24,2001:db8::/32' },
  { forwardUrl: 'https://backend.example.com/hook' },
  OWN_DOMAIN,
  { alarmEmail: 'ops@example.com' },
  { silenceHours: '24' },
  { probeMinutes: '5' },
  { provisionedConcurrency: '2' },
  { maxRequestsPerSecond: '500' },
  { stage: 'test' },
];

const ROWS = [0, 1, 2, 3, 4];
/** All ten triples of five rows. Each option is on in the rows of one triple. */
const TRIPLES = ROWS.flatMap((a) => ROWS.flatMap((b) => ROWS.flatMap((c) => (a < b && b < c ? [[a, b, c]] : []))));
/** Six combinations in which each pair of options occurs as both on, both off, and each without the other. */
const PAIRWISE = [[], ...ROWS.map((row) => CHOICES.filter((_, index) => TRIPLES[index]!.includes(row)))];

describe('cdk-nag finds nothing in the stack', () => {
  test('the combinations contain every option, and each pair in every way', () => {
    const names = CHOICES.flatMap((choice) => Object.keys(choice));
    expect(['sdkAppId', ...names].toSorted()).toEqual(OPTIONS.toSorted());
    for (const one of CHOICES) {
      for (const other of CHOICES.filter((choice) => choice !== one)) {
        expect(new Set(PAIRWISE.map((row) => `${row.includes(one)} ${row.includes(other)}`)).size).toBe(4);
      }
    }
  });

  test.each(PAIRWISE.map((row): Record<string, string> => Object.assign({}, ...row)))('with %j', (context) => {
    const found = findings(
      (outdir) =>
        webhookApp({ outdir, context: { ...featureFlags(), ...WITHOUT_BUNDLES, sdkAppId: SDK_APP_ID, ...context } })
          .app,
    );
    expect(found).toEqual(NOTHING);
    expect(Object.values(found).flat()).toEqual([]);
  });
});

describe('cdk-nag finds nothing in a host app', () => {
  const ownKey = (stack: Stack) => ({ encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }) });

  test.each<[string, (stack: Stack) => Partial<TencentChatWebhookProps>]>([
    [
      'with every prop but a table',
      (stack) => ({
        ...OWN_DOMAIN,
        ...ownKey(stack),
        authentication: 'off',
        allowedCidrs: ['198.51.100.0/24'],
        alarmEmail: 'ops@example.com',
        silenceHours: 24,
        provisionedConcurrency: 1,
        logRetention: RetentionDays.ONE_YEAR,
      }),
    ],
    [
      'with a key, a token and an imported table',
      (stack) => ({
        ...ownKey(stack),
        table: Table.fromTableAttributes(stack, 'Accounts', { tableArn: TABLE_ARN, tableStreamArn: STREAM_ARN }),
      }),
    ],
  ])('%s', (_what, props) => {
    const found = findings((outdir) => {
      const app = appWithoutBundles({ outdir });
      const stack = hostStack(IRELAND, app);
      webhookIn(stack, props(stack));
      Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
      return app;
    });
    expect(found).toEqual(NOTHING);
    expect(Object.values(found).flat()).toEqual([]);
  });
});
