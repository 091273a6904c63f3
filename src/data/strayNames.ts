import { listed } from '../base/format.ts'

/**
 * Names that systems and other programs leave among a person's folders. They are no classes, and
 * nothing in them is an image of one.
 */

const strayNames = new Set([
  '@eadir', // Synology
  '#recycle',
  '#snapshot',
  '@recycle', // QNAP
  '@recently-snapshot',
  '__macosx', // archives made on macOS
  '__pycache__',
  'node_modules',
  'lost+found', // Linux file systems
  '$recycle.bin', // Windows
  'recycler',
  'system volume information',
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  'icon\r', // macOS
])

/** Whether a file or folder of this name is passed over: hidden ones are, and those of systems. */
export function isStray(name: string): boolean {
  return name.startsWith('.') || strayNames.has(name.toLowerCase())
}

/** The stray files and folders that were met, to name each once. */
export class StrayNames {
  readonly #names = new Set<string>()

  /** Whether the name is a stray one; then it is kept. */
  note(name: string): boolean {
    if (!isStray(name)) return false
    if (name.startsWith('.graft-')) return true // Graft's own, and only while it works
    // macOS leaves one beside every file.
    this.#names.add(name.startsWith('._') ? '._*' : name)
    return true
  }

  /** Whether one of a path's names is a stray one. */
  notePath(path: string): boolean {
    return path.split('/').some((name) => name !== '.' && this.note(name))
  }

  /** A sentence that names them, if there are any. */
  get remarks(): string[] {
    const names = [...this.#names].sort()
    if (names.length === 0) return []
    return [`passed over hidden files and those of other programs: ${listed(names)}`]
  }
}
