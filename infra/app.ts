import { App, Validations, type AppProps } from 'aws-cdk-lib';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { addressList } from '../lambda/app.ts';
import { WebhookStack } from './stack.ts';

/** What a user decides about a deployment: CDK context, checked. */
export interface Settings {
  sdkAppId: string;
  authentication: 'token' | 'off';
  /** Addresses and CIDR ranges that may call; none means that every address may. */
  allowedCidrs: readonly string[];
}

export const OPTIONS = ['sdkAppId', 'authentication', 'allowedCidrs'] satisfies (keyof Settings)[] as readonly string[];

/** Lambda takes 4 KiB of environment in all; the rest of it is ours. */
const MAX_CIDRS_BYTES = 3_500;

/**
 * Reads the settings out of CDK context. A value may come from `-c name=value`, as text, or from cdk.json.
 * An empty value counts as missing.
 *
 * @throws one error that names every problem.
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  const problems: string[] = [];
  // A misspelt option would be ignored, and with it, perhaps, an allow-list. CDK's own names hold a sign.
  const letters = (name: string) => name.toLowerCase().replaceAll(/[^a-z]/g, '');
  for (const name of Object.keys(context)) {
    const isLikeOurs = OPTIONS.some((option) => letters(option) === letters(name)) || /^\w+$/.test(name);
    if (isLikeOurs && !OPTIONS.includes(name)) {
      problems.push(`'${name}' is not an option of this stack; its options are ${OPTIONS.join(', ')}`);
    }
  }

  const sdkAppId = String(context['sdkAppId'] ?? '');
  if (sdkAppId === '') {
    problems.push(`sdkAppId is missing: give your app's SDKAppID, as in -c sdkAppId=1400000000`);
  } else if (!/^\d+$/.test(sdkAppId)) {
    problems.push(`sdkAppId is '${sdkAppId}', but an SDKAppID has digits only`);
  }

  const authentication = context['authentication'] || 'token';
  if (authentication !== 'token' && authentication !== 'off') {
    problems.push(`authentication is '${String(authentication)}', but must be 'token' or 'off'`);
  }

  const allowedCidrs = textList(context['allowedCidrs']);
  for (const cidr of addressList(allowedCidrs).malformed) {
    problems.push(`allowedCidrs: '${cidr}' is neither an address nor a CIDR range`);
  }
  if (allowedCidrs.length === 0 && ![undefined, ''].includes(context['allowedCidrs'] as string)) {
    problems.push('allowedCidrs holds no address: leave it out to let every address call');
  }
  const cidrsBytes = allowedCidrs.join().length;
  if (cidrsBytes > MAX_CIDRS_BYTES) {
    problems.push(
      `allowedCidrs is ${cidrsBytes} characters long, but a function's environment has room for ${MAX_CIDRS_BYTES}: ` +
        'merge ranges',
    );
  }

  if (problems.length > 0) {
    throw new SettingsError(`The stack's context is wrong:\n${problems.map((problem) => `- ${problem}\n`).join('')}`);
  }
  return { sdkAppId, authentication: authentication as Settings['authentication'], allowedCidrs };
}

/** The user's options are at fault: the message says all there is to say, a stack trace nothing. */
export class SettingsError extends Error {}

/** A list as `a,b` or, in cdk.json, as `["a", "b"]`. */
function textList(value: unknown): string[] {
  const items = Array.isArray(value) ? value : String(value ?? '').split(',');
  return items.map((item) => String(item).trim()).filter((item) => item !== '');
}

/** The whole CDK app, checked against cdk-nag's packs: a finding makes synth fail. */
export function webhookApp(props?: AppProps): { app: App; stack: WebhookStack } {
  const app = new App(props);
  const stack = new WebhookStack(app, 'TencentChatWebhook', readSettings(app.node.getAllContext()));
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
  return { app, stack };
}

if (import.meta.main) {
  try {
    webhookApp().app.synth();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
