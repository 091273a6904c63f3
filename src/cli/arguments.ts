import { readFileSync } from 'node:fs'
import { nameOf } from '../base/node/fileNames.ts'

/** What stands for bytes that are no UTF-8 in a text that was decoded without care. */
const replaced = '\ufffd'

/**
 * Arguments with names of files that are not UTF-8, as a shell on Linux passes them: Node replaces
 * their bytes before a program sees them, and the kernel still has them. On other systems file
 * names are text.
 * @param args the last arguments of this process, as Node gives them
 */
export function withRawNames(args: readonly string[]): readonly string[] {
  if (process.platform !== 'linux' || !args.some((arg) => arg.includes(replaced))) return args
  const names = rawArguments().slice(-args.length)
  return args.map((arg, i) => {
    const name = names[i]
    return name && Buffer.from(name).toString('utf8') === arg ? nameOf(name) : arg
  })
}

/** Each argument ends with a zero. */
function rawArguments(): Buffer[] {
  const line = readFileSync('/proc/self/cmdline')
  const found: Buffer[] = []
  for (let start = 0; start < line.length; ) {
    const end = line.indexOf(0, start)
    found.push(line.subarray(start, end))
    start = end + 1
  }
  return found
}
