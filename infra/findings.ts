import { CfnResource, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** Accepts the findings of a cdk-nag rule on a construct and its children. */
export function acknowledge(construct: Construct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}

/** Accepts cfn-lint's finding W3005: CDK declares some dependencies twice, which is harmless. */
export function acceptDependencies(construct: Construct): void {
  for (const resource of construct.node.findAll().filter((child) => CfnResource.isCfnResource(child))) {
    resource.addMetadata('cfn-lint', { config: { ignore_checks: ['W3005'] } });
  }
}
