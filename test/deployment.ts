import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDeployment, type Deployment, type DeploymentOptions } from '../infra/local/deployment.ts';
import { readAssembly, type DeploymentSpec } from '../infra/local/template.ts';
import type { Environment } from '../lambda/config.ts';
import { synthesizeOnce } from './assemblies.ts';
import { TOKEN } from './delivery.ts';
import { TIME_SCALE } from './time.ts';

/** Context that adds every part to the stack. Tests that need a part share its synthesis. */
export const ALL_PARTS = {
  silenceHours: '24',
  probeMinutes: '5',
  allowedCidrs: '198.51.100.1',
  forwardUrl: 'https://backend.example.com/hook',
  domainName: 'chat.example.com',
  certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0a1b',
};

/** @param context CDK context beside the SDKAppID. */
export function specOf(context: Readonly<Record<string, string>> = {}): DeploymentSpec {
  return readAssembly(synthesizeOnce(context));
}

/** Returns the synthesized template. */
export function readTemplate(context: Readonly<Record<string, string>> = {}) {
  const file = join(synthesizeOnce(context), 'TencentChatWebhook.template.json');
  return JSON.parse(readFileSync(file, 'utf8')) as { Resources: Record<string, any>; Outputs: Record<string, unknown> };
}

/** Returns the properties of all resources of a type in the synthesized template. */
export function resourcesOf(type: string, context: Readonly<Record<string, string>> = {}): Record<string, any>[] {
  const { Resources } = readTemplate(context);
  return Object.values(Resources).flatMap(({ Type, Properties }) => (Type === type ? [Properties] : []));
}

interface SlowDeploymentOptions extends Partial<DeploymentOptions> {
  /** CDK context beside the SDKAppID. Each context takes a synthesis. */
  context?: Readonly<Record<string, string>>;
  /** Variables of the receiver that replace those of the template. test/infra/stack.test.ts tests which it has. */
  environment?: Partial<Environment>;
}

/**
 * Starts a deployment on a free port. Its functions have longer deadlines ({@link TIME_SCALE}) and few instances, so that
 * a busy machine can serve them.
 */
export async function startSlowDeployment({
  context = {},
  environment = {},
  ...options
}: SlowDeploymentOptions = {}): Promise<Deployment & AsyncDisposable> {
  const spec = specOf(context);
  Object.assign(spec.receiver.environment, environment);
  const deployment = await startDeployment({
    spec,
    token: TOKEN,
    port: 0,
    timeScale: TIME_SCALE,
    maxInstances: 2,
    ...options,
  });
  return { ...deployment, [Symbol.asyncDispose]: () => deployment.stop() };
}
