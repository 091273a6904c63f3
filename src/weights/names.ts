/**
 * Which names in a weights file are AlexNet's. Training scripts put a prefix before them: it is
 * whatever stands before `features.0.weight`. What stands outside of it belongs to something else.
 */
import { WeightsError } from '../base/errors.ts'
import { option, optionText } from '../base/optionText.ts'
import { listNames, quote } from './arrays.ts'
import { chooseCopy } from './copies.ts'

/** What the names of a file's tensors mean. */
export interface FoundNames {
  /** From the file's names to those behind the prefix, in the file's order. */
  readonly names: ReadonlyMap<string, string>
  /** The file's names outside of the prefix. */
  readonly ignored: readonly string[]
  /** What a person should know of the choice: one sentence each. */
  readonly remarks: readonly string[]
}

/** Modules that wrap a layer and add their name to its own, as DataParallel and FSDP do. */
const wrapper = '(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)'
const wrappers = new RegExp(`\\.${wrapper}(?=\\.)`, 'g')

const first = new RegExp(`features(?:\\.${wrapper})*\\.0(?:\\.${wrapper})*\\.weight$`)
const any = new RegExp(
  `(?:features|classifier)(?:\\.${wrapper})*\\.\\d+(?:\\.${wrapper})*\\.(?:weight|bias)$`,
)
const caffeFirst = /conv1\.weight$/

/** Whether they are those of Caffe's AlexNet: its five convolutions are among them. */
export function areCaffes(all: ReadonlySet<string>, prefix = ''): boolean {
  return [1, 2, 3, 4, 5].every((number) => all.has(`${prefix}conv${number}.weight`))
}

/** Whether tensors of these names are an AlexNet's, whatever their prefix. */
export function areAlexNets(names: readonly string[]): boolean {
  return prefixesOf(names).length > 0
}

/**
 * Finds AlexNet's names.
 * @param wanted the prefix, if the caller knows it
 * @throws WeightsError where no name has the wanted prefix, where several prefixes stand before
 * `features.0.weight`, or where two names become one
 */
export function findNames(all: readonly string[], wanted?: string): FoundNames {
  const { chosen: prefix, remarks } =
    wanted === undefined ? choosePrefix(all) : { chosen: wantedPrefix(all, wanted), remarks: [] }
  const names = new Map<string, string>()
  const taken = new Set<string>()
  for (const name of all) {
    if (!name.startsWith(prefix)) continue
    const rest = name.slice(prefix.length)
    const own = /^(?:features|classifier)\./.test(rest) ? rest.replace(wrappers, '') : rest
    if (taken.has(own))
      throw new WeightsError(
        `the weights have ${quote(own)} twice, with a wrapper's prefix and without; ` +
          'save one of them',
      )
    taken.add(own)
    names.set(name, own)
  }
  const ignored = all.filter((name) => !names.has(name))
  if (ignored.length === 0) return { names, ignored, remarks }
  const where = `ignored, as they do not stand behind ${quote(prefix)}: ${listNames(ignored)}`
  return { names, ignored, remarks: [...remarks, where] }
}

function choosePrefix(all: readonly string[]) {
  const found = prefixesOf(all)
  if (found.length > 0) return chooseCopy(found, 'weightsPrefix', 'features.0.weight stands behind')
  // Without features.0.weight only what all known names agree on is a prefix.
  const known = Array.from(prefixesBefore(all, any))
  return { chosen: known.length === 1 ? String(known[0]) : '', remarks: [] }
}

/** What stands before `features.0.weight`, or before Caffe's `conv1.weight`. */
function prefixesOf(names: readonly string[]): string[] {
  const found = Array.from(prefixesBefore(names, first))
  if (found.length === 0) {
    const all = new Set(names)
    return Array.from(prefixesBefore(names, caffeFirst)).filter((one) => areCaffes(all, one))
  }
  const whole = found.filter((prefix) => prefix === '' || prefix.endsWith('.'))
  return whole.length > 0 ? whole : found
}

function prefixesBefore(names: readonly string[], ending: RegExp): Set<string> {
  return new Set(
    names.flatMap((name) => {
      const start = name.search(ending)
      return start < 0 ? [] : [name.slice(0, start)]
    }),
  )
}

/** The prefix as it was given, or with the dot that was left out. */
function wantedPrefix(all: readonly string[], wanted: string): string {
  const dotted = `${wanted}.`
  if (wanted !== '' && all.some((name) => name.startsWith(dotted))) return dotted
  if (all.some((name) => name.startsWith(wanted))) return wanted
  const found = prefixesOf(all)
  throw new WeightsError(
    optionText`no name begins with ${quote(wanted)}; ${
      found.length > 0
        ? `features.0.weight stands behind ${listNames(found)}`
        : `the names are ${listNames(all)}`
    }: correct ${option('weightsPrefix')}, or leave it out`,
  )
}
