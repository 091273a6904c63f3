import { readArchive } from '../weights/archive.ts'
import { bytesSource } from '../weights/source.ts'
import { type Project, projectOf } from './project.ts'

/** The images that come with the page. */
export interface Samples {
  readonly project: Project
  /** Images that are neither trained on nor held out, some of them of another kind. */
  readonly toTry: readonly File[]
}

/** Reads the archive of sample images: see node/sampleArchive.ts. */
export async function readSamples(archive: Uint8Array): Promise<Samples> {
  const files: { readonly path: string; readonly file: File }[] = []
  const toTry: File[] = []
  for (const [name, entry] of await readArchive(bytesSource(archive))) {
    if (!name.endsWith('.png')) continue
    const [, top, path = ''] = /^([^/]*)\/(.*)$/.exec(name) ?? []
    const file = new File([await entry.read()], path.slice(path.lastIndexOf('/') + 1))
    if (top === 'images') files.push({ path, file })
    else toTry.push(file)
  }
  const project = projectOf({ root: 'samples', files, passedOver: [] })
  if (typeof project === 'string') throw new RangeError(project)
  return { project, toTry }
}
