import { describe, expect, test } from 'vitest'
import { at } from '../../src/base/at.ts'
import type { Agenda, AgendaStage, TrainEvent } from '../../src/train/events.ts'
import {
  type After,
  beginPart,
  notePart,
  noteTime,
  partLeft,
  type Seen,
  type Timing,
  timeLeft,
  timeLeftText,
} from '../../src/train/timeLeft.ts'

/** An event and the second in which it comes. */
type Tick = readonly [now: number, event: TrainEvent, after?: readonly After[]]

/** What a made-up machine needs, in seconds. */
interface Machine {
  readonly compiling: number
  /** Before the first image: decoders start. */
  readonly starting: number
  /** To decode an image, to run it through the whole network once, and for each step besides. */
  readonly decoding: number
  readonly forward: number
  readonly step: number
}

const cpu: Machine = { compiling: 3, starting: 2, decoding: 0.01, forward: 0.03, step: 0.003 }
const gpu: Machine = { compiling: 1, starting: 1, decoding: 0.002, forward: 5e-4, step: 0.002 }
const machines: readonly (readonly [string, Machine])[] = [
  ['a CPU', cpu],
  ['a GPU', gpu],
]

/** All arithmetic of the network, in the units of an agenda. */
const whole = 1e6

interface Run extends Partial<Agenda> {
  /** Whether the outputs of frozen layers are on disk. */
  readonly known?: boolean
  /** The epoch after which patience, or the time, ends it. */
  readonly ends?: number
}

function agendaOf({ known: _, ends: __, ...run }: Run): Agenda {
  return {
    epochs: 20,
    done: 0,
    batches: 0,
    trainImages: 960,
    valImages: 320,
    batchSize: 32,
    maxSeconds: null,
    patience: null,
    stages: [{ last: run.epochs ?? 20, stored: false, frozenWork: 0, work: whole }],
    ...run,
  }
}

/** The events of a training on a machine, as `fit` tells them. */
function play(run: Run, machine: Machine, began = 0): Tick[] {
  const agenda = agendaOf(run)
  const { trainImages, valImages, batchSize } = agenda
  const ticks: Tick[] = [[began, { type: 'agenda', ...agenda }]]
  let now = began
  const tell = (event: TrainEvent) => ticks.push([now, event])
  let open: AgendaStage | null = null
  const over = () => agenda.maxSeconds !== null && now - began >= agenda.maxSeconds
  for (let epoch = agenda.done + 1; epoch <= (run.ends ?? agenda.epochs) && !over(); epoch++) {
    const stage = agenda.stages.find(({ last }) => epoch <= last) ?? at(agenda.stages, 0)
    const isNew = stage !== open
    open = stage
    if (isNew) {
      for (let kernel = 1; kernel <= 10; kernel++) {
        now += machine.compiling / 10
        tell({ type: 'compile', done: kernel, total: 10 })
      }
      now += machine.starting
    }
    const reads = !stage.stored || (isNew && !run.known)
    const image = (passes: number) =>
      (reads ? machine.decoding + (machine.forward * stage.frozenWork) / whole : 0) +
      (passes * machine.forward * stage.work) / whole
    const steps = Math.ceil(trainImages / batchSize)
    const skipped = epoch === agenda.done + 1 ? agenda.batches : 0
    for (let step = skipped + 1; step <= steps && !over(); step++) {
      now += batchSize * image(3) + machine.step
      const done = Math.min(trainImages, (step - skipped) * batchSize)
      if (stage.stored && reads) tell({ type: 'read', split: 'train', done, total: trainImages })
      tell({ type: 'step', epoch, step, steps, loss: 1, accuracy: 0.5, lr: 1e-3 })
    }
    for (let done = 0; done < valImages; ) {
      const count = Math.min(batchSize, valImages - done)
      now += count * image(1) + machine.step / 2
      done += count
      tell({ type: 'validate', epoch, done, total: valImages })
    }
    tell({
      ...{ type: 'epoch', epoch, trainLoss: 1, trainAccuracy: 0, valLoss: 1, valAccuracy: 0 },
      seconds: 1,
    })
  }
  return ticks
}

/**
 * The worst factor between the time left as estimated and as it was, after the first tenth, and the
 * share of the whole after which there was an estimate.
 */
function judge(ticks: readonly Tick[]) {
  const [begin, end] = [at(ticks, 0)[0], at(ticks, ticks.length - 1)[0]]
  const whole = end - begin
  let timing: Timing | null = null
  let [worst, known] = [1, 1]
  for (const [now, event, after] of ticks) {
    timing = noteTime(timing, event, now)
    const left = timeLeft(timing, now, after)
    if (left === null) {
      known = 1
      continue
    }
    if (known === 1) known = (now - begin) / whole
    // In the last twentieth a second more or less is a large factor.
    const room = whole / 20
    const factor = (left.seconds + room) / (end - now + room)
    if (now - begin >= whole / 10) worst = Math.max(worst, factor, 1 / factor)
  }
  return { worst, known, atMost: timeLeft(timing, end)?.atMost }
}

const frozen = (epochs: number): AgendaStage[] => [
  { last: epochs, stored: true, frozenWork: 0.999 * whole, work: 0.001 * whole },
]
const kinds: Readonly<Record<string, Run>> = {
  'frozen, stored in the first epoch': { stages: frozen(20) },
  'frozen, 300 epochs': { epochs: 300, stages: frozen(300) },
  'frozen, stored by an earlier run': { stages: frozen(20), known: true },
  'half frozen, stored': {
    stages: [{ last: 20, stored: true, frozenWork: 0.6 * whole, work: 0.4 * whole }],
  },
  'everything trains': { epochs: 5 },
  'frozen and augmented': {
    epochs: 8,
    stages: [{ last: 8, stored: false, frozenWork: 0.999 * whole, work: 0.001 * whole }],
  },
  'the head, then everything': {
    epochs: 8,
    stages: [
      { last: 2, stored: true, frozenWork: 0.999 * whole, work: 0.001 * whole },
      { last: 8, stored: false, frozenWork: 0, work: whole },
    ],
  },
  'a limit of seconds': { epochs: 1_000_000, maxSeconds: 120 },
  'resumed within an epoch': { epochs: 6, done: 3, batches: 12 },
  'resumed, frozen': { done: 8, batches: 12, stages: frozen(20) },
}

describe('the time left of a training', () => {
  test.each(
    Object.entries(kinds).flatMap(([kind, run]) =>
      machines.map(([name, machine]) => [kind, name, run, machine] as const),
    ),
  )('%s, on %s: within a factor of two after the first tenth', (_, __, run, machine) => {
    const { worst, known } = judge(play(run, machine))
    expect(worst).toBeLessThan(2)
    // Compiling and the first batch tell nothing yet; from the second step on, there is an estimate.
    const steps = play(run, machine).filter(([, { type }]) => type === 'step')
    const [end] = at(play(run, machine), play(run, machine).length - 1)
    expect(known * end).toBeLessThanOrEqual(at(steps, 3)[0] + 0.05)
  })

  test.each(machines)('early stopping on %s: what is shown is a bound', (_, machine) => {
    const run: Run = { epochs: 40, patience: 3, ends: 9 }
    const ticks = play(run, machine)
    const half = ticks.slice(0, Math.floor(ticks.length / 2))
    const timing = half.reduce<Timing | null>(
      (timing, [now, event]) => noteTime(timing, event, now),
      null,
    )
    const now = at(half, half.length - 1)[0]
    const left = timeLeft(timing, now)
    expect(left?.atMost).toBe(true)
    expect(left?.seconds).toBeGreaterThan(at(ticks, ticks.length - 1)[0] - now)
    expect(timeLeftText(left)).toMatch(/^at most \d+:\d\d left$/)
  })

  test.each(machines)('a comparison on %s, by seconds and by epochs', (_, machine) => {
    for (const limit of [{ epochs: 1_000_000, maxSeconds: 60 }, { epochs: 4 }]) {
      const { epochs } = limit
      const runs: readonly Run[] = [
        { ...limit, stages: frozen(epochs) },
        { ...limit, stages: frozen(epochs) },
        { ...limit, stages: [{ last: epochs, stored: false, frozenWork: 0, work: whole }] },
        { ...limit, stages: [{ last: epochs, stored: false, frozenWork: 0, work: whole }] },
      ]
      const others: readonly After[] = ['frozen', 'whole', 'whole']
      let now = 0
      const ticks = runs.flatMap((run, i) => {
        const part = play(run, machine, now)
        now = at(part, part.length - 1)[0]
        return part.map(([when, event]): Tick => [when, event, others.slice(i)])
      })
      const { worst } = judge(ticks)
      expect(worst).toBeLessThan(2)
    }
  })

  test.each(machines)(
    'a comparison by one epoch on %s, all images read at once: known from the first moment',
    (_, machine) => {
      const one: Run = { epochs: 1, trainImages: 60, valImages: 20, batchSize: 64 }
      const runs: readonly Run[] = [frozen(1), frozen(1), undefined, undefined].map((stages) => ({
        ...one,
        ...(stages ? { stages } : {}),
      }))
      const others: readonly After[] = ['frozen', 'whole', 'whole']
      let [now, timing, seen]: [number, Timing | null, Seen | null] = [
        0,
        null,
        // As a probe has measured it: decoding, and once through the network.
        { pace: machine.decoding + machine.forward, work: whole },
      ]
      const wrong: number[] = []
      const ends: [number, number][] = []
      for (const [i, run] of runs.entries()) {
        const part = play(run, machine, now)
        now = at(part, part.length - 1)[0]
        for (const [when, event] of part) {
          timing = noteTime(timing, event, when, seen)
          seen = timing?.seen ?? seen
          const left = timeLeft(timing, when, others.slice(i))
          expect(left).not.toBe(null)
          ends.push([when, left?.seconds ?? Number.NaN])
        }
      }
      // What compiles is known to nobody before.
      const compiling = 4 * (machine.compiling + machine.starting)
      for (const [when, left] of ends) {
        if (left > 2 * (now - when) + now / 20) wrong.push(when)
        if (left < (now - when - compiling) / 2 - now / 20) wrong.push(when)
      }
      expect(wrong).toEqual([])
    },
  )

  test('nothing is known before the first news, and nothing is left at the end', () => {
    const ticks = play({ epochs: 1 }, cpu)
    expect(timeLeft(null, 0)).toBe(null)
    expect(timeLeft(noteTime(null, at(ticks, 0)[1], 0), 1)).toBe(null)
    expect(timeLeftText(null)).toBe('estimating')
    const timing = ticks.reduce<Timing | null>(
      (timing, [now, event]) => noteTime(timing, event, now),
      null,
    )
    expect(timeLeft(timing, 1e6)).toEqual({ seconds: 0, atMost: false })
  })

  test('a lost device: the clock starts again, and the steps before count as done', () => {
    const begun = play({ epochs: 4 }, cpu).filter(([now]) => now < 40)
    const [now] = at(begun, begun.length - 1)
    const lost: TrainEvent = {
      ...{ type: 'recovered', reason: 'reset', adapter: 'the same', epoch: 1, step: 4 },
      repeated: 2,
    }
    const timing = begun.reduce<Timing | null>(
      (timing, [now, event]) => noteTime(timing, event, now),
      null,
    )
    expect(timeLeft(noteTime(timing, lost, now + 60), now + 60)).toBe(null)
  })
})

describe('the time left of a single piece of work, such as evaluate', () => {
  test.each([
    ['steady', 0, 1],
    ['after a start-up', 4, 1],
    ['in bursts', 0, 8],
  ])('%s', (_, startUp, burst) => {
    const [total, each] = [40, 0.5]
    const end = startUp + total * each
    let part = beginPart(total, 0)
    for (let done = 1; done < total; done++) {
      const now = startUp + done * each
      if (done % burst === 0) part = notePart(part, done, now)
      const left = partLeft(part, now)
      if (left === null) expect(done).toBeLessThan(2 * burst)
      else if (now >= end / 10) {
        expect(left).toBeGreaterThan((end - now) / 2 - 1)
        expect(left).toBeLessThan(2 * (end - now) + 1)
      }
    }
  })
})
