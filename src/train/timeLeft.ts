import { at } from '../base/at.ts'
import { clock } from '../base/format.ts'
import type { Agenda, AgendaStage, TrainEvent } from './events.ts'

/*
 * How long a training still takes, from its events. The first epoch compiles, reads every image and
 * runs the frozen layers; later ones may only read stored outputs, a hundred times faster. So each
 * part of an epoch has a pace of its own, and where a part has not been seen yet, its pace follows
 * from another one's by the arithmetic that both do. Nothing is shown that is not known.
 */

/** What is known about the time of a training; made by `noteTime` from event to event. */
export interface Timing {
  readonly agenda: Agenda
  /** When training began: in seconds, as all times here. */
  readonly began: number
  /** The epoch in progress, and when its first step could begin. */
  readonly epoch: number
  readonly epochBegan: number
  readonly train: Part
  readonly val: Part
  /** Whether images go through the frozen layers in this epoch. */
  readonly reads: boolean
  /** Whether something started up in this epoch, or a part of it was done before. */
  readonly starting: boolean
  /** Seconds of finished epochs like those to come, in this stage. */
  readonly alike: readonly number[]
  /** Seconds of the last validation, if the next one is like it. */
  readonly validated: number | null
  /** What this epoch was expected to take when it began, in seconds. */
  readonly expected: number | null
  readonly seen: Seen | null
}

/** Seconds an image where it was decoded and went through the network, and the work of that. */
export interface Seen {
  readonly pace: number
  readonly work: number
}

/** Images that are worked through, in order. */
export interface Part {
  readonly total: number
  readonly began: number
  /**
   * How many were done when it began, at the first news of it, and at the latest. What comes at
   * once, as values that are read back together do, is one piece of news.
   */
  readonly doneBefore: number
  readonly first: { readonly since: number; readonly at: number; readonly done: number } | null
  readonly last: { readonly at: number; readonly done: number } | null
}

/** Seconds that remain; `atMost` if the work may end earlier. Null: not known yet. */
export type TimeLeft = { readonly seconds: number; readonly atMost?: boolean } | null

/** Other trainings after this one, with the same epochs, images and limits, as in a comparison. */
export type After = 'frozen' | 'whole'

/** Seconds that a step costs besides its arithmetic, until steps have been timed. */
const stepSeconds = 0.003
/** News within so many seconds of the first are one. */
const atOnce = 0.05
/** So many of the latest epochs are averaged. */
const averaged = 3

/** A part of work that begins now. */
export function beginPart(total: number, now: number, doneBefore = 0): Part {
  return { total, began: now, doneBefore, first: null, last: null }
}

/** The part after news of how much of it is done. */
export function notePart(part: Part, done: number, now: number): Part {
  if (done <= (part.last?.done ?? part.doneBefore)) return part
  const { first } = part
  const since = first ? first.since : now
  const last = { at: now, done }
  return { ...part, first: first && now - since >= atOnce ? first : { since, ...last }, last }
}

/** Seconds an image; null before the second news: up to the first one, work was starting up. */
function paceOf({ first, last }: Part): number | null {
  if (!first || !last || last.done <= first.done) return null
  return (last.at - first.at) / (last.done - first.done)
}

/** The same, of a finished part also where all of it was one piece of news, its start included. */
function paceAtEnd(part: Part): number | null {
  const { total, began, doneBefore, last } = part
  const pace = paceOf(part)
  if (pace !== null || !last || last.done < total) return pace
  return (last.at - began) / (total - doneBefore)
}

/** Seconds that a part still takes. */
export function partLeft(part: Part, now: number): number | null {
  const pace = paceOf(part)
  if (pace === null || !part.last) return null
  return Math.max(0, pace * (part.total - part.last.done) - (now - part.last.at))
}

/**
 * What is known after an event at a time; null before training begins.
 * @param before what a training before this one has seen, or a probe of the network
 */
export function noteTime(
  timing: Timing | null,
  event: TrainEvent,
  now: number,
  before: Seen | null = null,
): Timing | null {
  if (event.type === 'agenda') {
    const { type: _, ...agenda } = event
    return beginTiming(agenda, now, before)
  }
  if (!timing) return null
  const { agenda, train, val } = timing
  switch (event.type) {
    case 'compile':
      return train.last ? timing : restarted(timing, now, train.doneBefore)
    case 'recovered':
      return restarted({ ...timing, epoch: event.epoch }, now, event.step * agenda.batchSize)
    case 'read':
      return event.split === 'train'
        ? trained({ ...timing, reads: true }, train.doneBefore + event.done, now)
        : { ...timing, reads: true, val: notePart(val, event.done, now) }
    case 'step':
      return trained(timing, event.step * agenda.batchSize, now)
    case 'validate':
      return { ...timing, val: notePart(val, event.done, now) }
    case 'epoch':
      return afterEpoch(timing, now)
    default:
      return timing
  }
}

function beginTiming(agenda: Agenda, now: number, seen: Seen | null): Timing {
  const { done, batches, batchSize } = agenda
  return {
    agenda,
    began: now,
    epoch: done + 1,
    starting: true,
    alike: [],
    validated: null,
    expected: batches === 0 ? firstEpoch({ agenda, seen }, stageOf(agenda, done + 1)) : null,
    seen,
    ...freshEpoch(agenda, now, batches * batchSize),
  }
}

function freshEpoch(
  { trainImages, valImages }: Agenda,
  now: number,
  doneBefore = 0,
): Pick<Timing, 'train' | 'val' | 'epochBegan' | 'reads'> {
  return {
    epochBegan: now,
    reads: false,
    train: beginPart(trainImages, now, Math.min(trainImages, doneBefore)),
    val: beginPart(valImages, now),
  }
}

/** The epoch's first step begins only now. */
function restarted(timing: Timing, now: number, doneBefore: number): Timing {
  const { agenda, reads } = timing
  return { ...timing, ...freshEpoch(agenda, now, doneBefore), reads, starting: true }
}

/** So many images have been trained on; after the last one the validation begins. */
function trained(timing: Timing, images: number, now: number): Timing {
  const { train, val } = timing
  const done = Math.min(train.total, images)
  const noted = withPace({ ...timing, train: notePart(train, done, now) })
  const isEnd = done === train.total && train.last?.done !== done
  return isEnd ? { ...noted, val: beginPart(val.total, now) } : noted
}

/** Notes the pace of images that are decoded and go through the whole network. */
function withPace(timing: Timing): Timing {
  const { frozenWork, work, stored } = stageOf(timing.agenda, timing.epoch)
  const pace = paceAtEnd(timing.train)
  if (pace === null || (stored && !timing.reads)) return timing
  return { ...timing, seen: { pace, work: frozenWork + 3 * work } }
}

function afterEpoch(timing: Timing, now: number): Timing {
  const { agenda, began, epoch, epochBegan, reads, starting, val } = timing
  const stage = stageOf(agenda, epoch)
  const following = stageOf(agenda, epoch + 1)
  const goesOn = following === stage
  const later = goesOn ? laterEpoch(timing) : firstEpoch(timing, following)
  const isLike = goesOn && !(stage.stored && reads)
  // What started up in an epoch, or was done before, makes its own duration a bad measure.
  const counts = isLike && (later === null || !starting)
  const alike = goesOn ? timing.alike.concat(counts ? [now - epochBegan] : []).slice(-averaged) : []
  const isOver = agenda.maxSeconds !== null && now >= began + agenda.maxSeconds
  return {
    ...timing,
    ...freshEpoch(agenda, now),
    epoch: isOver ? agenda.epochs + 1 : epoch + 1,
    starting: !goesOn,
    alike,
    validated: isLike ? now - val.began : null,
    expected: alike.length > 0 ? mean(alike) : later,
  }
}

function stageOf({ stages }: Agenda, epoch: number): AgendaStage {
  return stages.find(({ last }) => epoch <= last) ?? at(stages, stages.length - 1)
}

/**
 * The time that a training still takes.
 * @param after trainings that follow it
 * @example const left = timeLeft(timing, performance.now() / 1000)
 */
export function timeLeft(
  timing: Timing | null,
  now: number,
  after: readonly After[] = [],
): TimeLeft {
  if (!timing) return null
  const { agenda, began, epoch } = timing
  const { maxSeconds, patience, epochs } = agenda
  const ofEpochs = epochsLeft(timing, now)
  const own =
    maxSeconds === null
      ? ofEpochs
      : Math.min(ofEpochs ?? Number.POSITIVE_INFINITY, untilLimit(timing, began + maxSeconds, now))
  const others = after.map((kind) => otherRun(timing, kind))
  if (own === null || others.includes(null)) return null
  const seconds = others.reduce<number>((sum, one) => sum + (one ?? 0), own)
  return { seconds, atMost: patience !== null && epoch < epochs }
}

/** Seconds to the end of the time that was given, and of the validation after it. */
function untilLimit(timing: Timing, limit: number, now: number): number {
  if (now < limit) return limit - now + validation(timing)
  return partLeft(timing.val, now) ?? Math.max(0, validation(timing) - (now - limit))
}

/** Seconds of the epochs that are left, by their number. */
function epochsLeft(timing: Timing, now: number): number | null {
  const { agenda, epoch } = timing
  if (epoch > agenda.epochs) return 0
  let sum = epochLeft(timing, now)
  let next = epoch + 1
  for (const stage of agenda.stages) {
    if (sum === null || next > stage.last) continue
    const here = stage === stageOf(agenda, epoch)
    const count = stage.last - next + 1
    const [first, later] = here
      ? [laterEpoch(timing), laterEpoch(timing)]
      : [firstEpoch(timing, stage), storedOrFirst(timing, stage)]
    sum = first === null || later === null ? null : sum + first + (count - 1) * later
    next = stage.last + 1
  }
  return sum
}

/** Seconds of the rest of the epoch in progress. */
function epochLeft(timing: Timing, now: number): number | null {
  const { alike, expected, epochBegan, train, val } = timing
  const asExpected = expected === null ? null : Math.max(0, expected - (now - epochBegan))
  if (alike.length > 0) return asExpected
  if (train.last && train.last.done >= train.total)
    return partLeft(val, now) ?? Math.max(0, validation(timing) - (now - val.began))
  const left = partLeft(train, now)
  return left === null ? asExpected : left + validation(timing)
}

/** Seconds of a validation in this epoch; 0 while nothing is known. */
function validation(timing: Timing): number {
  const { agenda, epoch, train, val, reads, validated } = timing
  const own = paceOf(val)
  if (own !== null) return own * val.total
  if (validated !== null) return validated
  const pace = paceOf(train)
  if (pace === null) return 0
  const { frozenWork, work, stored } = stageOf(agenda, epoch)
  const share =
    stored && !reads ? 0.5 : betweenDecodingAndWork((frozenWork + work) / (frozenWork + 3 * work))
  return share * pace * val.total
}

/**
 * How many times as long an image takes with so many times the work: not at all longer where
 * decoding takes the time, and so many times where arithmetic does; which one it is is not known.
 */
function betweenDecodingAndWork(times: number): number {
  return Math.sqrt(times)
}

/** Seconds of a whole epoch after this one, in the same stage. */
function laterEpoch(timing: Timing): number | null {
  const { agenda, epoch, alike, expected, reads, train } = timing
  if (alike.length > 0) return mean(alike)
  const stage = stageOf(agenda, epoch)
  if (stage.stored && reads) return storedEpoch(timing, stage)
  const pace = paceOf(train)
  if (pace !== null) return pace * train.total + validation(timing)
  return stage.stored && timing.seen ? storedEpoch(timing, stage) : expected
}

/** Seconds of the first epoch of a stage that has not begun. */
function firstEpoch(
  { agenda, seen }: Pick<Timing, 'agenda' | 'seen'>,
  { frozenWork, work }: AgendaStage,
): number | null {
  if (!seen) return null
  const passes = (count: number) =>
    seen.pace * betweenDecodingAndWork((frozenWork + count * work) / seen.work)
  return agenda.trainImages * passes(3) + agenda.valImages * passes(1)
}

function storedOrFirst(timing: Timing, stage: AgendaStage): number | null {
  return stage.stored ? storedEpoch(timing, stage) : firstEpoch(timing, stage)
}

/** Seconds of an epoch that reads stored outputs, before one has been timed. */
function storedEpoch({ agenda, seen }: Timing, { work }: AgendaStage): number | null {
  if (!seen) return null
  const { trainImages, valImages, batchSize } = agenda
  const steps = Math.ceil(trainImages / batchSize) + 0.5 * Math.ceil(valImages / batchSize)
  // Half of the time is taken for decoding, which stored outputs save too.
  const arithmetic = (0.5 * seen.pace * work * (3 * trainImages + valImages)) / seen.work
  return steps * stepSeconds + arithmetic
}

/** Seconds of another training that follows. */
function otherRun(timing: Timing, kind: After): number | null {
  const { agenda, epoch } = timing
  if (agenda.maxSeconds !== null) return agenda.maxSeconds + validation(timing)
  const { frozenWork, work } = stageOf(agenda, epoch)
  const whole = frozenWork + work
  const stage: AgendaStage =
    kind === 'frozen'
      ? { last: agenda.epochs, stored: true, frozenWork: whole, work: 0 }
      : { last: agenda.epochs, stored: false, frozenWork: 0, work: whole }
  const [first, later] = [firstEpoch(timing, stage), storedOrFirst(timing, stage)]
  return first === null || later === null ? null : first + (agenda.epochs - 1) * later
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}

/** The time left in words: '0:12 left', 'at most 1:05 left'. */
export function timeLeftText(left: TimeLeft): string {
  if (left === null) return 'estimating'
  return `${left.atMost ? 'at most ' : ''}${clock(left.seconds)} left`
}
