import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import type { StateDict } from '../../src/base/stateDict.ts'
import type { ArrayDataset } from '../../src/data/dataset.ts'
import type { Job } from '../../src/jobs/job.ts'
import { divide } from '../../src/jobs/node/planRounds.ts'
import { type RoundEvent, trainRounds } from '../../src/jobs/node/trainRounds.ts'
import type { Outcome, Runner, RunOptions } from '../../src/jobs/runner.ts'
import { openStore } from '../../src/store/node/openStore.ts'
import { fit } from '../../src/train/fit.ts'
import type { FitOptions } from '../../src/train/fitOptions.ts'
import { resolveOptions } from '../../src/train/options/resolve.ts'
import type { RoundOptions } from '../../src/train/options/rounds.ts'
import { sameBits } from '../support/bits.ts'
import { runnerOfTests, shapesNetwork, storedShapes } from '../support/stored.ts'

let folder: string
/** Twenty-five images, one of them broken. */
let data: ArrayDataset
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-rounds-'))
  data = await storedShapes(join(folder, 'images'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const network = () => shapesNetwork('large-similar')

const recipe = { epochs: 2, batchSize: 8, lr: 3e-3, optimizer: 'adamw', keep: 'last' } as const

interface Trained {
  readonly state: StateDict
  readonly result: Awaited<ReturnType<typeof trainRounds>>
  readonly events: readonly RoundEvent[]
}

async function trained(
  work: string,
  rounds: Omit<RoundOptions, 'rounds'>,
  more: Partial<FitOptions> & { readonly runner?: Runner } = {},
): Promise<Trained> {
  const { runner = runnerOfTests(), ...options } = more
  const { model, plan } = await network()
  const events: RoundEvent[] = []
  const result = await trainRounds(model, data, data.root, {
    ...recipe,
    ...options,
    rounds,
    runner,
    work: await openStore(join(folder, work)),
    plan,
    onRound: (event) => events.push(event),
  })
  const state = await model.stateDict()
  model.dispose()
  return { state, result, events }
}

function expectSame(a: StateDict, b: StateDict): void {
  expect(Object.keys(a)).toEqual(Object.keys(b))
  for (const [name, { data }] of Object.entries(a))
    expect(sameBits(data, b[name]?.data), name).toBe(true)
}

test('one slot has the bytes of a training without rounds', async () => {
  const { model } = await network()
  const options = { ...recipe, augment: 'light', mixup: 0.3, schedule: 'cosine' } as const
  const plain = await fit(model, data, options)
  // Three steps are a pass: rounds end in the middle of one, and go over its end.
  const one = await trained('one', { slots: 1, localSteps: 2 }, options)
  expectSame(one.state, await model.stateDict())
  expect(one.events.map(({ steps }) => steps)).toEqual([2, 2, 2])
  expect(one.result.skipped).toBe(1)
  const last = (result: { readonly epochs: readonly { readonly valLoss: number }[] }) =>
    result.epochs.at(-1)?.valLoss
  expect(last(one.result)).toBe(last(plain))
  model.dispose()
})

/** Does jobs one after the other, in another order, and those of late slots after the round. */
function runnerInOrder(order: (jobs: Job[]) => Job[], late: (job: Job) => boolean): Runner {
  const runner = runnerOfTests()
  return {
    run: async (jobs, options: RunOptions) => {
      const outcomes: Outcome[] = []
      const all = order([...jobs])
      for (const job of all.filter((one) => !late(one)))
        outcomes.push(...(await runner.run([job], options)))
      if (!all.some(late)) return outcomes
      vi.runOnlyPendingTimers()
      options.signal?.throwIfAborted()
      throw new Error('the deadline has ended nothing')
    },
    close: async () => {},
  }
}

test("a slot's learning rate grows with the slots, as suits its optimizer", () => {
  const rates = (['adam', 'adamw', 'sgd'] as const).map((optimizer) => {
    const settings = resolveOptions({ epochs: 1, lr: 0.01, optimizer })
    return [{}, { lrScale: 1 }].map((more) => divide(data, settings, { slots: 4, ...more }).lr)
  })
  expect(rates).toEqual([
    [0.02, 0.01],
    [0.02, 0.01],
    [0.04, 0.01],
  ])
})

test('two slots give the same bytes whichever comes first, and old files go', async () => {
  const paper = { slots: 2, outerLr: 0.7, outerMomentum: 0.9 }
  const forward = await trained('two', paper)
  const never = () => false
  const runner = runnerInOrder((jobs) => jobs.reverse(), never)
  const backward = await trained('two-backward', paper, { runner })
  expectSame(backward.state, forward.state)
  expect(forward.result.epochs).toHaveLength(2)
  const files = await readdir(join(folder, 'two', 'rounds'))
  expect(files.filter((name) => name.endsWith('-state.safetensors'))).toHaveLength(2)
  expect(files.filter((name) => name.endsWith('-weights.safetensors'))).toHaveLength(0)
})

test('a round goes on without a late slot, says so, and a resumed training repeats it', async () => {
  const rounds = { slots: 2, outerMomentum: 0.5, roundDeadline: 3600, quorum: 1, localSteps: 1 }
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const slots: string[] = []
  // The second slot is late in the second round only.
  const isLate = (stop: AbortController | null) => {
    let calls = 0
    return runnerInOrder(
      (jobs) => {
        calls++
        if (stop && calls === 3) stop.abort(new Error('killed'))
        if (slots.length === 0) slots.push(...jobs.map(({ task }) => String(task.slot)))
        return jobs
      },
      (job) => calls === 2 && job.task.slot === slots[1],
    )
  }
  const whole = await trained('late', rounds, { runner: isLate(null) })
  expect(whole.events.map(({ dropped }) => dropped)).toEqual([
    [],
    [{ slot: 1, reason: 'it came too late' }],
    [],
    [],
  ])
  slots.length = 0
  const stop = new AbortController()
  const cut = await trained('cut', rounds, { runner: isLate(stop), signal: stop.signal })
  expect([cut.result.aborted, cut.result.epochs.length]).toEqual([true, 2])
  const rest = await trained('cut', rounds)
  expect(rest.events.map(({ found }) => found)).toEqual([true, true, false, false])
  expectSame(rest.state, whole.state)
  // Of five networks, the first one and the rounds that are needed are kept.
  const models = (work: string) => readdir(join(folder, work, 'models'))
  const values = (await models('late')).filter((name) => name.endsWith('.safetensors'))
  expect(values.length).toBeLessThan(5)
  expect((await models('cut')).sort()).toEqual((await models('late')).sort())
  await expect(trained('late', { ...rounds, localSteps: 1 }, { epochs: 1 })).rejects.toThrow(
    /the network of round 2 is in file:.* no more/,
  )
})

test('too few slots, and options without a meaning, are refused in one line', async () => {
  const failing: Runner = {
    run: async (jobs, { onOutcome }) => {
      for (const job of jobs) onOutcome?.({ id: 'j', job, failure: 'no memory' })
      return []
    },
    close: async () => {},
  }
  await expect(trained('few', { slots: 2, quorum: 1 }, { runner: failing })).rejects.toThrow(
    '0 of 2 slots were trained, and a round needs 1: no memory',
  )
  await expect(trained('few', { slots: 2, quorum: 3 })).rejects.toThrow('quorum is 3 of 2 slots')
  await expect(trained('few', { slots: 26 })).rejects.toThrow('there are 25 images to train on')
  await expect(trained('few', {}, { ema: 0.9 })).rejects.toThrow('ema is for a training without')
})
