/** What OpenTelemetry sees of jobs, through BullMQ's own hook. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Span, type Tracer, trace } from '@opentelemetry/api'
import { describe, expect, test } from 'vitest'
import { openQueueRunner } from '../../src/jobs/node/queueRunner.ts'
import { runWorker } from '../../src/jobs/node/queueWorker.ts'
import { Stores } from '../../src/store/node/openStore.ts'
import { present, startRedis } from '../support/servers.ts'
import { shortTiming, shout, shoutJob } from '../support/testJobs.ts'

/** Keeps the names and attributes of spans that have ended. */
function keepSpans() {
  const spans: { readonly name: string; readonly attributes: Record<string, unknown> }[] = []
  const startSpan: Tracer['startSpan'] = (name, options) => {
    const attributes: Record<string, unknown> = { ...options?.attributes }
    const span: Partial<Span> = {
      setAttributes: (more) => Object.assign(attributes, more) && (span as Span),
      setAttribute: (key, value) => Object.assign(attributes, { [key]: value }) && (span as Span),
      addEvent: () => span as Span,
      recordException: () => {},
      end: () => spans.push({ name, attributes }),
      spanContext: () => ({ traceId: '1'.repeat(32), spanId: '1'.repeat(16), traceFlags: 1 }),
    }
    return span as Span
  }
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as unknown as Tracer })
  return spans
}

describe.skipIf(!present.redis)('a queue with --telemetry', () => {
  test('tells of every job that is sent and done', async () => {
    const [server, folder] = [await startRedis(), await mkdtemp(join(tmpdir(), 'graft-spans-'))]
    const work = pathToFileURL(folder).href
    const stores = new Stores([work])
    const store = (address: string) => stores.store(address)
    const spans = keepSpans()
    const place = { url: server.url, telemetry: true, timing: shortTiming }
    const stop = new AbortController()
    const openEngine = () => Promise.reject(new Error('shouts need no engine'))
    const tools = { kinds: [shout], store, openEngine }
    const ended = runWorker({ ...place, signal: stop.signal, tools })
    const runner = await openQueueRunner({ ...place, store })
    const [outcome] = await runner.run([shoutJob(work, { text: 'seen' })], { total: 1 })
    expect(outcome).toHaveProperty('result')
    await runner.close()
    stop.abort()
    await ended
    const names = spans.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['addBulk graft', 'process graft']))
    const done = spans.find(({ name }) => name === 'process graft')
    expect(Object.values(done?.attributes ?? {})).toContain(outcome?.id)
    trace.disable()
    await stores.close()
    await server.stop()
    await rm(folder, { recursive: true })
  })
})
