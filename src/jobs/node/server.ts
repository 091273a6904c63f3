/** The server that a queue lies on, PostgreSQL or Redis and its like: how it is reached. */
import type {
  BackendClasses,
  IQueueBackend,
  PostgresConnectionOptions,
  QueueBaseOptions,
  RedisOptions,
  Telemetry,
} from 'bullmq'
import { UsageError } from '../../base/errors.ts'
import { optionalPackage } from '../../base/node/optionalPackage.ts'
import { QueueError } from '../runner.ts'
import { refusalOf } from './refusal.ts'
import type { Timing } from './timing.ts'

/** BullMQ's classes, whatever they are connected to. */
export type Classes = BackendClasses<IQueueBackend, object>
export type JobQueue = InstanceType<Classes['Queue']>

/** Where a queue lies. */
export interface QueuePlace {
  /** `postgres://…`, `redis://…`, `rediss://…`, or either's `valkey` names. */
  readonly url: string
  /** Several queues may lie on one server. Default `graft`. */
  readonly name?: string
  /** Sends spans to what OpenTelemetry is set up to in this process. */
  readonly telemetry?: boolean
}

export interface Server {
  /** The address without the password, for messages. */
  readonly shown: string
  readonly name: string
  readonly classes: Classes
  /** What BullMQ's classes take. */
  readonly base: QueueBaseOptions<object>
  /** Makes or renews the tables of a queue. Returns their version; null where nothing was to do. */
  migrate(): Promise<number | null>
}

/** The tables of a queue lie in this schema of a database. */
const schema = 'bullmq'
/** Connections of one process to PostgreSQL, beside the one that listens. */
const connections = 2
/** A server that speaks another language never answers to a client of PostgreSQL. */
const connectingTime = 5_000

/**
 * Loads what reaches a queue's server. Nothing is connected yet.
 * @throws UsageError for a URL of another kind
 * @throws GraftError with code `package` if a package is not installed
 */
export async function findServer(place: QueuePlace): Promise<Server> {
  const { url, shown, postgres } = readUrl(place.url)
  const { name = 'graft' } = place
  const bullmq = await optionalPackage('bullmq', 'a queue', () => import('bullmq'))
  const telemetry = place.telemetry ? await openTelemetry() : undefined
  if (postgres) {
    const pg = await optionalPackage('pg', 'a queue on PostgreSQL', () => import('pg'))
    const connection = {
      ...{ connectionString: url, schema, max: connections, keepAlive: true },
      connectionTimeoutMillis: connectingTime,
    }
    const factory = (id: string, options: QueueBaseOptions<object>, more?: object) =>
      bullmq.createPostgresBackend(id, options as QueueBaseOptions<PostgresConnectionOptions>, more)
    const migrate = async () => {
      const client = new pg.default.Client({
        connectionString: url,
        connectionTimeoutMillis: connectingTime,
      })
      await client.connect()
      try {
        const before = await bullmq.assertSchemaCompatibility(client, schema).catch((error) => {
          if (error instanceof bullmq.SchemaMigrationRequiredError) return 0
          throw error
        })
        if (before >= bullmq.LATEST_SCHEMA_VERSION) return null
        return await bullmq.runMigrations(client, schema)
      } finally {
        await client.end()
      }
    }
    const classes = bullmq.withBackend<IQueueBackend, object>(factory)
    return { shown, name, classes, base: { connection, telemetry }, migrate }
  }
  await optionalPackage('ioredis', 'a queue on Redis', () => import('ioredis'))
  const connection: RedisOptions = {
    url,
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(200 * times, 2000),
  }
  const factory = (id: string, options: QueueBaseOptions<object>, more?: object) =>
    bullmq.createRedisBackend(id, options, more)
  const classes = bullmq.withBackend<IQueueBackend, object>(factory)
  return { shown, name, classes, base: { connection, telemetry }, migrate: async () => null }
}

/** @throws UsageError for what is no URL of a queue */
export function readUrl(text: string): { url: string; shown: string; postgres: boolean } {
  let url: URL
  try {
    url = new URL(text)
  } catch (cause) {
    throw new UsageError(
      "a queue is the URL of a server, such as 'redis://host:6379' or 'postgres://user@host/graft'",
      { cause },
    )
  }
  const kind = url.protocol.slice(0, -1)
  const shown = new URL(text)
  shown.password = ''
  shown.search = ''
  if (kind === 'postgres' || kind === 'postgresql')
    return { url: text, shown: shown.href, postgres: true }
  const redis = /^(redis|valkey)(s?)$/.exec(kind)
  if (!redis)
    throw new UsageError(
      `a queue lies on PostgreSQL or Redis: its URL begins with postgres:// or redis://, ` +
        `not with ${kind}:`,
    )
  const plain = text.replace(/^[a-z]+:/i, `redis${redis[2]}:`)
  return { url: plain, shown: shown.href, postgres: false }
}

async function openTelemetry(): Promise<Telemetry> {
  const { BullMQOtel } = await optionalPackage(
    'bullmq-otel',
    'OpenTelemetry',
    () => import('bullmq-otel'),
  )
  return new BullMQOtel({ tracerName: 'graft' })
}

/**
 * Connects to a queue.
 * @throws QueueError if no server answers within the timing's patience, or it refuses
 */
export async function openQueue(server: Server, timing: Timing): Promise<JobQueue> {
  const { Queue } = server.classes
  // A first attempt that failed stays failed: each one needs a queue of its own.
  return await attempt(server, atFirst(timing), async (remember) => {
    const queue = new Queue(server.name, server.base)
    const refusal = new Promise<never>((_, reject) => {
      queue.on('error', (error) => {
        remember(error)
        if (isRefusal(error)) reject(error)
      })
    })
    try {
      await within(Promise.race([queue.waitUntilReady(), refusal]), firstAnswerTime)
      return queue
    } catch (error) {
      await closeConnection(queue)
      throw error
    }
  })
}

/** The waits for a server that has never answered: its URL may be wrong. */
export function atFirst(timing: Timing): Timing {
  return { ...timing, patience: Math.min(timing.patience, firstPatience) }
}

/** A server that has never answered is waited for so many milliseconds. */
const firstPatience = 5_000
const firstAnswerTime = 4_000
/** A connection that does not end by itself within so many milliseconds is cut off. */
const closingTime = 1_000
/** A server that answers at all does so within these milliseconds. */
const answerTime = 10_000

/**
 * Asks a server until it answers.
 * @param ask is told how to remember what a connection says, which goes on trying in silence
 * @throws QueueError if it has not answered within the timing's patience, or it refuses
 */
export async function attempt<T>(
  { shown }: Server,
  { patience }: Timing,
  ask: (remember: (error: Error) => void) => Promise<T>,
): Promise<T> {
  const began = performance.now()
  for (;;) {
    let said: unknown = null
    try {
      return await within(
        ask((error) => {
          said = error
        }),
        Math.min(answerTime + 2000, patience),
      )
    } catch (error) {
      const cause = error instanceof LateError && said !== null ? said : error
      const late = performance.now() - began > patience
      if (!late && !isRefusal(cause)) await new Promise((resolve) => setTimeout(resolve, 500))
      else throw refused(shown, cause)
    }
  }
}

function refused(shown: string, cause: unknown): QueueError {
  if (cause instanceof QueueError) return cause
  const name = cause instanceof Error ? cause.name : ''
  if (name === 'SchemaMigrationRequiredError')
    return new QueueError(
      `the database ${shown} has no queue yet: start a worker on it, which makes its tables`,
      { cause },
    )
  return new QueueError(`the queue at ${shown} cannot be used: ${refusalOf(cause)}`, { cause })
}

/** Whether a server has answered that it will not serve this. */
function isRefusal(error: unknown): boolean {
  if (error instanceof QueueError || error instanceof TypeError) return true
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return (
    /^(28|3D|42)/.test(code) ||
    /^(NOAUTH|WRONGPASS|NOPERM|ERR invalid password)/.test(error.message) ||
    /^(SchemaVersion|UnsupportedPostgres)/.test(error.name)
  )
}

/** Ends a connection, also one to a server that does not answer any more. */
export async function closeConnection(one: {
  close(): Promise<void>
  disconnect(): Promise<void>
}): Promise<void> {
  await within(one.close(), closingTime).catch(() =>
    within(one.disconnect(), closingTime).catch(() => {}),
  )
}

/** No answer came in time. */
class LateError extends Error {}

/** @throws LateError if a promise is not settled within so many milliseconds */
export async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError('no answer')), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
