import type { Template } from 'aws-cdk-lib/assertions';

type Statement = { Action: string | string[]; Resource: unknown; Effect: string; Condition?: unknown };

/** Every action that a role may do, each with what it may be done to: the resource's ID, without its hash. */
export function permissions(template: Template, roleId: string): [string, string][] {
  const logicalId = (value: unknown) => /"([A-Z]\w+?)[\dA-F]{8}"/.exec(JSON.stringify(value))?.[1] ?? String(value);
  return statements(template, roleId)
    .flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) => [Resource].flat().map((to): [string, string] => [action, logicalId(to)])),
    )
    .toSorted((a, b) => a.join().localeCompare(b.join()));
}

/** The statements of the policies whose logical ID begins so. */
export function statements(template: Template, roleId: string): Statement[] {
  return Object.entries(template.findResources('AWS::IAM::Policy'))
    .filter(([id]) => id.startsWith(roleId))
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement);
}
