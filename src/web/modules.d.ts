/** Vite: where the bundle of a worker lies. */
declare module '*?worker&url' {
  const address: string
  export default address
}
