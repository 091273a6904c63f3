import { WeightsError } from '../base/errors.ts'
import type { Opener } from './place.ts'
import { blobSource } from './source.ts'

/** What describes weights that lie in several files: a model or an index. */
const describes = /\.(onnx|json)$/i

/**
 * Files that a person chose together in a browser, where a page cannot read others: one describes
 * the weights, and names the others.
 * @returns the name of the file that describes them, or of the only one, and how to open it
 * @throws WeightsError if none or several do
 */
export function chosenFiles(files: readonly File[]): {
  readonly name: string
  readonly opener: Opener
} {
  const [main, ...others] =
    files.length > 1 ? files.filter(({ name }) => describes.test(name)) : files
  if (!main || others.length > 0)
    throw new WeightsError(
      `${files.length} files were chosen, and ${main ? others.length + 1 : 'none'} of them ` +
        'is a model (.onnx, model.json) or an index (.index.json); ' +
        'choose one, and its data with it',
    )
  const folder = pathOf(main).slice(0, -main.name.length)
  const find = (path: string) => {
    // Without a folder's choice a file has a name only.
    const found = files.find(
      (file) =>
        pathOf(file) === folder + path ||
        (!file.webkitRelativePath && file.name === path.split('/').at(-1)),
    )
    if (found) return blobSource(found)
    throw new WeightsError('it is not among the chosen files; choose it together with the model')
  }
  return {
    name: main.name,
    opener: {
      open: async (place) => (place === main.name ? blobSource(main) : find(String(place))),
      beside: (_, name) => name,
      below: async (_, path) => find(path.join('/')),
    },
  }
}

function pathOf({ name, webkitRelativePath }: File): string {
  return webkitRelativePath || name
}
