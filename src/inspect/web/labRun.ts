/** Runs an edited kernel on the browser's GPU, through the engine that trains in Node. */
import { type CheckRow, checkKernels } from '../../check/check.ts'
import type { Subject } from '../../check/subject.ts'
import { subjectOf } from '../../check/subjects.ts'
import { timeKernel } from '../../check/time.ts'
import { createEngineOn } from '../../createEngine.ts'
import type { Engine } from '../../tensor/tensor.ts'
import { pageHost } from './host.ts'
import { inspection } from './model.ts'

/** What kept a kernel from running, and on which line of which file where that is known. */
export interface Problem {
  readonly file: string | null
  readonly line: number
  readonly message: string
}

export interface Trial {
  readonly rows: readonly CheckRow[]
  readonly problem: Problem | null
}

function subjectFor(file: string): Subject {
  const found = subjectOf(file)
  if (!found) throw new Error(`nothing checks ${file}`)
  return found
}

/**
 * The engines that run a subject with `text` in the place of a kernel's file: as the browser's GPU
 * has it, and by plain kernels alone.
 */
async function enginesFor(
  file: string,
  text: string,
  { kernels }: Subject,
): Promise<{ readonly fast: Engine; readonly plain?: Engine }> {
  const host = pageHost(new Map([...Object.entries(inspection.shaders), [file, text]]))
  const fast = await createEngineOn(host)
  return kernels.includes('plain')
    ? { fast, plain: await createEngineOn(host, { kernels: 'plain' }) }
    : { fast }
}

/** Checks a kernel with `text` in the place of its file. */
export async function runEdited(file: string, text: string): Promise<Trial> {
  const subject = subjectFor(file)
  const engines = await enginesFor(file, text, subject)
  try {
    const { rows } = await checkKernels(engines, [subject], { drawn: 6 })
    const broken = rows.find(({ error }) => error)
    return { rows, problem: broken?.error ? problemIn(broken.error) : null }
  } finally {
    for (const engine of Object.values(engines)) engine.dispose()
  }
}

/**
 * GPU times of a kernel in the subject's large case, by each of some texts; null where they cannot
 * be measured. The texts take turns, so that what else the machine does bears on all of them.
 */
export async function timeTexts(
  file: string,
  texts: readonly string[],
  rounds = 4,
): Promise<readonly (number | null)[]> {
  const subject = subjectFor(file)
  const engines = await Promise.all(texts.map((text) => enginesFor(file, text, subject)))
  const least: (number | null)[] = texts.map(() => null)
  try {
    for (let round = 0; round < rounds; round++)
      for (const [i, { fast, plain }] of engines.entries()) {
        const time =
          (await timeKernel(fast, subject, file, 1)) ??
          (plain ? await timeKernel(plain, subject, file, 1) : null)
        least[i] = time === null ? null : Math.min(time, least[i] ?? time)
      }
    return least
  } finally {
    for (const engine of engines.flatMap((of) => Object.values(of))) engine.dispose()
  }
}

/** What any error of a run comes to. */
export function errorOf(error: unknown): Problem {
  return problemIn(error instanceof Error ? error.message : String(error))
}

/** The file and line that a message of the compiler, or of the notation's expansion, names. */
function problemIn(text: string): Problem {
  const [, file, line, message] = /([\w/]+\.wgsl):(\d+): (.*)/.exec(text) ?? []
  return file && message
    ? { file, line: Number(line), message }
    : { file: null, line: 0, message: text }
}
