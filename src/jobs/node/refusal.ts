import { reasonOf } from '../doneMark.ts'

/** What a server or a connection to it says, in its code or its text, and what to do about it. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'start the server, or correct the URL'],
  [/ENOTFOUND|EAI_AGAIN/, 'correct the host in the URL'],
  [
    /NOAUTH|WRONGPASS|invalid password|^28/,
    'put user and password into the URL, and the URL into GRAFT_QUEUE, which is not shown',
  ],
  [
    /certificate/i,
    'NODE_EXTRA_CA_CERTS=FILE has Node trust an authority of your own, ' +
      'and PostgreSQL also takes ?sslrootcert=FILE in the URL',
  ],
  [/^3D/, 'make the database, or correct the URL'],
  [/^42501/, 'the first worker needs the right to make the schema bullmq'],
  [
    /ECONNRESET|ETIMEDOUT|no answer|wrong version number/,
    'check its port, and whether it speaks TLS (rediss://, or postgres:// with ?sslmode=require)',
  ],
]

/** Why a server cannot be used, and what to do, in one line. */
export function refusalOf(error: unknown): string {
  // Attempts at several addresses of one name come as one error without text.
  const errors: unknown[] = error instanceof AggregateError ? error.errors : []
  const one = errors[0] ?? error
  const code = one instanceof Error && 'code' in one ? String(one.code) : ''
  const said = /^NOAUTH/.test(reasonOf(one)) ? 'it wants a password (NOAUTH)' : reasonOf(one)
  const remedy = remedies.find(([pattern]) => pattern.test(code) || pattern.test(said))
  return remedy ? `${said.replace(/\.$/, '') || 'no answer'}: ${remedy[1]}` : said || 'no answer'
}
