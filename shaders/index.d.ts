/** Every kernel's text by its path here; index.js is made by embed.js. */
declare const shaders: Readonly<Record<string, string>>
export default shaders
