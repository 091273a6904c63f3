import { BlobReader, BlobWriter, TextReader, ZipWriter } from '@zip.js/zip.js/lib/zip-core.js'
import { DataError } from '../base/errors.ts'
import { type Form, misfit } from '../base/form.ts'
import { JsonProblem, parseBounded } from '../base/json.ts'
import { rule } from '../base/rule.ts'
import type { EpochResult } from '../train/events.ts'
import { parseAs, parseRunConfig, parseRunMetrics, type RunConfig } from '../train/runConfig.ts'
import { timingsForm } from '../train/runForms.ts'
import type { Timings } from '../train/timings.ts'
import { type ArchiveEntry, readArchive } from '../weights/archive.ts'
import { readSafetensors, type WeightsFile } from '../weights/safetensors.ts'
import { blobSource } from '../weights/source.ts'
import { addRun } from './downloads.ts'
import { emptyProject, namesNow, type Project, type ProjectImage, pathOf } from './project.ts'
import type { Trained } from './trainRun.ts'

/** What stands in a saved project beside its images: `project.json`. */
interface Saved {
  readonly graftProject: 1
  readonly name: string
  readonly classes: readonly string[]
  /** Class, part and name of each image of `images/`, which is named by its number. */
  readonly images: readonly {
    readonly class: string
    readonly part: 'train' | 'val' | null
    readonly name: string
    readonly file: string
  }[]
}

const textOf = (most: number) =>
  rule(`a text of at most ${most} letters`, (value) => {
    return typeof value === 'string' && value.length <= most
  })

const savedForm: Form<Saved> = {
  fields: {
    graftProject: rule('1', (value) => value === 1),
    name: textOf(1000),
    classes: { each: textOf(1000) },
    images: {
      each: {
        fields: {
          class: textOf(1000),
          part: rule("'train', 'val' or null", (value) =>
            ['train', 'val', null].some((one) => one === value),
          ),
          name: textOf(4000),
          file: textOf(4000),
        },
      },
    },
  },
}

/**
 * Images and network as one ZIP: `images/`, with a folder for each class as `graft train` takes it,
 * `run/` as the other commands take it, and `project.json`.
 */
export async function projectArchive(project: Project, trained: Trained | null): Promise<Blob> {
  const zip = new ZipWriter(new BlobWriter('application/zip'), {
    useWebWorkers: false,
    level: 0, // images and weights do not shrink
  })
  const used = new Set<string>()
  const images: Saved['images'][number][] = []
  for (const image of project.images) {
    const file = `images/${unusedPath(image, used)}`
    images.push({ class: image.class, part: image.part, name: image.name, file })
    await zip.add(file, new BlobReader(image.file))
  }
  const saved: Saved = { graftProject: 1, name: project.name, classes: project.classes, images }
  await zip.add('project.json', new TextReader(`${JSON.stringify(saved, null, 1)}\n`))
  if (trained) {
    const { model, run } = trained
    const config = { ...run.config, classes: namesNow(project, run.config.classes) }
    await addRun(zip, 'run', model, { ...run, config })
  }
  return zip.close()
}

/** A path in the archive: its parts are names that every system takes. */
function unusedPath(image: ProjectImage, used: Set<string>): string {
  const safe = pathOf(image)
    .split('/')
    .map((part) => part.replace(/[<>:"|?*\\\p{Cc}]/gu, '_').replace(/^\.+$|[. ]+$/, '_') || '_')
    .join('/')
  let path = safe
  // Two names may differ in letter case only, which some systems do not tell apart.
  for (let i = 2; used.has(path.toLowerCase()); i++) path = safe.replace(/(\.[^./]*)?$/, ` ${i}$1`)
  used.add(path.toLowerCase())
  return path
}

/** A project that was saved, and its network, if it had one. */
export interface OpenedProject {
  readonly project: Project
  readonly run: {
    readonly config: RunConfig
    readonly weights: WeightsFile
    readonly epochs: readonly EpochResult[]
    readonly timings: Timings
  } | null
}

/**
 * Reads a saved project.
 * @throws DataError for a file that is none, or is damaged; UsageError and WeightsError where its
 * network is
 */
export async function openProject(file: File): Promise<OpenedProject> {
  const entries = await readArchive(blobSource(file)).catch((cause: Error) => {
    throw new DataError(`${file.name} is not a saved project: ${cause.message}`, { cause })
  })
  const entry = (name: string): ArchiveEntry => {
    const found = entries.get(name)
    if (found) return found
    throw new DataError(`${file.name} is not a saved project, or is damaged: it holds no ${name}`)
  }
  const saved = await savedOf(file.name, await entry('project.json').read())
  const images: ProjectImage[] = []
  for (const { class: name, part, name: imageName, file: path } of saved.images) {
    if (!saved.classes.includes(name))
      throw new DataError(`${file.name} is damaged: ${path} is of no class`)
    const blob = new Blob([await entry(path).read()])
    images.push({ class: name, part, name: imageName, file: blob })
  }
  const { name, classes } = saved
  const project: Project = { ...emptyProject, name, classes, images }
  const config = entries.get('run/config.json')
  if (!config) return { project, run: null }
  return {
    project,
    run: {
      config: parseRunConfig(await config.read(), `${file.name}/run/config.json`),
      weights: readSafetensors(await entry('run/weights.safetensors').read()),
      timings: parseAs(
        await entry('run/timings.json').read(),
        timingsForm,
        `${file.name}/run/timings.json`,
        'save the project again',
      ),
      epochs: parseRunMetrics(
        await entry('run/metrics.jsonl').read(),
        `${file.name}/run/metrics.jsonl`,
      ),
    },
  }
}

async function savedOf(file: string, bytes: Uint8Array): Promise<Saved> {
  try {
    const value = parseBounded(bytes)
    const wrong = misfit(value, savedForm)
    if (wrong === null) return value as Saved
    throw new DataError(`${file} is damaged: in project.json ${wrong}`)
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    throw new DataError(`${file} is damaged: project.json ${cause.message}`, { cause })
  }
}
