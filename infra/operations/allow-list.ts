import { Option } from '@commander-js/extra-typings';
import { parseAllowList } from '../../lambda/allow-list.ts';
import { run } from '../cli/command-line.ts';
import { findDeployment, type DeployedStack, type DeploymentOptions } from '../cli/deployed-stack.ts';
import { OperationError, UsageError } from '../cli/errors.ts';
import { printable } from '../cli/terminal.ts';
import { notCovered } from './address-ranges.ts';
import { chatAppOf, createChatProgram, type ChatOptions } from './chat-app.ts';
import { chatRestApi } from './chat-rest-api.ts';

/** AWS regions that Chat calls from its addresses inside of China. */
const IN_CHINA = /^(cn-|ap-east-1$)/;

export function allowListProgram() {
  const program = createChatProgram(
    'allow-list',
    'Asks Chat for the addresses that webhooks come from, and compares them with the allow-list of a deployment (the ' +
      "option allowedCidrs). Chat's addresses change, and a receiver rejects deliveries from addresses that its list lacks.",
  )
    .addOption(
      new Option(
        '--nettype <n>',
        '5: the receiver is in China or Hong Kong, 6: elsewhere (default: by the region)',
      ).choices(['5', '6'] as const),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'afterAll',
      `
Needs the rights cloudformation:DescribeStacks and lambda:GetFunctionConfiguration.
Exit code 1 if the allow-list lacks addresses, or if the command failed; 2 if the options are wrong.

Examples:
  npm run allow-list -- check --stack TencentChatWebhook --chat-region singapore
  LIST=$(npm run allow-list --silent -- show --sdk-app-id … --region … --chat-region …) &&
    npx cdk deploy -c sdkAppId=… -c allowedCidrs="$(echo "$LIST" | paste -sd, -)"`,
    );
  program
    .command('show')
    .description('print the addresses and CIDR ranges, one a line')
    .usage('[--sdk-app-id <id>]')
    .option('--sdk-app-id <id>', 'show them for this app, without a deployment; needs --region or --nettype')
    .action(async (_options, command) => {
      const { sdkAppId, ...options } = command.optsWithGlobals();
      const addresses = await addressesOf(
        sdkAppId === undefined ? await findDeployment(options) : appOf(sdkAppId, options),
        options,
      );
      console.log(options.json ? JSON.stringify(addresses, null, 2) : addresses.join('\n'));
    });
  program
    .command('check')
    .description('compare them with the allow-list; other addresses in the list are printed, but are no error')
    .action(async (_options, command) => {
      const options = command.optsWithGlobals();
      const deployment = await findDeployment(options);
      compare(deployment, await addressesOf(deployment, options), options.json === true);
    });
  return program;
}

type Options = ChatOptions & DeploymentOptions & { nettype?: '5' | '6' | undefined };

type Receiver = { config: { sdkAppId: string }; region: string };

function appOf(sdkAppId: string, { stack, local, region, nettype }: Options): Receiver {
  if (stack !== undefined || local) throw new UsageError('--sdk-app-id cannot be used with --stack or --local');
  if (region === undefined && nettype === undefined) throw new UsageError('--sdk-app-id needs --region or --nettype');
  return { config: { sdkAppId }, region: region ?? '' };
}

/** Asks Chat. @throws OperationError if the answer is not a list for a receiver. */
async function addressesOf({ config, region }: Receiver, options: Options): Promise<string[]> {
  const chat = chatRestApi(await chatAppOf(options, config.sdkAppId));
  const addresses = await chat.webhookAddresses(options.nettype ?? (IN_CHINA.test(region) ? '5' : '6'));
  const { malformed } = parseAllowList(addresses);
  if (malformed.length > 0) {
    throw new OperationError(`Chat's answer has a wrong address: ${printable(malformed.join(', '))}`);
  }
  if (addresses.length === 0) {
    throw new OperationError(
      'Chat answers without an address. Outside of China, Tencent gives them only to apps that have asked for it.',
    );
  }
  return addresses;
}

function compare({ name, config: { allowedCidrs } }: DeployedStack, now: readonly string[], isJson: boolean): void {
  const hasList = allowedCidrs.length > 0;
  const missing = hasList ? notCovered(now, allowedCidrs) : [];
  // Former addresses of Chat, or the operator's own: nobody else can tell.
  const additional = hasList ? notCovered(allowedCidrs, now) : [];
  const isCurrent = missing.length === 0;
  process.exitCode = isCurrent ? 0 : 1;
  if (isJson) return console.log(JSON.stringify({ isCurrent, hasList, missing, additional, now }, null, 2));
  for (const cidr of missing) console.log(`missing     ${cidr}  Chat calls from there, and is rejected`);
  for (const cidr of additional) console.log(`additional  ${cidr}  Chat does not call from all of it`);
  if (!hasList) console.log(`There is no allow-list in ${name}: every address may call.`);
  else if (isCurrent) console.log(`The allow-list of ${name} is up to date.`);
  else {
    const cidrs = [...now, ...additional].join();
    console.log(`The allow-list of ${name} is out of date. Deploy it with -c allowedCidrs=${cidrs}`);
    if (additional.length > 0) console.log('This keeps the additional addresses: remove those that are not your own.');
  }
}

if (import.meta.main) await run(allowListProgram());
