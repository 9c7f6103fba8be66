import { addressList } from '../../lambda/allow-list.ts';
import { Failure, run, UsageError } from '../local/command-line.ts';
import { notCovered } from './address-ranges.ts';
import { CHAT_OPTIONS, CHAT_USAGE, chatAppOf, KEY_USAGE } from './chat-app.ts';
import { chatRestApi } from './chat-rest-api.ts';
import { DEPLOYMENT_OPTIONS, DEPLOYMENT_USAGE, findDeployment, type DeployedStack } from './deployed-stack.ts';
import { printable } from './terminal.ts';

const USAGE = `Asks Chat which addresses webhooks come from, and compares them with the allow-list of a deployment (the option
allowedCidrs). Tencent's addresses change, and a list that lacks some refuses genuine deliveries.

Usage: npm run allow-list -- show (--stack NAME | --local | --sdk-app-id ID --region REGION) [options]
       npm run allow-list -- check (--stack NAME | --local) [options]

  show             prints the addresses and CIDR ranges, one a line
  check            compares them, however they are cut into ranges; for a cron job or CI. Addresses that the list has in
                   addition, your own for instance, are named, and are no difference

${DEPLOYMENT_USAGE}
  --sdk-app-id ID  for show without a deployment: the app; give the receiver's --region, or --nettype, as well
${CHAT_USAGE}
  --nettype N      5 for a receiver in China, Hong Kong included; 6 for one elsewhere (default: by the region)
  --json           prints JSON
  -h, --help       prints this

${KEY_USAGE}
Needs the rights cloudformation:DescribeStacks and lambda:GetFunctionConfiguration.
Exit code 0; 1 where the allow-list lacks addresses, or where it can't be told; 2 where the options make no sense.

Examples:
  npm run allow-list -- check --stack TencentChatWebhook --chat-region singapore
  LIST=$(npm run allow-list --silent -- show --sdk-app-id … --region … --chat-region …) &&
    npx cdk deploy -c sdkAppId=… -c allowedCidrs="$(echo "$LIST" | paste -sd, -)"`;

/** How AWS names its regions. */
const REGION = /^[a-z]{2,}(-[a-z]+)+-\d+$/;

/** AWS regions for which Chat's addresses inside of China are the right ones. */
const IN_CHINA = /^(cn-|ap-east-1$)/;

await run(
  USAGE,
  {
    ...DEPLOYMENT_OPTIONS,
    ...CHAT_OPTIONS,
    'sdk-app-id': { type: 'string' },
    nettype: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  async (options, words) => {
    const [action, ...others] = words;
    if (!(action === 'show' || action === 'check') || others.length > 0) throw new UsageError('say show or check');
    const { 'sdk-app-id': sdkAppId, region, nettype, json: isJson } = options;
    if (nettype !== undefined && !/^[56]$/.test(nettype)) {
      throw new UsageError(`--nettype is '${nettype}', but must be 5 or 6`);
    }
    const addresses = async (appId: string, receiverRegion = ''): Promise<string[]> => {
      const chat = chatRestApi(await chatAppOf(options, appId));
      const isInChina = nettype === undefined ? IN_CHINA.test(receiverRegion) : nettype === '5';
      return checked(await chat.webhookAddresses(isInChina ? 'inChina' : 'elsewhere'));
    };

    if (action === 'show' && sdkAppId !== undefined) {
      if (options.stack !== undefined || options.local) throw new UsageError('--sdk-app-id is that of the deployment');
      if (region !== undefined && !REGION.test(region)) {
        throw new UsageError(`--region is '${region}', but must be the name of an AWS region`);
      }
      if (!region && nettype === undefined) throw new UsageError('--sdk-app-id wants --region or --nettype as well');
      return show(await addresses(sdkAppId, region), isJson);
    }
    if (sdkAppId !== undefined) throw new UsageError('--sdk-app-id is for show alone');
    const deployment = await findDeployment(options);
    const now = await addresses(deployment.config.sdkAppId, deployment.region);
    if (action === 'show') show(now, isJson);
    else compare(deployment, now, isJson);
  },
);

/** @throws Failure where it is no list that a receiver could have. */
function checked(addresses: string[]): string[] {
  const { malformed } = addressList(addresses);
  if (malformed.length > 0) throw new Failure(`Chat names what is no address: ${printable(malformed.join(', '))}`);
  if (addresses.length === 0) {
    throw new Failure(
      'Chat names no address. Outside of China, Tencent tells them only to apps that have asked for it.',
    );
  }
  return addresses;
}

function show(addresses: readonly string[], isJson: boolean): void {
  console.log(isJson ? JSON.stringify(addresses, null, 2) : addresses.join('\n'));
}

function compare({ name, config: { allowedCidrs } }: DeployedStack, now: readonly string[], isJson: boolean): void {
  const hasList = allowedCidrs.length > 0;
  const missing = hasList ? notCovered(now, allowedCidrs) : [];
  // Chat's of former times, or those of the deployment's own people: nobody but they can tell.
  const additional = hasList ? notCovered(allowedCidrs, now) : [];
  const isCurrent = missing.length === 0;
  process.exitCode = isCurrent ? 0 : 1;
  if (isJson) return console.log(JSON.stringify({ isCurrent, hasList, missing, additional, now }, null, 2));
  for (const cidr of missing) console.log(`missing     ${cidr}  Chat calls from there, and is refused`);
  for (const cidr of additional) {
    console.log(`additional  ${cidr}  Chat does not call from there, or not from all of it`);
  }
  if (!hasList) console.log(`There is no allow-list in ${name}: every address may call.`);
  else if (isCurrent) console.log(`The allow-list of ${name} is up to date.`);
  else {
    const cidrs = [...now, ...additional].join();
    console.log(`The allow-list of ${name} is out of date. Deploy it with -c allowedCidrs=${cidrs}`);
    if (additional.length > 0) {
      console.log('This keeps the addresses that the list has in addition: take out those that are not your own.');
    }
  }
}
