/** Images classified by whoever does jobs: a file of answers for each shard, and one manifest. */
import { type Form, misfit } from '../../base/form.ts'
import { JsonProblem, parseBounded } from '../../base/json.ts'
import { rule } from '../../base/rule.ts'
import type { NamedImages } from '../../data/storedImages.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { canonicalJson } from '../identity.ts'
import { type Job, JobError } from '../job.ts'
import type { Outcome, Runner, RunOptions } from '../runner.ts'
import { divided, imageOf, putShard, type ShardImage, shardSize } from '../shards.ts'
import { type PredictionsTask, predictionsKind } from './predictions.ts'

/** What is answered, and how. */
export type Question = Pick<
  PredictionsTask,
  'model' | 'top' | 'tta' | 'trust' | 'refuse' | 'format'
> & {
  /** The address of the images. */
  readonly data: string
}

/** The file `manifest.json` beside the answers. */
export interface Manifest extends Question {
  readonly images: number
  readonly predicted: number
  /** Images that could not be read, which are in no part, or there with the reason. */
  readonly broken: readonly { readonly name: string; readonly reason: string }[]
  /** How many images each adapter has classified. */
  readonly adapters: Readonly<Record<string, number>>
  /** The files of answers, in the order of the images. */
  readonly parts: readonly {
    readonly path: string
    readonly images: number
    readonly sha256: string
    readonly adapter: string | null
  }[]
  /** Shards that failed for good: their images are in no part. */
  readonly failed: readonly {
    readonly id: string
    readonly images: number
    readonly reason: string
  }[]
}

export interface PredictionsOptions extends Omit<RunOptions, 'total'> {
  readonly runner: Runner
  /** Where shards and done marks lie. */
  readonly work: Store
  /** Where the answers are written. */
  readonly out: Store
  /** What stands before an image's path in its name. */
  readonly prefix: string
  readonly shardSize?: number
}

const manifestName = 'manifest.json'

/**
 * Has images classified, and writes the manifest. What an earlier call has done is found.
 * @param root the address that all images lie below
 * @throws JobError if the manifest there answers another question
 */
export async function spreadPredictions(
  images: NamedImages,
  root: string,
  question: Question,
  options: PredictionsOptions,
): Promise<Manifest> {
  const { runner, work, out, prefix } = options
  const before = await earlierParts(out, question)
  const jobs: Job[] = []
  const size = options.shardSize ?? shardSize(images.length)
  for await (const shard of divided(named(images, root, prefix), size)) {
    const { data: _, ...how } = question
    const hash = await putShard(work, shard)
    const task: PredictionsTask = {
      ...how,
      data: root,
      shard: hash,
      out: out.address,
      part: jobs.length,
    }
    jobs.push({
      kind: predictionsKind.name,
      work: work.address,
      images: shard.length,
      task: { ...task },
    })
  }
  const first = await runner.run(jobs, { ...options, total: jobs.length })
  const outcomes = await withLostParts(first, options)
  const manifest = manifestOf(question, outcomes)
  const text = `${JSON.stringify(manifest, null, 1)}\n`
  await out.write(manifestName, new TextEncoder().encode(text))
  const now = new Set(manifest.parts.map(({ path }) => path))
  // Of other images, or of shards of another size: their answers would be there twice.
  if (manifest.failed.length === 0)
    for (const path of before) if (!now.has(path)) await out.remove(path)
  return manifest
}

function* named(images: NamedImages, root: string, prefix: string): Generator<ShardImage> {
  for (const { name, source } of images) yield imageOf(source, prefix + name, root)
}

/** Does the jobs again whose files were removed after they were done. */
async function withLostParts(
  outcomes: readonly Outcome[],
  options: PredictionsOptions,
): Promise<readonly Outcome[]> {
  const { runner, work, out } = options
  const there = new Set<string>()
  for await (const { path } of out.list('')) there.add(path)
  const lost = outcomes.filter(
    (one) => 'result' in one && one.result.outputs.some(({ path }) => !there.has(path)),
  )
  if (lost.length === 0) return outcomes
  for (const { id } of lost) await work.remove(`done/${id}.json`)
  const again = await runner.run(
    lost.map(({ job }) => job),
    { ...options, total: lost.length },
  )
  const byId = new Map(again.map((one) => [one.id, one]))
  return outcomes.map((one) => byId.get(one.id) ?? one)
}

function manifestOf(question: Question, outcomes: readonly Outcome[]): Manifest {
  const adapters: Record<string, number> = {}
  const [broken, parts, failed]: [
    Manifest['broken'][number][],
    Manifest['parts'][number][],
    Manifest['failed'][number][],
  ] = [[], [], []]
  let [images, predicted] = [0, 0]
  for (const one of outcomes) {
    images += one.job.images
    if ('failure' in one) {
      failed.push({ id: one.id, images: one.job.images, reason: one.failure })
      continue
    }
    const { result } = one
    const read = result.images - result.broken.length
    predicted += read
    broken.push(...result.broken)
    if (result.adapter) adapters[result.adapter] = (adapters[result.adapter] ?? 0) + read
    for (const output of result.outputs)
      parts.push({ ...output, images: result.images, adapter: result.adapter })
  }
  return { ...question, images, predicted, broken, adapters, parts, failed }
}

const part = rule(
  'the name of a part',
  (value) => typeof value === 'string' && /^part-\d{5,}-[0-9a-f]{8}\.(csv|jsonl)$/.test(value),
)
const partsForm: Form<{ readonly parts: readonly { readonly path: string }[] }> = {
  fields: { parts: { each: { fields: { path: part } } } },
}
/** No manifest that is read is larger. */
const mostManifestBytes = 2 ** 28
const mostValues = 10_000_000

/**
 * The files of answers that a manifest names.
 * @throws JobError if it answers another question, or is none
 */
async function earlierParts(out: Store, question: Question): Promise<string[]> {
  const found = await out.stat(manifestName)
  if (!found) return []
  const where = `${out.address}/${manifestName}`
  const other = (what: string, cause?: unknown) =>
    new JobError(`${where} ${what}: write the answers elsewhere, or remove it first`, { cause })
  if (found.bytes > mostManifestBytes) throw other('is no manifest of answers')
  let value: unknown
  try {
    value = parseBounded(await out.read(manifestName), mostValues)
  } catch (cause) {
    if (cause instanceof StoreError) throw cause
    throw other(cause instanceof JsonProblem ? cause.message : 'cannot be read', cause)
  }
  const wrong = misfit(value, partsForm)
  if (wrong !== null) throw other(`is no manifest of answers (${wrong})`)
  const manifest = value as Manifest
  const { data, model, top, tta, trust, refuse, format } = manifest
  const answered = { data, model, top, tta, trust, refuse, format }
  if (canonicalJson(answered) !== canonicalJson(question))
    throw other('tells of another run, other images or other options')
  return manifest.parts.map(({ path }) => path)
}
