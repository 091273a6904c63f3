import { Comment, CommentTag, Converter, JSX, ReflectionKind } from 'typedoc'

/** Headings of the reference pages, in their order, and the folders of src/ whose public names stand under them. */
const categories = {
  'Engine and tensors': ['', 'tensor'],
  Operators: ['autograd', 'ops'],
  'Layers and networks': ['nn'],
  'The four scenarios': ['transfer'],
  Images: ['data', 'host', 'store'],
  Training: ['train'],
  Optimizers: ['optim'],
  'Weights and files': ['weights'],
  'The inspector': ['inspect'],
  'The GPU, recordings and errors': ['gpu', 'base'],
}
const headingOf = new Map(
  Object.entries(categories).flatMap(([heading, folders]) =>
    folders.map((folder) => [folder, heading]),
  ),
)

/** Puts every public name under its folder's heading, so that no file has to say where it stands. */
function categoriseByFolder(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module))
      for (const reflection of module.children ?? []) {
        const file =
          reflection.sources?.[0]?.fullFileName ??
          reflection.signatures?.[0]?.sources?.[0]?.fullFileName ??
          ''
        const [, folder] = /\/src\/(?:([^/]+)\/)?/.exec(file.replaceAll('\\', '/')) ?? []
        const heading = headingOf.get(folder ?? '')
        if (!heading)
          throw new Error(
            `${reflection.name} of ${file} stands under no heading of the reference pages: add its folder to typedoc.config.js`,
          )
        const { comment = new Comment() } = reflection.signatures?.[0] ?? reflection
        comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: heading }]))
        ;(reflection.signatures?.[0] ?? reflection).comment = comment
      }
  })
}

/** Code scrolls rather than wraps, so that columns stay columns. */
const css = `
pre, pre code { white-space: pre; overflow-x: auto; }
`

function styled(app) {
  app.renderer.hooks.on('head.end', () =>
    JSX.createElement('style', null, JSX.createElement(JSX.Raw, { html: css })),
  )
}

/** @type {import('typedoc').TypeDocOptions} */
export default {
  name: 'Graft',
  entryPoints: ['src/index.ts', 'src/browser.ts', 'src/inspector.ts', 'src/browserInspector.ts'],
  tsconfig: 'tsconfig.build.json',
  out: 'docs/public/api',
  readme: 'none',
  navigationLinks: { 'Guides and tutorials': '../index.html' },
  plugin: [categoriseByFolder, styled],
  hideGenerator: true,
  excludeInternal: true,
  excludePrivate: true,
  categoryOrder: Object.keys(categories),
  navigation: { includeCategories: true },
  sort: ['kind', 'alphabetical'],
  kindSortOrder: [
    'Module',
    'Function',
    'Class',
    'Constructor',
    'Accessor',
    'Property',
    'Method',
    'Variable',
    'Interface',
    'TypeAlias',
  ],
  requiredToBeDocumented: [
    'Function',
    'Class',
    'Method',
    'Interface',
    'TypeAlias',
    'Variable',
    'Enum',
  ],
  validation: { notExported: true, invalidLink: true, notDocumented: true },
  treatValidationWarningsAsErrors: true,
  // What is below the public names: seen in their types, and nothing to build on.
  intentionallyNotExported: [
    'base/classCount.ts:ClassCount',
    'base/optionText.ts:OptionText',
    'base/optionText.ts:WriteOption',
    'data/split.ts:DivisionOption',
    'data/featureCache.ts:FeatureTable',
    'data/featureStore.ts:FeatureStore',
    'gpu/kernels/expand.ts:LineOrigin',
    'gpu/gpu.ts:Gpu',
    'gpu/kernels/kernel.ts:ShaderInterface',
    'host/host.ts:FoundAdapter',
    'host/host.ts:TilingStore',
    'gpu/tiling/tiling.ts:Problem',
    'gpu/tiling/tiling.ts:Tiling',
    'tensor/engineArgument.ts:EngineArgument',
    'tensor/tensor.ts:Readable',
    'tensor/tensor.ts:ValuesOf',
    'tensor/ndbuffer.ts:NdBuffer',
    'tensor/ndbuffer.ts:Pair',
    'train/recipe/rates.ts:schedules',
  ].map((name) => `src/${name}`),
}
