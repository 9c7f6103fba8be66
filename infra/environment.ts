import { Arn, ArnFormat, Stack, Token, TokenComparison, type IResource } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { isUnknown } from './settings.ts';

/** A resource of the host app. */
interface Given {
  /** Name of the prop. */
  prop: string;
  /** Undefined for a resource that CDK does not know, for example a certificate. */
  resource?: IResource | undefined;
  /** Undefined if the prop is not set. */
  arn: string | undefined;
  /** Whether AWS accepts a resource of another account, if that account's policy allows it. */
  allowsOtherAccount?: boolean;
}

/**
 * Compares the region and the account of resources with those of the stack. A part that is known only at deployment is not
 * compared.
 *
 * @returns The problems.
 */
export function environmentProblems(scope: Construct, resources: readonly Given[]): string[] {
  const stack = Stack.of(scope);
  return resources.flatMap(({ prop, resource, arn, allowsOtherAccount = false }) => {
    const env = environmentOf(resource, arn);
    if (env === undefined) return [];
    const parts = allowsOtherAccount ? (['region'] as const) : (['region', 'account'] as const);
    return parts
      .filter((part) => Token.compareStrings(env[part], stack[part]) === TokenComparison.DIFFERENT)
      .map((part) => {
        const own = stack[part];
        return `${prop} is in the ${part} ${env[part]}, but the stack ${stack.stackName} is in ${own}: give one of ${own}`;
      });
  });
}

/** Prefers the ARN, because some of CDK's imports regard a resource of another region as one of the stack's region. */
function environmentOf(resource: IResource | undefined, arn: string | undefined) {
  if (arn === undefined || isUnknown(arn) || !arn.startsWith('arn:')) return resource?.env;
  const { region = '', account = '' } = Arn.split(arn, ArnFormat.NO_RESOURCE_NAME);
  return { region, account };
}
