import { Names, Stack, Stage } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** Maximum number of characters of a path in a metric's dimension. CloudWatch allows 1,024 for stack and path. */
const MAX_PATH = 800;
/** SNS's maximum. */
const MAX_DISPLAY_NAME = 100;
/** Characters that the names of event buses and log groups may contain besides letters and digits. */
const RESOURCE_NAME = { separator: '-', allowedSpecialCharacters: '_-', maxLength: 200 };

/**
 * Returns the value of `service` in logs and metrics, which keeps several receivers apart: the stack's name, and the
 * construct's path in the stack without `Default`. CloudWatch allows only ASCII.
 */
export function serviceNameOf(construct: Construct): string {
  return nameIn(Stack.of(construct), construct);
}

/** Returns the name of the alarm topic in mails. A nested stack's name is known only at deployment, so its ID replaces it. */
export function displayNameOf(construct: Construct): string {
  return `${nameIn(topLevelStack(construct), construct)} alarms`.slice(-MAX_DISPLAY_NAME);
}

/**
 * Returns the name of the event bus, or undefined for CDK's default. The default contains the IDs of stacks, but not their
 * names. So a stack with a name of its own would have the same bus as another one with the same IDs.
 */
export function eventBusNameOf(construct: Construct): string | undefined {
  if (hasDefaultName(topLevelStack(construct))) return undefined;
  return `${Names.uniqueResourceName(construct, RESOURCE_NAME)}-events`;
}

/**
 * Returns the name of the log group of API Gateway's access log. With this prefix, CloudWatch Logs needs no entry for the log
 * group in its resource policy, whose length is limited.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
 */
export function accessLogNameOf(construct: Construct): string {
  return `/aws/vendedlogs/${Names.uniqueResourceName(construct, RESOURCE_NAME)}-ApiAccessLog`;
}

function nameIn(stack: Stack, construct: Construct): string {
  const ids = construct.node.scopes.slice(stack.node.scopes.length).map(({ node }) => node.id);
  const path = ids.filter((id) => id !== 'Default').join('/');
  const ascii = path.replaceAll(/[^ -~]+/g, '').slice(0, MAX_PATH);
  // Without the hash, paths could become the same by what is left out.
  return [stack.stackName, ascii === path ? path : `${ascii}${construct.node.addr.slice(-8)}`]
    .filter(Boolean)
    .join('/');
}

function topLevelStack(construct: Construct): Stack {
  const stack = Stack.of(construct);
  return stack.nestedStackParent === undefined ? stack : topLevelStack(stack.nestedStackParent);
}

/** Returns whether a stack has the name that CDK derives from IDs: a single ID, or several with a hash. */
function hasDefaultName(stack: Stack): boolean {
  const stage = Stage.of(stack);
  const prefix = stage?.stageName ? `${stage.stageName}-` : '';
  const ids = stack.node.scopes.slice(stage?.node.scopes.length ?? 1).map(({ node }) => node.id);
  const first = ids.find((id) => id !== 'Default') ?? '';
  if (stack.stackName === `${prefix}${ids.join()}`) return true;
  const start = prefix + first.replaceAll(/[^a-z\d]/gi, '').slice(0, 50);
  return ids.length > 1 && stack.stackName.startsWith(start) && /[\dA-F]{8}$/.test(stack.stackName);
}
