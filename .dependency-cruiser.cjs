// The rooms of src/, from the ground up. What is imported, types included, lies in the same room or
// in one further up in this list; a file of src/ itself joins rooms and has its place among them.
const rooms = [
  'base',
  'look',
  'host',
  'store',
  'gpu',
  'tensor',
  'ops',
  'autograd',
  'weights',
  'nn',
  'optim',
  'data',
  'transfer',
  'train',
  'jobs',
  'reference',
  '(createEngine|nodeHost|browserHost)[.]ts',
  'check',
  'inspect',
  'report',
  '(index|browser|universal|inspector|browserInspector)[.]ts',
  'web',
  'cli',
]
const files = (names) =>
  `^src/(${names.map((name) => (name.endsWith('[.]ts') ? `${name}$` : `${name}/`)).join('|')})`

module.exports = {
  forbidden: [
    { name: 'circle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no room',
      comment: 'a new folder of src/ needs its place in the list of rooms',
      severity: 'error',
      from: { path: '^src/', pathNot: files(rooms) },
      to: {},
    },
    ...rooms.slice(0, -1).map((room, i) => ({
      name: `up from ${room}`,
      severity: 'error',
      from: { path: files([room]) },
      to: { path: files(rooms.slice(i + 1)) },
    })),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js'] },
    doNotFollow: { path: 'node_modules' },
  },
}
