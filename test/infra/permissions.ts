import type { Template } from 'aws-cdk-lib/assertions';

type Statement = { Action: string | string[]; Resource: unknown; Effect: string; Condition?: unknown };

/** Returns all actions of a role, each with the logical ID of its resource without the hash. */
export function permissions(template: Template, roleId: string): [string, string][] {
  const logicalId = (value: unknown) => /"([A-Z]\w+?)[\dA-F]{8}"/.exec(JSON.stringify(value))?.[1] ?? String(value);
  return statements(template, roleId)
    .flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) => [Resource].flat().map((to): [string, string] => [action, logicalId(to)])),
    )
    .toSorted((a, b) => a.join().localeCompare(b.join()));
}

/** Returns the statements of the policies whose logical ID begins with `roleId`. */
export function statements(template: Template, roleId: string): Statement[] {
  return Object.entries(template.findResources('AWS::IAM::Policy'))
    .filter(([id]) => id.startsWith(roleId))
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement);
}
