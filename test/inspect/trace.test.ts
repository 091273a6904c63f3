import { expect, test } from 'vitest'
import { relu } from '../../src/autograd/functions.ts'
import { UsageError } from '../../src/base/errors.ts'
import { chromeTrace } from '../../src/inspect/trace.ts'
import { testEngine } from '../support/engine.ts'

test('a trace has one complete event for each dispatch', async () => {
  const engine = await testEngine()
  const recorder = engine.record()
  const x = engine.tensor(Float32Array.of(-1, 2), [2])
  for (const y of [relu(x), relu(x)]) y.dispose()
  const recording = await recorder.finish()
  x.dispose()
  if (!engine.info.features.includes('timestamp-query')) {
    expect(() => chromeTrace(recording, 'test')).toThrow(UsageError)
    return
  }
  const { traceEvents } = chromeTrace(recording, 'test') as {
    traceEvents: Record<string, unknown>[]
  }
  const events = traceEvents.filter(({ ph }) => ph === 'X')
  expect(events).toHaveLength(2)
  expect(events[0]).toMatchObject({
    name: 'relu forward',
    cat: 'forward',
    pid: 1,
    tid: 1,
    args: { kernel: 'relu/forward.wgsl', params: { n: 1 } },
  })
  for (const { ts, dur } of events)
    expect([ts, dur].every((value) => typeof value === 'number' && value >= 0)).toBe(true)
})
