import { Failure } from '../local/command-line.ts';
import { printable } from './terminal.ts';

interface AwsError {
  name: string;
  message: string;
  code?: string;
  cause?: AwsError;
  $metadata?: { httpStatusCode?: number };
}

/**
 * Makes what the AWS SDK threw a message for an operator: one line that says what is wrong and what to do.
 *
 * @param what was tried, as in "read the table".
 * @returns undefined where it is no error of AWS's.
 */
export function awsFailure(what: string, error: unknown): AwsFailure | undefined {
  if (error instanceof AwsFailure) return error;
  if (!(error instanceof Error)) return undefined;
  const { name, message, code, cause, $metadata } = error as AwsError;
  const because = (why: string, isLasting = true) => new AwsFailure(`Can't ${what}: ${why}`, isLasting);
  if (/^(AccessDenied|AccessDeniedException|UnauthorizedOperation|NotAuthorized)$/.test(name)) {
    // IAM names the action, for SQS in small letters.
    const action = /not authorized to perform:? ([\w:-]+)/.exec(message)?.[1];
    return because(action ? `your credentials lack the right ${action}` : 'your credentials lack a right for it');
  }
  if (/KMS.*AccessDenied|^KMS/.test(name)) return because('your credentials may not use the key that encrypts it');
  if (/^Expired|TokenRefreshRequired/.test(name)) return because('your AWS credentials have expired: log in again');
  if (
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature)/.test(name)
  )
    return because('AWS does not know your credentials, or the clock of this machine is wrong');
  if (/CredentialsProviderError|TokenProviderError/.test(name)) {
    return because(
      /expired/i.test(message)
        ? 'your AWS credentials have expired: log in again'
        : 'there are no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID',
    );
  }
  if (/region is missing|region not accepted/i.test(message))
    return because('no region: give --region, or set AWS_REGION');
  if (/NonExistentQueue|QueueDoesNotExist/.test(name)) return because('the queue is not there any more');
  if (name.startsWith('ResourceNotFound')) return because('it is not there any more');
  const networkCode = code ?? cause?.code;
  if (networkCode !== undefined || name === 'TimeoutError')
    return because(`AWS can't be reached (${networkCode ?? name})`, false);
  if ($metadata?.httpStatusCode !== undefined) return because(`AWS answers ${name}: ${printable(message)}`, false);
  return undefined;
}

/** AWS did not do what was wanted. */
export class AwsFailure extends Failure {
  /** Whether it would be the same with the next call. */
  readonly isLasting: boolean;

  constructor(message: string, isLasting: boolean) {
    super(message);
    this.isLasting = isLasting;
  }
}

/** Makes a call to AWS, and says in one line why it failed. @throws AwsFailure */
export async function tryTo<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw awsFailure(what, error) ?? error;
  }
}
