/** Jobs that classify the images of a shard with a run's network. */
import { type Form, misfit } from '../../base/form.ts'
import { choiceRule, numberRule, positiveInteger, text, wholeNumber } from '../../base/rule.ts'
import { sha256 } from '../../base/sha256.ts'
import type { Sample } from '../../data/dataset.ts'
import { mostViews } from '../../data/view.ts'
import { type Answer, type AnswerFormat, answerLines, classified } from '../../train/answers.ts'
import { jobId } from '../identity.ts'
import { type Job, JobError, type JobKind } from '../job.ts'
import { readImages, readShard } from '../shards.ts'
import { hash, hashOrNull, type ModelReference, modelForm, modelOf, trustOf } from './models.ts'

/** What a job of this kind says. */
export interface PredictionsTask {
  /** The address that the images of the shard lie below. */
  readonly data: string
  /** The sha256 of the shard's file. */
  readonly shard: string
  readonly model: ModelReference
  /** How many classes are named for each image. */
  readonly top: number
  /** Views of an image that are averaged. */
  readonly tta: number
  /** The sha256 of what tells images of other kinds, where the run has it. */
  readonly trust: string | null
  /** The share of images of the classes that it may refuse. */
  readonly refuse: number
  readonly format: AnswerFormat
  /** The address of the store that the answers are written to. */
  readonly out: string
  /** Which one of the answers' files it is, from 0. */
  readonly part: number
}

const form: Form<PredictionsTask> = {
  fields: {
    data: text,
    shard: hash,
    model: modelForm,
    top: positiveInteger,
    tta: numberRule({ integer: true, min: 1, max: mostViews }),
    trust: hashOrNull,
    refuse: numberRule({ min: 0, max: 1 }),
    format: choiceRule(['csv', 'json']),
    out: text,
    part: wholeNumber,
  },
}

const taskOf = (job: Job) => job.task as unknown as PredictionsTask

/** Writes one file of answers, below the address `out`. */
export const predictionsKind: JobKind<readonly Sample[]> = {
  name: 'predictions',
  check(task) {
    const wrong = misfit(task, form)
    if (wrong !== null) throw new JobError(`a job of predictions is wrong: ${wrong}`)
  },
  async read(job, { store, signal }) {
    const { data, shard, out } = taskOf(job)
    await store(out)
    const images = await readShard(await store(job.work), shard)
    return readImages(await store(data), images, signal)
  },
  async run(job, context, samples) {
    const { model: reference, top, tta, refuse, format, out, part } = taskOf(job)
    const { signal, progress } = context
    const [work, engine] = [await context.store(job.work), await context.engine()]
    const model = await modelOf(engine, work, reference)
    const [lacking] = model.missing
    if (lacking !== undefined) throw new JobError(`the network's values lack ${lacking}`)
    const { trust: judge } = taskOf(job)
    const trust = judge === null ? null : await trustOf(work, judge)
    const broken: { name: string; reason: string }[] = []
    const answers = async function* (): AsyncGenerator<Answer> {
      for await (const answer of classified(model, samples, {
        top,
        tta,
        trust,
        refuse,
        signal,
        onProgress: progress,
      })) {
        if (answer.type === 'skipped') broken.push({ name: answer.name, reason: answer.reason })
        yield answer
      }
    }
    const named = Math.min(top, model.classNames?.length ?? top)
    let lines = ''
    for await (const line of answerLines(answers(), format, {
      top: named,
      judged: trust !== null,
    }))
      lines += `${line}\n`
    const bytes = new TextEncoder().encode(lines)
    const path = await partPath(job, part, format)
    await (await context.store(out)).write(path, bytes)
    return {
      adapter: engine.info.adapter,
      images: samples.length,
      broken,
      outputs: [{ path, sha256: await sha256(bytes) }],
      facts: {},
    }
  },
}

/** The name of a job's file, which no other job has. */
async function partPath(job: Job, part: number, format: AnswerFormat): Promise<string> {
  const id = await jobId(job)
  const extension = format === 'csv' ? 'csv' : 'jsonl'
  return `part-${String(part).padStart(5, '0')}-${id.slice(1, 9)}.${extension}`
}
