import { CfnResource, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/**
 * Accepts the findings of a cdk-nag rule on a construct and its children, for cdk-nag 3 and 2.
 *
 * @param id ID of cdk-nag 3: `Pack::Rule` or `Pack::Rule[Finding]`.
 */
export function acknowledge(construct: Construct, id: string, reason: string): void {
  // Older versions of aws-cdk-lib have no validations, and no cdk-nag 3.
  (Validations as typeof Validations | undefined)?.of(construct).acknowledge({ id, reason });
  const [, rule = id, finding] = /^\w+::([\w-]+)(?:\[(.+)\])?$/.exec(id) ?? [];
  for (const resource of resourcesOf(construct)) {
    const { rules_to_suppress: others = [] } = resource.getMetadata('cdk_nag') ?? {};
    const suppression = { id: rule, reason, ...(finding !== undefined && { applies_to: [finding] }) };
    resource.addMetadata('cdk_nag', { rules_to_suppress: [...others, suppression] });
  }
}

/** Accepts cfn-lint's finding W3005: CDK declares some dependencies twice, which is harmless. */
export function acceptDependencies(construct: Construct): void {
  for (const resource of resourcesOf(construct)) {
    resource.addMetadata('cfn-lint', { config: { ignore_checks: ['W3005'] } });
  }
}

function resourcesOf(construct: Construct): CfnResource[] {
  return construct.node.findAll().filter((child) => CfnResource.isCfnResource(child));
}
