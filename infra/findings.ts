import { CfnResource, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** Accepts a cdk-nag rule's finding on a construct and what is below it, with the reason why it is right there. */
export function acknowledge(construct: Construct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}

/** Accepts cfn-lint's finding that CDK lets resources depend on others twice, which is superfluous and harmless. */
export function acceptDependencies(construct: Construct): void {
  for (const resource of construct.node.findAll().filter((child) => CfnResource.isCfnResource(child))) {
    resource.addMetadata('cfn-lint', { config: { ignore_checks: ['W3005'] } });
  }
}
