/** Vite: the address of a worker's bundle. */
declare module '*?worker&url' {
  const address: string
  export default address
}

/** Vite: the address of the archive of sample images. */
declare module 'virtual:samples' {
  const address: string
  export default address
}

/** Vite: the addresses of what draws the inspector's page. */
declare module 'virtual:inspector' {
  const script: string
  const style: string

  export { script, style }
}
