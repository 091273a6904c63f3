import { StoreError } from '../store.ts'

/** What the SDK's errors have, whichever of its packages they come from. */
interface SdkError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

const noKeys = new Set(['CredentialsProviderError', 'TokenProviderError'])
const wrongKeys = new Set([
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'RequestTimeTooSkewed',
])

/**
 * The error for a request to S3 that failed.
 * @param called the object's address
 */
export function storeError(called: string, bucket: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause
  const { name, message, code = '', $metadata } = cause as SdkError
  const status = $metadata?.httpStatusCode
  const why = (problem: StoreError['problem'], reason: string) =>
    new StoreError(problem, `${called}: ${reason}`, { cause })
  if (noKeys.has(name))
    return why(
      'denied',
      'there are no keys for S3 here: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ' +
        'or AWS_PROFILE',
    )
  if (name === 'NoSuchBucket') return why('missing', `there is no bucket ${bucket}`)
  if (status === 404) return why('missing', 'there is no such object')
  if (status === 416) return why('missing', 'it ends before the part that is wanted')
  if (wrongKeys.has(name)) return why('denied', `the server does not accept the keys (${name})`)
  if (status === 401 || status === 403)
    return why('denied', `these keys may not do that (${name}): change the rights of the bucket`)
  if (status === 301 || status === 307 || name === 'AuthorizationHeaderMalformed')
    return why('refused', `the bucket ${bucket} lies in another region: set AWS_REGION`)
  const passes = status === 408 || status === 409 || status === 429 || (status ?? 500) >= 500
  if (status !== undefined && !(passes || status < 300))
    return why('refused', `the server refuses this (${name}: ${message})`)
  const reason = status === undefined ? code || message || name : `status ${status}, ${name}`
  return why('unreachable', `the server does not do this now (${reason})`)
}
