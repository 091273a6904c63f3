/** Runs an edited kernel on the browser's GPU, through the engine that trains in Node. */
import { type CheckRow, checkKernels, subjects } from '../../check/check.ts'
import type { Subject } from '../../check/subject.ts'
import { timeKernel } from '../../check/time.ts'
import { createEngineOn } from '../../createEngine.ts'
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
  /** GPU time of the kernel in the subject's large case. */
  readonly milliseconds: number | null
}

/** What checks the kernels of a folder; the tile and sum kernels serve convolutions above all. */
const subjectOf: Readonly<Record<string, string>> = {
  adaptive_avg_pool2d: 'adaptiveAvgPool2d',
  contract: 'conv2d',
  cross_entropy: 'crossEntropy',
  local_response_norm: 'localResponseNorm',
  max_pool2d: 'maxPool2d',
  optim: 'optimisers',
  'optim/health.wgsl': 'finite',
  reduce: 'conv2d',
}

function subjectFor(file: string): Subject {
  const folder = file.slice(0, file.indexOf('/'))
  const name = subjectOf[file] ?? subjectOf[folder] ?? folder
  const found = subjects.find((subject) => subject.name === name)
  if (!found) throw new Error(`nothing checks ${file}`)
  return found
}

/** Checks and times a kernel with `text` in the place of its file. */
export async function runEdited(file: string, text: string): Promise<Trial> {
  const host = pageHost(new Map([...Object.entries(inspection.shaders), [file, text]]))
  const subject = subjectFor(file)
  const fast = await createEngineOn(host)
  const plain = subject.kernels.includes('plain') ? await createEngineOn(host, { kernels: 'plain' }) : null
  try {
    const { rows } = await checkKernels(plain ? { fast, plain } : { fast }, [subject], { drawn: 6 })
    const broken = rows.find(({ error }) => error)
    if (broken?.error) return { rows, problem: problemIn(broken.error), milliseconds: null }
    const milliseconds = (await timeKernel(fast, subject, file)) ?? (plain && (await timeKernel(plain, subject, file)))
    return { rows, problem: null, milliseconds }
  } finally {
    plain?.dispose()
    fast.dispose()
  }
}

/** What any error of a run comes to. */
export function errorOf(error: unknown): Problem {
  return problemIn(error instanceof Error ? error.message : String(error))
}

/** The file and line that a message of the compiler, or of the notation's expansion, names. */
function problemIn(text: string): Problem {
  const [, file, line, message] = /([\w/]+\.wgsl):(\d+): (.*)/.exec(text) ?? []
  return file && message ? { file, line: Number(line), message } : { file: null, line: 0, message: text }
}
